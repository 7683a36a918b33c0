"""One step of a recurrent layer from the inside: the plain one, the GRU, the LSTM."""

import itertools

from matplotlib.figure import Figure

from d2lhelpers.drawings.primitives import (
    BOX_HEIGHT,
    BOX_WIDTH,
    INPUT,
    NOTE_SIZE,
    OPERATOR,
    OUTPUT,
    STATE,
    add_box,
    add_dot,
    add_frame,
    add_label,
    add_line,
    add_node,
    bold,
    new_canvas,
)


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
    figure, axes = new_canvas(state + previous, above + below)
    add_frame(axes, 0.98, 0.86, 4.61, 3.25, "hidden layer")
    add_frame(axes, 0.98, 3.37, 4.61, 4.74, "output layer")

    for x, start, end, colour in (
        (plus, below + tall, product - tall, INPUT),
        (plus, product + tall, middle - radius, OPERATOR),
        (plus, bias - tall, middle + radius, OPERATOR),
        (branch, middle, product_out - tall, STATE),
        (branch, product_out + tall, plus_out - radius, OPERATOR),
        (branch, plus_out + radius, above - tall, OUTPUT),
    ):
        add_line(axes, [(x, start), (x, end)], colour)
    for y, start, end, colour in (
        (middle, previous + wide, weight - half, STATE),
        (middle, weight + half, plus - radius, OPERATOR),
        (middle, plus + radius, phi - half, OPERATOR),
        (middle, phi + half, state - wide, STATE),
        (plus_out, phi + tall, branch - radius, OPERATOR),
    ):
        add_line(axes, [(start, y), (end, y)], colour)
    add_dot(axes, branch, middle, STATE)

    add_box(axes, previous, middle, bold("H", "t-1"), STATE)
    add_box(axes, state, middle, bold("H", "t"), STATE)
    add_box(axes, plus, below, bold("X", "t"), INPUT)
    add_box(axes, branch, above, bold("O", "t"), OUTPUT)
    for x, y, name in ((weight, middle, "hh"), (plus, product, "xh"), (branch, product_out, "hq")):
        add_box(axes, x, y, r"$\times\,$" + bold("W", name), OPERATOR, operator)
    for x, y, name in ((plus, bias, "h"), (phi, plus_out, "q")):
        add_box(axes, x, y, bold("b", name), OPERATOR, BOX_HEIGHT)
    add_box(axes, phi, middle, r"$\phi=\tanh$", OPERATOR, operator)
    add_node(axes, plus, middle, "$+$", radius)
    add_node(axes, branch, plus_out, "$+$", radius)
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
    figure, axes = new_canvas(total + outer, top + below)

    for x, y in ((reset, gates), (fresh, lower), (update, gates)):
        add_line(axes, [(x, below), (x, product - tall)], INPUT)
        if x == update:  # the candidate passes through this gap
            add_line(axes, [(x, product + tall), (x, lower - gap)], OPERATOR, head=False)
            add_line(axes, [(x, lower + gap), (x, y - radius)], OPERATOR)
        else:
            add_line(axes, [(x, product + tall), (x, y - radius)], OPERATOR)
        add_line(axes, [(x, through), (x, above + tall)], STATE)
        add_line(axes, [(x, above - tall), (x, gates + radius)], OPERATOR)
    add_line(axes, [(outer + wide, below), (update, below)], INPUT, head=False)
    add_line(axes, [(outer + wide, through), (mix - radius, through)], STATE)
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
        add_line(axes, [(start, y), (end, y)], OPERATOR, head=head)
    for x, start, end in (
        (fresh, gates - radius, lower + radius),
        (mix, gates, through - radius),
        (mix, gates, 2.4 + tall),
        (mix, 2.4 - tall, lower + radius),
    ):
        add_line(axes, [(x, start), (x, end)], OPERATOR)
    add_line(axes, [(mix + radius, lower), (total, lower), (total, through - radius)], OPERATOR)
    add_line(axes, [(total, through + radius), (total, top - tall)], STATE)
    for x in (reset, fresh, update):
        add_dot(axes, x, through, STATE)
        add_dot(axes, x, below, INPUT)
    add_dot(axes, mix, gates, OPERATOR)

    add_box(axes, outer, through, bold("H", "t-1"), STATE)
    add_box(axes, total, top, bold("H", "t"), STATE)
    add_box(axes, outer, below, bold("X", "t"), INPUT)
    for x, name in ((reset, "r"), (fresh, "h"), (update, "z")):
        add_box(axes, x, product, r"$\times\,$" + bold("W", "x" + name), OPERATOR, operator)
        add_box(axes, x, above, r"$\times\,$" + bold("W", "h" + name), OPERATOR, operator)
    for column, letter, note in ((reset, "R", "reset"), (update, "Z", "update")):
        add_node(axes, column, gates, "$+$", radius)
        add_box(axes, sigma[column], gates, r"$\sigma$", OPERATOR, small)
        add_label(axes, sigma[column], gates + 0.39, bold(letter, "t"))
        add_label(axes, sigma[column], gates - 0.39, note, NOTE_SIZE)
    add_box(axes, mix, 2.4, r"$1-$", OPERATOR, small)
    add_box(axes, tanh, lower, r"$\tanh$", OPERATOR, 0.62)
    add_label(axes, tanh, lower + 0.44, r"$\tilde{\mathbf{H}}_{t}$")
    for x, y, text in (
        (fresh, gates, r"$\odot$"),
        (fresh, lower, "$+$"),
        (mix, lower, r"$\odot$"),
        (mix, through, r"$\odot$"),
        (total, through, "$+$"),
    ):
        add_node(axes, x, y, text, radius)
    return figure


def draw_lstm_cell() -> Figure:
    """Draw one step of long short-term memory from the inside, its four products fused in one.

    The sum is one matrix of four blocks of columns, and each activation reads its own. It agrees
    with ``[i f c o] = X_t W_x + H_{t-1} W_h + b``, ``C_t = F_t * C_{t-1} + I_t * candidate``
    and ``H_t = O_t * tanh(C_t)``, where the three gates are sigmoids of i, f and o and the
    candidate is tanh of c (Hochreiter and Schmidhuber, 1997; Gers et al., 2000).
    """
    outer, forget, entry, fresh, branch, output, right = 0.46, 1.13, 2.22, 3.3, 4.08, 4.83, 5.53
    below, product, summed, blocks, gates, meet, memory = 0.35, 1.05, 1.75, 2.5, 3.25, 4.25, 5.05
    operator, small, tanh, radius = 0.9, 0.44, 0.62, 0.19
    tall, wide = BOX_HEIGHT / 2, BOX_WIDTH / 2
    figure, axes = new_canvas(right + outer, memory + below)
    weight, bias = (outer + wide + entry - radius) / 2, entry + 0.9

    add_line(axes, [(entry, below + tall), (entry, product - tall)], INPUT)
    add_line(axes, [(entry, product + tall), (entry, summed - radius)], OPERATOR)
    add_line(axes, [(outer + wide, summed), (weight - operator / 2, summed)], STATE)
    add_line(axes, [(weight + operator / 2, summed), (entry - radius, summed)], OPERATOR)
    add_line(axes, [(bias - tall, summed), (entry + radius, summed)], OPERATOR)
    add_line(axes, [(entry, summed + radius), (entry, blocks - tall)], OPERATOR)
    columns = (forget, entry, fresh, output)
    left, end = forget - 0.45, output + 0.45
    add_box(axes, (left + end) / 2, blocks, "", OPERATOR, end - left)
    for x, following in itertools.pairwise(columns):
        border = (x + following) / 2
        cut = [(border, blocks - tall), (border, blocks + tall)]
        add_line(axes, cut, OPERATOR, head=False, over=True)
    for x, name in zip(columns, "fico", strict=True):
        add_label(axes, x, blocks, f"${name}$")
        add_line(axes, [(x, blocks + tall), (x, gates - tall)], OPERATOR)

    add_line(axes, [(forget, gates + tall), (forget, memory - radius)], OPERATOR)
    add_line(axes, [(entry, gates + tall), (entry, meet), (fresh - radius, meet)], OPERATOR)
    for x in (fresh, output):
        add_line(axes, [(x, gates + tall), (x, meet - radius)], OPERATOR)
    add_line(axes, [(fresh, meet + radius), (fresh, memory - radius)], OPERATOR)
    add_line(axes, [(branch, memory), (branch, meet + tall)], STATE)
    add_line(axes, [(branch + tanh / 2, meet), (output - radius, meet)], OPERATOR)
    for y, start, end in (
        (memory, outer + wide, forget - radius),
        (memory, forget + radius, fresh - radius),
        (memory, fresh + radius, right - wide),
        (meet, output + radius, right - wide),
    ):
        add_line(axes, [(start, y), (end, y)], STATE)
    add_dot(axes, branch, memory, STATE)

    for x, y, letter, index, colour in (
        (outer, memory, "C", "t-1", STATE),
        (right, memory, "C", "t", STATE),
        (outer, summed, "H", "t-1", STATE),
        (right, meet, "H", "t", STATE),
        (entry, below, "X", "t", INPUT),
    ):
        add_box(axes, x, y, bold(letter, index), colour)
    for x, y, name in ((weight, summed, "h"), (entry, product, "x")):
        add_box(axes, x, y, r"$\times\,$" + bold("W", name), OPERATOR, operator)
    add_box(axes, bias, summed, bold("b"), OPERATOR, BOX_HEIGHT)
    for x, width, letter, note in (
        (forget, small, "F", "forget"),
        (entry, small, "I", "input"),
        (fresh, tanh, r"\tilde{C}", "candidate"),
        (output, small, "O", "output"),
    ):
        add_box(axes, x, gates, r"$\tanh$" if x == fresh else r"$\sigma$", OPERATOR, width)
        add_label(axes, x + width / 2 + 0.03, gates, note, NOTE_SIZE, "left")
        add_label(axes, x + 0.09, gates + 0.52, bold(letter, "t"), align="left")
    add_box(axes, branch, meet, r"$\tanh$", OPERATOR, tanh)
    for x, y, text in (
        (entry, summed, "$+$"),
        (forget, memory, r"$\odot$"),
        (fresh, meet, r"$\odot$"),
        (fresh, memory, "$+$"),
        (output, meet, r"$\odot$"),
    ):
        add_node(axes, x, y, text, radius)
    return figure
