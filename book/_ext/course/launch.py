"""Where the site and its notebooks will be found, and what runs them: Colab, Binder, any Jupyter.

All of it follows from the repository. Where that is unknown there are no buttons, and the notebooks
say how the helper package is installed from a checkout.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ExtensionError
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)

PACKAGE = "d2lhelpers"
KEPT = ("torch", "numpy", "matplotlib")  # what the package needs, and what a notebook leaves alone
PYTHON = "3.12"  # on Binder
WHEELS = "https://download.pytorch.org/whl/cpu"  # Binder has no GPU
INSTALL = """\
# @title Install PACKAGE where it is missing
import importlib.util
from importlib.metadata import version

if importlib.util.find_spec("PACKAGE") is None:
    # These stay as they are, if they are here.
    kept = KEPT
    here = [name for name in kept if importlib.util.find_spec(name)]
    pins = " ".join(f"{name}=={version(name)}" for name in here)
    %pip install --quiet SOURCE {pins}"""
MISSING = """\
# @title PACKAGE has to be here already
import importlib.util

if importlib.util.find_spec("PACKAGE") is None:
    raise ModuleNotFoundError(
        "PACKAGE is missing: run `pip install .` in a checkout of the course"
    )"""
NAME = re.compile(r"[A-Za-z0-9-]+/[\w.-]+")
REMOTE = re.compile(
    r"(?:git@github\.com:|(?:https|ssh)://(?:[^@/]*@)?github\.com/)(.+?)(?:\.git)?/?"
)
PIN = re.compile(rf"^({'|'.join(KEPT)})==.*$", re.MULTILINE)


@dataclass(frozen=True)
class Repository:
    """A repository on GitHub, the revision that is built, and the branch that has the site."""

    name: str
    revision: str
    branch: str

    @property
    def site(self) -> str:
        """The address under which GitHub Pages shows the branch."""
        owner, _, name = self.name.partition("/")
        host = f"{owner.lower()}.github.io"
        return f"https://{host}/" if name.lower() == host else f"https://{host}/{name}/"

    @property
    def archive(self) -> str:
        """What pip installs the helper package from: no git is needed for it."""
        return f"https://github.com/{self.name}/archive/{self.revision}.zip"

    def launchers(self, path: str) -> dict[str, str]:
        """Return where each service opens a notebook, given by its path in the branch."""
        branch, quoted = quote(self.branch, safe=""), quote(path)
        return {
            "Colab": f"https://colab.research.google.com/github/{self.name}/blob/{self.branch}/{quoted}",
            "Binder": f"https://mybinder.org/v2/gh/{self.name}/{branch}?urlpath=lab/tree/{quoted}",
        }


def git(folder: Path, *arguments: str) -> str:
    """Return what git says about a folder, or nothing where there is no git or no repository."""
    try:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()
    except FileNotFoundError:
        return ""


def find_repository(folder: Path, setting: str, branch: str) -> Repository | None:
    """Return the repository of the book in a folder, or None if nobody knows it.

    Asks the environment of a workflow, then the git remote `origin`, then the setting. Raises
    `ExtensionError` for a name that is not OWNER/NAME.
    """
    remote = REMOTE.fullmatch(git(folder, "remote", "get-url", "origin"))
    name = os.environ.get("GITHUB_REPOSITORY") or (remote[1] if remote else "") or setting
    if not name:
        return None
    if not NAME.fullmatch(name):
        raise ExtensionError(
            f"{name!r} is not the name of a repository on GitHub: write OWNER/NAME into "
            "GITHUB_REPOSITORY or into course_repository in _config.yml"
        )
    revision = os.environ.get("GITHUB_SHA") or git(folder, "rev-parse", "HEAD") or "HEAD"
    return Repository(name, revision, branch)


def install_cell(source: str | None) -> str:
    """Return the code of a notebook's first cell: install the helper package if it is missing.

    ``source`` is what pip installs it from. The packages in `KEPT` stay as they are, if they are
    there; if they are too old for the helper package, pip says so and changes nothing.
    """
    if source is None:
        return MISSING.replace("PACKAGE", PACKAGE)
    kept = ", ".join(f'"{name}"' for name in KEPT)
    code = INSTALL.replace("PACKAGE", PACKAGE).replace("KEPT", f"({kept})")
    return code.replace("SOURCE", source)


def binder_files(repository: Repository, requirements: str) -> dict[str, str]:
    """Return the files that tell Binder what to install: the pins of the chapters' packages.

    Raises `ExtensionError` if the requirements do not pin them.
    """
    pins = [match[0] for match in PIN.finditer(requirements)]
    if len(pins) != len(KEPT):
        raise ExtensionError(f"requirements.txt pins {pins}: add an exact version of all of {KEPT}")
    lines = [f"--extra-index-url {WHEELS}", *pins, f"{PACKAGE} @ {repository.archive}"]
    return {"requirements.txt": "\n".join(lines) + "\n", "runtime.txt": f"python-{PYTHON}\n"}


def write_binder_files(app: Sphinx, exception: Exception | None) -> None:
    """Put the files for Binder beside the site, since it builds from the branch of the site."""
    repository: Repository | None = app.config.course_found_repository
    if exception is not None or app.builder.format != "html" or repository is None:
        return
    requirements = Path(app.srcdir, "requirements.txt").read_text(encoding="utf-8")
    folder = Path(app.outdir) / ".binder"
    folder.mkdir(exist_ok=True)
    for name, text in binder_files(repository, requirements).items():
        (folder / name).write_text(text, encoding="utf-8")


def look_up(app: Sphinx, config: Config) -> None:
    """Find the repository, and say so if there is none."""
    repository = find_repository(
        Path(app.srcdir), config.course_repository, config.course_deployed_branch
    )
    config.course_found_repository = repository
    config.course_launch_target = f"{repository.name}@{repository.branch}" if repository else ""
    if repository is None:
        LOGGER.info(
            "no launch buttons: no repository is known from GITHUB_REPOSITORY, from the git remote "
            "origin on github.com, or from course_repository in _config.yml"
        )


def setup(app: Sphinx) -> None:
    """Run before any page is written."""
    app.add_config_value("course_repository", "", "", types=str)
    app.add_config_value("course_deployed_branch", "gh-pages", "", types=str)
    app.add_config_value("course_found_repository", None, "")
    # With another one all pages are written again; a new revision alone does not need it.
    app.add_config_value("course_launch_target", "", "html", types=str)
    app.connect("config-inited", look_up)
    app.connect("build-finished", write_binder_files)
