"""N-gram models: against references that follow the formulas word for word."""

import time
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from d2lhelpers.ngram import KneserNey, NGram, WittenBell
from d2lhelpers.text import load_corpus


def witten_bell(training: list[int], history: list[int], symbol: int, order: int, V: int) -> float:
    """p(symbol | history) of a model of this order, counted anew for every question."""
    if order == 0:
        return 1 / V
    k = order - 1  # length of the context
    lower = witten_bell(training, history, symbol, k, V)
    context = history[len(history) - k :]
    starts = range(len(training) - k)
    after = Counter(training[i + k] for i in starts if training[i : i + k] == context)
    if k > len(history) or not after:
        return lower
    return (after[symbol] + len(after) * lower) / (after.total() + len(after))


def kneser_ney(
    training: list[int], history: list[int], symbol: int, order: int, V: int, top: bool = True
) -> float:
    """The same for Kneser-Ney; below the top, counts are of different symbols before."""
    if order == 0:
        return 1 / V
    lower = kneser_ney(training, history, symbol, order - 1, V, top=False)

    def counts(length: int) -> Counter:
        grams = [tuple(training[i : i + length]) for i in range(len(training) - length + 1)]
        return Counter(grams)

    all_counts = counts(order)
    if not top:
        longer = counts(order + 1)
        all_counts = Counter(dict.fromkeys(all_counts, 0))
        all_counts.update(gram[1:] for gram in longer)
    n = [sum(count == i for count in all_counts.values()) for i in range(5)]
    D = [0.0, 0.5, 0.5, 0.5]
    if all(n[1:]):
        Y = n[1] / (n[1] + 2 * n[2])
        D = [0.0, *(max(0.0, i - (i + 1) * Y * n[i + 1] / n[i]) for i in (1, 2, 3))]
    context = tuple(history[len(history) - (order - 1) :])
    after = {gram[-1]: count for gram, count in all_counts.items() if gram[:-1] == context}
    if order - 1 > len(history) or not sum(after.values()):
        return lower
    rest = sum(D[min(count, 3)] for count in after.values())
    count = after.get(symbol, 0)
    return (count - D[min(count, 3)] + rest * lower) / sum(after.values())


MODELS = [(WittenBell, witten_bell), (KneserNey, kneser_ney)]


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[int], list[int], int, int]:
    """A text to count, a text to predict, order, vocab_size."""
    V, order = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    texts = st.lists(st.integers(0, V - 1), min_size=max(2, order), max_size=25)
    long = st.lists(st.integers(0, V - 1), min_size=40, max_size=80)  # enough for discounts
    return draw(texts | long), draw(texts), order, V


@pytest.mark.parametrize(("kind", "reference"), MODELS)
@given(case=cases())
def test_agrees_with_the_reference_at_every_order(kind, reference, case) -> None:
    training, tokens, order, V = case
    model = kind(torch.tensor(training), order, V)
    for lower in range(1, order + 1):
        expected = [
            reference(training, tokens[:i], tokens[i], lower, V) for i in range(1, len(tokens))
        ]
        found = model.probabilities(torch.tensor(tokens), lower)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
        perplexity = np.exp(-np.log(expected).mean())
        assert model.perplexity(torch.tensor(tokens), lower) == pytest.approx(perplexity)
    np.testing.assert_array_equal(model.probabilities(torch.tensor(tokens)), found)


@pytest.mark.parametrize("kind", [WittenBell, KneserNey])
@given(case=cases())
def test_distributions_sum_to_one(kind, case) -> None:
    training, history, order, V = case
    model = kind(torch.tensor(training), order, V)
    p = [model.probabilities(torch.tensor([*history, symbol]))[-1] for symbol in range(V)]
    assert sum(p) == pytest.approx(1, abs=1e-12)
    assert min(p) > 0


@pytest.mark.parametrize("kind", [WittenBell, KneserNey])
@given(case=cases())
def test_all_symbols_at_once_are_each_symbol_alone(kind, case) -> None:
    training, tokens, order, V = case
    model = kind(torch.tensor(training), order, V)
    p = model.distributions(torch.tensor(tokens))
    assert p.shape == (len(tokens) - 1, V)
    for w in range(V):
        for i in range(1, len(tokens)):
            if i + 1 >= max(2, order):
                asked = torch.tensor([*tokens[:i], w])
                assert p[i - 1, w] == pytest.approx(model.probabilities(asked)[-1], rel=1e-12)


def test_kneser_ney_on_the_story_is_the_reference_and_sums_to_one() -> None:
    """On a real text, where the discounts are those of the formula at every level but the first."""
    corpus = load_corpus("story", max_characters=4000)
    model = KneserNey(corpus.training, 5, 27)
    training, tokens = corpus.training.tolist(), corpus.test[:12].tolist()
    found = model.probabilities(corpus.test[:12])
    expected = [kneser_ney(training, tokens[:i], tokens[i], 5, 27) for i in range(1, 12)]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    for start in range(0, 300, 30):
        context = corpus.test[start : start + 6]
        after = torch.cat([context.expand(27, 6), torch.arange(27)[:, None]], dim=1)
        assert sum(model.probabilities(row)[-1] for row in after) == pytest.approx(1, abs=1e-12)


def test_kneser_ney_on_the_last_tenth_of_the_story() -> None:
    corpus = load_corpus("story", test_at=0.9)
    start = time.process_time()
    model = KneserNey(torch.cat([corpus.training, corpus.validation]), 8, 27)
    assert f"{model.perplexity(corpus.test):.2f}" == "3.58"
    assert time.process_time() - start < 3


def test_kneser_ney_counts_the_symbols_before() -> None:
    """In b a b a c a d a, a follows three symbols, and c only one, however often each occurs."""
    b, a, c, d = range(4)
    tokens = torch.tensor([b, a, b, a, c, a, d, a])
    model = KneserNey(tokens, order=2, vocab_size=4)
    # Different symbols before: a 3, b 1, c 1, d 1. Discounts 1/2, so the rest is 4 / 2 of 6.
    p_a, p_c = 2.5 / 6 + 2 / 6 / 4, 0.5 / 6 + 2 / 6 / 4
    # After a: b, c, d once each.
    assert model.probabilities(torch.tensor([a, c])) == pytest.approx([0.5 / 3 + 1.5 / 3 * p_c])
    assert model.probabilities(torch.tensor([a, a])) == pytest.approx([1.5 / 3 * p_a])


def test_a_model_has_to_define_its_shares() -> None:
    with pytest.raises(NotImplementedError, match="NGram has to define _table"):
        NGram(torch.tensor([0, 1]), 1, 2).probabilities(torch.tensor([0, 1]))


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
