"""How a layer is looked at: the cases that every task about a layer has.

The layer's parameters are set to numbers large enough that the gates open and close and a mistake
shows; equal names get equal numbers, in the reader's layer, the reference and the wrong variants.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from d2lhelpers.check.core import CARRIES, CHANGED, DREW, RETURNED, Case, Seen, describe
from d2lhelpers.check.elsewhere import Elsewhere
from d2lhelpers.model import State

Make = Callable[[Any, int, int], nn.Module]  # of a class and the sizes D and H

DTYPE = (
    "With weights and inputs of float64 your code goes wrong: a tensor that it makes itself has a "
    "type of its own. Let it take the type of the inputs: `inputs.new_zeros(...)`, or "
    "`torch.zeros(..., dtype=inputs.dtype, device=inputs.device)`."
)
DEVICE = (
    "On a GPU your code would stop: a tensor that it makes itself stays on the CPU while the "
    "inputs are elsewhere. Let it follow them: `inputs.new_zeros(...)`, or "
    "`torch.zeros(..., dtype=inputs.dtype, device=inputs.device)`."
)
AGAIN = (
    "Called a second time with the same inputs and the same state, your layer returns something "
    "else: it keeps something from the first call. All that it may remember is the state that it "
    "is given and returns."
)
MIXES = (
    "The texts of a batch mix: what your layer returns for the first text changes with the numbers "
    "of the others. Look for a sum or a mean over the batch, or for a dimension that is taken for "
    "another; each text has a row of its own."
)
AHEAD = (
    "Your layer reads ahead: the outputs of the first steps change with the inputs of the last "
    "one. Step `t` may know the inputs up to `t`, and nothing after it."
)
MODE = (
    "In evaluation mode and without gradients your layer does something else than in training, "
    "and nothing in it should depend on that."
)


def numbers(name: str, shape: Sequence[int], dtype: torch.dtype, scale: float = 1.0) -> Tensor:
    """Return uniform numbers in ±scale, the same for the same name and shape, on the CPU."""
    generator = torch.Generator(device="cpu").manual_seed(zlib.crc32(name.encode()))
    uniform = torch.rand(tuple(shape), generator=generator, dtype=torch.float64, device="cpu")
    return ((2 * uniform - 1) * scale).to(dtype)


def fill(module: nn.Module, dtype: torch.dtype, scale: float = 1.2) -> nn.Module:
    """Give each parameter of a module numbers that follow from its name, and its type."""
    module = module.to(device="cpu", dtype=dtype)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(numbers(name, parameter.shape, dtype, scale))
    return module


def tensors(state: State) -> list[Tensor]:
    """Return the tensors of a state, a tensor or nested tuples, from left to right."""
    if isinstance(state, Tensor):
        return [state]
    return [part for each in state for part in tensors(each)] if state is not None else []


def mapped(state: State, function: Callable[[Tensor], Tensor]) -> State:
    """Return a state with a function applied to each of its tensors."""
    if isinstance(state, (tuple, list)):
        return type(state)(mapped(part, function) for part in state)
    return state if state is None else function(state)


def shapes(state: State) -> str:
    """Return the shapes of a state as a text: "(3, 6)", "((3, 6), (3, 6))", "None"."""
    if isinstance(state, (tuple, list)):
        inner = ", ".join(shapes(part) for part in state)
        return f"({inner},)" if len(state) == 1 else f"({inner})"
    return "None" if state is None else str(tuple(state.shape))


def watch(
    layer: nn.Module, inputs: Tensor, state: State, names: Sequence[str], **more: Any
) -> Seen:
    """Run a layer on inputs and a state, and return what is seen.

    That is what is returned, outputs, the tensors of the last state, the gradients of a sum with
    random weights with respect to inputs, state and parameters, and what was changed in place.

    Args:
        layer: as the reader made it, with its parameters set.
        inputs: (T, B, D).
        state: or None.
        names: of the parts of the state, as in "the last state".
        more: further arguments of the layer.
    """
    leaves = mapped((inputs, state), lambda tensor: tensor.clone().requires_grad_())
    given = mapped(leaves, torch.clone)  # no leaves, so that a change in place is no error
    before = mapped(leaves, lambda tensor: tensor.detach().clone())
    kept = {name: p.detach().clone() for name, p in layer.named_parameters()}
    drawn = torch.get_rng_state()
    result = layer(*given, **more)
    drew = not torch.equal(torch.get_rng_state(), drawn)
    if not isinstance(result, tuple) or len(result) != 2:
        return {RETURNED: describe(result)}
    seen: Seen = {RETURNED: "a tuple of 2: outputs and a state"}
    changed = [
        name
        for name, now, was in zip(("inputs", "state"), given, before, strict=True)
        if any(not torch.equal(a, b) for a, b in zip(tensors(now), tensors(was), strict=True))
    ]
    changed += [f"`{n}`" for n, p in layer.named_parameters() if not torch.equal(p, kept[n])]
    seen[CHANGED] = " and ".join(changed) or "nothing"
    seen[DREW] = "some" if drew else "none"
    outputs, last = result
    seen["outputs"] = outputs.detach() if isinstance(outputs, Tensor) else describe(outputs)
    try:
        parts = tensors(last)
    except TypeError:
        parts = []
    if len(parts) != len(names) or not isinstance(outputs, Tensor):
        seen["the last state"] = describe(last)
        return seen
    if len(names) > 1:
        seen["the last state"] = form(last)
    seen |= {name: part.detach() for name, part in zip(names, parts, strict=True)}
    seen |= gradients(layer, [outputs, *parts], leaves)
    return seen


def gradients(layer: nn.Module, results: list[Tensor], leaves: tuple[Tensor, State]) -> Seen:
    """Return the gradients of a weighted sum of results, by name; None where none arrives."""
    seen: Seen = {CARRIES: "pass"}
    scalar = sum(
        (result * numbers(f"weights {i}", result.shape, result.dtype)).sum()
        for i, result in enumerate(results)
        if result.is_floating_point()
    )
    if not isinstance(scalar, Tensor) or not scalar.requires_grad:
        return {CARRIES: "do not pass"}
    inputs, state = leaves
    to = {"the inputs": inputs}
    for i, part in enumerate(parts := tensors(state)):
        to["the first state" + (f", part {i + 1}," if len(parts) > 1 else "")] = part
    to |= {f"`{name}`": p for name, p in layer.named_parameters() if p.requires_grad}
    try:
        found = torch.autograd.grad(scalar, list(to.values()), allow_unused=True)
    except RuntimeError as error:  # as when a tensor was changed in place that the way back needs
        return {CARRIES: f"do not pass: {str(error).split(';')[0]}"}
    for (name, leaf), gradient in zip(to.items(), found, strict=True):
        seen[f"the gradient of {name}"] = torch.zeros_like(leaf) if gradient is None else gradient
    return seen


def form(state: State) -> str:
    """Return how a state is nested: "(., .)" for a pair."""
    if isinstance(state, (tuple, list)):
        return f"({', '.join(form(part) for part in state)})"
    return "."


def layer_cases(
    make: Make,
    states: Callable[[int, int], State],
    names: Sequence[str],
    parameters: Callable[[nn.Module], None] = lambda layer: None,
    square: bool = False,
) -> list[Case]:
    """Return the cases that every recurrent layer goes through.

    Args:
        make: makes a layer of the reader's class from D and H.
        states: returns zeros of the shape of a state, from B and H.
        names: of the tensors of the state.
        parameters: raises `Unfit` where the layer has not the parameters that it should have.
        square: whether D and H have to be equal.
    """

    sizes = [(4, 4), (2, 2), (3, 3), (5, 5)] if square else [(4, 6), (2, 3), (3, 5), (5, 2)]
    D0, H0 = sizes[0]

    def data(T: int, B: int, D: int, H: int, dtype: torch.dtype) -> tuple[Tensor, State]:
        parts = iter(range(9))
        state = mapped(
            states(B, H), lambda part: numbers(f"state {next(parts)}", part.shape, dtype, 0.9)
        )
        return numbers("inputs", (T, B, D), dtype, 1.5), state

    def layer_of(program: Any, D: int, H: int, dtype: torch.dtype) -> nn.Module:
        layer = make(program, D, H)
        parameters(layer)
        return fill(layer, dtype)

    def case(T: int, B: int, D: int, H: int, given: bool, dtype: torch.dtype, **more: str) -> Case:
        inputs, state = data(T, B, D, H, dtype)
        state = state if given else None

        def run(program: Any) -> Seen:
            return watch(layer_of(program, D, H, dtype), inputs, state, names)

        kind = "" if dtype == torch.float32 else f" in {str(dtype).removeprefix('torch.')}"
        told = f"a state of shape {shapes(state)}" if given else "no state"
        return Case(f"inputs of shape {tuple(inputs.shape)} and {told}{kind}", run, **more)

    def again(program: Any) -> Seen:
        layer = layer_of(program, D0, H0, torch.float32)
        inputs, state = data(5, 3, D0, H0, torch.float32)
        layer(mapped(inputs, torch.clone), mapped(state, torch.clone))
        layer(mapped(inputs, torch.clone))
        return {"outputs": layer(inputs, state)[0].detach()}

    def changed(program: Any, question: str, where: tuple[Any, ...], seen: tuple[Any, ...]) -> Seen:
        inputs, state = data(5, 3, D0, H0, torch.float32)
        other = inputs.clone()
        other[where] += 1.0
        results = []
        for X in (inputs, inputs, other):
            layer = layer_of(program, D0, H0, torch.float32)
            with torch.no_grad():
                result = layer(X.clone(), mapped(state, torch.clone))
            outputs = result[0] if isinstance(result, tuple) else None
            if not isinstance(outputs, Tensor) or outputs.shape[:2] != (5, 3):
                return {}
            results.append(outputs)
        one, again, two = results
        if not one.isfinite().all() or not torch.equal(one, again):
            return {}  # then the question has no answer
        return {question: "no" if torch.allclose(one[seen], two[seen], atol=1e-6) else "yes"}

    def mixes(program: Any) -> Seen:
        rest, first = (slice(None), slice(1, None)), (slice(None), 0)
        return changed(program, "does the first text depend on the others?", rest, first)

    def ahead(program: Any) -> Seen:
        last, before = (4,), (slice(0, 4),)
        return changed(program, "do the first steps depend on the last?", last, before)

    def evaluated(program: Any) -> Seen:
        layer = layer_of(program, D0, H0, torch.float32).eval()
        inputs, state = data(5, 3, D0, H0, torch.float32)
        with torch.no_grad():
            return {"outputs": layer(inputs, state)[0]}

    def elsewhere(program: Any) -> Seen:
        layer = layer_of(program, D0, H0, torch.float32)
        inputs, _ = data(5, 3, D0, H0, torch.float32)
        with Elsewhere() as gpu:
            outputs, state = gpu.move(layer)(gpu.move(inputs.clone()))
            results = {"the outputs": outputs, "the state": tensors(state)[0]}
            return {
                f"the device of {name}": "that of the inputs" if gpu.is_there(value) else "the CPU"
                for name, value in results.items()
            }

    f32, f64 = torch.float32, torch.float64
    return [
        case(5, 3, *sizes[0], True, f32),
        case(5, 3, *sizes[0], False, f32),
        case(1, 1, *sizes[1], True, f32),
        case(4, 1, *sizes[2], False, f32),
        case(3, 4, *sizes[3], True, f64, mistake="dtype", advice=DTYPE),
        case(3, 4, *sizes[3], False, f64, mistake="dtype", advice=DTYPE),
        Case("inputs of shape (5, 3, 4) and a state, the second time", again, "remembers", AGAIN),
        Case("inputs of shape (5, 3, 4), of which other texts change", mixes, "mixes_texts", MIXES),
        Case(
            "inputs of shape (5, 3, 4), of which the last step changes", ahead, "looks_ahead", AHEAD
        ),
        Case("inputs of shape (5, 3, 4), in evaluation mode", evaluated, "mode", MODE),
        Case("inputs of shape (5, 3, 4) on a GPU (in disguise)", elsewhere, "device", DEVICE),
    ]
