"""Architecture figures of the course, drawn with matplotlib alone.

Every public function returns a new :class:`~matplotlib.figure.Figure` that pyplot does not know of,
so that after ``%matplotlib inline`` a cell that ends with one shows it exactly once.
Lengths are inches and the origin is the lower left corner.  One colour means one kind of thing in
every figure: inputs, states, outputs, operators, gradients.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch, PathPatch, Polygon
from matplotlib.path import Path

from d2lhelpers.checks import check_positive_int

__all__ = [
    "draw_bidirectional",
    "draw_deep",
    "draw_feedforward",
    "draw_gru_cell",
    "draw_lstm_cell",
    "draw_rnn_cell",
    "draw_shifted",
    "draw_truncated",
    "draw_unrolled",
]


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

SYMBOL_SIZE, NOTE_SIZE = 14.0, 12.0  # points
BOX_WIDTH, BOX_HEIGHT = 0.68, 0.46
COLUMN, ROW = 1.26, 1.0  # pitch of the grid that unrolled networks stand on
MARGIN = CORNER_RADIUS = 0.12


def _canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """A white figure in which one unit of both coordinates is one inch."""
    figure = Figure(figsize=(width, height), facecolor="white")
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set(xlim=(0.0, width), ylim=(0.0, height))
    axes.set_axis_off()
    return figure, axes


def _label(
    axes: Axes, x: float, y: float, text: str, size: float = SYMBOL_SIZE, align: str = "center"
) -> None:
    """Text around height ``y``; the baseline is set by hand, so that rows of symbols line up."""
    axes.text(
        x, y - 0.26 * size / 72, text, size=size, color=TEXT_COLOUR, ha=align, va="baseline",
        family="DejaVu Sans", math_fontfamily="cm",
    )  # fmt: skip


def _box(
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
    _label(axes, x, y, text)


def _frame(axes: Axes, left: float, bottom: float, right: float, top: float, name: str) -> None:
    """A pale frame behind everything that belongs together, with its name in the top left."""
    axes.add_patch(
        FancyBboxPatch(
            (left, bottom), right - left, top - bottom, lw=1.0, zorder=0, clip_on=False,
            boxstyle=f"round,pad=0,rounding_size={CORNER_RADIUS}",
            facecolor=FRAME.fill, edgecolor=FRAME.line,
        )
    )  # fmt: skip
    _label(axes, left + 0.1, top - 0.17, name, NOTE_SIZE, "left")


def _node(axes: Axes, x: float, y: float, text: str, radius: float = 0.19) -> None:
    """A round operator."""
    axes.add_patch(
        Circle(
            (x, y), radius, lw=1.4, zorder=2, clip_on=False,
            facecolor=OPERATOR.fill, edgecolor=OPERATOR.line,
        )
    )  # fmt: skip
    _label(axes, x, y, text)


def _dot(axes: Axes, x: float, y: float, colour: Colour) -> None:
    """The point at which a line branches."""
    axes.add_patch(Circle((x, y), 0.045, facecolor=colour.line, lw=0, zorder=3, clip_on=False))


def _line(
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


def _bold(letter: str, index: str = "") -> str:
    """The mathtext of a matrix or vector: bold, with its index (no spaces around + and -)."""
    tight = index.replace("-", "{-}").replace("+", "{+}")
    return rf"$\mathbf{{{letter}}}_{{{tight}}}$" if index else rf"$\mathbf{{{letter}}}$"


def _column(axes: Axes, x: float, bottom: float, index: str = "", named: bool = True) -> None:
    """Input, hidden layer and output of one step, bottom to top, and the (named) edges between."""
    for row, (letter, colour) in enumerate((("X", INPUT), ("H", STATE), ("O", OUTPUT))):
        _box(axes, x, bottom + row * ROW, _bold(letter, index), colour)
    for row, (weight, colour) in enumerate((("xh", INPUT), ("hq", OUTPUT))):
        start, end = bottom + row * ROW + BOX_HEIGHT / 2, bottom + (row + 1) * ROW - BOX_HEIGHT / 2
        _line(axes, [(x, start), (x, end)], colour)
        if named:
            _label(axes, x + 0.1, (start + end) / 2, _bold("W", weight), align="left")


def draw_feedforward() -> Figure:
    """Draw a network without a hidden state, as one column: input, hidden layer, output.

    It agrees with ``H = phi(X W_xh + b_h)`` and ``O = H W_hq + b_q``, and looks like one column
    of :func:`draw_unrolled`, so that the recurrent edge is all that differs.
    """
    x, bottom = MARGIN + BOX_WIDTH / 2, MARGIN + BOX_HEIGHT / 2
    figure, axes = _canvas(2.1, 2 * bottom + 2 * ROW)
    _column(axes, x, bottom)
    for row, name in enumerate(("input", "hidden layer", "output")):
        _label(axes, x + BOX_WIDTH / 2 + 0.1, bottom + row * ROW, name, NOTE_SIZE, "left")
    return figure


def draw_unrolled(num_steps: int = 3) -> Figure:
    """Draw a recurrent network unrolled in time: one column a step, states joined left to right.

    Each weight is named once and its edges share one colour, because every step uses the same
    weights: ``H_t = phi(X_t W_xh + H_{t-1} W_hh + b_h)``, ``O_t = H_t W_hq + b_q`` (Elman, 1990,
    "Finding structure in time").

    Parameters
    ----------
    num_steps
        Number of columns, at least 1.  Three columns carry the general indices t-1, t, t+1; any
        other number carries 1 to ``num_steps``.  Each step makes the figure 1.26 inches wider.

    Raises
    ------
    TypeError, ValueError
        If ``num_steps`` is not an integer, or is less than 1.
    """
    check_positive_int(num_steps=num_steps)
    indices = [str(step) for step in range(num_steps + 1)]
    if num_steps == 3:
        indices = ["t-2", "t-1", "t", "t+1"]
    first, bottom = MARGIN + BOX_WIDTH / 2, MARGIN + 0.4 + BOX_HEIGHT / 2
    length = COLUMN - BOX_WIDTH
    width = 2 * first + num_steps * COLUMN + length
    figure, axes = _canvas(width, bottom + 2 * ROW + BOX_HEIGHT / 2 + MARGIN)
    state_row = bottom + ROW
    _box(axes, first, state_row, _bold("H", indices[0]), STATE)
    for step, index in enumerate(indices):
        x = first + step * COLUMN
        if step:
            _column(axes, x, bottom, index, named=step == 1)
        edge = x + BOX_WIDTH / 2
        _line(axes, [(edge, state_row), (edge + length, state_row)], STATE)
    _label(axes, first + COLUMN / 2, state_row + 0.2, _bold("W", "hh"))
    for row, name in ((0, "inputs"), (2, "outputs")):
        _label(axes, first, bottom + row * ROW, name, NOTE_SIZE)
    _label(axes, first, state_row - 0.42, "states", NOTE_SIZE)
    if num_steps > 1:
        note = "same colour, same weights at every step"
        _label(axes, width / 2, MARGIN + 0.1, note, NOTE_SIZE)
    return figure


def draw_rnn_cell() -> Figure:
    """Draw one step of a recurrent network from the inside, with the output layer above it.

    It agrees with ``H_t = phi(X_t W_xh + H_{t-1} W_hh + b_h)`` and ``O_t = H_t W_hq + b_q``,
    the form of Elman (1990, "Finding structure in time") with tanh for phi.
    """
    previous, weight, plus, phi, branch, state = 0.46, 1.54, 2.42, 3.3, 4.05, 5.13
    below, product, middle, bias = 0.35, 1.25, 2.05, 2.7
    product_out, plus_out, above = 3.7, 4.4, 5.15
    operator, radius = 0.9, 0.19
    tall, wide, half = BOX_HEIGHT / 2, BOX_WIDTH / 2, operator / 2
    figure, axes = _canvas(state + previous, above + below)
    _frame(axes, 0.98, 0.86, 4.61, 3.2, "hidden layer")
    _frame(axes, 0.98, 3.32, 4.61, 4.74, "output layer")

    for x, start, end, colour in (
        (plus, below + tall, product - tall, INPUT),
        (plus, product + tall, middle - radius, OPERATOR),
        (plus, bias - tall, middle + radius, OPERATOR),
        (branch, middle, product_out - tall, STATE),
        (branch, product_out + tall, plus_out - radius, OPERATOR),
        (branch, plus_out + radius, above - tall, OUTPUT),
    ):
        _line(axes, [(x, start), (x, end)], colour)
    for y, start, end, colour in (
        (middle, previous + wide, weight - half, STATE),
        (middle, weight + half, plus - radius, OPERATOR),
        (middle, plus + radius, phi - half, OPERATOR),
        (middle, phi + half, state - wide, STATE),
        (plus_out, phi + tall, branch - radius, OPERATOR),
    ):
        _line(axes, [(start, y), (end, y)], colour)
    _dot(axes, branch, middle, STATE)

    _box(axes, previous, middle, _bold("H", "t-1"), STATE)
    _box(axes, state, middle, _bold("H", "t"), STATE)
    _box(axes, plus, below, _bold("X", "t"), INPUT)
    _box(axes, branch, above, _bold("O", "t"), OUTPUT)
    for x, y, name in ((weight, middle, "hh"), (plus, product, "xh"), (branch, product_out, "hq")):
        _box(axes, x, y, r"$\times\,$" + _bold("W", name), OPERATOR, operator)
    for x, y, name in ((plus, bias, "h"), (phi, plus_out, "q")):
        _box(axes, x, y, _bold("b", name), OPERATOR, BOX_HEIGHT)
    _box(axes, phi, middle, r"$\phi=\tanh$", OPERATOR, operator)
    _node(axes, plus, middle, "$+$", radius)
    _node(axes, branch, plus_out, "$+$", radius)
    return figure


def draw_gru_cell() -> Figure:
    """Draw one step of a gated recurrent unit from the inside, without its biases.

    It agrees with ``R_t = sigmoid(X_t W_xr + H_{t-1} W_hr)``, ``Z_t`` likewise, the candidate
    ``tanh(X_t W_xh + R_t * (H_{t-1} W_hh))`` and ``H_t = Z_t * H_{t-1} + (1 - Z_t) * candidate``,
    the unit of Cho et al. (2014) in the form of PyTorch and cuDNN: the reset after the product.
    """
    outer, reset, fresh, update, mix, total = 0.46, 1.32, 2.54, 3.76, 4.95, 5.5  # columns
    below, product, lower, gates, above, through, top = 0.35, 1.05, 1.75, 2.85, 3.75, 4.5, 5.25
    operator, small, radius, gap = 0.9, 0.44, 0.19, 0.07
    tall, wide = BOX_HEIGHT / 2, BOX_WIDTH / 2
    figure, axes = _canvas(total + outer, top + below)

    for x, y in ((reset, gates), (fresh, lower), (update, gates)):
        _line(axes, [(x, below), (x, product - tall)], INPUT)
        if x == update:  # the candidate passes through this gap
            _line(axes, [(x, product + tall), (x, lower - gap)], OPERATOR, head=False)
            _line(axes, [(x, lower + gap), (x, y - radius)], OPERATOR)
        else:
            _line(axes, [(x, product + tall), (x, y - radius)], OPERATOR)
        _line(axes, [(x, through), (x, above + tall)], STATE)
        _line(axes, [(x, above - tall), (x, gates + radius)], OPERATOR)
    _line(axes, [(outer + wide, below), (update, below)], INPUT, head=False)
    _line(axes, [(outer + wide, through), (mix - radius, through)], STATE)
    sigma = {reset: (reset + fresh) / 2, update: update + 0.6}
    tanh = (fresh + update) / 2 + 0.05
    for y, start, end, head in (
        (gates, reset + radius, sigma[reset] - small / 2, True),
        (gates, sigma[reset] + small / 2, fresh - radius, True),
        (gates, update + radius, sigma[update] - small / 2, True),
        (gates, sigma[update] + small / 2, mix, False),
        (lower, fresh + radius, tanh - 0.31, True),
        (lower, tanh + 0.31, mix - radius, True),
        (through, mix + radius, total - radius, True),
    ):
        _line(axes, [(start, y), (end, y)], OPERATOR, head=head)
    for x, start, end in (
        (fresh, gates - radius, lower + radius),
        (mix, gates, through - radius),
        (mix, gates, 2.4 + tall),
        (mix, 2.4 - tall, lower + radius),
    ):
        _line(axes, [(x, start), (x, end)], OPERATOR)
    _line(axes, [(mix + radius, lower), (total, lower), (total, through - radius)], OPERATOR)
    _line(axes, [(total, through + radius), (total, top - tall)], STATE)
    for x in (reset, fresh, update):
        _dot(axes, x, through, STATE)
        _dot(axes, x, below, INPUT)
    _dot(axes, mix, gates, OPERATOR)

    _box(axes, outer, through, _bold("H", "t-1"), STATE)
    _box(axes, total, top, _bold("H", "t"), STATE)
    _box(axes, outer, below, _bold("X", "t"), INPUT)
    for x, name in ((reset, "r"), (fresh, "h"), (update, "z")):
        _box(axes, x, product, r"$\times\,$" + _bold("W", "x" + name), OPERATOR, operator)
        _box(axes, x, above, r"$\times\,$" + _bold("W", "h" + name), OPERATOR, operator)
    for column, letter, note in ((reset, "R", "reset"), (update, "Z", "update")):
        _node(axes, column, gates, "$+$", radius)
        _box(axes, sigma[column], gates, r"$\sigma$", OPERATOR, small)
        _label(axes, sigma[column], gates + 0.39, _bold(letter, "t"))
        _label(axes, sigma[column], gates - 0.39, note, NOTE_SIZE)
    _box(axes, mix, 2.4, r"$1-$", OPERATOR, small)
    _box(axes, tanh, lower, r"$\tanh$", OPERATOR, 0.62)
    _label(axes, tanh, lower + 0.44, r"$\tilde{\mathbf{H}}_{t}$")
    for x, y, text in (
        (fresh, gates, r"$\odot$"),
        (fresh, lower, "$+$"),
        (mix, lower, r"$\odot$"),
        (mix, through, r"$\odot$"),
        (total, through, "$+$"),
    ):
        _node(axes, x, y, text, radius)
    return figure


def draw_lstm_cell() -> Figure:
    """Draw one step of long short-term memory from the inside, its four products fused in one.

    The sum is one matrix of four blocks of columns, and each activation reads its own. It agrees
    with ``[i f c o] = X_t W_x + H_{t-1} W_h + b``, ``C_t = F_t * C_{t-1} + I_t * candidate``
    and ``H_t = O_t * tanh(C_t)``, where the three gates are sigmoids of i, f and o and the
    candidate is tanh of c (Hochreiter and Schmidhuber, 1997; Gers et al., 2000).
    """
    outer, forget, entry, fresh, branch, output, right = 0.46, 1.15, 2.25, 3.32, 4.08, 4.8, 5.5
    below, product, summed, blocks, gates, meet, memory = 0.35, 1.05, 1.75, 2.5, 3.25, 4.25, 5.05
    operator, small, tanh, radius = 0.9, 0.44, 0.62, 0.19
    tall, wide = BOX_HEIGHT / 2, BOX_WIDTH / 2
    figure, axes = _canvas(right + outer, memory + below)
    weight, bias = (outer + wide + entry - radius) / 2, entry + 0.9

    _line(axes, [(entry, below + tall), (entry, product - tall)], INPUT)
    _line(axes, [(entry, product + tall), (entry, summed - radius)], OPERATOR)
    _line(axes, [(outer + wide, summed), (weight - operator / 2, summed)], STATE)
    _line(axes, [(weight + operator / 2, summed), (entry - radius, summed)], OPERATOR)
    _line(axes, [(bias - tall, summed), (entry + radius, summed)], OPERATOR)
    _line(axes, [(entry, summed + radius), (entry, blocks - tall)], OPERATOR)
    columns = (forget, entry, fresh, output)
    left, end = forget - 0.45, output + 0.45
    _box(axes, (left + end) / 2, blocks, "", OPERATOR, end - left)
    for x, following in itertools.pairwise(columns):
        border = (x + following) / 2
        cut = [(border, blocks - tall), (border, blocks + tall)]
        _line(axes, cut, OPERATOR, head=False, over=True)
    for x, name in zip(columns, "fico", strict=True):
        _label(axes, x, blocks, f"${name}$")
        _line(axes, [(x, blocks + tall), (x, gates - tall)], OPERATOR)

    _line(axes, [(forget, gates + tall), (forget, memory - radius)], OPERATOR)
    _line(axes, [(entry, gates + tall), (entry, meet), (fresh - radius, meet)], OPERATOR)
    for x in (fresh, output):
        _line(axes, [(x, gates + tall), (x, meet - radius)], OPERATOR)
    _line(axes, [(fresh, meet + radius), (fresh, memory - radius)], OPERATOR)
    _line(axes, [(branch, memory), (branch, meet + tall)], STATE)
    _line(axes, [(branch + tanh / 2, meet), (output - radius, meet)], OPERATOR)
    for y, start, end in (
        (memory, outer + wide, forget - radius),
        (memory, forget + radius, fresh - radius),
        (memory, fresh + radius, right - wide),
        (meet, output + radius, right - wide),
    ):
        _line(axes, [(start, y), (end, y)], STATE)
    _dot(axes, branch, memory, STATE)

    for x, y, letter, index, colour in (
        (outer, memory, "C", "t-1", STATE),
        (right, memory, "C", "t", STATE),
        (outer, summed, "H", "t-1", STATE),
        (right, meet, "H", "t", STATE),
        (entry, below, "X", "t", INPUT),
    ):
        _box(axes, x, y, _bold(letter, index), colour)
    for x, y, name in ((weight, summed, "h"), (entry, product, "x")):
        _box(axes, x, y, r"$\times\,$" + _bold("W", name), OPERATOR, operator)
    _box(axes, bias, summed, _bold("b"), OPERATOR, BOX_HEIGHT)
    for x, width, letter, note in (
        (forget, small, "F", "forget"),
        (entry, small, "I", "input"),
        (fresh, tanh, r"\tilde{C}", "candidate"),
        (output, small, "O", "output"),
    ):
        _box(axes, x, gates, r"$\tanh$" if x == fresh else r"$\sigma$", OPERATOR, width)
        _label(axes, x + width / 2 + 0.06, gates, note, NOTE_SIZE, "left")
        _label(axes, x + 0.09, gates + 0.52, _bold(letter, "t"), align="left")
    _box(axes, branch, meet, r"$\tanh$", OPERATOR, tanh)
    for x, y, text in (
        (entry, summed, "$+$"),
        (forget, memory, r"$\odot$"),
        (fresh, meet, r"$\odot$"),
        (fresh, memory, "$+$"),
        (output, meet, r"$\odot$"),
    ):
        _node(axes, x, y, text, radius)
    return figure


def draw_shifted(text: str = "ferry ") -> Figure:
    """Draw a character language model at work: characters in, the same one step later to predict.

    A column for each character but the last, which is a target only. Its state has read the
    characters so far, its output scores all symbols, and the loss compares the scores with the
    character that comes next. A space is drawn as an open box.

    Parameters
    ----------
    text
        At least two characters; each makes the figure 0.86 inches wider.

    Raises
    ------
    ValueError
        If the text has fewer than two characters.
    """
    if len(text) < 2:
        raise ValueError(f"text is {text!r}: its characters need a next one; pass 2 or more")
    pitch, box, length, name_width, tall = 0.86, 0.56, 0.3, 0.95, BOX_HEIGHT / 2
    first, bottom = name_width + length + box / 2, MARGIN + tall
    steps = len(text) - 1
    width = first + (steps - 1) * pitch + box / 2 + length + MARGIN
    level = [bottom + 0.86 * row for row in range(4)]
    figure, axes = _canvas(width, level[-1] + bottom)
    for y, name in zip(level, ("inputs", "states", "outputs", "targets"), strict=True):
        _label(axes, MARGIN, y, name, NOTE_SIZE, "left")
    shown = text.replace(" ", "\N{OPEN BOX}")
    for step in range(steps):
        x, index = first + step * pitch, str(step + 1)
        if step == 0:
            _line(axes, [(x - box / 2 - length, level[1]), (x - box / 2, level[1])], STATE)
        end = length if step == steps - 1 else pitch - box
        _line(axes, [(x + box / 2, level[1]), (x + box / 2 + end, level[1])], STATE)
        for row, (symbol, colour) in enumerate(
            (
                (shown[step], INPUT),
                (_bold("H", index), STATE),
                (_bold("O", index), OUTPUT),
                (shown[step + 1], INPUT),
            )
        ):
            _box(axes, x, level[row], symbol, colour, box)
        _line(axes, [(x, level[0] + tall), (x, level[1] - tall)], INPUT)
        _line(axes, [(x, level[1] + tall), (x, level[2] - tall)], OUTPUT)
        _line(axes, [(x, level[2] + tall), (x, level[3] - tall)], OPERATOR, head=False)
    return figure


def draw_truncated(num_windows: int = 3, window: int = 3) -> Figure:
    """Draw truncated back-propagation through time: states run on, gradients stop at borders.

    The states of all windows form one chain, each computed from the one before it.  Gradients
    (dashed) run back inside a window only: ``detach`` cuts the first state of a window from the
    last state of the window before (Williams and Peng, 1990, "An efficient gradient-based
    algorithm for on-line training of recurrent network trajectories").

    Parameters
    ----------
    num_windows
        Number of windows, at least 1.
    window
        Number of time steps in each window, at least 1.

    Raises
    ------
    TypeError, ValueError
        If an argument is not an integer, or is less than 1.
    """
    check_positive_int(num_windows=num_windows, window=window)
    box, pitch, gap, offset = 0.38, 0.58, 0.22, 0.08
    span = max((window - 1) * pitch + box + 0.16, 1.1)
    content = num_windows * (span + gap) - gap
    width = max(content + 2 * MARGIN, 3.5)
    legend, cut, bottom, below, row, top = 0.25, 0.66, 0.86, 1.1, 1.6, 2.3
    figure, axes = _canvas(width, top + MARGIN)

    lefts = [(width - content) / 2 + k * (span + gap) for k in range(num_windows)]
    centres = [
        left + span / 2 + (i - (window - 1) / 2) * pitch for left in lefts for i in range(window)
    ]
    for k, left in enumerate(lefts):
        _frame(axes, left, bottom, left + span, top, f"window {k + 1}")
    for step, x in enumerate(centres):
        _box(axes, x, row, _bold("H", str(step + 1)), STATE, box)
        if step == 0:
            continue
        _line(axes, [(centres[step - 1] + box / 2, row), (x - box / 2, row)], STATE)
        under = row - BOX_HEIGHT / 2
        back = [(x - offset, under), (x - offset, below)]
        if step % window:
            before = centres[step - 1] + offset
            _line(axes, [*back, (before, below), (before, under)], GRADIENT, dashed=True)
        else:
            border = lefts[step // window] - gap / 2
            _line(axes, [*back, (border, below)], GRADIENT, dashed=True)
            _line(axes, [(border, bottom), (border, row - 0.2)], OPERATOR, head=False)
            _label(axes, border, cut, "detach", NOTE_SIZE)
    for shift, colour, name in ((-1.56, STATE, "states"), (0.14, GRADIENT, "gradients")):
        x = width / 2 + shift
        _line(axes, [(x, legend), (x + 0.5, legend)], colour, dashed=colour is GRADIENT)
        _label(axes, x + 0.6, legend, name, NOTE_SIZE, "left")
    return figure


def _steps(num_steps: int) -> list[str]:
    """The indices of the columns: around t for three of them, else counted from 1."""
    return ["t-1", "t", "t+1"] if num_steps == 3 else [str(i + 1) for i in range(num_steps)]


def draw_deep(num_layers: int = 3, num_steps: int = 3) -> Figure:
    """Draw a deep recurrent network: a row for each layer, a column for each step.

    Each state goes up to the next layer and right to the next step; outputs come from the last
    layer alone: ``H^(l)_t = phi_l(H^(l-1)_t W_xh + H^(l)_{t-1} W_hh + b_h)`` with ``H^(0) = X``.

    Parameters
    ----------
    num_layers, num_steps
        Rows and columns, at least 1.  Three columns carry the indices t-1, t, t+1; any other
        number carries 1 to ``num_steps``.

    Raises
    ------
    TypeError, ValueError
        If one of them is not an integer, or is less than 1.
    """
    check_positive_int(num_layers=num_layers, num_steps=num_steps)
    name_width, length, wide = 0.95, 0.5, BOX_WIDTH / 2
    first, bottom = name_width + length + wide, MARGIN + BOX_HEIGHT / 2
    width = first + (num_steps - 1) * COLUMN + wide + length + MARGIN
    figure, axes = _canvas(width, 2 * bottom + (num_layers + 1) * ROW)
    rows = ["inputs", *(f"layer {layer + 1}" for layer in range(num_layers)), "outputs"]
    for row, name in enumerate(rows):
        _label(axes, MARGIN, bottom + row * ROW, name, NOTE_SIZE, "left")
    for column, index in enumerate(_steps(num_steps)):
        x = first + column * COLUMN
        for row in range(num_layers + 2):
            y = bottom + row * ROW
            colour = INPUT if row == 0 else OUTPUT if row > num_layers else STATE
            symbol = _bold("X" if row == 0 else "O", index)
            if colour is STATE:
                tight = index.replace("-", "{-}").replace("+", "{+}")
                symbol = rf"$\mathbf{{H}}^{{({row})}}_{{{tight}}}$"
                if column == 0:
                    _line(axes, [(x - wide - length, y), (x - wide, y)], STATE)
                end = length if column == num_steps - 1 else COLUMN - BOX_WIDTH
                _line(axes, [(x + wide, y), (x + wide + end, y)], STATE)
            _box(axes, x, y, symbol, colour)
            if row:
                below = INPUT if row == 1 else OUTPUT if row > num_layers else STATE
                edge = BOX_HEIGHT / 2
                _line(axes, [(x, y - ROW + edge), (x, y - edge)], below)
    return figure


def draw_bidirectional(num_steps: int = 3) -> Figure:
    """Draw a bidirectional recurrent network: two chains of states over the same inputs.

    The forward states go from left to right, the backward states from right to left; at each step
    the two are put side by side (Schuster and Paliwal, 1997).

    Parameters
    ----------
    num_steps
        Number of columns, at least 1.  Three columns carry the indices t-1, t, t+1; any other
        number carries 1 to ``num_steps``.

    Raises
    ------
    TypeError, ValueError
        If ``num_steps`` is not an integer, or is less than 1.
    """
    check_positive_int(num_steps=num_steps)
    shift, pitch, length, wide, tall = 0.26, 1.48, 0.35, BOX_WIDTH / 2, BOX_HEIGHT / 2
    name_width, bottom = 1.05, MARGIN + tall
    first = name_width + length + wide + shift
    width = first + (num_steps - 1) * pitch + shift + wide + length + MARGIN
    figure, axes = _canvas(width, 2 * bottom + 4 * ROW)
    level = [bottom + row * ROW for row in range(5)]
    for y, name in zip(
        level, ("inputs", "forward", "backward", "together", "outputs"), strict=True
    ):
        _label(axes, MARGIN, y, name, NOTE_SIZE, "left")
    for column, index in enumerate(_steps(num_steps)):
        x = first + column * pitch
        tight = index.replace("-", "{-}").replace("+", "{+}")
        arrows = [
            rf"$\overset{{\{way}arrow}}{{\mathbf{{H}}}}_{{{tight}}}$" for way in ("right", "left")
        ]
        _line(axes, [(x - shift, level[0] + tall), (x - shift, level[1] - tall)], INPUT)
        _line(axes, [(x + shift, level[0] + tall), (x + shift, level[2] - tall)], INPUT)
        _line(axes, [(x - shift, level[1] + tall), (x - shift, level[3] - tall)], STATE)
        _line(axes, [(x + shift, level[2] + tall), (x + shift, level[3] - tall)], GRADIENT)
        _line(axes, [(x, level[3] + tall), (x, level[4] - tall)], OUTPUT)
        start, end = x - shift - wide, x - shift + wide  # of the forward box
        if column == 0:
            _line(axes, [(start - length, level[1]), (start, level[1])], STATE)
            _line(
                axes,
                [(start + 2 * shift, level[2]), (start + 2 * shift - length, level[2])],
                GRADIENT,
            )
        last = column == num_steps - 1
        to = end + (length if last else pitch - BOX_WIDTH)
        _line(axes, [(end, level[1]), (to, level[1])], STATE)
        _line(axes, [(to + 2 * shift, level[2]), (end + 2 * shift, level[2])], GRADIENT)
        _box(axes, x, level[0], _bold("X", index), INPUT, BOX_WIDTH + 0.3)
        _box(axes, x - shift, level[1], arrows[0], STATE)
        _box(axes, x + shift, level[2], arrows[1], GRADIENT)
        _box(axes, x, level[3], _bold("H", index), OPERATOR, BOX_WIDTH + 0.3)
        _box(axes, x, level[4], _bold("O", index), OUTPUT)
    return figure
