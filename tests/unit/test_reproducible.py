"""What `make reproducible` takes for a difference, and what not."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
from reproducible import TAG, compare, differences


def test_a_byte_and_a_file_too_many_are_found(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    for folder in (first, second):
        (folder / "deep").mkdir(parents=True)
        (folder / "deep" / "same").write_bytes(b"same")
        (folder / "page").write_bytes(b"built in " + folder.name.encode())
    (second / "deep" / "more").touch()
    assert differences(first, first) == []
    assert differences(first, second) == [
        "deep/more: in one of the two alone",
        "page: byte 9: b'built in a' and b'built in b'",
    ]


def execution(folder: Path, tags: list[str], text: str) -> Path:
    """Write the notebook of a site whose only cell has put out a text."""
    output = new_output("stream", name="stdout", text=text)
    cell = new_code_cell("run()", outputs=[output], metadata={"tags": tags})
    (folder / "notebooks").mkdir(parents=True)
    nbformat.write(new_notebook(cells=[cell]), folder / "notebooks" / "page.ipynb")
    return folder


@pytest.mark.parametrize(
    ("tags", "first", "second", "band", "found"),
    [
        ([TAG], "loss 1.250", "loss 1.250", 0.0, False),
        ([TAG], "loss 1.250", "loss 1.251", 0.0, True),
        ([TAG], "loss 1.250", "loss 1.251", 0.01, False),
        ([TAG], "loss 1.250", "loss 1.350", 0.01, True),
        ([TAG], "1,200 tokens", "1,300 tokens", 0.01, True),
        ([TAG], "it was", "it is", 0.01, True),
        ([], "loss 1.25 in 3.1 s", "loss 1.25 in 12 s", 0.0, False),
        ([], "speed 10,100 a second", "speed  9,100 a second", 0.0, False),
        ([], "it was", "it is", 0.0, True),
        ([], "it was", "it is", 0.01, False),
    ],
)
def test_a_time_may_differ_and_a_result_may_not(
    tmp_path: Path, tags: list[str], first: str, second: str, band: float, found: bool
) -> None:
    sites = [execution(tmp_path / name, tags, text) for name, text in (("a", first), ("b", second))]
    assert bool(compare(*sites, band)) == found
