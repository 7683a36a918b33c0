"""Tasks: the recurrent layers from scratch."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from d2lhelpers import layers
from d2lhelpers.check.core import Difference, Task, Variant
from d2lhelpers.check.probe import layer_cases, tensors

Step = Callable[[SimpleNamespace, Tensor, Tensor], Tensor]  # weights, X (B, D), H (B, H) -> H


def explain(difference: Difference) -> str:
    """Say what it means that a layer's outputs, or one gradient, first differ where they do."""
    name, found, expected = difference.name, difference.found, difference.expected
    if not isinstance(found, Tensor) or not isinstance(expected, Tensor):
        return ""
    if found.shape != expected.shape:
        return "Outputs are (T, B, H), time first; each part of a state is (B, H)."
    if name == "outputs":
        wrong = ((found - expected).abs() > 1e-4).flatten(1).any(1).nonzero().flatten().tolist()
        if wrong and wrong[0] > 0:
            return (
                f"The first {wrong[0]} of {len(found)} steps are right: one step is computed well, "
                "look at what goes from one step to the next."
            )
        return "The first step is already wrong: compare the formulas of one step, term by term."
    if name.startswith("the gradient"):
        return (
            "Outputs and states are right, a gradient is not: somewhere the way back is cut, by "
            "`detach`, `no_grad`, `.data`, or by numbers taken out of a tensor and put back."
        )
    return "The outputs are right, the state that is returned is not."


# --- Mistakes that any layer can make


def with_step(parent: type[nn.Module], weights: Callable[..., SimpleNamespace], step: Step) -> Any:
    """Return a layer class that goes through time with a step of its own."""

    class Stepwise(parent):  # type: ignore[misc, valid-type]
        def forward(self, inputs: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
            H = inputs.new_zeros(inputs.shape[1], self.hidden_size) if state is None else state
            outputs = []
            for X in inputs:
                H = step(weights(self), X, H)
                outputs.append(H)
            return torch.stack(outputs), H

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
    "previous_state": "Your outputs are one step late: `outputs[t]` is the state before input "
    "`t`. Append the new state after it has been computed.",
    "backwards": "Your layer reads the inputs from the last to the first. Step `t` may know the "
    "inputs up to `t` and none after it.",
}


def walks(parent: type[nn.Module]) -> dict[str, Variant]:
    """Return the mistakes that any layer can make on its way through time."""
    return {name: Variant(with_walk(parent, name), says) for name, says in WALKS.items()}


def needs(*names: str) -> Callable[[nn.Module], None]:
    """Return what raises `AttributeError` unless a layer has the parameters of the chapter."""

    def check(layer: nn.Module) -> None:
        has = [name for name, _ in layer.named_parameters()]
        if missing := [name for name in names if name not in has]:
            raise AttributeError(
                f"{type(layer).__name__} has the parameters {', '.join(has) or 'none at all'}; "
                f"the check looks for {', '.join(missing)}. Keep the `__init__` of the chapter, or "
                "use check.layer, which takes any names"
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


# --- GRU


def gru_weights(layer: layers.GRU) -> SimpleNamespace:
    """Return the weights of a GRU under the names that they have in the equations."""
    W_xr, W_xz, W_xh = layer.W_x.chunk(3, dim=1)
    W_hr, W_hz, W_hh = layer.W_h.chunk(3, dim=1)
    b_r, b_z, b_h, b_hh = layer.b
    return SimpleNamespace(
        W_xr=W_xr, W_xz=W_xz, W_xh=W_xh, W_hr=W_hr, W_hz=W_hz, W_hh=W_hh,
        b_r=b_r, b_z=b_z, b_h=b_h, b_hh=b_hh,
    )  # fmt: skip


def gates(p: SimpleNamespace, X: Tensor, H: Tensor) -> tuple[Tensor, Tensor]:
    """Return R and Z of one step."""
    R = torch.sigmoid(X @ p.W_xr + H @ p.W_hr + p.b_r)
    return R, torch.sigmoid(X @ p.W_xz + H @ p.W_hz + p.b_z)


def candidate(p: SimpleNamespace, X: Tensor, H: Tensor, R: Tensor | float) -> Tensor:
    """Return the candidate of one step, reset after the product."""
    return torch.tanh(X @ p.W_xh + p.b_h + R * (H @ p.W_hh + p.b_hh))


def before(p: SimpleNamespace, X: Tensor, H: Tensor) -> Tensor:
    """One step of the GRU that resets before the product."""
    R, Z = gates(p, X, H)
    return Z * H + (1 - Z) * torch.tanh(X @ p.W_xh + p.b_h + (R * H) @ p.W_hh + p.b_hh)


def right(p: SimpleNamespace, X: Tensor, H: Tensor) -> Tensor:
    """One step of the GRU."""
    R, Z = gates(p, X, H)
    return Z * H + (1 - Z) * candidate(p, X, H, R)


def exchanged(p: SimpleNamespace, X: Tensor, H: Tensor) -> Tensor:
    """One step with Z and 1 - Z exchanged."""
    R, Z = gates(p, X, H)
    return (1 - Z) * H + Z * candidate(p, X, H, R)


def no_reset(p: SimpleNamespace, X: Tensor, H: Tensor) -> Tensor:
    """One step without the reset gate."""
    _, Z = gates(p, X, H)
    return Z * H + (1 - Z) * candidate(p, X, H, 1.0)


def bias_outside(p: SimpleNamespace, X: Tensor, H: Tensor) -> Tensor:
    """One step with b_hh outside the brackets."""
    R, Z = gates(p, X, H)
    return Z * H + (1 - Z) * torch.tanh(X @ p.W_xh + p.b_h + R * (H @ p.W_hh) + p.b_hh)


def no_second_bias(p: SimpleNamespace, X: Tensor, H: Tensor) -> Tensor:
    """One step without b_hh."""
    R, Z = gates(p, X, H)
    return Z * H + (1 - Z) * torch.tanh(X @ p.W_xh + p.b_h + R * (H @ p.W_hh))


def no_biases(p: SimpleNamespace, X: Tensor, H: Tensor) -> Tensor:
    """One step without the biases of the input products."""
    R, Z = torch.sigmoid(X @ p.W_xr + H @ p.W_hr), torch.sigmoid(X @ p.W_xz + H @ p.W_hz)
    return Z * H + (1 - Z) * torch.tanh(X @ p.W_xh + R * (H @ p.W_hh + p.b_hh))


def blocks_exchanged(p: SimpleNamespace, X: Tensor, H: Tensor) -> Tensor:
    """One step with the columns of the two gates exchanged."""
    R, Z = gates(p, X, H)
    return R * H + (1 - R) * candidate(p, X, H, Z)


def sigmoid_candidate(p: SimpleNamespace, X: Tensor, H: Tensor) -> Tensor:
    """One step with a sigmoid for the tanh of the candidate."""
    R, Z = gates(p, X, H)
    inside = X @ p.W_xh + p.b_h + R * (H @ p.W_hh + p.b_hh)
    return Z * H + (1 - Z) * torch.sigmoid(inside)


def linear_candidate(p: SimpleNamespace, X: Tensor, H: Tensor) -> Tensor:
    """One step without the tanh of the candidate."""
    R, Z = gates(p, X, H)
    inside: Tensor = X @ p.W_xh + p.b_h + R * (H @ p.W_hh + p.b_hh)
    return Z * H + (1 - Z) * inside


def tanh_gates(p: SimpleNamespace, X: Tensor, H: Tensor) -> Tensor:
    """One step with tanh for the sigmoid of both gates."""
    R, Z = (torch.tanh(torch.logit(gate)) for gate in gates(p, X, H))
    return Z * H + (1 - Z) * candidate(p, X, H, R)


def all_reset(p: SimpleNamespace, X: Tensor, H: Tensor) -> Tensor:
    """One step whose reset gate also multiplies what comes from the input."""
    R, Z = gates(p, X, H)
    return Z * H + (1 - Z) * torch.tanh(R * (X @ p.W_xh + p.b_h + H @ p.W_hh + p.b_hh))


def not_weighted(p: SimpleNamespace, X: Tensor, H: Tensor) -> Tensor:
    """One step that adds the whole candidate."""
    R, Z = gates(p, X, H)
    return Z * H + candidate(p, X, H, R)


def reset_kept(p: SimpleNamespace, X: Tensor, H: Tensor) -> Tensor:
    """One step that carries the state that was reset."""
    R, Z = gates(p, X, H)
    H = R * H
    return Z * H + (1 - Z) * torch.tanh(X @ p.W_xh + p.b_h + H @ p.W_hh + p.b_hh)


def transposed(p: SimpleNamespace, X: Tensor, H: Tensor) -> Tensor:
    """One step with the weights of the state transposed."""
    for name in ("W_hr", "W_hz", "W_hh"):
        setattr(p, name, getattr(p, name).T)
    return right(p, X, H)


def gates_of_input(p: SimpleNamespace, X: Tensor, H: Tensor) -> Tensor:
    """One step whose gates see the input alone."""
    R, Z = gates(p, X, torch.zeros_like(H))
    return Z * H + (1 - Z) * candidate(p, X, H, R)


def cut(p: SimpleNamespace, X: Tensor, H: Tensor) -> Tensor:
    """One step that cuts the gradient of the state."""
    return right(p, X, H.detach())


GRU_STEPS: dict[str, tuple[Step, str]] = {
    "reset_before": (
        before,
        "Your outputs are those of a GRU that resets *before* the product ({eq-gru-before}); "
        "here, as in `nn.GRU`, the reset gate multiplies what comes *after* it, the product of "
        "the state with `W_hh` ({eq-gru-candidate}).",
    ),
    "update_exchanged": (
        exchanged,
        "Your outputs are those of a GRU with `Z` and `1 - Z` exchanged. Here `Z` is the share of "
        "the *old* state ({eq-gru-state}); both conventions are in use ({ex-gru-convention}). "
        "`torch.lerp(a, b, w)` is `(1 - w) * a + w * b`.",
    ),
    "no_reset": (
        no_reset,
        "Your reset gate has no effect: the outputs are those with `R = 1` everywhere. It "
        "multiplies what the candidate gets from the past ({eq-gru-candidate}).",
    ),
    "bias_outside": (
        bias_outside,
        "Your `b_hh`, the last row of `b`, is added outside the brackets. The reset gate "
        "multiplies it together with the product ({eq-gru-candidate}).",
    ),
    "no_second_bias": (
        no_second_bias,
        "`b_hh`, the last row of `b`, does not enter your outputs. It stands beside the product "
        "with the state ({eq-gru-candidate}).",
    ),
    "no_biases": (
        no_biases,
        "The first three rows of `b` do not enter your outputs: each gate and the candidate have "
        "a bias ({eq-gru-gates}, {eq-gru-candidate}).",
    ),
    "blocks_exchanged": (
        blocks_exchanged,
        "Your reset gate and your update gate are exchanged. The columns of `W_x` and `W_h`, and "
        "the rows of `b`, come in the order reset, update, candidate.",
    ),
    "sigmoid_candidate": (
        sigmoid_candidate,
        "Your candidate goes through a sigmoid; it must go through tanh ({eq-gru-candidate}), so "
        "that a state can fall as well as rise.",
    ),
    "linear_candidate": (
        linear_candidate,
        "Your candidate is the bare sum: the tanh is missing ({eq-gru-candidate}).",
    ),
    "tanh_gates": (
        tanh_gates,
        "Your gates go through tanh. A gate lies between 0 and 1, so it is a sigmoid "
        "({eq-gru-gates}).",
    ),
    "all_reset": (
        all_reset,
        "Your reset gate multiplies the input's part of the candidate, too. It decides about the "
        "past alone ({eq-gru-candidate}).",
    ),
    "not_weighted": (
        not_weighted,
        "Your new state takes the whole candidate. Its share is `1 - Z`, so that old and new "
        "together make one ({eq-gru-state}).",
    ),
    "reset_kept": (
        reset_kept,
        "Your state is reset for good: what `Z` keeps is the state that `R` has already "
        "multiplied. `R` acts inside the candidate only ({eq-gru-candidate}, {eq-gru-state}).",
    ),
    "transposed": (
        transposed,
        "Your weights of the state are transposed. Here the state stands on the left, `H @ W_hh`, "
        "and weights are not transposed as in `nn.Linear`.",
    ),
    "gates_of_input": (
        gates_of_input,
        "Your gates see the input alone. The previous state enters both, through `W_hr` and "
        "`W_hz` ({eq-gru-gates}).",
    ),
    "cut": (
        cut,
        "Your outputs are right, and the gradients are those of a layer that cuts the state off "
        "before each step (`detach`): nothing is learned through time.",
    ),
}

gru = Task(
    name="gru",
    title="GRU",
    label="sec-gru-scratch",
    wanted=("class", "GRU"),
    reference=layers.GRU,
    cases=layer_cases(
        lambda program, D, H: program(D, H),
        lambda B, H: torch.zeros(B, H),
        ["the last state"],
        needs("W_x", "W_h", "b"),
    ),
    variants=variants_of(layers.GRU, gru_weights, GRU_STEPS),
    hints=[
        "Go through `inputs` step by step; each step needs the product of the input with `W_x`, "
        "the product of the previous state with `W_h`, and both cut into three parts of H columns.",
        "The gates add two parts and a row of `b` and pass the sum through a sigmoid "
        "({eq-gru-gates}). In the candidate the two parts stay apart, because the reset gate "
        "multiplies only the one of the state, `b[3]` included ({eq-gru-candidate}).",
        "The new state is `Z * H + (1 - Z) * candidate` ({eq-gru-state}). Collect the states, "
        "`torch.stack` them, and return them with the last one.",
    ],
    passed="Outputs, last state and the gradients of the inputs, the first state, `W_x`, `W_h` and "
    "`b` are those of {eq-gru-gates} to {eq-gru-state}: with and without a state, with one step "
    "and one text, in float32 and float64. Nothing is changed in place, nothing stays behind.",
    read={"reset_before": "sec-gru-order", "update_exchanged": "eq-gru-state"},
    explain=explain,
    random=True,  # a new layer draws its weights
)
