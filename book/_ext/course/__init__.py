"""The Sphinx extension of this book, a module for each duty."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from course import (
    accessible,
    assets,
    bundle,
    cache,
    code,
    downloads,
    execution,
    findable,
    fold,
    front,
    images,
    launch,
    models,
    notebooks,
    play,
    previews,
    quiz,
    rules,
    search,
    tasks,
    typography,
    workbook,
    your_turn,
)

MODULES = (
    accessible,
    assets,
    bundle,
    cache,
    code,
    downloads,
    execution,
    findable,
    fold,
    front,
    images,
    launch,
    models,
    notebooks,
    play,
    previews,
    quiz,
    rules,
    search,
    tasks,
    typography,
    workbook,
    your_turn,
)


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect every module to the build."""
    for module in MODULES:
        module.setup(app)
    here = Path(__file__).parent
    sources = sorted([*here.glob("*.py"), *here.glob("templates/*")])
    return {
        # With a new one Sphinx makes all pages again, which it would not for these files.
        "env_version": hashlib.sha256(b"".join(p.read_bytes() for p in sources)).hexdigest(),
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
