"""The executed notebooks: one for each page that has code, beside the site, for download."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from docutils import nodes
from jupyter_cache import get_cache
from myst_nb.core.read import create_nb_reader
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError

from course.quiz import folded

FOLDER = "notebooks"


def read(env: BuildEnvironment, page: str) -> nbformat.NotebookNode | None:
    """Return a page as a notebook without outputs, or None if it is plain text."""
    path = env.doc2path(page)
    source = Path(path).read_text(encoding="utf-8")
    reader = create_nb_reader(path, env.myst_config, env.mystnb_config, source)  # type: ignore[attr-defined]
    return None if reader is None else reader.read(source)


def executable_pages(env: BuildEnvironment) -> list[str]:
    """Return the names of the pages that are programs, whether executed or not, sorted."""
    return sorted(name for name in env.found_docs if read(env, name) is not None)


def notebook_name(page: str) -> str:
    """Return the path of a page's notebook, from the root of the site."""
    return f"{FOLDER}/{Path(page).name}.ipynb"


def executed_notebook(env: BuildEnvironment, page: str) -> nbformat.NotebookNode:
    """Return a page as a notebook with the outputs of its execution.

    myst-nb itself leaves the outputs out when they come from its cache. Raises `ExtensionError` if
    the page was not executed as it stands, or a code cell did not run.
    """
    try:
        cache = get_cache(env.config.nb_execution_cache_path)
        notebook: nbformat.NotebookNode = cache.merge_match_into_notebook(read(env, page))[1]
    except KeyError:
        raise ExtensionError(
            f"{page} was not executed as it stands: no outputs for its code are in "
            f"{env.config.nb_execution_cache_path}; is execute_notebooks set to 'cache'?"
        ) from None
    idle = [
        cell.source.split("\n")[0]
        for cell in notebook.cells
        if cell.cell_type == "code" and cell.source.strip() and not cell.execution_count
    ]
    if idle:
        raise ExtensionError(f"{page} has cells that did not run, the first one {idle[0]!r}")
    return notebook


def export(app: Sphinx, exception: Exception | None) -> None:
    """Write the notebook of every page that has code, once the site is built."""
    if exception is not None or app.builder.format != "html":
        return
    assert app.env is not None
    for page in executable_pages(app.env):
        path = Path(app.outdir) / notebook_name(page)
        path.parent.mkdir(exist_ok=True)
        notebook = executed_notebook(app.env, page)
        for number, cell in enumerate(notebook.cells):
            cell.id = f"cell-{number}"  # they are drawn at random, and two builds should agree
            if cell.cell_type == "markdown":
                cell.source = folded(cell.source)
        nbformat.write(nbformat.from_dict(notebook), path)


def add_download(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Put the executed notebook first in the page's download menu."""
    assert app.env is not None
    if doctree is None or read(app.env, page) is None:
        return
    for menu in context.get("header_buttons", []):
        if menu.get("label") == "download-buttons":
            button = {
                "type": "link",
                "url": context["pathto"](notebook_name(page), 1),
                "text": ".ipynb",
                "icon": "fas fa-code",
                "tooltip": "Download the executed notebook",
                "label": "download-notebook-button",
            }
            menu["buttons"].insert(0, button)


def setup(app: Sphinx) -> None:
    """Export when the build is finished; add the button after the theme has made the menu."""
    app.connect("build-finished", export)
    app.connect("html-page-context", add_download, priority=900)
