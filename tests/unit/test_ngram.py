"""The Witten-Bell model: against a reference that follows the formula word for word."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from d2lhelpers.ngram import WittenBell


def reference(training: list[int], history: list[int], symbol: int, order: int, V: int) -> float:
    """p(symbol | history) of a model of this order, counted anew for every question."""
    if order == 0:
        return 1 / V
    k = order - 1  # length of the context
    lower = reference(training, history, symbol, k, V)
    context = history[len(history) - k :]
    starts = range(len(training) - k)
    after = Counter(training[i + k] for i in starts if training[i : i + k] == context)
    if k > len(history) or not after:
        return lower
    return (after[symbol] + len(after) * lower) / (after.total() + len(after))


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[int], list[int], int, int]:
    """A text to count, a text to predict, order, vocab_size."""
    V, order = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    texts = st.lists(st.integers(0, V - 1), min_size=max(2, order), max_size=25)
    return draw(texts), draw(texts), order, V


@given(cases())
def test_agrees_with_the_reference_at_every_order(case) -> None:
    training, tokens, order, V = case
    model = WittenBell(torch.tensor(training), order, V)
    for lower in range(1, order + 1):
        expected = [
            reference(training, tokens[:i], tokens[i], lower, V) for i in range(1, len(tokens))
        ]
        found = model.probabilities(torch.tensor(tokens), lower)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
        perplexity = np.exp(-np.log(expected).mean())
        assert model.perplexity(torch.tensor(tokens), lower) == pytest.approx(perplexity)
    np.testing.assert_array_equal(model.probabilities(torch.tensor(tokens)), found)


@given(cases())
def test_distributions_sum_to_one(case) -> None:
    training, history, order, V = case
    model = WittenBell(torch.tensor(training), order, V)
    p = [model.probabilities(torch.tensor([*history, symbol]))[-1] for symbol in range(V)]
    assert sum(p) == pytest.approx(1, abs=1e-12)
    assert min(p) > 0


def test_by_hand() -> None:
    """After a b a b, vocabulary a b c: p(b) = (2 + 2/3) / 6, p(b | a) = (2 + p(b)) / 3."""
    model = WittenBell(torch.tensor([0, 1, 0, 1]), order=2, vocab_size=3)
    p_b = (2 + 2 / 3) / 6
    assert model.probabilities(torch.tensor([0, 1]), order=1) == pytest.approx([p_b])
    assert model.probabilities(torch.tensor([0, 1])) == pytest.approx([(2 + p_b) / 3])
    assert model.probabilities(torch.tensor([2, 1])) == pytest.approx([p_b])  # c is unknown


def test_lower_order_reads_a_text_shorter_than_the_model() -> None:
    model = WittenBell(torch.tensor([0, 1, 0, 1, 0]), order=4, vocab_size=2)
    assert model.probabilities(torch.tensor([0, 1]), order=2).shape == (1,)


@pytest.mark.parametrize(
    ("tokens", "order", "vocab_size", "error", "message"),
    [
        ([0, 1, 2], 0, 3, ValueError, "order is 0: it must be positive; pass"),
        ([0, 1, 2], 1.5, 3, TypeError, r"order is 1\.5: it must be an int; pass"),
        ([0, 1, 2], 1, -3, ValueError, "vocab_size is -3: it must be positive; pass"),
        ([0, 1, 2], 1, 2, ValueError, r"from 0 to 2: each must lie in \[0, 2\); encode"),
        ([0, -1, 2], 1, 3, ValueError, r"from -1 to 2: each must lie in \[0, 3\); encode"),
        ([0, 1, 2], 4, 3, ValueError, r"shape \(3,\): a 4-gram model needs .* 4 tokens; pass"),
        ([0], 1, 3, ValueError, r"shape \(1,\): a 1-gram model needs .* 2 tokens; pass"),
        ([[0, 1], [1, 2]], 1, 3, ValueError, r"shape \(2, 2\): .* one axis"),
    ],
)
def test_bad_input(tokens, order, vocab_size, error, message) -> None:
    with pytest.raises(error, match=message):
        WittenBell(torch.tensor(tokens), order, vocab_size)


@pytest.mark.parametrize(
    ("tokens", "order", "message"),
    [
        ([0, 1, 2], 4, "order is 4: this model has 3; count a longer one"),
        ([0, 1, 2], 0, "order is 0: it must be positive; pass"),
        ([0, 1], 3, r"shape \(2,\): a 3-gram model needs .* 3 tokens; pass"),
        ([0, 1, 3], 3, r"from 0 to 3: each must lie in \[0, 3\); encode"),
    ],
)
def test_bad_question(tokens, order, message) -> None:
    model = WittenBell(torch.tensor([0, 1, 2, 1]), order=3, vocab_size=3)
    with pytest.raises(ValueError, match=message):
        model.probabilities(torch.tensor(tokens), order)
