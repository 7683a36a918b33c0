"""Progress of a long run: one compact table that grows in place."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from d2lhelpers.checks import check_positive_int


class ProgressTable:
    """A table of at most `rows` lines, whatever the number of steps.

    In a notebook it is one HTML table that is redrawn in place, so that one table stays on
    the page; on a terminal each line is printed once.

    Args:
        columns: the headings.
        steps: how often `add` will be called; the last call is always shown.
        show: False shows nothing.
    """

    def __init__(self, columns: Sequence[str], steps: int, show: bool = True, rows: int = 8):
        check_positive_int(steps=steps, rows=rows)
        self.columns, self.steps, self.show = columns, steps, show
        self.every = -(-steps // rows)
        self.lines: list[Sequence[str]] = []
        self.count = 0
        self._handle: Any = None
        # IPython is not a dependency: it is there exactly when a notebook has loaded it.
        ipython = sys.modules.get("IPython")
        self._in_notebook = bool(
            ipython and getattr(ipython.get_ipython(), "kernel", None) is not None
        )
        if show and not self._in_notebook:
            print("  ".join(f"{column:>9}" for column in columns))

    def add(self, *cells: str) -> None:
        """Add the line of one step: a cell for each column."""
        self.count += 1
        if not self.show or (self.count % self.every and self.count < self.steps):
            return
        self.lines.append(cells)
        if not self._in_notebook:
            print("  ".join(f"{cell:>9}" for cell in cells), flush=True)
            return
        from IPython.display import HTML, display

        table = HTML(self.html())
        if self._handle is None:
            self._handle = display(table, display_id=True)
        else:
            self._handle.update(table)

    def html(self) -> str:
        """Return the table so far as HTML, with header cells that a screen reader can name."""
        head = "".join(f'<th scope="col">{column}</th>' for column in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{cell}</td>" for cell in line) + "</tr>" for line in self.lines
        )
        return (
            f'<table class="table progress-table"><thead><tr>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table>"
        )
