"""Questions: every mistake of an author is named, and every computed answer is computed here."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
import torch
from course.quiz import Option, QuizError, parse
from torch import nn

ROOT = Path(__file__).parents[2]
PAGES = sorted(p for p in (ROOT / "book").glob("*.md") if "```{quiz}" in p.read_text("utf-8"))
CHAPTERS = [page for page in PAGES if page.stem != "quiz"]
BLOCK = re.compile(r"^```\{quiz\} *(.*)\n((?:.*\n)*?)```$", re.MULTILINE)
GOOD = ["Why?", "", "- [x] So.", "", "  Yes.", "- [ ] Not so.", "", "  No."]


def blocks(page: Path) -> dict[str, tuple[list[str], list[Option]]]:
    """Return the question and the options of each quiz of a page, by its name."""
    found = {}
    for name, body in BLOCK.findall(page.read_text(encoding="utf-8")):
        lines = body.split("\n")
        plain = [line for line in lines if not line.startswith(":")]
        found[name] = parse(plain, ":multiple:" in lines)
    return found


QUIZZES = {name: quiz for page in PAGES for name, quiz in blocks(page).items()}


def key(name: str) -> str:
    """Return the text of the one right option."""
    (option,) = [option for option in QUIZZES[name][1] if option.right]
    return " ".join(option.text)


def numbers(text: str) -> list[float]:
    return [float(number.replace(",", "")) for number in re.findall(r"[\d.,]*\d", text)]


def test_a_good_question_is_taken_apart() -> None:
    question, options = parse(GOOD, multiple=False)
    assert "".join(question) == "Why?"
    assert [(o.right, o.text, "".join(o.feedback).strip()) for o in options] == [
        (True, ["So."], "Yes."),
        (False, ["Not so."], "No."),
    ]


@pytest.mark.parametrize(
    ("body", "line", "message"),
    [
        (GOOD[2:], 0, "there is no question before the options"),
        (["Why?"], 0, "0 option(s): a question needs at least two"),
        (GOOD[:5], 0, "1 option(s): a question needs at least two"),
        ([*GOOD[:2], "- [ ] So.", *GOOD[3:]], 0, "no option is right: mark one with [x]"),
        ([*GOOD[:5], "- [x] Not so.", *GOOD[6:]], 5, "2 options are right: mark only one"),
        (GOOD[:6], 5, "the option 'Not so.' has no feedback: add it below"),
        ([*GOOD[:5], "- [ ] ", "", "  No."], 5, "an option has no text"),
        ([*GOOD[:5], "- [ ] So.", "", "  No."], 5, "the option 'So.' is there twice"),
        ([*GOOD, "", "And so on."], 9, "'And so on.' belongs to no option: indent it"),
        ([*GOOD[:2], "- So.", *GOOD[3:]], 2, "'- So.' is no option: begin it with '- [x] '"),
    ],
)
def test_a_bad_question_is_refused(body: list[str], line: int, message: str) -> None:
    with pytest.raises(QuizError, match=f"^{re.escape(message)}") as caught:
        parse(body, multiple=False)
    assert caught.value.line == line


def test_a_question_in_which_all_is_right_is_refused() -> None:
    body = [line.replace("[ ]", "[x]") for line in GOOD]
    with pytest.raises(QuizError, match=r"^all options are right: add one that is not"):
        parse(body, multiple=True)


@pytest.mark.parametrize("page", CHAPTERS, ids=lambda page: page.stem)
def test_every_chapter_has_questions(page: Path) -> None:
    assert len(blocks(page)) >= 5


def test_the_wrap_up_asks_about_all_chapters() -> None:
    assert len(blocks(ROOT / "book" / "quiz.md")) >= 12


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_place_of_the_right_answer_says_nothing(page: Path) -> None:
    single = [o for _, o in blocks(page).values() if sum(option.right for option in o) == 1]
    places = {[option.right for option in options].index(True) for options in single}
    assert len(places) > 1


# ---------------------------------------------------------------- answers that are computed


def size(layer: nn.Module) -> int:
    return sum(p.numel() for p in layer.parameters())


def test_perplexities() -> None:
    assert numbers(key("rnn-perplexity")) == [pytest.approx(math.exp(-math.log(1 / 27)))]
    both, other = math.exp((0 + 2) / 2), (math.exp(0) + math.exp(2)) / 2
    assert numbers(key("all-mean")) == [pytest.approx(both, abs=0.05)]
    wrong = [numbers(" ".join(o.text))[0] for o in QUIZZES["all-mean"][1] if not o.right]
    assert wrong == [pytest.approx(other, abs=0.05), pytest.approx(math.exp(2), abs=0.05)]


def test_shapes() -> None:
    outputs, state = nn.RNN(64, 256)(torch.zeros(35, 32, 64))
    assert numbers(key("rnn-shapes")) == [*outputs.shape, *state.shape]
    outputs, _ = nn.LSTM(8, 16, num_layers=2, bidirectional=True)(torch.zeros(10, 4, 8))
    assert numbers(key("bi-shape")) == [*outputs.shape]
    _, state = nn.GRU(8, 16, num_layers=3, bidirectional=True)(torch.zeros(10, 4, 8))
    assert numbers(key("all-state-shape")) == [*state.shape]


def test_numbers_of_parameters() -> None:
    assert f"{size(nn.RNN(64, 256)):,}" in "".join(QUIZZES["gru-parameters"][0])
    assert numbers(key("gru-parameters")) == [size(nn.GRU(64, 256))]


def test_what_is_left_of_a_memory() -> None:
    gate = torch.tensor(1.0).sigmoid().item()
    assert numbers(key("lstm-bias")) == [round(100 * gate**10)]
    assert numbers(key("all-half")) == [pytest.approx(math.log(1 / 8) / math.log(0.5))]
    assert numbers(key("deep-gain")) == [pytest.approx(0.2**4)]


def test_errors_of_the_adding_problem() -> None:
    u = torch.rand(1_000_000, 2, generator=torch.Generator().manual_seed(0))
    asked = numbers(re.search(r"of [\d.]+", "".join(QUIZZES["all-chance"][0]))[0])
    assert asked == [pytest.approx((u.sum(1) - 1).square().mean().item(), abs=1e-3)]
    later = (u.sum(1) - (u[:, 1] + 0.5)).square().mean().item()
    assert later == pytest.approx(1 / 12, rel=0.01)
    (feedback,) = [
        "".join(o.feedback) for o in QUIZZES["all-chance"][1] if "later" in " ".join(o.text)
    ]
    assert "a twelfth" in feedback


def test_clipping_a_generator_clips_nothing() -> None:
    layer = nn.Linear(3, 3)
    for parameter in layer.parameters():
        parameter.grad = torch.ones_like(parameter)
    code = "".join(
        f"{line}\n" for line in QUIZZES["rnn-bug"][0] if line[:4] in ("norm", "if n", "    ")
    )
    exec(code, {"parameters": layer.parameters()})
    assert all((p.grad == 1).all() for p in layer.parameters())
    assert "generator" in key("rnn-bug")
    exec(code, {"parameters": list(layer.parameters())})
    assert all((p.grad < 1).all() for p in layer.parameters())
