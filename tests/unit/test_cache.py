"""The key of a page: what it changes with, and above all what it does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import jupytext
import pytest
from course.cache import Package

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted(p for p in (ROOT / "book").glob("*.md") if "{code-cell}" in p.read_text("utf-8"))
LAYERS = '''"""Layers."""

import math

from helpers.checks import check, check_more as more

SIZE = 3
"""Of a layer."""
NAMES = {"small": lambda: Small}


class Small:
    """A small layer."""

    def forward(self, x):
        """Return x, checked."""
        return check(x) * SIZE


class Large(Small):
    def forward(self, x):
        return more(x)
'''
CHECKS = """
LIMIT = 9

def check(x):
    return min(x, LIMIT)

def check_more(x):
    return x
"""
PICTURES = """
import matplotlib

matplotlib.use("agg")

def draw():
    return 1

def paint():
    return 2
"""
BIRDS = """
from helpers.checks import check

def gull():
    return check(1)
"""
FISH = """
def herring():
    return 1
"""
ANIMALS_ALL = """
from helpers.animals.birds import gull
from .fish import herring
"""
FILES = {
    "__init__.py": "",
    "animals/__init__.py": ANIMALS_ALL,
    "animals/birds.py": BIRDS,
    "animals/fish.py": FISH,
    "layers.py": LAYERS,
    "checks.py": CHECKS,
    "pictures.py": PICTURES,
    "tasks.py": "def load_measurement(name):\n    return name\n",
    "measurements/long.json": "[1]",
    "measurements/short.json": "[2]",
    "corpora/story.txt": "once upon a time",
}  # fmt: skip
SMALL = "from helpers.layers import Small"
LARGE = "from helpers.layers import Large"
DRAW = "from helpers.pictures import draw"
LONG = "from helpers.tasks import load_measurement\nload_measurement('long')"
ANY = "from helpers.tasks import load_measurement\nfor n in names:\n    load_measurement(n)"
OTHER = "from helpers.tasks import load_measurement as load\nload('long')"
PASSED_ON = "from helpers.tasks import load_measurement\n[*map(load_measurement, names)]"
MODULE = "import helpers.layers"
FROM = "from helpers import layers"
MAGIC = "%matplotlib inline\nfrom helpers.layers import Small"
UNREADABLE = "?print\nfrom helpers.layers import Small"
GULL = "from helpers.animals import gull"
HERRING = "from helpers.animals import herring"
FISH_ALONE = "from helpers.animals import fish"
ANIMALS = "from helpers import animals"
NOTHING = "import math"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A package of helpers."""
    for name, text in FILES.items():
        path = tmp_path / "helpers" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "helpers"


def replaced(name: str, old: str, new: str) -> Callable[[Path], object]:
    """Return a change of a file."""

    def change(root: Path) -> None:
        text = (root / name).read_text()
        assert old in text
        (root / name).write_text(text.replace(old, new))

    return change


PAGES = (
    *(SMALL, LARGE, DRAW, LONG, ANY, OTHER, PASSED_ON),
    *(MODULE, FROM, MAGIC, UNREADABLE, GULL, HERRING, FISH_ALONE, ANIMALS, NOTHING),
)  # fmt: skip

# A name for each change, the change, and the pages whose outputs may be others after it.
CHANGES: dict[str, tuple[Callable[[Path], object], set[str]]] = {
    "docstring of a module": (replaced("layers.py", "Layers.", "Those."), set()),
    "docstring of a class": (replaced("layers.py", "A small layer", "Small"), set()),
    "docstring of a method": (replaced("layers.py", "Return x, checked", "x"), set()),
    "docstring of a value": (replaced("layers.py", "Of a layer", "Size"), set()),
    "comment and layout": (replaced("layers.py", "SIZE = 3", "SIZE = (3)  # three"), set()),
    "new function": (
        lambda root: (root / "layers.py").write_text(LAYERS + "\ndef f():\n    return 1\n"),
        {MODULE, FROM, UNREADABLE},
    ),
    "another drawing": (replaced("pictures.py", "return 2", "return 3"), {UNREADABLE}),
    "the drawing": (replaced("pictures.py", "return 1", "return 3"), {DRAW, UNREADABLE}),
    "what runs at import": (replaced("pictures.py", "agg", "svg"), {DRAW, UNREADABLE}),
    "a layer": (
        replaced("layers.py", "return more(x)", "return more(2 * x)"),
        {LARGE, MODULE, FROM, UNREADABLE},
    ),
    "a layer that another builds on": (
        replaced("layers.py", "* SIZE", "+ SIZE"),
        {SMALL, LARGE, MODULE, FROM, MAGIC, UNREADABLE},
    ),
    "a value that is used": (
        replaced("layers.py", "SIZE = 3", "SIZE = 4"),
        {SMALL, LARGE, MODULE, FROM, MAGIC, UNREADABLE},
    ),
    "a value in another module": (
        replaced("checks.py", "LIMIT = 9", "LIMIT = 8"),
        {SMALL, LARGE, MODULE, FROM, MAGIC, UNREADABLE, GULL, ANIMALS},
    ),
    "a function under another name": (
        replaced("checks.py", "return x", "return 2 * x"),
        {LARGE, MODULE, FROM, UNREADABLE},
    ),
    "the measurement": (
        replaced("measurements/long.json", "1", "3"),
        {LONG, ANY, OTHER, PASSED_ON, UNREADABLE},
    ),
    "another measurement": (
        replaced("measurements/short.json", "2", "3"),
        {ANY, OTHER, PASSED_ON, UNREADABLE},
    ),
    "a text": (
        replaced("corpora/story.txt", "once", "twice"),
        set(PAGES) - {NOTHING},
    ),
    "a function in a room of the package": (
        replaced("animals/fish.py", "return 1", "return 2"),
        {HERRING, FISH_ALONE, ANIMALS, UNREADABLE},
    ),
    "another function in the room": (
        replaced("animals/birds.py", "check(1)", "check(2)"),
        {GULL, ANIMALS, UNREADABLE},
    ),
    "what runs when the room is entered": (
        replaced("animals/__init__.py", "\nfrom", "\nprint(1)\nfrom"),
        {GULL, HERRING, FISH_ALONE, ANIMALS, UNREADABLE},
    ),
    "a module more in the room": (
        lambda root: (
            (root / "animals" / "frogs.py").write_text("def toad():\n    return 1\n"),
            replaced(
                "animals/__init__.py", "\nfrom", "\nfrom helpers.animals.frogs import toad\nfrom"
            )(root),
        ),
        {ANIMALS, UNREADABLE},
    ),
    "compiled code": (lambda root: (root / "x.pyc").mkdir(), set()),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_page_runs_again_only_if_what_it_reaches_has_changed(name: str, root: Path) -> None:
    change, expected = CHANGES[name]
    before = {page: Package(root).key([page]) for page in PAGES}
    change(root)
    after = {page: Package(root).key([page]) for page in PAGES}
    assert {page for page in PAGES if before[page] != after[page]} == expected


def test_a_measurement_that_changes_during_a_build_is_seen_by_the_next(root: Path) -> None:
    build = Package(root)
    before = build.key([LONG])  # then the page is executed, and its key is asked for again
    for study in (root / "measurements").iterdir():
        study.write_text('{"changed": true}')
    assert build.key([LONG]) == before != Package(root).key([LONG])


def test_the_key_knows_the_versions(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = Package(root).key([NOTHING])
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.0")
    assert Package(root).key([NOTHING]) != key


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.stem)
def test_a_chapter_reaches_its_own_drawings_alone(chapter: Path) -> None:
    package = Package(ROOT / "d2lhelpers")
    cells = [c.source for c in jupytext.read(chapter).cells if c.cell_type == "code"]
    reached = package.reached(package.program(cells))
    assert reached
    drawings = {
        f"{module}:{name}"
        for module, parts in package.modules.items()
        for name in parts.defined
        if module.startswith("drawings.") and name.startswith("draw_")
    }
    assert len(drawings) > 5
    shown = {place for place in drawings if f"{place.partition(':')[2]}(" in "".join(cells)}
    assert {place for place in drawings if place in reached} == shown
