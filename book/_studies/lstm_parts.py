"""LSTMs without one of their parts; the bias of the forget gate; a larger LSTM, and dropout.

Run by `make study`. Trains 65 networks, about ten minutes on one core, and writes
d2lhelpers/measurements/lstm_parts.json, which the LSTM chapter shows. A run that is there is not
repeated: the study can be stopped and goes on.
"""

import json
import math
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from record import MEASUREMENTS, machine, today, write
from torch import Tensor, nn

from d2lhelpers.layers import LSTM, WithDropout
from d2lhelpers.model import LanguageModel
from d2lhelpers.ngram import KneserNey
from d2lhelpers.tasks import ADDING_CHANCE, Adder, adding_problem, task_loss, train_on_task
from d2lhelpers.text import load_corpus
from d2lhelpers.training import TrainConfig, log_probabilities, perplexity, train

NAME, SEEDS, ADDING_SEEDS = "lstm_parts", range(5), range(10)
INPUT, HIDDEN = 32, 64
CONFIG = TrainConfig(epochs=4, learning_rate=0.01, keep_best=True)
LARGER, LONGER = 256, 8
LENGTH, STEPS, BATCH = 30, 500, 64
Gates = tuple[Tensor, Tensor, Tensor]
Row = dict[str, object]

CHANGES: dict[str, Callable[[Tensor, Tensor, Tensor], Gates]] = {
    "all gates": lambda i, f, o: (i, f, o),
    "b_f = 1": lambda i, f, o: (i, f, o),
    "I = 1": lambda i, f, o: (torch.ones_like(i), f, o),
    "F = 1": lambda i, f, o: (i, torch.ones_like(f), o),
    "O = 1": lambda i, f, o: (i, f, torch.ones_like(o)),
    "I = 1 - F": lambda i, f, o: (1 - f, f, o),
    "H = O C": lambda i, f, o: (i, f, o),
}


class Gated(LSTM):
    """An LSTM whose gates go through a function, and whose output activation may be left out."""

    def __init__(self, name: str):
        super().__init__(INPUT, HIDDEN)
        self.name = name
        if name == "b_f = 1":
            with torch.no_grad():
                self.b[1] += 1

    def gates(self, i: Tensor, f: Tensor, o: Tensor) -> Gates:
        return CHANGES[self.name](*super().gates(i, f, o))

    def forward(
        self, inputs: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        if self.name != "H = O C":
            return super().forward(inputs, state)
        zeros = inputs.new_zeros(inputs.shape[1], HIDDEN)
        H, C = (zeros, zeros) if state is None else state
        outputs = []
        for XW in inputs @ self.W_x + self.b.flatten():
            i, f, c, o = (XW + H @ self.W_h).chunk(4, dim=1)
            I_t, F_t, O_t = self.gates(i, f, o)
            C = F_t * C + I_t * torch.tanh(c)
            H = O_t * C
            outputs.append(H)
        return torch.stack(outputs), (H, C)


def on_text(name: str, seed: int) -> Row:
    """Train a language model on the story; perplexities, None where they are not finite."""
    corpus = load_corpus("story")
    torch.manual_seed(seed)
    model = LanguageModel(Gated(name), len(corpus.vocabulary))
    start, test = time.process_time(), math.nan
    try:
        epochs = train(model, corpus, CONFIG, show=False).validation
        test = perplexity(model, corpus.test)
    except FloatingPointError:
        epochs = []
    return {
        "task": "story", "change": name, "seed": seed,
        "validation": [value if value < 1e6 else None for value in epochs],
        "test": test if test < 1e6 else None,
        "cpu_seconds": round(time.process_time() - start, 1),
    }  # fmt: skip


def larger(dropout: float, seed: int) -> Row:
    """Train the chapter's larger LSTM; perplexities, also of its half-and-half mixture."""
    corpus = load_corpus("story")
    V = len(corpus.vocabulary)
    counting = KneserNey(corpus.training, 8, V)
    order = min(range(2, 9), key=lambda n: counting.perplexity(corpus.validation, n))
    torch.manual_seed(seed)
    model = LanguageModel(WithDropout(nn.LSTM(64, LARGER), dropout), V)
    start = time.process_time()
    epochs = train(model, corpus, replace(CONFIG, epochs=LONGER), show=False).validation
    p = log_probabilities(model, corpus.test).exp()
    mixed = 0.5 * p + 0.5 * torch.from_numpy(counting.probabilities(corpus.test, order))
    return {
        "task": "larger", "change": f"dropout {dropout}", "seed": seed, "validation": epochs,
        "test": math.exp(-p.log().mean().item()), "mixed": math.exp(-mixed.log().mean().item()),
        "cpu_seconds": round(time.process_time() - start, 1),
    }  # fmt: skip


def on_adding(bias: float, seed: int) -> Row:
    """Train on the adding problem with this forget bias; squared error in units of chance."""
    torch.manual_seed(seed)
    layer = nn.LSTM(2, 32)
    with torch.no_grad():
        for part, value in ((layer.bias_ih_l0, bias), (layer.bias_hh_l0, 0.0)):
            part[32:64] = value  # the second of four blocks
    model, start = Adder(layer), time.process_time()
    train_on_task(
        model, lambda g: adding_problem(BATCH, LENGTH, g), STEPS, learning_rate=0.01, seed=seed
    )
    with torch.no_grad():
        test = torch.Generator().manual_seed(1000)
        error = task_loss(model, *adding_problem(2000, LENGTH, test)).item()
    return {
        "task": "adding", "change": f"b_f = {bias:.0f}", "seed": seed,
        "relative_error": error / ADDING_CHANCE,
        "cpu_seconds": round(time.process_time() - start, 1),
    }  # fmt: skip


def main() -> None:
    """Make the runs that are missing, first seed first, writing after each."""
    torch.set_num_threads(1)
    path = MEASUREMENTS / f"{NAME}.json"
    results: list[Row] = json.loads(path.read_text("utf-8"))["results"] if path.exists() else []
    done = {(row["task"], row["change"], row["seed"]) for row in results}
    jobs: list[tuple[str, str, int, Callable[[], Row]]] = []
    for seed in ADDING_SEEDS:
        for bias in (0.0, 1.0):
            jobs.append(("adding", f"b_f = {bias:.0f}", seed, partial(on_adding, bias, seed)))
    for seed in SEEDS:
        for name in CHANGES:
            jobs.append(("story", name, seed, partial(on_text, name, seed)))
        jobs.append(("larger", "dropout 0.0", seed, partial(larger, 0.0, seed)))
    for seed in SEEDS:
        jobs.append(("larger", "dropout 0.2", seed, partial(larger, 0.2, seed)))
    for task, name, seed, job in jobs:
        if (task, name, seed) in done:
            continue
        results.append(job())
        print(json.dumps(results[-1]), flush=True)
        write(NAME, {
            "task": "LSTM with one part changed: perplexity on the story; adding problem",
            "command": "python book/_studies/lstm_parts.py",
            "date": today(), "machine": machine(),
            "settings": {
                "input": INPUT, "hidden": HIDDEN, "epochs": CONFIG.epochs, "larger_hidden": LARGER,
                "larger_epochs": LONGER,
                "batch_size": CONFIG.batch_size, "learning_rate": CONFIG.learning_rate,
                "adding_length": LENGTH, "adding_steps": STEPS, "adding_hidden": 32,
            },
            "cpu_seconds": round(sum(float(str(r["cpu_seconds"])) for r in results)),
            "results": results,
        })  # fmt: skip


if __name__ == "__main__":
    main()
