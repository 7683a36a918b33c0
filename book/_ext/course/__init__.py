"""The Sphinx extension of this book, a module for each duty."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from course import accessible, assets, cache, notebooks, typography


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect every module to the build."""
    for module in (accessible, assets, cache, notebooks, typography):
        module.setup(app)
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return {
        # With a new one Sphinx makes all pages again.
        "env_version": hashlib.sha256(b"".join(p.read_bytes() for p in sources)).hexdigest(),
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
