"""Progress of a long run: one compact table that grows in place."""

from __future__ import annotations

import html
import sys
from collections.abc import Sequence
from typing import Any

from d2lhelpers.checks import check_bool, check_positive_int, check_type


class ProgressTable:
    """A table of at most `rows` lines, whatever the number of steps.

    In a notebook it is one HTML table that is redrawn in place, so that one table stays on
    the page; on a terminal each line is printed once.

    Args:
        columns: the headings, plain text.
        steps: how often `add` will be called; the last call is always shown.
        show: False shows nothing.
        rows: the largest number of lines.

    Raises:
        TypeError, ValueError: no column, numbers that are not positive.
    """

    def __init__(self, columns: Sequence[str], steps: int, show: bool = True, rows: int = 8):
        check_positive_int(steps=steps, rows=rows)
        check_bool(show=show)
        check_type((list, tuple), "pass a list of headings", columns=columns)
        if not columns:
            raise ValueError("columns is empty: a table must have one; pass a list of headings")
        self.columns, self.steps, self.show = [str(column) for column in columns], steps, show
        self.every = -(-steps // rows)
        self.lines: list[list[str]] = []
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
        """Add the line of one step: a cell for each column, or `ValueError`."""
        if len(cells) != len(self.columns):
            raise ValueError(
                f"{len(cells)} cells were added: there must be one for each of the "
                f"{len(self.columns)} columns; pass {', '.join(self.columns)}"
            )
        self.count += 1
        if not self.show or (self.count % self.every and self.count != self.steps):
            return
        self.lines.append([str(cell) for cell in cells])
        if not self._in_notebook:
            print("  ".join(f"{cell:>9}" for cell in self.lines[-1]), flush=True)
            return
        from IPython.display import HTML, display

        table = HTML(self.html())
        if self._handle is None:
            self._handle = display(table, display_id=True)
        else:
            self._handle.update(table)

    def html(self) -> str:
        """Return the table so far as HTML, with header cells that a screen reader can name."""
        head = "".join(f'<th scope="col">{html.escape(column)}</th>' for column in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in line) + "</tr>"
            for line in self.lines
        )
        return (
            f'<table class="table progress-table"><thead><tr>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table>"
        )
