"""Markup of other extensions that assistive devices cannot make sense of, mended."""

from __future__ import annotations

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.writers.html5 import HTML5Translator

# sphinx-exercise gives these ids to the body of every exercise and every solution.
REPEATED_IDS = (["exercise-content"], ["solution-content"])


class DropRepeatedIds(SphinxPostTransform):
    """Leave no id on a page twice."""

    default_priority = 900
    formats = ("html",)

    def run(self, **kwargs: object) -> None:
        for section in self.document.findall(nodes.section):
            if section["ids"] in REPEATED_IDS:
                section["ids"] = []


def visit_citation(translator: HTML5Translator, node: nodes.citation) -> None:
    """Begin a reference as an item of a list: docutils' role for it is no longer in ARIA."""
    HTML5Translator.visit_citation(translator, node)
    translator.body[-1] = translator.body[-1].replace("doc-biblioentry", "listitem")


def depart_citation(translator: HTML5Translator, node: nodes.citation) -> None:
    """End a reference."""
    HTML5Translator.depart_citation(translator, node)


def setup(app: Sphinx) -> None:
    """Mend what reaches the site."""
    app.add_post_transform(DropRepeatedIds)
    app.add_node(nodes.citation, override=True, html=(visit_citation, depart_citation))
