"""What a link shows before it is followed: an equation, a figure, a work, an entry of the glossary.

What stands on the same page `previews.js` finds by itself. What stands on another one is kept in a
script that is loaded when the first such link is pointed at or reached with the keyboard.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from course import store

NOTES, FILE, VARIABLE = "previews", "previews-index.js", "coursePreviews"
# The beginnings of what is shown, as Sphinx and docutils write them.
TARGET = re.compile(
    r'<(?:div class="math[^"]*" id="(?P<equation>equation-[^"]+)"'
    r'|figure[^>]* id="(?P<figure>[^"]+)"'
    r'|div class="citation" id="(?P<work>[^"]+)"'
    r'|dt id="(?P<term>term-[^"]+)")'
)
LINK = re.compile(r'href="([\w-]+\.html#[^"]+)"')
NAME = re.compile(r"<(\w+)")


def element(text: str, start: int) -> str:
    """Return the whole element that begins at a place in well-formed HTML."""
    match = NAME.match(text, start)
    assert match is not None
    depth = 0
    for tag in re.finditer(rf"<(/?){match[1]}\b[^>]*>", text[start:]):
        depth += -1 if tag[1] else 1
        if depth == 0:
            return text[start : start + tag.end()]
    raise ValueError(f"an element of {match[1]} has no end: {text[start : start + 80]!r}")


def targets(body: str) -> dict[str, str]:
    """Return what links can show of a page, as HTML by its id."""
    found = {}
    for match in TARGET.finditer(body):
        name = next(name for name in match.groups() if name)
        found[name] = element(body, match.start())
        if match["term"]:
            found[name] += element(body, body.index("<dd", match.end()))
    return found


def note_page(
    app: Sphinx, page: str, template: str, context: dict[str, Any], document: nodes.document | None
) -> None:
    """Keep what other pages may show of a page that is written, and what it may show of them."""
    if document is not None:
        body = context["body"]
        links = sorted(set(LINK.findall(body)))
        store.note(app, NOTES, page, {"links": links, "targets": targets(body)})


def write_previews(app: Sphinx, exception: Exception | None) -> None:
    """Write what is linked from another page than its own."""
    if exception is not None or app.builder.format != "html":
        return
    notes = store.noted(app, NOTES)
    wanted = {link for note in notes.values() for link in note["links"]}
    shown = {}
    for page, note in notes.items():
        for name, text in note["targets"].items():
            link = f"{page.rpartition('/')[2]}.html#{name}"
            if link in wanted:
                shown[link] = text
    store.write_script(app, FILE, VARIABLE, shown)


def setup(app: Sphinx) -> None:
    """Note each page when its HTML is there."""
    app.connect("html-page-context", note_page)
    app.connect("build-finished", write_previews)
    app.add_js_file("previews.js", loading_method="defer")
    app.add_css_file("aids.css")
