"""The tasks with long lags: targets by brute force, chance levels on data, training, errors."""

import itertools
import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from d2lhelpers.layers import RNN
from d2lhelpers.model import LanguageModel
from d2lhelpers.tasks import (
    ADDING_CHANCE,
    Adder,
    adding_problem,
    copy_chance,
    copy_memory,
    load_measurement,
    task_loss,
    train_on_task,
)

seeds = st.integers(0, 99)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(st.integers(1, 6), st.integers(2, 30), seeds)
def test_adding_marks_one_number_in_each_half_and_adds_the_two(B: int, T: int, seed: int) -> None:
    inputs, targets = adding_problem(B, T, generator(seed))
    assert inputs.shape == (T, B, 2)
    assert targets.shape == (B,)
    for b in range(B):
        rows = inputs[:, b].tolist()
        marked = [t for t, (_, mark) in enumerate(rows) if mark == 1]
        assert sorted({mark for _, mark in rows} | {0.0, 1.0}) == [0.0, 1.0]
        assert len(marked) == 2
        assert marked[0] < T // 2 <= marked[1]
        assert T / 2 <= T - marked[0] <= T
        assert all(0 <= number < 1 for number, _ in rows)
        assert targets[b].item() == pytest.approx(sum(rows[t][0] for t in marked))


def test_adding_puts_the_marks_everywhere() -> None:
    inputs, _ = adding_problem(2000, 7, generator())
    counts = inputs[:, :, 1].sum(1)
    for part, steps in ((counts[:3], 3), (counts[3:], 4)):
        assert torch.all((part / 2000 - 1 / steps).abs() < 0.05)


@given(st.integers(1, 5), st.integers(11, 40), seeds)
def test_copies_stand_lag_steps_after_the_symbols(B: int, lag: int, seed: int) -> None:
    tokens, targets = copy_memory(B, lag, generator(seed))
    assert tokens.shape == targets.shape == (lag + 10, B)
    for b in range(B):
        symbols = tokens[:10, b].tolist()
        assert all(1 <= symbol <= 8 for symbol in symbols)
        assert tokens[:, b].tolist() == symbols + [0] * (lag - 11) + [9] + [0] * 10
        assert targets[:, b].tolist() == [0] * lag + symbols


@pytest.mark.parametrize("draw", [adding_problem, copy_memory])
def test_data_depend_on_the_generator_alone(draw) -> None:
    torch.manual_seed(5)
    one = draw(4, 20, generator(1))
    torch.manual_seed(6)
    same, other = draw(4, 20, generator(1)), draw(4, 20, generator(2))
    assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
    assert not torch.equal(one[0], other[0])


def test_one_is_the_best_constant_sum_and_its_error_is_a_sixth() -> None:
    _, targets = adding_problem(200_000, 10, generator())
    error = ((targets - 1) ** 2).mean().item()
    assert error == pytest.approx(ADDING_CHANCE, abs=0.002)
    assert targets.mean().item() == pytest.approx(1, abs=0.005)


@pytest.mark.parametrize("lag", [11, 30])
def test_what_the_step_alone_tells_costs_copy_chance(lag: int) -> None:
    """The frequencies of targets at each step: the best that a model without memory can say."""
    _, targets = copy_memory(20_000, lag, generator())
    shares = torch.stack([(targets == token).double().mean(1) for token in range(10)])
    entropy = -torch.xlogy(shares, shares).sum(0).mean().item()
    assert copy_chance(lag) == pytest.approx(10 * math.log(8) / (lag + 10))
    assert entropy == pytest.approx(copy_chance(lag), rel=0.002)


class Memoryless(nn.Module):
    """Blanks for sure while nothing is due, then each symbol with probability 1/8."""

    def forward(self, tokens):
        logits = torch.full((*tokens.shape, 10), -1e9)
        logits[:-10, :, 0] = 0
        logits[-10:, :, 1:9] = 0
        return logits, None


def test_the_loss_of_the_memoryless_strategy_is_copy_chance() -> None:
    loss = task_loss(Memoryless(), *copy_memory(50, 25, generator()))
    assert loss.item() == pytest.approx(copy_chance(25))


@pytest.mark.parametrize("layer", [RNN, nn.GRU, nn.LSTM])
def test_training_on_short_sums_beats_chance_and_repeats(layer) -> None:
    def losses(seed: int = 0) -> list[float]:
        torch.manual_seed(0)
        model = Adder(layer(2, 16))
        return train_on_task(
            model, lambda g: adding_problem(32, 2, g), 150, learning_rate=0.02, seed=seed
        )

    found = losses()
    assert len(found) == 150
    assert sum(found[-10:]) / 10 < 0.1 * ADDING_CHANCE
    assert found == losses()
    assert found != losses(1)


def test_copy_memory_trains_a_language_model_down_to_chance() -> None:
    torch.manual_seed(0)
    model = LanguageModel(nn.GRU(8, 24), 10)
    found = train_on_task(model, lambda g: copy_memory(16, 11, g), 150, learning_rate=0.01)
    assert found[0] > 1.5 * copy_chance(11)
    assert sum(found[-10:]) / 10 < 1.1 * copy_chance(11)


def test_the_gradient_that_the_optimizer_sees_has_at_most_norm_one() -> None:
    torch.manual_seed(0)
    model, seen = Adder(nn.GRU(2, 8)), []

    def note(optimizer: torch.optim.Optimizer, *_: object) -> None:
        gradients = [p.grad.flatten() for group in optimizer.param_groups for p in group["params"]]
        seen.append(torch.cat(gradients).norm().item())

    def far(generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        inputs, targets = adding_problem(4, 5, generator)
        return inputs, 100 * targets

    handle = register_optimizer_step_pre_hook(note)
    train_on_task(model, far, 3, learning_rate=0.01)
    handle.remove()
    assert seen == pytest.approx([1.0] * 3, rel=1e-4)


def test_training_that_diverges_stops_with_advice() -> None:
    model = Adder(RNN(2, 4))
    with pytest.raises(FloatingPointError, match=r"loss is nan at step 0.*smaller learning_rate"):
        train_on_task(
            model, lambda g: (torch.full((3, 2, 2), math.nan), torch.ones(2)), 5, learning_rate=0.1
        )


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: adding_problem(0, 10), ValueError, r"^batch_size is 0: .*pass 1 or more"),
        (lambda: adding_problem(4, 2.5), TypeError, r"^num_steps is 2.5: it must be an int"),
        (lambda: adding_problem(4, 1), ValueError, r"^num_steps is 1: two .*; pass 2 or more"),
        (lambda: copy_memory(0, 20), ValueError, r"^batch_size is 0: .*pass 1 or more"),
        (lambda: copy_memory(4, 10), ValueError, r"^lag is 10: .*; pass 11 or more"),
        (lambda: copy_chance(10), ValueError, r"^lag is 10: .*; pass 11 or more"),
        (lambda: copy_chance("20"), TypeError, r"^lag is '20': it must be an int"),
        (lambda: Adder(nn.Linear(2, 2)), TypeError, r"^Linear has no input_size"),
        (lambda: train_on_task(None, None, 0, learning_rate=1), ValueError, r"^steps is 0: "),
        (lambda: train_on_task(None, None, 1, learning_rate=0), ValueError, r"^learning_rate is 0"),
        (lambda: load_measurement("none"), ValueError, r"^no measurement is called 'none': choose"),
    ],
)
def test_errors_name_input_rule_and_fix(call, error, message) -> None:
    with pytest.raises(error, match=message):
        call()


def test_the_committed_study_is_whole() -> None:
    study = load_measurement("long_lag")
    keys = [(r["model"], r["length"], r["seed"], r["learning_rate"]) for r in study["results"]]
    models, lengths, seeds, rates = ({key[i] for key in keys} for i in range(4))
    assert models == set(study["settings"]["parameters"])
    assert rates == set(study["settings"]["learning_rates"])
    assert sorted(keys) == sorted(itertools.product(models, lengths, seeds, rates))
    assert len(seeds) >= 3
    sizes = study["settings"]["parameters"].values()
    assert max(sizes) < 1.03 * min(sizes), "the models have equally many parameters"
    for row in study["results"]:
        assert row["relative_error"] == pytest.approx(row["test_mse"] / ADDING_CHANCE)


def test_the_committed_speeds_are_whole() -> None:
    study = load_measurement("devices")
    book = Path(__file__).parents[2] / "book"
    chapters = {p.stem for p in book.glob("*.md") if "= use_device()" in p.read_text("utf-8")}
    layers = {
        (size, layer) for size in study["settings"]["sizes"] for layer in ("RNN", "GRU", "LSTM")
    }
    assert "cpu" in {device["kind"] for device in study["devices"]}
    for device in study["devices"]:
        # A chapter that is new is missing until somebody measures it, on whichever machine.
        assert set(device["chapters"]) <= chapters
        assert min(device["chapters"].values()) > 0
        assert {(row["size"], row["layer"]) for row in device["layers"]} == layers
        for row in device["layers"]:
            assert min(row[way] for way in ("from scratch", "torch.nn", "compiled")) > 0
