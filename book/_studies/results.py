"""How good: counting and the course's networks on three public texts, beside published figures.

Run by `make results`, hours on one core; `make results ONLY="time_machine GRU 0"` makes one row. It
writes d2lhelpers/measurements/results.json, which book/results.md shows, after each run. A run that
is there is not repeated: the study can be stopped and goes on.

Every text is cut as `load_corpus` does. What is chosen (n of the counting, and of a network its
dropout and rate) is chosen on the validation part; the runs of part "choice" are some of those that
led there. For the verdict a model with the settings chosen is trained anew, on the training and the
validation part, for as many passes as the recipe says, and only then reads the test part: the last
tenth of *The Time Machine* and of *Tiny Shakespeare*, the latter nanoGPT's split.

Networks learn from the text and from counting: the target of a step is not the next symbol alone,
but a mean of that and of what Kneser-Ney smoothing expects there (Hinton, Vinyals & Dean 2015).
What is expected in a tenth of the text is counted in the other nine, so that it is as uncertain as
it will be of a text that is new (Wolpert 1992).

Counting and a network together are judged in two ways: the mean of their probabilities, and the
product of their powers.

Two scorings: "windows" cuts the test part into windows of 256 symbols side by side and reads each
from a zero state, as nanoGPT does with windows drawn at random; "carried" reads it from start to
end in one stream, the first symbol apart, with the state carried on.
"""

import argparse
import itertools
import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from record import MEASUREMENTS, machine, today, write
from torch import Tensor, nn

from d2lhelpers.batches import random_batches
from d2lhelpers.layers import GRU, RNN, DeepRNN, WithDropout
from d2lhelpers.model import LanguageModel, detach, mode
from d2lhelpers.ngram import KneserNey
from d2lhelpers.text import Corpus, load_corpus
from d2lhelpers.training import TrainConfig, clip_gradients, train

NAME = "results"
COMMAND = "python book/_studies/results.py"
KEPT = MEASUREMENTS.parents[1] / "_build" / "results"  # networks, as they are after each pass
# The LSTM is PyTorch's, the same function as ours, whose steps are one compiled function.
LAYERS: dict[str, type[nn.Module]] = {"RNN": RNN, "GRU": GRU, "LSTM": nn.LSTM}
SEEDS, ORDERS, WINDOW = range(3), range(2, 11), 256
# All networks: the embedding's size. A batch is so many stretches of the text side by side, from
# random places, read in windows of so many steps with the state carried from one to the next.
INPUT, STRETCH, STEPS = 64, 512, 64
WARM_UP, CLIP, BETAS = 100, 1.0, (0.9, 0.99)
FOLDS = 10
Row = dict[str, object]
Say = Callable[[int, float], None]


@dataclass(frozen=True)
class Recipe:
    """A network and how it is trained: by AdamW, its rate warmed up, then down along a cosine."""

    layer: str
    units: int
    passes: int
    dropout: float
    learning_rate: float
    batch_size: int = 32
    weight_decay: float = 0.05
    depth: int = 1
    taught: float = 0.0  # the part of a step's target that is what counting expects


def kinds(gru: Recipe) -> dict[str, Recipe]:
    """Return the recipes of all networks of a text; those with gates have as many weights."""
    return {
        "GRU": gru,
        "LSTM": replace(gru, layer="LSTM", units=int(0.86 * gru.units)),
        "RNN": replace(gru, layer="RNN", learning_rate=1e-3),
        "deep GRU": replace(gru, units=int(0.61 * gru.units), depth=2),
    }


SMALL = Recipe("GRU", 600, passes=30, dropout=0.4, learning_rate=3e-3, batch_size=16, taught=0.4)
LARGE = Recipe("GRU", 512, passes=22, dropout=0.2, learning_rate=3e-3, taught=0.5)
RECIPES: dict[str, dict[str, Recipe]] = {
    "time_machine": kinds(SMALL),
    "tiny_shakespeare": kinds(LARGE),
    "story": kinds(replace(SMALL, passes=20)),
}
# What is judged on the validation part: smaller networks or fewer passes, taught and not.
TRIAL = replace(SMALL, units=400, dropout=0.3)
TRIALS: dict[str, dict[str, Recipe]] = {
    "time_machine": {
        "untaught": replace(TRIAL, taught=0.0),
        "untaught, more dropout": replace(TRIAL, taught=0.0, dropout=0.5),
        "taught": TRIAL,
        "taught, more units": SMALL,
    },
    "tiny_shakespeare": {
        "untaught": replace(LARGE, passes=4, taught=0.0),
        "taught": replace(LARGE, passes=4),
    },
}
# The trial on whose validation part the exponents of the products with counting are fitted.
MIXER = "time_machine", "taught, more units"
# The Chinese edition of Dive into Deep Learning prints the perplexity of the text learned.
MEMORISED, FOLLOWING = 10_000, 2_000
LIKE_D2L = Recipe("GRU", 256, passes=500, dropout=0.0, learning_rate=1.0, weight_decay=0.0)
# Its edition 1.0 learns the windows that begin at each of the first characters, judges those that
# begin at each of the next, all from a zero state, and plots the perplexity.
WINDOWS, WINDOW_STEPS = [10_000, 5_000], 32
PLAIN = Recipe("GRU", 32, 50, dropout=0.0, learning_rate=4.0, batch_size=1024, weight_decay=0.0)
OVERLAPPING = {
    "GRU": PLAIN,
    "LSTM": replace(PLAIN, layer="LSTM"),
    "RNN": replace(PLAIN, layer="RNN", passes=100, learning_rate=1.0),
}
NANOGPT = "https://github.com/karpathy/nanoGPT"
MINIMAL = "https://arxiv.org/abs/2410.01201"
PUBLISHED: list[dict[str, object]] = [
    {
        "corpus": "time_machine", "model": "GRU", "perplexity": 1.1,
        "settings": "first 10,000 characters, 256 units, 500 passes",
        "source": "https://zh.d2l.ai/chapter_recurrent-modern/gru.html",
    },
    *(
        {
            "corpus": "time_machine", "model": model, "following": perplexity,
            "settings": "10,000 windows of 32, 32 units; read off a curve",
            "source": f"https://d2l.ai/chapter_recurrent-{page}.html",
        }
        for model, perplexity, page in (
            ("RNN", 7.2, "neural-networks/rnn-scratch"), ("GRU", 6.6, "modern/gru"),
            ("LSTM", 6.7, "modern/lstm"),
        )
    ),
    {
        "corpus": "tiny_shakespeare", "model": "nanoGPT, 6 layers", "nats": 1.4697,
        "settings": "context 256, 3 minutes of an A100",
        "source": NANOGPT,
    },
    {
        "corpus": "tiny_shakespeare", "model": "nanoGPT, 4 layers", "nats": 1.88,
        "settings": "context 64, 3 minutes of a laptop's CPU", "source": NANOGPT,
    },
    *(
        {
            "corpus": "tiny_shakespeare", "model": model, "nats": nats,
            "settings": f"3 layers, 384 wide, best near step {step}",
            "source": MINIMAL,
        }
        for model, nats, step in (
            ("minGRU", 1.548, "575"), ("minLSTM", 1.555, "625"), ("Mamba", 1.575, "400"),
            ("Transformer", 1.547, "2,000"),
        )
    ),
]  # fmt: skip


@cache
def corpus_of(name: str) -> Corpus:
    """Return a text: all 65 characters of the plays, of the others 27 symbols."""
    return load_corpus(name, letters_only=name != "tiny_shakespeare")


def parts(name: str, part: str) -> tuple[Tensor, Tensor]:
    """Return what is trained on and what is judged on, for a choice or for the verdict."""
    corpus = corpus_of(name)
    if part == "choice":
        return corpus.training, corpus.validation
    return torch.cat([corpus.training, corpus.validation]), corpus.test


def network(recipe: Recipe, tokens: Tensor, vocab_size: int) -> LanguageModel:
    """Return the network, its output bias the logarithm of each symbol's share of a text."""
    units = recipe.units
    sizes = [INPUT] + recipe.depth * [units]
    layers = [LAYERS[recipe.layer](D, units) for D in sizes[:-1]]
    layer = layers[0] if recipe.depth == 1 else DeepRNN(layers, recipe.dropout)
    model = LanguageModel(WithDropout(layer, recipe.dropout), vocab_size)
    counts = tokens.bincount(minlength=vocab_size) + 0.5
    with torch.no_grad():
        model.output.bias.copy_((counts / counts.sum()).log())
    return model


def half_precision(device: torch.device) -> bool:
    """Tell whether the device multiplies bfloat16 numbers itself; the rest stays float32."""
    if device.type == "cpu":
        return bool(torch.cpu._is_avx512_bf16_supported())
    return device.type == "cuda" and torch.cuda.is_bf16_supported()


@cache
def best_order(name: str) -> int:
    """Return the n of the n-grams that predict a text's validation part best."""
    corpus = corpus_of(name)
    model = KneserNey(corpus.training, max(ORDERS), len(corpus.vocabulary))
    return min(ORDERS, key=lambda n: model.perplexity(corpus.validation, n))


def expected_by_counting(tokens: Tensor, order: int, vocab_size: int) -> Tensor:
    """Return p(w | the symbols before) for each token but the first, (N - 1, V), bfloat16.

    That of each tenth of the text is counted in the other nine.
    """
    cuts = np.linspace(1, len(tokens), FOLDS + 1).astype(int).tolist()
    expected = torch.empty(len(tokens) - 1, vocab_size, dtype=torch.bfloat16)
    for start, end in itertools.pairwise(cuts):
        others = KneserNey(torch.cat([tokens[:start], tokens[end:]]), order, vocab_size)
        begin = max(0, start - order)  # as much as the longest context needs
        p = others.distributions(tokens[begin:end])[start - end :]
        expected[start - 1 : end - 1] = torch.from_numpy(p)
    return expected


def steps_a_pass(tokens: Tensor, batch_size: int) -> int:
    """Return the number of updates of a pass at most, the last, smaller batch left out."""
    return len(tokens) // (batch_size * STRETCH) * (STRETCH // STEPS)


def train_pass(
    model: LanguageModel,
    tokens: Tensor,
    expected: Tensor | None,
    recipe: Recipe,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
) -> float:
    """Read the text once; return the mean cross-entropy of its symbols, in nats."""
    losses, device = [], tokens.device
    positions = torch.arange(len(tokens))
    for X, Y in random_batches(positions, recipe.batch_size, STRETCH, generator):
        if X.shape[1] < recipe.batch_size:
            continue
        state = None
        for x, y in zip(X.split(STEPS), Y.split(STEPS), strict=True):  # (T, B) each
            with torch.autocast(device.type, torch.bfloat16, enabled=half_precision(device)):
                logits, state = model(tokens[x], detach(state))
            log_p = logits.float().log_softmax(-1)  # (T, B, V)
            target = F.one_hot(tokens[y], log_p.shape[-1]).float()
            losses.append(-(target * log_p).sum(-1).mean().item())
            if expected is not None:
                target.lerp_(expected[y - 1].float(), recipe.taught)
            optimizer.zero_grad()
            (-(target * log_p).sum(-1).mean()).backward()
            clip_gradients(model.parameters(), CLIP)
            optimizer.step()
    return sum(losses) / len(losses)


def fit(
    model: LanguageModel,
    tokens: Tensor,
    recipe: Recipe,
    order: int,
    seed: int,
    kept: Path,
    say: Say,
) -> tuple[float, float, float]:
    """Train a network, taught by n-grams of an order, telling pass and loss after each.

    After each pass all that the next one depends on is written to `kept`, from where a run that
    was stopped goes on. Returns the loss of the last pass in nats, CPU seconds and seconds.
    """
    decayed = [p for name, p in model.named_parameters() if "W_" in name or "weight" in name]
    ids = {id(p) for p in decayed}
    groups = [
        {"params": decayed, "weight_decay": recipe.weight_decay},
        {"params": [p for p in model.parameters() if id(p) not in ids], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, recipe.learning_rate, BETAS)
    last = recipe.passes * steps_a_pass(tokens, recipe.batch_size)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda k: min((k + 1) / WARM_UP, 1.0) * (1 + math.cos(math.pi * min(k / last, 1.0))) / 2,
    )
    optimizer.register_step_post_hook(lambda *_: schedule.step())
    device, generator = tokens.device, torch.Generator().manual_seed(seed)
    parts = {"model": model, "optimizer": optimizer, "schedule": schedule}
    first, mean = 1, math.nan
    before = time.process_time(), time.perf_counter()
    expected = None
    if recipe.taught:
        V = model.output.out_features
        expected = expected_by_counting(tokens.cpu(), order, V).to(device)
    cpu, wall = time.process_time() - before[0], time.perf_counter() - before[1]
    if kept.exists():
        state = torch.load(kept, weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(state[name])
        generator.set_state(state["generator"])
        torch.set_rng_state(state["dropout"])
        first, mean, cpu, wall = state["next"]
    for number in range(first, recipe.passes + 1):
        before = time.process_time(), time.perf_counter()
        with mode(model, training=True):
            mean = train_pass(model, tokens, expected, recipe, optimizer, generator)
        cpu += time.process_time() - before[0]
        wall += time.perf_counter() - before[1]
        kept.parent.mkdir(parents=True, exist_ok=True)
        state = {name: part.state_dict() for name, part in parts.items()}
        state |= {"generator": generator.get_state(), "dropout": torch.get_rng_state()}
        torch.save(state | {"next": (number + 1, mean, cpu, wall)}, f"{kept}.part")
        Path(f"{kept}.part").replace(kept)
        say(number, mean)
    return mean, cpu, wall


@torch.no_grad()
def by_windows(model: LanguageModel, tokens: Tensor) -> float:
    """Return the nats a symbol of windows side by side, each read from a zero state."""
    count = (len(tokens) - 1) // WINDOW
    X = tokens[: count * WINDOW].view(count, WINDOW).T
    Y = tokens[1 : count * WINDOW + 1].view(count, WINDOW).T
    total = 0.0
    with mode(model, training=False):
        for x, y in zip(X.split(64, 1), Y.split(64, 1), strict=True):
            logits, _ = model(x)
            total += F.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="sum").item()
    return total / (count * WINDOW)


@torch.no_grad()
def carried(model: LanguageModel, tokens: Tensor) -> Tensor:
    """Return log p of all symbols at each step, (N - 1, V), the state carried from end to end."""
    parts, state = [], None
    with mode(model, training=False):
        for x in tokens[:-1, None].split(4096):
            logits, state = model(x, state)
            parts.append(logits[:, 0].cpu().double().log_softmax(-1))
    return torch.cat(parts)


def counted(name: str, part: str) -> Tensor:
    """Return log p of all symbols at each step of what is judged, (N - 1, V), by counting."""
    tokens, judged = parts(name, part)
    model = KneserNey(tokens, best_order(name), len(corpus_of(name).vocabulary))
    return torch.from_numpy(np.asarray(model.distributions(judged), dtype=float)).log()


def product(network: Tensor, counting: Tensor, exponents: Tensor) -> Tensor:
    """Return log p of both together, the product of their powers (Hinton 2002), (N - 1, V).

    The two exponents of a step are linear in the entropies of the two: (3, 2).
    """
    both = torch.stack([network, counting], -1)  # (N - 1, V, 2)
    entropy = -(both.exp() * both).sum(1)  # (N - 1, 2)
    powers = torch.cat([torch.ones_like(entropy[:, :1]), entropy], 1) @ exponents
    return (both * powers[:, None]).sum(-1).log_softmax(-1)


def of_symbols(log_p: Tensor, tokens: Tensor) -> Tensor:
    """Return log p of the symbols that came, (N - 1,)."""
    return log_p.gather(1, tokens[1:, None].cpu())[:, 0]


def fit_exponents(network: Tensor, counting: Tensor, tokens: Tensor) -> Tensor:
    """Return the exponents, (3, 2), with which both together predict a text best."""
    exponents = torch.zeros(3, 2, dtype=torch.double)
    exponents[0] = 0.5  # the geometric mean
    exponents.requires_grad_()
    optimizer = torch.optim.LBFGS([exponents], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        nats = -of_symbols(product(network, counting, exponents), tokens).mean()
        nats.backward()
        return nats

    optimizer.step(loss)
    return exponents.detach()


def count(name: str) -> Row:
    """Count, and judge on the test part."""
    start = time.process_time()
    order, V = best_order(name), len(corpus_of(name).vocabulary)
    tokens, test = parts(name, "verdict")
    model = KneserNey(tokens, order, V)
    windows = [
        torch.from_numpy(model.probabilities(test[i : i + WINDOW + 1])).log()
        for i in range(0, len(test) - WINDOW, WINDOW)
    ]
    return {
        "part": "verdict", "corpus": name, "model": "counting", "seed": None, "order": order,
        "windows": round(-torch.cat(windows).mean().item(), 4),
        "carried": round(math.log(model.perplexity(test)), 4),
        "cpu_seconds": round(time.process_time() - start, 1),
    }  # fmt: skip


def run(
    part: str, name: str, model_name: str, recipe: Recipe, seed: int, device: torch.device, say: Say
) -> Row:
    """Train one network and judge it."""
    if part == "memorised":
        return memorise(recipe, seed, say)
    if part == "overlapping":
        return overlap(recipe, seed, say)
    tokens, judged = (tensor.to(device) for tensor in parts(name, part))
    V = len(corpus_of(name).vocabulary)
    torch.manual_seed(seed)
    model = network(recipe, tokens.cpu(), V).to(device)
    label = "-".join(
        map(str, (part, name, model_name, seed, device.type, *asdict(recipe).values()))
    )
    order = best_order(name)
    loss, cpu, wall = fit(model, tokens, recipe, order, seed, KEPT / f"{label}.pt", say)
    log_p = carried(model, judged)
    nats = -of_symbols(log_p, judged).mean()
    row: Row = {
        "part": part, "corpus": name, "model": model_name, "seed": seed, **asdict(recipe),
        "parameters": sum(p.numel() for p in model.parameters()),
        "training": round(loss, 4), "windows": round(by_windows(model, judged), 4),
        "carried": round(nats.item(), 4), "device": device_name(device),
        "products": "bfloat16" if half_precision(device) else "float32",
        "threads": torch.get_num_threads(), "cpu_seconds": round(cpu, 1), "seconds": round(wall, 1),
    }  # fmt: skip
    if part == "verdict" or (name, model_name) == MIXER:
        row |= with_counting(log_p, counted(name, part), judged, part)
    return row


def with_counting(network: Tensor, counting: Tensor, judged: Tensor, part: str) -> Row:
    """Return the nats of the two together: the mean of their probabilities, and the product."""
    mean = ((network.exp() + counting.exp()) / 2).log()
    if part == "choice":
        exponents = fit_exponents(network, counting, judged)
    else:
        row = mixer()
        assert row is not None, "main makes it first"
        exponents = torch.tensor(row["exponents"], dtype=torch.double)
    both = product(network, counting, exponents)
    row: Row = {
        "mixed": round(-of_symbols(mean, judged).mean().item(), 4),
        "product": round(-of_symbols(both, judged).mean().item(), 4),
    }
    return row | {"exponents": exponents.tolist()} if part == "choice" else row


def mixer() -> Row | None:
    """Return the row that has the exponents, if it is there."""
    rows = [r for r in load() if r["part"] == "choice" and (r["corpus"], r["model"]) == MIXER]
    return rows[0] if rows else None


def memorise(recipe: Recipe, seed: int, say: Say) -> Row:
    """Learn the first characters of *The Time Machine* by heart; judge on them, and what follows.

    This is how d2l trains: SGD, windows of 35 with the state carried on. `train` lets the rate fall
    along a cosine, where d2l keeps it.
    """
    corpus = corpus_of("time_machine")
    text = torch.cat([corpus.training, corpus.validation, corpus.test])
    learned, following = text.split([MEMORISED, len(text) - MEMORISED])
    corpus = replace(corpus, training=learned, validation=following[:FOLLOWING])
    config = TrainConfig(
        recipe.passes, recipe.batch_size, 35, recipe.learning_rate, optimizer="sgd", seed=seed
    )
    torch.manual_seed(seed)
    model = LanguageModel(LAYERS[recipe.layer](INPUT, recipe.units), len(corpus.vocabulary))
    cpu, wall = time.process_time(), time.perf_counter()
    history = train(model, corpus, config, show=False)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    say(recipe.passes, math.log(history.training[-1]))
    counting = KneserNey(learned, 5, len(corpus.vocabulary))
    return {
        "part": "memorised", "corpus": "time_machine", "model": recipe.layer, "seed": seed,
        **asdict(recipe), "parameters": sum(p.numel() for p in model.parameters()),
        "training": round(math.log(history.training[-1]), 4),
        "carried": round(math.log(history.validation[-1]), 4),
        "lowest": round(math.log(min(history.validation)), 4),
        "counting": round(math.log(counting.perplexity(corpus.validation)), 4),
        "device": "CPU", "products": "float32", "threads": torch.get_num_threads(),
        "cpu_seconds": round(cpu, 1), "seconds": round(wall, 1),
    }  # fmt: skip


def overlap(recipe: Recipe, seed: int, say: Say) -> Row:
    """Learn and judge windows of *The Time Machine* as edition 1.0 of d2l does, on one-hot rows."""
    corpus = corpus_of("time_machine")
    text, V = torch.cat([corpus.training, corpus.validation, corpus.test]), len(corpus.vocabulary)
    windows = text.unfold(0, WINDOW_STEPS + 1, 1)  # (N, 33)
    learned, judged = windows[: sum(WINDOWS)].split(WINDOWS)
    torch.manual_seed(seed)
    model = LanguageModel(LAYERS[recipe.layer](V, recipe.units), V)
    model.embedding = nn.Embedding.from_pretrained(torch.eye(V))
    weights = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(weights, lr=recipe.learning_rate)

    def loss_of(some: Tensor) -> Tensor:
        x, y = some[:, :-1].T, some[:, 1:].T
        return F.cross_entropy(model(x)[0].flatten(0, 1), y.flatten())

    cpu, wall = time.process_time(), time.perf_counter()
    for done in range(1, recipe.passes + 1):
        for rows in torch.randperm(len(learned)).split(recipe.batch_size):
            loss = loss_of(learned[rows])
            optimizer.zero_grad()
            loss.backward()
            clip_gradients(weights, CLIP)
            optimizer.step()
        say(done, loss.item())
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    counting = KneserNey(text[: WINDOWS[0] + WINDOW_STEPS], 5, V)
    p = np.concatenate([counting.probabilities(window) for window in judged])
    with mode(model, training=False):
        nats = {
            name: loss_of(some).item()
            for name, some in (("training", learned), ("windows", judged))
        }
    return {
        "part": "overlapping", "corpus": "time_machine", "model": recipe.layer, "seed": seed,
        **asdict(recipe), "parameters": sum(p.numel() for p in weights),
        **{name: round(value, 4) for name, value in nats.items()},
        "counting": round(-np.log(p).mean().item(), 4),
        "device": "CPU", "products": "float32", "threads": torch.get_num_threads(),
        "cpu_seconds": round(cpu, 1), "seconds": round(wall, 1),
    }  # fmt: skip


def device_name(device: torch.device) -> str:
    """Return "CPU", or the name of the GPU."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()


def plan() -> list[tuple[str, str, str, Recipe, int]]:
    """Return all runs, in the order in which they are made: choices first, then seed by seed."""
    runs = [
        ("choice", name, trial, recipe, 0)
        for name, recipes in TRIALS.items()
        for trial, recipe in recipes.items()
    ]
    runs += [
        ("verdict", name, model, RECIPES[name][model], seed)
        for seed in SEEDS
        for model in kinds(LARGE)
        for name in RECIPES
    ]
    runs += [
        ("overlapping", "time_machine", model, recipe, seed)
        for seed in SEEDS
        for model, recipe in OVERLAPPING.items()
    ]
    return [*runs, ("memorised", "time_machine", LIKE_D2L.layer, LIKE_D2L, 0)]


def work(name: str, part: str, recipe: Recipe) -> float:
    """Return a measure of a run's length: symbols read, by the weights of the states' products."""
    blocks = {"RNN": 1, "GRU": 3, "LSTM": 4}[recipe.layer]
    weights = blocks * recipe.units * (recipe.units + INPUT)
    weights += (recipe.depth - 1) * blocks * recipe.units * 2 * recipe.units
    lengths = {"memorised": MEMORISED, "overlapping": WINDOWS[0] * WINDOW_STEPS}
    length = lengths.get(part) or len(parts(name, part)[0])
    return recipe.passes * length * float(weights)


def known(row: Row) -> tuple[object, ...]:
    """Return what tells a run from the others."""
    return row["part"], row["corpus"], row["model"], row["seed"], row.get("device")


def same_settings(row: Row, recipe: Recipe) -> bool:
    """Tell whether a row was made with a recipe."""
    return all(row.get(key) == value for key, value in asdict(recipe).items())


def load() -> list[Row]:
    """Return the rows that are there."""
    path = MEASUREMENTS / f"{NAME}.json"
    return json.loads(path.read_text("utf-8"))["results"] if path.exists() else []


def save(results: list[Row]) -> None:
    """Write all rows, with what they depend on."""
    settings = {
        "input": INPUT, "stretch": STRETCH, "num_steps": STEPS,
        "warm_up": WARM_UP, "clip_norm": CLIP, "betas": list(BETAS), "window": WINDOW,
        "folds": FOLDS, "seeds": len(SEEDS),
        "recipes": {
            name: {model: asdict(recipe) for model, recipe in recipes.items()}
            for name, recipes in RECIPES.items()
        },
        "trials": {
            name: {trial: asdict(recipe) for trial, recipe in recipes.items()}
            for name, recipes in TRIALS.items()
        },
        "characters": {
            name: {part: [len(t) for t in parts(name, part)] for part in ("choice", "verdict")}
            for name in RECIPES
        },
    }  # fmt: skip
    order = {(part, name, model, seed): i for i, (part, name, model, _, seed) in enumerate(plan())}
    results = sorted(results, key=lambda row: order.get(known(row)[:4], -1))
    write(NAME, {
        "task": "nats a symbol on the test parts of three texts", "command": COMMAND,
        "date": today(), "machine": machine(), "settings": settings,
        "published": PUBLISHED,
        "cpu_seconds": round(sum(float(str(row["cpu_seconds"])) for row in results)),
        "results": results,
    })  # fmt: skip


def clock(seconds: float) -> str:
    """Return a length of time as people say it."""
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def main() -> None:
    """Make the runs that are missing, writing after each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--only", default="", help='words of the rows, as "time_machine deep-GRU 0"'
    )
    parser.add_argument("--device", default="cpu", help="cpu, cuda or mps")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    if device.type == "cpu":
        torch.set_num_threads(1)
    results, words = load(), arguments.only.split()
    for name in RECIPES:
        if ("verdict", name, "counting", None) not in {known(row)[:4] for row in results}:
            results.append(count(name))
            print(json.dumps(results[-1]), flush=True)
    missing = []
    for part, name, model, recipe, seed in plan():
        key = part, name, model, seed, device_name(device)
        results = [r for r in results if known(r) != key or same_settings(r, recipe)]
        chosen = {part, name, model.replace(" ", "-"), str(seed)}.issuperset(words)
        if chosen and key not in set(map(known, results)):
            missing.append((part, name, model, recipe, seed))
    save(results)
    if mixer() is None and "verdict" in {part for part, *_ in missing}:
        mixing = ("choice", *MIXER, TRIALS[MIXER[0]][MIXER[1]], 0)
        missing = [mixing, *(run for run in missing if run != mixing)]
    if words and not missing:
        names = ", ".join(f"{p} {n} {m.replace(' ', '-')} {s}" for p, n, m, _, s in plan())
        sys.exit(f"nothing is missing that fits {arguments.only!r}; the rows are {names}")
    progress = Progress(sum(work(name, part, recipe) for part, name, _, recipe, _ in missing))
    for part, name, model, recipe, seed in missing:
        progress.begin(f"{part} {name} {model} {seed}", work(name, part, recipe), recipe.passes)
        results.append(run(part, name, model, recipe, seed, device, progress.say))
        print(json.dumps(results[-1]), flush=True)
        save(results)


class Progress:
    """Tells after each pass how long this row and all others will still take."""

    def __init__(self, left: float):
        self.left, self.done, self.start = left, 0.0, time.perf_counter()
        self.label, self.mine, self.passes = "", 0.0, 0

    def begin(self, label: str, mine: float, passes: int) -> None:
        """Begin a row of so much work in so many passes."""
        self.done += self.mine
        self.label, self.mine, self.passes = label, mine, passes

    def say(self, number: int, loss: float) -> None:
        """Print the loss of a pass, and the times left."""
        ready = self.done + self.mine * number / self.passes
        seconds = (time.perf_counter() - self.start) / ready
        row = clock(seconds * self.mine * (1 - number / self.passes))
        everything = clock(seconds * (self.left - ready))
        print(f"{self.label}: pass {number} of {self.passes}, loss {loss:.4f}, "
              f"{row} left of this row, {everything} of all", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
