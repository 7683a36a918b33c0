"""Execution of the chapters: all that need it at once, as many side by side as there are cores.

myst-nb executes a page when Sphinx reads it, one after the other. Here they are executed before
that and put into its cache, where myst-nb then finds them. Which need it, course.cache tells.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from docutils import nodes
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn, JupyterCacheAbstract
from jupyter_cache.executors.utils import ExecutionResult, single_nb_execution
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx.util import logging

from course.cache import page_key
from course.notebooks import fresh, read

LOGGER = logging.getLogger(__name__)
KEY = "course_key"
PLAIN = re.compile(r"\x1b\[[0-9;]*m")  # the colours of a terminal


def decisive(notebook: nbformat.NotebookNode) -> tuple[object, ...]:
    """Return what of a notebook decides its outputs: the kernel, and code with its tags."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    cells = [(cell.source, tuple(cell.metadata.get("tags", ()))) for cell in code]
    return notebook.metadata.get("kernelspec", {}).get("name"), *cells


def reuse(
    env: BuildEnvironment, cache: JupyterCacheAbstract, page: str, notebook: nbformat.NotebookNode
) -> bool:
    """Give a page the outputs that the cache has for its code; tell whether it has them.

    The cache looks at all metadata of a cell. Of those a caption or a task changes no output.
    """
    key, wanted = page_key(env, notebook), decisive(notebook)
    for record in cache.list_cache_records():
        if (record.data or {}).get("key") != key:
            continue
        executed = cache.get_cache_bundle(record.pk).nb
        if decisive(executed) != wanted:
            continue
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        for cell, old in zip(code, executed.cells, strict=True):
            cell.outputs, cell.execution_count = old.outputs, old.execution_count
        if "language_info" in executed.metadata:  # as an execution notes it
            notebook.metadata["language_info"] = executed.metadata["language_info"]
        bundle = CacheBundleIn(notebook, str(env.doc2path(page)), data=record.data)
        cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
        return True
    return False


def execute(env: BuildEnvironment, page: str, notebook: nbformat.NotebookNode) -> ExecutionResult:
    """Execute a page's notebook in place, in the folder of the page."""
    LOGGER.info(f"executing {page} ...")
    result = single_nb_execution(
        notebook,
        cwd=str(Path(env.doc2path(page)).parent),
        timeout=env.config.nb_execution_timeout,
        allow_errors=False,
        coalesce_streams=True,
        extra_arguments=["--log-level=40"],  # not that the kernel listens on this machine's TCP
    )
    LOGGER.info(f"{'executed' if result.err is None else 'failed'} {page} in {result.time:.0f} s")
    return result


def execute_all(app: Sphinx, env: BuildEnvironment, pages: Iterable[str]) -> None:
    """Execute the pages that Sphinx is about to read, as far as the cache lacks their outputs.

    Logs the traceback of a cell that fails, and raises `ExtensionError` when all have run; the
    outputs of the other pages go to the cache.
    """
    if env.config.nb_execution_mode != "cache":
        return
    cache = get_cache(env.config.nb_execution_cache_path)
    notebooks = {}
    for page in pages:
        notebook = read(env, page)
        if notebook is None or fresh(env, cache, notebook):
            continue
        if not reuse(env, cache, page, notebook):
            notebooks[page] = notebook
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        results = pool.map(lambda page: execute(env, page, notebooks[page]), notebooks)
    failed = []
    for page, result in zip(notebooks, results, strict=True):
        if result.err is not None:
            LOGGER.error(failure(env, page, notebooks[page], result))
            failed.append(page)
            continue
        data = {"execution_seconds": result.time, "key": page_key(env, notebooks[page])}
        bundle = CacheBundleIn(notebooks[page], str(env.doc2path(page)), data=data)
        cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
    if failed:
        raise ExtensionError(f"failed while they were executed: {', '.join(failed)}")


def failure(
    env: BuildEnvironment, page: str, notebook: nbformat.NotebookNode, result: ExecutionResult
) -> str:
    """Return the line at which a page failed, and what its reader would see there."""
    path = Path(env.doc2path(page))
    place, said, text = str(path), str(result.exc_string), path.read_text(encoding="utf-8")
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                said = PLAIN.sub("", "\n".join(output.traceback))
                line = re.search(r"Cell .*?, line (\d+)", said)
                before = text[: text.find(cell.source)].count("\n")
                place += f":{before + int(line[1] if line else 1)}"
    return f"{place}: a cell failed\n{said}"


def outdated(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> list[str]:
    """Read the pages again whose outputs are no longer true."""
    notebooks = {page: read(env, page) for page in env.found_docs - added - changed}
    return sorted(
        page
        for page, notebook in notebooks.items()
        if notebook is not None and env.metadata[page].get(KEY) != page_key(env, notebook)
    )


def note_key(app: Sphinx, document: nodes.document) -> None:
    """Note with a page that was read what its outputs depend on."""
    env = app.env
    assert env is not None
    if (notebook := read(env, env.docname)) is not None:
        env.metadata[env.docname][KEY] = page_key(env, notebook)


def setup(app: Sphinx) -> None:
    """Run when it is known which pages have to be read, before the first one is."""
    app.connect("env-get-outdated", outdated)
    app.connect("doctree-read", note_key)
    app.connect("env-before-read-docs", execute_all)
