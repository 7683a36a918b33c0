"""`check.layer` on layers of any make, and `check.training` on curves of any form."""

from __future__ import annotations

import math

import planted
import pytest
import torch
from torch import nn

from d2lhelpers import check
from d2lhelpers.tasks import load_measurement

LIKE = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
RIGHT = [(task, name) for task in LIKE for name in planted.ALL[task].right]
WRONG = [
    ("rnn", "linear"), ("rnn", "cut"), ("rnn", "previous_state"),
    ("gru", "reset_before"), ("gru", "update_exchanged"), ("gru", "bias_outside"),
    ("gru", "state_ignored"), ("gru", "cut"), ("gru", "changes_inputs"),
    ("lstm", "no_output_tanh"), ("lstm", "coupled"), ("lstm", "cut_memory"),
    ("lstm", "taken_exchanged"), ("lstm", "unknown/peepholes"),
]  # fmt: skip


def program(task: str, blank: str) -> object:
    return planted.load(task, planted.ALL[task].source(blank), "layer")


@pytest.mark.parametrize("task", LIKE)
def test_right_layers_pass_in_every_style(task: str) -> None:
    for name, blank in planted.ALL[task].right.items():
        found = check.layer(program(task, blank), like=LIKE[task](8, 16))
        assert found, (name, found)


@pytest.mark.parametrize(("task", "name"), WRONG)
def test_wrong_layers_are_refused_and_named(task: str, name: str) -> None:
    found = check.layer(program(task, planted.ALL[task].wrong[name]), like=LIKE[task](8, 16))
    assert found.outcome == "wrong", found
    if name not in ("previous_state", "taken_exchanged", "changes_inputs"):
        assert found.mistake == (None if name.startswith("unknown") else name), found


class Linears(nn.Module):
    """A GRU of four linear layers, the update gate first, weights as in PyTorch, batch first."""

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        self.hidden = hidden_size
        both = input_size + hidden_size
        self.update, self.reset = nn.Linear(both, hidden_size), nn.Linear(both, hidden_size)
        self.new, self.past = (
            nn.Linear(input_size, hidden_size),
            nn.Linear(hidden_size, hidden_size),
        )

    def forward(self, inputs, state=None):
        h = inputs.new_zeros(inputs.shape[0], self.hidden) if state is None else state
        outputs = []
        for x in inputs.unbind(1):
            z, r = (torch.sigmoid(gate(torch.cat([x, h], 1))) for gate in (self.update, self.reset))
            h = (1 - z) * torch.tanh(self.new(x) + r * self.past(h)) + z * h
            outputs.append(h)
        return torch.stack(outputs, 1), h


def test_weights_are_found_in_linear_layers() -> None:
    found = check.layer(Linears(8, 16), like=nn.GRU(8, 16))
    assert found, found
    assert "update, reset, candidate" in found.text
    assert "batch first" in found.text


def test_weights_that_cannot_be_matched_are_asked_for() -> None:
    found = check.layer(nn.Linear, like=nn.GRU(8, 16))
    assert "`weight` (16, 8), `bias` (16,)" in found.text
    assert "copy=" in found.text

    def copy(mine, theirs):
        mine.load_state_dict(theirs.state_dict())

    assert check.layer(nn.GRU(4, 6, num_layers=2), like=nn.GRU(4, 6, num_layers=2), copy=copy)


@pytest.mark.parametrize("given", [5, "GRU", None])
def test_what_is_no_layer_is_told(given: object) -> None:
    assert "pass your layer" in check.layer(given, like=nn.RNN(3, 4)).text
    assert "must be a layer" in check.layer(nn.RNN, like=given).text


# --- Training


STUDY = load_measurement("curves")
OWN = list(STUDY["results"])


@pytest.mark.parametrize("i", range(len(OWN)))
def test_the_courses_own_runs_pass(i: int) -> None:
    losses = [math.log(value) for value in OWN[i]["training"]]
    assert check.training(losses, OWN[i]["setting"])


@pytest.mark.parametrize(
    ("change", "mistake"),
    [
        (lambda curve: [math.nan for _ in curve], "diverged"),
        (lambda curve: [math.log(15.7)] * len(curve), "flat"),
        (lambda curve: [2.0 + 0.2 * i for i in range(len(curve))], "rises"),
        (lambda curve: [math.log(value) * 0.5 for value in curve], "too_low"),
        (lambda curve: [math.log(value) + 0.3 for value in curve], "too_high"),
        (lambda curve: [2.6, *[2.15] * (len(curve) - 1)], "no_memory"),
    ],
)
def test_the_form_of_a_curve_is_told(change: object, mistake: str) -> None:
    found = check.training(change(OWN[0]["training"]), OWN[0]["setting"])
    assert found.mistake == mistake, found


def test_losses_of_single_steps_are_averaged() -> None:
    losses = [math.log(value) for value in OWN[0]["training"] for _ in range(10)]
    assert check.training(losses, OWN[0]["setting"])


@pytest.mark.parametrize("given", [None, [], "losses", 3.0])
def test_what_is_no_run_is_told(given: object) -> None:
    assert "Pass what `train` returned" in check.training(given).text
    assert "There is no setting" in check.training([1.0], "no story").text
