"""Plots of measurements, in one look for the whole course."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import mean
from typing import Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from torch import Tensor

from d2lhelpers.checks import check_positive, check_positive_int, check_type
from d2lhelpers.drawings.primitives import GRADIENT, INPUT, OUTPUT, STATE
from d2lhelpers.training import History

COLOURS = (INPUT.line, GRADIENT.line, STATE.line, OUTPUT.line)
LEVEL_COLOUR = "#666666"
TEXT_COLOUR = "#1A1A1A"
WIDTH, LETTERS = 4.4, 11  # inches and points: 11 pixels, then, on a phone of 390
DASHES = ("-", "--", "-.", ":")

Series = Sequence[float]


def use_house_style() -> None:
    """Set matplotlib up for the course: crisp figures in notebooks, the same bytes in every run."""
    matplotlib.rcParams.update(
        {
            "font.size": LETTERS,
            "axes.titlesize": LETTERS,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.color": "#E3E3E3",
            "axes.axisbelow": True,
            "legend.frameon": False,
            "lines.linewidth": 1.8,
            "svg.hashsalt": "d2lhelpers",
        }
    )
    try:
        from matplotlib_inline.backend_inline import set_matplotlib_formats
    except ImportError:  # not in a notebook
        return
    # The page shows the SVG. JupyterLab does not, in a notebook that it has not run itself.
    set_matplotlib_formats("svg", "png", metadata={"Date": None})


def plot_lines(
    series: Mapping[str, tuple[Series, Series]],
    x_label: str,
    y_label: str,
    *,
    levels: Mapping[str, float] | None = None,
    log_x: bool = False,
    log_y: bool = False,
    markers: bool = False,
) -> Figure:
    """Draw lines in one frame, up to 16; any two differ in colour or in dash, the first 4 in both.

    Args:
        series: for each name in the legend the x and the y values, finite numbers.
        x_label: what x is, with its unit.
        y_label: what y is, with its unit.
        levels: for each name a horizontal line at that height, with its name above it.
        log_x: make the x axis logarithmic; then all x must be above 0.
        log_y: make the y axis logarithmic; then all y and all levels must be above 0.
        markers: mark each point.

    Returns:
        the figure; a legend is in it if there are several lines.

    Raises:
        TypeError, ValueError: no series, or values that cannot be drawn.
    """
    lines = _checked(series, log_x, log_y)
    levels = _checked_levels(levels, log_y)
    figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
    axes = figure.add_subplot(xlabel=x_label, ylabel=y_label)
    for i, (name, (x, y)) in enumerate(lines.items()):
        colour, dash = COLOURS[i % 4], DASHES[(i + i // 4) % 4]
        axes.plot(x, y, dash, label=str(name), color=colour, marker="o" if markers else None, ms=4)
    if all(isinstance(value, int) for x, _ in series.values() for value in x):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if log_x:
        _set_log(axes, "x", [value for x, _ in lines.values() for value in x])
    if log_y:
        _set_log(axes, "y", [value for _, y in lines.values() for value in y])
    if len(lines) > 1:
        _add_legend(figure, lines)
    _add_levels(figure, levels)
    return figure


def plot_learning_curves(
    histories: Mapping[str, History], baselines: Mapping[str, float] | None = None
) -> Figure:
    """Draw perplexity over epochs: validation text solid, training text dashed, baselines level.

    From the fifth model on, up to 8, the colours come again, dash-dotted and dotted.

    Args:
        histories: for each name what `train` has measured.
        baselines: for each name a perplexity, drawn as a level line.

    Returns:
        the figure, with a logarithmic y axis.

    Raises:
        TypeError, ValueError: no history, or values that cannot be drawn.
    """
    check_type(Mapping, "pass {name: history}", histories=histories)
    series, styles = {}, []
    for i, (name, history) in enumerate(histories.items()):
        check_type(History, "pass what train has returned", **{f"histories[{name!r}]": history})
        for j, part in enumerate(("validation", "training")):
            values: list[float] = getattr(history, part)
            series[f"{name}, {part}"] = (range(1, len(values) + 1), values)
            styles.append((COLOURS[i % 4], DASHES[(j + 2 * (i // 4)) % 4]))
    lines = _checked(series, log_x=False, log_y=True)
    levels = _checked_levels(baselines, log_y=True)
    figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
    axes = figure.add_subplot(xlabel="epoch", ylabel="perplexity")
    for (name, (x, y)), (colour, dash) in zip(lines.items(), styles, strict=True):
        axes.plot(x, y, dash, label=str(name), color=colour)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _set_log(axes, "y", [value for h in histories.values() for value in h.validation])
    _add_legend(figure, lines)
    _add_levels(figure, levels)
    return figure


def plot_grid(
    values: Sequence[Series],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    row_label: str = "",
    column_label: str = "",
    form: str = ".2f",
    log_colour: bool = False,
) -> Figure:
    """Draw a table as a heat map: the darker, the larger, and each number in its cell.

    Args:
        values: (rows, columns), a row of numbers for each name in ``rows``.
        rows: names of the rows, from the top.
        columns: names of the columns.
        row_label: what the rows are.
        column_label: what the columns are.
        form: how a number is written, as in `format`.
        log_colour: let the colour follow the logarithm; then all values must be above 0.

    Returns:
        the figure.

    Raises:
        TypeError, ValueError: no values, not as many as there are names, or not finite.
    """
    check_type((Sequence, Tensor), "pass a list of rows", values=values)
    if not len(values) == len(rows) > 0 or not all(len(v) == len(columns) > 0 for v in values):
        raise ValueError(
            f"values have {len(values)} rows of {[len(v) for v in values][:9]} numbers: the "
            f"names are for {len(rows)} by {len(columns)}; give each row and each column one name"
        )
    table = np.array(
        [
            _numbers(f"row {name!r} of values", row, log_colour)
            for name, row in zip(rows, values, strict=True)
        ]
    )
    shades = np.log(table) if log_colour else table
    low, span = shades.min(), np.ptp(shades) or 1.0
    figure = Figure(figsize=(WIDTH, 0.9 + 0.34 * len(rows)), layout="constrained")
    axes = figure.add_subplot(xlabel=column_label, ylabel=row_label)
    axes.imshow(
        (shades - low) / span, cmap="Blues", vmin=0, vmax=1.25, aspect="auto",
        interpolation="nearest",
    )  # fmt: skip
    for i, j in np.ndindex(table.shape):
        dark = (shades[i, j] - low) / span > 0.75
        colour = "white" if dark else TEXT_COLOUR
        axes.text(j, i, format(table[i, j], form), color=colour, ha="center", va="center")
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(length=0)
    axes.grid(False)
    axes.spines[:].set_visible(False)
    return figure


def plot_runs(
    runs: Mapping[str, Series],
    label: str,
    *,
    levels: Mapping[str, float] | None = None,
    log: bool = False,
    form: str = ".2f",
) -> Figure:
    """Draw each run as a point, a row for each setting, and write the mean at the row's right end.

    Args:
        runs: for each setting, from the top, one number a run (a seed, say).
        label: what the numbers are, with their unit.
        levels: for each name a vertical line at that number.
        log: make the axis logarithmic; then all numbers must be above 0.
        form: how a mean is written, as in `format`.

    Returns:
        the figure.

    Raises:
        TypeError, ValueError: no setting, one without a run, or values that cannot be drawn.
    """
    check_type(Mapping, "pass {name: numbers}", runs=runs)
    rows = {name: _numbers(f"runs[{name!r}]", values, log) for name, values in runs.items()}
    levels = _checked_levels(levels, log)
    if not rows or not all(rows.values()):
        raise ValueError("runs has nothing to draw, or a setting without a number: leave it out")
    figure = Figure(figsize=(WIDTH, 0.9 + 0.34 * len(rows)), layout="constrained")
    axes = figure.add_subplot(xlabel=label, ylim=(len(rows) - 0.5, -0.5))
    for i, numbers in enumerate(rows.values()):
        axes.plot(numbers, [i] * len(numbers), "o", ms=6, mfc="none", mew=1.5, color=COLOURS[0])
        axes.annotate(
            format(mean(numbers), form), (1, i), xycoords=axes.get_yaxis_transform(),
            xytext=(4, 0), textcoords="offset points", va="center",
        )  # fmt: skip
    axes.set_yticks(range(len(rows)), [str(name) for name in rows])
    axes.tick_params(axis="y", length=0)
    if max(map(len, rows.values())) > 1:
        axes.annotate(
            "mean", (1, 1), xycoords="axes fraction", textcoords="offset points",
            xytext=(4, 16 if levels else 2),
        )  # fmt: skip
    if log:
        _set_log(axes, "x", [value for numbers in rows.values() for value in numbers])
    for name, place in levels.items():
        axes.axvline(place, color=LEVEL_COLOUR, lw=1, ls=(0, (1, 2)))
        axes.annotate(
            str(name), (place, 1), xycoords=axes.get_xaxis_transform(), xytext=(0, 2),
            textcoords="offset points", ha="center", va="bottom", color=LEVEL_COLOUR,
        )  # fmt: skip
    return figure


def plot_text(
    text: str, values: Mapping[str, Series], *, top: float | None = None, width: int = 34
) -> Figure:
    """Write a text in lines, and over each letter a bar for each of its values.

    Args:
        text: what is written; a space is shown as "␣".
        values: for each name in the legend a number of at least 0 for each letter.
        top: the number whose bar fills the room between two lines; by default the largest.
        width: letters in a line.

    Returns:
        the figure; the legend names the values and the height of the room.

    Raises:
        TypeError, ValueError: nothing to draw, not one value a letter, or values below 0.
    """
    check_type(str, "pass the letters", text=text)
    check_positive_int(width=width)
    check_type(Mapping, "pass {name: numbers}", values=values)
    strips = {name: _numbers(f"values[{name!r}]", one, False) for name, one in values.items()}
    if not 1 <= len(strips) <= len(COLOURS):
        raise ValueError(f"values has {len(strips)} names: from 1 to {len(COLOURS)} can be drawn")
    for name, numbers in strips.items():
        if len(numbers) != len(text) or min(numbers, default=-1.0) < 0:
            raise ValueError(
                f"values[{name!r}] has {len(numbers)} numbers for {len(text)} letters, the "
                "smallest of them must be at least 0; pass one number for each letter"
            )
    if top is None:
        top = max(max(numbers) for numbers in strips.values()) or 1.0
    check_positive(top=top)
    lines = math.ceil(len(text) / width)
    room, pitch = 1.8, 3.2  # of the bars, and from line to line, in heights of a letter
    figure = Figure(figsize=(WIDTH, 0.4 + 0.25 * len(strips) + 0.56 * lines), layout="constrained")
    axes = figure.add_subplot(xlim=(-0.5, width - 0.5), ylim=(-lines * pitch, 0.0))
    axes.set_axis_off()
    share = 0.8 / len(strips)
    for k, (name, numbers) in enumerate(strips.items()):
        places = np.arange(len(text))
        axes.bar(
            places % width - 0.4 + share * (k + 0.5),
            [room * min(number / top, 1.0) for number in numbers],
            share, bottom=-(places // width) * pitch - room,
            color=COLOURS[k], label=str(name),
        )  # fmt: skip
    for place, letter in enumerate(text):
        line, column = divmod(place, width)
        axes.text(
            column, -line * pitch - room - 0.6, letter.replace(" ", "␣"), ha="center",
            va="center", family="monospace", color=TEXT_COLOUR if letter != " " else LEVEL_COLOUR,
        )  # fmt: skip
    figure.legend(
        loc="outside lower left", handlelength=1, title=f"full height: {top:.3g}", alignment="left"
    )
    return figure


def _checked(
    series: Mapping[str, tuple[Series, Series]], log_x: bool, log_y: bool
) -> dict[str, tuple[list[float], list[float]]]:
    """Return the values of each line as plain floats, or raise an error that names the line."""
    check_type(Mapping, "pass {name: (x, y)}", series=series)
    if not 1 <= len(series) <= 16:
        raise ValueError(
            f"{len(series)} lines are to be drawn: from 1 to 16 can be told apart; draw several "
            "figures, or fewer lines"
        )
    lines = {}
    for name, pair in series.items():
        try:
            x, y = (list(values) for values in pair)
        except (TypeError, ValueError):
            raise TypeError(
                f"series[{name!r}] is of type {type(pair).__name__}: it must be a pair of two "
                "sequences; pass (x, y)"
            ) from None
        if len(x) != len(y) or not x:
            raise ValueError(
                f"series[{name!r}] has {len(x)} x and {len(y)} y: there must be equally many, and "
                "at least one; make the two equal"
            )
        if not str(name).strip() and len(series) > 1:
            raise ValueError(
                f"series[{name!r}] has no name: one of several lines must; give it one"
            )
        lines[name] = (
            _numbers(f"x of {name!r}", x, log_x),
            _numbers(f"y of {name!r}", y, log_y),
        )
    return lines


def _numbers(name: str, values: Iterable[float], log: bool) -> list[float]:
    """Return values as floats; they must be finite and, for a logarithmic axis, above 0."""
    numbers = []
    for i, value in enumerate(values):
        try:
            if isinstance(value, str):
                raise TypeError
            number = float(value.detach() if isinstance(value, Tensor) else value)
        except (TypeError, ValueError, RuntimeError):
            raise TypeError(f"{name} has {value!r} at place {i}: pass numbers") from None
        if not math.isfinite(number) or (log and number <= 0):
            rule = "finite and, on a logarithmic axis, above 0" if log else "finite"
            raise ValueError(f"{name} has {number:g} at place {i}: it must be {rule}; leave it out")
        numbers.append(number)
    return numbers


def _checked_levels(levels: Mapping[str, float] | None, log_y: bool) -> dict[str, float]:
    """Return the heights of level lines as floats, checked as those of other lines are."""
    check_type((Mapping, type(None)), "pass {name: height}", levels=levels)
    return {
        name: _numbers(f"levels[{name!r}]", [height], log_y)[0]
        for name, height in (levels or {}).items()
    }


def _add_legend(figure: Figure, names: Iterable[str]) -> None:
    """Add a legend below the axes, where it hides no line, also for names like "_..."."""
    names = [str(name) for name in names]
    columns = 1 if max(map(len, names)) > 20 else 2
    height = figure.get_figheight() + 0.22 * math.ceil(len(names) / columns)
    figure.set_figheight(height)
    legend = figure.legend(
        figure.axes[0].get_lines(), [f"line {i}" for i in range(len(names))],
        loc="outside lower center", ncols=columns,
    )  # fmt: skip
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_text(name)


def _set_log(axes: Axes, name: Literal["x", "y"], values: Series) -> None:
    """Make an axis logarithmic, with plain numbers on it where they fit: over few decades."""
    axes.set(**{f"{name}scale": "log"})
    if max(values) < 1000 * min(values):
        axis = axes.xaxis if name == "x" else axes.yaxis
        few = max(values) < 5 * min(values)
        axis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 4, 6, 8) if few else (1, 2, 5)))
        axis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 2 else f"{value:g}")
        axis.set_minor_formatter(NullFormatter())


def _add_levels(figure: Figure, levels: Mapping[str, float]) -> None:
    """Draw a thin horizontal line for each level, its name above the end with more air."""
    axes = figure.axes[0]
    drawn = [(line.get_xdata(), line.get_ydata()) for line in axes.get_lines()]
    to_axes = axes.transData + axes.transAxes.inverted()
    places = np.concatenate([to_axes.transform(np.column_stack(line)) for line in drawn])
    for name, height in levels.items():
        level = to_axes.transform((places[0, 0], height))[1] + 0.04  # the middle of its name
        air = [
            min((abs(y - level) for x, y in places if abs(x - end) < 0.4), default=1.0)
            for end in (0.0, 1.0)
        ]
        side = int(air[1] >= air[0])
        axes.axhline(height, color=LEVEL_COLOUR, lw=1, ls=(0, (1, 2)))
        axes.annotate(
            str(name), (side, height), xycoords=axes.get_yaxis_transform(),
            xytext=(2 - 4 * side, 3), textcoords="offset points", ha=("left", "right")[side],
            va="bottom", color=LEVEL_COLOUR,
        )  # fmt: skip
