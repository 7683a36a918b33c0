"""What the extension uses of other packages that they do not promise: each is looked for by name.

After an update that takes one of them away, this says which, where the build would say something
else, or nothing: a global that nobody reads any more, a rule of css that is written another way.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from importlib.metadata import version
from types import CodeType
from typing import Any

import jupyter_cache.executors.utils
import myst_nb.core.read
import pytest
import sphinx_exercise.directive
import sphinxcontrib.katex as katex
from course import accessible, assets
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


def style() -> str:
    """The style sheet of the theme, as it is installed."""
    return (assets.THEME / assets.STYLES).read_text(encoding="utf-8")


def icons() -> bool:
    """The rules of the icons are found, and nearly all have their glyph; some have a letter."""
    rules = [rule[0] for rule in assets.ICON_RULE.finditer(style())]
    return sum(assets.GLYPH.search(rule) is not None for rule in rules) > 1000


def fonts() -> bool:
    """Each font of the style sheet is one that lies there."""
    found = {path.rpartition("/")[2] for path in assets.FONT_SOURCE.findall(style())}
    return (
        found == {path.stem for path in (assets.THEME / assets.ICON_FONTS).glob("fa-*.ttf")} > set()
    )


def icon_script() -> bool:
    """The page loads the icons by a script of this form."""
    template = (assets.THEME / "webpack-macros.html").read_text(encoding="utf-8")
    return len(assets.ICON_SCRIPT.findall(template)) == 1


def repeated_ids() -> bool:
    """The bodies of exercises and solutions have the ids that are dropped."""
    source = inspect.getsource(sphinx_exercise.directive)
    return all(f"{name}-content" in source for name in ("exercise", "solution")) and (
        {"exercise-content", "solution-content"} == {ids[0] for ids in accessible.REPEATED_IDS}
    )


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
    ("pydata-sphinx-theme", "the css rule of an icon", "assets.py", icons),
    ("pydata-sphinx-theme", "the css source of a font of icons", "assets.py", fonts),
    ("pydata-sphinx-theme", "the script of the icons", "assets.py", icon_script),
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
