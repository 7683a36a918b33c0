"""Code as a page shows it: no element that nobody sees, and lines that a phone can break well."""

from __future__ import annotations

from collections.abc import Iterator
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


def looks_plain(kind: _TokenType) -> bool:
    """Tell whether a kind of word looks like the text around it, in the light and in the dark."""
    return bool(STYLES) and all(
        style.style_for_token(kind) == style.style_for_token(Token) for style in STYLES
    )


class Formatter(HtmlFormatter):  # type: ignore[misc]
    """Pygments' own, without an element for words that look like the text around them.

    A long line is an element of its own, which knows how far the line is indented: where it has to
    break, its rest is set further in than its beginning. See `.long` in course.css.
    """

    def _get_css_classes(self, ttype: _TokenType) -> str:
        return "" if looks_plain(ttype) else str(super()._get_css_classes(ttype))

    def _format_lines(self, tokensource: Any) -> Iterator[tuple[int, str]]:
        tokens = list(tokensource)
        lines = "".join(value for _, value in tokens).split("\n")
        for number, (kind, text) in enumerate(super()._format_lines(iter(tokens))):
            line = lines[number] if number < len(lines) else ""
            if len(line) > LONGEST:
                indent = len(line) - len(line.lstrip())
                text = f'<span class="long" style="--in:{indent}">{text}</span>'
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
