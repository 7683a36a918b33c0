"""Images whose place a page keeps free before they are there, and which it fetches when needed."""

from __future__ import annotations

import os

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.images import get_image_size
from sphinx.writers.html5 import HTML5Translator


def depth(node: nodes.Node) -> int:
    """Return how many sections a node of a page is in."""
    found = 0
    while node.parent is not None:
        node = node.parent
        found += isinstance(node, nodes.section)
    return found


def visit_image(translator: HTML5Translator, node: nodes.image) -> None:
    """Write an image with its size. Those below the first heading of a section can wait."""
    size = get_image_size(os.path.join(translator.builder.srcdir, node["uri"]))
    HTML5Translator.visit_image(translator, node)
    if not translator.body[-1].startswith("<img "):
        return
    attributes = 'decoding="async" '
    if size is not None:
        attributes += f'width="{size[0]}" height="{size[1]}" '
    if depth(node) > 1:
        attributes += 'loading="lazy" '
    translator.body[-1] = translator.body[-1].replace("<img ", f"<img {attributes}", 1)


def setup(app: Sphinx) -> None:
    """Take the place of Sphinx's own way."""
    app.add_node(nodes.image, override=True, html=(visit_image, HTML5Translator.depart_image))
