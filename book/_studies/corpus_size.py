"""Perplexity against the length of the training text: counting, RNN, GRU, LSTM, and mixtures.

Run by `make study`. Trains on the first so many characters of the training part of *Tiny
Shakespeare* and writes d2lhelpers/measurements/corpus_size.json, which the LSTM chapter shows:
about two hours on one core. A run that is there is not repeated: the study can be stopped and
goes on.

All choices (n of the counting, epochs and dropout of the networks) are made on one validation text.
The test text is the last tenth of the corpus. Dropout is chosen with the first seed.
"""

import json
import math
import time
from dataclasses import replace

import torch
from record import MEASUREMENTS, machine, today, write
from torch import nn

from d2lhelpers.layers import WithDropout
from d2lhelpers.model import LanguageModel
from d2lhelpers.ngram import KneserNey
from d2lhelpers.text import Corpus, load_corpus
from d2lhelpers.training import TrainConfig, log_probabilities, train

NAME, CORPUS = "corpus_size", "tiny_shakespeare"
KINDS = {"RNN": nn.RNN, "GRU": nn.GRU, "LSTM": nn.LSTM}
INPUT, HIDDEN, RATE, VALIDATION = 64, 256, 4e-3, 20_000
# Length of the training text: passes, windows in a batch, steps in a window, dropouts, seeds.
PLAN: dict[int, tuple[int, int, int, tuple[float, ...], int]] = {
    10_000: (60, 32, 35, (0.2, 0.5), 5),
    30_000: (40, 32, 35, (0.2, 0.5), 5),
    100_000: (20, 32, 35, (0.2, 0.5), 5),
    300_000: (10, 32, 64, (0.1, 0.3), 3),
    892_000: (8, 64, 64, (0.1,), 3),
}
Row = dict[str, object]


def count(corpus: Corpus) -> tuple[Row, torch.Tensor]:
    """Return the row of counting, and its probability of each character of the test text."""
    start = time.process_time()
    model = KneserNey(corpus.training, 9, len(corpus.vocabulary))
    order = min(range(2, 10), key=lambda n: model.perplexity(corpus.validation, n))
    p = torch.from_numpy(model.probabilities(corpus.test, order))
    row: Row = {
        "length": len(corpus.training), "model": "counting", "seed": None, "order": order,
        "validation": math.log(model.perplexity(corpus.validation, order)),
        "test": -p.log().mean().item(), "mixed": None,
        "cpu_seconds": round(time.process_time() - start, 1),
    }  # fmt: skip
    return row, p


def learn(corpus: Corpus, kind: str, seed: int, dropout: float, counted: torch.Tensor) -> Row:
    """Train one network, keep its best epoch on the validation text, and judge it on the test."""
    length, V = len(corpus.training), len(corpus.vocabulary)
    passes, batch_size, num_steps, *_ = PLAN[length]
    config = TrainConfig(passes, batch_size, num_steps, RATE, seed=seed, keep_best=True)
    start = time.process_time()
    torch.manual_seed(seed)
    model = LanguageModel(WithDropout(KINDS[kind](INPUT, HIDDEN), dropout), V)
    history = train(model, corpus, config, show=False)
    log_p = log_probabilities(model, corpus.test, 8)
    mixed = (0.5 * log_p.exp() + 0.5 * counted[: len(log_p)]).log()
    best = min(history.validation)
    return {
        "length": length, "model": kind, "seed": seed, "dropout": dropout,
        "passes": 1 + history.validation.index(best), "validation": math.log(best),
        "test": -log_p.mean().item(), "mixed": -mixed.mean().item(),
        "cpu_seconds": round(time.process_time() - start, 1),
    }  # fmt: skip


def key(row: Row) -> tuple[object, ...]:
    """Return what tells a run from the others."""
    return row["length"], row["model"], row["seed"], row.get("dropout")


def main() -> None:
    """Make the runs that are missing, shortest and first seed first, writing after each."""
    torch.set_num_threads(1)
    corpus = load_corpus(CORPUS, letters_only=False)
    corpus = replace(corpus, validation=corpus.validation[:VALIDATION])
    path = MEASUREMENTS / f"{NAME}.json"
    results: list[Row] = json.loads(path.read_text("utf-8"))["results"] if path.exists() else []
    parameters = {
        name: sum(p.numel() for p in LanguageModel(kind(INPUT, HIDDEN), 65).parameters())
        for name, kind in KINDS.items()
    }
    for length, (*_, dropouts, seeds) in PLAN.items():
        for seed in range(seeds):
            part = replace(corpus, training=corpus.training[:length])
            row, counted = count(part)
            todo: list[tuple[str, float]] = []
            for kind in KINDS:
                tried = [
                    r for r in results if (r["length"], r["model"], r["seed"]) == (length, kind, 0)
                ]
                best = min(tried, key=lambda r: float(str(r["validation"])), default=None)
                chosen = dropouts if seed == 0 or best is None else (float(str(best["dropout"])),)
                todo += [(kind, dropout) for dropout in chosen]
            if key(row) not in map(key, results):
                results.append(row)
            for kind, dropout in todo:
                if (length, kind, seed, dropout) in map(key, results):
                    continue
                results.append(learn(part, kind, seed, dropout, counted))
                print(json.dumps(results[-1]), flush=True)
                write(NAME, {
                    "task": "nats a character on the last tenth of Tiny Shakespeare",
                    "command": "python book/_studies/corpus_size.py",
                    "date": today(), "machine": machine(),
                    "settings": {
                        "input": INPUT, "hidden": HIDDEN, "learning_rate": RATE,
                        "validation_characters": VALIDATION, "test_characters": len(corpus.test),
                        "parameters": parameters,
                        "plan": {str(n): list(plan) for n, plan in PLAN.items()},
                    },
                    "cpu_seconds": round(sum(float(str(r["cpu_seconds"])) for r in results)),
                    "results": results,
                })  # fmt: skip


if __name__ == "__main__":
    main()
