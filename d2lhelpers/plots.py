"""Plots of measurements, in one look for the whole course."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Literal

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from d2lhelpers.drawings import GRADIENT, INPUT, OUTPUT, STATE
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
    """Draw lines in one frame; they differ in colour and in dash.

    Args:
        series: for each name in the legend the x and the y values.
        levels: for each name a horizontal line at that height, labelled on the right.
        markers: mark each point.
    """
    figure = Figure(figsize=(6.0, 3.6), layout="constrained")
    axes = figure.add_subplot(xlabel=x_label, ylabel=y_label)
    for (name, (x, y)), colour, dash in zip(
        series.items(), cycle(COLOURS), cycle(DASHES), strict=False
    ):
        axes.plot(x, y, dash, label=name, color=colour, marker="o" if markers else None, ms=4)
    if log_x:
        _set_log(axes, "x", [value for x, _ in series.values() for value in x])
    if log_y:
        _set_log(axes, "y", [value for _, y in series.values() for value in y])
    _add_levels(figure, levels or {})
    if len(series) > 1:
        axes.legend()
    return figure


def plot_learning_curves(
    histories: Mapping[str, History], baselines: Mapping[str, float] | None = None
) -> Figure:
    """Draw perplexity over epochs: validation text solid, training text dashed, baselines level."""
    figure = Figure(figsize=(6.0, 3.6), layout="constrained")
    axes = figure.add_subplot(xlabel="epoch", ylabel="perplexity")
    for (name, history), colour in zip(histories.items(), cycle(COLOURS), strict=False):
        epochs = range(1, len(history.validation) + 1)
        axes.plot(epochs, history.validation, color=colour, label=f"{name}, validation")
        axes.plot(epochs, history.training, "--", color=colour, label=f"{name}, training")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _add_levels(figure, baselines or {})
    _set_log(axes, "y", [value for h in histories.values() for value in h.validation])
    axes.legend()
    return figure


def _set_log(axes: Axes, name: Literal["x", "y"], values: Series) -> None:
    """Make an axis logarithmic, with plain numbers on it where they fit: over few decades."""
    axes.set(**{f"{name}scale": "log"})
    if max(values) < 1000 * min(values):
        axis = axes.xaxis if name == "x" else axes.yaxis
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())


def _add_levels(figure: Figure, levels: Mapping[str, float]) -> None:
    """Draw a thin horizontal line for each level, its name above its right end."""
    axes = figure.axes[0]
    for name, height in levels.items():
        axes.axhline(height, color=LEVEL_COLOUR, lw=1, ls=(0, (1, 2)))
        axes.annotate(
            name, (1, height), xycoords=axes.get_yaxis_transform(), xytext=(-2, 3),
            textcoords="offset points", ha="right", va="bottom", color=LEVEL_COLOUR, size=10,
        )  # fmt: skip
