"""Questions: every mistake of an author is named, and every computed answer is computed here."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from course import quiz
from course.quiz import Option, QuizError, parse
from torch import nn

from d2lhelpers.layers import GRU, RNN
from d2lhelpers.model import LanguageModel

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
        ([*GOOD[:5], "- [ ] \u200b", "", "  No."], 5, "an option has no text"),
        (["\u200b", *GOOD[1:]], 0, "there is no question before the options"),
        ([*GOOD[:5], "- [ ] So.", "", "  No."], 5, "the option 'So.' is there twice"),
        ([*GOOD, "", "And so on."], 9, "'And so on.' belongs to no option: indent it"),
        ([*GOOD[:2], "- So.", *GOOD[3:]], 2, "'- So.' is no option: begin it with '- [x] '"),
    ],
)
def test_a_bad_question_is_refused(body: list[str], line: int, message: str) -> None:
    with pytest.raises(QuizError, match=f"^{re.escape(message)}") as caught:
        parse(body, multiple=False)
    assert caught.value.line == line


def test_code_in_a_question_is_no_option() -> None:
    code = ["```python", "- [ ] no option", "- nor this", "```"]
    question, options = parse([GOOD[0], *code, *GOOD[1:]], multiple=False)
    assert question == [GOOD[0], *code, ""]
    assert len(options) == 2
    with pytest.raises(QuizError, match=r"^'- nor this' is no option"):
        parse([GOOD[0], *code, "- nor this", *GOOD[1:]], multiple=False)


def test_other_processes_bring_their_questions_and_scores() -> None:
    here, there = SimpleNamespace(), SimpleNamespace()
    quiz.questions(there).update({"one": "page", "two": "elsewhere"})
    quiz.scores(there).update({"page", "elsewhere"})
    quiz.merge(None, here, ["page"], there)  # type: ignore[arg-type]
    assert (quiz.questions(here), quiz.scores(here)) == ({"one": "page"}, {"page"})
    quiz.forget(None, here, "page")  # type: ignore[arg-type]
    assert (quiz.questions(here), quiz.scores(here)) == ({}, set())


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


# One question in three is right where one guesses. Of the questions of the whole book no place and
# no length may have so many more that it pays to guess by it.
TOO_MANY = 0.45


def length(option: Option) -> int:
    return len(" ".join(option.text))


SINGLE = {
    name: options
    for name, (_, options) in QUIZZES.items()
    if sum(option.right for option in options) == 1
}


def test_no_place_is_right_too_often() -> None:
    places = [[option.right for option in options].index(True) for options in SINGLE.values()]
    for place in (0, 1, 2):
        names = [name for name, here in zip(SINGLE, places, strict=True) if here == place]
        assert len(names) <= TOO_MANY * len(SINGLE), f"place {place + 1} is right in {names}"


@pytest.mark.parametrize("extreme", [max, min], ids=["longest", "shortest"])
def test_no_length_is_right_too_often(extreme: Callable[..., int]) -> None:
    names = []
    for name, options in SINGLE.items():
        lengths = sorted(map(length, options), reverse=extreme is max)
        (right,) = [length(option) for option in options if option.right]
        if right == lengths[0] != lengths[1]:  # the one that stands out
            names.append(name)
    assert len(names) <= TOO_MANY * len(SINGLE), f"the {extreme.__name__} is right in {names}"


def labels(page: Path) -> set[str]:
    """Return the labels of a page's sections and exercises, which have a title to be called by."""
    text = page.read_text(encoding="utf-8")
    titled = re.findall(r"^\(([\w-]+)\)=\n+#", text, re.MULTILINE)
    exercises = re.findall(r"^```\{exercise-start\} \S.*\n:label: (\S+)$", text, re.MULTILINE)
    return {*titled, *exercises}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_question_says_what_to_read_again(page: Path) -> None:
    known = set().union(*map(labels, PAGES)) if page.stem == "quiz" else labels(page)
    wrong = {}
    for name, body in BLOCK.findall(page.read_text(encoding="utf-8")):
        (again,) = re.findall(r"^:reread: (\S+)$", body, re.MULTILINE) or [""]
        if again not in known:
            wrong[name] = again or "nothing"
    assert wrong == {}


def section(label: str) -> str:
    """Return the text between the heading of a label and the next one."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        if (mark := f"\n({label})=\n") in text:
            return re.split(r"^#+ ", text.split(mark)[1], flags=re.MULTILINE)[1]
    raise KeyError(label)


def test_what_layer_and_state_are_is_read_again_where_it_stands() -> None:
    source = (ROOT / "book" / "quiz.md").read_text(encoding="utf-8")
    (again,) = re.findall(r"^```\{quiz\} all-state\n:reread: (\S+)$", source, re.MULTILINE)
    assert "*hidden layer* and a *hidden state* are different" in section(again)


# An option that speaks of the others, which a reader finds in another order.
OF_THE_OTHERS = re.compile(
    r"(both|neither|none|all) of (them|these|the above)\b|both\.|neither\b|.*\b(above|below)\b",
    re.I,
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_options_that_speak_of_others_keep_their_order(page: Path) -> None:
    loose = []
    for name, body in BLOCK.findall(page.read_text(encoding="utf-8")):
        texts = [" ".join(option.text) for option in QUIZZES[name][1]]
        if any(map(OF_THE_OTHERS.match, texts)) and "\n:fixed:\n" not in f"\n{body}":
            loose.append(name)
    assert loose == []


# ---------------------------------------------------------------- answers that are computed


def size(layer: nn.Module) -> int:
    return sum(p.numel() for p in layer.parameters())


def test_perplexities() -> None:
    assert numbers(key("rnn-perplexity")) == [pytest.approx(math.exp(-math.log(1 / 27)))]
    both, other = math.exp((0 + 2) / 2), (math.exp(0) + math.exp(2)) / 2
    assert numbers(key("all-mean")) == [pytest.approx(both, abs=0.05)]
    wrong = [numbers(" ".join(o.text))[0] for o in QUIZZES["all-mean"][1] if not o.right]
    assert wrong == [pytest.approx(other, abs=0.05), pytest.approx(math.exp(2), abs=0.05)]


def test_the_perplexity_of_a_mixture() -> None:
    p = torch.tensor([[0.9, 0.1], [0.1, 0.9]])  # a row for each model
    alone, mean = (torch.exp(-q.log().mean(-1)) for q in (p, p.mean(0)))
    assert numbers(key("all-mixture")) == [
        pytest.approx(alone[0].item(), abs=0.05),
        pytest.approx(mean.item(), abs=0.05),
    ]
    assert alone[0] == alone[1]


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


def test_a_step_by_hand() -> None:
    old, update, candidate = 0.5, 0.9, -0.5
    assert key("gru-by-hand").startswith(f"{update * old + (1 - update) * candidate:g}")


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


# ---------------------------------------------------------------- code to mend


def code(name: str) -> str:
    """Return the code of a question."""
    lines = QUIZZES[name][0]
    first, last = (i for i, line in enumerate(lines) if line.startswith("~~~"))
    return "".join(f"{line}\n" for line in lines[first + 1 : last])


def test_the_loop_that_does_not_detach() -> None:
    loop = code("all-detach")
    windows = [(torch.zeros(3, 2, dtype=torch.long), torch.zeros(3, 2, dtype=torch.long))] * 3

    def run(text: str) -> int:
        model = LanguageModel(RNN(4, 8), 5)
        read: list[int] = []  # the windows that were read to their end

        def loss(logits: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
            return F.cross_entropy(logits.flatten(0, 1), Y.flatten())

        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        given = {"windows": windows, "model": model, "loss": loss, "optimizer": optimizer}
        exec(text + "    read.append(1)\n", given | {"read": read})
        return len(read)

    with pytest.raises(RuntimeError, match="a second time"):
        run(loop)
    with pytest.raises(RuntimeError, match="inplace operation"):
        run(loop.replace("backward()", "backward(retain_graph=True)"))
    assert run(loop + "    state = state.detach()\n") == 3
    assert run(loop + "    state = None\n") == 3
    assert "Detach" in key("all-detach")


def test_a_gradient_that_is_clipped_too_late() -> None:
    lines = code("all-clip").splitlines()
    backward, step, clip, zero = lines
    assert "clipped" in key("all-clip")

    def weights(*order: str) -> torch.Tensor:
        model = nn.Linear(3, 3)
        nn.init.ones_(model.weight)
        given = {
            "model": model,
            "loss": (100 * model(torch.ones(1, 3))).sum(),
            "optimizer": torch.optim.SGD(model.parameters(), 1.0),
            "clip_grad_norm_": nn.utils.clip_grad_norm_,
        }
        exec("\n".join(order), given)
        return model.weight.detach()

    assert torch.equal(weights(*lines), weights(backward, step, zero))
    mended = weights(backward, clip, step, zero)
    assert (mended - 1).norm() < 1.01 < (weights(*lines) - 1).norm()


def test_what_clipping_does_to_a_gradient() -> None:
    parameter = nn.Parameter(torch.zeros(2))
    parameter.grad = torch.tensor([3.0, 4.0])
    before = parameter.grad.clone()
    nn.utils.clip_grad_norm_([parameter], 1.0)
    (divisor,) = numbers(key("all-direction"))
    torch.testing.assert_close(parameter.grad, before / divisor)


def test_what_a_temperature_does_to_a_ratio() -> None:
    logits = torch.tensor([3.0, 1.0]).log()
    p = torch.softmax(logits / 0.5, dim=0)
    assert p[0] / p[1] == pytest.approx(9)
    assert key("all-temperature") == "Nine times"


def test_the_update_gate_the_wrong_way_round() -> None:
    layer, X, H = GRU(3, 5), torch.randn(2, 3), torch.randn(2, 5)
    X_r, _, X_h = (X @ layer.W_x + layer.b[:3].flatten()).chunk(3, dim=1)
    H_r, _, H_h = (H @ layer.W_h).chunk(3, dim=1)
    given = {
        "X": X, "H": H, "sigmoid": torch.sigmoid,
        "W_xz": layer.W_x[:, 5:10], "W_hz": layer.W_h[:, 5:10], "b_z": layer.b[1],
        "candidate": torch.tanh(X_h + torch.sigmoid(X_r + H_r) * (H_h + layer.b[3])),
    }  # fmt: skip
    wrong, mended = dict(given), dict(given)
    exec(code("all-update"), wrong)
    swapped = code("all-update").replace(
        "Z * candidate + (1 - Z) * H", "(1 - Z) * candidate + Z * H"
    )
    exec(swapped, mended)
    right = layer(X[None], H)[1]
    assert not torch.allclose(wrong["H"], right, atol=1e-3)
    torch.testing.assert_close(mended["H"], right)
    assert key("all-update") == "Exchange Z and 1 - Z."


def test_the_backward_outputs_have_to_be_turned_round() -> None:
    both, X = nn.GRU(3, 5, bidirectional=True), torch.randn(7, 2, 3)
    halves = [nn.GRU(3, 5), nn.GRU(3, 5)]
    for half, suffix in zip(halves, ("", "_reverse"), strict=True):
        half.load_state_dict({n: getattr(both, n + suffix) for n, _ in half.named_parameters()})
    given = {"X": X, "one": halves[0], "other": halves[1], "torch": torch}
    expected = both(X)[0]
    exec(code("all-flip"), given)
    assert not torch.allclose(given["H"], expected, atol=1e-3)
    assert "to_left round" in key("all-flip")
    exec(code("all-flip").replace("to_left]", "to_left.flip(0)]"), given)
    torch.testing.assert_close(given["H"], expected)
