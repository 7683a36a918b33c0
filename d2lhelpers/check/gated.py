"""Tasks: the gated recurrent unit, with the reset after the product and before it."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import torch
from torch import Tensor

from d2lhelpers import layers
from d2lhelpers.check.core import Task
from d2lhelpers.check.probe import layer_cases
from d2lhelpers.check.walks import Step, explain, needs, variants_of


def weights(layer: layers.GRU) -> SimpleNamespace:
    """Return the weights of a GRU under the names that they have in the equations."""
    p = SimpleNamespace()
    p.W_xr, p.W_xz, p.W_xh = layer.W_x.chunk(3, dim=1)
    p.W_hr, p.W_hz, p.W_hh = layer.W_h.chunk(3, dim=1)
    p.b_r, p.b_z, p.b_h, p.b_hh = layer.b.unbind()
    p.past = after
    return p


def weights_before(layer: layers.GRU) -> SimpleNamespace:
    """Return the same for the GRU that resets before the product."""
    p = weights(layer)
    p.past = before
    return p


def after(p: SimpleNamespace, H: Tensor, R: Tensor) -> Tensor:
    """Return what the candidate gets from the past, reset after the product."""
    result: Tensor = R * (H @ p.W_hh + p.b_hh)
    return result


def before(p: SimpleNamespace, H: Tensor, R: Tensor) -> Tensor:
    """Return what the candidate gets from the past, reset before the product."""
    result: Tensor = (R * H) @ p.W_hh + p.b_hh
    return result


def step(
    change: Callable[[SimpleNamespace], None] = lambda p: None,
    gate: Callable[[Tensor], Tensor] = torch.sigmoid,
    activation: Callable[[Tensor], Tensor] = torch.tanh,
    past: Callable[..., Tensor] | None = None,
    new: Callable[..., Tensor] = lambda R, Z, H, candidate: Z * H + (1 - Z) * candidate,
) -> Step:
    """Return a step of the GRU with one part changed: its weights, a function, a formula."""

    def run(p: SimpleNamespace, X: Tensor, H: Tensor) -> Tensor:
        change(p)
        R = gate(X @ p.W_xr + H @ p.W_hr + p.b_r)
        Z = gate(X @ p.W_xz + H @ p.W_hz + p.b_z)
        candidate = activation(X @ p.W_xh + p.b_h + (past or p.past)(p, H, R))
        return new(R, Z, H, candidate)

    return run


def zero(*names: str) -> Callable[[SimpleNamespace], None]:
    """Return what sets weights to zero."""

    def change(p: SimpleNamespace) -> None:
        for name in names:
            setattr(p, name, torch.zeros_like(getattr(p, name)))

    return change


def exchange(
    kinds: str, weights: tuple[str, ...] = ("W_x", "W_h", "b_")
) -> Callable[[SimpleNamespace], None]:
    """Return what hands the weights called by one order of letters to those called by "rzh"."""

    def change(p: SimpleNamespace) -> None:
        old = dict(vars(p))
        for wanted, taken in zip("rzh", kinds, strict=True):
            for weight in weights:
                setattr(p, weight + wanted, old[weight + taken])

    return change


def transpose(p: SimpleNamespace) -> None:
    """Transpose the weights of the state."""
    p.W_hr, p.W_hz, p.W_hh = p.W_hr.T, p.W_hz.T, p.W_hh.T


def all_reset(p: SimpleNamespace, X: Tensor, H: Tensor) -> Tensor:
    """One step whose reset gate also multiplies what comes from the input."""
    R = torch.sigmoid(X @ p.W_xr + H @ p.W_hr + p.b_r)
    Z = torch.sigmoid(X @ p.W_xz + H @ p.W_hz + p.b_z)
    return Z * H + (1 - Z) * torch.tanh(R * (X @ p.W_xh + p.b_h + H @ p.W_hh + p.b_hh))


def reset_kept(p: SimpleNamespace, X: Tensor, H: Tensor) -> Tensor:
    """One step that carries the state that was reset."""
    R = torch.sigmoid(X @ p.W_xr + H @ p.W_hr + p.b_r)
    Z = torch.sigmoid(X @ p.W_xz + H @ p.W_hz + p.b_z)
    H = R * H
    return Z * H + (1 - Z) * torch.tanh(X @ p.W_xh + p.b_h + H @ p.W_hh + p.b_hh)


def cut(p: SimpleNamespace, X: Tensor, H: Tensor) -> Tensor:
    """One step that cuts the gradient of the state."""
    result: Tensor = step()(p, X, H.detach())
    return result


def bank(form: str) -> dict[str, tuple[Step, str]]:
    """Return the mistakes of both forms; `form` is the equation of the candidate."""
    return {
        "update_exchanged": (
            step(new=lambda R, Z, H, candidate: (1 - Z) * H + Z * candidate),
            "Your outputs are those of a GRU with `Z` and `1 - Z` exchanged. Here `Z` is the share "
            "of the *old* state ({eq-gru-state}); both conventions are in use "
            "({ex-gru-convention}). `torch.lerp(a, b, w)` is `(1 - w) * a + w * b`.",
        ),
        "no_reset": (
            step(past=lambda p, H, R: H @ p.W_hh + p.b_hh),
            "Your reset gate has no effect: the outputs are those with `R = 1` everywhere. It "
            f"decides how much of the past the candidate gets ({form}).",
        ),
        "no_second_bias": (
            step(zero("b_hh")),
            "`b_hh`, the last row of `b`, does not enter your outputs. It stands beside the "
            f"product with the state ({form}).",
        ),
        "no_biases": (
            step(zero("b_r", "b_z", "b_h")),
            "The first three rows of `b` do not enter your outputs: each gate and the candidate "
            f"have a bias ({{eq-gru-gates}}, {form}).",
        ),
        "blocks_exchanged": (
            step(exchange("zrh")),
            "Your reset gate and your update gate are exchanged. The columns of `W_x` and `W_h`, "
            "and the rows of `b`, come in the order reset, update, candidate.",
        ),
        "blocks_exchanged/columns": (
            step(exchange("zrh", ("W_x", "W_h"))),
            "Your reset gate and your update gate read each other's columns of `W_x` and `W_h`. "
            "They come in the order reset, update, candidate, as the rows of `b` do.",
        ),
        "blocks_exchanged/rows": (
            step(exchange("zrh", ("b_",))),
            "Your reset gate and your update gate have each other's bias: the rows of `b` are "
            "`b_r`, `b_z`, `b_h` and `b_hh`, in this order.",
        ),
        "candidate_first": (
            step(exchange("zhr")),
            "You read the columns of `W_x` and `W_h` in the order candidate, reset, update. They "
            "come in the order reset, update, candidate, and so do the rows of `b`.",
        ),
        "sigmoid_candidate": (
            step(activation=torch.sigmoid),
            f"Your candidate goes through a sigmoid; it must go through tanh ({form}), so that a "
            "state can fall below zero.",
        ),
        "linear_candidate": (
            step(activation=lambda inside: inside),
            f"Your candidate is the bare sum: the tanh is missing ({form}).",
        ),
        "tanh_gates": (
            step(gate=torch.tanh),
            "Your gates go through tanh. A gate lies between 0 and 1, so it is a sigmoid "
            "({eq-gru-gates}).",
        ),
        "linear_gates": (
            step(gate=lambda inside: inside),
            "Your gates are bare sums: the sigmoid that brings them between 0 and 1 is missing "
            "({eq-gru-gates}).",
        ),
        "all_reset": (
            all_reset,
            "Your reset gate multiplies the input's part of the candidate, too. It decides about "
            f"the past alone ({form}).",
        ),
        "not_weighted": (
            step(new=lambda R, Z, H, candidate: Z * H + candidate),
            "Your new state takes the whole candidate. Its share is `1 - Z`, so that the shares of "
            "old and new make one ({eq-gru-state}).",
        ),
        "no_update": (
            step(new=lambda R, Z, H, candidate: candidate),
            "Your new state is the candidate alone: the update gate, which keeps a share of the "
            "old state, has no effect ({eq-gru-state}).",
        ),
        "reset_kept": (
            reset_kept,
            "Your state is reset for good: what `Z` keeps is the state that `R` has already "
            f"multiplied. `R` acts inside the candidate only ({form}, {{eq-gru-state}}).",
        ),
        "transposed": (
            step(transpose),
            "Your weights of the state are transposed. Here the state stands on the left, "
            "`H @ W_hh`, and weights are not transposed as in `nn.GRU`.",
        ),
        "gates_of_input": (
            step(zero("W_hr", "W_hz")),
            "Your gates see the input alone. The previous state enters both, through `W_hr` and "
            "`W_hz` ({eq-gru-gates}).",
        ),
        "cut": (
            cut,
            "Your outputs are right, and the gradients are those of a layer that cuts the state "
            "off before each step (`detach`): nothing is learned through time.",
        ),
    }


AFTER = bank("{eq-gru-candidate}") | {
    "reset_before": (
        step(past=before),
        "Your outputs are those of a GRU that resets *before* the product ({eq-gru-before}); "
        "here, as in `nn.GRU`, the reset gate multiplies what comes *after* it, the product of "
        "the state with `W_hh` ({eq-gru-candidate}).",
    ),
    "bias_outside": (
        step(past=lambda p, H, R: R * (H @ p.W_hh) + p.b_hh),
        "Your `b_hh`, the last row of `b`, is added outside the brackets. The reset gate "
        "multiplies it together with the product ({eq-gru-candidate}).",
    ),
}
BEFORE = bank("{eq-gru-before}") | {
    "reset_after": (
        step(past=after),
        "Your outputs are those of a GRU that resets *after* the product ({eq-gru-candidate}), as "
        "`nn.GRU` does. Here the reset gate multiplies the state *before* it meets `W_hh` "
        "({eq-gru-before}).",
    ),
    "product_reset": (
        step(past=lambda p, H, R: R * (H @ p.W_hh) + p.b_hh),
        "Your reset gate multiplies the product of the state with `W_hh`. Here it multiplies the "
        "state *before* the product: `(R * H) @ W_hh` ({eq-gru-before}).",
    ),
    "bias_reset": (
        step(past=lambda p, H, R: (R * H) @ p.W_hh + R * p.b_hh),
        "Your reset gate multiplies `b_hh`, the last row of `b`. Before the product there is no "
        "bias to reset: it is added as it is ({sec-gru-order}).",
    ),
    "not_elementwise": (
        step(past=lambda p, H, R: R @ p.W_hh * H + p.b_hh),
        "You multiply `R` by `W_hh`, and the state by the result. First comes the product element "
        "by element, `R * H`, then `@ W_hh` ({eq-gru-before}).",
    ),
}


class ResetBefore(layers.GRU):
    """The GRU that resets before the product, as the chapter has it."""

    def forward(self, inputs: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        H = inputs.new_zeros(inputs.shape[1], self.hidden_size) if state is None else state
        outputs = []
        for X in inputs:
            H = step()(weights_before(self), X, H)
            outputs.append(H)
        return torch.stack(outputs), H


CASES = layer_cases(
    lambda program, D, H: program(D, H),
    lambda B, H: torch.zeros(B, H),
    ["the last state"],
    needs("W_x", "W_h", "b"),
)

gru = Task(
    name="gru",
    title="GRU",
    label="sec-gru-scratch",
    wanted=("class", "GRU"),
    reference=layers.GRU,
    cases=CASES,
    variants=variants_of(layers.GRU, weights, AFTER),
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

reset_before = Task(
    name="reset_before",
    title="GRU that resets before the product",
    label="sec-gru-order",
    wanted=("class", "ResetBefore"),
    reference=ResetBefore,
    cases=CASES,
    variants=variants_of(ResetBefore, weights_before, BEFORE),
    hints=[
        "Only the candidate is another one: take the loop of `GRU` and look at what its line with "
        "the candidate uses.",
        "`W_h` can no longer be multiplied as a whole: the columns of the candidate have to wait "
        "for `R`. Cut `self.W_h` into the first `2 * self.hidden_size` columns and the rest.",
        "The candidate is the tanh of the input's part, of `(R * H) @ W_hh` and of `self.b[3]` "
        "({eq-gru-before}).",
    ],
    passed="Outputs, last state and the gradients of the inputs, the first state, `W_x`, `W_h` and "
    "`b` are those of {eq-gru-before} with the gates of {eq-gru-gates}: with and without a state, "
    "with one step and one text, in float32 and float64. Nothing is changed in place, nothing "
    "stays behind.",
    read={"reset_after": "eq-gru-before", "update_exchanged": "eq-gru-state"},
    explain=explain,
    doc="""The GRU that resets the state before the product with `W_hh`.

Parameters, inputs (T, B, D), state (B, H) or None, outputs (T, B, H) and last state as of `GRU`;
`b[3]`, which is b_hh, is added to the candidate's sum as it is.
""",
    random=True,  # a new layer draws its weights
)
