"""What the chapters define and a reader is asked to write, and no other module of the package has.

Each stands here as its chapter shows it: a test holds the two to the same syntax tree.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from d2lhelpers.layers import RNN
from d2lhelpers.ngram import Floats


def one_hot_product(tokens: Tensor, E: Tensor) -> Tensor:
    """Return the rows of E (V, D) that tokens of any shape (...) name: (..., D)."""
    rows = F.one_hot(tokens, len(E))  # (..., V)
    return rows.to(E.dtype) @ E  # (..., D)


def witten_bell(text: str, h: str, w: str, V: int) -> float:
    """Return p(w | h), counted in a text; h is a string, w one symbol of V."""
    shorter = witten_bell(text, h[1:], w, V) if h else 1 / V
    k = len(h)
    starts = (i for i in range(len(text) - k) if text.startswith(h, i))
    after = Counter(text[i + k] for i in starts)  # c(h, w) for each w
    if not after:
        return shorter
    u = len(after)
    return (after[w] + u * shorter) / (after.total() + u)


def gradients_by_hand(
    layer: RNN, X: Tensor, states: Tensor, G: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of W_xh, W_hh and b_h of X (T, B, D), states (T + 1, B, H), G."""
    delta, deltas = torch.zeros_like(G[0]), []
    for G_t, H_t in zip(G.flip(0), states[1:].flip(0), strict=True):
        delta = (G_t + delta @ layer.W_hh.T) * (1 - H_t**2)
        deltas.append(delta)
    rows = torch.stack(deltas[::-1]).flatten(0, 1)  # (T B, H)
    dW_xh = X.flatten(0, 1).T @ rows
    dW_hh = states[:-1].flatten(0, 1).T @ rows
    return dW_xh, dW_hh, rows.sum(0)


def mixture(w: float, network: Floats, counted: Floats) -> Any:
    """Return the perplexity of two models' probabilities (N,), mixed with the weight w."""
    return np.exp(-np.log(w * network + (1 - w) * counted).mean())


def f1(found: Tensor, truth: Tensor) -> Any:
    """Return F1 of what was found, a tensor of True and False, against the truth."""
    hits = (found & truth).sum().item()
    return 2 * hits / (found.sum() + truth.sum()).item()


def share_right(found: Tensor, truth: Tensor, lengths: Tensor) -> float:
    """Return the share of right answers over the first lengths[b] places of each column b."""
    real = torch.arange(len(truth))[:, None] < lengths  # (T, B)
    return (found == truth)[real].float().mean().item()
