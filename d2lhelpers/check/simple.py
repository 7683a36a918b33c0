"""Task: the simple recurrent layer."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import Tensor

from d2lhelpers import layers
from d2lhelpers.check.core import Task
from d2lhelpers.check.probe import layer_cases
from d2lhelpers.check.walks import Step, explain, needs, variants_of


def weights(layer: layers.RNN) -> SimpleNamespace:
    """Return the weights of an RNN under the names that they have in the equation."""
    return SimpleNamespace(W_xh=layer.W_xh, W_hh=layer.W_hh, b_h=layer.b_h)


def inside(p: SimpleNamespace, X: Tensor, H: Tensor) -> Tensor:
    """Return what stands inside the tanh."""
    result: Tensor = X @ p.W_xh + H @ p.W_hh + p.b_h
    return result


STEPS: dict[str, tuple[Step, str]] = {
    "linear": (
        lambda p, X, H: inside(p, X, H),
        "Your state is the bare sum: the tanh around it is missing ({eq-rnn}).",
    ),
    "sigmoid": (
        lambda p, X, H: torch.sigmoid(inside(p, X, H)),
        "Your state goes through a sigmoid. Here φ is tanh ({eq-rnn}), as in `nn.RNN`: a state can "
        "be negative, too.",
    ),
    "relu": (
        lambda p, X, H: torch.relu(inside(p, X, H)),
        "Your state goes through a ReLU. Here φ is tanh ({eq-rnn}); `nn.RNN` takes the ReLU only "
        'with `nonlinearity="relu"`.',
    ),
    "no_bias": (
        lambda p, X, H: torch.tanh(X @ p.W_xh + H @ p.W_hh),
        "The bias `b_h` does not enter your outputs ({eq-rnn}).",
    ),
    "two_biases": (
        lambda p, X, H: torch.tanh(inside(p, X, H) + p.b_h),
        "The bias `b_h` enters your outputs twice. If you add it to the products with the inputs "
        "before the loop, do not add it again in the loop ({eq-rnn}).",
    ),
    "no_past": (
        lambda p, X, H: torch.tanh(X @ p.W_xh + p.b_h),
        "Your layer has no memory: the product of the previous state with `W_hh` is missing "
        "({eq-rnn}). What you computed is a layer without a hidden state ({eq-feedforward}).",
    ),
    "transposed": (
        lambda p, X, H: torch.tanh(X @ p.W_xh + H @ p.W_hh.T + p.b_h),
        "Your `W_hh` is transposed. Here the state stands on the left, `H @ W_hh`, and the weights "
        "are not transposed as in `nn.RNN` ({eq-rnn}).",
    ),
    "past_outside": (
        lambda p, X, H: torch.tanh(X @ p.W_xh + p.b_h) + H @ p.W_hh,
        "The part of the previous state is added outside the tanh. The tanh goes around the whole "
        "sum ({eq-rnn}).",
    ),
    "past_added": (
        lambda p, X, H: H + torch.tanh(inside(p, X, H)),
        "Your step adds the new state to the old one. It replaces it ({eq-rnn}).",
    ),
    "no_weights": (
        lambda p, X, H: torch.tanh(X @ p.W_xh + H + p.b_h),
        "The previous state enters your sum as it is. It is multiplied by `W_hh` ({eq-rnn}).",
    ),
    "cut": (
        lambda p, X, H: torch.tanh(inside(p, X, H.detach())),
        "Your outputs are right, and the gradients are those of a layer that cuts the state off "
        "before each step (`detach`): nothing is learned through time ({eq-bptt}).",
    ),
}

rnn = Task(
    name="rnn",
    title="RNN",
    label="sec-rnn-scratch",
    wanted=("class", "RNN"),
    reference=layers.RNN,
    cases=layer_cases(
        lambda program, D, H: program(D, H),
        lambda B, H: torch.zeros(B, H),
        ["the last state"],
        needs("W_xh", "W_hh", "b_h"),
    ),
    variants=variants_of(layers.RNN, weights, STEPS),
    hints=[
        "Start from `state`, or from zeros of shape (B, H) if it is `None`: "
        "`inputs.new_zeros(inputs.shape[1], self.hidden_size)`.",
        "A loop over `inputs` gives one step (B, D) after another. The new state is the tanh of "
        "three terms ({eq-rnn}), and it is what the next step reads.",
        "Collect the states in a list, `torch.stack` them into (T, B, H), and return them together "
        "with the last one.",
    ],
    passed="Outputs, last state and the gradients of the inputs, the first state, `W_xh`, `W_hh` "
    "and `b_h` are those of {eq-rnn}: with and without a state, with one step and one text, in "
    "float32 and float64. Nothing is changed in place, nothing stays behind.",
    read={"cut": "sec-bptt", "no_past": "eq-rnn"},
    explain=explain,
    random=True,  # a new layer draws its weights
)
