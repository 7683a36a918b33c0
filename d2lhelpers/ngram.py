"""The Witten-Bell n-gram model: what counting alone reaches, the baseline of every chapter."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from torch import Tensor

from d2lhelpers.checks import check_positive_int

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class WittenBell:
    """An interpolated n-gram model with Witten-Bell smoothing (Witten & Bell 1991).

    With c(h, w) the count of symbol w after context h, c(h) their sum and T(h) the number of
    distinct symbols seen after h,

        p(w | h) = (c(h, w) + T(h) p(w | h')) / (c(h) + T(h)),

    where h' is h without its oldest symbol; below the empty context stands the uniform
    distribution. A context that never occurred is replaced by h'.

    Args:
        tokens: the text to count, integers in [0, vocab_size), shape (N,).
        order: n, the length of the longest context plus one.
        vocab_size: number of symbols V.

    Raises `ValueError` for sizes that are not positive, tokens outside the vocabulary, or a
    text that is shorter than `order`.
    """

    def __init__(self, tokens: Tensor, order: int, vocab_size: int):
        check_positive_int(order=order, vocab_size=vocab_size)
        self.order, self.vocab_size = order, vocab_size
        x = self._checked(tokens, order)
        # Level k holds, sorted: the contexts of length k that occur, each as (number of its
        # suffix in level k - 1) * V + oldest symbol, and the (context, next symbol) pairs.
        self._contexts: list[Ints] = []
        self._pairs: list[tuple[Ints, Ints]] = []
        self._totals: list[tuple[Ints, Ints]] = []
        number = np.zeros(len(x), dtype=np.int64)  # of the context before each position
        for k in range(order):
            if k:
                keys = number[1:] * vocab_size + x[: len(x) - k]
                contexts, number = np.unique(keys, return_inverse=True)
            else:
                contexts = np.zeros(1, dtype=np.int64)
            pairs, counts = np.unique(number * vocab_size + x[k:], return_counts=True)
            owner = pairs // vocab_size
            total = np.bincount(owner, weights=counts, minlength=len(contexts)).astype(np.int64)
            distinct = np.bincount(owner, minlength=len(contexts))
            self._contexts.append(contexts)
            self._pairs.append((pairs, counts))
            self._totals.append((total, distinct))

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
            pairs, counts = self._pairs[k]
            at = _find(pairs, number, self.vocab_size, x[k:])
            count = np.where(at >= 0, counts[at], 0)
            total, distinct = (level[number] for level in self._totals[k])
            mixed = (count + distinct * p[k:]) / (total + distinct)
            p[k:] = np.where(number >= 0, mixed, p[k:])
        return p[1:]

    def perplexity(self, tokens: Tensor, order: int | None = None) -> float:
        """Return exp(mean of -ln p) over all tokens but the first, which has no context."""
        return float(np.exp(-np.log(self.probabilities(tokens, order)).mean()))

    def _checked(self, tokens: Tensor, order: int) -> Ints:
        x: Ints = tokens.cpu().numpy().astype(np.int64)
        if x.ndim != 1 or len(x) < max(2, order):
            raise ValueError(
                f"tokens has shape {x.shape}: a {order}-gram model needs one axis and at "
                f"least {max(2, order)} tokens; pass a longer text or a lower order"
            )
        if x.min() < 0 or x.max() >= self.vocab_size:
            raise ValueError(
                f"tokens run from {x.min()} to {x.max()}: each must lie in [0, {self.vocab_size}); "
                "encode the text with the vocabulary of the model"
            )
        return x


def _find(keys: Ints, number: Ints, vocab_size: int, symbol: Ints) -> Ints:
    """Return where number * V + symbol stands in sorted keys; -1 where not or number is -1."""
    wanted = number * vocab_size + symbol
    at = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
    return np.where((number >= 0) & (keys[at] == wanted), at, -1)
