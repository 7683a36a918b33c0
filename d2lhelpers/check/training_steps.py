"""Tasks: what happens around a layer while it is trained."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import nn

from d2lhelpers import training
from d2lhelpers.check.core import Case, Seen, Task, Variant
from d2lhelpers.check.probe import numbers

# --- Clipping


def clipping_case(given: str, max_norm: float | None, scale: float, dtype: torch.dtype) -> Case:
    """Return a case of three parameters, of which the middle one has no gradient."""

    def run(program: Any) -> Seen:
        shapes = {"A": (2, 3), "B": (4,), "C": (3, 1)}
        parameters = {n: nn.Parameter(torch.zeros(s, dtype=dtype)) for n, s in shapes.items()}
        for name in ("A", "C"):
            gradient = numbers(name, shapes[name], dtype, scale)
            parameters[name].grad = gradient
        norm = program(list(parameters.values()), max_norm)
        seen: Seen = {"the norm returned": float(norm) if norm is not None else "None"}
        for name in ("A", "C"):
            seen[f"the gradient of {name}"] = parameters[name].grad
        return seen

    return Case(f"gradients of three parameters and {given}", run)


def each_alone(parameters: Iterable[nn.Parameter], max_norm: float | None) -> float:
    """Clip every gradient by its own norm."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = float(torch.stack([g.norm() for g in gradients]).norm())
    for g in gradients:
        if max_norm is not None and g.norm() > max_norm:
            g *= max_norm / g.norm()
    return norm


def always_scaled(parameters: Sequence[nn.Parameter], max_norm: float | None) -> float:
    """Scale gradients up to the norm, too."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = float(torch.stack([g.norm() for g in gradients]).norm())
    for g in gradients:
        g *= (norm if max_norm is None else max_norm) / norm
    return norm


clip_gradients = Task(
    name="clip_gradients",
    title="Gradient clipping",
    label="sec-clipping",
    wanted=("function", "clip_gradients"),
    reference=training.clip_gradients,
    cases=[
        clipping_case("a max_norm far below their norm", 0.5, 3.0, torch.float32),
        clipping_case("a max_norm above their norm", 50.0, 3.0, torch.float32),
        clipping_case("max_norm None", None, 3.0, torch.float32),
    ],
    variants={
        "each_alone": Variant(
            each_alone,
            "You clip each parameter's gradient by its own norm. The norm is taken over all "
            "parameters jointly ({eq-clipping}), and one factor scales them all: only so the "
            "direction stays.",
        ),
        "always_scaled": Variant(
            always_scaled,
            "You scale the gradients to the norm even where they are shorter. The factor is at "
            "most 1 ({eq-clipping}).",
        ),
    },
    hints=[
        "Some parameters have no gradient, `p.grad` is None: leave them out.",
        "The joint norm is the norm of the norms: "
        "`torch.stack([g.norm() for g in gradients]).norm()`.",
        "If the norm is above `max_norm`, multiply each gradient in place by `max_norm / norm`. "
        "Return the norm from before.",
    ],
    passed="The gradients and the norm that is returned are those of {eq-clipping}: below the "
    "threshold, above it, and without one.",
)
