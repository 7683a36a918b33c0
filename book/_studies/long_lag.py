"""Adding problem: error against lag for RNN, GRU and LSTM with equally many parameters.

Run by `make study`. Trains 120 models, about half an hour on one core, and writes
d2lhelpers/measurements/long_lag.json, which the LSTM chapter shows. Each is trained at two
learning rates, so that a failure is not that of a rate which happens to suit another layer.
"""

import time
from collections.abc import Callable
from functools import partial

import torch
from record import machine, today, write
from torch import nn

from d2lhelpers.layers import RNN
from d2lhelpers.tasks import ADDING_CHANCE, Adder, adding_problem, task_loss, train_on_task

LENGTHS = (10, 20, 50, 100, 200)
SEEDS = (0, 1, 2)
BATCH, STEPS, TESTED = 64, 1500, 2000
LEARNING_RATES = (0.01, 0.003)


def lstm(forget_bias: float, hidden_size: int) -> nn.LSTM:
    """Make an LSTM whose forget gates start with this bias."""
    layer = nn.LSTM(2, hidden_size)
    with torch.no_grad():
        for bias, start in ((layer.bias_ih_l0, forget_bias), (layer.bias_hh_l0, 0.0)):
            bias[hidden_size : 2 * hidden_size] = start  # the second of four blocks
    return layer


LAYERS: dict[str, tuple[Callable[[int], nn.Module], int]] = {
    "RNN": (partial(RNN, 2), 66),
    "GRU": (partial(nn.GRU, 2), 37),
    "LSTM": (partial(lstm, 1.0), 32),
    "LSTM, forget bias 0": (partial(lstm, 0.0), 32),
}


def run(name: str, length: int, seed: int, rate: float) -> dict[str, object]:
    """Train one model and test it on sequences that it has not seen."""
    torch.manual_seed(seed)
    make, hidden_size = LAYERS[name]
    model = Adder(make(hidden_size))
    start = time.process_time()
    train_on_task(
        model,
        lambda g: adding_problem(BATCH, length, g),
        STEPS,
        learning_rate=rate,
        seed=seed,
    )
    test = torch.Generator().manual_seed(1000 + seed)
    with torch.no_grad():
        error = task_loss(model, *adding_problem(TESTED, length, test)).item()
    seconds = time.process_time() - start
    relative = error / ADDING_CHANCE
    print(f"{name:20}{length:4} seed {seed} rate {rate}: {relative:.4f} of chance", flush=True)
    return {
        "model": name, "length": length, "seed": seed, "learning_rate": rate, "test_mse": error,
        "relative_error": relative, "cpu_seconds": round(seconds, 1),
    }  # fmt: skip


def main() -> None:
    """Run the whole study and write it down."""
    torch.set_num_threads(1)
    parameters = {
        name: sum(p.numel() for p in Adder(make(size)).parameters())
        for name, (make, size) in LAYERS.items()
    }
    results = [
        run(name, length, seed, rate)
        for length in LENGTHS
        for name in LAYERS
        for rate in LEARNING_RATES
        for seed in SEEDS
    ]
    study = {
        "task": "adding problem, sequences of `length` steps",
        "command": "python book/_studies/long_lag.py",
        "date": today(),
        "machine": machine(),
        "settings": {
            "batch_size": BATCH, "steps": STEPS, "optimizer": "Adam",
            "learning_rates": LEARNING_RATES, "clip_norm": 1.0, "test_sequences": TESTED,
            "hidden_sizes": {name: size for name, (_, size) in LAYERS.items()},
            "parameters": parameters,
        },
        "cpu_seconds": round(sum(float(str(r["cpu_seconds"])) for r in results)),
        "results": results,
    }  # fmt: skip
    write("long_lag", study)


if __name__ == "__main__":
    main()
