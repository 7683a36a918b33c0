"""Recurrent layers that a chapter builds and later chapters use.

Each stands here as its chapter shows it, with `products(inputs, W, b)` for `inputs @ W + b` and
`add_product(XW, H, W)` for `XW + H @ W`: a test holds the two to the same syntax tree. Those marked
with `reads_rows` take `Rows` as inputs, too.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from d2lhelpers.checks import (
    autocasts,
    check_inputs,
    check_own_weights,
    check_parts,
    check_positive_int,
    check_share,
    check_torch_state,
    check_type,
)
from d2lhelpers.model import State, layer_sizes
from d2lhelpers.rows import Rows, reads_rows

STEPS_AT_ONCE = 4


def products(inputs: Tensor | Rows, W: Tensor, b: Tensor) -> Iterator[Tensor]:
    """Go step by step through inputs @ W + b: from inputs (T, B, D), W (D, N), b (N), (B, N) each.

    The products do not wait for the state, so those of several steps are made at once; not those of
    all steps, for with a thousand windows they leave the cache before their turn comes. Where the
    inputs are rows of a table, it is the table that is multiplied.
    """
    if isinstance(inputs, Rows):
        table = inputs.table @ W + b  # (V, N)
        for some in inputs.tokens.split(STEPS_AT_ONCE):
            yield from F.embedding(some, table)
        return
    for some in inputs.split(STEPS_AT_ONCE):
        yield from some @ W + b


def add_product(XW: Tensor, H: Tensor, W: Tensor) -> Tensor:
    """Return XW + H @ W, from XW (B, N), H (B, H) and W (H, N), without H @ W in memory.

    Under autocast that would round XW, and the sum with it, to the type of the products.
    """
    return XW + H @ W if autocasts(XW) else torch.addmm(XW, H, W)


class RNN(nn.Module):
    """The simple recurrent layer (Elman 1990): H_t = tanh(X_t W_xh + H_{t-1} W_hh + b_h).

    Inputs (T, B, D), floats of the parameters' type, and a state (B, H), zero if None, give outputs
    (T, B, H) and the last state (B, H). Parameters start uniform in ±1/√H, as in `torch.nn.RNN`.

    Args:
        input_size: D.
        hidden_size: H.

    Raises:
        TypeError, ValueError: sizes that are no positive int; when called, inputs or a state of
            another shape or type.
    """

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        check_positive_int(input_size=input_size, hidden_size=hidden_size)
        self.input_size, self.hidden_size = input_size, hidden_size
        self.W_xh = nn.Parameter(torch.empty(input_size, hidden_size))
        self.W_hh = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.b_h = nn.Parameter(torch.empty(hidden_size))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden_size**-0.5), hidden_size**-0.5)

    @reads_rows
    def forward(self, inputs: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        check_inputs(self, inputs, state, self.W_xh)
        H = state
        if H is None:
            H = inputs.new_zeros(inputs.shape[1], self.hidden_size)
        outputs = []
        for XW in products(inputs, self.W_xh, self.b_h):  # (B, H) for each step
            H = torch.tanh(add_product(XW, H, self.W_hh))
            outputs.append(H)
        return torch.stack(outputs), H


class GRU(nn.Module):
    """Gated recurrent units (Cho et al. 2014), reset after the product as in `torch.nn.GRU`.

    R_t = sigmoid(X_t W_xr + H_{t-1} W_hr + b_r), Z_t likewise, and H_t = Z_t H_{t-1} +
    (1 - Z_t) tanh(X_t W_xh + R_t (H_{t-1} W_hh + b_hh) + b_h). The columns of `W_x` and `W_h` are
    those for R, for Z and for the candidate, the rows of `b` are b_r, b_z, b_h and b_hh.

    Args, inputs, outputs, state, start and errors as of `RNN`.
    """

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        check_positive_int(input_size=input_size, hidden_size=hidden_size)
        self.input_size, self.hidden_size = input_size, hidden_size
        n, a = 3 * hidden_size, hidden_size**-0.5
        self.W_x = nn.Parameter(torch.empty(input_size, n).uniform_(-a, a))
        self.W_h = nn.Parameter(torch.empty(hidden_size, n).uniform_(-a, a))
        self.b = nn.Parameter(torch.empty(4, hidden_size).uniform_(-a, a))

    def gates(self, r: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        return torch.sigmoid(r), torch.sigmoid(z)

    @reads_rows
    def forward(self, inputs: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        check_inputs(self, inputs, state, self.W_x)
        H = state
        if H is None:
            H = inputs.new_zeros(inputs.shape[1], self.hidden_size)
        outputs, b_hh = [], self.b[3]
        for XW in products(inputs, self.W_x, self.b[:3].flatten()):  # (B, 3H)
            X_r, X_z, X_h = XW.chunk(3, dim=1)  # (B, H) each
            H_r, H_z, H_h = (H @ self.W_h).chunk(3, dim=1)
            R, Z = self.gates(X_r + H_r, X_z + H_z)
            candidate = torch.tanh(X_h + R * (H_h + b_hh))
            H = torch.lerp(candidate, H, Z)  # (1 - Z) candidate + Z H
            outputs.append(H)
        return torch.stack(outputs), H


class LSTM(nn.Module):
    """Long short-term memory (Hochreiter & Schmidhuber 1997) with forget gate (Gers et al. 2000).

    With I_t = sigmoid(X_t W_xi + H_{t-1} W_hi + b_i), F_t and O_t likewise, the memory is
    C_t = F_t C_{t-1} + I_t tanh(X_t W_xc + H_{t-1} W_hc + b_c) and H_t = O_t tanh(C_t). The
    columns of `W_x` and `W_h` and the rows of `b` are those for I, F, the candidate and O, in the
    order of `torch.nn.LSTM`. The state is the pair (H, C), each (B, H).

    Args, inputs, outputs, start and errors as of `RNN`.
    """

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        check_positive_int(input_size=input_size, hidden_size=hidden_size)
        self.input_size, self.hidden_size = input_size, hidden_size
        D, H, a = input_size, hidden_size, hidden_size**-0.5
        self.W_x = nn.Parameter(torch.empty(D, 4 * H).uniform_(-a, a))
        self.W_h = nn.Parameter(torch.empty(H, 4 * H).uniform_(-a, a))
        self.b = nn.Parameter(torch.empty(4, H).uniform_(-a, a))

    def gates(self, i: Tensor, f: Tensor, o: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return torch.sigmoid(i), torch.sigmoid(f), torch.sigmoid(o)

    @reads_rows
    def forward(
        self, inputs: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        check_inputs(self, inputs, state, self.W_x, pair=True)
        if state is None:
            zeros = inputs.new_zeros(inputs.shape[1], self.hidden_size)
            state = zeros, zeros
        H, C = state  # (B, H) each
        outputs = []
        for XW in products(inputs, self.W_x, self.b.flatten()):  # (B, 4H)
            i, f, c, o = add_product(XW, H, self.W_h).chunk(4, dim=1)  # (B, H) each
            I_t, F_t, O_t = self.gates(i, f, o)
            C = F_t * C + I_t * torch.tanh(c)
            H = O_t * torch.tanh(C)
            outputs.append(H)
        return torch.stack(outputs), (H, C)


class WithDropout(nn.Module):
    """A layer with dropout on its inputs and its outputs (Zaremba, Sutskever & Vinyals 2014).

    In training each number of the inputs (T, B, D) and of the outputs (T, B, H) is set to zero with
    probability p, and the others are divided by 1 - p. What goes from step to step is not touched.

    Args:
        layer: a recurrent layer, ours or torch's; its state is that of the whole.
        p: in [0, 1).

    Raises:
        TypeError, ValueError: no recurrent layer, p out of range; when called, as the layer does.
    """

    def __init__(self, layer: nn.Module, p: float):
        super().__init__()
        check_share(p=p)
        self.layer, self.dropout = layer, nn.Dropout(p)
        self.input_size, self.hidden_size = layer_sizes(layer)

    def forward(self, inputs: Tensor, state: State = None) -> tuple[Tensor, State]:
        check_inputs(self, inputs)
        check_torch_state(self.layer, state, inputs.shape[1])
        outputs, state = self.layer(self.dropout(inputs), state)
        return self.dropout(outputs), state


class DeepRNN(nn.Module):
    """A stack of recurrent layers, ours or torch's: each reads the outputs of the one before.

    Layer l computes H^(l) from H^(l-1), with H^(0) the inputs (T, B, D); the outputs (T, B, H) are
    those of the last layer. The state is a tuple of the layers' states, or None.

    Args:
        layers: at least one, each with weights of its own, from the lowest to the highest.
        dropout: share of numbers, in [0, 1), that is set to zero between the layers in training, as
            in `torch.nn.LSTM(dropout=...)`.

    Raises:
        TypeError, ValueError: no layers, layers that share weights, one whose inputs are not the
            outputs of the one before; when called, inputs or states that do not fit.
    """

    def __init__(self, layers: Sequence[nn.Module], dropout: float = 0.0):
        super().__init__()
        check_stack(layers)
        check_share(dropout=dropout)
        self.layers = nn.ModuleList(layers)
        self.dropout = nn.Dropout(dropout)
        self.input_size = layer_sizes(layers[0])[0]
        self.hidden_size = layer_sizes(layers[-1])[1]

    @reads_rows
    def forward(self, inputs: Tensor, state: State = None) -> tuple[Tensor, State]:
        check_inputs(self, inputs)
        check_parts(state, self.layers, inputs.shape[1])
        H, states = inputs, []
        for i, layer in enumerate(self.layers):
            if i > 0:
                H = self.dropout(H)  # between layers, never along time
            H, new = layer(H, None if state is None else state[i])
            states.append(new)
        return H, tuple(states)


def check_stack(layers: Sequence[nn.Module]) -> None:
    """Raise `TypeError` or `ValueError` unless layers fit one on another and share no weights."""
    check_type((list, tuple, nn.ModuleList, nn.Sequential), "pass [RNN(8, 8)]", layers=layers)
    if not layers:
        raise ValueError("layers is empty: a stack needs at least one layer; pass [RNN(8, 8)]")
    sizes = [layer_sizes(layer) for layer in layers]
    for i, (below, above) in enumerate(itertools.pairwise(sizes)):
        if below[1] != above[0]:
            raise ValueError(
                f"layers[{i}] has {below[1]} outputs, layers[{i + 1}] takes {above[0]} inputs: "
                "make the two equal"
            )
    check_own_weights(**{f"layers[{i}]": layer for i, layer in enumerate(layers)})


class Bidirectional(nn.Module):
    """Two layers over the same inputs, one from left to right and one from right to left.

    Schuster & Paliwal (1997). Inputs (T, B, D) give outputs (T, B, H), H the sum of both layers'
    sizes: at each step the forward layer's state, which has read the inputs up to this step, beside
    the backward layer's, which has read those from this step on. The state is the pair of both
    layers' last states; the backward layer's last state is that of the first step.

    With `lengths` (B,), integers from 1 to T, column b holds lengths[b] steps, and the rest is
    padding: it changes no output before it. Outputs on padding mean nothing, nor do the last states
    of shorter columns, which have read it.

    Args:
        forward_layer: reads from left to right.
        backward_layer: reads from right to left, with weights of its own.

    Raises:
        TypeError, ValueError: layers that share weights or take inputs of different sizes; when
            called, inputs, states or lengths that do not fit.
    """

    def __init__(self, forward_layer: nn.Module, backward_layer: nn.Module):
        super().__init__()
        check_sides(forward_layer, backward_layer)
        self.forward_layer = forward_layer
        self.backward_layer = backward_layer
        self.input_size = layer_sizes(forward_layer)[0]
        self.hidden_size = sum(layer_sizes(layer)[1] for layer in (forward_layer, backward_layer))

    def forward(
        self, inputs: Tensor, state: State = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        check_inputs(self, inputs)
        check_parts(state, [self.forward_layer, self.backward_layer], inputs.shape[1])
        check_lengths(lengths, inputs)
        to_right, to_left = (None, None) if state is None else state
        H_right, to_right = self.forward_layer(inputs, to_right)
        H_left, to_left = self.backward_layer(reverse(inputs, lengths), to_left)
        H = torch.cat([H_right, reverse(H_left, lengths)], dim=2)
        return H, (to_right, to_left)


def reverse(inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Reverse the time of (T, B, D), in each column within its own length; padding stays.

    `lengths` and errors as of `Bidirectional`.
    """
    check_lengths(lengths, inputs)
    if lengths is None:
        return inputs.flip(0)
    T, B = inputs.shape[:2]
    t = torch.arange(T, device=inputs.device)[:, None]  # (T, 1)
    source = torch.where(t < lengths, lengths - 1 - t, t)  # (T, B)
    return inputs[source, torch.arange(B, device=inputs.device)]


def check_sides(forward_layer: nn.Module, backward_layer: nn.Module) -> None:
    """Raise `ValueError` unless both layers take inputs of one size and share no weights."""
    sizes = [layer_sizes(layer)[0] for layer in (forward_layer, backward_layer)]
    if sizes[0] != sizes[1]:
        raise ValueError(
            f"the layers take {sizes[0]} and {sizes[1]} inputs: both read the same; make them equal"
        )
    check_own_weights(forward_layer=forward_layer, backward_layer=backward_layer)


def check_lengths(lengths: Tensor | None, inputs: Tensor) -> None:
    """Raise an error unless lengths are None or one from 1 to T for each column of (T, B, D)."""
    if lengths is None:
        return
    T, B = inputs.shape[:2]
    check_type(Tensor, f"pass a tensor of {B} integers, one for each column", lengths=lengths)
    whole = not (lengths.is_floating_point() or lengths.is_complex() or lengths.dtype == torch.bool)
    if lengths.shape != (B,) or not whole:
        raise ValueError(
            f"lengths is {lengths.dtype} of shape {tuple(lengths.shape)}: pass {B} integers, one "
            "for each column"
        )
    if B > 0 and not 1 <= int(lengths.min()) <= int(lengths.max()) <= T:
        raise ValueError(
            f"lengths go from {int(lengths.min())} to {int(lengths.max())}: each must be from 1 to "
            f"{T}, the number of steps; leave columns without steps out"
        )
