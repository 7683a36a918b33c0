"""Tasks: layers made of layers, one on another, around another, in two directions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from d2lhelpers import layers
from d2lhelpers.check.core import CHANGED, Case, Seen, Task, Variant
from d2lhelpers.check.elsewhere import Elsewhere
from d2lhelpers.check.probe import (
    DEVICE,
    fill,
    layer_cases,
    mapped,
    numbers,
    tensors,
    watch,
)
from d2lhelpers.check.walks import explain
from d2lhelpers.layers import GRU, LSTM, RNN
from d2lhelpers.model import State, detach, layer_sizes

Result = tuple[Tensor, State]


# --- A stack


def stack_of(program: Any, kinds: Sequence[Any], D: int, dropout: float = 0.0) -> nn.Module:
    """Return a stack of layers of D units each, with its weights set."""
    if not dropout:
        return fill(program([kind(D, D) for kind in kinds]), torch.float32)
    return fill(program([kind(D, D) for kind in kinds], dropout), torch.float32)


def mixed(program: Any) -> Seen:
    """Look at a stack of three kinds of layers, with a state for each."""
    state = (torch.zeros(2, 4), (torch.zeros(2, 4), torch.zeros(2, 4)), torch.zeros(2, 4))
    parts = iter("abcd")
    state = mapped(state, lambda part: numbers(next(parts), part.shape, part.dtype))
    names = ["the last state of the RNN", "the last H", "the last C", "the last state of the GRU"]
    return watch(
        stack_of(program, (RNN, LSTM, GRU), 4), numbers("X", (5, 2, 4), torch.float32), state, names
    )


def dropped(training: bool) -> Callable[[Any], Seen]:
    """Return what looks at a stack with dropout."""

    def run(program: Any) -> Seen:
        layer = stack_of(program, (RNN, RNN, RNN), 4, 0.5).train(training)
        torch.manual_seed(1)  # so that the same numbers are dropped
        return {"outputs": layer(numbers("X", (5, 2, 4), torch.float32))[0].detach()}

    return run


def of_state(state: State, i: int) -> State:
    """Return the state of layer i, None if there is no state."""
    return None if state is None else state[i]


def stack(forward: Callable[[Any, Tensor, State], Result]) -> Any:
    """Return a class of stacks that goes forward in its own way."""

    class Stack(layers.DeepRNN):
        def forward(self, inputs: Tensor, state: State = None) -> Result:
            return forward(self, inputs, state)

    return Stack


def up(
    given: Callable[[State, int, State], State] = lambda state, i, below: of_state(state, i),
    reads: Callable[[Tensor, Tensor], Tensor] = lambda H, inputs: H,
    makes: Callable[[Tensor, Tensor], Tensor] = lambda new, H: new,
    returned: Callable[[list[State]], State] = tuple,
    order: Callable[[list[Any]], list[Any]] = lambda pairs: pairs,
    dropout: Callable[[int, int], bool] = lambda i, count: 0 < i < count,
) -> Any:
    """Return a class of stacks of which one part is changed."""

    def forward(self: Any, inputs: Tensor, state: State) -> Result:
        H, states, below, count = inputs, [], None, len(self.layers)
        for i, layer in order(list(enumerate(self.layers))):
            if dropout(i, count):
                H = self.dropout(H)
            new, below = layer(reads(H, inputs), given(state, i, below))
            H = makes(new, H)
            states.append(below)
        if dropout(count, count):
            H = self.dropout(H)
        return H, returned(states)

    return stack(forward)


deep_rnn = Task(
    name="deep_rnn",
    title="A stack of layers, with their states",
    label="sec-deep-scratch",
    wanted=("class", "DeepRNN"),
    reference=layers.DeepRNN,
    cases=[
        *layer_cases(
            lambda program, D, H: program([RNN(D, D), RNN(D, D), RNN(D, D)]),
            lambda B, H: tuple(torch.zeros(B, H) for _ in range(3)),
            [f"the last state of layer {i}" for i in (1, 2, 3)],
            square=True,
        ),
        Case("a stack of an RNN, an LSTM and a GRU, and a state for each", mixed),
        Case("three layers and dropout=0.5, in training", dropped(True)),
        Case("three layers and dropout=0.5, in evaluation mode", dropped(False)),
    ],
    variants={
        "inputs_to_all": Variant(
            up(reads=lambda H, inputs: inputs),
            "Each of your layers reads the inputs. Only the lowest does: every other layer reads "
            "the outputs of the one below ({eq-deep}).",
        ),
        "states_ignored": Variant(
            up(given=lambda state, i, below: None),
            "Your layers start from zeros whatever state is given. Layer `i` begins with "
            "`state[i]`, and with `None` only if the whole state is `None`.",
        ),
        "first_state_for_all": Variant(
            up(given=lambda state, i, below: of_state(state, 0)),
            "All your layers begin with the state of the lowest one, `state[0]`. Each has its own, "
            "`state[i]`.",
        ),
        "state_from_below": Variant(
            up(given=lambda state, i, below: of_state(state, i) if i == 0 else below),
            "You hand the last state of one layer to the layer above as its first. States go along "
            "time; upwards go the outputs ({eq-deep}).",
        ),
        "only_last_state": Variant(
            up(returned=lambda states: states[-1]),
            "You return the state of the highest layer only. The next window needs the states of "
            "all layers: return a tuple with one for each.",
        ),
        "states_reversed": Variant(
            up(returned=lambda states: tuple(states[::-1])),
            "You return the states from the highest layer to the lowest. They come in the order of "
            "`self.layers`, because `state[i]` is given to layer `i`.",
        ),
        "given_state": Variant(
            stack(lambda self, inputs, state: (up().forward(self, inputs, state)[0], state)),
            "You return the state that you were given. Collect the new state of each layer and "
            "return those.",
        ),
        "upside_down": Variant(
            up(order=lambda pairs: pairs[::-1], returned=lambda states: tuple(states[::-1])),
            "Your stack goes from the last layer to the first. `self.layers[0]` is the lowest: it "
            "reads the inputs.",
        ),
        "one_layer_short": Variant(
            stack(
                lambda self, inputs, state: (
                    up(order=lambda pairs: pairs[:-1]).forward(self, inputs, state)[0],
                    up().forward(self, inputs, state)[1],
                )
            ),
            "Your outputs are those of the layer below the highest. Return the outputs of the last "
            "layer ({eq-deep}).",
        ),
        "residual": Variant(
            up(makes=lambda new, H: H + new),
            "Your layers add their outputs to their inputs: that is a residual connection "
            "({eq-deep-residual}). In the plain stack the outputs replace the inputs ({eq-deep}).",
        ),
        "dropout_on_inputs": Variant(
            up(dropout=lambda i, count: i < count),
            "You apply dropout to the inputs of the lowest layer, too. It stands *between* the "
            "layers, so before every layer but the first.",
        ),
        "dropout_on_outputs": Variant(
            up(dropout=lambda i, count: i > 0),
            "You apply dropout to the outputs of the highest layer, too. It stands *between* the "
            "layers.",
        ),
        "no_dropout": Variant(
            up(dropout=lambda i, count: False),
            "Everything is right but dropout, which your stack never applies. Between the layers, "
            "`H = self.dropout(H)`.",
        ),
        "cut": Variant(
            up(reads=lambda H, inputs: H if H is inputs else H.detach()),
            "Your outputs are right, but no gradient goes down from layer to layer: you cut the "
            "outputs off (`detach`) before the next layer reads them.",
        ),
    },
    hints=[
        "Let `H` be the inputs. Each layer of `self.layers` reads `H` and returns new outputs, "
        "which become `H` for the next ({eq-deep}).",
        "A layer returns its outputs *and* its last state. Layer `i` begins with `state[i]`, or "
        "with `None` if `state` is `None`; collect the last states in a list.",
        "Before every layer but the first, `H = self.dropout(H)`. Return `H` and the tuple of the "
        "states.",
    ],
    passed="Outputs, the state of every layer and all gradients are those of {eq-deep}: with and "
    "without states, for layers of one kind and of three, with dropout between the layers and "
    "nowhere else.",
    read={"residual": "eq-deep", "no_dropout": "sec-deep-dropout"}
    | dict.fromkeys(("dropout_on_inputs", "dropout_on_outputs"), "sec-deep-dropout"),
    explain=explain,
    random=True,
)


# --- A residual connection


class Residual(nn.Module):
    """A layer that adds its inputs to its outputs, as the chapter has it."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer = layer
        self.input_size, self.hidden_size = layer_sizes(layer)

    def forward(self, inputs: Tensor, state: State = None) -> Result:
        outputs, state = self.layer(inputs, state)
        return inputs + outputs, state


def around(
    join: Callable[[Tensor, Tensor], Tensor] = torch.add,
    given: Callable[[State], State] = lambda state: state,
    returned: Callable[[State, State, Tensor], State] = lambda new, old, joined: new,
) -> Any:
    """Return a class of residual layers of which one part is changed."""

    class Around(Residual):
        def forward(self, inputs: Tensor, state: State = None) -> Result:
            outputs, new = self.layer(inputs, given(state))
            joined = join(inputs, outputs)
            return joined, returned(new, state, joined)

    return Around


def with_pair(program: Any) -> Seen:
    """Look at a residual connection around an LSTM, whose state is a pair."""
    layer = fill(program(LSTM(3, 3)), torch.float32)
    state = (numbers("H", (2, 3), torch.float32), numbers("C", (2, 3), torch.float32))
    return watch(layer, numbers("X", (4, 2, 3), torch.float32), state, ["the last H", "the last C"])


residual = Task(
    name="residual",
    title="A residual connection",
    label="sec-deep-repairs",
    wanted=("class", "Residual"),
    reference=Residual,
    cases=[
        *layer_cases(
            lambda program, D, H: program(GRU(D, D)),
            lambda B, H: torch.zeros(B, H),
            ["the last state"],
            square=True,
        ),
        Case("an LSTM inside, whose state is a pair", with_pair),
    ],
    variants={
        "no_way_around": Variant(
            around(lambda x, y: y + 0),
            "Your outputs are those of the layer alone. Add the inputs to them "
            "({eq-deep-residual}).",
        ),
        "no_layer": Variant(
            around(lambda x, y: x + 0 * y),
            "Your outputs are the inputs. Add the outputs of the layer to them "
            "({eq-deep-residual}).",
        ),
        "mean": Variant(
            around(lambda x, y: (x + y) / 2),
            "Your outputs are half of what they should be: take the sum of inputs and outputs, not "
            "their mean ({eq-deep-residual}).",
        ),
        "product": Variant(
            around(torch.mul),
            "You multiply inputs and outputs. A residual connection adds them "
            "({eq-deep-residual}): only a sum lets the gradient pass unchanged.",
        ),
        "difference": Variant(
            around(torch.sub),
            "You subtract the outputs of the layer from the inputs. Add them ({eq-deep-residual}).",
        ),
        "outputs_twice": Variant(
            around(lambda x, y: y + y),
            "You add the layer's outputs to themselves. If both go by one name, the inputs are "
            "lost when the outputs come: give the outputs a name of their own.",
        ),
        "state_ignored": Variant(
            around(given=lambda state: None),
            "Your layer inside starts from zeros whatever state is given: hand `state` on to "
            "`self.layer`.",
        ),
        "given_state": Variant(
            around(returned=lambda new, old, joined: old),
            "You return the state that you were given. Return the one that `self.layer` returns.",
        ),
        "state_of_sum": Variant(
            around(returned=lambda new, old, joined: joined[-1]),
            "The state that you return is the last of your outputs. The sum is for the layer above "
            "alone; the layer inside goes on from its own state.",
        ),
        "inputs_cut": Variant(
            around(lambda x, y: x.detach() + y),
            "Your outputs are right, but no gradient passes through the way around: you cut the "
            "inputs off (`detach`). That gradient is what the connection is for.",
        ),
        "layer_cut": Variant(
            around(lambda x, y: x + y.detach()),
            "Your outputs are right, but no gradient reaches the layer inside: you cut its outputs "
            "off (`detach`), so it would learn nothing.",
        ),
        "layer_cut/state": Variant(
            around(lambda x, y: x + y.detach(), returned=lambda new, old, joined: detach(new)),
            "Your outputs are right, but no gradient reaches the layer inside: it is run under "
            "`torch.no_grad`, or outputs and state are cut off, so it would learn nothing.",
        ),
        "joined": Variant(
            around(lambda x, y: torch.cat([x, y], dim=2)),
            "You put inputs and outputs side by side. They are added, so that the size stays the "
            "same ({eq-deep-residual}).",
        ),
    },
    hints=[
        "`self.layer(inputs, state)` returns outputs and a state.",
        "The outputs of the whole are the sum of inputs and outputs ({eq-deep-residual}); the "
        "state is that of the layer, unchanged.",
    ],
    passed="Outputs, state and all gradients are those of {eq-deep-residual}, around a GRU and "
    "around an LSTM, with and without a state.",
    explain=explain,
    doc="""A layer that adds its inputs to its outputs.

Inputs (T, B, D) and the state of the layer inside, or None, give outputs (T, B, D), the inputs plus
the layer's outputs, and the layer's last state.
""",
    random=True,
)


# --- Reversal


def reversal_case(shape: tuple[int, ...], lengths: list[int] | None) -> Case:
    """Return a case of a tensor to be reversed, with the lengths of its columns."""

    def run(program: Any) -> Seen:
        leaf = numbers("X", shape, torch.float32).requires_grad_()
        inputs = leaf.clone()
        given = None if lengths is None else torch.tensor(lengths)
        outputs = program(inputs) if given is None else program(inputs, given)
        same = torch.equal(inputs, leaf)
        if given is not None and same:
            same = given.tolist() == lengths
        seen: Seen = {CHANGED: "nothing" if same else "inputs or lengths"}
        seen["outputs"] = outputs.detach() if isinstance(outputs, Tensor) else str(type(outputs))
        if isinstance(outputs, Tensor) and outputs.requires_grad:
            scalar = (outputs * numbers("weights", outputs.shape, torch.float32)).sum()
            seen["the gradient of the inputs"] = torch.autograd.grad(scalar, leaf)[0]
        elif isinstance(outputs, Tensor):
            seen["the gradient of the inputs"] = "none"
        return seen

    told = "no lengths" if lengths is None else f"lengths {lengths}"
    return Case(f"inputs of shape {shape} and {told}", run)


def reversed_elsewhere(program: Any) -> Seen:
    """Reverse on a GPU in disguise."""
    with Elsewhere() as gpu:
        X, lengths = gpu.move((torch.arange(12.0).view(3, 2, 2), torch.tensor([3, 2])))
        outputs = program(X, lengths)
        return {
            "the device of the outputs": "that of the inputs" if gpu.is_there(outputs) else "CPU"
        }


def flipped(inputs: Tensor, ends: Tensor) -> Tensor:
    """Reverse each column up to its end."""
    t = torch.arange(len(inputs))[:, None]
    return inputs[torch.where(t < ends, ends - 1 - t, t), torch.arange(inputs.shape[1])]


def within(ends: Callable[[Tensor], Tensor]) -> Any:
    """Return a reversal that changes the lengths."""

    def wrong(inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        if lengths is None:
            return inputs.flip(0)
        return flipped(inputs, ends(lengths).clamp(0, len(inputs)))

    return wrong


def then(change: Callable[[Tensor, Tensor], Tensor]) -> Any:
    """Return a reversal that changes its result, given the places that are real."""

    def wrong(inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        ends = torch.full(inputs.shape[1:2], len(inputs)) if lengths is None else lengths
        real = (torch.arange(len(inputs))[:, None] < ends)[..., None]
        return change(flipped(inputs, ends), real)

    return wrong


def to_the_end(inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Reverse the whole, then move the padding to the end, shifted by one."""
    if lengths is None:
        return inputs.flip(0)
    columns = [X[:n].roll(-1, 0).flip(0) for X, n in zip(inputs.unbind(1), lengths, strict=True)]
    rest = [X[n:] for X, n in zip(inputs.unbind(1), lengths, strict=True)]
    both = [torch.cat(pair) for pair in zip(columns, rest, strict=True)]
    return torch.stack(both, dim=1)


reverse = Task(
    name="reverse",
    title="Reversal within each length",
    label="sec-bi-scratch",
    wanted=("function", "reverse"),
    reference=layers.reverse,
    cases=[
        reversal_case((5, 3, 2), None),
        reversal_case((5, 3, 2), [5, 2, 4]),
        reversal_case((5, 4, 2), [3, 1, 4, 2]),
        reversal_case((1, 1, 3), [1]),
        reversal_case((4, 3, 3), [4, 4, 4]),
        Case("inputs on a GPU (in disguise)", reversed_elsewhere, "device", DEVICE),
    ],
    variants={
        "lengths_ignored": Variant(
            lambda inputs, lengths=None: inputs.flip(0),
            "You reverse the whole column whatever its length, so that its padding comes first. "
            "Reverse the first `lengths[b]` steps of column `b`; the padding stays behind "
            "({sec-bi-lengths}).",
        ),
        "padding_to_zero": Variant(
            then(lambda outputs, real: outputs * real),
            "Your padding has become 0. It is to stay as it was, so that reversing twice gives the "
            "inputs back.",
        ),
        "longest": Variant(
            within(lambda lengths: lengths.max().expand_as(lengths)),
            "You reverse all columns within the length of the longest. Each has its own, "
            "`lengths[b]`.",
        ),
        "first_length": Variant(
            within(lambda lengths: lengths[0].expand_as(lengths)),
            "You reverse all columns within the length of the first. Each has its own, "
            "`lengths[b]`.",
        ),
        "one_short": Variant(
            within(lambda lengths: lengths - 1),
            "The last real step of each column stays where it is: you reverse one step too few. "
            "Steps count from 0, so the partner of `t` is `lengths - 1 - t`.",
        ),
        "one_far": Variant(
            within(lambda lengths: lengths + 1),
            "One step of padding gets in among the real ones: you reverse one step too many. Steps "
            "count from 0, so the partner of `t` is `lengths - 1 - t`.",
        ),
        "shifted": Variant(
            to_the_end,
            "Your steps are reversed and shifted round by one. The partner of step `t` is "
            "`lengths - 1 - t`: the last real step comes first.",
        ),
        "batch_reversed": Variant(
            lambda inputs, lengths=None: inputs.flip(1),
            "You reverse the texts of the batch. Time is the first dimension: `flip(0)`.",
        ),
        "features_reversed": Variant(
            lambda inputs, lengths=None: inputs.flip(2),
            "You reverse the numbers of each step. Time is the first dimension: `flip(0)`.",
        ),
        "not_reversed": Variant(
            lambda inputs, lengths=None: inputs.clone(),
            "Your outputs are the inputs, in their own order. If you reverse a copy, return the "
            "copy.",
        ),
        "not_without_lengths": Variant(
            lambda inputs, lengths=None: (
                inputs.clone() if lengths is None else flipped(inputs, lengths)
            ),
            "Without lengths nothing is reversed. Then every column is as long as the inputs: "
            "`inputs.flip(0)`.",
        ),
        "cut/lengths": Variant(
            lambda inputs, lengths=None: (
                inputs.flip(0) if lengths is None else flipped(inputs, lengths).detach()
            ),
            "Your outputs are right, but with lengths no gradient passes through them: they were "
            "made out of numbers, or by `detach`.",
        ),
        "cut": Variant(
            then(lambda outputs, real: outputs.detach()),
            "Your outputs are right, but no gradient passes through them: they were made out of "
            "numbers, or by `detach`.",
        ),
    },
    hints=[
        "Without lengths, `inputs.flip(0)` is all.",
        "With lengths, ask for each place where its number comes from. In column `b` the step `t` "
        "comes from `lengths[b] - 1 - t` as long as `t < lengths[b]`, and from `t` itself in the "
        "padding.",
        "`torch.where` makes the table of these steps, of shape (T, B), out of `t` as a column "
        "(T, 1) and `lengths` (B,). Then `inputs[source, torch.arange(B)]`.",
    ],
    passed="Every column is reversed within its own length, the padding stays, gradients pass, and "
    "the inputs are as they were.",
    read={"lengths_ignored": "sec-bi-lengths"},
)


# --- Two directions


def with_lengths(program: Any) -> Seen:
    """Look at real places alone: what stands on padding means nothing."""
    layer = fill(program(GRU(4, 5), RNN(4, 5)), torch.float32)
    lengths = torch.tensor([6, 2, 4])
    leaf = numbers("X", (6, 3, 4), torch.float32).requires_grad_()
    outputs, state = layer(leaf.clone(), lengths=lengths)
    real = (torch.arange(6)[:, None] < lengths)[..., None]
    seen: Seen = {"outputs": (outputs * real).detach()}
    if not outputs.requires_grad:
        return seen | {"gradients": "none"}
    scalar = (outputs * real * numbers("weights", outputs.shape, torch.float32)).sum()
    parameters = dict(layer.named_parameters())
    found = torch.autograd.grad(scalar, [leaf, *parameters.values()], allow_unused=True)
    for name, p, gradient in zip(
        ["the inputs", *parameters], [leaf, *parameters.values()], found, strict=True
    ):
        seen[f"the gradient of {name}"] = torch.zeros_like(p) if gradient is None else gradient
    return seen | {
        f"the last state to the {side}, of the longest text": part[0].detach()
        for side, part in zip(("right", "left"), tensors(state), strict=False)
    }


def lengths_elsewhere(program: Any) -> Seen:
    """Run with lengths on a GPU in disguise."""
    with Elsewhere() as gpu:
        layer = gpu.move(fill(program(GRU(4, 5), RNN(4, 5)), torch.float32))
        X, lengths = gpu.move((torch.ones(3, 2, 4), torch.tensor([3, 2])))
        outputs = layer(X, lengths=lengths)[0]
        return {
            "the device of the outputs": "that of the inputs" if gpu.is_there(outputs) else "CPU"
        }


def two_ways(
    there: Callable[[Tensor, Any], Tensor] = layers.reverse,
    back: Callable[[Tensor, Any], Tensor] = layers.reverse,
    join: Callable[[Tensor, Tensor], Tensor] = lambda right, left: torch.cat([right, left], dim=2),
    given: Callable[[State], State] = lambda state: (None, None) if state is None else state,
    returned: Callable[[State, State], State] = lambda right, left: (right, left),
    second: str = "backward_layer",
) -> Any:
    """Return a class of bidirectional layers of which one part is changed."""

    class TwoWays(layers.Bidirectional):
        def forward(
            self, inputs: Tensor, state: State = None, lengths: Tensor | None = None
        ) -> Result:
            to_right, to_left = given(state)
            right, to_right = self.forward_layer(inputs, to_right)
            left, to_left = getattr(self, second)(there(inputs, lengths), to_left)
            return join(right, back(left, lengths)), returned(to_right, to_left)

    return TwoWays


def without(inputs: Tensor, lengths: Any) -> Tensor:
    """Reverse and leave the lengths out."""
    return layers.reverse(inputs)


def as_it_is(inputs: Tensor, lengths: Any) -> Tensor:
    """Do not reverse."""
    return inputs


def none_or(choose: Callable[[State], State]) -> Callable[[State], State]:
    """Return what chooses from a state, and makes a pair of None where there is none."""
    return lambda state: (None, None) if state is None else choose(state)


bidirectional = Task(
    name="bidirectional",
    title="Two directions, with lengths",
    label="sec-bi-scratch",
    wanted=("class", "Bidirectional"),
    reference=layers.Bidirectional,
    cases=[
        *layer_cases(
            lambda program, D, H: program(GRU(D, H), RNN(D, H)),
            lambda B, H: (torch.zeros(B, H), torch.zeros(B, H)),
            ["the last state to the right", "the last state to the left"],
        ),
        Case("inputs of shape (6, 3, 4) and lengths [6, 2, 4]", with_lengths),
        Case("lengths on a GPU (in disguise)", lengths_elsewhere, "device", DEVICE),
    ],
    variants={
        "not_turned_back": Variant(
            two_ways(back=as_it_is),
            "The outputs of your backward layer are still in its own order: its first output, "
            "which belongs to the last step, stands at step 1. Reverse them again before you join "
            "the two ({eq-bi-join}).",
        ),
        "not_reversed": Variant(
            two_ways(there=as_it_is, back=as_it_is),
            "Your backward layer reads from left to right, as the other does. It is given the "
            "reversed inputs ({eq-bi}).",
        ),
        "outputs_reversed_only": Variant(
            two_ways(there=as_it_is),
            "Your backward layer reads the inputs in their own order, and only its outputs are "
            "reversed. Both are reversed: inputs before it, outputs after it ({eq-bi}).",
        ),
        "sum": Variant(
            two_ways(join=torch.add),
            "You add the two states of a step. They stand side by side, `torch.cat` along the last "
            "dimension ({eq-bi-join}).",
        ),
        "halves_exchanged": Variant(
            two_ways(join=lambda right, left: torch.cat([left, right], dim=2)),
            "The halves of your outputs are exchanged: first comes the forward layer, then the "
            "backward one ({eq-bi-join}), as in `nn.GRU`.",
        ),
        "joined_in_time": Variant(
            two_ways(join=lambda right, left: torch.cat([right, left], dim=0)),
            "You put the two directions one after the other in time. They stand side by side, "
            "`dim=2` ({eq-bi-join}).",
        ),
        "next_step": Variant(
            two_ways(join=lambda right, left: torch.cat([right, left.roll(-1, 0)], dim=2)),
            "You join the forward state of step `t` with the backward state of step `t + 1`. Both "
            "halves belong to the *same* step ({eq-bi-join}).",
        ),
        "lengths_ignored": Variant(
            two_ways(there=without, back=without),
            "Your backward layer starts in the padding: `lengths` has no effect. Hand it to "
            "`reverse`, both times ({sec-bi-lengths}).",
        ),
        "lengths_only_back": Variant(
            two_ways(there=without),
            "You use `lengths` when you reverse the outputs, and not when you reverse the inputs. "
            "Both have to be reversed in the same way ({sec-bi-lengths}).",
        ),
        "lengths_only_there": Variant(
            two_ways(back=without),
            "You use `lengths` when you reverse the inputs, and not when you reverse the outputs. "
            "Both have to be reversed in the same way ({sec-bi-lengths}).",
        ),
        "states_ignored": Variant(
            two_ways(given=lambda state: (None, None)),
            "Your layers start from zeros whatever state is given. The state is a pair: the first "
            "part is for the forward layer, the second for the backward one.",
        ),
        "states_taken_exchanged": Variant(
            two_ways(given=none_or(lambda state: (state[1], state[0]))),
            "You hand the parts of the given state to the wrong layers: the first is for the "
            "forward layer.",
        ),
        "states_returned_exchanged": Variant(
            two_ways(returned=lambda right, left: (left, right)),
            "You return the two states in the wrong order: the forward layer's comes first.",
        ),
        "one_state_for_both": Variant(
            two_ways(given=none_or(lambda state: (state[0], state[0]))),
            "Both your layers begin with the first part of the state. The second part is for the "
            "backward layer.",
        ),
        "state_passed_on": Variant(
            two_ways(returned=lambda right, left: left),
            "You return the state of the backward layer alone. The state of the whole is the pair "
            "of both.",
        ),
        "one_layer_twice": Variant(
            two_ways(second="forward_layer"),
            "Your forward layer reads in both directions, and the backward layer is never used. "
            "Each direction has weights of its own ({eq-bi}).",
        ),
        "cut": Variant(
            two_ways(join=lambda right, left: torch.cat([right, left.detach()], dim=2)),
            "Your outputs are right, but no gradient reaches the backward layer: its outputs are "
            "cut off (`detach`).",
        ),
    },
    hints=[
        "The forward layer reads `inputs`; the backward layer, an ordinary layer, reads "
        "`reverse(inputs, lengths)`. The state is a pair, one part for each; without a state, both "
        "are `None`.",
        "What the backward layer returns stands in its own order: reverse its outputs again, with "
        "the same lengths.",
        "Join the outputs with `torch.cat(..., dim=2)`, forward half first ({eq-bi-join}), and "
        "return the pair of both last states.",
    ],
    passed="Outputs, both states and all gradients are those of {eq-bi} and {eq-bi-join}: with and "
    "without states, and with lengths, where padding changes nothing before it.",
    read={"next_step": "eq-bi-join", "sum": "eq-bi-join", "halves_exchanged": "eq-bi-join"}
    | dict.fromkeys(
        ("lengths_ignored", "lengths_only_back", "lengths_only_there"), "sec-bi-lengths"
    ),
    explain=explain,
    random=True,
)
