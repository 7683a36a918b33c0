"""Programs as readers would write them, right ones and wrong ones, for the checks of the tasks.

Each module has `PLANTED`: for each task the source around the blank, with `...` where the blank
is, and what stands in its place. A wrong program's name is that of its mistake; where one mistake
is written in several ways, a slash and a word follow. A mistake that no check knows by name, and
that must be found all the same, begins with "unknown/".
"""

from __future__ import annotations

import importlib
import linecache
import math
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from textwrap import dedent, indent
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from d2lhelpers import check, layers


@dataclass(frozen=True)
class Planted:
    """The programs for one task: the source around the blank, and what fills it."""

    around: str
    right: dict[str, str]
    wrong: dict[str, str]

    def source(self, blank: str) -> str:
        """Return the program with a text in the place of the blank."""
        line = next(line for line in self.around.splitlines() if line.strip() == "...")
        margin = line[: len(line) - 3]
        return self.around.replace(line, indent(dedent(blank).strip("\n"), margin))


def editor(plain: str) -> Callable[[str, str], str]:
    """Return what gives a plain solution with one piece of it, that stands there once, changed."""

    def but(old: str, new: str) -> str:
        assert plain.count(old) == 1, f"{old!r} stands {plain.count(old)} times in:{plain}"
        return plain.replace(old, new)

    return but


def load(task: str, source: str, name: str = "program") -> Any:
    """Run a source as a notebook's cell would be, and return the class or function of a task."""
    file = f"<{task} {name}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    names = {"torch": torch, "nn": nn, "F": F, "Tensor": Tensor, "math": math}
    names |= {
        n: getattr(layers, n) for n in ("RNN", "GRU", "LSTM", "DeepRNN", "reverse", "layer_sizes")
    }
    names |= {"Callable": Callable, "__name__": "__main__"}
    exec(compile(source, file, "exec"), names)
    return names[check.TASKS[task].wanted[1]]


ALL: dict[str, Planted] = {}
for _module in sorted(module.name for module in pkgutil.iter_modules(__path__)):
    ALL |= importlib.import_module(f"planted.{_module}").PLANTED
