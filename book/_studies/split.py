"""How much the choice of the test part matters: each tenth of the story in turn.

Run by `make study`, four minutes on one core. Writes d2lhelpers/measurements/split.json, which
the RNN chapter shows. Each tenth is once the test part; the tenth before it (for the first, the
last) is the validation part, and the other eight are trained on. Counting chooses its n on the
validation part. The network is the chapter's, with the chapter's settings; on the chapter's own
split it is trained from three sets of initial weights, with clipping and without.
"""

import time
from dataclasses import replace

import numpy as np
import torch
from record import machine, today, write
from torch import nn

from d2lhelpers.model import LanguageModel
from d2lhelpers.ngram import KneserNey
from d2lhelpers.text import LETTERS_AND_SPACE, Corpus, Vocabulary, load_text, simplify
from d2lhelpers.training import TrainConfig, log_probabilities, perplexity, train

NAME, FOLDS, OWN = "split", 10, 6  # the chapter's own test part is the seventh tenth
SEEDS, OWN_SEEDS = range(1), range(3)
INPUT, HIDDEN = 64, 256
CONFIG = TrainConfig(epochs=10, batch_size=32, num_steps=35, learning_rate=4e-3, clip_norm=1.0)
ORDERS = range(2, 9)
Row = dict[str, object]


def split(fold: int) -> Corpus:
    """Return the story with this tenth as its test part."""
    vocabulary = Vocabulary(LETTERS_AND_SPACE)
    parts = list(vocabulary.encode(simplify(load_text("story"))).chunk(FOLDS))
    before = (fold - 1) % FOLDS
    rest = [part for number, part in enumerate(parts) if number not in (fold, before)]
    return Corpus("story", vocabulary, torch.cat(rest), parts[before], parts[fold])


def learn(corpus: Corpus, seed: int, counted: torch.Tensor, config: TrainConfig = CONFIG) -> Row:
    """Train one network and judge it; `counted` is what counting gives each test symbol."""
    torch.manual_seed(seed)
    model = LanguageModel(nn.RNN(INPUT, HIDDEN), len(corpus.vocabulary))
    history = train(model, corpus, config, show=False)
    log_p = log_probabilities(model, corpus.test)
    mixed = (0.5 * log_p.exp() + 0.5 * counted).log()
    return {
        "seed": seed,
        "training": round(perplexity(model, corpus.training), 4),
        "validation": round(history.validation[-1], 4),
        "test": round(float((-log_p.mean()).exp()), 4),
        "mixed": round(float((-mixed.mean()).exp()), 4),
        "steps": len(history.gradient_norms),
        "steps_above_1": sum(norm > 1 for norm in history.gradient_norms),
    }


def main() -> None:
    """Run the whole study and write it down."""
    torch.set_num_threads(1)
    start, results = time.process_time(), []
    unclipped: list[Row] = []
    for fold in range(FOLDS):
        corpus = split(fold)
        counts = KneserNey(corpus.training, max(ORDERS), len(corpus.vocabulary))
        n = int(np.argmin([counts.perplexity(corpus.validation, n) for n in ORDERS])) + ORDERS[0]
        counted = torch.from_numpy(counts.probabilities(corpus.test, n))
        seeds = OWN_SEEDS if fold == OWN else SEEDS
        networks = [learn(corpus, seed, counted) for seed in seeds]
        if fold == OWN:
            config = replace(CONFIG, clip_norm=None)
            unclipped = [learn(corpus, seed, counted, config) for seed in seeds]
        counting = round(counts.perplexity(corpus.test, n), 4)
        results.append({"tenth": fold + 1, "n": n, "counting": counting, "networks": networks})
        print(results[-1], flush=True)
    write(NAME, {
        "task": "perplexity on each tenth of the story, trained on eight others",
        "command": "python book/_studies/split.py",
        "date": today(), "machine": machine(),
        "settings": {
            "layer": "nn.RNN", "input": INPUT, "hidden": HIDDEN, "epochs": CONFIG.epochs,
            "batch_size": CONFIG.batch_size, "num_steps": CONFIG.num_steps, "optimizer": "Adam",
            "learning_rate": CONFIG.learning_rate, "clip_norm": CONFIG.clip_norm,
            "seeds": list(SEEDS), "own_tenth": OWN + 1, "own_seeds": list(OWN_SEEDS),
        },
        "unclipped": unclipped,
        "cpu_seconds": round(time.process_time() - start),
        "results": results,
    })  # fmt: skip


if __name__ == "__main__":
    main()
