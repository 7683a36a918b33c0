"""The list of works: each is complete, in its place, and can be reached from a notebook."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pybtex.database import Entry, parse_file

BOOK = Path(__file__).parents[2] / "book"
ENTRIES = parse_file(str(BOOK / "references.bib")).entries


def test_works_stand_in_order() -> None:
    names = list(ENTRIES)
    assert names == sorted(names)


@pytest.mark.parametrize("name", ENTRIES)
def test_a_work_is_complete(name: str) -> None:
    entry: Entry = ENTRIES[name]
    assert entry.persons["author"]
    assert {"title", "year"} <= set(entry.fields)
    assert "doi" in entry.fields or entry.fields["url"].startswith("https://")
    # A name is that of the first author and the year.
    author = re.sub(r"[^a-z]", "", str(entry.persons["author"][0].last_names[0]).lower())
    assert re.fullmatch(rf"{author}{entry.fields['year']}b?", name)


def test_what_is_cited_is_there() -> None:
    cited: set[str] = set()
    for page in BOOK.glob("*.md"):
        for names in re.findall(r"\{cite:[pt]\}`([^`]+)`", page.read_text(encoding="utf-8")):
            cited |= {name.strip() for name in names.split(",")}
    assert cited
    assert cited <= set(ENTRIES)
