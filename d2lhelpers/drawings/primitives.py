"""What every figure is drawn with: colours, boxes, nodes, lines, labels.

Lengths are inches and the origin is the lower left corner. One colour means one kind of thing in
every figure: inputs, states, outputs, operators, gradients.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch, PathPatch, Polygon
from matplotlib.path import Path


class Colour(NamedTuple):
    """A dark ``line`` for outlines and arrows, and the pale ``fill`` that goes with it."""

    line: str
    fill: str


# Okabe-Ito hues, the lines darkened to a contrast of at least 4.3 : 1 on white.
INPUT = Colour("#0072B2", "#DDEDF7")
STATE = Colour("#007F5C", "#DAF1E8")
OUTPUT = Colour("#A3477C", "#F7E5EF")
OPERATOR = Colour("#4D4D4D", "#EFEFEF")
GRADIENT = Colour("#CC5500", "#FBE6D6")
FRAME = Colour("#9A9A9A", "#FAFAFA")
TEXT_COLOUR = "#1A1A1A"

SYMBOL_SIZE, NOTE_SIZE = 14.0, 13.8  # points
BOX_WIDTH, BOX_HEIGHT = 0.68, 0.46
COLUMN, ROW = 1.26, 1.0  # pitch of the grid that unrolled networks stand on
MARGIN = CORNER_RADIUS = 0.12


def new_canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """A white figure in which one unit of both coordinates is one inch."""
    figure = Figure(figsize=(width, height), facecolor="white")
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set(xlim=(0.0, width), ylim=(0.0, height))
    axes.set_axis_off()
    return figure, axes


def add_label(
    axes: Axes, x: float, y: float, text: str, size: float = SYMBOL_SIZE, align: str = "center"
) -> None:
    """Text around height ``y``; the baseline is set by hand, so that rows of symbols line up."""
    axes.text(
        x, y - 0.26 * size / 72, text, size=size, color=TEXT_COLOUR, ha=align, va="baseline",
        family="DejaVu Sans", math_fontfamily="cm",
    )  # fmt: skip


def add_box(
    axes: Axes, x: float, y: float, text: str, colour: Colour, width: float = BOX_WIDTH
) -> None:
    """A rounded box centred on ``(x, y)``."""
    axes.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - BOX_HEIGHT / 2), width, BOX_HEIGHT, lw=1.4, zorder=2, clip_on=False,
            boxstyle="round,pad=0,rounding_size=0.08",
            facecolor=colour.fill, edgecolor=colour.line,
        )
    )  # fmt: skip
    add_label(axes, x, y, text)


def add_frame(axes: Axes, left: float, bottom: float, right: float, top: float, name: str) -> None:
    """A pale frame behind everything that belongs together, with its name in the top left."""
    axes.add_patch(
        FancyBboxPatch(
            (left, bottom), right - left, top - bottom, lw=1.0, zorder=0, clip_on=False,
            boxstyle=f"round,pad=0,rounding_size={CORNER_RADIUS}",
            facecolor=FRAME.fill, edgecolor=FRAME.line,
        )
    )  # fmt: skip
    add_label(axes, left + 0.06, top - 0.17, name, NOTE_SIZE, "left")


def add_node(axes: Axes, x: float, y: float, text: str, radius: float = 0.19) -> None:
    """A round operator."""
    axes.add_patch(
        Circle(
            (x, y), radius, lw=1.4, zorder=2, clip_on=False,
            facecolor=OPERATOR.fill, edgecolor=OPERATOR.line,
        )
    )  # fmt: skip
    add_label(axes, x, y, text)


def add_dot(axes: Axes, x: float, y: float, colour: Colour) -> None:
    """The point at which a line branches."""
    axes.add_patch(Circle((x, y), 0.045, facecolor=colour.line, lw=0, zorder=3, clip_on=False))


def add_line(
    axes: Axes,
    points: Sequence[tuple[float, float]],
    colour: Colour,
    *,
    dashed: bool = False,
    head: bool = True,
    over: bool = False,
) -> None:
    """A line through ``points`` with rounded corners, and an arrow head at the last point.

    It runs under the boxes, or ``over`` them.
    """
    corners = [np.array(point) for point in points]
    along = (corners[-1] - corners[-2]) / np.linalg.norm(corners[-1] - corners[-2])
    across = np.array([-along[1], along[0]])
    vertices, codes = [corners[0]], [Path.MOVETO]
    for before, corner, after in zip(corners, corners[1:], corners[2:], strict=False):
        back, on = before - corner, after - corner
        enter = corner + CORNER_RADIUS * back / np.linalg.norm(back)
        leave = corner + CORNER_RADIUS * on / np.linalg.norm(on)
        vertices += [enter, corner, leave]
        codes += [Path.LINETO, Path.CURVE3, Path.CURVE3]
    tip = corners[-1]
    vertices.append(tip - 0.08 * along if head else tip)
    codes.append(Path.LINETO)
    axes.add_patch(
        PathPatch(
            Path(np.array(vertices), codes), fill=False, edgecolor=colour.line, lw=1.6,
            linestyle=(0, (3.0, 1.6)) if dashed else "solid", zorder=1 + over, clip_on=False,
        )
    )  # fmt: skip
    if head:
        wings = [tip - 0.12 * along + side * 0.055 * across for side in (1, -1)]
        axes.add_patch(Polygon([tip, *wings], facecolor=colour.line, lw=0, zorder=3, clip_on=False))


def tight(index: str) -> str:
    """Return the mathtext of an index without spaces around + and -."""
    return index.replace("-", "{-}").replace("+", "{+}")


def bold(letter: str, index: str = "") -> str:
    """Return the mathtext of a matrix or vector: bold, with its index."""
    return rf"$\mathbf{{{letter}}}_{{{tight(index)}}}$" if index else rf"$\mathbf{{{letter}}}$"


def add_column(axes: Axes, x: float, bottom: float, index: str = "", named: bool = True) -> None:
    """Input, hidden layer and output of one step, bottom to top, and the (named) edges between."""
    for row, (letter, colour) in enumerate((("X", INPUT), ("H", STATE), ("O", OUTPUT))):
        add_box(axes, x, bottom + row * ROW, bold(letter, index), colour)
    for row, (weight, colour) in enumerate((("xh", INPUT), ("hq", OUTPUT))):
        start, end = bottom + row * ROW + BOX_HEIGHT / 2, bottom + (row + 1) * ROW - BOX_HEIGHT / 2
        add_line(axes, [(x, start), (x, end)], colour)
        if named:
            add_label(axes, x + 0.1, (start + end) / 2, bold("W", weight), align="left")


def step_indices(num_steps: int) -> list[str]:
    """The indices of the columns: around t for three of them, else counted from 1."""
    return ["t-1", "t", "t+1"] if num_steps == 3 else [str(i + 1) for i in range(num_steps)]
