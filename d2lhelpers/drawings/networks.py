"""Networks as wholes: without a state, unrolled in time, deep, in both directions."""

from matplotlib.figure import Figure

from d2lhelpers.checks import check_positive_int
from d2lhelpers.drawings.primitives import (
    BOX_HEIGHT,
    BOX_WIDTH,
    COLUMN,
    GRADIENT,
    INPUT,
    MARGIN,
    NOTE_SIZE,
    OPERATOR,
    OUTPUT,
    ROW,
    STATE,
    add_box,
    add_column,
    add_label,
    add_line,
    bold,
    new_canvas,
    step_indices,
    tight,
)


def draw_feedforward() -> Figure:
    """Draw a network without a hidden state, as one column: input, hidden layer, output.

    It agrees with ``H = phi(X W_xh + b_h)`` and ``O = H W_hq + b_q``, and looks like one column
    of :func:`draw_unrolled`, so that the recurrent edge is all that differs.
    """
    x, bottom = MARGIN + BOX_WIDTH / 2, MARGIN + BOX_HEIGHT / 2
    figure, axes = new_canvas(2.1, 2 * bottom + 2 * ROW)
    add_column(axes, x, bottom)
    for row, name in enumerate(("input", "hidden layer", "output")):
        add_label(axes, x + BOX_WIDTH / 2 + 0.1, bottom + row * ROW, name, NOTE_SIZE, "left")
    return figure


def draw_unrolled(num_steps: int = 3) -> Figure:
    """Draw a recurrent network unrolled in time: one column a step, states joined left to right.

    Each weight is named once and its edges share one colour, because every step uses the same
    weights: ``H_t = phi(X_t W_xh + H_{t-1} W_hh + b_h)``, ``O_t = H_t W_hq + b_q`` (Elman, 1990,
    "Finding structure in time").

    Args:
        num_steps: number of columns, at least 1. Three columns carry the general indices t-1, t,
            t+1; any other number carries 1 to ``num_steps``. Each step makes the figure 1.26 inches
            wider.

    Raises:
        TypeError, ValueError: if ``num_steps`` is not an integer, or is less than 1.
    """
    check_positive_int(num_steps=num_steps)
    indices = [str(step) for step in range(num_steps + 1)]
    if num_steps == 3:
        indices = ["t-2", "t-1", "t", "t+1"]
    first, bottom = MARGIN + BOX_WIDTH / 2, MARGIN + 0.4 + BOX_HEIGHT / 2
    length = COLUMN - BOX_WIDTH
    width = 2 * first + num_steps * COLUMN + length
    figure, axes = new_canvas(width, bottom + 2 * ROW + BOX_HEIGHT / 2 + MARGIN)
    state_row = bottom + ROW
    add_box(axes, first, state_row, bold("H", indices[0]), STATE)
    for step, index in enumerate(indices):
        x = first + step * COLUMN
        if step:
            add_column(axes, x, bottom, index, named=step == 1)
        edge = x + BOX_WIDTH / 2
        add_line(axes, [(edge, state_row), (edge + length, state_row)], STATE)
    add_label(axes, first + COLUMN / 2, state_row + 0.2, bold("W", "hh"))
    for row, name in ((0, "inputs"), (2, "outputs")):
        add_label(axes, first, bottom + row * ROW, name, NOTE_SIZE)
    add_label(axes, first, state_row - 0.42, "states", NOTE_SIZE)
    if num_steps > 1:
        note = "same colour, same weights at every step"
        add_label(axes, width / 2, MARGIN + 0.1, note, NOTE_SIZE)
    return figure


def draw_deep(num_layers: int = 3, num_steps: int = 3) -> Figure:
    """Draw a deep recurrent network: a row for each layer, a column for each step.

    Each state goes up to the next layer and right to the next step; outputs come from the last
    layer alone: ``H^(l)_t = phi_l(H^(l-1)_t W_xh + H^(l)_{t-1} W_hh + b_h)`` with ``H^(0) = X``.

    Args:
        num_layers: number of rows, at least 1.
        num_steps: number of columns, at least 1. Three columns carry the indices t-1, t, t+1; any
            other number carries 1 to ``num_steps``.

    Raises:
        TypeError, ValueError: if one of them is not an integer, or is less than 1.
    """
    check_positive_int(num_layers=num_layers, num_steps=num_steps)
    name_width, length, wide = 0.95, 0.5, BOX_WIDTH / 2
    first, bottom = name_width + length + wide, MARGIN + BOX_HEIGHT / 2
    width = first + (num_steps - 1) * COLUMN + wide + length + MARGIN
    figure, axes = new_canvas(width, 2 * bottom + (num_layers + 1) * ROW)
    rows = ["inputs", *(f"layer {layer + 1}" for layer in range(num_layers)), "outputs"]
    for row, name in enumerate(rows):
        add_label(axes, MARGIN, bottom + row * ROW, name, NOTE_SIZE, "left")
    for column, index in enumerate(step_indices(num_steps)):
        x = first + column * COLUMN
        for row in range(num_layers + 2):
            y = bottom + row * ROW
            colour = INPUT if row == 0 else OUTPUT if row > num_layers else STATE
            symbol = bold("X" if row == 0 else "O", index)
            if colour is STATE:
                symbol = rf"$\mathbf{{H}}^{{({row})}}_{{{tight(index)}}}$"
                if column == 0:
                    add_line(axes, [(x - wide - length, y), (x - wide, y)], STATE)
                end = length if column == num_steps - 1 else COLUMN - BOX_WIDTH
                add_line(axes, [(x + wide, y), (x + wide + end, y)], STATE)
            add_box(axes, x, y, symbol, colour)
            if row:
                below = INPUT if row == 1 else OUTPUT if row > num_layers else STATE
                edge = BOX_HEIGHT / 2
                add_line(axes, [(x, y - ROW + edge), (x, y - edge)], below)
    return figure


def draw_bidirectional(num_steps: int = 3) -> Figure:
    """Draw a bidirectional recurrent network: two chains of states over the same inputs.

    The forward states go from left to right, the backward states from right to left; at each step
    the two are put side by side (Schuster and Paliwal, 1997).

    Args:
        num_steps: number of columns, at least 1. Three columns carry the indices t-1, t, t+1; any
            other number carries 1 to ``num_steps``.

    Raises:
        TypeError, ValueError: if ``num_steps`` is not an integer, or is less than 1.
    """
    check_positive_int(num_steps=num_steps)
    shift, pitch, length, wide, tall = 0.26, 1.48, 0.35, BOX_WIDTH / 2, BOX_HEIGHT / 2
    name_width, bottom = 1.05, MARGIN + tall
    first = name_width + length + wide + shift
    width = first + (num_steps - 1) * pitch + shift + wide + length + MARGIN
    figure, axes = new_canvas(width, 2 * bottom + 4 * ROW)
    level = [bottom + row * ROW for row in range(5)]
    for y, name in zip(
        level, ("inputs", "forward", "backward", "together", "outputs"), strict=True
    ):
        add_label(axes, MARGIN, y, name, NOTE_SIZE, "left")
    for column, index in enumerate(step_indices(num_steps)):
        x = first + column * pitch
        arrows = [
            rf"$\overset{{\{way}arrow}}{{\mathbf{{H}}}}_{{{tight(index)}}}$"
            for way in ("right", "left")
        ]
        add_line(axes, [(x - shift, level[0] + tall), (x - shift, level[1] - tall)], INPUT)
        add_line(axes, [(x + shift, level[0] + tall), (x + shift, level[2] - tall)], INPUT)
        add_line(axes, [(x - shift, level[1] + tall), (x - shift, level[3] - tall)], STATE)
        add_line(axes, [(x + shift, level[2] + tall), (x + shift, level[3] - tall)], GRADIENT)
        add_line(axes, [(x, level[3] + tall), (x, level[4] - tall)], OUTPUT)
        start, end = x - shift - wide, x - shift + wide  # of the forward box
        if column == 0:
            add_line(axes, [(start - length, level[1]), (start, level[1])], STATE)
            add_line(
                axes,
                [(start + 2 * shift, level[2]), (start + 2 * shift - length, level[2])],
                GRADIENT,
            )
        last = column == num_steps - 1
        to = end + (length if last else pitch - BOX_WIDTH)
        add_line(axes, [(end, level[1]), (to, level[1])], STATE)
        add_line(axes, [(to + 2 * shift, level[2]), (end + 2 * shift, level[2])], GRADIENT)
        add_box(axes, x, level[0], bold("X", index), INPUT, BOX_WIDTH + 0.3)
        add_box(axes, x - shift, level[1], arrows[0], STATE)
        add_box(axes, x + shift, level[2], arrows[1], GRADIENT)
        add_box(axes, x, level[3], bold("H", index), OPERATOR, BOX_WIDTH + 0.3)
        add_box(axes, x, level[4], bold("O", index), OUTPUT)
    return figure
