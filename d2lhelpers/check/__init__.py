"""Checks of what a reader writes: call one with your class or function.

`check.gru(GRU)` returns a verdict, which a notebook shows: passed, not yet written, or what is
wrong, by name where the mistake is a known one. `check.gru.hint()` gives the next hint.
"""

from d2lhelpers.check.core import Task, Verdict, audit
from d2lhelpers.check.recurrent import gru
from d2lhelpers.check.training_steps import clip_gradients

__all__ = ["TASKS", "Task", "Verdict", "audit", "clip_gradients", "gru"]

TASKS: dict[str, Task] = {
    task.name: task for task in list(globals().values()) if isinstance(task, Task)
}
