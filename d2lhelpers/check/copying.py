"""Tasks: copying the weights of a layer from scratch into one of `torch.nn`."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from d2lhelpers.check.core import CHANGED, Case, Seen, Task, Variant
from d2lhelpers.check.probe import fill
from d2lhelpers.layers import GRU, LSTM, RNN

TORCHS: dict[Any, Any] = {RNN: nn.RNN, GRU: nn.GRU, LSTM: nn.LSTM}


def copying_case(kind: Any, end: str, argument: Any, D: int, H: int, **more: Any) -> Case:
    """Return a case in which a layer is copied to the parameters that end as told.

    Where PyTorch adds two biases, only their sum is looked at.
    """
    last = {name: f"{name}_{end}" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}

    def run(program: Any) -> Seen:
        first_size = 2 * H if more.get("bidirectional") else H
        ours = fill(kind(D if "l0" in end else first_size, H), torch.float32)
        theirs = TORCHS[kind](D, H, num_layers=2, **more)
        fill(theirs, torch.float32, 0.7)
        before = {name: p.detach().clone() for name, p in theirs.named_parameters()}
        mine = copy.deepcopy(ours.state_dict())
        program(ours, theirs, argument)
        now = {name: p.detach() for name, p in theirs.named_parameters()}
        same = all(torch.equal(mine[name], p) for name, p in ours.named_parameters())
        seen: Seen = {CHANGED: "nothing" if same else "the layer that is copied"}
        for kind_of in ("weight_ih", "weight_hh"):
            seen[f"`{last[kind_of]}`"] = now[last[kind_of]].clone()
        ih, hh = now[last["bias_ih"]], now[last["bias_hh"]]
        both = ih + hh
        seen[f"the sum of `{last['bias_ih']}` and `{last['bias_hh']}`"] = both
        if kind is GRU:
            seen[f"the candidate's part of `{last['bias_hh']}`"] = hh[2 * H :].clone()
        touched = [
            name
            for name, p in now.items()
            if name not in last.values() and not torch.equal(p, before[name])
        ]
        seen["other parameters that were changed"] = ", ".join(touched) or "none"
        trained = all(p.requires_grad and p.is_leaf for p in theirs.parameters())
        seen["the parameters"] = "can be trained" if trained else "can no longer be trained"
        with torch.no_grad():
            for p in theirs.parameters():
                p.add_(1.0)
        same = all(torch.equal(mine[name], p) for name, p in ours.named_parameters())
        seen["after a change of the copy the original"] = "stays" if same else "changes with it"
        return seen

    number = f"{kind.__name__} of {H} units, into `{end}`"
    return Case(f"an {number}" if kind in (RNN, LSTM) else f"a {number}", run)


Put = Callable[[nn.Module, nn.Module, str], None]


def parts(layer: nn.Module) -> tuple[Tensor, Tensor, Tensor, int, int]:
    """Return the weights of our layer: W_x, W_h, the rows of b, H, the number of blocks."""
    W_x, W_h, b = layer.parameters()
    return W_x, W_h, b.view(-1, W_h.shape[0]), W_h.shape[0], W_h.shape[1] // W_h.shape[0]


def put(
    turned: Callable[[Tensor], Tensor] = torch.t,
    first: Callable[[Tensor, Tensor, int], Tensor] = lambda rows, second, n: rows[:n].flatten(),
    second: str = "inside the reset",
    order: Callable[[Tensor, int], Tensor] = lambda W, n: W,
) -> Put:
    """Return what copies our layer into the parameters that end as told, one part changed."""

    def run(layer: nn.Module, theirs: nn.Module, end: str) -> None:
        W_x, W_h, rows, H, n = parts(layer)
        own = dict(theirs.named_parameters())
        with torch.no_grad():
            own[f"weight_ih_{end}"].copy_(order(turned(W_x), n))
            own[f"weight_hh_{end}"].copy_(order(turned(W_h), n))
            hh = own[f"bias_hh_{end}"]
            own[f"bias_ih_{end}"].copy_(first(rows, hh, n))
            if second == "inside the reset":
                hh.zero_()
                if len(rows) > n:
                    hh[-H:] = rows[n]
            elif second == "zero":
                hh.zero_()
            elif second == "same":
                hh.copy_(rows[:n].flatten())
                if len(rows) > n:
                    hh[-H:] = rows[n]
            elif second == "left" and len(rows) > n:
                hh[-H:] = rows[n]
            elif second == "everywhere":
                hh.zero_()
                if len(rows) > n:
                    hh.copy_(rows[n].repeat(n))

    return run


def merged(rows: Tensor, second: Tensor, n: int) -> Tensor:
    """Return the biases with the one inside the reset added to the candidate's."""
    rows = rows.clone()
    if len(rows) > n:
        rows[n - 1] += rows[n]
    return rows[:n].flatten()


def exchanged(W: Tensor, n: int) -> Tensor:
    """Exchange the first two blocks of rows."""
    blocks = list(W.chunk(n))
    if n > 1:
        blocks[0], blocks[1] = blocks[1], blocks[0]
    return torch.cat(blocks)


def the_other_way(layer: nn.Module, theirs: nn.Module, end: str) -> None:
    """Copy from PyTorch's layer into ours."""
    W_x, W_h, rows, H, n = parts(layer)
    own = dict(theirs.named_parameters())
    ih, hh = own[f"bias_ih_{end}"], own[f"bias_hh_{end}"]
    with torch.no_grad():
        W_x.copy_(own[f"weight_ih_{end}"].T)
        W_h.copy_(own[f"weight_hh_{end}"].T)
        rows[:n].copy_((ih + hh).view(n, H))
        if len(rows) > n:
            rows[n - 1].copy_(ih[-H:])
            rows[n].copy_(hh[-H:])


def shared(layer: nn.Module, theirs: nn.Module, end: str) -> None:
    """Let both layers have the same memory."""
    put()(layer, theirs, end)
    W_x, W_h, *_ = parts(layer)
    own = dict(theirs.named_parameters())
    own[f"weight_ih_{end}"].data = W_x.data.T
    own[f"weight_hh_{end}"].data = W_h.data.T


def weights_only(layer: nn.Module, theirs: nn.Module, end: str) -> None:
    """Leave the biases."""
    W_x, W_h, *_ = parts(layer)
    own = dict(theirs.named_parameters())
    with torch.no_grad():
        own[f"weight_ih_{end}"].copy_(W_x.T)
        own[f"weight_hh_{end}"].copy_(W_h.T)


def mistakes(ending: Callable[[Any], str], first: str, second: Any) -> dict[str, Variant]:
    """Return the bank for one of the two tasks.

    Args:
        ending: how the names of the parameters end, from the last argument.
        first: what the last argument is called.
        second: the last argument of the layer that a careless program always writes to.
    """

    def to(change: Put) -> Any:
        return lambda layer, theirs, where: change(layer, theirs, ending(where))

    return {
        "not_transposed": Variant(
            to(put(turned=lambda W: W)),
            "You copy the weights as they are. Ours stand on the right, `X @ W`, PyTorch's on the "
            "left: copy `W.T`.",
        ),
        "second_bias_left": Variant(
            to(put(second="left")),
            "PyTorch's second bias, `bias_hh`, still has the numbers of before. Both biases are "
            "added, so set it to zero (but for the candidate of a GRU, where it has a place of its "
            "own, {eq-gru-candidate}).",
        ),
        "bias_twice": Variant(
            to(put(second="same")),
            "You copy the bias into both of PyTorch's, `bias_ih` and `bias_hh`. They are added: "
            "then it counts twice. Set the second to zero.",
        ),
        "no_reset_bias": Variant(
            to(put(second="zero")),
            "For the GRU the last row of `b`, b_hh, is missing: it goes to the candidate's part, "
            "the last third, of `bias_hh` ({eq-gru-candidate}).",
        ),
        "reset_bias_merged": Variant(
            to(put(first=merged, second="zero")),
            "For the GRU you add b_hh to the candidate's first bias. It has a place of its own, "
            "the last third of `bias_hh`, where the reset gate multiplies it "
            "({eq-gru-candidate}).",
        ),
        "reset_bias_everywhere": Variant(
            to(put(second="everywhere")),
            "For the GRU you copy b_hh to all three parts of `bias_hh`. It belongs to the "
            "candidate alone, the last third ({eq-gru-candidate}); the others are zero.",
        ),
        "blocks_exchanged": Variant(
            to(put(order=exchanged)),
            "You exchange blocks of rows on the way. The gates of our layers stand in PyTorch's "
            "order: reset, update, candidate, and input, forget, candidate, output.",
        ),
        "always_the_first": Variant(
            lambda layer, theirs, where: put()(layer, theirs, ending(second)),
            f"You write to the parameters of one and the same layer whatever `{first}` is. The "
            f"names end in it: `getattr(theirs, f'weight_ih_...{{{first}}}')`.",
        ),
        "the_other_way": Variant(
            to(the_other_way),
            "You copy PyTorch's weights into our layer. It is to be the other way round: `theirs` "
            "takes the numbers of `layer`.",
        ),
        "shared": Variant(
            to(shared),
            "Both layers now share their weights: whoever trains one changes the other. Copy the "
            "numbers, `parameter.copy_(...)`, and do not hand over the tensor.",
        ),
        "no_biases": Variant(
            to(weights_only),
            "You copy the weights and leave the biases as they were.",
        ),
    }


def number_ending(number: int) -> str:
    """Return how the names of layer `number` end."""
    return f"l{number}"


HINTS = [
    "`getattr(theirs, name)` gives a parameter of PyTorch's by its name, and inside "
    "`torch.no_grad()` its `copy_` takes the numbers of another tensor.",
    "PyTorch's weights are transposed: `weight_ih` takes `W_x.T`, `weight_hh` takes `W_h.T`. The "
    "blocks stand in the same order.",
    "PyTorch adds two biases. The first, `bias_ih`, takes ours, row after row; the second, "
    "`bias_hh`, is zero. Only the candidate of the GRU uses both: there the last part of `bias_hh` "
    "is b_hh, the last row of `b` ({eq-gru-candidate}).",
]
PASSED = (
    "The weights stand in PyTorch's layer, transposed, each bias counts once, all other "
    "parameters are as they were, and the two layers share nothing"
)

copy_layer = Task(
    name="copy_layer",
    title="Weights into a layer of nn.RNN, nn.GRU or nn.LSTM",
    label="sec-deep-scratch",
    wanted=("function", "copy_layer"),
    reference=lambda layer, theirs, number: put()(layer, theirs, f"l{number}"),
    cases=[
        copying_case(kind, f"l{number}", number, D, H)
        for kind in (RNN, GRU, LSTM)
        for number, D, H in ((0, 3, 4), (1, 5, 5))
    ],
    variants=mistakes(number_ending, "number", 0),
    hints=HINTS,
    passed=f"{PASSED}: for RNN, GRU and LSTM, in the first and in the second layer of a stack.",
    random=True,
)

copy_gru = Task(
    name="copy_gru",
    title="Weights into one direction of nn.GRU",
    label="sec-bi-scratch",
    wanted=("function", "copy_gru"),
    reference=put(),
    cases=[
        copying_case(GRU, end, end, 3, 4, bidirectional=True)
        for end in ("l0", "l0_reverse", "l1", "l1_reverse")
    ],
    variants=mistakes(str, "end", "l0"),
    hints=HINTS,
    passed=f"{PASSED}: in both directions of the first and of the second layer.",
    doc="""Copy a GRU from scratch into one direction of a layer of `torch.nn.GRU`.

Args:
    layer: our `GRU`, with `W_x` (D, 3H), `W_h` (H, 3H) and `b` (4, H).
    theirs: PyTorch's, which takes the numbers.
    end: how the names of the parameters end that are to be set, "l0" or "l0_reverse".
""",
    random=True,
)
