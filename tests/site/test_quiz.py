"""The questions, answered in a real browser in every way a reader can."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Locator, Page
from visits import COLOURS, ROOT, SITE, chapters, one_at_a_time, open_page

QUESTION_BYTES, SCRIPT_BYTES = 1536, 4096
PAGES = [
    path
    for path in chapters()
    if (SITE / path).is_file() and 'form class="quiz"' in (SITE / path).read_text("utf-8")
]


def forms(page: Page) -> list[Locator]:
    return page.locator("form.quiz").all()


def options(form: Locator) -> list[tuple[Locator, Locator, bool]]:
    """Return the button and the feedback of each option, and whether it is right."""
    boxes = form.locator("fieldset > div:has(> label)").all()
    return [
        (box.locator("input"), box.locator("> div"), box.get_attribute("data-right") is not None)
        for box in boxes
    ]


def name_of(form: Locator) -> str:
    return form.get_attribute("data-quiz") or ""


def answer_right(form: Locator) -> None:
    for button, _, right in options(form):
        if right:
            button.check()


@pytest.fixture(scope="module", params=one_at_a_time(PAGES))
def page(browser: Browser, server: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """Every page with questions in turn; each test leaves it without an answer."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    visit = open_page(context, server + request.param)
    assert visit.messages == []
    yield visit.page
    context.close()


def test_there_are_questions() -> None:
    assert [Path(path).stem for path in PAGES] == [
        "bidirectional-rnn", "deep-rnn", "gru", "lstm", "quiz", "rnn",
    ]  # fmt: skip


# Answers every question in every way by its buttons, and tells what the page did.
ANSWER_ALL = """async () => {
  const seen = [];
  for (const form of document.querySelectorAll("form.quiz")) {
    const rows = [...form.querySelectorAll("fieldset > div:has(> label)")];
    const right = rows.map(row => "right" in row.dataset);
    const ways = rows.map((_, i) => rows.map((_, j) => i === j));
    if (rows[0].querySelector("[type=checkbox]")) ways.push(right, rows.map(() => true));
    for (const way of ways) {
      form.querySelector("button").click();
      await new Promise(done => setTimeout(done));
      const before = rows.filter(row => row.lastChild.checkVisibility()).length;
      rows.forEach((row, i) => way[i] && row.querySelector("input").click());
      seen.push({
        quiz: form.dataset.quiz, right, way, before,
        shown: rows.map(row => row.lastChild.checkVisibility()),
        feedback: rows.map(row => row.lastChild.textContent.trim()),
        spoken: form.querySelector("[role=status]").textContent.trim(),
        again: form.querySelector(".quiz-reread")?.checkVisibility(),
        kept: JSON.parse(localStorage.getItem("quiz:" + form.dataset.quiz)),
      });
    }
    form.querySelector("button").click();
    await new Promise(done => setTimeout(done));
  }
  return seen;
}"""


def test_every_answer_gives_its_feedback_and_exactly_the_right_ones_count(page: Page) -> None:
    seen = page.evaluate(ANSWER_ALL)
    assert len(seen) >= 3 * len(forms(page))
    for answer in seen:
        assert answer["before"] == 0, answer
        assert answer["shown"] == answer["way"], answer
        verdicts = ["Right." if right else "No." for right in answer["right"]]
        assert [text.split()[0] for text in answer["feedback"]] == verdicts
        last = max(i for i, chosen in enumerate(answer["way"]) if chosen)
        assert answer["spoken"].split()[0] == verdicts[last], answer
        wrong = any(c and not r for c, r in zip(answer["way"], answer["right"], strict=True))
        assert answer["again"] in (None, wrong), answer
        assert answer["kept"] == {
            "chosen": answer["way"],
            "right": answer["way"] == answer["right"],
        }


def test_a_mouse_and_a_finger_can_answer(page: Page) -> None:
    form = forms(page)[0]
    (_, first, _), (_, second, _) = options(form)[:2]
    form.locator("label").nth(0).click()
    assert first.is_visible()
    form.locator("label").nth(1).click()
    assert second.is_visible()
    form.locator("button").click()
    assert form.locator(":checked").count() == 0


def test_an_answer_survives_a_reload_and_can_be_cleared(page: Page) -> None:
    for form in forms(page):
        answer_right(form)
    page.reload(wait_until="networkidle")
    for form in forms(page):
        assert [b.is_checked() for b, _, _ in options(form)] == [r for _, _, r in options(form)]
        form.locator("button").click()
        page.wait_for_function("n => localStorage.getItem('quiz:' + n) === null", arg=name_of(form))
        assert not any(b.is_checked() for b, _, _ in options(form))
    page.reload(wait_until="networkidle")
    assert page.locator("form.quiz :checked").count() == 0


def test_the_keyboard_alone_is_enough(page: Page) -> None:
    form = forms(page)[0]
    first = options(form)[0][0]
    page.evaluate("form => form.querySelector('input').focus()", form.element_handle())
    assert first.evaluate("e => e === document.activeElement")
    page.keyboard.press("Space")
    assert first.is_checked()
    assert options(form)[0][1].is_visible()
    page.keyboard.press("ArrowDown")
    assert options(form)[1][0].is_checked()
    assert options(form)[1][1].is_visible()
    links = (
        options(form)[1][1].locator("a").count() + form.locator(".quiz-reread a:visible").count()
    )
    for _ in range(links + 1):
        page.keyboard.press("Tab")
    assert form.locator("button").evaluate("e => e === document.activeElement")
    page.keyboard.press("Enter")
    assert form.locator(":checked").count() == 0


def test_the_name_of_a_group_is_its_question(page: Page) -> None:
    for form in forms(page):
        label = form.locator("fieldset").get_attribute("aria-labelledby")
        assert len(page.locator(f"#{label}").inner_text()) > 10
        assert all(button.evaluate("e => e.labels.length") == 1 for button, _, _ in options(form))


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_answered_questions_are_accessible(page: Page, mode: str) -> None:
    page.emulate_media(color_scheme=mode, reduced_motion="reduce")  # type: ignore[arg-type]
    page.wait_for_function(f"document.documentElement.dataset.theme === '{mode}'")
    for i, form in enumerate(forms(page)):
        rows = options(form)
        rows[i % len(rows)][0].check()
    rules = COLOURS if mode == "dark" else {}  # nothing else depends on the mode
    found = Axe().run(page, context="form.quiz", options={"resultTypes": ["violations"]} | rules)
    page.evaluate("document.querySelectorAll('form.quiz').forEach(form => form.reset())")
    assert [(v["id"], v["nodes"][0]["html"]) for v in found.response["violations"]] == []


def test_questions_weigh_little(page: Page) -> None:
    sizes = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll("form.quiz")].map(
          f => [f.dataset.quiz, new TextEncoder().encode(f.outerHTML).length]))"""
    )
    assert {name: size for name, size in sizes.items() if size > QUESTION_BYTES} == {}
    assert page.locator("form.quiz script, form.quiz [onclick], form.quiz style").count() == 0


def test_script_and_style_weigh_little() -> None:
    files = [ROOT / "book" / "_static" / name for name in ("quiz.js", "quiz.css")]
    assert sum(path.stat().st_size for path in files) < SCRIPT_BYTES


def test_feedback_needs_no_script(browser: Browser, server: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    for path in PAGES:
        page.goto(server + path)
        for form in forms(page):
            for button, feedback, _ in options(form):
                button.check()
                assert feedback.is_visible()
            form.locator("button").click()
            assert form.locator(":checked").count() == 0
    context.close()


def test_score_and_progress(context: BrowserContext, server: str) -> None:
    total = {}
    for path in PAGES:
        page = open_page(context, server + path).page
        total[path] = len(forms(page))
        for form in forms(page):
            answer_right(form)
        page.close()
    page = open_page(context, server + "book/quiz.html").page
    score = page.locator(".quiz-score")
    assert "book/quiz.html" in total
    count = total["book/quiz.html"]
    assert score.locator("p").inner_text() == f"{count} of {count} right on this page."
    rows = score.locator("li").all_inner_texts()
    assert len(rows) == len(PAGES)
    wanted = sorted(f"{n} of {n} right" for n in total.values())
    assert sorted(row.split(": ")[1] for row in rows) == wanted
    rows_of = options(forms(page)[0])
    next(button for button, _, right in rows_of if not right).check()
    assert score.locator("p").inner_text() == f"{count - 1} of {count} right on this page."
    score.locator("button").click()
    assert score.locator("p").inner_text() == f"0 of {count} right on this page."
    assert page.evaluate("Object.keys(localStorage).filter(k => k.startsWith('quiz:'))") == []
    assert page.locator("form.quiz :checked").count() == 0


def test_notebooks_hold_the_questions(site: Path) -> None:
    for path in PAGES:
        notebook = site / "notebooks" / f"{Path(path).stem}.ipynb"
        if not notebook.is_file():
            assert Path(path).stem == "quiz"
            continue
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
        assert "{quiz}" not in text
        assert "- [x]" not in text
        assert text.count("<details>") == text.count("</details>") >= 15
