"""Something to play with: a widget of the trained models, and the still figure in its place.

A widget is a directive whose body says, in a sentence, what to try::

    ```{play} type
    :figure: gru fig-gru-surprise
    :models: counting rnn gru lstm
    :text: the ferry

    Take the last letter away and put another in its place.
    ```

``:figure:`` names a chapter and one of its figures, which stands there until the reader presses the
button. Only then is anything fetched: `play-start.js` loads the widgets and the models. Without a
script the figure stays and there is no button. ``:models:`` and ``:text:`` are what the widget
begins with. The name is that of a widget: a file of `_static/play/` with its own entry in
`PlayWidgets`.
"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.writers.html5 import HTML5Translator

LOGGER = logging.getLogger(__name__)
WIDGETS = Path(__file__).parents[2] / "_static" / "play"
START = "play-start.js"
ENTRY = re.compile(r"^PlayWidgets\.(\w+) = ", re.MULTILINE)


class play(nodes.General, nodes.Element):  # type: ignore[misc]
    """A widget: its children are what to try and the still figure."""


def widgets() -> set[str]:
    """Return the names of all widgets, from their scripts."""
    return {
        name
        for path in WIDGETS.glob("*.js")
        for name in ENTRY.findall(path.read_text(encoding="utf-8"))
    }


class PlayDirective(SphinxDirective):
    """A widget."""

    has_content = True
    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {
        "figure": directives.unchanged_required,
        "models": directives.unchanged_required,
        "text": directives.unchanged_required,
    }

    def run(self) -> list[nodes.Node]:
        """Make the node; a mistake stops the build with its file and line."""
        name = self.arguments[0]
        if name not in widgets():
            known = ", ".join(sorted(widgets()))
            raise self.error(f"there is no widget {name!r}: take one of {known}")
        if "figure" not in self.options:
            raise self.error(f"the widget {name!r} has no :figure: to stand in its place: add one")
        if not "".join(self.content).strip():
            raise self.error(f"the widget {name!r} has no text: say what to try")
        chapter, _, figure = self.options["figure"].partition(" ")
        node = play(
            name=name,
            chapter=f"{self.env.docname.rpartition('/')[0]}/{chapter}".lstrip("/"),
            figure=figure,
            models=" ".join(self.options.get("models", "").split()),
            text=self.options.get("text", ""),
        )
        self.set_source_info(node)
        self.state.nested_parse(self.content, self.content_offset, node)
        return [node]


def fill(app: Sphinx, document: nodes.document, page: str) -> None:
    """Put the still figure into each widget, when all pages are read; warn if there is none."""
    env = app.env
    assert env is not None
    for node in document.findall(play):
        found = []
        if node["chapter"] in env.found_docs:
            figures = env.get_doctree(node["chapter"]).findall(nodes.figure)
            found = [figure for figure in figures if node["figure"] in figure["names"]]
        if found:  # as a drawing, where there is one beside the bitmap
            node.append(list(found[0].findall(nodes.image))[-1].deepcopy())
        else:
            LOGGER.warning(
                f"{node['chapter']} has no figure {node['figure']!r} for the widget "
                f"{node['name']!r}: name one of its figures",
                location=node,
            )


def visit_play(self: HTML5Translator, node: play) -> None:
    """Begin the box, with what its script has to know."""
    data = "".join(f' data-{key}="{html.escape(node[key])}"' for key in ("name", "models", "text"))
    self.body.append(f'<div class="play"{data}>')


def depart_play(self: HTML5Translator, node: play) -> None:
    """End the box with the button; the style sheet hides it where there are no scripts."""
    section = next(parent for parent in ancestors(node) if isinstance(parent, nodes.section))
    title = html.escape(section[0].astext())
    self.body.append(
        f'<button type="button" aria-label="Start: {title}">Start</button>'
        '<p role="status"></p></div>'
    )


def ancestors(node: nodes.Node) -> list[nodes.Element]:
    """Return all that a node is in, the nearest first."""
    found = []
    while node.parent is not None:
        node = node.parent
        found.append(node)
    return found


def add_script(
    app: Sphinx, page: str, template: str, context: dict[str, Any], document: nodes.document | None
) -> None:
    """Let a page with a widget load the small script of the buttons, and no other page."""
    if document is not None and next(iter(document.findall(play)), None) is not None:
        app.add_js_file(START, loading_method="defer")


def setup(app: Sphinx) -> None:
    """Teach the builder the widgets."""
    app.add_css_file("play.css")
    app.add_node(play, html=(visit_play, depart_play))
    app.add_directive("play", PlayDirective)
    app.connect("doctree-resolved", fill)
    app.connect("html-page-context", add_script)
