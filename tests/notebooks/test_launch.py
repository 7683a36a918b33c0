"""Buttons that open a notebook elsewhere, and what is installed there."""

from __future__ import annotations

import re
import subprocess
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml
from course.launch import KEPT, PYTHON, Repository, binder_files, find_repository, install_cell
from minibook import MiniBook
from sphinx.errors import ExtensionError

ROOT = Path(__file__).parents[2]
SITE = ROOT / "_build" / "html"
COLAB = re.compile(r"https://colab\.research\.google\.com/github/([^/]+/[^/]+)/blob/([^/]+)/(.+)")
BINDER = re.compile(r"https://mybinder\.org/v2/gh/([^/]+/[^/]+)/([^?]+)\?urlpath=lab/tree/(.+)")
HERE = Repository("somebody/course", "abc123", "gh-pages")


@pytest.fixture(autouse=True)
def outside_of_a_workflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what a workflow of GitHub sets."""
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    monkeypatch.delenv("GITHUB_SHA", raising=False)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with one commit and no remote."""
    for command in (
        "init --quiet",
        "-c user.name=a -c user.email=a@b.c commit --quiet --allow-empty --message first",
    ):
        subprocess.run(["git", "-C", str(tmp_path), *command.split()], check=True)
    return tmp_path


def head(folder: Path) -> str:
    command = ["git", "-C", str(folder), "rev-parse", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def add_remote(folder: Path, url: str) -> None:
    subprocess.run(["git", "-C", str(folder), "remote", "add", "origin", url], check=True)


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/some-body/the.course",
        "https://github.com/some-body/the.course.git",
        "https://token@github.com/some-body/the.course.git",
        "git@github.com:some-body/the.course.git",
        "ssh://git@github.com/some-body/the.course",
    ],
)
def test_the_remote_is_read(checkout: Path, url: str) -> None:
    add_remote(checkout, url)
    expected = Repository("some-body/the.course", head(checkout), "pages")
    assert find_repository(checkout, "", "pages") == expected


def test_the_workflow_comes_first_then_the_remote_then_the_setting(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_repository(checkout, "", "b") is None
    assert find_repository(checkout, "a/setting", "b") == Repository(
        "a/setting", head(checkout), "b"
    )
    add_remote(checkout, "https://github.com/a/remote.git")
    assert find_repository(checkout, "a/setting", "b") == Repository(
        "a/remote", head(checkout), "b"
    )
    monkeypatch.setenv("GITHUB_REPOSITORY", "a/workflow")
    monkeypatch.setenv("GITHUB_SHA", "123")
    assert find_repository(checkout, "a/setting", "b") == Repository("a/workflow", "123", "b")


@pytest.mark.parametrize(
    "url", ["/a/folder", "https://gitlab.com/a/b", "https://notgithub.com/a/b"]
)
def test_a_remote_elsewhere_is_none(checkout: Path, url: str) -> None:
    add_remote(checkout, url)
    assert find_repository(checkout, "", "b") is None


@pytest.mark.parametrize("name", ["course", "https://github.com/a/b", "a/b/c", "a/b?c"])
def test_a_name_that_cannot_be_is_refused(checkout: Path, name: str) -> None:
    with pytest.raises(
        ExtensionError, match=r"is not the name of a repository .* write OWNER/NAME"
    ):
        find_repository(checkout, name, "b")


def test_a_notebook_installs_the_revision_that_the_site_was_built_from() -> None:
    assert HERE.archive == "https://github.com/somebody/course/archive/abc123.zip"


def test_the_site_of_an_owner_has_no_folder() -> None:
    assert HERE.site == "https://somebody.github.io/course/"
    assert Repository("Me/me.github.io", "x", "b").site == "https://me.github.io/"


def test_every_launcher_opens_a_file_of_the_site() -> None:
    notebooks = sorted(SITE.glob("notebooks/*.ipynb"))
    assert notebooks, "there are no notebooks: run `make site`"
    for notebook in notebooks:
        urls = HERE.launchers(notebook.relative_to(SITE).as_posix())
        for service, form in (("Colab", COLAB), ("Binder", BINDER)):
            parts = form.fullmatch(urls[service])
            assert parts, urls[service]
            assert (parts[1], parts[2]) == (HERE.name, HERE.branch)
            assert SITE / unquote(parts[3]) == notebook


def test_a_built_page_has_the_buttons_of_its_notebook(tmp_path: Path) -> None:
    book = MiniBook(tmp_path / "book")
    book.environment = {"GITHUB_REPOSITORY": "somebody/course", "GITHUB_SHA": "abc123"}
    assert book.build(), book.log
    page = (book.site / "book" / "page.html").read_text()
    links = [unescape(link) for link in re.findall(r'href="(https?://[^"]+)"', page)]
    for form in (COLAB, BINDER):
        (parts,) = [found for link in links if (found := form.fullmatch(link))]
        assert (parts[1], parts[2]) == ("somebody/course", "gh-pages")
        assert (book.site / unquote(parts[3])).is_file()
    for logo in re.findall(r'src="(\.\./[^"]*logo_(?:colab|binder)[^"]*)"', page):
        assert (book.site / "book" / logo).is_file()
    index = (book.site / "book" / "index.html").read_text()
    assert "colab" not in index
    assert "mybinder" not in index
    install, link, *_ = book.notebook().cells
    assert install.source == install_cell(HERE.archive)
    assert "https://somebody.github.io/course/book/page.html" in link.source
    assert HERE.archive in (book.site / ".binder" / "requirements.txt").read_text()


def test_an_unknown_repository_gives_no_buttons_and_is_said(tmp_path: Path) -> None:
    book = MiniBook(tmp_path / "book")
    assert book.build(quiet=False), book.log
    assert "no launch buttons: no repository is known" in book.log
    page = (book.site / "book" / "page.html").read_text()
    assert "colab.research" not in page
    assert "mybinder.org" not in page
    assert not (book.site / ".binder").exists()
    assert book.notebook().cells[0].source == install_cell(None)


def test_binder_installs_the_versions_that_were_tested() -> None:
    pinned = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    files = binder_files(HERE, pinned)
    *_, package = lines = files["requirements.txt"].splitlines()
    pins = [line for line in lines if "==" in line]
    assert [pin.split("==")[0] for pin in pins] == list(KEPT)
    assert set(pins) <= set(pinned.splitlines())
    assert package == f"d2lhelpers @ {HERE.archive}"


def test_binder_has_a_python_that_is_tested() -> None:
    workflow = (ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
    assert PYTHON in yaml.safe_load(workflow)["jobs"]["test"]["strategy"]["matrix"]["python"]


def test_binder_does_not_build_from_anything_but_pins() -> None:
    with pytest.raises(ExtensionError, match="add an exact version of all of"):
        binder_files(HERE, "torch>=2\nnumpy==2.4.6\n")


def test_the_site_that_was_tested_is_published_where_the_buttons_lead() -> None:
    workflow = (ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
    assert f"--initial-branch {HERE.branch}" in workflow
    assert f'.git" {HERE.branch}' in workflow
    jobs = yaml.safe_load(workflow)["jobs"]
    assert jobs["publish"]["needs"] == "test"
    keep = jobs["test"]["steps"][-1]
    assert keep["with"]["path"] == SITE.relative_to(ROOT).as_posix()
    assert keep["with"]["include-hidden-files"], "or Binder would not find its files"
    assert keep["if"] == f"matrix.python == '{PYTHON}'", "kept once, built as Binder runs it"
    assert "make" not in str(jobs["publish"]["steps"])
