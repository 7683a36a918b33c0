"""The checks of the tasks: what is right passes, and each mistake is told by its name."""

from __future__ import annotations

import time

import planted
import pytest
import torch

from d2lhelpers import check
from d2lhelpers.check.core import Case, Task, Variant, recognised

TASKS = sorted(check.TASKS)
RIGHT = [(task, name) for task, each in sorted(planted.ALL.items()) for name in each.right]
WRONG = [(task, name) for task, each in sorted(planted.ALL.items()) for name in each.wrong]
SECONDS = 2.0  # of a processor, for one verdict


def verdict(task: str, program: object) -> check.Verdict:
    """Return the verdict on a program, which must not take long."""
    start = time.process_time()
    found = check.TASKS[task](program)
    assert time.process_time() - start < SECONDS
    return found


@pytest.fixture(scope="module", autouse=True)
def _warm() -> None:
    """Let torch load what it loads at first, so that it is not counted in a verdict."""
    check.gru(check.gru.reference)


@pytest.mark.parametrize("task", TASKS)
def test_a_task_can_do_what_it_promises(task: str) -> None:
    check.audit(check.TASKS[task])
    found = verdict(task, check.TASKS[task].reference)
    assert (found.outcome, bool(found), found.mistake) == ("passed", True, None)


@pytest.mark.parametrize("task", TASKS)
def test_every_variant_is_named_as_itself(task: str) -> None:
    for name in check.TASKS[task].variants:
        found = recognised(check.TASKS[task], list(check.TASKS[task].records(name)))
        assert found == name


@pytest.mark.parametrize("task", TASKS)
def test_right_and_wrong_programs_are_planted_in_every_task(task: str) -> None:
    programs = planted.ALL[task]
    assert len(programs.right) >= 3
    names = {name.split("/")[0] for name in programs.wrong}
    bank = {name.split("/")[0] for name in check.TASKS[task].variants}
    assert names >= bank, "plant each variant as a reader writes it"


def test_at_least_a_hundred_mistakes_are_planted_and_nine_in_ten_have_a_name() -> None:
    named = [name for _, name in WRONG if not name.startswith("unknown/")]
    assert len(WRONG) >= 100
    assert len(named) / len(WRONG) >= 0.9


@pytest.mark.parametrize(("task", "name"), RIGHT)
def test_a_right_program_passes_in_whatever_style(task: str, name: str) -> None:
    source = planted.ALL[task].source(planted.ALL[task].right[name])
    found = verdict(task, planted.load(task, source, name))
    assert found.outcome == "passed", found.text


@pytest.mark.parametrize(("task", "name"), WRONG)
def test_a_wrong_program_is_refused_and_its_mistake_named(task: str, name: str) -> None:
    source = planted.ALL[task].source(planted.ALL[task].wrong[name])
    found = verdict(task, planted.load(task, source, name))
    expected = name.split("/")[0]
    assert found.outcome == "wrong", found.text
    assert found.mistake == (None if expected == "unknown" else expected), found.text
    assert "Traceback" not in found.text
    assert len(found.text) < 1200


@pytest.mark.parametrize("task", TASKS)
def test_a_blank_is_not_yet_written(task: str) -> None:
    source = planted.ALL[task].source("raise NotImplementedError")
    found = verdict(task, planted.load(task, source))
    assert found.outcome == "not yet written"
    assert found.text.startswith("Not yet written: `")


@pytest.mark.parametrize("task", TASKS)
def test_hints_come_in_steps_and_end_at_the_solution(task: str) -> None:
    told = [repr(check.TASKS[task].hint()) for _ in range(9)]
    count = len(check.TASKS[task].hints)
    assert told[0].startswith(f"Hint 1 of {count}: ")
    assert "The solution stands in" in told[count - 1]
    assert told[count - 1] == told[-1]
    assert len(set(told)) == count >= 2


# --- The frame, on a task of its own


def square(x):
    return x * x


def task(**changes):
    given = {
        "name": "square",
        "title": "A square",
        "label": "eq-rnn",
        "wanted": ("function", "square"),
        "reference": square,
        "cases": [Case(f"x = {x}", lambda f, x=x: {"the value": f(x)}) for x in (2.0, 3.0)],
        "variants": {"double": Variant(lambda x: 2 * x, "You double it ({eq-rnn}).")},
        "hints": ["Multiply."],
        "passed": "It is the square.",
    }
    return Task(**(given | changes))


def test_a_mistake_is_told_with_what_was_seen_and_where_to_read() -> None:
    found = task()(lambda x: x + x)
    assert found.text == (
        "You double it (equation 1.4).\n"
        "Seen with x = 3.0: the value: 6; expected 9.\n"
        "Read again: equation 1.4 (rnn.html#equation-eq-rnn)."
    )
    assert repr(found) == found.text
    assert not found


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variants": {}}, "task square has no variants"),
        ({"hints": []}, "task square has no hints"),
        ({"cases": []}, "task square has no cases"),
        ({"label": "eq-nowhere"}, "eq-nowhere is no known place"),
        ({"hints": ["See {sec-nowhere}."]}, "sec-nowhere is no known place"),
        ({"variants": {"same": Variant(square, "The same.")}}, "variant same passes the check"),
        (
            {"variants": {n: Variant(lambda x: 0.0, "Zero.") for n in ("one", "two")}},
            "variants one and two cannot be told apart",
        ),
        ({"reference": lambda x: 1 / 0}, "its own reference raises ZeroDivisionError"),
    ],
)
def test_a_task_that_cannot_work_is_an_error(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check.audit(task(**changes))


def test_the_readers_error_is_told_with_their_line_and_without_a_traceback() -> None:
    source = "def clip_gradients(parameters, max_norm):\n    return parameters.nothing\n"
    found = check.clip_gradients(planted.load("clip_gradients", source, "broken"))
    assert "AttributeError: 'list' object has no attribute 'nothing'" in found.text
    assert "in `clip_gradients`, line 2: `return parameters.nothing`" in found.text


def test_a_blank_deep_inside_is_named() -> None:
    def helper(x):
        raise NotImplementedError("write me")

    def broken(x):
        try:
            return helper(x)
        except NotImplementedError as error:
            raise RuntimeError("no helper") from error

    assert "helper`" in task()(broken).text
    assert task()(broken).outcome == "not yet written"


def test_an_error_of_torch_is_no_blank() -> None:
    found = task()(lambda x: torch.empty(1, device="meta").numpy() if x > 2 else 4.0)
    assert found.outcome == "wrong"


@pytest.mark.parametrize("given", [5, None, square(2), "square"])
def test_what_cannot_be_checked_is_told(given: object) -> None:
    assert "`check.square(square)`" in task()(given).text


def test_a_check_leaves_random_numbers_as_they_were() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    check.gru(check.gru.variants["cut"].program)
    assert torch.equal(before, torch.get_rng_state())


def test_what_survives_a_call_is_found() -> None:
    calls = []

    def counting(x):
        calls.append(x)
        return x * x if len(calls) < 4 else 0.0

    assert task()(counting).mistake == "remembers"
