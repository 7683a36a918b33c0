"""Where does counting win? The same comparison on texts that differ in one thing at a time.

Run by `make study`. Tiny Shakespeare in two alphabets (all 65 symbols; 27, letters and the space),
with a test part from the middle of what is trained on or from other plays, and the story in both
alphabets. Each network has about as many characters to learn from as the story has. Writes
d2lhelpers/measurements/text_kind.json: about three quarters of an hour on one core. A run that is
there is not repeated.
"""

import json
import math
import time
from dataclasses import replace

import torch
from corpus_size import HIDDEN, INPUT, RATE
from record import MEASUREMENTS, machine, today, write
from torch import nn

from d2lhelpers.layers import WithDropout
from d2lhelpers.model import LanguageModel
from d2lhelpers.ngram import KneserNey
from d2lhelpers.text import Corpus, load_corpus
from d2lhelpers.training import TrainConfig, log_probabilities, train

NAME, LENGTH = "text_kind", 83_000
PASSES, DROPOUTS, SEEDS = 24, (0.2,), range(5)


def texts() -> dict[tuple[str, str, str], Corpus]:
    """Return the texts, by corpus, alphabet, and where the test part comes from."""
    found = {}
    for letters_only, alphabet in ((True, "letters"), (False, "all")):
        story = load_corpus("story", letters_only=letters_only)
        found["story", alphabet, "same"] = story
        size = len(story.test)
        start = load_corpus(
            "tiny_shakespeare", letters_only=letters_only, test_at=0.6,
            max_characters=round(LENGTH / 0.8),
        )  # fmt: skip
        whole = load_corpus("tiny_shakespeare", letters_only=letters_only)
        found["tiny_shakespeare", alphabet, "same"] = replace(
            start,
            vocabulary=whole.vocabulary,
            training=whole.vocabulary.encode(start.vocabulary.decode(start.training)),
            validation=whole.vocabulary.encode(start.vocabulary.decode(start.validation)),
            test=whole.vocabulary.encode(start.vocabulary.decode(start.test)),
        )
        found["tiny_shakespeare", alphabet, "other"] = replace(
            found["tiny_shakespeare", alphabet, "same"],
            validation=whole.validation[:size],
            test=whole.test[:size],
        )
    return found


def compare(corpus: Corpus, seed: int, dropout: float) -> dict[str, object]:
    """Train an LSTM, keep its best epoch, and return its figures beside those of counting."""
    start, V = time.process_time(), len(corpus.vocabulary)
    counts = KneserNey(corpus.training, 9, V)
    order = min(range(2, 10), key=lambda n: counts.perplexity(corpus.validation, n))
    p = torch.from_numpy(counts.probabilities(corpus.test, order))
    torch.manual_seed(seed)
    model = LanguageModel(WithDropout(nn.LSTM(INPUT, HIDDEN), dropout), V)
    config = TrainConfig(PASSES, 32, 35, RATE, seed=seed, keep_best=True)
    history = train(model, corpus, config, show=False)
    log_p = log_probabilities(model, corpus.test, 8)
    mixed = (0.5 * log_p.exp() + 0.5 * p[: len(log_p)]).log()
    return {
        "seed": seed, "dropout": dropout, "order": order,
        "validation": math.log(min(history.validation)), "counting": -p.log().mean().item(),
        "test": -log_p.mean().item(), "mixed": -mixed.mean().item(),
        "cpu_seconds": round(time.process_time() - start, 1),
    }  # fmt: skip


def main() -> None:
    """Make the runs that are missing, the first seed of every text first, writing after each."""
    torch.set_num_threads(1)
    path = MEASUREMENTS / f"{NAME}.json"
    results = json.loads(path.read_text("utf-8"))["results"] if path.exists() else []
    for seed in SEEDS:
        for (name, alphabet, part), corpus in texts().items():
            what = {"text": name, "alphabet": alphabet, "test_part": part}
            tried = [r for r in results if r["seed"] == 0 and what.items() <= r.items()]
            best = min(tried, key=lambda r: r["validation"], default=None)
            for dropout in DROPOUTS if seed == 0 or best is None else (best["dropout"],):
                run = what | {"seed": seed, "dropout": dropout}
                if any(run.items() <= r.items() for r in results):
                    continue
                results.append(what | compare(corpus, seed, dropout))
                print(json.dumps(results[-1]), flush=True)
                write(NAME, {
                    "task": "nats a character, LSTM against modified Kneser-Ney",
                    "command": "python book/_studies/text_kind.py",
                    "date": today(), "machine": machine(),
                    "settings": {
                        "input": INPUT, "hidden": HIDDEN, "learning_rate": RATE, "passes": PASSES,
                        "dropouts": DROPOUTS, "batch_size": 32, "num_steps": 35,
                    },
                    "cpu_seconds": round(sum(r["cpu_seconds"] for r in results)),
                    "results": results,
                })  # fmt: skip


if __name__ == "__main__":
    main()
