"""Checks of what a reader writes: call one with your class or function.

`check.gru(GRU)` returns a verdict, which a notebook shows: passed, not yet written, or what is
wrong, by name where the mistake is a known one. `check.gru.hint()` gives the next hint.
"""

from d2lhelpers.check.core import Task, Verdict, audit
from d2lhelpers.check.data import adding_problem, consecutive_batches, one_hot_product
from d2lhelpers.check.recurrent import gru
from d2lhelpers.check.sampling import generate
from d2lhelpers.check.scores import f1, mixture, perplexity, share_right, witten_bell
from d2lhelpers.check.training_steps import clip_gradients, detach, gradients_by_hand, train_epoch

__all__ = [
    "TASKS",
    "Task",
    "Verdict",
    "adding_problem",
    "audit",
    "clip_gradients",
    "consecutive_batches",
    "detach",
    "f1",
    "generate",
    "gradients_by_hand",
    "gru",
    "mixture",
    "one_hot_product",
    "perplexity",
    "share_right",
    "train_epoch",
    "witten_bell",
]

TASKS: dict[str, Task] = {
    task.name: task for task in list(globals().values()) if isinstance(task, Task)
}
