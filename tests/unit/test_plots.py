"""Plots: every line, level, name and axis that was asked for is drawn, and lines differ."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import matplotlib
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from d2lhelpers.plots import (
    COLOURS,
    LEVEL_COLOUR,
    plot_grid,
    plot_learning_curves,
    plot_lines,
    plot_runs,
    plot_text,
    use_house_style,
)
from d2lhelpers.training import History


def frame(figure: Figure) -> Axes:
    (axes,) = figure.axes
    figure.draw_without_rendering()  # what is wrong with a text shows only when it is drawn
    return axes


def lines_of(axes: Axes) -> list[Line2D]:
    """The lines that are no level lines."""
    return [line for line in axes.get_lines() if to_hex(line.get_color()) != LEVEL_COLOUR]


def levels_of(axes: Axes) -> dict[str, float]:
    """Heights of the level lines, which go from edge to edge, by the names at their ends."""
    lines = [line for line in axes.get_lines() if to_hex(line.get_color()) == LEVEL_COLOUR]
    assert all(list(line.get_xdata()) == [0, 1] for line in lines)
    heights = [tuple(line.get_ydata()) for line in lines]
    assert all(low == high for low, high in heights)
    assert sorted(text.xy for text in axes.texts) == sorted(
        (text.xy[0], low) for text, (low, _) in zip(axes.texts, heights, strict=True)
    )
    return {text.get_text(): text.xy[1] for text in axes.texts}


def legend_of(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def style(line: Line2D) -> tuple[str, str]:
    return to_hex(line.get_color()), str(line.get_linestyle())


def several(count: int) -> dict[str, tuple[list[int], list[float]]]:
    return {f"line {i}": ([1, 2, 3], [i + 1.0, i + 2.0, i + 1.5]) for i in range(count)}


def history(start: float, epochs: int = 3) -> History:
    values = [start / epoch for epoch in range(1, epochs + 1)]
    return History(training=values, validation=[2 * value for value in values])


@pytest.mark.parametrize("count", [1, 2, 4, 5, 8, 16])
def test_every_line_is_drawn_and_no_two_look_alike(count: int) -> None:
    figure = plot_lines(several(count), "epoch", "nats")
    axes = frame(figure)
    lines = lines_of(axes)
    drawn = [(list(line.get_xdata()), list(line.get_ydata())) for line in lines]
    assert drawn == list(several(count).values())
    assert len({style(line) for line in lines}) == count
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "nats")
    assert legend_of(figure) == (list(several(count)) if count > 1 else [])
    first = lines[:4]
    assert len({style(line)[0] for line in first}) == len({style(line)[1] for line in first})


def test_the_legend_has_every_name_and_the_look_of_its_line() -> None:
    series = several(2) | {"_hidden": ([1], [2.0]), "__": ([1], [3.0])}
    figure = plot_lines(series, "x", "y")
    axes = frame(figure)
    assert legend_of(figure) == ["line 0", "line 1", "_hidden", "__"]
    handles = [style(handle) for handle in figure.legends[0].get_lines()]
    assert handles == [style(line) for line in lines_of(axes)]


def test_the_legend_lies_on_no_line() -> None:
    figure = plot_lines(several(8), "x", "y")
    axes = frame(figure)
    assert not axes.get_window_extent().overlaps(figure.legends[0].get_window_extent())


def test_levels_are_drawn_and_named() -> None:
    levels = {"counting": 3.3, "chance": 27.0}
    assert levels_of(frame(plot_lines(several(1), "x", "y", levels=levels))) == levels
    curves = plot_learning_curves({"GRU": history(20.0)}, levels)
    assert levels_of(frame(curves)) == levels
    assert not levels_of(frame(plot_lines(several(1), "x", "y")))


@pytest.mark.parametrize(("last", "side"), [(9.0, 0), (1.0, 1)])
def test_the_name_of_a_level_stands_where_no_line_is(last: float, side: int) -> None:
    line = {"a": (range(5), [10 - last, 5, 5, 5, last])}
    (text,) = frame(plot_lines(line, "x", "y", levels={"level": 8.5})).texts
    assert text.xy == (side, 8.5)


@pytest.mark.parametrize("log_x", [False, True])
@pytest.mark.parametrize("log_y", [False, True])
def test_axes_are_logarithmic_on_demand(log_x: bool, log_y: bool) -> None:
    axes = frame(plot_lines(several(2), "x", "y", log_x=log_x, log_y=log_y))
    expected = tuple("log" if log else "linear" for log in (log_x, log_y))
    assert (axes.get_xscale(), axes.get_yscale()) == expected


@pytest.mark.parametrize(("high", "plain"), [(500.0, True), (1e6, False)])
def test_a_short_logarithmic_axis_has_plain_numbers(high: float, plain: bool) -> None:
    axes = frame(plot_lines({"a": ([1, 2], [1.0, high])}, "x", "y", log_y=True))
    labels = [text.get_text() for text in axes.get_yticklabels()]
    assert ("100" in labels and "200" in labels) == plain


def test_markers_on_demand() -> None:
    for markers in (False, True):
        axes = frame(plot_lines(several(2), "x", "y", markers=markers))
        assert {line.get_marker() for line in lines_of(axes)} == {"o" if markers else "None"}


@pytest.mark.parametrize("count", [1, 4, 5, 8])
def test_learning_curves_show_both_parts_of_every_model(count: int) -> None:
    histories = {f"model {i}": history(10.0 + i) for i in range(count)}
    figure = plot_learning_curves(histories)
    axes = frame(figure)
    lines = lines_of(axes)
    assert legend_of(figure) == [
        f"{name}, {part}" for name in histories for part in ("validation", "training")
    ]
    for i, one in enumerate(histories.values()):
        validation, training = lines[2 * i : 2 * i + 2]
        assert list(validation.get_xdata()) == list(training.get_xdata()) == [1, 2, 3]
        assert list(validation.get_ydata()) == one.validation
        assert list(training.get_ydata()) == one.training
        assert style(validation)[0] == style(training)[0] == COLOURS[i % 4].lower()
    assert len({style(line) for line in lines}) == 2 * count
    assert axes.get_yscale() == "log"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "perplexity")
    ticks = axes.get_xticks()
    assert all(b - a >= 1 for a, b in pairwise(ticks))


def test_tensors_and_ranges_are_numbers_too() -> None:
    weights = torch.tensor([1.0, 2.0], requires_grad=True)
    (line,) = lines_of(frame(plot_lines({"a": (range(2), weights)}, "x", "y")))
    assert (list(line.get_xdata()), list(line.get_ydata())) == ([0, 1], [1, 2])


LOG = {"log_x": True, "log_y": True}


@pytest.mark.parametrize(
    ("series", "options", "message"),
    [
        ({"a": ([1, 2], [1.0])}, {}, r"^series\['a'\] has 2 x and 1 y: .*; make the two equal"),
        ({"a": ([], [])}, {}, r"^series\['a'\] has 0 x and 0 y: .*at least one"),
        ({"a": [1, 2, 3]}, {}, r"^series\['a'\] is of type list: .*pair .*; pass \(x, y\)"),
        ({"a": 3}, {}, r"^series\['a'\] is of type int: .*pair"),
        ([1, 2], {}, r"^series is \[1, 2\]: it must be a Mapping; pass \{name: \(x, y\)\}"),
        ({}, {}, r"^0 lines are to be drawn: from 1 to 16 can be told apart; draw"),
        (several(17), {}, r"^17 lines are to be drawn: from 1 to 16"),
        ({"a": ([1], [math.nan])}, {}, r"^y of 'a' has nan at place 0: it must be finite; leave"),
        ({"a": ([1, 2], [1, math.inf])}, {}, r"^y of 'a' has inf at place 1: it must be finite"),
        ({"a": (["1"], [1])}, {}, r"^x of 'a' has '1' at place 0: pass numbers"),
        ({"a": ([0, 1], [1, 2])}, LOG, r"^x of 'a' has 0 at place 0: .*above 0; leave it out"),
        ({"a": ([1, 2], [1, -2])}, LOG, r"^y of 'a' has -2 at place 1: .*above 0; leave it out"),
        ({"a": ([1], [math.nan])}, LOG, r"^y of 'a' has nan at place 0: .*above 0"),
        ({"a": ([1], [1]), "": ([1], [2])}, {}, r"^series\[''\] has no name: .*give it one"),
        (several(1), LOG | {"levels": {"no": 0}}, r"^levels\['no'\] has 0 at .*above 0; leave"),
        (several(1), {"levels": {"no": math.nan}}, r"^levels\['no'\] has nan at .*finite; leave"),
        (several(1), {"levels": [3]}, r"^levels is \[3\]: it must be a Mapping or None"),
    ],
)
def test_what_cannot_be_drawn_is_refused(series, options, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        plot_lines(series, "x", "y", **options)


@pytest.mark.parametrize(
    ("histories", "message"),
    [
        ({}, "^0 lines are to be drawn"),
        ({str(i): history(9.0) for i in range(9)}, "^18 lines are to be drawn"),
        ({"a": History()}, r"^series\['a, validation'\] has 0 x and 0 y"),
        ({"a": [3.0, 2.0]}, r"^histories\['a'\] is \[3.0, 2.0\]: it must be a History; pass what"),
        ({"a": History([1.0], [math.inf])}, r"^y of 'a, validation' has inf at place 0: .*leave"),
        (history(9.0), r"^histories is a History: it must be a Mapping; pass \{name: history\}"),
    ],
)
def test_learning_curves_that_cannot_be_drawn_are_refused(histories, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        plot_learning_curves(histories)


@pytest.mark.parametrize("log_colour", [False, True])
def test_a_grid_has_each_number_in_its_cell_and_the_largest_is_darkest(log_colour: bool) -> None:
    values = torch.tensor([[1.0, 2.0, 4.0], [8.0, 16.0, 32.0]])
    axes = frame(plot_grid(values, ["a", "b"], ["x", "y", "z"], log_colour=log_colour))
    written = {text.get_position(): text.get_text() for text in axes.texts}
    cells = {(j, i): f"{values[i, j]:.2f}" for i in range(2) for j in range(3)}
    assert written == cells
    shades = axes.images[0].get_array()
    assert (shades[0, 0], shades[1, 2]) == (0, 1)
    assert shades[0, 2] == pytest.approx(0.4 if log_colour else 3 / 31)
    assert [text.get_text() for text in axes.get_yticklabels()] == ["a", "b"]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["x", "y", "z"]
    white = {text.get_position() for text in axes.texts if text.get_color() == "white"}
    assert white == ({(2, 1), (1, 1)} if log_colour else {(2, 1)})


@pytest.mark.parametrize("log", [False, True])
def test_each_run_is_a_point_and_each_row_says_its_mean(log: bool) -> None:
    runs = {"plain": [10.0, 12.0, 14.0], "mended": [4.0]}
    axes = frame(plot_runs(runs, "perplexity", levels={"counting": 3.3}, log=log))
    drawn = [(list(line.get_xdata()), set(line.get_ydata())) for line in lines_of(axes)]
    assert drawn == [([10.0, 12.0, 14.0], {0}), ([4.0], {1})]
    assert [text.get_text() for text in axes.texts] == ["12.00", "4.00", "mean", "counting"]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["plain", "mended"]
    assert axes.yaxis_inverted()
    assert axes.get_xscale() == ("log" if log else "linear")


def test_over_each_letter_stands_a_bar_for_each_value() -> None:
    values = {"GRU": [0.0, 1.0, 2.0, 1.0], "counting": [4.0, 2.0, 1.0, 0.0]}
    figure = plot_text("to b", values, width=3)
    axes = frame(figure)
    letters = [(text.get_text(), round(text.get_position()[0])) for text in axes.texts]
    assert letters == [("t", 0), ("o", 1), ("␣", 2), ("b", 0)]
    unit = axes.containers[1][0].get_height() / 4
    for name, bars in zip(values, axes.containers, strict=True):
        assert [bar.get_height() / unit for bar in bars] == pytest.approx(values[name])
        assert bars[3].get_y() < bars[0].get_y() == bars[2].get_y()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list(values)
    assert legend.get_title().get_text() == "full height: 4"
    assert max(bar.get_height() for bar in frame(plot_text("ab", {"p": [1, 9]}, top=1)).patches) < 2


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plot_grid([[1.0]], ["a", "b"], ["x"]), r"^values have 1 rows of \[1\] .*one name"),
        (lambda: plot_grid([[1.0, 2.0]], ["a"], ["x"]), r"^values have 1 rows of \[2\] numbers"),
        (lambda: plot_grid([], [], []), "^values have 0 rows"),
        (lambda: plot_grid([[math.nan]], ["a"], ["x"]), "^row 'a' of values has nan at place 0"),
        (lambda: plot_grid([[0.0]], ["a"], ["x"], log_colour=True), "^row 'a' .* above 0"),
        (lambda: plot_grid(3, ["a"], ["x"]), "^values is 3: it must be"),  # type: ignore[arg-type]
        (lambda: plot_runs({}, "x"), "^runs has nothing to draw"),
        (lambda: plot_runs({"a": []}, "x"), "^runs has nothing to draw"),
        (lambda: plot_runs({"a": [math.inf]}, "x"), r"^runs\['a'\] has inf at place 0"),
        (lambda: plot_runs({"a": [-1]}, "x", log=True), r"^runs\['a'\] has -1 .*above 0"),
        (lambda: plot_text("ab", {"p": [1]}), r"^values\['p'\] has 1 numbers for 2 letters"),
        (lambda: plot_text("ab", {"p": [1, -1]}), r"^values\['p'\] .* at least 0"),
        (lambda: plot_text("ab", {}), "^values has 0 names"),
        (lambda: plot_text("", {"p": []}), r"^values\['p'\] has 0 numbers for 0 letters"),
        (lambda: plot_text("ab", {"p": [1, 1]}, width=0), "^width is 0"),
        (lambda: plot_text("ab", {"p": [1, 1]}, top=0), "^top is 0"),
    ],
)
def test_tables_runs_and_texts_that_cannot_be_drawn_are_refused(draw, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        draw()


@pytest.fixture
def restored_style() -> Iterator[None]:
    with matplotlib.rc_context():
        yield


@pytest.mark.usefixtures("restored_style")
def test_letters_have_11_pixels_on_a_phone() -> None:
    """A figure is shown at 341 pixels there, and saved with a margin of a tenth of an inch."""
    use_house_style()
    figures = [
        plot_lines(several(2), "x", "y", levels={"counting": 1.5}),
        plot_learning_curves({"a": history(9.0)}, {"counting": 2.0}),
        plot_grid([[1.0]], ["a"], ["x"]),
        plot_runs({"a": [1.0, 2.0]}, "x", levels={"counting": 1.5}),
        plot_text("some text", {"p": [1.0] * 9}),
    ]
    for figure in figures:
        figure.draw_without_rendering()
        width = 72 * (figure.get_figwidth() + 0.2)
        texts = figure.findobj(lambda artist: isinstance(artist, Text) and artist.get_text())
        assert min(text.get_fontsize() for text in texts) * 341 / width >= 11
