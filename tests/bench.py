"""Time training steps of the from-scratch layers against torch.nn's and against the textbook's way.

Run with `make bench`. Ours reads embeddings; torch.nn's layer and the textbook's read one-hot rows.
The textbook's way is the plain reading of the equations: at each step a product for each gate and
each source, and one for the output. It is first held to ours. The three take turns in one process;
the figures to quote are the ratios.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from d2lhelpers.layers import GRU, LSTM, RNN
from d2lhelpers.model import LanguageModel, State
from d2lhelpers.training import train_epoch

HIDDEN, EMBEDDING, NUM_STEPS, BATCH = 256, 64, 35, 32
ROUNDS, STEPS = 9, 6


class OneHotModel(LanguageModel):
    """The same model with one-hot rows in place of embeddings."""

    def __init__(self, layer: nn.Module, vocab_size: int):
        super().__init__(layer, vocab_size)
        del self.embedding
        self.vocab_size = vocab_size

    def forward(self, tokens: Tensor, state: State = None) -> tuple[Tensor, State]:
        H, state = self.layer(F.one_hot(tokens, self.vocab_size).float(), state)
        return self.output(H), state


class Textbook(nn.Module):
    """Language model on one-hot rows: every product on its own, step by step.

    Its parameters are copies of the blocks of `layer`, an RNN, GRU or LSTM of d2lhelpers whose
    input is one-hot, and of an output layer.
    """

    def __init__(self, layer: nn.Module, output: nn.Linear):
        super().__init__()
        self.output, self.vocab_size, self.hidden_size = output, layer.input_size, layer.hidden_size
        blocks = {RNN: 1, GRU: 3, LSTM: 4}[type(layer)]
        W_x, W_h, b = layer.parameters()
        rows = b.view(-1, layer.hidden_size).unbind()
        self.W_x, self.W_h, self.b = (
            nn.ParameterList(part.detach().clone() for part in parts)
            for parts in (W_x.chunk(blocks, 1), W_h.chunk(blocks, 1), rows)
        )
        self.step = {RNN: self.rnn, GRU: self.gru, LSTM: self.lstm}[type(layer)]

    def rnn(self, X: Tensor, H: Tensor, C: Tensor) -> tuple[Tensor, Tensor]:
        return torch.tanh(X @ self.W_x[0] + H @ self.W_h[0] + self.b[0]), C

    def gru(self, X: Tensor, H: Tensor, C: Tensor) -> tuple[Tensor, Tensor]:
        R = torch.sigmoid(X @ self.W_x[0] + H @ self.W_h[0] + self.b[0])
        Z = torch.sigmoid(X @ self.W_x[1] + H @ self.W_h[1] + self.b[1])
        new = torch.tanh(X @ self.W_x[2] + self.b[2] + R * (H @ self.W_h[2] + self.b[3]))
        return Z * H + (1 - Z) * new, C

    def lstm(self, X: Tensor, H: Tensor, C: Tensor) -> tuple[Tensor, Tensor]:
        input_gate = torch.sigmoid(X @ self.W_x[0] + H @ self.W_h[0] + self.b[0])
        forget_gate = torch.sigmoid(X @ self.W_x[1] + H @ self.W_h[1] + self.b[1])
        candidate = torch.tanh(X @ self.W_x[2] + H @ self.W_h[2] + self.b[2])
        output_gate = torch.sigmoid(X @ self.W_x[3] + H @ self.W_h[3] + self.b[3])
        C = forget_gate * C + input_gate * candidate
        return output_gate * torch.tanh(C), C

    def forward(self, tokens: Tensor, state: State = None) -> tuple[Tensor, State]:
        if state is None:
            zeros = torch.zeros(tokens.shape[1], self.hidden_size)
            state = zeros, zeros
        H, C = state
        logits = []
        for X in F.one_hot(tokens, self.vocab_size).float():
            H, C = self.step(X, H, C)
            logits.append(self.output(H))
        return torch.stack(logits), (H, C)


def check_same(layer: nn.Module, vocab_size: int) -> Textbook:
    """Return the textbook's model with the layer's weights, after holding the two together."""
    one_hot = OneHotModel(layer, vocab_size)
    textbook = Textbook(layer, one_hot.output)
    tokens = torch.randint(vocab_size, (NUM_STEPS, BATCH))
    torch.testing.assert_close(one_hot(tokens)[0], textbook(tokens)[0], rtol=1e-4, atol=1e-5)
    return textbook


def seconds_a_step(
    model: nn.Module, optimizer: torch.optim.Optimizer, batches: list[tuple[Tensor, Tensor]]
) -> float:
    """Return the mean time of a training step over the batches."""
    start = time.perf_counter()
    train_epoch(model, batches, optimizer, 1.0)
    return (time.perf_counter() - start) / len(batches)


def compare(ours: Callable[[int, int], nn.Module], theirs: type[nn.Module], vocab: int) -> None:
    """Print milliseconds a step, and how many times as fast ours is as each of the others."""
    models = (
        LanguageModel(ours(EMBEDDING, HIDDEN), vocab),
        OneHotModel(theirs(vocab, HIDDEN), vocab),
        check_same(ours(vocab, HIDDEN), vocab),
    )
    runs = [(model, torch.optim.Adam(model.parameters())) for model in models]
    times = []
    for _ in range(1 + ROUNDS):
        tokens = torch.randint(vocab, (STEPS, 2, NUM_STEPS, BATCH))
        batches = [(x, y) for x, y in tokens]
        times.append([seconds_a_step(*run, batches) for run in runs])
    times = times[1:]
    print(f"{theirs.__name__:5}{vocab:11}", end="")
    for column in zip(*times, strict=True):
        print(f"{1000 * statistics.median(column):10.1f} ms", end="")
    for other in (1, 2):
        ratios = sorted(row[other] / row[0] for row in times)
        low, middle, high = ratios[0], statistics.median(ratios), ratios[-1]
        print(f"   {middle:5.2f} ({low:.2f}-{high:.2f})", end="")
    print(flush=True)


def main() -> None:
    """Print a line for each layer and vocabulary size: the story's, and the one of the sources."""
    print(f"hidden {HIDDEN}, {NUM_STEPS} steps, batch {BATCH}, {torch.get_num_threads()} threads")
    print("layer vocabulary        ours     torch.nn     textbook   ours is so many times as fast")
    for vocab_size in (27, 1027):
        for ours, theirs in ((RNN, nn.RNN), (GRU, nn.GRU), (LSTM, nn.LSTM)):
            compare(ours, theirs, vocab_size)


if __name__ == "__main__":
    main()
