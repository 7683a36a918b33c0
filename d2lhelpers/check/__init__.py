"""Checks of what a reader writes: call one with your class or function.

`check.gru(GRU)` returns a verdict, which a notebook shows: passed, not yet written, or what is
wrong, by name where the mistake is a known one. `check.gru.hint()` gives the next hint.
"""

from d2lhelpers.check.copying import copy_gru, copy_layer
from d2lhelpers.check.core import Task, Verdict, audit
from d2lhelpers.check.curves import training
from d2lhelpers.check.data import adding_problem, consecutive_batches, one_hot_product
from d2lhelpers.check.gated import gru, reset_before
from d2lhelpers.check.memory import forget_bias, lstm
from d2lhelpers.check.reader import layer
from d2lhelpers.check.sampling import generate
from d2lhelpers.check.scores import f1, mixture, perplexity, share_right, witten_bell
from d2lhelpers.check.simple import rnn
from d2lhelpers.check.stacks import bidirectional, deep_rnn, residual, reverse
from d2lhelpers.check.training_steps import clip_gradients, detach, gradients_by_hand, train_epoch

__all__ = [
    "TASKS",
    "Task",
    "Verdict",
    "adding_problem",
    "audit",
    "bidirectional",
    "clip_gradients",
    "consecutive_batches",
    "copy_gru",
    "copy_layer",
    "deep_rnn",
    "detach",
    "f1",
    "forget_bias",
    "generate",
    "gradients_by_hand",
    "gru",
    "layer",
    "lstm",
    "mixture",
    "one_hot_product",
    "perplexity",
    "reset_before",
    "residual",
    "reverse",
    "rnn",
    "share_right",
    "train_epoch",
    "training",
    "witten_bell",
]

TASKS: dict[str, Task] = {
    task.name: task for task in list(globals().values()) if isinstance(task, Task)
}
