"""A limit of time for what might wait for ever."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import pytest

LIMIT = 10.0  # seconds, on a machine with other things to do


@contextmanager
def time_limit(seconds: float = LIMIT) -> Iterator[None]:
    """Fail when something takes longer, also while it waits for a pipe, a socket or a thread."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        pytest.fail(f"no answer within {seconds:g} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
