"""Lines that break where a reader expects it: no full stop is left alone after a formula."""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

PER_CENT = re.compile(r"(?<=\d) (?=%)")
COMMAND = re.compile(r"\\[a-zA-Z]+|[\\{}_^\s]")
LONGEST = 12  # signs in a formula that is kept in one piece: less than a phone's line


class KeepInlineMath(SphinxPostTransform):
    """Keep a short formula and what touches it in one line, as in `($x$),` or `$n$-gram`.

    To a browser a typeset formula is a row of boxes, after each of which the line may end. A number
    is kept with its per cent sign, too.
    """

    default_priority = 900
    formats = ("html",)

    def run(self, **kwargs: object) -> None:
        verbatim = nodes.literal | nodes.FixedTextElement | nodes.math
        for text in list(self.document.findall(nodes.Text)):
            if PER_CENT.search(text) and not isinstance(text.parent, verbatim):
                text.parent.replace(text, nodes.Text(PER_CENT.sub("\u00a0", text)))
        for formula in list(self.document.findall(nodes.math)):
            if len(COMMAND.sub("", formula.astext())) > LONGEST:
                continue
            parent = formula.parent
            place = parent.index(formula)
            before = parent[place - 1] if place else None
            after = parent[place + 1] if place + 1 < len(parent) else None
            piece = nodes.inline("", "", classes=["nobreak"])
            if isinstance(before, nodes.Text):
                touching = len(before) - len(re.split(r"\s", before)[-1])
                parent.replace(before, nodes.Text(before[:touching]))
                piece += nodes.Text(before[touching:])
            parent.replace(formula, piece)
            piece += formula
            if isinstance(after, nodes.Text):
                touching = len(re.split(r"\s", after, maxsplit=1)[0])
                parent.replace(after, nodes.Text(after[touching:]))
                piece += nodes.Text(after[:touching])


def setup(app: Sphinx) -> None:
    """Run when all references are resolved, for the site alone."""
    app.add_post_transform(KeepInlineMath)
