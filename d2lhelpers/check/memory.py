"""Tasks: the long short-term memory, and how its forget gate starts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from d2lhelpers import layers
from d2lhelpers.check.core import Case, Seen, Task, Unfit, Variant, describe
from d2lhelpers.check.probe import layer_cases
from d2lhelpers.check.walks import Step, explain, needs, variants_of

Pair = tuple[Tensor, Tensor]
ORDER = "ifco"


def weights(layer: layers.LSTM) -> SimpleNamespace:
    """Return the weights of an LSTM under the names that they have in the equations."""
    p = SimpleNamespace()
    p.W_xi, p.W_xf, p.W_xc, p.W_xo = layer.W_x.chunk(4, dim=1)
    p.W_hi, p.W_hf, p.W_hc, p.W_ho = layer.W_h.chunk(4, dim=1)
    p.b_i, p.b_f, p.b_c, p.b_o = layer.b.unbind()
    return p


def new_memory(F: Tensor, C: Tensor, I_t: Tensor, candidate: Tensor, H: Tensor) -> Tensor:
    """Return the memory of one step."""
    return F * C + I_t * candidate


def step(
    change: Callable[[SimpleNamespace], None] = lambda p: None,
    gate: Callable[[Tensor], Tensor] = torch.sigmoid,
    activation: Callable[[Tensor], Tensor] = torch.tanh,
    gates: Callable[..., Sequence[Tensor]] = lambda I_t, F, O_t: (I_t, F, O_t),
    memory: Callable[..., Tensor] = new_memory,
    shown: Callable[..., Tensor] = lambda O_t, C, old: O_t * torch.tanh(C),
    before: Callable[[Tensor, Tensor], Pair] = lambda H, C: (H, C),
) -> Step:
    """Return a step of the LSTM with one part changed: its weights, a function, a formula."""

    def run(p: SimpleNamespace, X: Tensor, state: Pair) -> Pair:
        change(p)
        H, C = before(*state)

        def inside(kind: str) -> Tensor:
            W_x, W_h, b = (getattr(p, f"{name}{kind}") for name in ("W_x", "W_h", "b_"))
            result: Tensor = X @ W_x + H @ W_h + b
            return result

        I_t, F, O_t = gates(*(gate(inside(kind)) for kind in "ifo"))
        new = memory(F, C, I_t, activation(inside("c")), H)
        return shown(O_t, new, C), new

    return run


def reordered(kinds: str) -> Callable[[SimpleNamespace], None]:
    """Return what reads the columns and rows as if they came in another order."""

    def change(p: SimpleNamespace) -> None:
        old = dict(vars(p))
        for read, stands in zip(kinds, ORDER, strict=True):
            for name in ("W_x", "W_h", "b_"):
                setattr(p, name + read, old[name + stands])

    return change


def no_biases(p: SimpleNamespace) -> None:
    """Set all biases to zero."""
    for kind in ORDER:
        setattr(p, f"b_{kind}", torch.zeros_like(p.b_i))


def transpose(p: SimpleNamespace) -> None:
    """Transpose the weights of the state."""
    for kind in ORDER:
        setattr(p, f"W_h{kind}", getattr(p, f"W_h{kind}").T)


one = torch.ones_like
IN_ORDER = (
    "The columns of `W_x` and `W_h`, and the rows of `b`, come in the order input, forget, "
    "candidate, output."
)
STEPS: dict[str, tuple[Step, str]] = {
    "no_output_tanh": (
        step(shown=lambda O_t, C, old: O_t * C),
        "Your state shows the memory without a tanh, `O * C`. What is shown is `O * tanh(C)` "
        "({eq-lstm-state}): the memory may grow, the state stays between -1 and 1.",
    ),
    "bounded_memory": (
        step(memory=lambda F, C, I_t, new, H: torch.tanh(F * C + I_t * new)),
        "Your memory itself goes through tanh. On its path stand one product and one sum, and "
        "nothing else ({eq-lstm-memory}); the tanh belongs to what is shown ({eq-lstm-state}).",
    ),
    "sigmoid_candidate": (
        step(activation=torch.sigmoid),
        "Your candidate goes through a sigmoid; it must go through tanh ({eq-lstm-candidate}), so "
        "that the memory can fall as well as rise.",
    ),
    "linear_candidate": (
        step(activation=lambda inside: inside),
        "Your candidate is the bare sum: the tanh is missing ({eq-lstm-candidate}).",
    ),
    "tanh_gates": (
        step(gate=torch.tanh),
        "Your gates go through tanh. A gate lies between 0 and 1, so it is a sigmoid "
        "({eq-lstm-gates}).",
    ),
    "linear_gates": (
        step(gate=lambda inside: inside),
        "Your gates are bare sums: the sigmoid that brings them between 0 and 1 is missing "
        "({eq-lstm-gates}).",
    ),
    "order_ifoc": (
        step(reordered("ifoc")),
        f"Your candidate and your output gate are exchanged. {IN_ORDER} The three gates do not "
        "stand side by side.",
    ),
    "order_fico": (
        step(reordered("fico")),
        f"Your input gate and your forget gate are exchanged. {IN_ORDER}",
    ),
    "order_ofci": (
        step(reordered("ofci")),
        f"Your input gate and your output gate are exchanged. {IN_ORDER}",
    ),
    "order_cifo": (
        step(reordered("cifo")),
        f"You read the columns in the order candidate, input, forget, output. {IN_ORDER}",
    ),
    "coupled": (
        step(gates=lambda I_t, F, O_t: (1 - F, F, O_t)),
        "Your input gate is `1 - F`, as in a GRU. Here it has weights of its own "
        "({eq-lstm-gates}); the coupled form is {ex-lstm-coupled}.",
    ),
    "forgets_complement": (
        step(memory=lambda F, C, I_t, new, H: (1 - F) * C + I_t * new),
        "Your memory keeps the share `1 - F`. The forget gate says how much is *kept*: 1 keeps all "
        "({eq-lstm-memory}).",
    ),
    "no_forget_gate": (
        step(gates=lambda I_t, F, O_t: (I_t, one(F), O_t)),
        "Your forget gate has no effect: the memory is kept whole, `F = 1` ({eq-lstm-memory}). So "
        "was the memory of 1997; here the gate multiplies it.",
    ),
    "no_input_gate": (
        step(gates=lambda I_t, F, O_t: (one(I_t), F, O_t)),
        "Your input gate has no effect: the whole candidate is written ({eq-lstm-memory}).",
    ),
    "no_output_gate": (
        step(gates=lambda I_t, F, O_t: (I_t, F, one(O_t))),
        "Your output gate has no effect: the whole memory is shown ({eq-lstm-state}).",
    ),
    "no_memory": (
        step(memory=lambda F, C, I_t, new, H: I_t * new),
        "Your memory forgets everything at each step: the term `F * C` is missing "
        "({eq-lstm-memory}).",
    ),
    "state_for_memory": (
        step(memory=lambda F, C, I_t, new, H: F * H + I_t * new),
        "Your forget gate multiplies the state `H`. It multiplies the memory `C` "
        "({eq-lstm-memory}): what is kept is what was collected, not what was shown of it.",
    ),
    "old_memory_shown": (
        step(shown=lambda O_t, C, old: O_t * torch.tanh(old)),
        "Your state shows the memory of the step before. Compute the new `C` first; `H` shows the "
        "new one ({eq-lstm-state}).",
    ),
    "pair_exchanged_inside": (
        step(before=lambda H, C: (C, H)),
        "You take the state apart the wrong way round. It is the pair `(H, C)`: first what is "
        "shown, then the memory.",
    ),
    "no_biases": (
        step(no_biases),
        "The biases `b` do not enter your outputs: each gate and the candidate have one "
        "({eq-lstm-gates}, {eq-lstm-candidate}).",
    ),
    "transposed": (
        step(transpose),
        "Your weights of the state are transposed. Here the state stands on the left, `H @ W_h`, "
        "and weights are not transposed as in `nn.LSTM`.",
    ),
    "cut": (
        step(before=lambda H, C: (H.detach(), C.detach())),
        "Your outputs are right, and the gradients are those of a layer that cuts state and memory "
        "off before each step (`detach`): nothing is learned through time.",
    ),
    "cut_memory": (
        step(before=lambda H, C: (H, C.detach())),
        "Your outputs are right, but no gradient passes along the memory: `C` is cut off before "
        "each step. That path is what the LSTM is for ({eq-lstm-direct}).",
    ),
    "cut_state": (
        step(before=lambda H, C: (H.detach(), C)),
        "Your outputs are right, but no gradient passes through the state `H`, which is cut off "
        "before each step; only the path of the memory is left.",
    ),
}


class ReturnedExchanged(layers.LSTM):
    """An LSTM that returns the pair the wrong way round."""

    def forward(self, inputs: Tensor, state: Pair | None = None) -> tuple[Tensor, Pair]:
        outputs, (H, C) = super().forward(inputs, state)
        return outputs, (C, H)


class TakenExchanged(layers.LSTM):
    """An LSTM that takes the pair the wrong way round."""

    def forward(self, inputs: Tensor, state: Pair | None = None) -> tuple[Tensor, Pair]:
        return super().forward(inputs, None if state is None else (state[1], state[0]))


class BothExchanged(layers.LSTM):
    """An LSTM that takes and returns the pair the wrong way round."""

    def forward(self, inputs: Tensor, state: Pair | None = None) -> tuple[Tensor, Pair]:
        outputs, (H, C) = super().forward(inputs, None if state is None else (state[1], state[0]))
        return outputs, (C, H)


class MemoryShown(layers.LSTM):
    """An LSTM whose outputs are the memories."""

    def forward(self, inputs: Tensor, state: Pair | None = None) -> tuple[Tensor, Pair]:
        outputs = []
        for X in inputs:
            _, state = super().forward(X[None], state)
            outputs.append(state[1])
        assert state is not None
        return torch.stack(outputs), state


class MemoryNotCarried(layers.LSTM):
    """An LSTM that starts each step from the first memory."""

    def forward(self, inputs: Tensor, state: Pair | None = None) -> tuple[Tensor, Pair]:
        zeros = inputs.new_zeros(inputs.shape[1], self.hidden_size)
        H, first = (zeros, zeros) if state is None else state
        outputs, C = [], first
        for X in inputs:
            _, (H, C) = super().forward(X[None], (H, first))
            outputs.append(H)
        return torch.stack(outputs), (H, C)


PAIR = "The state is the pair `(H, C)`: first what is shown, then the memory."
lstm = Task(
    name="lstm",
    title="LSTM",
    label="sec-lstm-scratch",
    wanted=("class", "LSTM"),
    reference=layers.LSTM,
    cases=layer_cases(
        lambda program, D, H: program(D, H),
        lambda B, H: (torch.zeros(B, H), torch.zeros(B, H)),
        ["the last H", "the last C"],
        needs("W_x", "W_h", "b"),
    ),
    variants=variants_of(layers.LSTM, weights, STEPS)
    | {
        "returned_exchanged": Variant(
            ReturnedExchanged, f"You return the state the wrong way round, as `(C, H)`. {PAIR}"
        ),
        "taken_exchanged": Variant(
            TakenExchanged, f"You take the given state the wrong way round, as `(C, H)`. {PAIR}"
        ),
        "both_exchanged": Variant(
            BothExchanged,
            f"You take and return the state as `(C, H)`. {PAIR} So it is in `nn.LSTM`, and all "
            "that uses the layer counts on it.",
        ),
        "memory_shown": Variant(
            MemoryShown,
            "Your outputs are the memories `C`. What a layer gives to the next is the state `H`, "
            "what the output gate shows of the memory ({eq-lstm-state}).",
        ),
        "memory_not_carried": Variant(
            MemoryNotCarried,
            "Your memory starts anew from the first one at each step: the new `C` does not reach "
            "the next step. Assign it to the variable that the loop reads ({eq-lstm-memory}).",
        ),
    },
    hints=[
        "The state is a pair, `H, C = state`, and both parts start from zeros of shape (B, H) if "
        "it is `None`.",
        "One step needs `X @ W_x + H @ W_h + b`, of 4H columns; cut it into four with "
        "`chunk(4, dim=1)`: input gate, forget gate, candidate, output gate. Three go through a "
        "sigmoid ({eq-lstm-gates}), the candidate through tanh ({eq-lstm-candidate}).",
        "First the memory, `C = F * C + I * candidate` ({eq-lstm-memory}), then what is shown of "
        "it, `H = O * tanh(C)` ({eq-lstm-state}). Return the stacked `H` and the pair `(H, C)`.",
    ],
    passed="Outputs, both parts of the last state and the gradients of inputs, first state, `W_x`, "
    "`W_h` and `b` are those of {eq-lstm-gates} to {eq-lstm-state}: with and without a "
    "state, with one step and one text, in float32 and float64. Nothing is changed in place, "
    "nothing stays behind.",
    read={
        "cut_memory": "sec-lstm-gradient",
        "no_output_tanh": "eq-lstm-state",
        "no_forget_gate": "eq-lstm-memory",
    },
    explain=explain,
    random=True,  # a new layer draws its weights
)


# --- The bias of the forget gate


def start_case(bias: float) -> Case:
    """Return a case that looks at what stands in the two biases of the new layer."""

    def run(program: Any) -> Seen:
        layer = program(bias)
        if not isinstance(layer, nn.LSTM):
            raise Unfit(
                f"`adder_lstm({bias})` returned {describe(layer)}; it must return the "
                "`nn.LSTM(2, 32)` whose biases it has set."
            )
        sizes = layer.input_size, layer.hidden_size
        seen: Seen = {"the sizes D and H of the layer": str(sizes)}
        if sizes != (2, 32):
            return seen
        own = {name: parameter.detach() for name, parameter in layer.named_parameters()}
        both = own["bias_ih_l0"] + own["bias_hh_l0"]
        blocks = dict(zip(("input", "forget", "candidate", "output"), both.split(32), strict=True))
        seen["the bias of the forget gate, both together,"] = blocks.pop("forget")
        limit = 2 * 32**-0.5  # two numbers within ±1/√H
        for name, block in blocks.items():
            random = block.abs().max() <= limit and len(block.unique()) > 16
            seen[f"the bias of the {name} block"] = (
                "as PyTorch starts it" if random else f"set, to {float(block[0]):.4g}"
            )
        drawn = (own["weight_ih_l0"], own["weight_hh_l0"])
        spread = all(len(W.unique()) > W.numel() // 2 for W in drawn)
        seen["the weights"] = "as PyTorch starts them" if spread else "changed"
        learn = all(p.requires_grad and p.is_leaf for p in layer.parameters())
        seen["the parameters"] = "can be trained" if learn else "can no longer be trained"
        seen["a step of the layer"] = tuple(layer(torch.zeros(3, 2, 2))[0].shape) == (3, 2, 32)
        return seen

    return Case(f"forget_bias = {bias}", run)


def started(change: Callable[[nn.LSTM, float], None]) -> Callable[[float], nn.LSTM]:
    """Return a function that makes an LSTM and sets its biases."""

    def make(forget_bias: float) -> nn.LSTM:
        layer = nn.LSTM(2, 32)
        with torch.no_grad():
            change(layer, forget_bias)
        return layer

    return make


def biases(layer: nn.LSTM, first: int = 0, last: int = 3) -> Pair:
    """Return a range of blocks of both biases."""
    own = dict(layer.named_parameters())
    part = slice(32 * first, 32 * (last + 1))
    return own["bias_ih_l0"][part], own["bias_hh_l0"][part]


def set_block(first: int, second: float | None = 0.0) -> Callable[[nn.LSTM, float], None]:
    """Return what sets one block: the first bias to the value, the second as told."""

    def change(layer: nn.LSTM, value: float) -> None:
        ih, hh = biases(layer, first, first)
        ih.fill_(value)
        if second is not None:
            hh.fill_(second)

    return change


def set_twice(layer: nn.LSTM, value: float) -> None:
    """Set both biases of the forget gate to the whole value."""
    for bias in biases(layer, 1, 1):
        bias.fill_(value)


def set_all(layer: nn.LSTM, value: float) -> None:
    """Set the biases of all blocks."""
    ih, hh = biases(layer)
    ih.fill_(value)
    hh.zero_()


def set_others_to_zero(layer: nn.LSTM, value: float) -> None:
    """Set the forget gate's bias, and all others to zero."""
    for bias in biases(layer):
        bias.zero_()
    biases(layer, 1, 1)[0].fill_(value)


def add_to_it(layer: nn.LSTM, value: float) -> None:
    """Add to the random start."""
    biases(layer, 1, 1)[0].add_(value)


SECOND = "The blocks come in the order input, forget, candidate, output: the second is the one."
forget_bias = Task(
    name="forget_bias",
    title="A forget gate that starts open",
    label="sec-lstm-long-lags",
    wanted=("function", "adder_lstm"),
    reference=started(set_block(1)),
    cases=[start_case(1.0), start_case(-2.5), start_case(0.0)],
    variants={
        "twice": Variant(
            started(set_twice),
            "Your forget gate starts at twice the bias. PyTorch adds two biases, `bias_ih_l0` and "
            "`bias_hh_l0`: only their sum counts. Set one to `forget_bias` and the other to 0.",
        ),
        "second_left": Variant(
            started(set_block(1, second=None)),
            "You set one of PyTorch's two biases and left the random numbers of the other, "
            "`bias_hh_l0`. Both are added: set the other to 0.",
        ),
        "added": Variant(
            started(add_to_it),
            "You added `forget_bias` to the random start of the bias. Set it: the two biases "
            "together should be `forget_bias`.",
        ),
        "input_block": Variant(
            started(set_block(0)), f"You set the bias of the input gate. {SECOND}"
        ),
        "candidate_block": Variant(
            started(set_block(2)), f"You set the bias of the candidate. {SECOND}"
        ),
        "output_block": Variant(
            started(set_block(3)), f"You set the bias of the output gate. {SECOND}"
        ),
        "all_blocks": Variant(
            started(set_all),
            f"You set the biases of all four blocks. Only the forget gate is to change. {SECOND}",
        ),
        "others_zero": Variant(
            started(set_others_to_zero),
            "The bias of the forget gate is right, but the other three blocks are now 0. Leave "
            "them as PyTorch starts them.",
        ),
        "argument_ignored": Variant(
            lambda forget_bias: started(set_block(1))(1.0),
            "Your forget gate starts at 1 whatever `forget_bias` is.",
        ),
        "not_set": Variant(
            lambda forget_bias: nn.LSTM(2, 32),
            "Your layer is as PyTorch starts it: nothing was set. An assignment to a new variable, "
            "or to a copy, does not reach the layer; `layer.bias_ih_l0[H : 2 * H] = ...` does.",
        ),
    },
    hints=[
        "A parameter is changed inside `with torch.no_grad():`.",
        "`layer.bias_ih_l0` has 4H numbers: those of the input gate, the forget gate, the "
        "candidate and the output gate.",
        "PyTorch adds a second bias, `layer.bias_hh_l0`. Set the forget gate's block of the first "
        "to `forget_bias`, and that of the second to 0.",
    ],
    passed="The two biases of the forget gate together are `forget_bias`, for three values of it, "
    "and all else is as PyTorch starts it ({sec-lstm-bias} says what that is good for).",
    read={"twice": "sec-lstm-bias"},
    doc="""Return an `nn.LSTM(2, 32)` whose forget gates start at a bias.

Args:
    forget_bias: what the two biases of each forget gate add up to. All other parameters are as
        PyTorch starts them.
""",
    random=True,
)
