"""How many bits each letter of an unread text costs: the best LSTM of its chapter, and counting.

Run by `make study`, half a minute on one core. Writes d2lhelpers/measurements/surprise.json, which
the start page shows. Network and counting are those of the LSTM chapter's verdict, the network from
the first seed; both have learned from the training part of the story and were chosen on its
validation part. The letters are the first ones of its test part.
"""

import math
import time

import torch
from record import machine, today, write
from torch import nn

from d2lhelpers.model import LanguageModel
from d2lhelpers.ngram import KneserNey
from d2lhelpers.text import load_corpus
from d2lhelpers.training import TrainConfig, log_probabilities, train

NAME, SHOWN = "surprise", 400
INPUT, HIDDEN, SEED = 64, 256, 0
CONFIG = TrainConfig(epochs=8, learning_rate=0.01, keep_best=True, seed=SEED)
ORDERS = range(2, 9)


def main() -> None:
    """Train the network, count, and write both models' costs of the first letters."""
    torch.set_num_threads(1)
    start, corpus = time.process_time(), load_corpus("story")
    counts = KneserNey(corpus.training, max(ORDERS), len(corpus.vocabulary))
    order = min(ORDERS, key=lambda n: counts.perplexity(corpus.validation, n))
    counted = -torch.from_numpy(counts.probabilities(corpus.test, order)).log2()
    torch.manual_seed(SEED)
    model = LanguageModel(nn.LSTM(INPUT, HIDDEN), len(corpus.vocabulary))
    history = train(model, corpus, CONFIG, show=False)
    learned = -log_probabilities(model, corpus.test) / math.log(2)
    symbols = corpus.vocabulary.decode(corpus.test)[1:]  # the first one has nothing before it
    rows = zip(symbols, learned.tolist(), counted.tolist(), strict=True)
    write(NAME, {
        "task": "bits that each symbol of the test part of the story costs",
        "command": "python book/_studies/surprise.py",
        "date": today(), "machine": machine(),
        "settings": {
            "layer": "nn.LSTM", "input": INPUT, "hidden": HIDDEN, "seed": SEED,
            "epochs": CONFIG.epochs, "learning_rate": CONFIG.learning_rate, "order": order,
        },
        "validation": round(min(history.validation), 4),
        "network": round(2 ** learned.mean().item(), 4),
        "counting": round(2 ** counted.mean().item(), 4),
        "cpu_seconds": round(time.process_time() - start),
        "results": [
            {"symbol": symbol, "network": round(ours, 2), "counting": round(theirs, 2)}
            for symbol, ours, theirs in list(rows)[:SHOWN]
        ],
    })  # fmt: skip


if __name__ == "__main__":
    main()
