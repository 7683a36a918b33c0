"""Learning curves of the chapters' networks from several sets of initial weights.

Run by `make study`. Trains nine networks, about three minutes on one core, and writes
d2lhelpers/measurements/curves.json, against which `check.training` holds a reader's run. A run that
is there is not repeated: the study can be stopped and goes on.
"""

import json
import time

import torch
from record import MEASUREMENTS, machine, today, write
from torch import nn

from d2lhelpers.layers import GRU, LSTM, RNN
from d2lhelpers.model import LanguageModel
from d2lhelpers.ngram import KneserNey
from d2lhelpers.text import load_corpus
from d2lhelpers.training import TrainConfig, train

NAME, SEEDS, ORDERS = "curves", range(3), range(1, 9)
# As in the chapters: the layer, its units, the settings.
RUNS: dict[str, tuple[type[nn.Module], int, TrainConfig]] = {
    "lstm story": (LSTM, 128, TrainConfig(epochs=4, learning_rate=0.01)),
    "rnn story": (RNN, 256, TrainConfig(epochs=10, learning_rate=0.004)),
    "gru story": (GRU, 256, TrainConfig(epochs=6, learning_rate=0.008)),
}
INPUT = 64


def run(name: str, seed: int) -> dict[str, object]:
    """Train one network on the story: the perplexities after each epoch."""
    kind, units, config = RUNS[name]
    corpus = load_corpus("story")
    torch.manual_seed(seed)
    model = LanguageModel(kind(INPUT, units), len(corpus.vocabulary))
    start = time.process_time()
    history = train(model, corpus, config, show=False)
    return {
        "setting": name, "seed": seed,
        "training": [round(value, 4) for value in history.training],
        "validation": [round(value, 4) for value in history.validation],
        "cpu_seconds": round(time.process_time() - start, 1),
    }  # fmt: skip


def counting() -> dict[str, list[float]]:
    """Return what counting reaches on the validation part, by the order n from 1."""
    corpus = load_corpus("story")
    model = KneserNey(corpus.training, max(ORDERS), len(corpus.vocabulary))
    return {"validation": [round(model.perplexity(corpus.validation, n), 4) for n in ORDERS]}


def main() -> None:
    path = MEASUREMENTS / f"{NAME}.json"
    results = json.loads(path.read_text("utf-8"))["results"] if path.exists() else []
    done = {(row["setting"], row["seed"]) for row in results}
    for name in RUNS:
        for seed in SEEDS:
            if (name, seed) in done:
                continue
            results.append(run(name, seed))
            print(results[-1], flush=True)
            write(NAME, {
                "task": "perplexity on the story, epoch by epoch, as the chapters train",
                "command": f"python book/_studies/{NAME}.py", "date": today(),
                "machine": machine(),
                "settings": {
                    key: {
                        "layer": kind.__name__, "input": INPUT, "units": units,
                        "epochs": config.epochs, "learning_rate": config.learning_rate,
                        "batch_size": config.batch_size, "num_steps": config.num_steps,
                    }
                    for key, (kind, units, config) in RUNS.items()
                },
                "counting": counting(),
                "cpu_seconds": round(sum(row["cpu_seconds"] for row in results)),
                "results": results,
            })  # fmt: skip


if __name__ == "__main__":
    main()
