"""The executed notebooks: one for each page that has code, beside the site, to open anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from docutils import nodes
from jupyter_cache import get_cache
from jupyter_cache.base import JupyterCacheAbstract
from myst_nb.core.read import create_nb_reader
from nbformat.v4 import new_code_cell, new_markdown_cell
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError

from course.cache import page_key
from course.launch import Repository, install_cell
from course.plain import PlainPage

FOLDER = "notebooks"
LICENSE = "MIT AND CC-BY-4.0"  # the code, and the text with its figures; the story is apart
LICENSES = (
    "Code: MIT. Text and figures: CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/). "
    "The story: CC0 1.0."
)


def read(env: BuildEnvironment, page: str) -> nbformat.NotebookNode | None:
    """Return a page as a notebook without outputs, or None if it is plain text."""
    path = env.doc2path(page)
    source = Path(path).read_text(encoding="utf-8")
    reader = create_nb_reader(path, env.myst_config, env.mystnb_config, source)  # type: ignore[attr-defined]
    return None if reader is None else reader.read(source)


def fresh(
    env: BuildEnvironment, cache: JupyterCacheAbstract, notebook: nbformat.NotebookNode
) -> bool:
    """Tell whether the cache has the outputs of a page, made by all that would make them now."""
    try:
        record = cache.match_cache_notebook(notebook)
    except KeyError:
        return False
    return (record.data or {}).get("key") == page_key(env, notebook)


def notebook_name(page: str) -> str:
    """Return the path of a page's notebook, from the root of the site."""
    return f"{FOLDER}/{Path(page).name}.ipynb"


def executed_notebook(env: BuildEnvironment, page: str) -> nbformat.NotebookNode:
    """Return a page as a notebook with the outputs of its execution.

    myst-nb itself leaves the outputs out when they come from its cache. Raises `ExtensionError` if
    the page was not executed as it stands, or a code cell did not run.
    """
    cache, source = get_cache(env.config.nb_execution_cache_path), read(env, page)
    if source is None or not fresh(env, cache, source):
        raise ExtensionError(
            f"{page} was not executed as it stands: no outputs for its code are in "
            f"{env.config.nb_execution_cache_path}; is execute_notebooks set to 'cache'?"
        )
    notebook: nbformat.NotebookNode = cache.merge_match_into_notebook(source)[1]
    idle = [
        cell.source.split("\n")[0]
        for cell in notebook.cells
        if cell.cell_type == "code" and cell.source.strip() and not cell.execution_count
    ]
    if idle:
        raise ExtensionError(f"{page} has cells that did not run, the first one {idle[0]!r}")
    return notebook


def plain_notebook(
    app: Sphinx, page: str, document: nodes.document, repository: Repository | None
) -> nbformat.NotebookNode:
    """Return the notebook of a page as it is published: its text is plain Markdown."""
    assert app.env is not None
    notebook = executed_notebook(app.env, page)
    site = repository.site if repository else None
    notebook.cells = PlainPage(app.env, page, site).cells(document, notebook)
    return published(app, page, notebook, repository)


def published(
    app: Sphinx, page: str, notebook: nbformat.NotebookNode, repository: Repository | None
) -> nbformat.NotebookNode:
    """Return a notebook made of a page with all that it needs elsewhere: installation, credit."""
    install = new_code_cell(install_cell(repository.archive if repository else None))
    install.metadata["cellView"] = "form"  # Colab shows its title alone
    head = f"By {app.config.author}. {LICENSES}"
    if repository:
        link = f"[{app.config.html_title}]({repository.site}{page}.html)"
        head = f"This is a page of {link}. {head}"
    notebook.cells = [install, new_markdown_cell(f"*{head}*"), *notebook.cells]
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"  # they are drawn at random, and two builds should agree
    closed = [c for c in notebook.cells if c.metadata.get("jp-MarkdownHeadingCollapsed")]
    for cell in closed:
        cell.metadata["id"] = cell.id  # by which Colab knows it
    for name in ("jupytext", "source_map"):
        notebook.metadata.pop(name, None)
    notebook.metadata["authors"] = [{"name": app.config.author}]
    notebook.metadata["license"] = LICENSE
    colab = notebook.metadata.setdefault("colab", {})
    colab["collapsed_sections"] = [cell.id for cell in closed]
    return notebook


def export(app: Sphinx, document: nodes.document, page: str) -> None:
    """Write the notebook of a page that has code, when all its references are resolved."""
    assert app.env is not None
    if app.builder.format != "html" or read(app.env, page) is None:
        return
    path = Path(app.outdir) / notebook_name(page)
    path.parent.mkdir(exist_ok=True)
    notebook = plain_notebook(app, page, document, app.config.course_found_repository)
    nbformat.write(nbformat.from_dict(notebook), path)


def add_buttons(
    app: Sphinx, page: str, template: str, context: dict[str, Any], document: nodes.document | None
) -> None:
    """Put a menu of services before the others, and the notebook first among the downloads."""
    assert app.env is not None
    if document is None or read(app.env, page) is None:
        return
    path = notebook_name(page)
    repository: Repository | None = app.config.course_found_repository
    download = {
        "type": "link",
        "url": context["pathto"](path, 1),
        "text": ".ipynb",
        "icon": "fas fa-code",
        "tooltip": "Download the executed notebook",
        "label": "download-notebook-button",
    }
    menus = context.get("header_buttons", [])
    for menu in menus:
        if menu.get("label") == "download-buttons":
            menu["buttons"].insert(0, download)
    if repository is None:
        return
    services = [
        {
            "type": "link",
            "url": url,
            "text": service,
            "icon": f"_static/images/logo_{service.lower()}.{kind}",
            "tooltip": f"Run this chapter on {service}",
            "label": f"launch-{service.lower()}-button",
        }
        for (service, url), kind in zip(
            repository.launchers(path).items(), ("png", "svg"), strict=True
        )
    ]
    menus.insert(
        0,
        {
            "type": "group",
            "tooltip": "Run this chapter",
            "icon": "fas fa-rocket",
            "buttons": services,
            "label": "launch-buttons",
        },
    )


def setup(app: Sphinx) -> None:
    """Export each page that is written; add its buttons after the theme has made the menus."""
    app.connect("doctree-resolved", export, priority=900)
    app.connect("html-page-context", add_buttons, priority=900)
