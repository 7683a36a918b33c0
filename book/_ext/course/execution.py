"""Execution of the chapters: all that need it at once, as many side by side as there are cores.

myst-nb executes a page when Sphinx reads it, one after the other. Here they are executed before
that and put into its cache, where myst-nb then finds them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.executors.utils import ExecutionResult, single_nb_execution
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx.util import logging

from course.notebooks import read

LOGGER = logging.getLogger(__name__)


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

    Raises `ExtensionError` with the traceback if a cell fails; the others still go to the cache.
    """
    if env.config.nb_execution_mode != "cache":
        return
    cache = get_cache(env.config.nb_execution_cache_path)
    notebooks = {}
    for page in pages:
        if (notebook := read(env, page)) is not None:
            try:
                cache.match_cache_notebook(notebook)
            except KeyError:
                notebooks[page] = notebook
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        results = pool.map(lambda page: execute(env, page, notebooks[page]), notebooks)
    failures = []
    for page, result in zip(notebooks, results, strict=True):
        if result.err is not None:
            failures.append(f"{page} failed while it was executed:\n{result.exc_string}")
            continue
        bundle = CacheBundleIn(
            notebooks[page], str(env.doc2path(page)), data={"execution_seconds": result.time}
        )
        cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
    if failures:
        raise ExtensionError("\n".join(failures))


def setup(app: Sphinx) -> None:
    """Run when it is known which pages have to be read, before the first one is."""
    app.connect("env-before-read-docs", execute_all)
