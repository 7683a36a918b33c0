"""Tasks in which the answer depends on inputs from long ago, as data, and how to train on them.

Both were posed by Hochreiter & Schmidhuber (1997, "Long short-term memory"); they are drawn here
in the form of Arjovsky, Shah & Bengio (2016, "Unitary evolution recurrent neural networks").
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from d2lhelpers.batches import Batch
from d2lhelpers.checks import (
    check_batch,
    check_generator,
    check_inputs,
    check_positive,
    check_positive_int,
    check_seed,
    check_type,
)
from d2lhelpers.device import default_device
from d2lhelpers.model import layer_sizes, mode
from d2lhelpers.training import check_finite, clip_gradients

COPIED, KINDS = 10, 8  # symbols to be copied, and how many kinds there are
ADDING_CHANCE = 1 / 6
"""Mean squared error of always predicting 1 in the adding problem.

The target u + v is the sum of two independent uniform numbers: its mean is 1, and its variance,
which is the error of predicting the mean, is 1/12 + 1/12.
"""


def copy_chance(lag: int) -> float:
    """Return the cross-entropy a step, in nats, of copying without memory: 10 ln 8 / (lag + 10).

    Without memory one can still count steps: predict every blank for sure, and each of the last 10
    symbols with probability 1/8. That costs ln 8 for 10 of the lag + 10 steps.

    Raises:
        TypeError, ValueError: a lag that is no int or too small.
    """
    check_lag(lag)
    return COPIED * math.log(KINDS) / (lag + COPIED)


def adding_problem(
    batch_size: int, num_steps: int, generator: torch.Generator | None = None
) -> Batch:
    """Draw sequences of numbers with two of them marked; the target is the sum of the two.

    One mark is uniform in the first half of the steps (rounded down), the other in the second.
    So the lag from the earlier number to the end is between num_steps / 2 and num_steps - 1.

    Args:
        batch_size: sequences B.
        num_steps: steps T, at least 2.
        generator: draws numbers and marks.

    Returns:
        inputs (T, B, 2), a number uniform in [0, 1) and a mark 0 or 1; and targets (B,).

    Raises:
        TypeError, ValueError: sizes that are no int or too small.
    """
    check_positive_int(batch_size=batch_size, num_steps=num_steps)
    check_generator(generator)
    if num_steps < 2:
        raise ValueError(f"num_steps is {num_steps}: two numbers are added; pass 2 or more")
    half = num_steps // 2
    cpu: dict[str, Any] = {"generator": generator, "device": "cpu"}
    numbers = torch.rand(num_steps, batch_size, **cpu)
    first = torch.randint(half, (1, batch_size), **cpu)
    second = torch.randint(half, num_steps, (1, batch_size), **cpu)
    marks = torch.zeros_like(numbers).scatter(0, torch.cat([first, second]), 1.0)
    device = default_device()
    return torch.stack([numbers, marks], dim=2).to(device), (numbers * marks).sum(0).to(device)


def copy_memory(batch_size: int, lag: int, generator: torch.Generator | None = None) -> Batch:
    """Draw sequences whose first 10 symbols are to be said again, in order, `lag` steps later.

    The input is 10 symbols out of 1 to 8, then blanks (0), and one step before the first answer
    is due the sign to begin (9). Targets are blank until then. The papers' T is lag - 10.

    Args:
        batch_size: sequences B.
        lag: steps from a symbol to its copy, at least 11.
        generator: draws the symbols.

    Returns:
        tokens and targets, int64, each of shape (lag + 10, B), with 10 kinds of tokens.

    Raises:
        TypeError, ValueError: sizes that are no int or too small.
    """
    check_positive_int(batch_size=batch_size)
    check_generator(generator)
    check_lag(lag)
    shape = (COPIED, batch_size)
    symbols = torch.randint(1, KINDS + 1, shape, generator=generator, device="cpu")
    symbols = symbols.to(default_device())
    tokens = torch.zeros(lag + COPIED, batch_size, dtype=torch.int64)
    targets = tokens.clone()
    tokens[:COPIED], tokens[lag - 1], targets[lag:] = symbols, KINDS + 1, symbols
    return tokens, targets


def check_lag(lag: int) -> None:
    """Raise `ValueError` (or `TypeError`) for a lag that copy memory cannot have."""
    check_positive_int(lag=lag)
    if lag <= COPIED:
        raise ValueError(
            f"lag is {lag}: the {COPIED} symbols and a sign come first; pass {COPIED + 1} or more"
        )


class Adder(nn.Module):
    """A recurrent layer and a linear map of its last output: inputs (T, B, 2) give sums (B,).

    Args:
        layer: takes inputs (T, B, 2).

    Raises:
        TypeError, ValueError: as of `LanguageModel`.
    """

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer, self.output = layer, nn.Linear(layer_sizes(layer)[1], 1)

    def forward(self, inputs: Tensor) -> Tensor:
        check_inputs(self.layer, inputs)
        result: Tensor = self.output(self.layer(inputs)[0][-1])[:, 0]
        return result


def task_loss(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean squared error of an `Adder`, or the cross-entropy of a `LanguageModel`.

    Args:
        model: gives sums (B,), or logits (T, B, V) and a state.
        inputs: numbers (T, B, 2) or tokens (T, B).
        targets: floats (B,), or tokens (T, B).

    Raises:
        TypeError, ValueError: targets of another kind or shape than what the model gives.
    """
    check_type(Tensor, "pass what the task has drawn", inputs=inputs, targets=targets)
    outputs, summed = model(inputs), targets.is_floating_point()
    if isinstance(outputs, Tensor) != summed:
        raise TypeError(
            f"targets is {targets.dtype}: an Adder must have floats, a LanguageModel integers; "
            "pass a task that fits the model"
        )
    if summed:
        check_batch(outputs, targets)
        return F.mse_loss(outputs, targets)
    check_batch(inputs, targets)
    return F.cross_entropy(outputs[0].flatten(0, 1), targets.flatten())


def train_on_task(
    model: nn.Module,
    task: Callable[[torch.Generator], Batch],
    steps: int,
    *,
    learning_rate: float,
    seed: int = 0,
) -> list[float]:
    """Train in place on a fresh batch each step, with Adam, the gradient's norm clipped at 1.

    Args:
        model: an `Adder` or a `LanguageModel`; it trains in training mode and gets its mode back.
        task: draws a batch, for example `lambda g: adding_problem(64, 100, g)`.
        steps: number of batches.
        learning_rate: the same for all steps.
        seed: of the batches.

    Returns:
        the loss of each step, before its update.

    Raises:
        TypeError, ValueError: numbers that cannot work, a batch that does not fit the model.
        FloatingPointError: the loss is not finite.
    """
    check_positive_int(steps=steps)
    check_positive(learning_rate=learning_rate)
    check_seed(seed=seed)
    check_type(nn.Module, "pass Adder(GRU(2, 32))", model=model)
    check_type(Callable, "pass lambda g: adding_problem(64, 100, g)", task=task)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(int(seed))
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    losses: list[float] = []
    with mode(model, training=True):
        for step in range(steps):
            loss = task_loss(model, *task(generator))
            check_finite(loss, step, "the task", "a smaller learning_rate")
            optimizer.zero_grad()
            loss.backward()
            clip_gradients(model.parameters(), 1.0)
            optimizer.step()
            losses.append(loss.item())
    return losses


def load_measurement(name: str) -> dict[str, Any]:
    """Return a long study's committed result, made by the script that its `command` names.

    Raises:
        ValueError: no measurement has this name.
    """
    folder = files("d2lhelpers").joinpath("measurements")
    names = sorted(p.name.removesuffix(".json") for p in folder.iterdir())
    if name not in names:
        raise ValueError(f"no measurement is called {name!r}: choose from {', '.join(names)}")
    result: dict[str, Any] = json.loads(folder.joinpath(f"{name}.json").read_text("utf-8"))
    return result
