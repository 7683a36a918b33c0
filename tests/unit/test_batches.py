"""Batches: on the text 0, 1, 2, … a token is its own position, so every window tells its place."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from d2lhelpers.batches import consecutive_batches, random_batches

both = pytest.mark.parametrize("cut", [consecutive_batches, random_batches])


@st.composite
def sizes(draw: st.DrawFn) -> tuple[int, int, int, int]:
    """N, batch_size, num_steps and an offset for which the text is long enough."""
    B, T, offset = draw(st.integers(1, 5)), draw(st.integers(1, 6)), draw(st.integers(0, 8))
    least = B * T + max(offset, T - 1) + 1
    return draw(st.integers(least, least + 60)), B, T, offset


@given(sizes())
def test_consecutive_batches_walk_along_contiguous_columns(case) -> None:
    N, B, T, offset = case
    batches = list(consecutive_batches(torch.arange(N), B, T, offset))
    for inputs, targets in batches:
        assert torch.equal(targets, inputs + 1)
    assert [X.shape for X, _ in batches[:-1]] == [(T, B)] * (len(batches) - 1)
    assert 1 <= len(batches[-1][0]) <= T
    columns = torch.cat([Y for _, Y in batches]).T  # (B, all steps)
    used = columns.numel()
    assert columns.flatten().tolist() == list(range(offset + 1, offset + 1 + used))
    assert 0 <= N - (offset + 1 + used) < B


@given(sizes(), st.integers(0, 99))
def test_random_batches_use_every_whole_window_once(case, seed: int) -> None:
    N, B, T, _ = case
    batches = list(random_batches(torch.arange(N), B, T, torch.Generator().manual_seed(seed)))
    for inputs, targets in batches:
        assert inputs.shape == targets.shape
        assert torch.equal(targets, inputs + 1)
    assert [X.shape for X, _ in batches[:-1]] == [(T, B)] * (len(batches) - 1)
    assert 1 <= batches[-1][0].shape[1] <= B
    windows = sorted(torch.cat([X for X, _ in batches], dim=1).T.tolist())
    offset = windows[0][0]
    assert 0 <= offset < T
    assert [token for window in windows for token in window] == list(
        range(offset, offset + len(windows) * T)
    )
    assert N - 1 - offset - len(windows) * T < T


def test_random_batches_repeat_with_the_seed_alone() -> None:
    def inputs(seed: int) -> list:
        generator = torch.Generator().manual_seed(seed)
        return [X.tolist() for X, _ in random_batches(torch.arange(500), 4, 5, generator)]

    assert inputs(1) == inputs(1)
    assert len({str(inputs(seed)) for seed in range(10)}) == 10
    starts = [[start for X in inputs(seed) for start in X[0]] for seed in range(40)]
    assert all(order != sorted(order) for order in starts)
    assert {min(order) for order in starts} == set(range(5))  # every offset occurs


@given(sizes())
def test_text_one_token_too_short(case) -> None:
    _, B, T, offset = case
    message = "the text has {} tokens: batch_size {} times num_steps {} needs at least {}; make"
    least = B * T + offset + 1
    with pytest.raises(ValueError, match=message.format(least - 1, B, T, least)):
        consecutive_batches(torch.arange(least - 1), B, T, offset)
    assert len(list(consecutive_batches(torch.arange(least), B, T, offset))) == 1
    least = (B + 1) * T
    with pytest.raises(ValueError, match=message.format(least - 1, B, T, least)):
        random_batches(torch.arange(least - 1), B, T)
    assert next(random_batches(torch.arange(least), B, T))[0].shape == (T, B)


@both
@pytest.mark.parametrize(
    ("batch_size", "num_steps"), [(11, 1), (1, 11), (3, 4)], ids=["batch", "window", "both"]
)
def test_batch_or_window_larger_than_the_text(cut, batch_size: int, num_steps: int) -> None:
    with pytest.raises(ValueError, match=r"the text has 10 tokens: .* needs at least .*; make"):
        cut(torch.arange(10), batch_size, num_steps)


@both
@pytest.mark.parametrize("name", ["batch_size", "num_steps"])
@pytest.mark.parametrize(
    ("value", "error", "rule"),
    [
        (0, ValueError, "positive; pass"),
        (-2, ValueError, "positive; pass"),
        (2.0, TypeError, "an int; pass"),
        (True, TypeError, "an int; pass"),
    ],
)
def test_sizes_that_are_not_positive_ints(cut, name: str, value, error, rule: str) -> None:
    arguments = {"batch_size": 2, "num_steps": 2} | {name: value}
    with pytest.raises(error, match=f"{name} is {value}: it must be {rule}"):
        cut(torch.arange(100), **arguments)


@pytest.mark.parametrize(
    ("offset", "error", "rule"),
    [(-1, ValueError, "not be negative"), (1.0, TypeError, "be an int")],
)
def test_bad_offset(offset, error, rule: str) -> None:
    with pytest.raises(error, match=f"offset is {offset}: it must {rule}; pass"):
        consecutive_batches(torch.arange(100), 2, 2, offset)
