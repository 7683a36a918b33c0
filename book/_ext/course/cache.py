"""The execution cache: outputs are reused as long as nothing that made them has changed.

The cache of myst-nb looks at the code cells of a page alone. Here it gets a folder whose name is a
hash of the rest: the helper package and the versions of what executes it.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import platform
import shutil
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config

PACKAGE = "d2lhelpers"
VERSIONS = ("torch", "numpy", "matplotlib", "ipykernel", "nbclient", "myst-nb")
KEPT = 3  # caches of earlier states, for going back and forth


def key(package: Path) -> str:
    """Return a hash of a package's code and data and of the versions that run it.

    Comments and layout of the code do not count.
    """
    digest = hashlib.sha256(platform.python_version().encode())
    for name in VERSIONS:
        digest.update(f"{name}=={importlib.metadata.version(name)}".encode())
    for path in sorted(package.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            content = path.read_bytes()
            if path.suffix == ".py":
                content = ast.dump(ast.parse(content, path.name)).encode()
            digest.update(f"{path.relative_to(package)}:{len(content)}:".encode() + content)
    return digest.hexdigest()[:16]


def choose_folder(app: Sphinx, config: Config) -> None:
    """Point myst-nb at the cache of this state of the package, and drop the oldest others."""
    folder = Path(app.outdir).parent / "execution"
    current = folder / key(Path(app.srcdir) / PACKAGE)
    current.mkdir(parents=True, exist_ok=True)
    current.touch()
    others = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in others[1 + KEPT :]:
        shutil.rmtree(path)
    config.nb_execution_cache_path = str(current)
    config.course_execution_key = current.name


def setup(app: Sphinx) -> None:
    """Run before myst-nb reads its settings."""
    # With a new key Sphinx reads all pages again, so that they are executed.
    app.add_config_value("course_execution_key", "", "env", types=str)
    app.connect("config-inited", choose_folder, priority=10)
