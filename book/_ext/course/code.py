"""Code as a page shows it: no element that nobody sees, and lines that a phone can break well."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from pygments.formatters import HtmlFormatter
from pygments.style import Style
from pygments.styles import get_style_by_name
from pygments.token import Token, _TokenType
from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.highlighting import PygmentsBridge

LONGEST = 36  # columns of code that a phone of 360 pixels shows in one line
STYLES: list[type[Style]] = []
PIECES = re.compile(r"<[^>]*>|&[^;]+;|.", re.S)  # of a line in HTML: marks, and letters
OPENING, DOT = re.compile(r"(?<=[(\[{,])(?=[^)\]}\s])"), re.compile(r"(?<=[\w)\]])(?=\.[a-z_])")
COLUMNS = re.compile(r"\S {2,}\S|(?:\s-?\d\S*){3}")  # in a row of a table that was printed
NUMBER = re.compile(r"[-+\d.,]+(?:e[-+]\d+)?")


def looks_plain(kind: _TokenType) -> bool:
    """Tell whether a kind of word looks like the text around it, in the light and in the dark."""
    return bool(STYLES) and all(
        style.style_for_token(kind) == style.style_for_token(Token) for style in STYLES
    )


def breaks(line: str) -> list[int]:
    """Return where a long line may break that has no space there.

    Only words are meant that are longer than the rest of a line on a phone: behind an opening
    bracket or a comma, and before a dot if that is not enough.
    """
    room = LONGEST - (len(line) - len(line.lstrip())) - 2
    found: list[int] = []
    for word in re.finditer(r"\S+", line):
        if len(word[0]) <= room:
            continue
        edges = [0, *(m.start() for m in OPENING.finditer(word[0])), len(word[0])]
        for start, end in pairwise(edges):
            part = [start] if start else []
            if end - start > room:
                part += [start + m.start() for m in DOT.finditer(word[0][start:end])]
            found += [word.start() + place for place in part]
    return sorted(found)


def breakable(html: str, places: list[int]) -> str:
    """Return a line of HTML that may break before each of the letters counted in `places`."""
    pieces, letter = [], 0
    for piece in PIECES.findall(html):
        if not piece.startswith("<"):
            if letter in places:
                pieces.append("<wbr>")
            letter += 1
        pieces.append(piece)
    return "".join(pieces)


def table(lines: list[str]) -> set[str]:
    """Return the lines that are rows of a table: with columns, or the same but for the numbers."""
    shape = {line: NUMBER.sub("0", line) for line in lines}
    common = Counter(shape[line] for line in lines)
    alike = (line for line in lines if "0" in shape[line] and common[shape[line]] > 1)
    rows = {line for line in lines if COLUMNS.search(line.strip())} | set(alike)
    return rows if len(rows) > 1 else set()


class Formatter(HtmlFormatter):  # type: ignore[misc]
    """Pygments' own, without an element for words that look like the text around them.

    A long line is an element of its own, which knows how far the line is indented: where it has to
    break, its rest is set further in than its beginning. A comment behind code goes to the next
    line as a whole. A printed table with a long row does not break: its rows know how long the
    longest is, and are set smaller. See `.long` and `.printed` in course.css.
    """

    def _get_css_classes(self, ttype: _TokenType) -> str:
        return "" if looks_plain(ttype) else str(super()._get_css_classes(ttype))

    def _format_lines(self, tokensource: Any) -> Iterator[tuple[int, str]]:
        tokens = list(tokensource)
        lines = "".join(value for _, value in tokens).split("\n")
        printed = {kind for kind, _ in tokens} <= {Token.Text}
        rows = table(lines) if printed else set()
        widest = max(map(len, rows), default=0)
        for number, (kind, text) in enumerate(super()._format_lines(iter(tokens))):
            line = lines[number] if number < len(lines) else ""
            if widest > LONGEST and line and (line in rows or len(line) <= LONGEST):
                text = f'<span class="printed" style="--n:{widest}">{text}</span>'
            elif len(line) > LONGEST:
                indent = len(line) - len(line.lstrip())
                behind = "" if line.lstrip().startswith("#") else " behind"
                text = breakable(text, breaks(line))
                text = f'<span class="long{behind}" style="--in:{indent}">{text}</span>'
            yield kind, text


def find_styles(app: Sphinx) -> None:
    """Note the two styles that the theme writes into its style sheet."""
    if isinstance(app.builder, StandaloneHTMLBuilder) and app.builder.name == "html":
        options = app.builder.theme.get_options(app.config.html_theme_options)
        names = (options[f"pygments_{mode}_style"] for mode in ("light", "dark"))
        STYLES[:] = [get_style_by_name(name) for name in names]


def setup(app: Sphinx) -> None:
    """Take the place of Pygments' formatter for HTML before the builder makes one."""
    PygmentsBridge.html_formatter = Formatter
    app.connect("builder-inited", find_styles)
