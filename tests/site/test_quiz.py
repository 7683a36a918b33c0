"""The questions, answered in a real browser in every way a reader can."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Dialog, Locator, Page
from visits import (
    COLOURS,
    OTHERS,
    ROOT,
    SITE,
    Windows,
    chapters,
    lay_out,
    one_at_a_time,
    open_page,
    until,
    without,
)

QUESTION_BYTES, SCRIPT_BYTES = 1536, 8192
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


def check(form: Locator) -> None:
    form.get_by_role("button", name="Check").click()


def verdict(form: Locator) -> str:
    """Return what stands below the options, without what is only read out."""
    status = form.get_by_role("status")
    return (status.evaluate("e => e.firstChild?.textContent ?? ''")).strip()  # type: ignore[no-any-return]


ANSWER_RIGHT = """forms => {
  for (const form of forms) {
    for (const row of form.querySelectorAll("fieldset > div:has(> label)")) {
      const box = row.querySelector("input");
      if (box.checked !== ("right" in row.dataset)) box.click();
    }
    form.querySelector("button").click();
  }
}"""


def answer_right(form: Locator) -> None:
    """Choose what is right, and check: one question, or all that the locator stands for."""
    form.evaluate_all(ANSWER_RIGHT)


def answer_wrong(form: Locator) -> None:
    """Choose an option that is wrong, and check."""
    next(button for button, _, right in options(form) if not right).check()
    check(form)


def accept(page: Page) -> list[str]:
    """Answer yes to what the page asks from now on; return the list in which it is noted."""
    asked: list[str] = []

    def note(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.accept()

    page.on("dialog", note)
    return asked


def stored(page: Page) -> dict[str, Any]:
    """Return what the page keeps of the reader's answers."""
    found: dict[str, Any] = page.evaluate(
        """() => Object.fromEntries(Object.keys(localStorage).filter(k => k.startsWith("quiz:"))
          .map(k => [k.slice(5), JSON.parse(localStorage.getItem(k))]))"""
    )
    return found


@pytest.fixture(scope="module", params=one_at_a_time(PAGES))
def opened(windows: Windows, server: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """Every page with questions in turn."""
    with windows.new_reader() as context:
        visit = open_page(context, server + request.param)
        assert visit.messages == []
        yield visit.page


@pytest.fixture
def page(opened: Page) -> Page:
    """A page without an answer."""
    if stored(opened):
        opened.evaluate("Object.keys(localStorage).forEach(k => localStorage.removeItem(k))")
        opened.reload()
    return opened


@pytest.fixture
def chapter(context: BrowserContext, server: str) -> Page:
    """A chapter with questions of both kinds, as a new reader finds it."""
    return open_page(context, server + "book/bidirectional-rnn.html").page


def both_kinds(page: Page) -> tuple[Locator, Locator]:
    """Return the first question with one right option, and the first with two of four or three."""
    one, two = (page.locator(f"form.quiz:has([type={kind}])").first for kind in KINDS)
    assert sum(right for *_, right in options(two)) == 2
    return one, two


KINDS = ("radio", "checkbox")


def test_there_are_questions() -> None:
    assert [Path(path).stem for path in PAGES] == [
        "bidirectional-rnn", "deep-rnn", "gru", "lstm", "quiz", "rnn",
    ]  # fmt: skip


# Answers every question in every way by its buttons, and tells what the page did before and after
# the answer was checked.
ANSWER_ALL = """() => {
  const seen = [];
  window.confirm = () => true;
  for (const form of document.querySelectorAll("form.quiz")) {
    const rows = [...form.querySelectorAll("fieldset > div:has(> label)")];
    const [check, clear] = form.querySelectorAll("button");
    const status = form.querySelector("[role=status]");
    const shown = () => rows.map(row => row.lastChild.checkVisibility());
    const right = rows.map(row => "right" in row.dataset);
    const choices = [...Array(2 ** rows.length).keys()].slice(1)
      .map(bits => rows.map((_, i) => Boolean(bits >> i & 1)));
    const several = rows[0].querySelector("[type=checkbox]");
    for (const way of choices) {
      if (!several && way.filter(Boolean).length > 1) continue;
      rows.forEach((row, i) => way[i] && row.querySelector("input").click());
      const before = [...shown(), status.textContent];
      check.click();
      const score = document.querySelector(".quiz-score").firstChild.textContent;
      seen.push({
        quiz: form.dataset.quiz, right, way, before, score, shown: shown(),
        feedback: rows.map(row => {
          const once = row.lastChild.cloneNode(true);
          once.querySelectorAll(".katex-html").forEach(part => part.remove());
          return once.textContent.trim();
        }),
        verdict: status.firstChild.textContent, heard: status.textContent,
        again: form.querySelector(".quiz-reread")?.checkVisibility({visibilityProperty: true}),
        kept: JSON.parse(localStorage.getItem("quiz:" + form.dataset.quiz)),
      });
      clear.click();
      seen.at(-1).after = [...shown(), status.textContent, clear.checkVisibility(
        {visibilityProperty: true}), localStorage.getItem("quiz:" + form.dataset.quiz)];
    }
  }
  return seen;
}"""


def expected_verdict(way: list[bool], right: list[bool]) -> str:
    """Return what a first try is told."""
    wanted, count = sum(right), sum(way)
    hits = sum(c and r for c, r in zip(way, right, strict=True))
    if count > wanted:
        number = f"all {count}" if all(way) else str(count)
        return f"You chose {number}, but only {wanted} {'are' if wanted > 1 else 'is'} right."
    if way == right:
        return "Right at the first try."
    if wanted == 1:
        return "Not right: choose again."
    wrong, missing = count - hits, wanted - hits
    parts = [f"{wrong} wrong {'one' if wrong == 1 else 'ones'} chosen"] if wrong else []
    parts += [f"{missing} right {'one is' if missing == 1 else 'ones are'} missing"]
    return f"Not yet: {', '.join(parts)}."


def test_every_answer_is_told_what_it_lacks(page: Page) -> None:
    seen = page.evaluate(ANSWER_ALL)
    assert len({answer["quiz"] for answer in seen}) == len(forms(page))
    total = len(forms(page))
    for answer in seen:
        way, right = answer["way"], answer["right"]
        nothing = [False] * len(way)
        assert answer["before"] == [*nothing, ""], answer
        open_ = way if sum(way) <= sum(right) else nothing
        assert answer["shown"] == open_, answer
        verdicts = ["Right." if one else "No." for one in right]
        assert [text.split()[0] for text in answer["feedback"]] == verdicts
        assert answer["verdict"] == expected_verdict(way, right), answer
        opened = [text for text, on in zip(answer["feedback"], open_, strict=True) if on]
        read_out = " ".join([answer["verdict"], *opened])
        assert Counter(answer["heard"].split()) == Counter(read_out.split()), answer
        wrong = any(c and not r for c, r in zip(open_, right, strict=True))
        assert answer["again"] in (None, wrong), answer
        hit = way == right
        assert {k: answer["kept"][k] for k in ("checked", "first", "right")} == {
            "checked": True, "first": hit, "right": hit,
        }  # fmt: skip
        assert answer["score"] == f"On this page: {int(hit)} of {total} right at the first try."
        assert answer["after"] == [*nothing, "", False, None]


def test_the_first_try_counts(chapter: Page) -> None:
    one, two = both_kinds(chapter)
    score, total = chapter.locator(".quiz-score p"), len(forms(chapter))
    check(one)
    assert verdict(one) == "Choose an answer first."
    assert stored(chapter) == {}
    answer_wrong(one)
    answer_right(one)
    assert verdict(one) == "Right."
    assert score.inner_text() == f"On this page: 0 of {total} right at the first try, 1 later."
    answer_right(two)
    assert verdict(two) == "Right at the first try."
    assert score.inner_text() == f"On this page: 1 of {total} right at the first try, 1 later."
    # To look at the feedback of a wrong option afterwards costs nothing.
    next(button for button, _, right in options(two) if not right).check()
    check(two)
    assert score.inner_text() == f"On this page: 1 of {total} right at the first try, 1 later."


def test_a_finger_can_answer(browser: Browser, server: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = open_page(context, server + "book/rnn.html").page
    form = forms(page)[0]
    feedback = [text for _, text, _ in options(form)]
    form.locator("label").nth(0).tap()
    form.locator("label").nth(1).tap()
    assert not any(text.is_visible() for text in feedback)
    form.get_by_role("button", name="Check").tap()
    assert [text.is_visible() for text in feedback][:2] == [False, True]
    asked = accept(page)
    form.get_by_role("button", name="Clear").tap()
    assert form.locator(":checked").count() == 0
    assert len(asked) == 1
    context.close()


# Of each option of each question, whether it is chosen and its feedback to be seen.
ANSWERS = """() => [...document.querySelectorAll("form.quiz")].map(form =>
  [...form.querySelectorAll("fieldset > div:has(> label)")].map(row =>
    [row.querySelector("input").checked, row.lastChild.checkVisibility()]))"""


def test_an_answer_survives_a_reload(page: Page) -> None:
    answer_right(page.locator("form.quiz"))
    last = forms(page)[-1]
    next(button for button, _, right in options(last) if not right).check()  # not checked again
    before = page.evaluate(ANSWERS)
    assert not any(shown for _, shown in before[-1])
    assert all(any(shown for _, shown in form) for form in before[:-1])
    score = page.locator(".quiz-score").inner_text()
    page.reload()
    assert page.evaluate(ANSWERS) == before
    assert page.locator(".quiz-score").inner_text() == score
    assert verdict(forms(page)[0]) == "Right at the first try."


def test_the_keyboard_alone_is_enough(page: Page) -> None:
    form = page.locator("form.quiz:has([type=radio])").first
    rows = options(form)
    active = "e => e === document.activeElement"
    page.evaluate("form => form.querySelector('input').focus()", form.element_handle())
    page.keyboard.press("Space")
    for i in (1, 2):  # by the arrows past all options: nothing opens on the way
        page.keyboard.press("ArrowDown")
        assert rows[i][0].is_checked()
        assert not any(text.is_visible() for _, text, _ in rows)
    page.keyboard.press("Enter")
    assert [text.is_visible() for _, text, _ in rows] == [i == 2 for i in range(len(rows))]
    assert verdict(form) in ("Right at the first try.", "Not right: choose again.")
    page.keyboard.press("ArrowUp")
    assert not any(text.is_visible() for _, text, _ in rows)
    page.keyboard.press("Tab")
    assert form.get_by_role("button", name="Check").evaluate(active)
    page.keyboard.press("Space")
    assert rows[1][1].is_visible()
    for _ in range(5):
        page.keyboard.press("Tab")
        if form.get_by_role("button", name="Clear").evaluate(active):
            break
    page.once("dialog", lambda dialog: dialog.accept())
    page.keyboard.press("Enter")
    assert form.locator(":checked").count() == 0
    assert form.locator("input").first.evaluate(active)  # not lost with the button


def test_an_option_is_chosen_by_key_where_several_are_right(chapter: Page) -> None:
    _, two = both_kinds(chapter)
    chapter.evaluate("form => form.querySelector('input').focus()", two.element_handle())
    chapter.keyboard.press("Space")
    chapter.keyboard.press("Tab")
    chapter.keyboard.press("Space")
    assert two.locator(":checked").count() == 2
    chapter.keyboard.press("Enter")
    assert verdict(two) != ""


def test_clearing_asks_first_and_clears_what_it_says(context: BrowserContext, server: str) -> None:
    other = open_page(context, server + "book/gru.html").page
    answer_right(other.locator("form.quiz"))
    elsewhere = stored(other)
    other.close()
    page = open_page(context, server + "book/rnn.html").page
    button = page.get_by_role("button", name="Clear the answers on this page")
    assert not button.is_visible()
    assert not any(form.get_by_role("button", name="Clear").is_visible() for form in forms(page))
    answer_right(page.locator("form.quiz"))
    assert all(form.get_by_role("button", name="Clear").is_visible() for form in forms(page))
    here = stored(page)
    asked: list[str] = []

    def refuse(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", refuse)
    forms(page)[0].get_by_role("button", name="Clear").click()
    button.click()
    count = len(forms(page))
    assert asked == [
        "Clear this answer, and its first try?",
        f"Clear your answers to all {count} questions on this page?",
    ]
    assert stored(page) == here
    page.remove_listener("dialog", refuse)
    accept(page)
    first = forms(page)[0]
    first.get_by_role("button", name="Clear").click()
    assert {name_of(first)} == here.keys() - stored(page).keys()
    button.click()
    assert stored(page) == elsewhere
    assert page.locator("form.quiz :checked").count() == 0
    score = page.locator(".quiz-score p")
    assert score.inner_text() == f"On this page: 0 of {count} right at the first try."
    assert score.evaluate("e => e === document.activeElement")
    assert not button.is_visible()


# The options of each question as they stand: text and whether it is right.
ORDERS = """() => Object.fromEntries([...document.querySelectorAll("form.quiz")].map(form => [
  form.dataset.quiz, [...form.querySelectorAll("fieldset > div:has(> label)")].map(
    row => [row.firstChild.textContent, "right" in row.dataset])]))"""


def test_each_reader_has_an_order_of_options(browser: Browser, server: str) -> None:
    without = browser.new_context(java_script_enabled=False)
    source = without.new_page()
    source.goto(server + "book/quiz.html")
    written = source.evaluate(ORDERS)
    kept = {name_of(form) for form in source.locator("form[data-fixed]").all()}
    assert kept
    without.close()
    context = browser.new_context()
    page = context.new_page()
    page.goto(server + "book/quiz.html")
    seen = page.evaluate(ORDERS)
    assert seen != written
    page.reload()
    assert page.evaluate(ORDERS) == seen
    places: Counter[int] = Counter()
    for seed in range(1, 9):
        page.evaluate("seed => localStorage.setItem('quiz-seed', seed / 9)", seed)
        page.reload()
        now = page.evaluate(ORDERS)
        for name, rows in now.items():
            assert sorted(rows) == sorted(written[name])
            right = [is_right for _, is_right in rows]
            if name in kept:
                assert rows == written[name]
            elif sum(right) == 1:
                places[right.index(True)] += 1
    # The right one is in each place a third of the times: 168 draws, three spreads of 6 each way.
    assert places.total() == 8 * (len(written) - len(kept) - 1)
    assert all(abs(n - places.total() / 3) < 18 for n in places.values()), places
    context.close()


def test_an_answer_belongs_to_its_option_in_any_order(chapter: Page) -> None:
    form = forms(chapter)[0]
    answer_wrong(form)
    text = form.locator("label:has(:checked)").inner_text()
    for seed in (0.1, 0.2, 0.3):
        chapter.evaluate("seed => localStorage.setItem('quiz-seed', seed)", seed)
        chapter.reload()
        assert form.locator("label:has(:checked)").inner_text() == text


def test_rubbish_in_the_storage_does_no_harm(chapter: Page) -> None:
    errors: list[str] = []
    chapter.on("pageerror", lambda error: errors.append(str(error)))
    form = forms(chapter)[0]
    for value in ("", "{", "7", '"text"', '{"chosen": 7}', '{"chosen": [[]]}'):
        for key in (f"quiz:{name_of(form)}", "quiz-seed"):
            chapter.evaluate("([key, value]) => localStorage.setItem(key, value)", [key, value])
        chapter.reload()
        answer_wrong(form)
        assert verdict(form) == "Not right: choose again.", value
        assert errors == [], value


def test_without_storage_it_works_until_the_page_is_left(browser: Browser, server: str) -> None:
    context = browser.new_context()
    context.add_init_script(
        """Object.defineProperty(window, "localStorage", {
          get() { throw new Error("denied"); }, configurable: true,
        })"""
    )
    page = context.new_page()
    errors: list[Any] = []
    page.on("pageerror", lambda error: errors.append(error))
    page.goto(server + "book/rnn.html")
    form = forms(page)[0]
    answer_wrong(form)
    answer_right(form)
    assert errors == []
    assert verdict(form) == "Right."
    assert " 0 of " in page.locator(".quiz-score p").inner_text()
    context.close()


def test_questions_are_numbered_and_named(page: Page, site: Path) -> None:
    for number, form in enumerate(forms(page), 1):
        label = form.locator("fieldset").get_attribute("aria-labelledby")
        text = page.locator(f"#{label}").inner_text()
        assert re.match(rf"Question {number}\n+.{{10}}", text), text
        assert all(button.evaluate("e => e.labels.length") == 1 for button, _, _ in options(form))


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_answered_questions_are_accessible(page: Page, mode: str) -> None:
    page.emulate_media(color_scheme=mode, reduced_motion="reduce")  # type: ignore[arg-type]
    until(page, f"document.documentElement.dataset.theme === '{mode}'")
    # In turn: checked, right or wrong, chosen only, and left alone.
    page.locator("form.quiz").evaluate_all(
        """forms => forms.forEach((form, i) => {
          const boxes = form.querySelectorAll("input");
          if (i % 4 < 3) boxes[i % boxes.length].click();
          if (i % 4 < 2) form.querySelector("button").click();
        })"""
    )
    assert page.locator(".quiz:not(.unchecked)").count() > 1
    rules = COLOURS if mode == "dark" else {}  # nothing else depends on the mode
    with without(page, OTHERS, "form.quiz, .quiz-score"):
        context = ["form.quiz", ".quiz-score"]
        found = Axe().run(page, context=context, options={"resultTypes": ["violations"]} | rules)
    page.emulate_media(color_scheme="light", reduced_motion="no-preference")
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


# Chooses each option of each question, clears, and tells which feedback was to be seen.
WITHOUT_SCRIPT = """() => [...document.querySelectorAll("form.quiz")].map(form => {
  const rows = [...form.querySelectorAll("fieldset > div:has(> label)")];
  const shown = () => rows.map(row => row.lastChild.checkVisibility());
  const button = form.querySelector("button");
  const seen = e => e.checkVisibility({visibilityProperty: true});
  const before = [...shown(), seen(button)];
  const after = rows.map(row => {
    row.querySelector("input").click();
    return row.lastChild.checkVisibility() && seen(button);
  });
  button.click();
  return [form.querySelectorAll("button").length, before, after, shown()];
})"""


def test_feedback_needs_no_script(browser: Browser, server: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    for path in PAGES:
        page.goto(server + path)
        for buttons, before, after, cleared in page.evaluate(WITHOUT_SCRIPT):
            assert buttons == 1
            assert not any(before)
            assert all(after)
            assert not any(cleared)
    form = forms(page)[0]
    form.locator("label").first.click()
    assert options(form)[0][1].is_visible()
    options(form)[0][0].press("Enter")
    assert page.url == server + PAGES[-1]  # the form is not sent
    context.close()


def test_it_works_under_a_strict_policy(browser: Browser, server: str) -> None:
    context = browser.new_context()
    policy = "default-src 'self'; style-src 'self' 'unsafe-inline'"

    def answer(route: Any) -> None:
        response = route.fetch()
        route.fulfill(
            response=response, headers=response.headers | {"content-security-policy": policy}
        )

    context.route("**/*.html", answer)
    page = context.new_page()
    page.goto(server + "book/rnn.html")
    form = forms(page)[0]
    answer_wrong(form)
    assert verdict(form) == "Not right: choose again."
    accept(page)
    page.get_by_role("button", name="Clear the answers on this page").click()
    assert stored(page) == {}
    context.close()


def test_score_and_progress(context: BrowserContext, server: str, site: Path) -> None:
    total = {}
    for path in PAGES:
        page = context.new_page()
        page.goto(server + path)
        lay_out(page)
        total[path] = len(forms(page))
        answer_right(page.locator("form.quiz"))
        count = total[path]
        score = page.locator(".quiz-score")
        expected = f"On this page: {count} of {count} right at the first try."
        assert score.locator("p").inner_text() == expected
        below = score.evaluate("e => e.getBoundingClientRect().top + scrollY")
        if Path(path).stem != "quiz":  # after the last question of a chapter
            assert below > forms(page)[-1].evaluate("e => e.getBoundingClientRect().top + scrollY")
        page.close()
    page = open_page(context, (site / "book" / "quiz.html").as_uri()).page
    assert stored(page) == {}  # a folder on the disk is another place
    answer_right(forms(page)[0])
    assert " 1 of " in page.locator(".quiz-score p").inner_text()
    page.close()
    page = open_page(context, server + "book/quiz.html").page
    rows = page.locator(".quiz-score li").all_inner_texts()
    assert len(rows) == len(PAGES)
    wanted = sorted(f"{n} of {n} right at the first try" for n in total.values())
    assert sorted(row.split(": ")[1] for row in rows) == wanted


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
        page = (site / path).read_text(encoding="utf-8")
        numbers = re.findall(r"<b>Question (\d+)</b>", page)
        assert numbers == re.findall(r"\*\*Question (\d+)\.\*\*", text) != []
