"""The places that the checks' messages name: each stands where and as the table says."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from d2lhelpers.check.places import PLACES

BOOK = Path(__file__).parents[2] / "_build" / "html" / "book"
CHAPTERS = ("rnn", "gru", "lstm", "deep-rnn", "bidirectional-rnn")


@pytest.mark.parametrize("label", PLACES)
def test_a_place_is_called_and_found_as_the_table_says(label: str) -> None:
    called, address = PLACES[label]
    file, _, anchor = address.partition("#")
    page = (BOOK / file).read_text("utf-8")
    chapter = CHAPTERS.index(file.removesuffix(".html")) + 1
    if label.startswith("eq-"):
        assert anchor == f"equation-{label}"
        number = re.search(rf'id="{anchor}".*?class="eqno">\(([\d.]+)\)', page, re.DOTALL)
        assert number, "no such equation"
        assert called == f"equation {number[1]}"
    elif label.startswith("ex-"):
        assert anchor == label
        assert f'id="{label}"' in page, "no such exercise"
        title = r'\s*<p class="admonition-title">(?:<span[^>]*>)?\s*Exercise ([\d.]+)'
        number = re.search(rf'id="{label}">{title}', page)
        assert number, "the exercise has no number"
        assert called == f"exercise {number[1]}"
    else:
        assert anchor == label
        title = re.search(rf'id="{label}".{{0,200}}?<h[1-4][^>]*>(.*?)<a ', page, re.DOTALL)
        assert title, "no such section"
        plain = re.sub(r'<span class="section-number">.*?</span>', "", title[1])
        title = html.unescape(re.sub(r"<[^>]+>", "", plain))
        assert called == f"“{title}” in chapter {chapter}"
