# ruff: noqa: PT017 - an outcome is an error or a result, and both are looked at
"""Misuse of every kind: a right result or a clear error, never a wrong result, and never a wait.

A case calls the package in a way that a reader might. Its outcome is
- "right result": what an independent computation says, PyTorch's layers for the most part, or
- "clear error": raised by the package itself, before any work, in a message that names the input,
  the rule and the fix. Where one of PyTorch's own layers stands inside, its own check may speak.

Everything else fails, and so does a case that takes longer than `limits.LIMIT` seconds. The last
lines of a run tell how many outcomes there were of each kind.
"""

from __future__ import annotations

import math
import os
import re
import traceback
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from limits import time_limit
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence

import d2lhelpers
from d2lhelpers.batches import consecutive_batches, random_batches
from d2lhelpers.device import use_device
from d2lhelpers.generation import generate
from d2lhelpers.layers import GRU, LSTM, RNN, Bidirectional, DeepRNN, WithDropout, reverse
from d2lhelpers.model import LanguageModel, layer_sizes, mode
from d2lhelpers.ngram import KneserNey, WittenBell
from d2lhelpers.plots import plot_learning_curves, plot_lines
from d2lhelpers.progress import ProgressTable
from d2lhelpers.tasks import (
    Adder,
    adding_problem,
    copy_chance,
    copy_memory,
    load_measurement,
    task_loss,
    train_on_task,
)
from d2lhelpers.text import Corpus, Vocabulary, load_corpus, load_text, simplify
from d2lhelpers.training import (
    TrainConfig,
    clip_gradients,
    log_probabilities,
    perplexity,
    train,
    train_epoch,
)

PACKAGE = str(Path(d2lhelpers.__file__).parent)
TORCH_LAYERS = str(Path(nn.RNN.forward.__code__.co_filename))
FIX = (
    r"\b(add|call|check|choose|delete|draw|drop|encode|give|leave|make|pass|save|set|train|try|use"
    r"|write)\b"
)
T, B, D, H, V = 5, 2, 3, 4, 27
torch.manual_seed(0)  # the same cases in every process
TEXT = torch.arange(400) % V


def outcome(
    call: Callable[[], Any], right: Callable[[Any], object] | None = None, name: str = ""
) -> str:
    """Return what became of a call, or fail: see the top of this module.

    `right` fails unless its argument is the right result; None if there is none. `name` has to
    stand in the error's message.
    """
    with time_limit():
        try:
            result = call()
        except (TypeError, ValueError, OSError, RuntimeError, FloatingPointError) as error:
            where = traceback.extract_tb(error.__traceback__)[-1].filename
            message = str(error)
            if where == TORCH_LAYERS:
                assert re.search(r"(?i)expected|must|should|convert", message), message
                return "clear error"
            assert where.startswith(PACKAGE), f"from deep inside, {where}: {error!r}"
            assert name in message, f"{message!r} does not name {name!r}"
            assert re.search(r"[:;] .*" + FIX, message, re.DOTALL), f"{message!r}: rule, fix?"
            return "clear error"
        assert right is not None, f"no error, but a result: {result!r}"
        right(result)
    return "right result"


@pytest.fixture
def judge(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Note the outcome of a call, for the count at the end of the run."""

    def note(*args: Any, **kwargs: Any) -> None:
        record_property("outcome", outcome(*args, **kwargs))

    return note


def shown(value: object) -> str:
    if isinstance(value, tuple | list | dict):
        values = value.values() if isinstance(value, dict) else value
        return f"{type(value).__name__}({', '.join(map(shown, values))})"[:60]
    if isinstance(value, set):  # which has another order in each process
        return repr(sorted(value))[:40]
    if isinstance(value, Tensor | np.ndarray):
        kind = str(value.dtype).removeprefix("torch.")
        return f"{type(value).__name__}{tuple(value.shape)}{kind}"
    return repr(value).split(" at 0x")[0][:40]


# --- Layers: inputs

LAYERS: dict[str, Callable[[], nn.Module]] = {
    "RNN": lambda: RNN(D, H),
    "GRU": lambda: GRU(D, H),
    "LSTM": lambda: LSTM(D, H),
    "dropout": lambda: WithDropout(GRU(D, H), 0.5),
    "dropout, torch's": lambda: WithDropout(nn.LSTM(D, H), 0.5),
    "deep": lambda: DeepRNN([RNN(D, H), LSTM(H, H)]),
    "deep, torch's": lambda: DeepRNN([nn.GRU(D, H), nn.LSTM(H, H)]),
    "both": lambda: Bidirectional(GRU(D, H), LSTM(D, H)),
    "both, torch's": lambda: Bidirectional(nn.GRU(D, H), nn.RNN(D, H)),
}
INPUTS: list[Any] = [
    torch.randn(T, D),
    torch.randn(D),
    torch.tensor(1.0),
    torch.randn(1, T, B, D),
    torch.randn(T, B, D + 1),
    torch.randn(T, D, B),
    torch.randn(T, B, 1),
    torch.randn(0, B, D),
    torch.randint(V, (T, B, D)),
    torch.randint(V, (T, B)),
    torch.ones(T, B, D, dtype=torch.bool),
    torch.randn(T, B, D, dtype=torch.complex64),
    torch.randn(T, B, D, dtype=torch.float64),
    torch.randn(T, B, D, dtype=torch.float16),
    np.zeros((T, B, D), np.float32),
    [[[0.0] * D] * B] * T,
    pack_sequence([torch.randn(T, D)]),
    "text",
    None,
    3.5,
]


@pytest.mark.parametrize("inputs", INPUTS, ids=shown)
@pytest.mark.parametrize("layer", LAYERS)
def test_inputs_of_layers(judge, layer: str, inputs: Any) -> None:
    judge(lambda: LAYERS[layer]()(inputs), name="inputs")


@pytest.mark.parametrize("layer", LAYERS)
def test_a_batch_without_columns_has_none(judge, layer: str) -> None:
    def empty(result: Any) -> None:
        assert result[0].shape[:2] == (T, 0)

    judge(lambda: LAYERS[layer]().eval()(torch.randn(T, 0, D)), empty)


# --- Layers: states

ONE, OTHER = torch.randn(B, H), torch.randn(B, H)
NO_STATE: list[Any] = [
    ONE[None],
    ONE[:1],
    torch.randn(B + 1, H),
    torch.randn(B, 1),
    torch.randn(B, H + 1),
    torch.randn(H, B),
    torch.randn(H),
    torch.tensor(0.0),
    ONE.double(),
    ONE.long(),
    ONE > 0,
    (ONE, OTHER),
    [ONE],
    (),
    ONE.numpy(),
    ONE.tolist(),
    "zero",
    0,
]
NO_PAIR: list[Any] = [
    ONE,
    torch.stack([ONE, OTHER]),
    (ONE,),
    (ONE, OTHER, ONE),
    (),
    (ONE, None),
    (None, ONE),
    (ONE[:1], OTHER),
    (ONE, OTHER[:, :1]),
    (ONE[None], OTHER[None]),
    (ONE, OTHER.double()),
    (ONE.long(), OTHER),
    {"H": ONE, "C": OTHER},
    "zero",
    0,
]
NO_PARTS: list[Any] = [ONE, torch.stack([ONE, OTHER]), (), (None,), (None,) * 3, "zero", 0, {}]
STATES = {
    "RNN": NO_STATE,
    "GRU": NO_STATE,
    "LSTM": NO_PAIR,
    "dropout": NO_STATE,
    "dropout, torch's": [ONE, torch.stack([ONE, OTHER]), (ONE,), (ONE, OTHER), (), 0],
    "deep": [*NO_PARTS, ((ONE, ONE), None), (None, ONE), (ONE[None], None), (None, (ONE, None))],
    "deep, torch's": [*NO_PARTS, ((ONE, ONE), None), (None, ONE), (ONE, None), (0, None)],
    "both": [*NO_PARTS, (ONE, ONE), (ONE[:1], None), (None, (ONE[:1], ONE))],
    "both, torch's": [*NO_PARTS, ((ONE, ONE), None), (ONE, None), (None, ONE[:, :1])],
}


@pytest.mark.parametrize(
    ("layer", "state"),
    [(layer, state) for layer, states in STATES.items() for state in states],
    ids=lambda value: value if isinstance(value, str) else shown(value),
)
def test_states_of_layers(judge, layer: str, state: Any) -> None:
    judge(lambda: LAYERS[layer]()(torch.randn(T, B, D), state), name="state")


KINDS = {RNN: nn.RNN, GRU: nn.GRU, LSTM: nn.LSTM}


def twins(kind: type[nn.Module]) -> tuple[nn.Module, nn.Module]:
    """Return a layer of ours and one of torch's with the same weights."""
    ours, theirs = kind(D, H), KINDS[kind](D, H)
    W_x, W_h, b = ours.parameters()
    rows, blocks = b.view(-1, H), W_x.shape[1] // H
    with torch.no_grad():
        theirs.weight_ih_l0.copy_(W_x.T)
        theirs.weight_hh_l0.copy_(W_h.T)
        theirs.bias_ih_l0.copy_(rows[:blocks].flatten())
        theirs.bias_hh_l0.zero_()
        if len(rows) > blocks:
            theirs.bias_hh_l0[-H:] = rows[blocks]
    return ours, theirs


sizes = st.lists(st.integers(0, 4), max_size=4)
near = st.tuples(st.integers(0, 3), st.sampled_from([1, B]), st.sampled_from([1, D, D, D])).map(
    list
)
near_state = st.tuples(st.sampled_from([1, B]), st.sampled_from([1, H])).map(list)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_any_shape_is_torchs_result_or_refused(kind, record_property) -> None:
    """Shapes drawn at random, most of them near to right ones."""
    ours, theirs = twins(kind)
    counts: Counter[str] = Counter()

    @given(inputs=sizes | near, state=st.none() | sizes | near_state, cell=near_state)
    def case(inputs: list[int], state: list[int] | None, cell: list[int]) -> None:
        x = torch.randn(inputs)
        given_state = None if state is None else torch.randn(state)
        theirs_state = None if given_state is None else given_state[None]
        if kind is LSTM and given_state is not None:
            C = torch.randn(cell)
            given_state, theirs_state = (given_state, C), (theirs_state, C[None])

        def right(result: Any) -> None:
            expected = theirs(x, theirs_state)
            torch.testing.assert_close(result[0], expected[0])

        counts[outcome(lambda: ours(x, given_state), right)] += 1

    case()
    for kind_of_outcome, count in counts.items():
        record_property("outcome", [kind_of_outcome, count])
    assert len(counts) == 2


# --- Layers: how they are made, and lengths

cell, shared = nn.GRUCell(D, H), GRU(H, H)
MADE: dict[str, tuple[Callable[[], Any], str]] = {
    "a cell in a stack": (lambda: DeepRNN([nn.RNNCell(D, H)]), "layer"),
    "a cell in a model": (lambda: LanguageModel(cell, V), "layer"),
    "a cell both ways": (lambda: Bidirectional(cell, nn.GRUCell(D, H)), "layer"),
    "a cell with dropout": (lambda: WithDropout(nn.LSTMCell(D, H), 0.1), "layer"),
    "a cell that adds": (lambda: Adder(cell), "layer"),
    "a class": (lambda: LanguageModel(GRU, V), "layer"),  # type: ignore[arg-type]
    "a name": (lambda: LanguageModel("GRU", V), "layer"),  # type: ignore[arg-type]
    "None": (lambda: LanguageModel(None, V), "layer"),  # type: ignore[arg-type]
    "no recurrent layer": (lambda: LanguageModel(nn.Linear(D, H), V), "input_size"),
    "batch first": (lambda: LanguageModel(nn.GRU(D, H, batch_first=True), V), "batch_first"),
    "batch first, deep": (lambda: DeepRNN([nn.GRU(D, H, batch_first=True)]), "batch_first"),
    "the same twice": (lambda: Bidirectional(shared, shared), "backward_layer"),
    "the same, wrapped": (lambda: Bidirectional(shared, WithDropout(shared, 0.1)), "share"),
    "the same in a stack": (lambda: DeepRNN([shared, shared]), "layers[1]"),
    "a list times three": (lambda: DeepRNN([GRU(H, H)] * 3), "layers[0]"),
    "one layer, no list": (lambda: DeepRNN(GRU(D, H)), "layers"),  # type: ignore[arg-type]
    "a generator": (lambda: DeepRNN(RNN(H, H) for _ in range(2)), "layers"),  # type: ignore[arg-type]
    "no layer": (lambda: DeepRNN([]), "layers"),
    "layers that do not fit": (lambda: DeepRNN([RNN(D, H), RNN(D, H)]), "layers[1]"),
    "sides that do not fit": (lambda: Bidirectional(RNN(D, H), RNN(H, H)), "layers"),
}


@pytest.mark.parametrize("case", MADE)
def test_layers_that_cannot_work_are_not_made(judge, case: str) -> None:
    call, name = MADE[case]
    judge(call, name=name)


LENGTHS: list[Any] = [
    torch.tensor([1, 0]),
    torch.tensor([T + 1, 1]),
    torch.tensor([-1, 1]),
    torch.tensor([1]),
    torch.tensor([1, 1, 1]),
    torch.tensor([[1, 1]]),
    torch.tensor(1),
    torch.tensor([1.0, 2.0]),
    torch.tensor([True, True]),
    torch.tensor([1 + 0j, 1]),
    [1, 2],
    np.array([1, 2]),
    3,
    "12",
]


@pytest.mark.parametrize("call", ["layer", "reverse"])
@pytest.mark.parametrize("lengths", LENGTHS, ids=shown)
def test_lengths(judge, call: str, lengths: Any) -> None:
    x, layer = torch.randn(T, B, D), Bidirectional(GRU(D, H), GRU(D, H))
    calls = {"layer": lambda: layer(x, lengths=lengths), "reverse": lambda: reverse(x, lengths)}
    judge(calls[call], name="lengths")


# --- Models: tokens

MODELS: dict[str, Callable[[], LanguageModel]] = {
    "ours": lambda: LanguageModel(GRU(D, H), V),
    "torch's": lambda: LanguageModel(nn.LSTM(D, H), V),
    "deep": lambda: LanguageModel(DeepRNN([LSTM(D, H), nn.RNN(H, H)]), V),
}
TOKENS: list[Any] = [
    TEXT[:T],
    TEXT[:8].view(2, 2, 2),
    torch.tensor(3),
    torch.full((T, B), V),
    torch.full((T, B), -1),
    torch.full((T, B), 2**40),
    torch.zeros(0, B, dtype=torch.int64),
    torch.zeros(T, B),
    torch.zeros(T, B, dtype=torch.bool),
    torch.zeros(T, B, dtype=torch.uint8),
    torch.zeros(T, B, dtype=torch.int16),
    torch.zeros(T, B, dtype=torch.complex64),
    [[1, 2], [3, 4]],
    np.zeros((T, B), np.int64),
    "the",
    None,
]


@pytest.mark.parametrize("tokens", TOKENS, ids=shown)
@pytest.mark.parametrize("model", MODELS)
def test_tokens_of_models(judge, model: str, tokens: Any) -> None:
    judge(lambda: MODELS[model]()(tokens), name="tokens")


@pytest.mark.parametrize(
    ("model", "state"),
    [("ours", state) for state in NO_STATE]
    + [("torch's", state) for state in [ONE, (ONE,), torch.stack([ONE, OTHER]), (ONE, OTHER), 0]]
    + [("deep", state) for state in NO_PARTS],
    ids=lambda value: value if isinstance(value, str) else shown(value),
)
def test_states_of_models(judge, model: str, state: Any) -> None:
    judge(lambda: MODELS[model]()(TEXT[: T * B].view(T, B), state), name="state")


# --- Numbers

MODEL = LanguageModel(GRU(D, H), V)
LETTERS = Vocabulary(" abcdefghijklmnopqrstuvwxyz")
SMALL = Corpus("small", LETTERS, TEXT, TEXT[:40], TEXT[:40])
ADDING = partial(adding_problem, 4, 6)


def fresh() -> LanguageModel:
    torch.manual_seed(0)
    return LanguageModel(GRU(D, H), V)


WHOLE: dict[str, tuple[Callable[[Any], Any], int]] = {  # a call for a number, and one that serves
    "input_size of RNN": (lambda n: RNN(n, H), D),
    "hidden_size of RNN": (lambda n: RNN(D, n), H),
    "input_size of GRU": (lambda n: GRU(n, H), D),
    "hidden_size of GRU": (lambda n: GRU(D, n), H),
    "input_size of LSTM": (lambda n: LSTM(n, H), D),
    "hidden_size of LSTM": (lambda n: LSTM(D, n), H),
    "vocab_size of LanguageModel": (lambda n: LanguageModel(GRU(D, H), n), V),
    "batch_size of consecutive": (lambda n: list(consecutive_batches(TEXT, n, 5)), 4),
    "num_steps of consecutive": (lambda n: list(consecutive_batches(TEXT, 4, n)), 5),
    "batch_size of random": (lambda n: list(random_batches(TEXT, n, 5, seeded())), 4),
    "num_steps of random": (lambda n: list(random_batches(TEXT, 4, n, seeded())), 5),
    "order of KneserNey": (lambda n: KneserNey(TEXT, n, V).perplexity(TEXT), 3),
    "vocab_size of WittenBell": (lambda n: WittenBell(TEXT, 2, n).perplexity(TEXT), V),
    "order of perplexity": (lambda n: KneserNey(TEXT, 3, V).perplexity(TEXT, n), 2),
    "batch_size of adding_problem": (lambda n: adding_problem(n, 6, seeded()), 4),
    "num_steps of adding_problem": (lambda n: adding_problem(4, n, seeded()), 6),
    "batch_size of copy_memory": (lambda n: copy_memory(n, 12, seeded()), 4),
    "lag of copy_memory": (lambda n: copy_memory(4, n, seeded()), 12),
    "lag of copy_chance": (lambda n: copy_chance(n), 12),
    "steps of train_on_task": (lambda n: on_task(steps=n), 2),
    "epochs of TrainConfig": (lambda n: run(epochs=n), 2),
    "batch_size of TrainConfig": (lambda n: run(batch_size=n), 4),
    "num_steps of TrainConfig": (lambda n: run(num_steps=n), 5),
    "length of generate": (lambda n: generate(fresh(), LETTERS, "the ", n), 3),
    "batch_size of perplexity": (lambda n: perplexity(fresh(), TEXT, n), 3),
    "batch_size of log_probabilities": (lambda n: log_probabilities(fresh(), TEXT, n), 3),
    "steps of ProgressTable": (lambda n: ProgressTable(["a"], n, False).every, 9),
    "rows of ProgressTable": (lambda n: ProgressTable(["a"], 9, False, n).every, 3),
    "max_characters of load_corpus": (lambda n: load_corpus(max_characters=n).training, 99),
}
NO_NUMBER: list[Any] = [
    0,
    -1,
    2.0,
    2.5,
    math.nan,
    "3",
    None,
    True,
    [3],
    torch.tensor(3),
    np.uint8(3),
    np.int8(3),
    np.True_,
]


NONE_HAS_A_MEANING = ("order of perplexity", "max_characters of load_corpus")


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def on_task(steps: int = 2, learning_rate: Any = 0.01, seed: Any = 0) -> list[float]:
    torch.manual_seed(0)
    return train_on_task(Adder(GRU(2, 4)), ADDING, steps, learning_rate=learning_rate, seed=seed)


def run(show: bool = False, **settings: Any) -> list[float]:
    config = TrainConfig(**({"epochs": 1, "batch_size": 4, "num_steps": 5} | settings))
    return train(fresh(), SMALL, config, show=show).validation


@pytest.mark.parametrize(
    ("case", "value"),
    [
        (case, value)
        for case in WHOLE
        for value in NO_NUMBER
        if not (value is None and case in NONE_HAS_A_MEANING)
    ],
    ids=lambda value: value if isinstance(value, str) else shown(value),
)
def test_sizes_that_are_no_sizes(judge, case: str, value: Any) -> None:
    judge(lambda: WHOLE[case][0](value), name=case.split()[0])


@pytest.mark.parametrize("kind", [np.int64, np.int32])
@pytest.mark.parametrize("case", WHOLE)
def test_numpys_whole_numbers_are_whole_numbers(judge, case: str, kind: Any) -> None:
    call, size = WHOLE[case]

    def right(result: Any) -> None:
        torch.manual_seed(3)
        expected = call(size)
        if isinstance(expected, nn.Module):
            result, expected = result.state_dict(), expected.state_dict()
        if isinstance(expected, str):
            assert result == expected
        else:
            torch.testing.assert_close(result, expected)

    def made() -> Any:
        torch.manual_seed(3)
        return call(kind(size))

    judge(made, right)


REAL: dict[str, tuple[Callable[[Any], Any], list[Any]]] = {  # a call, and what it takes besides
    "learning_rate of TrainConfig": (lambda x: run(learning_rate=x), []),
    "learning_rate of train_on_task": (lambda x: on_task(learning_rate=x), []),
    "clip_norm of TrainConfig": (lambda x: run(clip_norm=x), [None]),
    "max_norm of clip_gradients": (lambda x: clipped(x), [None, math.inf]),
    "p of WithDropout": (lambda x: WithDropout(GRU(D, H), x), [0]),
    "dropout of DeepRNN": (lambda x: DeepRNN([GRU(D, H)], dropout=x), [0]),
    "temperature of generate": (lambda x: generate(fresh(), LETTERS, "a", 2, temperature=x), [0]),
    "held_out of load_corpus": (lambda x: load_corpus(held_out=x), []),
    "test_at of load_corpus": (lambda x: load_corpus(test_at=x), [None]),
}
NO_REAL: list[Any] = [-1, 0, math.nan, math.inf, -math.inf, "1", None, True, 1j, [1], 10**400]


def clipped(max_norm: Any) -> float:
    p = nn.Parameter(torch.zeros(2))
    p.grad = torch.tensor([3.0, 4.0])
    return clip_gradients([p], max_norm)


@pytest.mark.parametrize(
    ("case", "value"),
    [(case, value) for case in REAL for value in NO_REAL if value not in REAL[case][1]],
    ids=lambda value: value if isinstance(value, str) else shown(value),
)
def test_numbers_that_cannot_work(judge, case: str, value: Any) -> None:
    judge(lambda: REAL[case][0](value), name=case.split()[0])


OTHERS: dict[str, tuple[Callable[[Any], Any], list[Any]]] = {
    "seed of TrainConfig": (lambda x: run(seed=x), [0.5, "1", None, True, 2**70]),
    "seed of train_on_task": (lambda x: on_task(seed=x), [0.5, "1", None, True, 2**70]),
    "seed of generate": (
        lambda x: generate(fresh(), LETTERS, "a", 2, seed=x),
        [0.5, "1", None, True, -(2**64)],
    ),
    "offset of consecutive": (
        lambda x: consecutive_batches(TEXT, 2, 2, x),
        [-1, 0.5, "1", None, True],
    ),
    "keep_best of TrainConfig": (lambda x: run(keep_best=x), [None, "no", 1, 0, []]),
    "show of train": (lambda x: run(show=x), [None, "no", 1]),
    "letters_only of load_corpus": (lambda x: load_corpus(letters_only=x), [None, "no", 0]),
    "look_ahead of perplexity": (lambda x: perplexity(fresh(), TEXT, look_ahead=x), [None, "no"]),
    "look_ahead of generate": (
        lambda x: generate(fresh(), LETTERS, "a", 2, look_ahead=x),
        [None, "no"],
    ),
    "optimizer of TrainConfig": (lambda x: run(optimizer=x), [None, "adamw", 1, torch.optim.SGD]),
    "sampling of TrainConfig": (lambda x: run(sampling=x), [None, "Random", 1]),
    "generator of adding_problem": (lambda x: adding_problem(2, 4, x), [0, "cpu", torch.rand]),
    "generator of copy_memory": (lambda x: copy_memory(2, 14, x), [0, "cpu"]),
    "generator of random_batches": (lambda x: random_batches(TEXT, 2, 2, x), [0, "cpu"]),
    "columns of ProgressTable": (lambda x: ProgressTable(x, 3, False), ["epoch", [], None, 3]),
    "prefix of generate": (
        lambda x: generate(fresh(), LETTERS, x, 2),
        ["", None, 3, ["a"], torch.tensor([1])],
    ),
    "vocabulary of generate": (
        lambda x: generate(fresh(), x, "a", 2),
        [SMALL, "abc", None, Vocabulary("abc")],
    ),
    "model of train_on_task": (
        lambda x: train_on_task(x, ADDING, 1, learning_rate=0.1),
        [None, "GRU", GRU],
    ),
    "task of train_on_task": (
        lambda x: train_on_task(Adder(GRU(2, 4)), x, 1, learning_rate=0.1),
        [None, ADDING(), "adding"],
    ),
    "symbols of Vocabulary": (Vocabulary, ["", "aa", None, 3, ["a", "b"], {"a", "b"}]),
    "text of encode": (LETTERS.encode, [None, 3, ["a"], b"a", "Ä"]),
    "text of simplify": (simplify, [None, 3, ["a"], b"a"]),
    "name of load_measurement": (load_measurement, ["none", None, 3]),
    "device": (use_device, ["gpu", "cuda:99", "cpu:1", "", 3, "cuda:-1", "cuda:x"]),
}


@pytest.mark.parametrize(
    ("case", "value"),
    [(case, value) for case, (_, values) in OTHERS.items() for value in values],
    ids=lambda value: value if isinstance(value, str) else shown(value),
)
def test_other_arguments(judge, case: str, value: Any) -> None:
    named = case.split()[0]
    judge(lambda: OTHERS[case][0](value), name="called" if named == "name" else named)


# --- Texts as tokens

READERS: dict[str, Callable[[Any], Any]] = {
    "consecutive_batches": lambda x: list(consecutive_batches(x, 2, 3)),
    "random_batches": lambda x: list(random_batches(x, 2, 3)),
    "KneserNey": lambda x: KneserNey(x, 2, V),
    "WittenBell": lambda x: WittenBell(x, 2, V),
    "probabilities": lambda x: KneserNey(TEXT, 2, V).probabilities(x),
    "perplexity": lambda x: perplexity(MODEL, x),
    "log_probabilities": lambda x: log_probabilities(MODEL, x),
    "decode": LETTERS.decode,
}
NO_TEXT: list[Any] = [
    TEXT.float(),
    TEXT > 3,
    TEXT.to(torch.complex64),
    TEXT[None],
    TEXT.view(40, 10),
    torch.tensor(3),
    "the text",
    None,
    3,
    [0.5, 1.0],
    [[1, 2], [3, 4]],
    [True, False],
]
OUT_OF_RANGE = [torch.full((50,), V), torch.full((50,), -1), torch.tensor([0, 2**40])]


@pytest.mark.parametrize("tokens", NO_TEXT, ids=shown)
@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_text(judge, reader: str, tokens: Any) -> None:
    judge(lambda: READERS[reader](tokens), name="tokens")


@pytest.mark.parametrize("tokens", OUT_OF_RANGE, ids=["high", "negative", "large"])
@pytest.mark.parametrize("reader", list(READERS)[2:])
def test_tokens_outside_the_vocabulary(judge, reader: str, tokens: Tensor) -> None:
    judge(lambda: READERS[reader](tokens), name="tokens")


@pytest.mark.parametrize("reader", list(READERS)[:-1])
@pytest.mark.parametrize("count", [0, 1])
def test_no_text_at_all(judge, reader: str, count: int) -> None:
    judge(lambda: READERS[reader](TEXT[:count]), name="tokens")


@given(
    N=st.integers(0, 40), batch_size=st.integers(-1, 6), num_steps=st.integers(-1, 8),
    offset=st.integers(-2, 12),
)  # fmt: skip
def test_batches_cover_the_text_or_are_refused(N, batch_size, num_steps, offset) -> None:
    def right(batches: list[Any]) -> None:
        columns = torch.cat([Y for _, Y in batches]).T.flatten().tolist()
        assert columns == list(range(offset + 1, offset + 1 + len(columns)))
        assert 0 <= N - 1 - offset - len(columns) < batch_size
        assert all(torch.equal(X + 1, Y) for X, Y in batches)

    outcome(
        lambda: list(consecutive_batches(torch.arange(N), batch_size, num_steps, offset)), right
    )


@given(tokens=st.lists(st.integers(-3, 30), max_size=9))
def test_decoding_inverts_or_refuses(tokens: list[int]) -> None:
    def right(text: str) -> None:
        assert [LETTERS.symbols.index(symbol) for symbol in text] == tokens

    outcome(lambda: LETTERS.decode(tokens), right)


# --- Training and generation

BOTH_WAYS: dict[str, Callable[[], nn.Module]] = {
    "ours": lambda: Bidirectional(GRU(D, H), GRU(D, H)),
    "torch's": lambda: nn.GRU(D, H, bidirectional=True),
    "deep": lambda: DeepRNN([RNN(D, H), Bidirectional(nn.GRU(H, H), nn.GRU(H, H))]),
    "wrapped": lambda: WithDropout(nn.LSTM(D, H, bidirectional=True), 0.2),
}
USES: dict[str, Callable[..., Any]] = {
    "train": lambda m, **k: train(m, SMALL, TrainConfig(1, 4, 5), show=False, **k).validation,
    "perplexity": lambda m, **k: perplexity(m, TEXT, **k),
    "log_probabilities": lambda m, **k: log_probabilities(m, TEXT, **k),
    "generate": lambda m, **k: generate(m, LETTERS, "the ", 3, **k),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("layer", BOTH_WAYS)
def test_a_model_that_reads_ahead_is_refused_unless_it_is_meant(judge, layer, use) -> None:
    model = LanguageModel(BOTH_WAYS[layer](), V)
    before = [parameter.clone() for parameter in model.parameters()]
    judge(lambda: USES[use](model), name="the model reads the tokens that it is to predict")
    assert all(map(torch.equal, before, model.parameters()))
    assert model.training
    USES[use](model, look_ahead=True)


@pytest.mark.parametrize("layer", [nn.LSTM, GRU])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("seed", range(3))
def test_a_model_that_does_not_read_ahead_is_none_that_does(judge, layer, dtype, seed) -> None:
    torch.manual_seed(seed)
    model = LanguageModel(layer(16, 64), V).to(dtype)
    for parameter in model.parameters():
        parameter.data *= 10  # far from its start
    judge(lambda: perplexity(model, TEXT[:50]), lambda p: not math.isnan(p))


PARTS: dict[str, Tensor] = {
    "float": TEXT.float(),
    "bool": TEXT > 3,
    "columns": TEXT.view(-1, 4),
    "outside": TEXT + 1,
    "short": TEXT[:1],
}


@pytest.mark.parametrize("part", ["training", "validation"])
@pytest.mark.parametrize("case", PARTS)
def test_parts_of_a_corpus(judge, part: str, case: str) -> None:
    corpus = Corpus(**(vars(SMALL) | {part: PARTS[case]}))
    model, config = fresh(), TrainConfig(1, 4, 5)
    before = [parameter.clone() for parameter in model.parameters()]
    judge(lambda: train(model, corpus, config, show=False), name="" if case == "short" else part)
    assert all(map(torch.equal, before, model.parameters())), "before any work"


def frozen() -> LanguageModel:
    return fresh().requires_grad_(False)


def diverged(value: float) -> LanguageModel:
    model = fresh()
    model.output.bias.data.fill_(value)
    return model


def batch_of(X: Tensor, Y: Tensor) -> Any:
    return train_epoch(model := fresh(), [(X, Y)], torch.optim.SGD(model.parameters()), 1.0)


CONFIG = TrainConfig(1, 4, 5)
TRAINED: dict[str, tuple[Callable[[], Any], str]] = {
    "a dict of settings": (lambda: train(fresh(), SMALL, {"epochs": 1}), "config"),  # type: ignore[arg-type]
    "a name": (lambda: train(fresh(), "story", CONFIG), "corpus"),  # type: ignore[arg-type]
    "a model for sums": (lambda: train(Adder(GRU(2, H)), SMALL, CONFIG), "model"),  # type: ignore[arg-type]
    "a layer": (lambda: train(GRU(2, H), SMALL, CONFIG), "model"),  # type: ignore[arg-type]
    "weights that are fixed": (lambda: train(frozen(), SMALL, CONFIG), "no parameter"),
    "weights that are NaN": (lambda: train(diverged(math.nan), SMALL, CONFIG), "loss is nan"),
    "targets the other way": (
        lambda: batch_of(TEXT[:6].view(2, 3), TEXT[:6].view(3, 2)),
        "targets",
    ),
    "flat targets": (lambda: batch_of(TEXT[:6].view(2, 3), TEXT[:6]), "targets"),
    "no batch": (lambda: train_epoch(MODEL, [], torch.optim.SGD(MODEL.parameters()), 1), "batches"),
    "another model's optimizer": (
        lambda: train_epoch(
            fresh(), [(TEXT[:9, None],) * 2], torch.optim.SGD(MODEL.parameters()), 1
        ),
        "optimizer",
    ),
    "a model to be clipped": (lambda: clip_gradients(MODEL, 1.0), "parameters"),  # type: ignore[arg-type]
    "one tensor to be clipped": (lambda: clip_gradients(MODEL.output.weight, 1.0), "parameters"),
    "counts for a model": (lambda: perplexity(KneserNey(TEXT, 2, V), TEXT), "model"),  # type: ignore[arg-type]
    "a layer for a model": (lambda: perplexity(GRU(D, H), TEXT), "model"),  # type: ignore[arg-type]
    "a name for a model": (lambda: generate("model", LETTERS, "a", 2), "model"),  # type: ignore[arg-type]
    "no gradient": (lambda: clip_gradients([nn.Parameter(torch.ones(2))], 1.0), "gradient"),
    "no parameter": (lambda: clip_gradients([], None), "gradient"),
    "greedy, NaN": (lambda: generate(diverged(math.nan), LETTERS, "a", 2, temperature=0), "nan"),
    "drawn, NaN": (lambda: generate(diverged(math.nan), LETTERS, "a", 2), "nan"),
    "greedy, inf": (lambda: generate(diverged(math.inf), LETTERS, "a", 2, temperature=0), "inf"),
    "drawn, -inf": (lambda: generate(diverged(-math.inf), LETTERS, "a", 2), "inf"),
}


@pytest.mark.parametrize("case", TRAINED)
def test_training_and_generation(judge, case: str) -> None:
    call, name = TRAINED[case]
    judge(call, name=name)


def task(inputs: Tensor, targets: Any, model: nn.Module | None = None) -> Any:
    model = Adder(GRU(2, 4)) if model is None else model
    return train_on_task(model, lambda _: (inputs, targets), 1, learning_rate=0.01)


SUMS, SUM = adding_problem(4, 6, torch.Generator().manual_seed(0))
COPIES, COPY = copy_memory(4, 12, torch.Generator().manual_seed(0))
TASKS: dict[str, tuple[Callable[[], Any], str]] = {
    "a column of targets": (lambda: task(SUMS, SUM[:, None]), "targets"),
    "a row of targets": (lambda: task(SUMS, SUM[None]), "targets"),
    "one target": (lambda: task(SUMS, SUM[:1]), "targets"),
    "targets that are integers": (lambda: task(SUMS, SUM.long()), "targets"),
    "targets in a list": (lambda: task(SUMS, SUM.tolist()), "targets"),
    "tokens the other way": (lambda: task(COPIES, COPY.T, LanguageModel(GRU(D, H), 10)), "targets"),
    "tokens that are floats": (
        lambda: task(COPIES, COPY.float(), LanguageModel(GRU(D, H), 10)),
        "targets",
    ),
    "sums for a model of tokens": (lambda: task(SUMS, SUM, LanguageModel(GRU(D, H), 10)), "tokens"),
    "one sequence": (lambda: task(SUMS[:, 0], SUM[:1]), "inputs"),
    "one sequence, torch's": (lambda: task(SUMS[:, 0], SUM[:1], Adder(nn.GRU(2, 4))), "inputs"),
    "inputs of another size": (lambda: task(torch.randn(6, 4, 3), SUM), "inputs"),
    "NaN": (lambda: task(SUMS * math.nan, SUM), "learning_rate"),
}


@pytest.mark.parametrize("case", TASKS)
def test_tasks(judge, case: str) -> None:
    call, name = TASKS[case]
    judge(call, name=name)


def test_advice_names_only_settings_that_there_are() -> None:
    with pytest.raises(FloatingPointError) as error:
        task(SUMS * math.nan, SUM)
    assert "clip_norm" not in str(error.value)
    assert "epoch" not in str(error.value)


def test_a_task_trains_in_training_mode_and_gives_the_mode_back() -> None:
    for training in (True, False):
        model = Adder(WithDropout(GRU(2, 4), 0.5)).train(training)
        seen: list[bool] = []
        note = seen.append
        model.layer.register_forward_pre_hook(lambda module, _, note=note: note(module.training))
        train_on_task(model, ADDING, 2, learning_rate=0.01)
        assert seen == [True, True]
        assert {module.training for module in model.modules()} == {training}


@pytest.mark.parametrize("use", USES)
def test_each_module_gets_its_own_mode_back(use: str) -> None:
    model = LanguageModel(DeepRNN([GRU(D, H), GRU(H, H)], dropout=0.3), V)
    model.layer.dropout.eval()
    before = [module.training for module in model.modules()]
    USES[use](model)
    assert [module.training for module in model.modules()] == before
    with pytest.raises(KeyError), mode(model, training=False):
        raise KeyError
    assert [module.training for module in model.modules()] == before


# --- Texts as files


def written(folder: Path, content: bytes) -> Path:
    path = folder / "own.txt"
    path.write_bytes(content)
    return path


GREEK = ("μῆνιν ἄειδε θεὰ Πηληϊάδεω Ἀχιλῆος " * 300 + "sing o muse").encode()
ENGLISH = "It was a dark and stormy night, and the rain fell in torrents. " * 20
FILES = {
    "Greek": GREEK,
    "Russian": ("Все счастливые семьи похожи друг на друга. " * 50 + "War").encode(),
    "UTF-16": ENGLISH.encode("utf-16"),
    "UTF-16, no mark": ENGLISH.encode("utf-16-le"),
    "UTF-16, big": b"\xfe\xff" + ENGLISH.encode("utf-16-be"),
    "UTF-32, no mark": ENGLISH.encode("utf-32-be"),
    "Latin-1": "Größe ".encode("latin1") * 50,
    "an archive": b"PK\x03\x04" + bytes(500),
    "nothing": b"",
    "blanks": b" \n" * 99,
    "digits": b"3.14159 " * 99,
    "a word": b"word",
}


@pytest.mark.parametrize("case", FILES)
def test_files_that_are_no_text(judge, tmp_path: Path, case: str) -> None:
    path = written(tmp_path, FILES[case])
    judge(lambda: load_corpus(path), name="own.txt")


@pytest.mark.parametrize("case", ["Greek", "Russian"])
def test_the_advice_for_another_alphabet_helps(judge, tmp_path: Path, case: str) -> None:
    def right(corpus: Corpus) -> None:
        parts = [corpus.training, corpus.validation, corpus.test]
        assert sum(map(len, parts)) == len(FILES[case].decode())

    judge(lambda: load_corpus(written(tmp_path, FILES[case]), letters_only=False), right)


@pytest.mark.parametrize("case", ["accents", "numbers"])
def test_few_lost_letters_do_no_harm(judge, tmp_path: Path, case: str) -> None:
    content = {"accents": "Où était le café? ", "numbers": "in 1895 the 4th dimension "}[case] * 40
    judge(
        lambda: load_corpus(written(tmp_path, content.encode())),
        lambda corpus: len(corpus.training) > 400,
    )


SOURCES: list[Any] = [
    ENGLISH,
    ENGLISH[:300],
    "two\nlines",
    "nul\0",
    "x" * 300,
    "no-such-name",
    "no/such/file.txt",
    "~no-such-user/file.txt",
    "",
    ".",
    "/dev/zero",
    "/dev/null",
    None,
    3,
    b"story",
    ["story"],
    LETTERS,
]


@pytest.mark.parametrize("source", SOURCES, ids=shown)
@pytest.mark.parametrize("load", [load_corpus, load_text])
def test_sources_that_are_none(judge, load: Callable[..., Any], source: Any) -> None:
    judge(lambda: load(source))


def test_a_pipe_is_no_source(judge, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    judge(lambda: load_corpus(tmp_path / "pipe.txt"), name="pipe.txt")


@pytest.mark.parametrize("kind", ["pipe", "folder", "link to nowhere", "device"])
def test_what_is_no_file_is_no_cache(judge, tmp_path: Path, monkeypatch, kind: str) -> None:
    monkeypatch.setenv("D2LHELPERS_CACHE", str(tmp_path))
    monkeypatch.setattr("d2lhelpers.text._read", refuse)
    path = tmp_path / "timemachine.txt"
    {
        "pipe": lambda: os.mkfifo(path),
        "folder": path.mkdir,
        "link to nowhere": lambda: path.symlink_to("nowhere"),
        "device": lambda: path.symlink_to("/dev/zero"),
    }[kind]()
    monkeypatch.setattr("d2lhelpers.text.PATIENCE", 0.0)
    judge(lambda: load_text("time_machine"), name="timemachine.txt")


def refuse(*_: object) -> bytes:
    raise OSError("no network here")


def test_no_home(judge, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(self: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("D2LHELPERS_CACHE", raising=False)
    monkeypatch.setattr(Path, "expanduser", nobody)
    judge(lambda: load_text("time_machine"), name="home")


# --- Plots and tables (more of them in test_plots.py and test_progress.py)

LINES: dict[str, tuple[Callable[[], Any], str]] = {
    "x and y differ": (lambda: plot_lines({"a": ([1, 2], [3])}, "x", "y"), "'a'"),
    "zero on a log axis": (
        lambda: plot_lines({"a": ([1, 2], [0, 3])}, "x", "y", log_y=True),
        "'a'",
    ),
    "negative on a log axis": (
        lambda: plot_lines({"a": ([-1, 2], [1, 3])}, "x", "y", log_x=True),
        "'a'",
    ),
    "NaN": (lambda: plot_lines({"a": ([1], [math.nan])}, "x", "y"), "'a'"),
    "a level of zero": (
        lambda: plot_lines({"a": ([1], [1])}, "x", "y", log_y=True, levels={"low": 0}),
        "'low'",
    ),
    "17 lines": (lambda: plot_lines({str(i): ([1], [1]) for i in range(17)}, "x", "y"), "17"),
    "no line": (lambda: plot_lines({}, "x", "y"), "0 lines"),
    "words": (lambda: plot_lines({"a": (["b"], [1])}, "x", "y"), "'a'"),  # type: ignore[dict-item]
    "no histories": (lambda: plot_learning_curves({}), "0 lines"),
    "numbers for a history": (lambda: plot_learning_curves({"a": [1.0]}), "'a'"),  # type: ignore[dict-item]
    "too few cells": (lambda: ProgressTable(["a", "b"], 3, False).add("1"), "1 cells"),
    "too many cells": (lambda: ProgressTable(["a"], 3, False).add("1", "2"), "2 cells"),
}


@pytest.mark.parametrize("case", LINES)
def test_plots_and_tables(judge, case: str) -> None:
    call, name = LINES[case]
    judge(call, name=name)


def test_sizes_of_layers_are_told() -> None:
    """The oracle for the shapes above."""
    for make in LAYERS.values():
        assert layer_sizes(make())[0] == D
    assert task_loss(Adder(GRU(2, 4)), SUMS, SUM).shape == ()
