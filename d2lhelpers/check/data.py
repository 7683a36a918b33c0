"""Tasks: what a network is given, tokens as rows, windows of a text, an artificial problem."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from d2lhelpers import batches, tasks
from d2lhelpers.check.core import CARRIES, CHANGED, RETURNED, Case, Seen, Task, Variant, describe
from d2lhelpers.check.elsewhere import Elsewhere
from d2lhelpers.check.probe import numbers
from d2lhelpers.check.written import one_hot_product as reference_product

Batch = tuple[Tensor, Tensor]


# --- Rows of a matrix


def rows_case(tokens: list[Any], D: int, dtype: torch.dtype, **more: str) -> Case:
    """Return a case of tokens from 0 to 4, and a matrix of five rows of D numbers."""

    def run(program: Any) -> Seen:
        E = numbers("E", (5, D), dtype, 2.0).requires_grad_()
        given, before = torch.tensor(tokens), E.detach().clone()
        result = program(given, E)
        same = torch.equal(E, before) and torch.equal(given, torch.tensor(tokens))
        seen: Seen = {CHANGED: "nothing" if same else "`E` or the tokens"}
        seen[RETURNED] = result.detach() if isinstance(result, Tensor) else describe(result)
        if isinstance(result, Tensor) and result.is_floating_point():
            if not result.requires_grad:
                return seen | {CARRIES: "do not pass"}
            scalar = (result * numbers("weights", result.shape, dtype)).sum()
            seen["the gradient of `E`"] = torch.autograd.grad(scalar, E)[0]
        return seen

    shape = tuple(torch.tensor(tokens).shape)
    kind = "" if dtype == torch.float32 else " of float64"
    given = f"tokens of shape {shape}, up to {torch.tensor(tokens).max()}, and `E` (5, {D}){kind}"
    return Case(given, run, **more)


def rows_elsewhere(program: Any) -> Seen:
    """Run a program on a GPU in disguise."""
    with Elsewhere() as gpu:
        E = gpu.move(numbers("E", (5, 6), torch.float32))
        result = program(gpu.move(torch.tensor([4, 0, 2])), E)
        return {"the device": "that of `E`" if gpu.is_there(result) else "the CPU"}


def classes_seen(tokens: Tensor, E: Tensor) -> Tensor:
    """Make one-hot rows as long as the largest token asks for."""
    return F.one_hot(tokens).to(E.dtype) @ E


def no_floats(tokens: Tensor, E: Tensor) -> Tensor:
    """Multiply integers by floats."""
    return F.one_hot(tokens, len(E)) @ E


def whole_numbers(tokens: Tensor, E: Tensor) -> Tensor:
    """Make integers of the matrix."""
    return F.one_hot(tokens, len(E)) @ E.long()


def columns(tokens: Tensor, E: Tensor) -> Tensor:
    """Take columns."""
    return E[:, tokens]


def from_the_left(tokens: Tensor, E: Tensor) -> Tensor:
    """Multiply from the wrong side."""
    return E @ F.one_hot(tokens, len(E)).to(E.dtype)


def counted_from_one(tokens: Tensor, E: Tensor) -> Tensor:
    """Take the row before."""
    return E[tokens - 1]


def padding_idx(tokens: Tensor, E: Tensor) -> Tensor:
    """Give the first row no gradient."""
    return F.embedding(tokens, E, padding_idx=0)


def bag(tokens: Tensor, E: Tensor) -> Tensor:
    """Add the rows of all steps."""
    return F.one_hot(tokens, len(E)).to(E.dtype).sum(0) @ E


def flat(tokens: Tensor, E: Tensor) -> Tensor:
    """Lose the shape of the tokens."""
    return E[tokens.flatten()]


one_hot_product = Task(
    name="one_hot_product",
    title="One-hot rows, and what multiplying by them does",
    label="sec-language-model",
    wanted=("function", "one_hot_product"),
    reference=reference_product,
    cases=[
        rows_case([[1, 0], [3, 3], [2, 0]], 7, torch.float32),
        rows_case([4, 0, 2, 4, 1, 3], 6, torch.float32),
        rows_case(
            [4, 0, 2, 4, 1, 3],
            6,
            torch.float64,
            mistake="dtype",
            advice="With `E` of float64 your code goes wrong. One-hot rows are integers; make them "
            "of the type of `E`, `rows.to(E.dtype)`, and not of one that you name.",
        ),
        Case(
            "tokens and `E` on a GPU (in disguise)",
            rows_elsewhere,
            "device",
            "On a GPU your code would stop: a tensor that it makes itself stays on the CPU. Make "
            "it with `device=E.device`.",
        ),
    ],
    variants={
        "classes_seen": Variant(
            classes_seen,
            "Your one-hot rows are as long as the largest token of this batch asks for. A batch "
            "need not contain the last symbol: each row has V entries, `F.one_hot(tokens, "
            "len(E))` ({sec-language-model}).",
        ),
        "no_floats": Variant(
            no_floats,
            "Your one-hot rows are integers, and PyTorch multiplies only matrices of one type. "
            "Give them the type of the matrix, `.to(E.dtype)`.",
        ),
        "whole_numbers": Variant(
            whole_numbers,
            "You turn `E` into whole numbers, and what stands behind the decimal point is lost, "
            "with the gradient. Turn the one-hot rows into floats instead, `.to(E.dtype)`.",
        ),
        "columns": Variant(
            columns,
            "You take columns of `E`. Symbol k is row k: `E` is V × D, a row for each symbol "
            "({sec-language-model}).",
        ),
        "from_the_left": Variant(
            from_the_left,
            "Your one-hot rows stand on the right of the product. Rows times `E` pick rows, so "
            "they stand on its left, (..., V) @ (V, D).",
        ),
        "counted_from_one": Variant(
            counted_from_one,
            "Each token gets the row before its own, and token 0 the last one. Symbols are "
            "numbered from 0.",
        ),
        "padding_idx": Variant(
            padding_idx,
            "The rows are right, but row 0 of `E` gets no gradient: `padding_idx=0` says that "
            "token 0 is padding. Here it is a symbol like all others, and its row is learned.",
        ),
        "bag": Variant(
            bag,
            "You add up the one-hot rows of all steps, and their order is lost. Each token has a "
            "row of its own in the result, of shape (..., D).",
        ),
        "flat": Variant(
            flat,
            "The rows are right, but the shape of the tokens is lost: tokens (T, B) give (T, B, "
            "D).",
        ),
    },
    hints=[
        "`F.one_hot(tokens, V)` gives tokens of shape (...) a last axis of V entries.",
        "V is the number of rows of `E`. The one-hot rows are integers; they have to be of the "
        "type of `E` before they can be multiplied.",
        "`rows @ E` multiplies the last axis (V) of the rows by the first axis of `E` (V, D). "
        "Then try `E[tokens]`: why is it the same?",
    ],
    passed="Values, shape and the gradient of `E` are those of the one-hot product, and so of "
    "`E[tokens]`, for tokens of one axis and of two, in float32 and float64, on any device "
    "({sec-language-model}).",
    doc="""Multiply the one-hot rows of tokens by E.

    Args:
        tokens: integers in [0, V), of any shape (...).
        E: the embeddings, a row for each symbol, floats of shape (V, D).

    Returns:
        shape (..., D), of the type of E.
    """,
)


# --- Windows of a text


def window_case(N: int, B: int, T: int, offset: int) -> Case:
    """Return a case of a text in which token i is the number i."""

    def run(program: Any) -> Seen:
        tokens = torch.arange(N)
        windows = list(program(tokens, B, T, offset) if offset else program(tokens, B, T))
        seen: Seen = {CHANGED: "nothing" if torch.equal(tokens, torch.arange(N)) else "the text"}
        for k, window in enumerate(windows, 1):
            if not isinstance(window, (tuple, list)) or len(window) != 2:
                return {"a window": describe(window)}
            seen[f"the inputs of window {k}"], seen[f"the targets of window {k}"] = window
        seen["the number of windows"] = len(windows)
        return seen

    told = f", offset {offset}" if offset else ""
    return Case(f"the text 0, 1, …, {N - 1}, batch_size {B}, num_steps {T}{told}", run)


def streams(tokens: Tensor, B: int, offset: int) -> Batch:
    """Return inputs and targets of B streams side by side, each (steps, B)."""
    length = (len(tokens) - 1 - offset) // B
    inputs = tokens[offset : offset + B * length].view(B, length).T
    return inputs, tokens[offset + 1 : offset + B * length + 1].view(B, length).T


def cut(X: Tensor, Y: Tensor, T: int) -> Iterator[Batch]:
    """Cut streams into windows of T steps."""
    for start in range(0, len(X), T):
        yield X[start : start + T], Y[start : start + T]


def same_targets(tokens: Tensor, B: int, T: int, offset: int = 0) -> Iterator[Batch]:
    """Ask for the inputs themselves."""
    X, _ = streams(tokens, B, offset)
    return cut(X, X, T)


def two_ahead(tokens: Tensor, B: int, T: int, offset: int = 0) -> Iterator[Batch]:
    """Ask for the token after the next."""
    length = (len(tokens) - 2 - offset) // B
    X = tokens[offset : offset + B * length].view(B, length).T
    return cut(X, tokens[offset + 2 : offset + B * length + 2].view(B, length).T, T)


def inputs_alone(tokens: Tensor, B: int, T: int, offset: int = 0) -> Iterator[Tensor]:
    """Forget the targets."""
    return (X for X, _ in cut(*streams(tokens, B, offset), T))


def one_window(tokens: Tensor, B: int, T: int, offset: int = 0) -> Iterator[Batch]:
    """Stop after the first window."""
    X, Y = streams(tokens, B, offset)
    return cut(X[:T], Y[:T], T)


def swapped(tokens: Tensor, B: int, T: int, offset: int = 0) -> Iterator[Batch]:
    """Exchange inputs and targets."""
    X, Y = streams(tokens, B, offset)
    return cut(Y, X, T)


def rolled(tokens: Tensor, B: int, T: int, offset: int = 0) -> Iterator[Batch]:
    """Shift within the window."""
    return ((X, X.roll(-1, 0)) for X, _ in cut(*streams(tokens, B, offset), T))


def batch_first(tokens: Tensor, B: int, T: int, offset: int = 0) -> Iterator[Batch]:
    """Put the batch first."""
    return ((X.T, Y.T) for X, Y in cut(*streams(tokens, B, offset), T))


def interleaved(tokens: Tensor, B: int, T: int, offset: int = 0) -> Iterator[Batch]:
    """Deal the tokens out to the columns, one after the other."""
    X, Y = (part.T.reshape(-1).view(-1, B) for part in streams(tokens, B, offset))
    return cut(X, Y, T)


def side_by_side(tokens: Tensor, B: int, T: int, offset: int = 0) -> Iterator[Batch]:
    """Put windows that follow one another side by side."""
    block = B * T
    for start in range(offset, len(tokens) - block, block):
        stop = start + block
        yield tokens[start:stop].view(B, T).T, tokens[start + 1 : stop + 1].view(B, T).T


def rows_in_order(tokens: Tensor, B: int, T: int, offset: int = 0) -> Iterator[Batch]:
    """Cut windows first, and take B neighbours at a time."""
    count = (len(tokens) - 1 - offset) // T
    X = tokens[offset : offset + count * T].view(count, T)
    Y = tokens[offset + 1 : offset + count * T + 1].view(count, T)
    return ((X[k : k + B].T, Y[k : k + B].T) for k in range(0, count, B))


def last_dropped(tokens: Tensor, B: int, T: int, offset: int = 0) -> Iterator[Batch]:
    """Leave out a shorter last window."""
    return (window for window in cut(*streams(tokens, B, offset), T) if len(window[0]) == T)


def sliding(tokens: Tensor, B: int, T: int, offset: int = 0) -> Iterator[Batch]:
    """Move on by one step."""
    X, Y = streams(tokens, B, offset)
    return ((X[t : t + T], Y[t : t + T]) for t in range(len(X) - T + 1))


def offset_ignored(tokens: Tensor, B: int, T: int, offset: int = 0) -> Iterator[Batch]:
    """Begin at the beginning."""
    return cut(*streams(tokens, B, 0), T)


def no_room(tokens: Tensor, B: int, T: int, offset: int = 0) -> Iterator[Batch]:
    """Use all tokens as inputs; the last may have no target."""
    length = (len(tokens) - offset) // B
    X = tokens[offset : offset + B * length].view(B, length).T
    Y = tokens[offset + 1 : offset + B * length + 1].view(B, length).T
    return cut(X, Y, T)


def within_streams(tokens: Tensor, B: int, T: int, offset: int = 0) -> Iterator[Batch]:
    """Cut streams first, and take the targets from within each of them."""
    length = (len(tokens) - offset) // B
    text = tokens[offset : offset + B * length].view(B, length).T
    return cut(text[:-1], text[1:], T)


def gaps(tokens: Tensor, B: int, T: int, offset: int = 0) -> Iterator[Batch]:
    """Cut windows of T + 1 tokens that do not overlap."""
    length = (len(tokens) - offset) // B
    text = tokens[offset : offset + B * length].view(B, length).T
    for start in range(0, length - 1, T + 1):
        window = text[start : start + T + 1]
        yield window[:-1], window[1:]


NOT_CONTINUED = (
    "Each column of your windows is right by itself, but column b of the next window does not go "
    "on where column b of this one ended: the state that is carried would belong to another piece "
    "of the text. Cut the whole text into B streams, and walk along all of them ({sec-windows})."
)

consecutive_batches = Task(
    name="consecutive_batches",
    title="Windows of a text, and their targets",
    label="sec-windows",
    wanted=("function", "consecutive_batches"),
    reference=batches.consecutive_batches,
    cases=[
        window_case(31, 3, 4, 0),
        window_case(24, 2, 6, 0),
        window_case(20, 1, 5, 0),
        window_case(31, 3, 4, 2),
    ],
    variants={
        "same_targets": Variant(
            same_targets,
            "Your targets are the inputs themselves: a model learns to repeat what it has just "
            "read, and its perplexity is 1. The target of a step is the token *after* its input "
            "({sec-windows}).",
        ),
        "swapped": Variant(
            swapped,
            "Inputs and targets are exchanged: your model is asked for the token before the one "
            "that it reads. Yield the earlier token as the input.",
        ),
        "two_ahead": Variant(
            two_ahead,
            "Your targets lie two tokens after their inputs. The target of a step is the very next "
            "token ({sec-windows}).",
        ),
        "inputs_alone": Variant(
            inputs_alone,
            "You yield the inputs alone. Each window is a pair, inputs and targets: `yield X, Y`.",
        ),
        "one_window": Variant(
            one_window,
            "You yield the first window and no other. The loop goes on to the end of the streams: "
            "`yield` hands out a window and does not end the function, `return` does.",
        ),
        "rolled": Variant(
            rolled,
            "The last target of each of your windows is the window's first token: `roll` puts at "
            "the end what it has pushed out at the beginning. The target of the last step is the "
            "token after the window; take it from the text.",
        ),
        "batch_first": Variant(
            batch_first,
            "Your windows have shape (B, T). In this course time comes first: (T, B).",
        ),
        "interleaved": Variant(
            interleaved,
            "Your text is dealt out to the columns like cards: its second token begins the second "
            "column. A column has to be a text that can be read: cut the text into B long pieces "
            "first, `view(B, length)`, and lay each into a column with `.T`.",
        ),
        "side_by_side": Variant(side_by_side, NOT_CONTINUED),
        "rows_in_order": Variant(rows_in_order, NOT_CONTINUED),
        "last_dropped": Variant(
            last_dropped,
            "You leave out the last window where it is shorter than the others. It may be: nothing "
            "needs T steps, and a text has few enough tokens.",
        ),
        "sliding": Variant(
            sliding,
            "Your windows overlap: each begins one step after the last. Then each token is learned "
            "T times, and the state that is carried has already read the window. Move on by "
            "`num_steps`.",
        ),
        "offset_ignored": Variant(
            offset_ignored,
            "`offset` has no effect. It is the number of tokens to skip at the start, so that each "
            "epoch can cut the text elsewhere.",
        ),
        "no_room": Variant(
            no_room,
            "You count all tokens as inputs, but the last token of the text has no target. Of N "
            "tokens N - 1 can be inputs: the length of a stream is `(N - 1 - offset) // B`.",
        ),
        "within_streams": Variant(
            within_streams,
            "The last token of each of your streams is never an input, and the first token of "
            "the next stream never a target: you shift within the streams. Shift the text by one "
            "first, then cut inputs and targets alike.",
        ),
        "gaps": Variant(
            gaps,
            "Between two of your windows a target is missing: you cut pieces of T + 1 tokens "
            "and go on behind them. The last target of a window is the first input of the next.",
        ),
    },
    hints=[
        "The target of token i is token i + 1. So of N tokens at most N - 1 can be inputs; with B "
        "streams of equal length, and `offset` tokens skipped, each has `(N - 1 - offset) // B`.",
        "`tokens[offset : offset + used].view(B, length)` has a stream in each row; `.T` makes it "
        "a column. For the targets begin one token later.",
        "Yield rows `start` to `start + num_steps` of both, for each `start` in `range(0, length, "
        "num_steps)`.",
    ],
    passed="Inputs and targets of all windows are right, with one stream and several, with a "
    "shorter last window, and with an offset: each column goes on from window to window, and "
    "each target is the token after its input ({sec-windows}).",
)


# --- The adding problem

SEQUENCES = 8_000  # of each case: what is true of a right program is seen with certainty
FIVE_SIGMA = 6.5  # beyond this many standard deviations lies one draw in 10^10


def adding_case(T: int) -> Case:
    """Return a case of many sequences, of which it is told what they have in common.

    What is seen does not depend on the order in which a program draws. A right program is
    mistaken for a wrong one in less than one of 10^7 runs, and its draws are the same in each.
    """
    half = T // 2

    def run(program: Any) -> Seen:
        generator = torch.Generator().manual_seed(1)
        result = program(SEQUENCES, T, generator)
        if not isinstance(result, tuple) or len(result) != 2:
            return {RETURNED: describe(result)}
        inputs, targets = result
        seen: Seen = {RETURNED: "inputs and targets"}
        for name, part in (("inputs", inputs), ("targets", targets)):
            if not isinstance(part, Tensor):
                return seen | {f"the {name}": describe(part)}
            seen[f"the shape of the {name}"] = str(tuple(part.shape))
            seen[f"the type of the {name}"] = str(part.dtype)
        if inputs.shape != (T, SEQUENCES, 2):
            return seen
        u, m = inputs.double().unbind(2)
        seen["what marks there are"] = values_of(m)
        seen["marks in a sequence"] = values_of((m != 0).sum(0).double())
        seen["the numbers"] = kind_of(u, m)
        if seen["marks in a sequence"] == "2":
            steps = (m != 0).double().topk(2, 0).indices
            first, second = steps.min(0).values, steps.max(0).values
            seen["the step of the first mark"] = spread_of(first, range(half))
            seen["the step of the second mark"] = spread_of(second, range(half, T))
        if targets.shape == (SEQUENCES,):
            seen["the targets"] = formula_of(u, m, targets.double())
        return seen

    return Case(f"{SEQUENCES:,} sequences of {T} steps", run)


def values_of(tensor: Tensor) -> str:
    """Return the different values of a tensor as a text."""
    found = tensor.unique().tolist()
    return ", ".join(f"{value:g}" for value in found) if len(found) < 4 else "many"


def kind_of(u: Tensor, m: Tensor) -> str:
    """Tell how numbers are distributed, in words that do not depend on single draws."""
    if not bool(u.isfinite().all()):
        return "nan"
    if bool((u[m == 0] == 0).all()):
        return "0 wherever there is no mark"
    flat = u.flatten().sort().values
    if bool((flat == flat.round()).all()):
        return "whole numbers"
    if flat[0] < 0:
        return "some of them below 0"
    if flat[-1] > 1:
        return "some of them above 1"
    share = torch.linspace(0, 1, len(flat), dtype=torch.float64)
    # Kolmogorov and Smirnov's distance; beyond it lies one draw in 10^9.
    even = (flat - share).abs().max() < (11 / len(flat)) ** 0.5
    if bool((u == u[:, :1]).all()) or not even:
        return "between 0 and 1, not all equally probable"
    return "between 0 and 1, all equally probable"


def spread_of(steps: Tensor, wanted: range) -> str:
    """Tell over which steps a mark is spread, and whether evenly."""
    counts = torch.bincount(steps, minlength=wanted.stop).double()
    low, high = int(steps.min()), int(steps.max())
    if low == high and len(wanted) > 1:
        return "the same in all sequences"
    mean = len(steps) / (high - low + 1)
    even = bool(((counts[low : high + 1] - mean).abs() < FIVE_SIGMA * mean**0.5).all())
    return f"{low} to {high}, {'equally often' if even else 'not equally often'}"


def first_less_second(u: Tensor, m: Tensor) -> Tensor:
    """Return the difference of the two marked numbers, the earlier one first."""
    steps = (m != 0).double().topk(2, 0).indices.sort(0).values
    return u.gather(0, steps[:1])[0] - u.gather(0, steps[1:])[0]


def formula_of(u: Tensor, m: Tensor, targets: Tensor) -> str:
    """Tell what the targets are."""
    marked = torch.where(m != 0, u, 1.0)
    formulas = {
        "the sum of the marked numbers": (u * (m != 0)).sum(0),
        "the product of the marked numbers": marked.prod(0),
        "the difference of the marked numbers": first_less_second(u, m),
        "the mean of the marked numbers": (u * (m != 0)).sum(0) / (m != 0).sum(0),
        "the sum of all numbers": u.sum(0),
        "the mean over all steps": (u * m).mean(0),
    }
    fits = [name for name, y in formulas.items() if torch.allclose(y, targets, atol=1e-4)]
    return fits[0] if fits else "something else"


def repeated(program: Any) -> Seen:
    """Ask again with the same generator, with another, and after another global seed."""

    def draw(seed: int) -> Tensor:
        result: Tensor = program(50, 8, torch.Generator().manual_seed(seed))[0]
        return result

    one = draw(0)
    torch.manual_seed(99)
    same = torch.equal(draw(0), one)
    seen: Seen = {
        "a generator of the same seed": "gives the same" if same else "gives something else"
    }
    seen["one of another seed"] = (
        "gives the same" if torch.equal(draw(1), one) else "something else"
    )
    program(3, 4)  # without a generator it draws with that of all
    return seen


def drawn(wrong: str, B: int, T: int, generator: torch.Generator | None = None) -> Batch:
    """Draw the adding problem with one thing wrong, which is named."""
    if wrong == "generator_ignored":
        generator = None
    half = T - T // 2 if wrong == "rounded_up" else T // 2
    numbers = torch.rand(T, B, generator=generator)
    if wrong == "whole_numbers":
        numbers = torch.randint(2, (T, B), generator=generator).float()
    if wrong == "normal":
        numbers = torch.randn(T, B, generator=generator)
    columns = 1 if wrong == "same_for_all" else B
    first = torch.randint(half, (1, columns), generator=generator)
    if wrong == "first_step_never":
        first = torch.randint(1, half, (1, columns), generator=generator)
    last = T - 1 if wrong == "last_step_never" else T
    second = torch.randint(half, last, (1, columns), generator=generator)
    if wrong == "anywhere":
        first, second = (torch.randint(T, (1, B), generator=generator) for _ in range(2))
    if wrong == "any_two":
        first, second = torch.rand(T, B, generator=generator).argsort(0)[:2].chunk(2)
    steps = torch.cat([first, second]).expand(2, B)
    marks = torch.zeros(T, B).scatter(0, steps, 1.0)
    if wrong == "one_mark":
        marks = torch.zeros(T, B).scatter(0, first.expand(1, B), 1.0)
    targets = (numbers * marks).sum(0)
    if wrong == "product":
        targets = torch.where(marks > 0, numbers, 1.0).prod(0)
    if wrong == "mean":
        targets = targets / 2
    if wrong == "difference":
        targets = (numbers.gather(0, steps) * torch.tensor([[1.0], [-1.0]])).sum(0)
    if wrong == "sum_of_all":
        targets = numbers.sum(0)
    if wrong == "column":
        targets = targets[:, None]
    if wrong == "numbers_hidden":
        numbers = numbers * marks
    inputs = torch.stack([marks, numbers] if wrong == "exchanged" else [numbers, marks], dim=2)
    return inputs.transpose(0, 1) if wrong == "batch_first" else inputs, targets


ADDING = {
    "same_for_all": "All your sequences have their marks at the same two steps. A network could "
    "learn these by heart; draw the steps anew for each sequence, as a tensor of shape (1, B).",
    "anywhere": "Your marks may fall on any step, and some sequences have both on the same one, so "
    "that they have one mark. One mark belongs to the first half, the other to the second "
    "({sec-lstm-failure}).",
    "any_two": "Your two marks are different steps, but both may lie in the same half. One belongs "
    "to the first half and one to the second, so that the earlier number is at least T / 2 steps "
    "from the end ({sec-lstm-failure}).",
    "one_mark": "Each of your sequences has one mark only. Two numbers are to be added "
    "({eq-adding}).",
    "rounded_up": "With an odd number of steps your first half is the larger one. It has "
    "`num_steps // 2` steps, rounded down.",
    "last_step_never": "The last step is never marked. The upper end of `torch.randint` is not "
    "drawn: `torch.randint(half, num_steps, ...)` reaches step `num_steps - 1`.",
    "product": "Your targets are the product of the two marked numbers. It is their sum "
    "({eq-adding}).",
    "difference": "Your targets are the difference of the two marked numbers. It is their sum "
    "({eq-adding}).",
    "exchanged": "Numbers and marks are exchanged: the last axis holds the number first, and then "
    "the mark.",
    "whole_numbers": "Your numbers are 0 or 1. Numbers uniform in [0, 1) come from `torch.rand` "
    "({eq-adding-chance} holds for no others).",
    "first_step_never": "The first step is never marked. Steps count from 0: the first half begins "
    "with `torch.randint(0, half, ...)`.",
    "mean": "Your targets are the mean of the two marked numbers, half of what is asked. It is "
    "their sum ({eq-adding}).",
    "sum_of_all": "Your targets are the sum of all numbers: the marks do not enter. Each number is "
    "multiplied by its mark first ({eq-adding}).",
    "normal": "Your numbers are below 0 at times: they come from a normal distribution "
    "(`randn`). Numbers uniform in [0, 1) come from `torch.rand`; only with them is 1/6 the error "
    "of always saying 1 ({eq-adding-chance}).",
    "numbers_hidden": "The numbers without a mark are 0 in your inputs, so that the answer is the "
    "sum of everything, and no mark is needed. The network has to see all numbers, and to pick.",
    "batch_first": "Your inputs have the batch first. In this course time does: (T, B, 2).",
    "column": "Your targets have shape (B, 1). They are one number for each sequence, (B,); "
    "subtracted from outputs (B,) they would silently give a matrix (B, B).",
    "generator_ignored": "What you draw does not come from the generator that is given: with the "
    "same seed it is something else each time. Pass `generator=generator` to each function that "
    "draws.",
}


def adding_variant(name: str) -> Variant:
    """Return a wrong variant of the adding problem."""

    def program(batch_size: int, num_steps: int, generator: Any = None) -> Batch:
        return drawn(name, batch_size, num_steps, generator)

    return Variant(program, ADDING[name])


adding_problem = Task(
    name="adding_problem",
    title="The adding problem",
    label="sec-lstm-failure",
    wanted=("function", "adding_problem"),
    reference=tasks.adding_problem,
    cases=[
        adding_case(8),
        adding_case(7),
        Case(
            "50 sequences of 8 steps, drawn again",
            repeated,
            "generator_ignored",
            ADDING["generator_ignored"],
        ),
    ],
    variants={name: adding_variant(name) for name in ADDING},
    hints=[
        "`torch.rand(T, B, generator=generator)` draws the numbers of all sequences at once.",
        "Draw the step of the first mark with `torch.randint(half, (1, B), generator=generator)`, "
        "one for each sequence, and that of the second in the same way between `half` and T.",
        "`torch.zeros(T, B).scatter(0, steps, 1.0)` puts a 1 at `steps` (2, B), the two joined. "
        "Stack numbers and marks along a last axis; the targets are the sum over the steps of "
        "number times mark ({eq-adding}).",
    ],
    passed="In 8,000 sequences of 8 steps and of 7 the numbers are uniform between 0 and 1, one "
    "mark is in each half, every step equally often, and the targets are those of {eq-adding}; all "
    "comes from the generator that is given.",
    random=True,
)
