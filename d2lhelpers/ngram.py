"""N-gram models: what counting alone reaches, the baseline of every chapter."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from torch import Tensor

from d2lhelpers.checks import check_positive_int, check_range, check_text

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class NGram:
    """What n-gram models share: the counts, and the way from short contexts to long ones.

    A context h of k symbols gives each symbol w that was seen after it a share, and what is left
    over, rest(h), is divided as h' does, which is h without its oldest symbol:

        p(w | h) = share(h, w) + rest(h) p(w | h').

    Below the empty context stands the uniform distribution. A context that never occurred is
    replaced by h'. How large shares and rests are is what the models below differ in.

    Args:
        tokens: the text to count, integers in [0, vocab_size), shape (N,).
        order: n, the length of the longest context plus one.
        vocab_size: number of symbols V.

    Raises:
        TypeError: sizes that are no int, tokens that are no integers.
        ValueError: sizes that are not positive, tokens outside the vocabulary, a text that is
            shorter than `order`.
    """

    def __init__(self, tokens: Tensor, order: int, vocab_size: int):
        check_positive_int(order=order, vocab_size=vocab_size)
        if vocab_size >= 2**31:
            raise ValueError(
                f"vocab_size is {vocab_size}: it must be below 2**31; pass the size of the "
                "vocabulary"
            )
        self.order, self.vocab_size = order, vocab_size
        x = self._checked(tokens, order)
        # Level k holds, sorted: the contexts of length k that occur, each as (number of its
        # suffix in level k - 1) * V + oldest symbol, and the (context, next symbol) pairs.
        self._contexts: list[Ints] = []
        self._pairs: list[Ints] = []
        self._counts: list[Ints] = []
        number = np.zeros(len(x), dtype=np.int64)  # of the context before each position
        for k in range(order):
            if k:
                keys = number[1:] * vocab_size + x[: len(x) - k]
                contexts, number = np.unique(keys, return_inverse=True)
            else:
                contexts = np.zeros(1, dtype=np.int64)
            pairs, counts = np.unique(number * vocab_size + x[k:], return_counts=True)
            self._contexts.append(contexts)
            self._pairs.append(pairs)
            self._counts.append(counts)
        self._tables: dict[tuple[int, bool], tuple[Floats, Floats]] = {}

    def probabilities(self, tokens: Tensor, order: int | None = None) -> Floats:
        """Return p(w_i | the symbols before it) for each token i but the first, shape (N - 1,).

        `order` may be lower than the model's: the counts of the shorter contexts serve.
        """
        order = self.order if order is None else order
        check_positive_int(order=order)
        if order > self.order:
            raise ValueError(f"order is {order}: this model has {self.order}; count a longer one")
        x = self._checked(tokens, order)
        p: Floats = np.full(len(x), 1 / self.vocab_size)
        number = np.zeros(len(x), dtype=np.int64)  # -1: the context never occurred
        for k in range(order):
            if k:
                number = _find(self._contexts[k], number[1:], self.vocab_size, x[: len(x) - k])
            at = _find(self._pairs[k], number, self.vocab_size, x[k:])
            key = k, k == order - 1
            if key not in self._tables:
                self._tables[key] = self._table(*key)
            shares, rests = self._tables[key]
            mixed = np.where(at >= 0, shares[at], 0.0) + rests[number] * p[k:]
            p[k:] = np.where(number >= 0, mixed, p[k:])
        return p[1:]

    def distributions(self, tokens: Tensor) -> Floats:
        """Return p(w | the symbols before w_i) for every symbol w, shape (N - 1, V), i from 1."""
        x, V = self._checked(tokens, self.order), self.vocab_size
        p: Floats = np.full((len(x), V), 1 / V)
        number = np.zeros(len(x), dtype=np.int64)  # -1: the context never occurred
        for k in range(self.order):
            if k:
                number = _find(self._contexts[k], number[1:], V, x[: len(x) - k])
            shares, rests = self._table(k, k == self.order - 1)
            known = np.flatnonzero(number >= 0)
            owner = number[known]
            # The pairs of a context stand side by side: those of all positions, one after another.
            first, end = np.searchsorted(self._pairs[k], [owner * V, (owner + 1) * V])
            row = np.repeat(np.arange(len(known)), end - first)
            at = np.arange(len(row)) + (end - (end - first).cumsum())[row]
            p[known + k] *= rests[owner, None]
            p[known[row] + k, self._pairs[k][at] % V] += shares[at]
        return p[1:]

    def perplexity(self, tokens: Tensor, order: int | None = None) -> float:
        """Return exp(mean of -ln p) over all tokens but the first, which has no context."""
        return float(np.exp(-np.log(self.probabilities(tokens, order)).mean()))

    def _table(self, k: int, longest: bool) -> tuple[Floats, Floats]:
        """Return the share of each pair of level k, and the rest of each context.

        `longest` tells whether these are the longest contexts of the model that is asked.
        """
        raise NotImplementedError(f"{type(self).__name__} has to define _table")

    def _owners(self, k: int) -> Ints:
        """Return the number of the context of each pair of level k."""
        return self._pairs[k] // self.vocab_size

    def _checked(self, tokens: Tensor, order: int) -> Ints:
        check_text(tokens=tokens)
        x: Ints = tokens.cpu().numpy().astype(np.int64)
        if len(x) < max(2, order):
            raise ValueError(
                f"tokens has shape {x.shape}: a {order}-gram model needs at least "
                f"{max(2, order)} tokens; pass a longer text or a lower order"
            )
        check_range(self.vocab_size, tokens=tokens)
        return x


class WittenBell(NGram):
    """Witten-Bell smoothing (Witten & Bell 1991): simple, and good where the text is short.

    With c(h, w) the count of symbol w after context h, c(h) their sum and T(h) the number of
    distinct symbols seen after h,

        p(w | h) = (c(h, w) + T(h) p(w | h')) / (c(h) + T(h)).

    Args and errors as of `NGram`.
    """

    def _table(self, k: int, longest: bool) -> tuple[Floats, Floats]:
        owners, size = self._owners(k), len(self._contexts[k])
        total = np.bincount(owners, weights=self._counts[k], minlength=size)
        distinct = np.bincount(owners, minlength=size)
        return self._counts[k] / (total + distinct)[owners], distinct / (total + distinct)


class KneserNey(NGram):
    """Interpolated modified Kneser-Ney smoothing (Chen & Goodman 1999, section 3).

    With c(h, w) the count of symbol w after context h and c(h) their sum,

        p(w | h) = (c(h, w) - D) / c(h) + rest(h) p(w | h'),

    where the discount D depends on the count: D_1 for a count of 1, D_2 for 2, D_3 for more. What
    is taken off is the rest. In the contexts shorter than the longest, c(h, w) is not how often hw
    occurs but how many different symbols occur before it: a symbol that follows one context alone
    is improbable after others. The discounts follow from the numbers n_1 to n_4 of pairs with a
    count of 1 to 4, their equation 26: Y = n_1 / (n_1 + 2 n_2), D_i = i - (i + 1) Y n_{i+1} / n_i.
    Where one of n_1 to n_4 is zero, as in a short text, every discount is 1/2.

    Args and errors as of `NGram`.
    """

    def _table(self, k: int, longest: bool) -> tuple[Floats, Floats]:
        owners, size = self._owners(k), len(self._contexts[k])
        counts = self._counts[k] if longest else self._symbols_before(k)
        discounts = _discounts(counts)[counts.clip(max=3)]
        total = np.bincount(owners, weights=counts, minlength=size)
        taken = np.bincount(owners, weights=discounts, minlength=size)
        # A context with nothing before it, at the very start of the text, leaves all to h'.
        rests = np.divide(taken, total, out=np.ones(size), where=total > 0)
        return (counts - discounts) / total.clip(min=1)[owners], rests

    def _symbols_before(self, k: int) -> Ints:
        """Return the number of different symbols that occur before each pair of level k."""
        suffixes = self._contexts[k + 1][self._owners(k + 1)] // self.vocab_size
        keys = suffixes * self.vocab_size + self._pairs[k + 1] % self.vocab_size
        return np.bincount(np.searchsorted(self._pairs[k], keys), minlength=len(self._pairs[k]))


def _discounts(counts: Ints) -> Floats:
    """Return the discount of a count of 0, 1, 2, and 3 or more."""
    n = np.bincount(counts, minlength=5)[:5].astype(np.float64)
    if not n[1:].all():
        return np.array([0.0, 0.5, 0.5, 0.5])
    Y = n[1] / (n[1] + 2 * n[2])
    i = np.arange(1, 4)
    return np.concatenate([[0.0], np.clip(i - (i + 1) * Y * n[2:] / n[1:4], 0.0, None)])


def _find(keys: Ints, number: Ints, vocab_size: int, symbol: Ints) -> Ints:
    """Return where number * V + symbol stands in sorted keys; -1 where not or number is -1."""
    wanted = number * vocab_size + symbol
    at = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
    return np.where((number >= 0) & (keys[at] == wanted), at, -1)
