"""Inputs that are rows of a small table, as the embeddings of a text's symbols are.

A layer multiplies its inputs by a matrix W. If they are embeddings E[tokens], with tokens (T, B)
and E (V, D), then E[tokens] W = (E W)[tokens]: V rows are multiplied where T·B were. With the 27
symbols of a text and 1,120 tokens in a batch that leaves next to nothing of these products.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

READS = "reads_rows"
OFTEN = 4  # how often a row must be read, on average, before multiplying the table is less work
Forward = TypeVar("Forward", bound=Callable[..., Any])


class Rows(NamedTuple):
    """The inputs table[tokens], (T, B, D), not looked up yet: tokens (T, B), table (V, D)."""

    tokens: Tensor
    table: Tensor

    @property
    def shape(self) -> torch.Size:
        return torch.Size([*self.tokens.shape, self.table.shape[1]])

    def new_zeros(self, *size: int) -> Tensor:
        return self.table.new_zeros(size)


def reads_rows(forward: Forward) -> Forward:
    """Mark the `forward` of a layer, to which `Rows` may be passed in place of inputs (T, B, D)."""
    setattr(forward, READS, True)
    return forward


def look_up(embedding: nn.Module, tokens: Tensor, layer: nn.Module) -> Tensor | Rows:
    """Return embedding(tokens), (T, B, D), as `Rows` where a layer reads these and has less to do.

    What else listens to the embedding or to the layer, a hook or another class, gets the tensor.
    """
    if _is_table(embedding) and _reads_rows(layer):
        table: Any = embedding.weight
        if tokens.numel() >= OFTEN * table.shape[0]:
            return Rows(tokens, table)
    inputs: Tensor = embedding(tokens)
    return inputs


def _is_table(embedding: nn.Module) -> bool:
    """Tell whether an embedding does nothing but look up rows, forward and backward."""
    if type(embedding) is not nn.Embedding or _has_hooks(embedding):
        return False
    untouched = embedding.padding_idx is None and embedding.max_norm is None
    return untouched and not (embedding.scale_grad_by_freq or embedding.sparse)


def _reads_rows(layer: nn.Module) -> bool:
    """Tell whether a layer, compiled or not, reads rows; of a stack the lowest must, too."""
    itself: Any = getattr(layer, "_orig_mod", layer)  # what torch.compile keeps of it
    if not getattr(itself.forward, READS, False) or _has_hooks(layer) or _has_hooks(itself):
        return False
    return all(_reads_rows(part) for part in getattr(itself, "layers", [])[:1])


def _has_hooks(module: nn.Module) -> bool:
    kinds = ("forward", "forward_pre", "backward", "backward_pre")
    return any(getattr(module, f"_{kind}_hooks") for kind in kinds)
