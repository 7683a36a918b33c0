"""Numbers in captions and in texts for those who cannot see a figure: read, and held to the figure.

A number of a caption, in digits or as a word, is one of three. It is part of a phrase that is
listed here; then the lines and texts of the executed figure, read back from its SVG, have to agree.
Or it stands in the code of the cell, as a name, a range or an argument. Or the page's code or a
study has it, and the phrase says where. The captions are those of the pages' sources, so that a
wrong one is found without another build.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import pytest
from figures import Figure, Line

ROOT = Path(__file__).parents[2]
PAGES = sorted(p for p in (ROOT / "book").glob("*.md") if "{code-cell}" in p.read_text("utf-8"))
# Not "one", "first" and "second", which are seldom numbers.
WORDS: dict[str, float] = {
    **{"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9},
    **{"ten": 10, "eleven": 11, "twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30},
    **{"forty": 40, "fifty": 50, "hundred": 100, "thousand": 1000, "twice": 2, "half": 0.5},
    **{"third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9},
    **{"tenth": 0.1, "hundredth": 0.01, "thousandth": 1e-3, "hundred-thousandth": 1e-5},
}
# A number: digits that are no index such as those of H1 and t-1, or a word.
DIGITS = r"(?<![\w.+−-])\d[\d,]*(?:\.\d+)?(?![\w])"
SPELT = "|".join(sorted(WORDS, key=len, reverse=True))
NUMBER = re.compile(rf"({DIGITS}|\b(?:{SPELT})\b)", re.IGNORECASE)


def value(number: str) -> float:
    """Return what a number in a text is."""
    word = number.lower()
    return WORDS[word] if word in WORDS else float(number.replace(",", ""))


@dataclass(frozen=True)
class Shown:
    """A figure: what is said of it, the code of its cell and page, what that prints, and itself."""

    name: str
    text: str
    code: str
    page: str
    printed: str
    figure: Figure

    @property
    def lines(self) -> dict[str, Line]:
        """Its lines by their names."""
        return self.figure.lines

    def ends(self) -> list[tuple[float, float]]:
        """The first and the last x of each line."""
        return [(round(line.x[0], 3), round(line.x[-1], 3)) for line in self.lines.values()]

    def count(self, label: str) -> int:
        """How many texts of the figure have a pattern."""
        return sum(re.search(label, text) is not None for text in self.figure.texts)


Check = Callable[..., bool]


def near(measured: float, said: float, factor: float = 2) -> bool:
    """Tell whether a value is that of a text, as far as an eye sees it on a logarithmic axis."""
    return said / factor < measured < said * factor


def powers(high: float, low: float) -> int:
    """Return how many powers of ten lie between two values."""
    return round(math.log10(high / low))


def flat_from(line: Line, tolerance: float = 0.05) -> float:
    """Return the x from which on a line stays as close as this to its end."""
    away = [abs(y / line.y[-1] - 1) > tolerance for y in line.y]
    return round(line.x[max(i for i, far in enumerate(away) if far) + 1], 3)


def crossing(above: Line, below: Line) -> float:
    """Return the x from which on one line lies under the other for good."""
    pairs = list(zip(below.y, above.y, strict=True))
    return above.x[max(i for i, (low, high) in enumerate(pairs) if low >= high) + 1]


def study(name: str) -> dict[str, Any]:
    """Return what a study has found, as it is stored."""
    path = ROOT / "d2lhelpers" / "measurements" / f"{name}.json"
    return json.loads(path.read_text("utf-8"))


def depth_seeds() -> set[int]:
    """How many seeds the study of depth has for each case."""
    runs = study("depth")["results"]
    return {len({run["seed"] for run in runs if run["part"] == "start"})}


# What holds for any plot: a phrase, and whether its numbers are those of the figure.
COMMON: dict[str, Check] = {
    r"{}(?: \w+){0,3} (?:lines|curves)": lambda f, n: len(f.lines) == n,
    r"over {} (?:epochs|steps)": lambda f, n: max(end for _, end in f.ends()) in (n, n - 1),
    r"(?:over|lags) .{0,40}?from {} to {}": lambda f, a, b: set(f.ends()) == {(a, b)},
}
# What is said of one figure. Each phrase has to be there.
OWN: dict[str, dict[str, Check]] = {
    "fig-deep-race": {
        "the first {} steps": lambda f, n: {end for _, end in f.ends()} == {n},
        "median of {} seeds": lambda f, n: depth_seeds() == {n},
        "falls by {} orders of magnitude": lambda f, n: (
            powers(f.lines["candidate"].y[0], f.lines["candidate"].y[-1]) == n
        ),
        "bias ln p beside it, it falls to about a {} of its start": lambda f, n: near(
            min(f.lines["candidate, bias ln p"].y) / f.lines["candidate, bias ln p"].y[0], n
        ),
        "all blocks enlarged it falls to about a {} and": lambda f, n: near(
            min(f.lines["all"].y) / f.lines["all"].y[0], n
        ),
    },
    "fig-deep-inside": {
        "{} %": lambda f, n: f.lines["read"].y[0] == pytest.approx(n / 100),
        "{} layers": lambda f, n: set(f.ends()) == {(0, n)},
        "the layers {} to {}": lambda f, a, b: set(f.ends()) == {(a, b)},
    },
    "fig-gru-cell": {
        "the first and {} columns pass through a sigmoid": lambda f, n: (
            [text[-4:-2] for text in f.figure.texts if "{W}_{x" in text][int(n) - 1] == "xz"
        ),
    },
    "fig-gru-learning": {
        "the {} curves of the plain network": lambda f, n: (
            sum(name.startswith("RNN") for name in f.lines) == n
        ),
    },
    "fig-gru-memory": {
        "{} characters by heart": lambda f, n: f"{n:,.0f} characters" in f.printed,
        "falls to nearly {}": lambda f, n: near(f.lines["GRU, training"].y[-1], n, 1.1),
        "more than {} that level": lambda f, n: (
            n < f.lines["GRU, validation"].y[-1] / f.figure.levels["counting"] < n + 1
        ),
    },
    "fig-gru-gates": {
        "{} rows for units": lambda f, n: f"GRU(64, {8 * n:.0f})" in f.page,  # every eighth
        "{} heat maps": lambda f, n: len(f.figure.panels) == n + 1,  # and the scale
    },
    "fig-gru-context": {
        "flat from about {} symbols on": lambda f, n: (
            abs(max(map(flat_from, f.lines.values())) - n) <= 1
        ),
        "more than {} as high": lambda f, n: (
            n < f.lines["Z at its mean"].y[-1] / f.lines["GRU"].y[-1] < 2 * n
        ),
        "Means of {} networks": lambda f, n: len(study("gates")["settings"]["seeds"]) == n,
    },
    "fig-gru-gradient": {
        "at most {}": lambda f, n: f"GRU, R at most {n}" in f.lines,
        "near {} for about {} steps": lambda f, one, n: all(
            near(y, one, 3)
            for name in ("GRU", "GRU, R at most 0.8")
            for x, y in zip(f.lines[name].x, f.lines[name].y, strict=True)
            if x <= n
        ),
    },
    "fig-lstm-cell": {
        "{} products with the input": lambda f, n: f.count(r"^\$[fico]\$$") == n,
        "{} blocks of columns": lambda f, n: f.count(r"^\$[fico]\$$") == n,
        "{} blocks called f, i, c and o": lambda f, n: f.count(r"^\$[fico]\$$") == n,
    },
    "fig-lstm-learning": {
        "{} of the LSTMs": lambda f, n: len({name.split(",")[0] for name in f.lines}) == n,
        "the LSTM with {} units falls over {} epochs": lambda f, units, n: (
            f.lines[f"{units:.0f} units, validation"].x[-1] == pytest.approx(n)
        ),
        "with {} units goes on falling over {} epochs": lambda f, units, n: (
            f.lines[f"{units:.0f} units, validation"].x[-1] == pytest.approx(n)
        ),
    },
    "fig-lstm-gradient": {
        "over lags from {} to {}": lambda f, a, b: f.ends()[0] == (a, b),
        "states of {} plain networks": lambda f, n: sum("RNN" in name for name in f.lines) == n,
        "of the {} plain networks": lambda f, n: sum("RNN" in name for name in f.lines) == n,
        "trained for {} epochs": lambda f, n: f"TrainConfig(epochs={n:.0f}, " in f.page,
        "leave the frame at {} to the minus {} around lag {},": lambda f, base, power, lag: all(
            near(line.y[-1], base**-power, 50) and line.x[-1] == pytest.approx(lag)
            for name, line in f.lines.items()
            if "RNN" in name
        ),
        "stays above one {} for a {} steps": lambda f, height, n: (
            min(y for x, y in zip(f.lines["LSTM"].x, f.lines["LSTM"].y, strict=True) if x <= n)
            > height
            > f.lines["LSTM"].at(1.5 * n)
        ),
        "near a {} at lag {}.": lambda f, height, lag: near(f.lines["LSTM"].at(lag), height),
    },
    "fig-long-lags": {
        "median of {} seeds": lambda f, n: (
            {len({run["seed"] for run in study("long_lag")["results"]})} == {n}
        ),
        "runs, {} steps": lambda f, n: re.search(rf"^ +{n:.0f},$", f.page, re.M) is not None,
        "lag, from {} to {} steps": lambda f, a, b: set(f.ends()) == {(a, b)},
        "near a {} of chance at lag {}, at a {} at lag {} and at chance from lag {} on": (
            lambda f, first, at, second, later, chance: (
                near(f.lines["RNN"].at(at), first)
                and near(f.lines["RNN"].at(later), second)
                and near(f.lines["RNN"].at(chance), 1)
                and flat_from(f.lines["RNN"], 0.1) == pytest.approx(chance)
            )
        ),
        "near a {} of chance at all lags": lambda f, n: all(
            near(y, n, 3) for y in f.lines["GRU"].y
        ),
        "below a {} up to lag {}; at lag {} its median is still about a {}": (
            lambda f, height, lag, last, end: (
                f.lines["LSTM"].at(lag) < height < f.lines["LSTM"].at(last)
                and near(f.lines["LSTM"].at(last), end)
                and f.lines["LSTM"].x[-2:] == pytest.approx([lag, last])
            )
        ),
    },
    "fig-lstm-corpus-size": {
        "on {} logarithmic axes, from {} to {} characters": lambda f, axes, a, b: (
            f.code.count("log_") == axes and {(round(x), round(y)) for x, y in f.ends()} == {(a, b)}
        ),
        "from about {} to a little above {}": lambda f, high, low: all(
            abs(f.lines[name].y[0] - high) < 0.5 and low < f.lines[name].y[-1] < low + 0.5
            for name in ("counting", "GRU", "LSTM")
        ),
        "about a {} below all others": lambda f, share: all(
            near(1 - mixed / min(others), share)
            for *others, mixed in zip(*(line.y for line in f.lines.values()), strict=True)
        ),
    },
    "fig-feedforward": {
        "{} boxes": lambda f, n: f.count(r"^\$\\mathbf\{[XHO]\}\$$") == n,
    },
    "fig-unrolled": {
        "{} steps": lambda f, n: f.count(r"\{X\}") == n,
        "{} columns": lambda f, n: f.count(r"\{X\}") == n,
    },
    "fig-rnn-cell": {
        "{} matrix products, a sum, a tanh": lambda f, n: f.count(r"times.*\{W\}_\{.h\}") == n,
    },
    "fig-shifted": {"{} columns": lambda f, n: f.count(r"\{H\}") == n},
    "fig-truncated": {
        "{} states in a row, {} to a window": lambda f, n, each: (
            f.count(r"\{H\}") == n == each * f.count("window")
        ),
    },
    "fig-learning-curves": {
        "the {} epoch on the training curve runs below": lambda f, n: (
            crossing(f.lines["RNN, validation"], f.lines["RNN, training"]) == pytest.approx(n)
        ),
    },
    "fig-context": {
        "for one to {} symbols": lambda f, n: f.lines["counting"].x[-1] == pytest.approx(n),
        "flattens from {} symbols on": lambda f, n: (
            flat_from(f.lines["counting"]) == pytest.approx(n)
        ),
        "flat from about {} symbols on": lambda f, n: (
            abs(flat_from(f.lines["RNN"], 0.003) - n) <= 1
        ),
    },
    "fig-vanishing": {
        "states that are {} times as large": lambda f, n: f"start x {n:.0f}" in f.lines,
        "weights {} times as large": lambda f, n: f"start x {n:.0f}" in f.lines,
        "rises by about {} ": lambda f, n: (
            powers(f.lines["start x 3"].y[-1], f.lines["start x 3"].y[0]) == n
        ),
        "falls by {} ": lambda f, n: (
            powers(f.lines["untrained"].y[0], f.lines["untrained"].y[-1]) == n
        ),
        "near a {} at lag {}.": lambda f, height, lag: near(f.lines["trained"].at(lag), height),
    },
}
# Numbers that are none: part of a fixed expression.
EXPRESSIONS = re.compile(r"powers of ten|side by side|half and half", re.IGNORECASE)


@cache
def figures() -> dict[str, Shown]:
    """All figures that cells of the pages draw, by name."""
    found = {}
    for page in PAGES:
        cells = [cell for cell in jupytext.read(page).cells if cell.cell_type == "code"]
        code = "\n".join(cell.source for cell in cells)
        notebook = ROOT / "_build" / "html" / "notebooks" / f"{page.stem}.ipynb"
        if not notebook.is_file():
            pytest.fail(f"there is no {notebook.name}: run `make site`", pytrace=False)
        executed = [
            (cell.source.strip(), output)
            for cell in nbformat.read(notebook, as_version=4).cells
            if cell.cell_type == "code"
            for output in cell.outputs
        ]
        printed = "".join(output.get("text", "") for _, output in executed)
        drawn = {
            source: output["data"]["image/svg+xml"]
            for source, output in executed
            if "image/svg+xml" in output.get("data", {})
        }
        for cell in cells:
            about = cell.metadata.get("mystnb", {})
            if name := about.get("figure", {}).get("name"):
                text = about["figure"].get("caption", "") + "\n" + about["image"].get("alt", "")
                text = EXPRESSIONS.sub(lambda found: "_" * len(found[0]), text)
                text = re.sub(r"\{\w+\}`[^`]*`", "", text)
                figure = Figure(drawn[cell.source.strip()])
                found[name] = Shown(name, text, cell.source, code, printed, figure)
    return found


def pattern(phrase: str) -> re.Pattern[str]:
    """Return the pattern of a phrase, with a number at each pair of braces."""
    return re.compile(phrase.replace("{}", NUMBER.pattern), re.IGNORECASE)


def faults(shown: Shown) -> list[str]:
    """Return what is wrong with the numbers that are said of a figure."""
    found, text = [], shown.text
    for source, phrases in (("own", OWN.get(shown.name, {})), ("common", COMMON)):
        for phrase, check in phrases.items() if source == "own" or shown.figure.plotted else ():
            matches = list(pattern(phrase).finditer(text))
            if source == "own" and not matches:
                found.append(f"the phrase {phrase!r} is not there any more")
            for match in matches:
                if not check(shown, *map(value, match.groups())):
                    found.append(f"{match[0]!r} is not so in the figure")
                text = text[: match.start()] + "_" * len(match[0]) + text[match.end() :]
    in_code = {float(n.replace("_", "")) for n in re.findall(r"\d[\d_]*(?:\.\d+)?", shown.code)}
    return found + [
        f"{number[0]!r} in {text[max(0, number.start() - 30) : number.end() + 30]!r} is neither in "
        "the code of the cell nor in a phrase: put what holds it into OWN"
        for number in NUMBER.finditer(text)
        if value(number[0]) not in in_code
    ]


NAMES = [
    name
    for page in PAGES
    for name in re.findall(r"^    name: (fig-\S+)$", page.read_text("utf-8"), re.MULTILINE)
]


@pytest.mark.parametrize("name", NAMES)
def test_the_numbers_of_a_caption_are_those_of_the_figure(name: str) -> None:
    assert faults(figures()[name]) == []


def test_every_figure_is_looked_at() -> None:
    assert sorted(NAMES) == sorted(figures())
    assert set(OWN) <= set(NAMES), "a list for a figure that is not there any more"
