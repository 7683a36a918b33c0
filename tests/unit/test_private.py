"""What the extension uses of other packages that they do not promise: each is looked for by name.

After an update that takes one of them away, this says which, where the build would say something
else, or nothing: a global that nobody reads any more, a rule of css that is written another way.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from importlib.metadata import version
from types import CodeType
from typing import Any

import jupyter_cache.executors.utils
import myst_nb.core.read
import pydata_sphinx_theme
import pygments.formatters.html
import pytest
import sphinx.builders.html
import sphinx_exercise.directive
import sphinx_exercise.post_transforms
import sphinxcontrib.katex as katex
from course import accessible, assets, bundle
from myst_nb.sphinx_ import HideInputCells
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator


def codes(code: CodeType) -> Iterator[CodeType]:
    """Yield a piece of compiled code and all that is defined in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes(constant)


def reads(module: Any, name: str) -> bool:
    """Tell whether a function of a module reads a name, a global or an attribute."""
    whole = compile(inspect.getsource(module), module.__name__, "exec")
    return any(name in code.co_names for code in codes(whole) if code is not whole)


def takes(function: Callable[..., Any], *names: str) -> bool:
    """Tell whether a function has parameters of these names, or any."""
    parameters = inspect.signature(function).parameters
    anything = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    return anything or set(names) <= set(parameters)


def katex_server() -> bool:
    """The function that is replaced is called by the class, with a folder and seconds."""
    replaced = katex.KaTeXServer.start_server_process
    mine = list(inspect.signature(assets.start_server).parameters.values())
    return reads(katex, "start_server_process") and (
        len(inspect.signature(replaced).parameters) == len(mine)
    )


def theme_files() -> bool:
    """What the theme's pages load by themselves is what the bundle takes their place of."""
    template = (bundle.THEME / "webpack-macros.html").read_text(encoding="utf-8")
    loaded = set(re.findall(r"pathto\('(_static/[^']+)'", template))
    mine = {*bundle.THEME_STYLES, *bundle.THEME_SCRIPTS}
    return loaded == mine | {"_static/scripts/fontawesome.js"}


def blocks() -> bool:
    """The templates have the blocks that this book's templates fill in another way."""
    layout = (bundle.THEME.parent / "layout.html").read_text(encoding="utf-8")
    search = (bundle.THEME.parent / "search.html").read_text(encoding="utf-8")
    return all(f"block {name}" in layout for name in ("css", "scripts_end")) and all(
        f"block {name}" in search for name in ("docs_body", "scripts")
    )


def when_loaded() -> bool:
    """What the theme does when a page is loaded is what mode.js keeps it from, and nothing new."""
    bootstrap, theme = (bundle.THEME / f"scripts/{name}.js" for name in SCRIPTS)
    kinds = re.findall(r"load\$\{(\w+)\}", bootstrap.read_text(encoding="utf-8"))
    text = theme.read_text(encoding="utf-8")
    return len(kinds) == 4 and text.count('addEventListener("load"') == text.count("scrollWidth")


def fonts() -> bool:
    """Each font of the style sheets is one that lies there, to be cut."""
    sheets = (bundle.THEME / "styles/pydata-sphinx-theme.css", assets.KATEX / "katex.min.css")
    names = {name for path in sheets for _, name in bundle.FONT.findall(path.read_text())}
    there = {path.stem for folder in bundle.FONTS for path in folder.glob("*.ttf")}
    return len(names) > 10 and names <= there | {"fa-v4compatibility"}


def page_name() -> bool:
    """The theme adds the one script to a page that is left out."""
    source = inspect.getsource(pydata_sphinx_theme.update_and_remove_templates)
    return bundle.PAGE_NAME.search(source.replace("{pagename}", "name")) is not None


def solution_titles() -> bool:
    """A solution begins with its title."""
    return "children[0]" in inspect.getsource(sphinx_exercise.post_transforms)


def repeated_ids() -> bool:
    """The bodies of exercises and solutions have the ids that are dropped."""
    source = inspect.getsource(sphinx_exercise.directive)
    return all(f"{name}-content" in source for name in ("exercise", "solution")) and (
        {"exercise-content", "solution-content"} == {ids[0] for ids in accessible.REPEATED_IDS}
    )


SCRIPTS = ("bootstrap", "pydata-sphinx-theme")
HIDDEN = inspect.getsource(HideInputCells)

# The package, what is used of it, where, and whether it is there.
PRIVATE: list[tuple[str, str, str, Callable[[], bool]]] = [
    *(
        ("sphinxcontrib-katex", name, "assets.py", lambda name=name: reads(katex, name))
        for name in ("NODEJS_BINARY", "KATEX_DEFAULT_OPTIONS", "STARTUP_TIMEOUT", "RENDER_TIMEOUT")
    ),
    ("sphinxcontrib-katex", "KaTeXServer.start_server_process", "assets.py", katex_server),
    (
        "sphinxcontrib-katex",
        "KaTeXServer.build_command(socket=)",
        "assets.py",
        lambda: takes(katex.KaTeXServer.build_command, "socket"),
    ),
    ("pydata-sphinx-theme", "the files of every page", "bundle.py", theme_files),
    ("pydata-sphinx-theme", "the blocks of its templates", "templates/", blocks),
    ("pydata-sphinx-theme", "what waits for `load`", "mode.js", when_loaded),
    ("pydata-sphinx-theme", "the fonts", "bundle.py", fonts),
    ("pydata-sphinx-theme", "the name of a page in a script", "bundle.py", page_name),
    *(
        ("sphinx", name, "bundle.py", lambda name=name: reads(sphinx.builders.html, name))
        for name in ("_orig_css_files", "_orig_js_files")
    ),
    *(
        ("pygments", name, "code.py", lambda name=name: reads(pygments.formatters.html, name))
        for name in ("_get_css_classes", "_format_lines")
    ),
    (
        "myst-nb",
        "HideCodeCellNode",
        "fold.py",
        lambda: {"prompt_show", "prompt_hide"} <= {*re.findall(r"prompt_\w+", HIDDEN)},
    ),
    ("sphinx-exercise", "the title of a solution", "fold.py", solution_titles),
    ("sphinx-exercise", "the ids of exercises and solutions", "accessible.py", repeated_ids),
    (
        "sphinx",
        "the role doc-biblioentry",
        "accessible.py",
        lambda: "doc-biblioentry" in inspect.getsource(HTML5Translator.visit_citation),
    ),
    (
        "sphinx",
        "Sphinx._warncount",
        "rules.py",
        lambda: reads(inspect.getmodule(Sphinx), "_warncount") and reads(logging, "_warncount"),
    ),
    (
        "jupyter-cache",
        "single_nb_execution",
        "execution.py",
        lambda: takes(
            jupyter_cache.executors.utils.single_nb_execution,
            *("cwd", "timeout", "allow_errors", "extra_arguments", "coalesce_streams"),
        ),
    ),
    (
        "myst-nb",
        "create_nb_reader",
        "notebooks.py",
        lambda: len(inspect.signature(myst_nb.core.read.create_nb_reader).parameters) == 4,
    ),
]


@pytest.mark.parametrize(
    ("package", "what", "user", "there"),
    PRIVATE,
    ids=[f"{package}: {what}" for package, what, _, _ in PRIVATE],
)
def test_what_is_private_is_still_there(
    package: str, what: str, user: str, there: Callable[[], bool]
) -> None:
    try:
        found = there()
    except (AttributeError, OSError) as error:
        pytest.fail(f"{package} {version(package)} has {what} no more ({error}): see {user}")
    assert found, f"{package} {version(package)} has {what} no more, or otherwise: see {user}"


def test_all_that_the_build_sets_in_katex_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    before, options = dict(vars(katex)), dict(katex.KATEX_DEFAULT_OPTIONS)
    process = katex.KaTeXServer.start_server_process
    monkeypatch.setattr(katex.KaTeXServer, "start_server_process", process)
    monkeypatch.setattr(katex, "KATEX_DEFAULT_OPTIONS", options)
    for name in before:
        monkeypatch.setattr(katex, name, vars(katex)[name])
    assets.use_katex(None, type("Settings", (), {})())  # type: ignore[arg-type]
    changed = {name for name, value in vars(katex).items() if before.get(name) is not value}
    assert changed | {"KaTeXServer.start_server_process"} <= {what for _, what, _, _ in PRIVATE}
    assert changed
