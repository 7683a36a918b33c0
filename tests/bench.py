"""Time training steps: our layer on embeddings against torch.nn.RNN on one-hot input.

Run with `make bench`. The two take turns in one process; the figure to quote is the ratio.
"""

from __future__ import annotations

import statistics
import time

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from d2lhelpers.layers import RNN
from d2lhelpers.model import LanguageModel, State
from d2lhelpers.training import train_epoch

HIDDEN, NUM_STEPS, BATCH = 256, 35, 32
ROUNDS, STEPS = 15, 10


class OneHotModel(LanguageModel):
    """The same model with one-hot rows in place of embeddings."""

    def __init__(self, layer: nn.Module, vocab_size: int):
        super().__init__(layer, vocab_size)
        del self.embedding
        self.vocab_size = vocab_size

    def forward(self, tokens: Tensor, state: State = None) -> tuple[Tensor, State]:
        H, state = self.layer(F.one_hot(tokens, self.vocab_size).float(), state)
        return self.output(H), state


def seconds_a_step(model: LanguageModel, optimizer: torch.optim.Optimizer) -> float:
    """Return the mean time of a training step over `STEPS` batches of random tokens."""
    vocab_size = model.output.out_features
    tokens = torch.randint(vocab_size, (STEPS, 2, NUM_STEPS, BATCH))
    start = time.perf_counter()
    train_epoch(model, [(x, y) for x, y in tokens], optimizer, 1.0)
    return (time.perf_counter() - start) / STEPS


def main() -> None:
    """Print a line for each vocabulary size: the story's, and the one the sources used."""
    print(f"hidden {HIDDEN}, {NUM_STEPS} steps, batch {BATCH}, {torch.get_num_threads()} threads")
    print("vocabulary   from scratch   nn.RNN one-hot   speed ratio (median, min-max)")
    for vocab_size in (27, 1027):
        models = (
            LanguageModel(RNN(64, HIDDEN), vocab_size),
            OneHotModel(nn.RNN(vocab_size, HIDDEN), vocab_size),
        )
        runs = [(model, torch.optim.Adam(model.parameters())) for model in models]
        times = [[seconds_a_step(*run) for run in runs] for _ in range(1 + ROUNDS)][1:]
        ratios = sorted(theirs / ours for ours, theirs in times)
        ours, theirs = (1000 * statistics.median(column) for column in zip(*times, strict=True))
        print(
            f"{vocab_size:10}   {ours:9.1f} ms   {theirs:11.1f} ms   "
            f"{statistics.median(ratios):11.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})"
        )


if __name__ == "__main__":
    main()
