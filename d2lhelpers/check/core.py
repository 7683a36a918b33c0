"""The frame of every check: run what a reader wrote, compare it, and say what is wrong.

A task holds cases. Each case runs a program and returns what is seen of it, by name: outputs,
states, gradients. The program of the reader, the reference and a bank of wrong variants go through
the same cases; if the reader's program is seen to do exactly what one wrong variant does, the
verdict names that mistake, otherwise it tells the first difference.
"""

from __future__ import annotations

import contextlib
import dis
import inspect
import io
import linecache
import math
import random
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from d2lhelpers.check.general import in_general
from d2lhelpers.check.places import place, render

Outcome = Literal["passed", "not yet written", "wrong"]
Seen = dict[str, Any]  # what is seen of a program in one case, in the order in which it is told

# Code in these folders is not the reader's.
PACKAGES = tuple(
    str(Path(package).parent) for package in (torch.__file__, np.__file__, Path(__file__).parent)
)

# What a case may see beside values: the name of the mistake, and what it means.
CHANGED, CARRIES, RETURNED = "what is changed in place", "gradients", "what is returned"
DREW = "random numbers"
RANDOM = (
    "Your code draws random numbers, or sets the seed of all others. Nothing is random here: take "
    "it out."
)
# Cases that tell why values are wrong, and come before them when a mistake has no name of its own.
CAUSES = ("mixes_texts", "looks_ahead")
# What an error of PyTorch's means: its words, the name of the mistake, what the reader is told.
RAISED = (
    (
        r"leaf Variable that requires grad",
        "no_grad_missing",
        "A parameter is changed in place while PyTorch records gradients. If it is to be set, do "
        "it inside `with torch.no_grad():`.",
    ),
    (
        r"in-?place",
        "in_place",
        "Your code changes a tensor in place (`+=`, `x[t] = ...`, a method that ends in `_`) that "
        "is still needed: by the way back, or by whoever has given it. Make a new tensor, "
        "`H = H * Z`.",
    ),
)
GENERAL = {
    DREW: ("random", RANDOM),
    CHANGED: (
        "changes_inputs",
        "Your code changes in place: {found}. What was given still belongs to the caller, who "
        "goes on using it; make a new tensor, `H = H * Z` and not `H *= Z`.",
    ),
    CARRIES: (
        "no_gradient",
        "No gradient can pass through what your code returns. `torch.no_grad`, `.detach()`, "
        "`.data`, `.item()` or a tensor made anew out of numbers cuts it off.",
    ),
}


# --- What a reader sees


@dataclass(frozen=True)
class Verdict:
    """What a check found; in a notebook it shows its text. True if the task is passed.

    Args:
        outcome: "passed", "not yet written" or "wrong".
        text: what the reader is told.
        mistake: the name of the mistake, if it was recognised.
    """

    outcome: Outcome
    text: str
    mistake: str | None = None

    def __bool__(self) -> bool:
        return self.outcome == "passed"

    def __repr__(self) -> str:
        return self.text


class Hint(str):
    """A text that a notebook shows without quotation marks."""

    def __repr__(self) -> str:
        return str(self)


# --- What a task is made of


@dataclass(frozen=True)
class Variant:
    """A wrong program that readers write, and the sentence that names its mistake.

    Args:
        program: takes the place of the reader's class or function.
        says: what the reader is told; `{eq-rnn}` becomes "equation 1.4".
    """

    program: Any
    says: str


@dataclass(frozen=True)
class Case:
    """One way in which a program is run.

    Args:
        given: what it is given, as in "inputs (5, 3, 4) and a state (3, 6)".
        run: takes the program, returns what is seen of it.
        mistake: for a case that is about conduct (type, device, memory) and not about values, the
            name of the mistake that it finds.
        advice: for such a case, what it means if it fails.
    """

    given: str
    run: Callable[[Any], Seen]
    mistake: str | None = None
    advice: str = ""


@dataclass(frozen=True)
class Problem:
    """An exception of the reader's code: what, and in which of their lines."""

    kind: str
    message: str
    where: str

    def same_as(self, other: Problem) -> bool:
        """Tell whether another program raises the same, wherever it stands."""
        return (self.kind, self.message) == (other.kind, other.message)

    def __str__(self) -> str:
        message = self.message.split("\n")[0]
        return f"{self.kind}: {message}{self.where}" if message else f"{self.kind}{self.where}"


@dataclass
class Record:
    """What was seen of a program in one case."""

    seen: Seen = field(default_factory=dict)
    problem: Problem | None = None
    printed: str = ""
    reseeded: bool = False


@dataclass(frozen=True)
class Difference:
    """The first thing in which a program differs from another."""

    case: Case
    name: str  # of what was seen; empty for a problem
    found: Any
    expected: Any
    text: str


class Unfit(Exception):
    """What was given cannot be checked: what is missing, as the reader is told."""


class NotYetWritten(Exception):
    """A blank that nobody has filled in yet: which one."""


class Task:
    """Something to write, and the check of it: call it with the class or function that you wrote.

    Args:
        name: `check.NAME`.
        title: a few words.
        label: of the section or equation of the course where the solution stands.
        wanted: what to pass, "class" or "function", and its name in the chapter.
        reference: the right program.
        cases: at least one.
        variants: wrong programs, by the name of the mistake; where one mistake shows in several
            ways, a slash and a word follow the name.
        hints: in steps; the last, where the solution stands, is added from `label`.
        passed: what a passed check has shown, one sentence.
        read: labels of what to read again, by the name of a mistake; otherwise `label`.
        explain: adds a sentence to a difference that no variant explains, or an empty text.
        doc: the docstring of the blank, where the package has no function of its name.
        random: whether the program may draw random numbers.

    Raises:
        ValueError: no variants, no hints, no cases, a text that names an unknown place.
    """

    def __init__(
        self,
        name: str,
        title: str,
        label: str,
        wanted: tuple[Literal["class", "function"], str],
        reference: Any,
        cases: Sequence[Case],
        variants: dict[str, Variant],
        hints: Sequence[str],
        passed: str,
        read: dict[str, str] | None = None,
        explain: Callable[[Difference], str] = lambda difference: "",
        doc: str | None = None,
        random: bool = False,
    ):
        for what, value in {"variants": variants, "hints": hints, "cases": cases}.items():
            if not value:
                raise ValueError(f"task {name} has no {what}: give it at least one")
        self.name, self.title, self.label, self.wanted = name, title, label, wanted
        self.reference, self.cases, self.variants = reference, tuple(cases), dict(variants)
        steps = [*hints, f"The solution stands in {{{label}}}."]
        self.hints, self.passed, self.read = [render(step) for step in steps], passed, read or {}
        self.explain, self.doc, self.random = explain, doc, random
        for text in (passed, *(variant.says for variant in variants.values())):
            render(text)  # an unknown place is an error here and not before a learner
        for other in self.read.values():
            place(other)
        self._given = 0
        self._known: dict[tuple[str, int], Record] = {}

    def __call__(self, program: Any) -> Verdict:
        """Check a class or function and return the verdict."""
        kind, called = self.wanted
        if kind == "class" and not isinstance(program, type) and hasattr(program, "parameters"):
            program = type(program)
        if not (isinstance(program, type) if kind == "class" else callable(program)):
            return Verdict(
                "wrong",
                f"`check.{self.name}` needs the {kind} itself, and was given "
                f"{describe(program)}. Write `check.{self.name}({called})`, without brackets "
                f"after `{called}`.",
            )
        try:
            return judge(self, program)
        except Unfit as error:
            return Verdict("wrong", str(error))
        except NotYetWritten as blank:
            return Verdict(
                "not yet written",
                f"Not yet written: {blank}. Replace `raise NotImplementedError` by your code and "
                f"run both cells again; `check.{self.name}.hint()` gives a hint.",
            )

    def __repr__(self) -> str:
        return f"check.{self.name}: {self.title}"

    def hint(self) -> Hint:
        """Return the next hint; the last says where the solution stands, and stays."""
        step = min(self._given, len(self.hints) - 1)
        self._given = step + 1
        return Hint(f"Hint {step + 1} of {len(self.hints)}: {self.hints[step]}")

    def records(self, name: str) -> Iterator[Record]:
        """Yield what is seen of the reference (name "") or of a variant, case by case.

        Each is computed once, and only when it is asked for: most variants differ from a program
        in the first case, and need not be run in the others.
        """
        program = self.variants[name].program if name else self.reference
        for i, case in enumerate(self.cases):
            if (name, i) not in self._known:
                with undisturbed():
                    self._known[name, i] = run_case(case, program, self.random)
            yield self._known[name, i]


# --- Running


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Leave the random numbers of whoever calls a check as they were."""
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        torch.set_rng_state(states[0])
        random.setstate(states[1])
        np.random.set_state(states[2])


def observe(task: Task, program: Any) -> list[Record]:
    """Run a program through all cases of a task."""
    with undisturbed():
        return [run_case(case, program, task.random) for case in task.cases]


def run_case(case: Case, program: Any, may_draw: bool) -> Record:
    """Run a program in one case: what is seen, or the problem, and what it printed.

    Raises:
        NotYetWritten: somewhere inside stands a blank.
        Unfit: the program has not what the check needs.
    """
    record, printed = Record(), io.StringIO()
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)
    before = torch.get_rng_state(), random.getstate()
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(printed))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.enter_context(torch.enable_grad())
        stack.enter_context(torch.device("cpu"))
        try:
            record.seen = case.run(program)
        except Unfit:
            raise
        except Exception as error:
            if blank := blank_of(error):
                raise NotYetWritten(blank) from None
            record.problem = problem_of(error)
    record.printed = printed.getvalue()
    changed = not torch.equal(torch.get_rng_state(), before[0]) or random.getstate() != before[1]
    record.reseeded = changed and not may_draw
    return record


def frames(error: BaseException) -> Iterator[TracebackType]:
    """Yield the tracebacks of an error from the outermost to the line that raised it."""
    step = error.__traceback__
    while step is not None:
        yield step
        step = step.tb_next


def blank_of(error: BaseException | None) -> str:
    """Return the name of the blank that raised NotImplementedError, or an empty text.

    PyTorch raises errors of this type, too: only one that a Python line raises is a blank.
    """
    while error is not None:
        steps = list(frames(error))
        if isinstance(error, NotImplementedError) and steps:
            code, at = steps[-1].tb_frame.f_code, steps[-1].tb_lasti
            if code.co_name == "_forward_unimplemented":
                return f"`{type(steps[-1].tb_frame.f_locals['self']).__name__}.forward`"
            if dis.opname[code.co_code[at]] == "RAISE_VARARGS":
                return f"`{code.co_qualname}`".replace("<locals>.", "")
        error = error.__cause__ or error.__context__
    return ""


def problem_of(error: Exception) -> Problem:
    """Return what to tell of an error: its kind, its message, the reader's line."""
    where = ""
    for step in frames(error):
        code = step.tb_frame.f_code
        if not code.co_filename.startswith(PACKAGES):
            line = linecache.getline(code.co_filename, step.tb_lineno).strip()
            name = code.co_qualname.replace("<locals>.", "")
            where = f"\n    in `{name}`, line {step.tb_lineno}" + (f": `{line}`" if line else "")
    return Problem(type(error).__name__, str(error), where)


# --- Comparing


def compare(case: Case, found: Record, expected: Record) -> Difference | None:
    """Return the first difference between what is seen of two programs in a case."""
    if found.problem or expected.problem:
        if found.problem and expected.problem and found.problem.same_as(expected.problem):
            return None
        problem = found.problem or expected.problem
        return Difference(case, "", found.problem, expected.problem, f"your code raises {problem}")
    for name, value in expected.seen.items():
        if name not in found.seen:
            continue  # what could not be looked at is told by what stands before it
        if text := unlike(name, found.seen[name], value):
            return Difference(case, name, found.seen[name], value, text)
    for name, value in found.seen.items():
        if name not in expected.seen:  # of a wrong variant, that has less to show
            return Difference(case, name, value, None, f"{name} is {describe(value)}")
    return None


def unlike(name: str, found: Any, expected: Any) -> str:
    """Return in what two values differ, as a text that begins with their name; empty if alike."""
    if not isinstance(expected, Tensor):
        if isinstance(found, Tensor) or not same_value(found, expected):
            return f"{name}: {show(found)}; expected {show(expected)}"
        return ""
    if not isinstance(found, Tensor):
        return f"{name}: {show(found)}; expected a tensor of shape {tuple(expected.shape)}"
    if found.shape != expected.shape:
        return f"{name}: shape {tuple(found.shape)}; expected {tuple(expected.shape)}"
    if found.dtype != expected.dtype:
        return f"{name}: {found.dtype}; expected {expected.dtype}"
    if found.device != expected.device:
        return f"{name}: on the device {found.device}; expected on {expected.device}"
    if found.is_meta:
        return ""
    far = distant(found, expected)
    if not far.any():
        return ""
    index = tuple(far.nonzero()[0].tolist())
    at = f" at {list(index)}" if index else ""
    many = f" ({int(far.sum())} of {far.numel()} numbers differ)" if far.numel() > 1 else ""
    return f"{name}: {show(found[index])}{at}; expected {show(expected[index])}{many}"


def distant(found: Tensor, expected: Tensor) -> Tensor:
    """Tell where two tensors of one shape and type differ by more than rounding does."""
    if not expected.is_floating_point():
        return found != expected
    finite = expected[expected.isfinite()]
    scale = max(1.0, finite.abs().max().item()) if finite.numel() else 1.0
    near = scale * (1e-4 if expected.dtype == torch.float32 else 1e-8)
    close = (found - expected).abs() <= near
    return ~(close | (found == expected) | (found.isnan() & expected.isnan()))


def same_value(found: Any, expected: Any) -> bool:
    """Tell whether two plain values are the same, numbers up to rounding."""
    if isinstance(expected, bool) or not isinstance(expected, float):
        return type(found) is type(expected) and bool(found == expected)
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        return False
    same = found == expected or (math.isnan(found) and math.isnan(expected))
    return same or math.isclose(found, expected, rel_tol=1e-5, abs_tol=1e-7)


def show(value: Any) -> str:
    """Return a value as a text: numbers with four digits."""
    if isinstance(value, Tensor) and value.dim() == 0:
        value = value.item()
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else describe(value)


def describe(value: Any) -> str:
    """Return in a few words what a value is: the shape of a tensor, the parts of a tuple."""
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, (tuple, list)):
        parts = ", ".join(describe(part) for part in value[:4])
        return f"a {type(value).__name__} of {len(value)}" + (f" ({parts})" if value else "")
    if value is None or isinstance(value, (bool, int, float, str)):
        return f"`{value!r}`"
    if isinstance(value, type):
        return f"the class `{value.__name__}`"
    if inspect.isroutine(value):
        return f"the function `{value.__name__}`"
    name = type(value).__name__
    return f"{'an' if name[0] in 'AEIOU' else 'a'} `{name}`"


# --- The verdict


def judge(task: Task, program: Any) -> Verdict:
    """Return the verdict on a program: passed, a mistake by name, or the first difference."""
    found, right = observe(task, program), list(task.records(""))
    differences = [
        difference
        for case, one, other in zip(task.cases, found, right, strict=True)
        if (difference := compare(case, one, other))
    ]
    if differences:
        return wrong(task, found, differences)
    if printed := next((record.printed.strip() for record in found if record.printed), ""):
        line = printed.split("\n")[0]
        return Verdict(
            "wrong",
            f"The values are right, but your code prints, at first `{line}`. Take the call of "
            "`print` out: what is called at every step should say nothing.",
            "prints",
        )
    if any(record.reseeded for record in found):
        return Verdict(
            "wrong",
            f"The values are right. {RANDOM}",
            "random",
        )
    for case, one, other in zip(task.cases, observe(task, program), right, strict=True):
        if difference := compare(case, one, other):
            return Verdict(
                "wrong",
                "The first time your code was right; run again with the same, it was not. "
                f"Something survives the call, a global variable or a default value that is "
                f"changed. With {case.given}, the second time: {difference.text}.",
                "remembers",
            )
    return Verdict("passed", f"Passed. {render(task.passed)}")


def wrong(task: Task, found: list[Record], differences: list[Difference]) -> Verdict:
    """Return the verdict on a program that differs from the reference."""
    first = differences[0]
    if known := recognised(task, found):
        variant, name = task.variants[known], known.split("/")[0]
        return Verdict(
            "wrong",
            f"{render(variant.says)}\nSeen with {first.case.given}: {first.text}.\n"
            f"Read again: {place(task.read.get(name, task.label))}.",
            name,
        )
    valued = [difference for difference in differences if difference.case.mistake is None]
    causes = [each for each in differences if each.case.mistake in CAUSES and each.found == "yes"]
    general = [each for each in valued if each.name in GENERAL]
    first = (general or causes or valued or differences)[0]
    seen = f"With {first.case.given}: {first.text}."
    mistake, says = first.case.mistake, first.case.advice
    if first.name == "":
        for words, name, meaning in RAISED:
            if re.search(words, str(first.found)):
                mistake, says = name, meaning
                break
    explained = task.explain(first)
    if mistake is None and (known_in_general := in_general(first.found, first.expected)):
        (mistake, says), explained = known_in_general, ""
    if first.name in GENERAL:
        mistake, meaning = GENERAL[first.name]
        says = meaning.format(found=first.found)
    says = says or (
        "Your code stops with an error." if first.name == "" else "Something is not yet right."
    )
    parts = [says, seen, explained, f"Read again: {place(task.label)}."]
    return Verdict("wrong", "\n".join(render(part) for part in parts if part), mistake)


def recognised(task: Task, found: list[Record]) -> str | None:
    """Return the name of the one wrong variant that a program does the same as, if there is one.

    It has to agree in every case; failing that, in all cases that are about values.
    """
    for strict in (True, False):
        fitting = [name for name in task.variants if alike(task, found, task.records(name), strict)]
        if fitting:
            return fitting[0] if len(fitting) == 1 else None
    return None


def alike(task: Task, found: list[Record], other: Iterable[Record], strict: bool) -> bool:
    """Tell whether two programs look the same in all cases, or (not strict) in those of values.

    Then they must also differ there from the reference: a program that is wrong in conduct alone
    is no variant.
    """
    wrong_somewhere = strict
    for case, one, wrong, right in zip(task.cases, found, other, task.records(""), strict=True):
        if case.mistake is None or strict:
            if compare(case, one, wrong):
                return False
            wrong_somewhere = wrong_somewhere or compare(case, one, right) is not None
    return wrong_somewhere


def audit(task: Task) -> None:
    """Raise `ValueError` if a task cannot do what it promises, naming it.

    That is: the reference does not pass, a wrong variant passes, two variants look the same.
    """
    right = list(task.records(""))
    if problems := [record.problem for record in right if record.problem]:
        raise ValueError(f"task {task.name}: its own reference raises {problems[0]}")
    names = list(task.variants)
    for i, name in enumerate(names):
        records = list(task.records(name))
        cases = list(zip(task.cases, records, right, strict=True))
        if not any(compare(case, one, other) for case, one, other in cases):
            raise ValueError(f"task {task.name}: the wrong variant {name} passes the check")
        if any(record.printed for record in records):
            raise ValueError(f"task {task.name}: the wrong variant {name} prints")
        for other_name in names[:i]:
            if alike(task, records, task.records(other_name), strict=False):
                raise ValueError(
                    f"task {task.name}: the variants {other_name} and {name} cannot be told apart"
                )
