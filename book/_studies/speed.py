"""How fast: a training step of ours, of torch.nn, step by step and compiled, and its bare products.

Run by `make study STUDY=speed`. Writes d2lhelpers/measurements/speed.json. From the size of this
book one of T, H, B, V and L (steps, units, windows side by side, symbols, layers) is changed at a
time; "d2l" is the size of d2l 1.0.

The ways take turns in one process, on one thread, and what is compared is CPU time, so a busy
machine does little harm. "ours" and "torch.nn" read embeddings. "step by step" is the plain reading
of the equations on one-hot rows, as in `tests/bench.py`: a product for each gate and source, and
one for the output, at each step. The "floor" is the matrix products of a step of ours and no more:
inputs, or the table that these are rows of, states and outputs, forward and backward, with the
products for the weights' gradients over all steps at once. "looked up" is ours without `Rows`: the
embeddings of all tokens are multiplied, not their table. "all at once", measured at three sizes, is
"looked up" with these products made for all steps before the first, where ours makes them for four
steps at a time, and "two calls" is ours with the product of the state made first and added then;
the GRU has nothing to add it to. "compiled" is ours through `torch.compile`, "unfused" torch.nn's
without oneDNN, whose LSTM reads a whole sequence in one call; these are measured at two sizes.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from unittest import mock

import torch
from record import MEASUREMENTS, machine, today, write
from torch import nn

from d2lhelpers import layers, rows
from d2lhelpers.layers import GRU, LSTM, RNN, DeepRNN
from d2lhelpers.model import LanguageModel
from d2lhelpers.training import train_epoch

sys.path.append(str(MEASUREMENTS.parents[1] / "tests"))
from bench import Textbook

NAME, INPUT, ROUNDS, SECONDS = "speed", 64, 21, 0.1
LAYERS = {"RNN": (RNN, nn.RNN, 1), "GRU": (GRU, nn.GRU, 3), "LSTM": (LSTM, nn.LSTM, 4)}
Size = dict[str, int]
BOOK: Size = {"T": 35, "H": 256, "B": 32, "V": 27, "L": 1}
CHANGES: dict[str, tuple[int, ...]] = {
    "T": (9, 140), "H": (32, 128, 512), "B": (1, 8, 128, 512), "V": (65, 1027), "L": (2, 3),
}  # fmt: skip
SIZES: dict[str, Size] = {
    "book": BOOK, "d2l": {"T": 32, "H": 32, "B": 1024, "V": 28, "L": 1},
    **{
        f"{name} = {value}": BOOK | {name: value}
        for name, values in CHANGES.items()
        for value in values
    },
}  # fmt: skip
FULLY, ALL_AT_ONCE = ("book", "d2l"), ("book", "d2l", "B = 512")
AGAINST = {"all at once": "looked up"}  # in place of ours


def products(size: Size, blocks: int) -> Callable[[], None]:
    """Return a function that computes the matrix products of a training step and nothing else."""
    T, H, B, V, L = (size[name] for name in "THBVL")
    n = blocks * H
    read = V if T * B >= rows.OFTEN * V else T * B  # rows of the table, or of all tokens
    X = [torch.randn(T * B, H) if layer else torch.randn(read, INPUT) for layer in range(L)]
    W_x = [torch.randn(x.shape[1], n) for x in X]
    W_h, W_q = torch.randn(H, n), torch.randn(H, V)
    state, dstate, states = torch.randn(B, H), torch.randn(B, n), torch.randn(T * B, H)
    dgates, dlogits = torch.randn(T * B, n), torch.randn(T * B, V)
    dX = [dgates[: len(x)] for x in X]

    def run() -> None:
        for x, dx, W in zip(X, dX, W_x, strict=True):
            x @ W
            for _ in range(T):
                state @ W_h
            for _ in range(T):
                dstate @ W_h.T
            states.T @ dgates
            x.T @ dx
            dx @ W.T
        states @ W_q
        dlogits @ W_q.T
        states.T @ dlogits

    return run


def training_step(model: nn.Module, size: Size) -> Callable[[], None]:
    """Return a function that takes one step of training on random symbols."""
    optimizer = torch.optim.Adam(model.parameters())
    batch = tuple(torch.randint(size["V"], (size["T"], size["B"])) for _ in range(2))

    def run() -> None:
        train_epoch(model, [batch], optimizer, 1.0, carry_state=False)  # type: ignore[list-item]

    return run


def stack(layer: type[nn.Module], size: Size) -> nn.Module:
    """Return our layer, or L of them one on another."""
    H = size["H"]
    parts = [layer(H if i else INPUT, H) for i in range(size["L"])]
    return parts[0] if len(parts) == 1 else DeepRNN(parts)


def ways(kind: str, label: str) -> dict[str, Callable[[], None]]:
    """Return all ways to take a step at a size."""
    ours, theirs, blocks = LAYERS[kind]
    size = SIZES[label]
    H, V, L = size["H"], size["V"], size["L"]

    def of_ours() -> Callable[[], None]:
        return training_step(LanguageModel(stack(ours, size), V), size)

    every_token = mock.patch.object(rows, "OFTEN", float("inf"))
    found = {
        "ours": of_ours(),
        "looked up": every_token(of_ours()),
        "torch.nn": training_step(LanguageModel(theirs(INPUT, H, L), V), size),
        "floor": products(size, blocks),
    }
    if L == 1:
        textbook = Textbook(ours(V, H), nn.Linear(H, V))
        found["step by step"] = training_step(textbook, size)
    if label in ALL_AT_ONCE:
        whole = mock.patch.object(layers, "STEPS_AT_ONCE", size["T"])
        found["all at once"] = whole(every_token(of_ours()))
        if kind != "GRU":
            apart = mock.patch.object(layers, "add_product", lambda XW, H, W: XW + H @ W)
            found["two calls"] = apart(of_ours())
    if label in FULLY:
        plain = training_step(LanguageModel(theirs(INPUT, H), V), size)
        found["unfused"] = torch.backends.mkldnn.flags(enabled=False)(plain)
        compiled = torch.compile(ours(INPUT, H))
        compiled.input_size, compiled.hidden_size = INPUT, H
        found["compiled"] = training_step(LanguageModel(compiled, V), size)
    return found


def seconds(run: Callable[[], None]) -> float:
    """Return the CPU seconds of a step: the mean of as many as take a tenth of a second."""
    start, count = time.process_time(), 0
    while count == 0 or time.process_time() - start < SECONDS:
        run()
        count += 1
    return (time.process_time() - start) / count


def measure(kind: str, label: str) -> dict[str, object]:
    """Let the ways take turns, and return how many symbols a CPU second each is trained on."""
    size, found = SIZES[label], ways(kind, label)
    for run in found.values():
        run()
    times: dict[str, list[float]] = {way: [] for way in found}
    for _ in range(ROUNDS):
        for way, run in found.items():
            times[way].append(seconds(run))
    symbols = size["T"] * size["B"]
    return {
        "size": label, **size, "layer": kind,
        "symbols": {way: round(symbols / statistics.median(t)) for way, t in times.items()},
        "ratio": {  # of a way's time to ours in its own round: over 1, ours is faster
            way: sorted(
                round(a / b, 3) for a, b in zip(t, times[AGAINST.get(way, "ours")], strict=True)
            )
            for way, t in times.items() if way != "ours"
        },
    }  # fmt: skip


def main() -> None:
    """Measure what is not there yet, writing after each."""
    torch.set_num_threads(1)
    path = MEASUREMENTS / f"{NAME}.json"
    results = json.loads(path.read_text("utf-8"))["results"] if path.exists() else []
    labels, kinds = list(SIZES), list(LAYERS)
    for label in labels:
        for kind in kinds:
            if (label, kind) in {(row["size"], row["layer"]) for row in results}:
                continue
            results.append(measure(kind, label))
            print(json.dumps(results[-1]), flush=True)
            results.sort(key=lambda r: (labels.index(r["size"]), kinds.index(r["layer"])))
            write(NAME, {
                "task": "symbols a CPU second in training, on random text",
                "command": f"python book/_studies/{NAME}.py", "date": today(),
                "machine": machine(), "settings": {"input": INPUT, "rounds": ROUNDS},
                "results": results,
            })  # fmt: skip


if __name__ == "__main__":
    main()
