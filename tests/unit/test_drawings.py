"""The architecture figures: complete, legible, deterministic, and strict about their arguments."""

import importlib
import inspect
import io
import pkgutil
import re
from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import combinations, pairwise
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch, PathPatch, Polygon
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from d2lhelpers import drawings
from d2lhelpers.drawings import (
    draw_bidirectional,
    draw_deep,
    draw_feedforward,
    draw_gru_cell,
    draw_lstm_cell,
    draw_rnn_cell,
    draw_shifted,
    draw_truncated,
    draw_unrolled,
    primitives,
)

# Every module of the package is looked through, so that no drawing is forgotten here.
MODULES = [
    importlib.import_module(f"{drawings.__name__}.{module.name}")
    for module in pkgutil.iter_modules(drawings.__path__)
]
DRAWINGS: dict[str, Callable[..., Figure]] = {
    name.removeprefix("draw_"): member
    for module in MODULES
    for name, member in vars(module).items()
    if name.startswith("draw_") and member.__module__ == module.__name__
}
# Arguments to draw it with besides its own: sizes at the ends, and beyond what a chapter shows.
ARGUMENTS: dict[str, list[tuple[Any, ...]]] = {
    "deep": [(1, 1), (2, 5), (6, 2)],
    "bidirectional": [(1,), (2,), (6,)],
    "shifted": [("to",), ("the tide",)],
    "unrolled": [(1,), (2,), (4,), (5,), (12,)],
    "truncated": [(1, 1), (1, 3), (2, 1), (2, 4), (12, 1), (2, 6)],
}
FIGURES: dict[str, Callable[[], Figure]] = {
    "-".join([name, *map(str, arguments)]): partial(draw, *arguments)
    for name, draw in DRAWINGS.items()
    for arguments in [(), *ARGUMENTS.get(name, [])]
}
INTEGERS = [
    pytest.param(draw, parameter.name, id=f"{name}-{parameter.name}")
    for name, draw in DRAWINGS.items()
    for parameter in inspect.signature(draw).parameters.values()
    if parameter.annotation is int
]
every_drawing = pytest.mark.parametrize("draw", DRAWINGS.values(), ids=DRAWINGS)
every_figure = pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
FRAME_FILL = to_rgba(primitives.FRAME.fill)


def texts(figure: Figure) -> list[Text]:
    return [text for text in figure.findobj(Text) if text.get_text()]


def labels(figure: Figure) -> list[str]:
    """The labels with the braces taken off that only tighten + and - in an index."""
    return [re.sub(r"\{([+-])\}", r"\1", text.get_text()) for text in texts(figure)]


def indices(figure: Figure, letter: str) -> list[str]:
    """The index of every label that is this one bold letter, in the order drawn."""
    pattern = re.compile(rf"\$\\mathbf\{{{letter}\}}_\{{(.+)\}}\$")
    return [match[1] for label in labels(figure) if (match := pattern.fullmatch(label))]


def boxes(figure: Figure) -> dict[str, Bbox]:
    """The extent in pixels of every label, as the Agg renderer draws it."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    extents = [(text.get_text(), text.get_window_extent()) for text in texts(figure)]
    return {f"{text} #{number}": extent for number, (text, extent) in enumerate(extents)}


def patches(figure: Figure) -> list[Patch]:
    return list(figure.axes[0].patches)


def lines(figure: Figure) -> list[PathPatch]:
    return [patch for patch in patches(figure) if isinstance(patch, PathPatch)]


def points(line: Patch) -> NDArray[np.float64]:
    return np.asarray(line.get_path().vertices, dtype=np.float64)


def svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def with_arguments() -> set[str]:
    """The drawings that can be called with arguments."""
    return {name for name, draw in DRAWINGS.items() if inspect.signature(draw).parameters}


# ---------------------------------------------------------------- completeness


def test_every_drawing_can_be_imported_from_the_package() -> None:
    names = sorted(draw.__name__ for draw in DRAWINGS.values())
    assert sorted(drawings.__all__) == names
    for draw in DRAWINGS.values():
        assert getattr(drawings, draw.__name__) is draw


def test_a_drawing_with_arguments_is_drawn_with_some() -> None:
    assert set(ARGUMENTS) == with_arguments()


# ---------------------------------------------------------------- content


@pytest.mark.parametrize("steps", [1, 2, 4, 7])
def test_unrolled_has_one_column_for_each_step(steps: int) -> None:
    figure = draw_unrolled(steps)
    expected = [str(step) for step in range(1, steps + 1)]
    assert indices(figure, "X") == expected
    assert indices(figure, "O") == expected
    assert indices(figure, "H") == ["0", *expected]


def test_three_columns_carry_general_indices() -> None:
    figure = draw_unrolled()
    assert indices(figure, "X") == indices(figure, "O") == ["t-1", "t", "t+1"]
    assert indices(figure, "H") == ["t-2", "t-1", "t", "t+1"]


@pytest.mark.parametrize("steps", [1, 3, 6])
def test_unrolled_names_each_weight_once_and_draws_its_edge_at_every_step(steps: int) -> None:
    figure = draw_unrolled(steps)
    assert Counter(indices(figure, "W")) == {"xh": 1, "hh": 1, "hq": 1}
    edges = Counter(line.get_edgecolor() for line in lines(figure))
    colours = (primitives.INPUT, primitives.STATE, primitives.OUTPUT)
    counts = [edges[to_rgba(colour.line)] for colour in colours]
    assert counts == [steps, steps + 1, steps]


def test_feedforward_is_a_column_without_a_recurrent_edge() -> None:
    figure = draw_feedforward()
    assert sorted(indices(figure, "W")) == ["hq", "xh"]
    for letter in "XHO":
        assert rf"$\mathbf{{{letter}}}$" in labels(figure)
    assert len(lines(figure)) == 2
    for line in lines(figure):
        assert np.ptp(points(line)[:, 0]) == 0, "an edge is not vertical"


def test_cell_contains_every_symbol_of_the_equations() -> None:
    found = " ".join(labels(draw_rnn_cell()))
    symbols = {"X": ["t"], "H": ["t-1", "t"], "O": ["t"], "W": ["xh", "hh", "hq"], "b": ["h", "q"]}
    for letter, all_indices in symbols.items():
        for index in all_indices:
            assert rf"\mathbf{{{letter}}}_{{{index}}}$" in found, f"{letter}_{index} is missing"
    assert r"\phi" in found
    assert r"\tanh" in found
    assert labels(draw_rnn_cell()).count("$+$") == 2


def test_gru_cell_contains_every_symbol_of_the_equations() -> None:
    figure = draw_gru_cell()
    found = labels(figure)
    products = Counter(
        found_in for text in found for found_in in re.findall(r"W\}_\{(\w+)\}", text)
    )
    assert products == Counter(["xr", "xz", "xh", "hr", "hz", "hh"])
    for letter, expected in {"X": ["t"], "H": ["t-1", "t"], "R": ["t"], "Z": ["t"]}.items():
        assert indices(figure, letter) == expected
    assert r"$\tilde{\mathbf{H}}_{t}$" in found
    operators = {"$+$": 4, r"$\odot$": 3, r"$1-$": 1, r"$\sigma$": 2, r"$\tanh$": 1}
    assert {text: found.count(text) for text in operators} == operators


def test_lstm_cell_contains_every_symbol_of_the_equations() -> None:
    figure = draw_lstm_cell()
    found = labels(figure)
    assert indices(figure, "C") == indices(figure, "H") == ["t-1", "t"]
    for letter in ("X", "F", "I", r"\\tilde\{C\}", "O"):
        assert indices(figure, letter) == ["t"], letter
    for product in ("x", "h"):
        assert rf"$\times\,$$\mathbf{{W}}_{{{product}}}$" in found
    operators = {"$+$": 2, r"$\odot$": 3, r"$\sigma$": 3, r"$\tanh$": 2, r"$\mathbf{b}$": 1}
    assert {text: found.count(text) for text in operators} == operators


def test_each_activation_of_the_lstm_reads_its_own_block_of_the_product() -> None:
    figure = draw_lstm_cell()
    places = {text.get_text(): text.get_position() for text in texts(figure)}
    blocks = [places[f"${name}$"] for name in "fico"]
    assert len({y for _, y in blocks}) == 1, "side by side"
    activations = [text for text in texts(figure) if text.get_text() in (r"$\sigma$", r"$\tanh$")]
    row = min(text.get_position()[1] for text in activations)
    names = {
        text.get_position()[0]: text.get_text()
        for text in activations
        if text.get_position()[1] == row
    }
    expected = [r"$\sigma$", r"$\sigma$", r"$\tanh$", r"$\sigma$"]
    assert [names[x] for x, _ in blocks] == expected, "each above its block"
    for x, y in blocks:
        between = [
            way
            for way in map(points, lines(figure))
            if (way[:, 0] == x).all() and y < way[0, 1] < way[-1, 1] < row
        ]
        assert len(between) == 1, "one line from the block to the activation"


def test_nothing_but_a_product_and_a_sum_stands_on_the_way_of_the_memory() -> None:
    level = [points(line) for line in lines(draw_lstm_cell())]
    top = max(line[:, 1].max() for line in level)
    way = sorted((line[0, 0], line[-1, 0]) for line in level if line[:, 1].min() == top)
    assert len(way) == 3, "from C_{t-1} to the product, on to the sum, on to C_t"
    assert all(0 < two[0] - one[1] < 0.5 for one, two in pairwise(way)), "two nodes between"


@pytest.mark.parametrize(("layers", "steps"), [(1, 1), (2, 5), (4, 3)])
def test_deep_is_a_grid_of_states(layers: int, steps: int) -> None:
    figure = draw_deep(layers, steps)
    states = [text for text in labels(figure) if r"\mathbf{H}" in text]
    assert len(states) == len(set(states)) == layers * steps
    assert len(indices(figure, "X")) == len(indices(figure, "O")) == steps
    ways = [points(line) for line in lines(figure)]
    upright = [way for way in ways if way[0, 0] == way[-1, 0]]
    assert len(upright) == (layers + 1) * steps, "up from each input and each state"
    assert len(ways) - len(upright) == layers * (steps + 1), "a chain in each layer"


@pytest.mark.parametrize("steps", [1, 2, 3, 5])
def test_bidirectional_has_chains_in_both_directions(steps: int) -> None:
    figure = draw_bidirectional(steps)
    for way in ("right", "left"):
        assert sum(rf"{way}arrow" in text for text in labels(figure)) == steps
    level = [way for way in map(points, lines(figure)) if way[0, 1] == way[-1, 1]]
    heights = sorted({way[0, 1] for way in level})
    assert len(heights) == 2, "forward below, backward above"
    for height, sign in zip(heights, (1, -1), strict=True):
        chain = [way for way in level if way[0, 1] == height]
        assert len(chain) == steps + 1
        assert all(sign * (way[-1, 0] - way[0, 0]) > 0 for way in chain)


@pytest.mark.parametrize(("windows", "window"), [(1, 1), (1, 4), (2, 1), (3, 3), (4, 2)])
def test_truncated_stops_gradients_only_at_borders(windows: int, window: int) -> None:
    figure = draw_truncated(windows, window)
    states = windows * window
    found = labels(figure)
    assert indices(figure, "H") == [str(step) for step in range(1, states + 1)]
    assert found.count("detach") == windows - 1
    assert [f"window {k + 1}" in found for k in range(windows + 1)] == [True] * windows + [False]

    legend_height = 0.5
    drawn = [line for line in lines(figure) if points(line)[:, 1].min() > legend_height]
    dashed = [points(line) for line in drawn if line.get_linestyle() != "solid"]
    solid = [points(line) for line in drawn if line.get_linestyle() == "solid"]
    forward = [line for line in solid if np.ptp(line[:, 1]) == 0]
    walls = [line[0, 0] for line in solid if np.ptp(line[:, 0]) == 0]
    assert len(forward) == states - 1, "the states form one chain"
    assert len(walls) == windows - 1
    assert len(dashed) == states - 1
    for line in dashed:
        assert line[-1, 0] < line[0, 0], "gradients run to the left"
        assert not any(line[:, 0].min() < wall < line[0, 0] for wall in walls), "past a border"
    frames = [p.get_extents() for p in patches(figure) if p.get_facecolor() == FRAME_FILL]
    gaps = [(one.x1 + two.x0) / 2 / figure.dpi for one, two in pairwise(frames)]
    assert walls == pytest.approx(gaps), "a border stands midway between two windows"
    tips = np.array([p.get_xy()[0] for p in patches(figure) if isinstance(p, Polygon)])
    for wall in walls:
        assert np.isclose(tips[:, 0], wall).sum() == 1, "one gradient ends at each border"


@pytest.mark.parametrize("text", ["ferry ", "to", "a b c"])
def test_shifted_has_each_character_below_and_the_next_one_above(text: str) -> None:
    figure = draw_shifted(text)
    heights: dict[float, list[tuple[float, str]]] = {}
    for label in texts(figure):
        if len(label.get_text()) == 1:
            x, y = label.get_position()
            heights.setdefault(round(y, 6), []).append((x, label.get_text()))
    inputs, targets = (sorted(heights[y]) for y in sorted(heights))
    shown = text.replace(" ", "\N{OPEN BOX}")
    assert "".join(character for _, character in inputs) == shown[:-1]
    assert "".join(character for _, character in targets) == shown[1:]
    assert [x for x, _ in inputs] == [x for x, _ in targets]
    expected = [str(step) for step in range(1, len(text))]
    assert indices(figure, "H") == indices(figure, "O") == expected


# ---------------------------------------------------------------- legibility


@every_figure
def test_no_two_labels_overlap(draw: Callable[[], Figure]) -> None:
    for (one, box), (other, other_box) in combinations(boxes(draw()).items(), 2):
        assert not box.overlaps(other_box), f"{one} overlaps {other}"


@every_figure
def test_no_line_or_outline_touches_a_label(draw: Callable[[], Figure]) -> None:
    figure = draw()
    for name, box in boxes(figure).items():
        air = box.padded(2)  # pixels of 0.72 points
        for patch in patches(figure):
            outline = patch.get_path().transformed(patch.get_transform())
            assert not outline.intersects_bbox(air, filled=False), f"{patch} touches {name}"


@every_figure
def test_lines_run_level_or_upright(draw: Callable[[], Figure]) -> None:
    for line in lines(draw()):
        steps = np.abs(np.diff(points(line), axis=0))
        assert np.all(steps.min(axis=1) < 1e-9), f"{line} is slanted"


@every_figure
def test_everything_lies_inside_the_figure(draw: Callable[[], Figure]) -> None:
    figure = draw()
    extents = boxes(figure) | {
        f"{patch} #{number}": patch.get_window_extent()
        for number, patch in enumerate(patches(figure))
    }
    frame = figure.bbox
    for name, box in extents.items():
        assert frame.x0 <= box.x0 <= box.x1 <= frame.x1, f"{name} leaves the figure sideways"
        assert frame.y0 <= box.y0 <= box.y1 <= frame.y1, f"{name} leaves the figure"


@every_drawing
def test_text_is_readable_on_a_phone(draw: Callable[[], Figure]) -> None:
    """At 328 CSS pixels, what a 360 px phone leaves, no label falls below 9 px."""
    figure = draw()
    scale = min(328 / (figure.get_figwidth() * 96), 1.0)
    smallest = min(float(text.get_fontsize()) for text in texts(figure))
    assert smallest * 96 / 72 * scale >= 9


def luminance(colour: str) -> float:
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def dark_mode(colour: str) -> str:
    """``invert(1) hue-rotate(180deg)``, with the matrix of the W3C's Filter Effects, on #121212."""
    grey = np.array((0.213, 0.715, 0.072))
    inverted = 1 - np.array(to_rgb(colour))
    rotated = np.clip(2 * (grey @ inverted) - inverted, 0, 1)
    page = np.array(to_rgb("#121212"))
    return mpl.colors.to_hex(1 - (1 - rotated) * (1 - page))


@pytest.mark.parametrize("name", ["INPUT", "STATE", "OUTPUT", "OPERATOR", "GRADIENT"])
def test_colours_keep_their_contrast_in_light_and_dark(name: str) -> None:
    colour = getattr(primitives, name)
    for shown in (str, dark_mode):
        for line_on in ("white", colour.fill):
            assert contrast(shown(colour.line), shown(line_on)) >= 3
        for text_on in ("white", colour.fill):
            assert contrast(shown(primitives.TEXT_COLOUR), shown(text_on)) >= 7


# ---------------------------------------------------------------- output


@every_drawing
def test_svg_is_the_same_every_time_and_small(draw: Callable[[], Figure]) -> None:
    with mpl.rc_context({"svg.hashsalt": "d2l", "svg.fonttype": "path"}):
        first, second = svg(draw()), svg(draw())
    assert first == second
    assert len(first.encode()) < 60_000
    assert "<text" not in first, "text must be outlines, so that it needs no font of the reader's"


def test_figures_leave_no_global_state_and_ignore_the_reader_s_style() -> None:
    plain = svg(draw_unrolled())
    settings = dict(mpl.rcParams)
    own = {"font.family": "serif", "mathtext.fontset": "stix", "patch.linewidth": 4, "font.size": 7}
    with plt.style.context(["dark_background", own]):
        assert draw_unrolled().get_facecolor() == (1.0, 1.0, 1.0, 1.0)
        styled = svg(draw_unrolled())
    assert styled == plain
    assert plt.get_fignums() == []
    assert dict(mpl.rcParams) == settings


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize("bad", [True, 2.0, "3", None, np.bool_(True)])
@pytest.mark.parametrize(("draw", "name"), INTEGERS)
def test_what_is_no_integer_is_refused(draw: Callable[..., Figure], name: str, bad: Any) -> None:
    with pytest.raises(TypeError, match=rf"^{name} is .*must be an int.*; pass "):
        draw(**{name: bad})


@pytest.mark.parametrize("bad", [0, -2])
@pytest.mark.parametrize(("draw", "name"), INTEGERS)
def test_less_than_one_is_refused(draw: Callable[..., Figure], name: str, bad: int) -> None:
    with pytest.raises(ValueError, match=rf"^{name} is {bad}: .*; pass 1 or more"):
        draw(**{name: bad})


@pytest.mark.parametrize("text", ["", "a"])
def test_a_text_without_a_next_character_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^text is .*: its characters need a next one; pass 2"):
        draw_shifted(text)
