"""Six LSTM layers: which start learns, and why; then depth against width.

Run by `make study`. Trains 195 small networks, about a quarter of an hour on one core, and writes
d2lhelpers/measurements/depth.json, which the chapter on deep networks shows. A run that is there
is not repeated: the study can be stopped and goes on.

Part "start": stacks of `nn.LSTM` of 64 units on the first 30,000 letters of the story, 4 epochs of
Adam at 0.01, the rate falling along a cosine, as in the chapter. What differs is written in `Case`.
Part "shape": networks of about equally many parameters on the whole training part.
"""

import itertools
import json
import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace

import torch
import torch.nn.functional as F
from record import MEASUREMENTS, machine, today, write
from torch import Tensor, nn

from d2lhelpers.batches import Batch, consecutive_batches
from d2lhelpers.layers import DeepRNN
from d2lhelpers.model import LanguageModel, detach, layer_sizes
from d2lhelpers.text import Corpus, load_corpus
from d2lhelpers.training import TrainConfig, clip_gradients, perplexity, train

NAME, SEEDS = "depth", range(5)
LETTERS, UNITS, RATE, GAIN = 30_000, 64, 0.01, 4.0
BIASES = ("torch", "ln p")
PROBED = (0, 1, 2, 3, 5, 8, 12, 20, 40)
Row = dict[str, object]


@dataclass(frozen=True)
class Case:
    """One way to start and to train a stack.

    `scaled` names the blocks of W_x that start orthogonal, times 4: i, f, c (candidate), o.
    `bias` is that of the output layer at the start: PyTorch's, ln p of the letters' frequencies,
    -ln p, or ln p shuffled among the letters. `centred` takes its mean over the batch from the
    gradient that enters the top layer.
    """

    layers: int = 6
    scaled: str = ""
    around: str = ""
    bias: str = "torch"
    centred: bool = False
    epochs: int = 4


class Around(nn.Module):
    """A layer with its input added to its outputs, or with its outputs normalised."""

    def __init__(self, layer: nn.Module, how: str):
        super().__init__()
        self.layer, self.how = layer, how
        self.input_size, self.hidden_size = layer_sizes(layer)
        self.norm = nn.LayerNorm(self.hidden_size) if how == "normalised" else nn.Identity()

    def forward(self, inputs: Tensor, state: object = None) -> tuple[Tensor, object]:
        outputs, state = self.layer(inputs, state)
        return (inputs + outputs if self.how == "residual" else self.norm(outputs)), state


def make_layer(case: Case, inputs: int = UNITS, units: int = UNITS) -> nn.Module:
    """Make one layer of a stack."""
    layer = nn.LSTM(inputs, units)
    with torch.no_grad():
        for name, block in zip("ifco", layer.weight_ih_l0.chunk(4), strict=True):
            if name in case.scaled:
                nn.init.orthogonal_(block, GAIN)
    return Around(layer, case.around) if case.around else layer


def set_bias(model: LanguageModel, kind: str, tokens: Tensor) -> None:
    """Start the output layer's bias from the letters' frequencies."""
    V = len(model.output.bias)
    log_p = (torch.bincount(tokens, minlength=V) + 1.0).log()
    log_p -= log_p.mean()
    if kind == "shuffled":
        log_p = log_p[torch.randperm(V)]
    with torch.no_grad():
        if kind != "torch":
            model.output.bias.copy_(-log_p if kind == "-ln p" else log_p)


def without_mean(gradient: Tensor) -> Tensor:
    """Take off the mean over steps and texts."""
    return gradient - gradient.mean((0, 1), keepdim=True)


def centre(model: LanguageModel) -> None:
    """Let the gradient that enters the top layer (T, B, H) have mean zero over the batch."""

    def before(module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        if arguments[0].requires_grad:
            arguments[0].register_hook(without_mean)

    model.output.register_forward_pre_hook(before)


@torch.no_grad()
def probe(model: LanguageModel, X: Tensor) -> tuple[float, float]:
    """Return spread and offset of the top layer's outputs over a batch."""
    outputs = model.layer(model.embedding(X))[0][10:].flatten(0, 1)  # (N, H)
    return outputs.std(0).mean().item(), outputs.mean(0).square().mean().sqrt().item()


@torch.no_grad()
def routes(model: LanguageModel, X: Tensor) -> tuple[list[float], list[float]]:
    """Return the spread of each layer's O_t, times |mean tanh C_t|, and the other way round."""
    H, gate, memory = model.embedding(X), [], []
    for layer in model.layer.layers:
        lstm = getattr(layer, "layer", layer)
        outputs, _ = lstm(H)
        before = torch.cat([torch.zeros_like(outputs[:1]), outputs[:-1]])
        arguments = F.linear(H, lstm.weight_ih_l0, lstm.bias_ih_l0)
        arguments += F.linear(before, lstm.weight_hh_l0, lstm.bias_hh_l0)
        O = arguments.chunk(4, dim=2)[3].sigmoid()[10:].flatten(0, 1)  # noqa: E741
        memory_out = outputs[10:].flatten(0, 1) / O  # tanh(C)
        gate.append((O.std(0) * memory_out.mean(0).abs()).mean().item())
        memory.append((O.mean(0) * memory_out.std(0)).mean().item())
        H, _ = layer(H)
    return gate, memory


def epochs_of(tokens: Tensor, epochs: int) -> Iterator[tuple[int, list[Batch]]]:
    """Yield the batches of each epoch, as `train` makes them."""
    generator = torch.Generator().manual_seed(0)
    for epoch in range(epochs):
        offset = int(torch.randint(35, (), generator=generator))
        yield epoch, list(consecutive_batches(tokens, 32, 35, offset))


def start_run(case: Case, seed: int, corpus: Corpus) -> Row:
    """Train one stack and look at it on the way."""
    begun = time.process_time()
    torch.manual_seed(seed)
    layers = [make_layer(case) for _ in range(case.layers)]
    model = LanguageModel(DeepRNN(layers), len(corpus.vocabulary))
    set_bias(model, case.bias, corpus.training)
    if case.centred:
        centre(model)
    X, _ = next(iter(consecutive_batches(corpus.validation, 32, 35)))
    optimizer = torch.optim.Adam(model.parameters())
    probes, validation, step = [probe(model, X)], [], 0
    gate: list[float] = []
    memory: list[float] = []
    for epoch, batches in epochs_of(corpus.training, case.epochs):
        rate = RATE * 0.5 * (1 + math.cos(math.pi * epoch / case.epochs))
        state = None
        for inputs, targets in batches:
            for group in optimizer.param_groups:
                group["lr"] = rate
            logits, state = model(inputs, detach(state))
            optimizer.zero_grad()
            F.cross_entropy(logits.flatten(0, 1), targets.flatten()).backward()
            clip_gradients(model.parameters(), 1.0)
            optimizer.step()
            step += 1
            if step in PROBED:
                probes.append(probe(model, X))
            if step == 8:
                gate, memory = routes(model, X)
        validation.append(perplexity(model, corpus.validation))
    return {
        "part": "start", **different(case), "seed": seed,
        "validation": digits(validation),
        "spread": digits(p[0] for p in probes), "offset": digits(p[1] for p in probes),
        "gate": digits(gate), "memory": digits(memory),
        "last": digits(validation[-1:])[0], "cpu_seconds": taken(begun),
    }  # fmt: skip


def shape_run(case: Case, units: int, seed: int, corpus: Corpus) -> Row:
    """Train one network on the whole training part."""
    begun = time.process_time()
    torch.manual_seed(seed)
    first = units if case.around == "residual" else UNITS
    sizes = [first] + [units] * case.layers
    layers = [make_layer(case, sizes[i], units) for i in range(case.layers)]
    model = LanguageModel(DeepRNN(layers), len(corpus.vocabulary))
    set_bias(model, case.bias, corpus.training)
    config = TrainConfig(case.epochs, learning_rate=RATE)
    history = train(model, corpus, config, show=False)
    seconds = taken(begun)
    return {
        "part": "shape", **different(case), "units": units, "seed": seed,
        "parameters": sum(p.numel() for p in model.layer.parameters()),
        "validation": digits(history.validation[-1:])[0],
        "test": digits([perplexity(model, corpus.test)])[0], "cpu_seconds": seconds,
    }  # fmt: skip


def different(case: Case) -> Row:
    """Return what a case has of its own, and always its depth and epochs."""
    default = asdict(Case())
    return {
        name: value
        for name, value in asdict(case).items()
        if name in ("layers", "epochs") or value != default[name]
    }


def digits(values: Iterable[float]) -> list[float]:
    """Round to four digits."""
    return [float(f"{value:.4g}") for value in values]


def taken(begun: float) -> float:
    """Return the processor's seconds since then."""
    return round(time.process_time() - begun, 1)


def groups() -> Iterator[list[tuple[Case, int]]]:
    """Yield groups of cases, each with its number of units if it is one of the part "shape"."""
    rows = [Case(scaled=blocks) for blocks in ("", "c", "ci", "cf", "o", "ifo", "co", "ifco")]
    yield [(replace(row, bias=bias), 0) for row in rows for bias in BIASES]

    yield [
        *((Case(scaled=blocks, centred=True), 0) for blocks in ("", "c")),
        *((Case(scaled=blocks, bias="-ln p"), 0) for blocks in ("co", "ifco")),
        (Case(scaled="c", bias="shuffled"), 0),
        (Case(around="normalised", centred=True), 0),
    ]

    others = [Case(around="residual"), Case(around="normalised"), Case(layers=1), Case(layers=2)]
    others = [replace(case, bias=bias) for case in others for bias in BIASES]
    others += [Case(layers=layers, scaled="ifco", bias="ln p") for layers in (1, 2)]
    yield [(case, 0) for case in others]

    best = Case(scaled="ifco", bias="ln p")
    yield [
        (replace(case, layers=layers, epochs=2), units)
        for case in (Case(), best)
        for layers, units in ((1, 100), (3, 51))
    ]
    yield [(replace(best, layers=1, epochs=3), 100)]  # about the time of three layers, two epochs
    around = Case(around="residual", bias="ln p")
    yield [(replace(around, layers=1, epochs=9), 91), (replace(around, layers=3, epochs=6), 52)]


def main() -> None:
    """Make the runs that are missing, writing after each."""
    torch.set_num_threads(1)
    corpus = load_corpus("story")
    short = replace(corpus, training=corpus.training[:LETTERS])
    path = MEASUREMENTS / f"{NAME}.json"
    results: list[Row] = json.loads(path.read_text("utf-8"))["results"] if path.exists() else []
    found = ("validation", "test", "spread", "offset", "gate", "memory", "last", "parameters")

    def key(row: Row) -> str:
        named = {k: v for k, v in row.items() if k not in (*found, "cpu_seconds")}
        return json.dumps(named, sort_keys=True)

    done = {key(row) for row in results}
    for cases in groups():
        for seed, (case, units) in itertools.product(SEEDS, cases):
            named: Row = {"part": "shape" if units else "start", **different(case), "seed": seed}
            named |= {"units": units} if units else {}
            if key(named) in done:
                continue
            row = shape_run(case, units, seed, corpus) if units else start_run(case, seed, short)
            results.append(row)
            shown = {
                k: v for k, v in row.items() if k not in ("spread", "offset", "gate", "memory")
            }
            print(json.dumps(shown), flush=True)
            write(NAME, {
                "task": "validation perplexity of stacks of recurrent layers on the story",
                "command": "python book/_studies/depth.py",
                "date": today(), "machine": machine(),
                "settings": {
                    "letters": LETTERS, "units": UNITS, "learning_rate": RATE, "gain": GAIN,
                    "optimizer": "Adam", "clip_norm": 1.0, "probed": list(PROBED),
                    "seeds": list(SEEDS),
                },
                "cpu_seconds": round(sum(float(str(r["cpu_seconds"])) for r in results)),
                "results": results,
            })  # fmt: skip


if __name__ == "__main__":
    main()
