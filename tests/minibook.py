"""A book of two small pages in a folder of its own, with the real settings and extension."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import yaml
from course import cache

ROOT = Path(__file__).parents[1]
BOOK = Path(sys.executable).with_name("jupyter-book")
HEAD = """---
jupytext: {text_representation: {extension: .md, format_name: myst}}
kernelspec: {display_name: Python 3, language: python, name: python3}
---

"""
# Each execution of its cell leaves a mark in the folder of the book.
PAGE = """
(label-of-page)=
# A page

```{math}
:label: eq-small
a = b
```

Equation {eq}`eq-small` and {ref}`label-of-page`.

```{code-cell} python3
import os
from pathlib import Path

from d2lhelpers.numbers import ONE

with Path(os.environ["MARKS"]).open("a") as marks:
    marks.write("x")
print("some output")
```
"""
QUIZ = """
```{quiz} a-name

Why?

- [x] So.

  Yes.
- [ ] Not so.

  No.
```
"""


class MiniBook:
    """A book in a folder, with a small helper package, and what its last build said."""

    def __init__(self, root: Path):
        self.root = root
        self.index, self.page = root / "book" / "index.md", root / "book" / "page.md"
        self.site = root / "_build" / "html"
        self.log = ""
        self.environment: dict[str, str] = {}
        for folder in ("book", cache.PACKAGE):
            (root / folder).mkdir(parents=True)
        (root / cache.PACKAGE / "__init__.py").touch()
        self.package = root / cache.PACKAGE / "numbers.py"
        self.package.write_text("ONE = 1\nTWO = 2\n")
        (root / "marks").touch()
        self.index.write_text("# The book\n")
        self.page.write_text(HEAD + PAGE)
        shutil.copy(ROOT / "book" / "references.bib", root / "book")
        shutil.copy(ROOT / "requirements.txt", root)
        self.list_pages(numbered=False)
        self.configure()

    def list_pages(self, numbered: bool) -> None:
        """Write the table of contents, with a number for the page if it is a chapter."""
        toc = {
            **{"format": "jb-book", "root": "book/index", "options": {"numbered": numbered}},
            "chapters": [{"file": "book/page"}],
        }
        (self.root / "_toc.yml").write_text(yaml.safe_dump(toc))

    def configure(self, **execute: Any) -> None:
        """Write the real settings, with paths that hold here and these changes of `execute`."""
        config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
        config["execute"].update(execute)
        config["sphinx"]["local_extensions"] = {"course": str(ROOT / "book" / "_ext")}
        settings = config["sphinx"]["config"]
        settings["html_static_path"] = [str(ROOT / path) for path in settings["html_static_path"]]
        settings["course_cards"] = False  # they take a second
        settings["html_favicon"] = str(ROOT / settings["html_favicon"])
        (self.root / "_config.yml").write_text(yaml.safe_dump(config))

    def build(self, quiet: bool = True) -> bool:
        """Build the site as `make site` does; tell whether that went well."""
        result = subprocess.run(
            [BOOK, "build", ".", *(["-q"] if quiet else []), "-W", "-n", "--keep-going"],
            cwd=self.root,
            env=os.environ
            | {"MARKS": str(self.root / "marks"), "PYTHONPATH": str(self.root)}
            | self.environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        self.log = re.sub(r"\x1b\[[0-9;]*m", "", result.stdout + result.stderr)
        return result.returncode == 0

    def html(self, page: str) -> str:
        """A page of the site."""
        return (self.site / "book" / f"{page}.html").read_text("utf-8")

    def executions(self) -> int:
        """How often the page's code has run."""
        return len((self.root / "marks").read_text())

    def notebook(self) -> nbformat.NotebookNode:
        """The executed notebook of the page."""
        return nbformat.read(self.site / "notebooks" / "page.ipynb", as_version=4)


def replace(old: str, new: str) -> Callable[[MiniBook], None]:
    """A change of the page's text."""

    def change(book: MiniBook) -> None:
        text = book.page.read_text()
        assert old in text
        book.page.write_text(text.replace(old, new))

    return change


def append(text: str) -> Callable[[MiniBook], None]:
    """A piece of text at the end of the page."""
    return replace(PAGE, PAGE + text)
