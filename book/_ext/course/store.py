"""What is noted of each page when it is written, kept for later builds that write only some."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx


def path_of(app: Sphinx, kind: str, page: str) -> Path:
    """Return the file with the notes of one kind about a page."""
    return Path(app.doctreedir) / kind / f"{page}.json"


def note(app: Sphinx, kind: str, page: str, notes: object) -> None:
    """Keep notes about a page that is being written."""
    path = path_of(app, kind, page)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notes), encoding="utf-8")


def noted(app: Sphinx, kind: str) -> dict[str, Any]:
    """Return the notes about every page of the book that has some, by page."""
    assert app.env is not None
    paths = {page: path_of(app, kind, page) for page in sorted(app.env.found_docs)}
    return {
        page: json.loads(path.read_text(encoding="utf-8"))
        for page, path in paths.items()
        if path.is_file()
    }


def write_script(app: Sphinx, name: str, variable: str, data: object) -> None:
    """Write data as a script that sets a variable: a page from a folder may load it, too."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    (Path(app.outdir) / name).write_text(f"window.{variable}={text};\n", encoding="utf-8")
