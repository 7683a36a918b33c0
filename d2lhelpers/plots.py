"""Plots of measurements, in one look for the whole course."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from torch import Tensor

from d2lhelpers.checks import check_type
from d2lhelpers.drawings.primitives import GRADIENT, INPUT, OUTPUT, STATE
from d2lhelpers.training import History

COLOURS = (INPUT.line, GRADIENT.line, STATE.line, OUTPUT.line)
LEVEL_COLOUR = "#666666"
DASHES = ("-", "--", "-.", ":")

Series = Sequence[float]


def use_house_style() -> None:
    """Set matplotlib up for the course: crisp figures in notebooks, the same bytes in every run."""
    matplotlib.rcParams.update(
        {
            "font.size": 11,
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
        levels: for each name a horizontal line at that height, labelled on the right.
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
    figure = Figure(figsize=(6.0, 3.6), layout="constrained")
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
        _add_legend(axes, lines)
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
    figure = Figure(figsize=(6.0, 3.6), layout="constrained")
    axes = figure.add_subplot(xlabel="epoch", ylabel="perplexity")
    for (name, (x, y)), (colour, dash) in zip(lines.items(), styles, strict=True):
        axes.plot(x, y, dash, label=str(name), color=colour)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _set_log(axes, "y", [value for h in histories.values() for value in h.validation])
    _add_legend(axes, lines)
    _add_levels(figure, levels)
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


def _add_legend(axes: Axes, names: Iterable[str]) -> None:
    """Add a legend with these names, also those that matplotlib leaves out: "_..."."""
    names = list(names)
    legend = axes.legend(axes.get_lines(), [f"line {i}" for i in range(len(names))])
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_text(str(name))


def _set_log(axes: Axes, name: Literal["x", "y"], values: Series) -> None:
    """Make an axis logarithmic, with plain numbers on it where they fit: over few decades."""
    axes.set(**{f"{name}scale": "log"})
    if max(values) < 1000 * min(values):
        axis = axes.xaxis if name == "x" else axes.yaxis
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}")
        axis.set_minor_formatter(NullFormatter())


def _add_levels(figure: Figure, levels: Mapping[str, float]) -> None:
    """Draw a thin horizontal line for each level, its name above its right end."""
    axes = figure.axes[0]
    for name, height in levels.items():
        axes.axhline(height, color=LEVEL_COLOUR, lw=1, ls=(0, (1, 2)))
        axes.annotate(
            str(name), (1, height), xycoords=axes.get_yaxis_transform(), xytext=(-2, 3),
            textcoords="offset points", ha="right", va="bottom", color=LEVEL_COLOUR, size=10,
        )  # fmt: skip
