"""Licences: the files, the package, the site's foot and the README name the same three."""

from __future__ import annotations

import tomllib
from importlib.metadata import distributions
from pathlib import Path

import pytest
import yaml
from course import notebooks

ROOT = Path(__file__).parents[2]
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
PACKAGE = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
FILES = {
    "LICENSE": "MIT License",
    "LICENSE-TEXT": "Creative Commons Attribution 4.0 International",
    "LICENSE-STORY": "CC0 1.0 Universal",
}
NAMES = ("MIT", "CC BY 4.0", "CC0 1.0")


@pytest.mark.parametrize("file", FILES)
def test_a_licence_is_there(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    assert FILES[file] in text[:100]
    assert len(text) > 1000


def test_the_same_author_everywhere() -> None:
    author = CONFIG["author"]
    assert author in (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert PACKAGE["authors"] == [{"name": author}]


def test_the_package_says_its_licences() -> None:
    assert PACKAGE["license"] == "MIT AND CC0-1.0"
    assert PACKAGE["license-files"] == ["LICENSE", "LICENSE-STORY"]
    # What is installed has METADATA; what setuptools leaves in the checkout has not.
    (installed,) = [d for d in distributions(name="d2lhelpers") if d.read_text("METADATA")]
    assert installed.metadata["License-Expression"] == PACKAGE["license"]
    assert installed.metadata.get_all("License-File") == PACKAGE["license-files"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(CONFIG["html"]["extra_footer"], id="foot"),
        pytest.param(notebooks.LICENSES, id="notebook"),
        pytest.param((ROOT / "README.md").read_text(encoding="utf-8"), id="readme"),
    ],
)
def test_all_three_are_named(text: str) -> None:
    assert [name for name in NAMES if name not in text] == []


def test_the_story_says_its_own() -> None:
    story = (ROOT / "d2lhelpers" / "corpora" / "story.txt").read_text(encoding="utf-8")
    assert "CC0 1.0" in story[:200]
