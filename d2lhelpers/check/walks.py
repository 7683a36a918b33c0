"""What all tasks about a recurrent layer share: mistakes on the way through time, explanations."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from d2lhelpers.check.core import Difference, Unfit, Variant, distant
from d2lhelpers.check.probe import tensors
from d2lhelpers.layers import LSTM

# From the weights, X (B, D) and the state, a tensor or a pair of them, to the new state.
Step = Callable[[SimpleNamespace, Tensor, Any], Any]


def explain(difference: Difference) -> str:
    """Say what it means that a layer's outputs, or one gradient, first differ where they do."""
    name, found, expected = difference.name, difference.found, difference.expected
    if not isinstance(found, Tensor) or not isinstance(expected, Tensor):
        return ""
    if found.shape != expected.shape:
        return "Outputs are (T, B, H), time first; each part of a state is (B, H)."
    if name == "outputs":
        wrong = distant(found, expected)
        steps = wrong.flatten(1).any(1).nonzero().flatten().tolist()
        texts = wrong.transpose(0, 1).flatten(1).any(1).nonzero().flatten().tolist()
        if steps and steps[0] > 0:
            return (
                f"The first {steps[0]} of {len(found)} steps are right, so a single step is "
                "computed well: look at what goes from one step to the next."
            )
        if texts and len(texts) < found.shape[1]:
            return f"Only texts {texts} of the batch are wrong: the texts must not mix."
        return "The first step is already wrong: compare the formulas of one step, term by term."
    if name.startswith("the gradient"):
        return (
            "Outputs and states are right, a gradient is not: somewhere the way back is cut, by "
            "`detach`, `no_grad`, `.data`, or by numbers taken out of a tensor and put back."
        )
    return "The outputs are right, the state that is returned is not."


def with_step(parent: type[nn.Module], weights: Callable[..., SimpleNamespace], step: Step) -> Any:
    """Return a layer class that goes through time with a step of its own."""

    class Stepwise(parent):  # type: ignore[misc, valid-type]
        def forward(self, inputs: Tensor, state: Any = None) -> tuple[Tensor, Any]:
            if state is None:
                zeros = inputs.new_zeros(inputs.shape[1], self.hidden_size)
                state = (zeros, zeros) if issubclass(parent, LSTM) else zeros
            outputs = []
            for X in inputs:
                state = step(weights(self), X, state)
                outputs.append(tensors(state)[0])
            return torch.stack(outputs), state

    return Stepwise


def with_walk(parent: type[nn.Module], walk: str) -> Any:
    """Return a layer class whose step is right, and which loses its way in time: how, by name."""

    class Walk(parent):  # type: ignore[misc, valid-type]
        def forward(self, inputs: Tensor, state: Any = None) -> tuple[Tensor, Any]:
            forward = super().forward
            if walk == "state_ignored":
                return forward(inputs)  # type: ignore[no-any-return]
            outputs, last = forward(inputs, state)
            if walk == "not_carried":
                steps = [forward(X[None], state) for X in inputs]
                return torch.cat([step[0] for step in steps]), steps[-1][1]
            if walk == "first_state":
                return outputs, forward(inputs[:1], state)[1]
            if walk == "given_state":
                return outputs, state
            if walk == "previous_state":
                steps = [forward(inputs[:t], state)[0][-1:] for t in range(1, len(inputs))]
                first = torch.zeros_like(outputs[0]) if state is None else tensors(state)[0]
                return torch.cat([first[None], *steps]), last
            if walk == "backwards":
                outputs, last = forward(inputs.flip(0), state)
                return outputs.flip(0), last
            raise AssertionError(walk)

    return Walk


WALKS = {
    "state_ignored": "Your layer starts from zeros whatever state it is given. A state that is "
    "passed in is where the last window of text ended: begin with it, and with zeros only if it "
    "is `None`.",
    "not_carried": "Every step of your layer starts from the first state: what a step computes "
    "does not reach the next one. Assign the new state to the variable that the loop reads.",
    "first_state": "The state that you return is that of the first step. The next window goes on "
    "where this one ended: return the state of the last step.",
    "given_state": "The state that you return is the one that you were given. Return the state "
    "after the last step, so that the next window can go on from it.",
    "previous_state": "Your outputs are one step late: `outputs[t]` is the state before input "
    "`t`. Append the new state after it has been computed.",
    "backwards": "Your layer reads the inputs from the last to the first. Step `t` may know the "
    "inputs up to `t` and none after it.",
}


def walks(parent: type[nn.Module]) -> dict[str, Variant]:
    """Return the mistakes that any layer can make on its way through time."""
    return {name: Variant(with_walk(parent, name), says) for name, says in WALKS.items()}


def needs(*names: str) -> Callable[[nn.Module], None]:
    """Return what raises `Unfit` unless a layer has the parameters of the chapter."""

    def check(layer: nn.Module) -> None:
        has = [name for name, _ in layer.named_parameters()]
        if missing := [name for name in names if name not in has]:
            raise Unfit(
                f"Your `{type(layer).__name__}` has the parameters {', '.join(has) or 'none'}; the "
                f"check looks for {', '.join(missing)}. Keep the `__init__` of the chapter, or "
                "use `check.layer`, which takes any names."
            )

    return check


def variants_of(
    parent: type[nn.Module],
    weights: Callable[..., SimpleNamespace],
    bank: dict[str, tuple[Step, str]],
) -> dict[str, Variant]:
    """Return the bank of wrong steps, with the mistakes of any layer."""
    wrong = {
        name: Variant(with_step(parent, weights, step), says) for name, (step, says) in bank.items()
    }
    return wrong | walks(parent)
