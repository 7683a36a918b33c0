"""Batches: windows of a text, cut so that a recurrent layer can be trained on them."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from d2lhelpers.checks import check_generator, check_int, check_positive_int, check_text

Batch = tuple[Tensor, Tensor]


def consecutive_batches(
    tokens: Tensor, batch_size: int, num_steps: int, offset: int = 0
) -> Iterator[Batch]:
    """Cut a text into `batch_size` streams and walk along all of them, window by window.

    Window k + 1 continues window k in every column, so the state may be carried over. Every
    token after `offset` is a target exactly once, except the first one and the fewer than
    `batch_size` tokens at the end that do not fill a row.

    Args:
        tokens: the text, int64, shape (N,).
        batch_size: number of streams B.
        num_steps: steps T of a window; the last window may be shorter.
        offset: tokens to skip at the start.

    Yields:
        inputs and targets, each of shape (T, B); targets are the inputs one step later.

    Raises:
        TypeError: sizes that are no int, tokens that are no integers.
        ValueError: sizes that are not positive, or a text too short for one window.
    """
    check_text(tokens=tokens)
    check_positive_int(batch_size=batch_size, num_steps=num_steps)
    check_int(offset=offset)
    if offset < 0:
        raise ValueError(f"offset is {offset}: it must not be negative; pass 0 or more")
    length = (len(tokens) - 1 - offset) // batch_size
    if length < num_steps:
        raise ValueError(_too_short(tokens, batch_size, num_steps, offset))
    used = batch_size * length
    inputs = tokens[offset : offset + used].view(batch_size, length).T
    targets = tokens[offset + 1 : offset + used + 1].view(batch_size, length).T

    def windows() -> Iterator[Batch]:
        for start in range(0, length, num_steps):
            stop = start + num_steps
            yield inputs[start:stop].contiguous(), targets[start:stop].contiguous()

    return windows()


def random_batches(
    tokens: Tensor, batch_size: int, num_steps: int, generator: torch.Generator | None = None
) -> Iterator[Batch]:
    """Cut a text into windows from a random offset on and yield them in random order.

    Neighbouring batches have nothing to do with each other, so the state must start anew in each.
    Every whole window is used exactly once; the last batch may be smaller.

    Args, yields and errors as of `consecutive_batches`; `generator` draws offset and order.
    """
    check_text(tokens=tokens)
    check_generator(generator)
    check_positive_int(batch_size=batch_size, num_steps=num_steps)
    if len(tokens) < (batch_size + 1) * num_steps:  # whatever the offset, one full batch
        raise ValueError(_too_short(tokens, batch_size, num_steps, num_steps - 1))
    offset = int(torch.randint(num_steps, (), generator=generator, device="cpu"))
    count = (len(tokens) - 1 - offset) // num_steps
    used = count * num_steps
    inputs = tokens[offset : offset + used].view(count, num_steps)
    targets = tokens[offset + 1 : offset + used + 1].view(count, num_steps)
    order = torch.randperm(count, generator=generator, device="cpu").to(tokens.device)
    return ((inputs[rows].T, targets[rows].T) for rows in order.split(int(batch_size)))


def _too_short(tokens: Tensor, batch_size: int, num_steps: int, offset: int) -> str:
    needed = batch_size * num_steps + offset + 1
    return (
        f"the text has {len(tokens)} tokens: batch_size {batch_size} times num_steps {num_steps} "
        f"needs at least {needed}; make either smaller, or use a longer text"
    )
