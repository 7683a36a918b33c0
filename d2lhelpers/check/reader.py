"""Is my layer right? A reader's own layer, whatever its parameters are called, against torch's.

The weights are matched by their shapes: fused or one for each gate, transposed or not, in one
matrix for inputs and state or in two, with one bias or two, as parameters or in `nn.Linear`. Where
shapes leave a choice (the order of the gates, the orientation of a square), each way is tried.
"""

from __future__ import annotations

import copy as copying
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from d2lhelpers.check.core import (
    CHANGED,
    GENERAL,
    Case,
    NotYetWritten,
    Record,
    Seen,
    Task,
    Unfit,
    Verdict,
    compare,
    describe,
    run_case,
    undisturbed,
    unlike,
)
from d2lhelpers.check.gated import gru
from d2lhelpers.check.memory import lstm
from d2lhelpers.check.places import place, render
from d2lhelpers.check.probe import fill, mapped, numbers, tensors
from d2lhelpers.check.simple import rnn
from d2lhelpers.check.walks import explain
from d2lhelpers.model import State

Blocks = dict[tuple[str, int], Tensor]  # ("x" | "h" | "b" | "c", gate): weights, first, second bias
Way = dict[str, Callable[[Blocks], Tensor]]  # for each parameter, how it is made of the blocks
Copy = Callable[[Any, Any], Any]

KINDS: dict[type, tuple[Task, tuple[str, ...]]] = {
    nn.RNN: (rnn, ("state",)),
    nn.GRU: (gru, ("reset", "update", "candidate")),
    nn.LSTM: (lstm, ("input", "forget", "candidate", "output")),
}
T, B = 5, 3


def layer(mine: Any, like: nn.Module, copy: Copy | None = None) -> Verdict:
    """Check any recurrent layer against one of PyTorch's, such as `nn.GRU(8, 16)`.

    Outputs, the last state, and the gradients of inputs and parameters are compared, with large
    weights. If they differ, the wrong variants of this course's tasks are run with the same
    weights, to name the mistake.

    Args:
        mine: a class or function that is called with D and H, or a layer with these sizes. It takes
            inputs (T, B, D), or (B, T, D), and returns outputs, or outputs and a state.
        like: an `nn.RNN`, `nn.GRU` or `nn.LSTM` of one layer and direction. Another layer will do
            if the names of all parameters are the same in both, or `copy` is given.
        copy: `copy(mine, theirs)` copies the weights of `theirs` into `mine`, where shapes do not
            tell which is which.

    Returns:
        the verdict, which says how the weights were matched.
    """
    if not isinstance(like, nn.Module) or not hasattr(like, "hidden_size"):
        return Verdict(
            "wrong",
            f"`like` is {describe(like)}: it must be a layer to compare with, such as "
            "`like=nn.GRU(8, 16)`.",
        )
    try:
        with undisturbed():
            return compared(mine, like, copy)
    except NotYetWritten as blank:
        return Verdict("not yet written", f"Not yet written: {blank}.")
    except Unfit as error:
        return Verdict("wrong", str(error))


# --- Which weight is which


def made(mine: Any, D: int, H: int) -> nn.Module:
    """Return a layer of the reader's: a copy of it, or a new one.

    Raises:
        Unfit: nothing that could be a layer comes out.
    """
    if isinstance(mine, nn.Module):
        return copying.deepcopy(mine)
    if not callable(mine):
        raise Unfit(f"`check.layer` was given {describe(mine)}: pass your layer or its class.")
    result: Any = None

    def make(program: Any) -> Seen:
        nonlocal result
        result = program(D, H)
        return {}

    problem = run_case(Case(f"D = {D} and H = {H}", make), mine, may_draw=True).problem
    if problem or not isinstance(result, nn.Module):
        name = getattr(mine, "__name__", "it")
        what = f"raises {problem}" if problem else f"returns {describe(result)}"
        raise Unfit(
            f"`{name}({D}, {H})` {what}.\nPass a class or function that takes the sizes of inputs "
            "and state, or a layer that is made already."
        )
    return result


def blocks_of(theirs: nn.Module, gradient: bool = False) -> Blocks:
    """Return the weights of a layer of PyTorch's, or their gradients, gate by gate."""
    own = dict(theirs.named_parameters())
    gates = len(KINDS[type(theirs)][1])
    blocks: Blocks = {}
    for kind, name in zip("xhbc", ("weight_ih", "weight_hh", "bias_ih", "bias_hh"), strict=True):
        if (parameter := own.get(f"{name}_l0")) is not None:
            value = parameter.grad if gradient else parameter.detach()
            assert value is not None
            blocks |= {(kind, i): part for i, part in enumerate(value.chunk(gates))}
    return blocks


@dataclass(frozen=True)
class Part:
    """One parameter of the reader's: which blocks it holds, and how they lie in it."""

    name: str
    kind: str  # "x", "h", "xh", "b"
    count: int
    transposed: bool = False  # the blocks lie as in PyTorch, one on another
    square: bool = False  # both ways are possible
    shape: tuple[int, ...] = ()


def part_of(name: str, shape: tuple[int, ...], D: int, H: int) -> Part | None:
    """Tell from its shape what a parameter holds, None if that cannot be."""
    if len(shape) == 1 and shape[0] % H == 0:
        return Part(name, "b", shape[0] // H, shape=shape)
    if len(shape) != 2:
        return None
    rows, columns = shape
    for size, kind in ((D, "x"), (H, "h"), (D + H, "xh")):
        for along, across, transposed in ((rows, columns, False), (columns, rows, True)):
            if along == size and across % H == 0 and not (size == D == across):
                square = rows == columns == H
                return Part(name, kind, across // H, transposed, square, shape)
    return Part(name, "b", rows, shape=shape) if columns == H else None


def ways(mine: nn.Module, kind: type, D: int, H: int) -> Iterator[tuple[Way, str, set[str]]]:
    """Yield the ways in which a reader's parameters can hold the weights of a layer of PyTorch's.

    Each comes with words for it, and the kinds of biases that it has no place for ("b" and "c",
    the second biases, or "cr", those but of the last gate).

    Raises:
        Unfit: the shapes fit in no way.
    """
    gates = KINDS[kind][1]
    g = len(gates)
    parameters = dict(mine.named_parameters())
    parts = [part_of(name, tuple(p.shape), D, H) for name, p in parameters.items()]
    known = [part for part in parts if part is not None]
    counts = {
        name: sum(part.count for part in known if name in part.kind and part.kind != "b")
        for name in "xh"
    }
    biases = sum(part.count for part in known if part.kind == "b")
    allowed = {0, g, 2 * g} | ({g + 1} if kind is nn.GRU else set())
    if len(known) < len(parts) or set(counts.values()) != {g} or biases not in allowed:
        shapes = ", ".join(f"`{name}` {tuple(p.shape)}" for name, p in parameters.items())
        raise Unfit(
            f"Which of your weights is which? With D = {D} and H = {H} yours are "
            f"{shapes or 'none'}, and {kind.__name__} has {g} x (D, H) for the inputs, {g} x "
            f"(H, H) for the state and biases of H. Pass `copy=`, a function "
            "`copy(mine, theirs)` that copies the weights of `theirs`, an "
            f"`nn.{kind.__name__}({D}, {H})`, into `mine`."
        )
    squares = any(part.square for part in known)
    both = any(part.kind == "xh" for part in known)
    for order in itertools.permutations(range(g)):
        for turned in (False, True) if squares else (False,):
            for state_first in (False, True) if both else (False,):
                way, missing = way_of(known, order, turned, state_first, biases)
                words = [f"gates in the order {', '.join(gates[i] for i in order)}"] * (g > 1)
                words += ["W of the state transposed, as in PyTorch"] * turned
                yield way, "; ".join(words), missing


def way_of(
    parts: list[Part], order: tuple[int, ...], turned: bool, state_first: bool, biases: int
) -> tuple[Way, set[str]]:
    """Return one way to fill parameters with blocks: see `ways`."""
    g, way = len(order), {}
    taken = {"x": 0, "h": 0, "b": 0, "c": 0}
    owners = {part.name.rpartition(".")[0]: part.kind for part in parts if part.kind != "b"}
    of_h = [p.name for p in parts if p.kind == "b" and owners.get(p.name.rpartition(".")[0]) == "h"]
    split = biases == 2 * g and 0 < len(of_h) < sum(p.kind == "b" for p in parts)

    def matrix(part: Part, first: int) -> Callable[[Blocks], Tensor]:
        chosen = [order[first + i] for i in range(part.count)]

        def build(blocks: Blocks) -> Tensor:
            rows = []
            for gate in chosen:
                pieces = [blocks[kind, gate] for kind in part.kind]
                rows.append(torch.cat(pieces[::-1] if state_first else pieces, dim=1))
            stacked = torch.cat(rows)  # as in PyTorch: (count H, D)
            as_torchs = part.transposed or (part.square and turned)
            return stacked if as_torchs else stacked.T

        return build

    def bias(part: Part, keys: list[tuple[str, int]]) -> Callable[[Blocks], Tensor]:
        return lambda blocks: torch.cat([blocks[key] for key in keys]).view(part.shape)

    used: set[tuple[str, int]] = set()
    for part in parts:
        if part.kind != "b":
            first = taken[part.kind[0]]
            for kind in part.kind:
                taken[kind] += part.count
            way[part.name] = matrix(part, first)
            continue
        keys = []
        for _ in range(part.count):
            second = part.name in of_h if split else taken["b"] >= g
            kind = "c" if second else "b"
            gate = g - 1 if second and biases == g + 1 else order[taken[kind]]
            taken[kind] += 1
            keys.append((kind, gate))
        used |= set(keys)
        way[part.name] = bias(part, keys)
    every = {(kind, gate) for kind in "bc" for gate in range(g)}
    return way, {f"{kind}{gate}" for kind, gate in every - used}


# --- Running


def look(
    module: nn.Module,
    inputs: Tensor,
    state: State = None,
    batch_first: bool = False,
    count: int = 9,
) -> Seen:
    """Return what is seen of a layer: outputs, states, gradients of a weighted sum of them.

    Args:
        module: the reader's layer, or PyTorch's.
        inputs: (T, B, D).
        state: the first one, or None.
        batch_first: whether the layer takes (B, T, D).
        count: how many tensors of the state are looked at.
    """
    module.zero_grad()
    leaf = inputs.clone().requires_grad_()
    given = leaf.transpose(0, 1) if batch_first else leaf * 1
    before = given.detach().clone()
    result = module(given) if state is None else module(given, mapped(state, torch.clone))
    outputs, last = result if isinstance(result, tuple) and len(result) == 2 else (result, None)
    if not isinstance(outputs, Tensor):
        return {"what is returned": describe(result)}
    if batch_first:
        outputs = outputs.transpose(0, 1)
    changed = not torch.equal(given.detach(), before)
    seen: Seen = {CHANGED: "inputs" if changed else "nothing", "outputs": outputs.detach()}
    parts = [part[0] if len(part) == 1 else part for part in tensors(last)[:count]]
    names = ["the last state"] if len(parts) == 1 else ["the last H", "the last C"]
    seen |= {name: part.detach() for name, part in zip(names, parts, strict=False)}
    if outputs.requires_grad:
        scalar = torch.zeros(())
        for i, value in enumerate([outputs, *parts]):
            scalar = scalar + (value * numbers(f"weights {i}", value.shape, value.dtype)).sum()
        scalar.backward()
    seen["the gradient of the inputs"] = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
    for name, p in module.named_parameters():
        gradient = torch.zeros_like(p) if p.grad is None else p.grad.clone()
        seen[f"the gradient of `{name}`"] = gradient
    return seen


def states_in(seen: Seen) -> int:
    """Return how many tensors of a state were seen."""
    return sum(name.startswith("the last ") for name in seen)


def is_batch_first(module: nn.Module, inputs: Tensor) -> bool:
    """Tell whether a layer takes what should be texts for steps: one text changes another."""
    other = inputs.clone()
    other[:, 0] += 1.0
    with torch.no_grad():
        results = [module(X) for X in (inputs, other)]
    one, two = (r[0] if isinstance(r, tuple) else r for r in results)
    if not isinstance(one, Tensor) or one.dim() != 3 or one.shape[:2] != inputs.shape[:2]:
        return False
    return not torch.equal(one[:, 1:], two[:, 1:])


def expected_of(theirs: nn.Module, seen: Seen, way: Way | None) -> Seen:
    """Return what should be seen of the reader's layer: gradients in the layout of its own."""
    if way is None:
        return seen
    plain = {
        name: value for name, value in seen.items() if not name.startswith("the gradient of `")
    }
    gradients = blocks_of(theirs, gradient=True)
    return plain | {f"the gradient of `{name}`": build(gradients) for name, build in way.items()}


def compared(mine: Any, like: nn.Module, copy: Copy | None) -> Verdict:
    """Return the verdict on a layer: see `layer`."""
    D, H = int(like.input_size), int(like.hidden_size)  # type: ignore[arg-type]
    simple = type(like) in KINDS and len(list(like.parameters())) in (2, 4)
    simple = simple and not getattr(like, "batch_first", False)
    if D == H and not isinstance(mine, nn.Module) and simple:
        D, like = D + 1, type(like)(D + 1, H)  # shapes tell more
    theirs = fill(copying.deepcopy(like), torch.float32)
    name = f"`nn.{type(like).__name__}`" if type(like) in KINDS else f"`{type(like).__name__}`"
    inputs = numbers("inputs", (T, B, D), torch.float32, 1.5)
    own = made(mine, D, H).to(device="cpu", dtype=torch.float32)
    shapes = {n: tuple(p.shape) for n, p in own.named_parameters()}
    found: list[tuple[Way | None, str, set[str]]]
    if copy is not None:
        found = [(None, "weights copied by `copy`", set())]
    elif shapes == {n: tuple(p.shape) for n, p in theirs.named_parameters()}:
        found = [(None, "weights matched by their names", set())]
    elif not simple:
        raise Unfit(
            f"The parameters of your layer have other names than those of {name}: pass `copy=`, a "
            "function `copy(mine, theirs)` that copies the weights of `theirs` into `mine`."
        )
    else:
        found = list(ways(own, type(like), D, H))

    def set_up(way: Way | None, missing: set[str]) -> None:
        source = fill(copying.deepcopy(like), torch.float32)
        if missing:
            without = blocks_of(source)
            for key in missing:
                without[key[0], int(key[1:])].zero_()
        theirs.load_state_dict(source.state_dict())
        with torch.no_grad():
            if way is not None:
                blocks = blocks_of(theirs)
                for parameter_name, build in way.items():
                    dict(own.named_parameters())[parameter_name].copy_(build(blocks))
            elif copy is not None:
                copy(own, theirs)
            else:
                own.load_state_dict(theirs.state_dict(), strict=False)

    probe = Case(f"inputs of shape {(T, B, D)}", lambda m: {"": is_batch_first(m, inputs)})
    batch_first = bool(run_case(probe, own, may_draw=True).seen.get(""))
    case = Case(probe.given, lambda m: look(m, inputs, None, batch_first))
    seen = []
    for way, words, missing in found:  # first of all: is it right in any way?
        set_up(way, missing)
        got = run_case(case, own, may_draw=True)
        right = Record(expected_of(theirs, look(theirs, inputs, count=states_in(got.seen)), way))
        if compare(case, got, right) is None:
            return passed(own, theirs, inputs, batch_first, way, words, name, got)
        seen.append((way, words, missing, got, right))
    for way, words, missing, got, _ in seen:
        set_up(way, missing)
        if (verdict := named(got, theirs, inputs, way, words)) is not None:
            return verdict
    _, words, _, got, right = seen[0]  # the most usual way
    return unnamed(case, got, right, name, words)


def passed(
    own: nn.Module,
    theirs: nn.Module,
    inputs: Tensor,
    batch_first: bool,
    way: Way | None,
    words: str,
    name: str,
    got: Record,
) -> Verdict:
    """Return the verdict on a layer that is right without a state: whether it takes one, too."""
    told = ([words] if words else []) + ["batch first"] * batch_first
    count = states_in(got.seen)
    agree = "Outputs, last state and all gradients agree"
    if not count:
        told.append("it returns no state, so that nothing could go on where it ended")
        agree = "Outputs and all gradients agree"
    elif type(theirs) in KINDS and len(list(theirs.parameters())) <= 4:
        H = int(theirs.hidden_size)  # type: ignore[arg-type]
        parts = [numbers(f"start {i}", (B, H), torch.float32) for i in range(count)]
        torchs = [part[None] for part in parts]
        right = look(theirs, inputs, tuple(torchs) if count > 1 else torchs[0])
        given = inputs.transpose(0, 1) if batch_first else inputs
        last = run_case(Case("", lambda m: {"state": m(given)[1]}), own, may_draw=True).seen[
            "state"
        ]
        mine = parts if tensors(last)[0].dim() == 2 else torchs
        state = tuple(mine) if count > 1 else mine[0]
        case = Case(
            f"inputs of shape {tuple(inputs.shape)} and a state of {tuple(mine[0].shape)}",
            lambda m: look(m, inputs, state, batch_first),
        )
        found = run_case(case, own, may_draw=True)
        if difference := compare(case, found, Record(expected_of(theirs, right, way))):
            return Verdict(
                "wrong",
                f"Without a state your layer computes what {name} computes; with one it does not: "
                f"it does not begin with the state that it is given.\nWith {case.given}: "
                f"{difference.text}.",
                None if found.problem else "state_ignored",
            )
        agree += ", with and without a first state"
    how = f" ({'; '.join(told)})" if told else ""
    return Verdict("passed", f"Passed. Your layer computes what {name} computes{how}. {agree}.")


def weights_for_course(theirs: nn.Module) -> list[Tensor]:
    """Return the weights of a layer of PyTorch's as the course's layer of this kind has them."""
    blocks, g = blocks_of(theirs), len(KINDS[type(theirs)][1])
    H = blocks["h", 0].shape[1]
    weights = [torch.cat([blocks[kind, i].T for i in range(g)], dim=1) for kind in "xh"]
    none = torch.zeros(H)
    b, c = ([blocks.get((kind, i), none) for i in range(g)] for kind in "bc")
    rows = [first + second for first, second in zip(b, c, strict=True)]
    if isinstance(theirs, nn.GRU):
        rows = [*rows[:-1], b[-1], c[-1]]
    return [*weights, torch.stack(rows) if g > 1 else rows[0]]


def named(
    got: Record, theirs: nn.Module, inputs: Tensor, way: Way | None, words: str
) -> Verdict | None:
    """Return the verdict that names the mistake, if one variant of the course does just that."""
    if type(theirs) not in KINDS or got.problem or "outputs" not in got.seen:
        return None
    task, weights = KINDS[type(theirs)][0], weights_for_course(theirs)
    fitting = []
    for name, variant in task.variants.items():
        layer = variant.program(inputs.shape[2], theirs.hidden_size)
        with torch.no_grad():
            for parameter, value in zip(layer.parameters(), weights, strict=True):
                parameter.copy_(value)
            outputs = layer(inputs)[0]
        if unlike("", got.seen["outputs"], outputs):
            continue
        seen = look(layer, inputs, count=states_in(got.seen))
        keys = [key for key in seen if "gradient of `" not in key and key in got.seen]
        if not any(unlike(key, got.seen[key], seen[key]) for key in keys):
            fitting.append(name)
    if len({name.split("/")[0] for name in fitting}) != 1:
        return None
    name = fitting[0]
    text = render(task.variants[name].says)
    how = f"\nThe weights were matched by shape, {words}." if words and way is not None else ""
    where = place(task.read.get(name, task.label))
    return Verdict("wrong", f"{text}{how}\nRead again: {where}.", name.split("/")[0])


def unnamed(case: Case, got: Record, right: Record, name: str, words: str) -> Verdict:
    """Return the verdict on a layer that differs in a way that no variant does."""
    difference = compare(case, got, right)
    assert difference is not None
    general = GENERAL.get(difference.name)
    parts = [
        general[1].format(found=difference.found)
        if general
        else f"Your layer does not compute what {name} computes.",
        f"With {case.given}: {difference.text}.",
        explain(difference),
    ]
    if words and not got.problem and not general:
        parts.append(
            f"The weights were matched by shape, {words}; no other way fits either. If yours mean "
            "something else, pass `copy=`, a function `copy(mine, theirs)` that copies them."
        )
    text = "\n".join(part for part in parts if part)
    return Verdict("wrong", text, general[0] if general else None)
