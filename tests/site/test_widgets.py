"""The page to play on: each widget by keyboard, its numbers against the forward pass, failures."""

from __future__ import annotations

import gzip
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, expect
from test_pages import violations
from visits import OTHERS, Visit, Windows, open_page, until, without

pytestmark = pytest.mark.xdist_group("widgets")
WIDGETS = ("type", "gates", "past", "cell", "tagger", "deep")
PHONE = 360
# What a model makes of a text, by the forward pass alone: a space is read before the text.
AFTER = """async ([name, text, change]) => {
  const model = await Play.load(name);
  const indices = [model.meta.symbols.indexOf(" "), ...model.read(text).indices];
  const held = change && { [change[0]]: change[1] ?? model.means[0][change[0]], layer: 0 };
  return [...model.after(indices, held).probabilities];
}"""


@pytest.fixture(scope="module")
def opened(windows: Windows, server: str) -> Iterator[Visit]:
    """The page, opened once."""
    with windows.new_reader() as context:
        yield open_page(context, server + "book/play.html")


@pytest.fixture
def page(opened: Visit) -> Iterator[Page]:
    """The page, which a test may resize and recolour."""
    yield opened.page
    opened.page.set_viewport_size({"width": 1280, "height": 900})
    opened.page.emulate_media(color_scheme="light", reduced_motion="no-preference")
    assert opened.messages == []


def started(page: Page, name: str) -> Locator:
    """Return a widget, started by keyboard if it is not yet."""
    box = page.locator(f".play[data-name={name}]")
    button = box.get_by_role("button", name=re.compile("^Start: "))
    if button.count():
        button.focus()
        page.keyboard.press("Enter")
    expect(box.locator(".play-on")).to_be_visible()
    return box


def percent(p: float) -> str:
    """Return a probability as it is shown."""
    return "< 1 %" if 0 < p < 0.005 else f"{math.floor(100 * p + 0.5)} %"


def likely(probabilities: list[float], symbols: str = " abcdefghijklmnopqrstuvwxyz") -> list[str]:
    """Return the six lines of a panel."""
    best = sorted(range(len(probabilities)), key=lambda i: -probabilities[i])[:6]
    names = ["␣space" if symbols[i] == " " else symbols[i] for i in best]
    return [name + percent(probabilities[i]) for name, i in zip(names, best, strict=True)]


def expect_panel(page: Page, panel: Locator, *arguments: Any) -> None:
    """Wait until a panel has the numbers of the forward pass."""
    lines = likely(page.evaluate(AFTER, list(arguments)))
    expect(panel.locator("ol").first.locator("li")).to_have_text(lines)


def opened_values(box: Locator) -> Locator:
    """Open the values as text by keyboard, and return their lines."""
    summary = box.locator("summary")
    if box.locator("details[open]").count() == 0:
        summary.focus()
        summary.press("Enter")
    expect(box.locator("tbody tr").first).to_be_visible()
    return box.locator("tbody tr")


def test_nothing_is_fetched_before_the_first_touch(context: BrowserContext, server: str) -> None:
    visit = open_page(context, server + "book/play.html")
    later = re.compile(r"/_static/(play\.js|play-widgets\.css|models/.*)")
    assert any(url.partition("?")[0].endswith("/play-start.js") for url in visit.sizes)
    assert list(filter(later.search, visit.sizes)) == []
    asked: list[str] = []
    visit.page.on("request", lambda request: asked.extend(later.findall(request.url)))
    started(visit.page, "tagger")
    assert sorted(asked) == ["models/tagger.bin", "play-widgets.css", "play.js"]
    assert visit.messages == []


def test_without_a_script_a_figure_stands_there(browser: Browser, server: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(server + "book/play.html")
    boxes = page.locator(".play")
    assert boxes.count() == len(WIDGETS)
    for box in boxes.all():
        expect(box.locator("img")).to_be_visible()
        expect(box.locator("p").first).to_be_visible()
        expect(box.locator("button")).not_to_be_visible()
    context.close()


def test_all_scripts_together_are_small(site: Path) -> None:
    files = [site / "_static" / name for name in ("play.js", "play-start.js")]
    assert sum(len(gzip.compress(file.read_bytes())) for file in files) <= 12_000


@pytest.mark.parametrize("name", WIDGETS)
def test_the_keyboard_starts_it_and_is_in_it(page: Page, name: str) -> None:
    box = page.locator(f".play[data-name={name}]")
    still = box.get_by_role("button", name=re.compile("^Start: ")).count()
    started(page, name)
    if still:  # the focus goes where one begins
        until(page, f"document.activeElement.closest('.play')?.dataset.name === '{name}'")
    expect(box.locator(".play-on :is(textarea, button, input)").first).to_be_visible()
    expect(box.locator("[role=status]").first).not_to_have_text("Loading…")


def test_each_begins_in_a_state_that_shows_its_point(page: Page) -> None:
    begun = page.evaluate(
        """async () => {
          const texts = {};
          for (const box of document.querySelectorAll(".play")) {
            texts[box.dataset.name] = box.dataset.text;
          }
          const [gru, counting, six, tagger] =
            await Promise.all(["gru", "counting", "six", "tagger"].map(Play.load));
          const read = text => [0, ...gru.read(text).indices];
          const best = (model, text) => {
            const p = model.after(read(text)).probabilities;
            return p.indexOf(Math.max(...p));
          };
          const trained = gru.cost(read(texts.gates));
          const held = gru.cost(read(texts.gates), { Z: gru.means[0].Z, layer: 0 });
          const letters = tagger.read(texts.tagger).indices;
          const after = (k, n) => [...tagger.run(letters.slice(0, k)).probabilities]
            .slice(0, n - 1).map(p => p > 0.5).join();
          const flips = letters.map((_, k) => k > 2 && after(k, k) !== after(k + 1, k));
          return {
            known: counting.meta.symbols[best(counting, texts.type)],
            dearer: trained.filter((cost, i) => held[i] > cost).length / (trained.length - 1),
            flips: flips.filter(Boolean).length,
            stuck: best(six, texts.deep) === best(six, "zzqx"),
          };
        }"""
    )
    assert begun["known"] == "o"  # of *school*, which the training text has
    assert begun["dearer"] > 0.5
    assert begun["flips"] >= 3
    assert begun["stuck"]


def test_what_is_typed_is_read_by_every_model(page: Page) -> None:
    box = started(page, "type")
    field = box.get_by_label("Your text")
    field.fill("the quiet boa")
    field.press("End")
    page.keyboard.type("t")
    models = ("counting", "rnn", "gru", "lstm")
    for panel, name in zip(box.locator(".play-panel").all(), models, strict=True):
        expect_panel(page, panel, name, "the quiet boat", None)
        value = page.evaluate("async name => (await Play.load(name)).meta.value", name)
        expect(panel.locator(".play-small")).to_have_text(f"perplexity {value:.2f}")
    rows = opened_values(box)
    expect(rows).to_have_count(len("the quiet boat"))
    costs = page.evaluate(
        """async () => {
          const model = await Play.load("gru");
          const indices = [0, ...model.read("the quiet boat").indices];
          return [...model.cost(indices)].slice(1).map(nats => (nats / Math.LN2).toFixed(2));
        }"""
    )
    shown = rows.evaluate_all("rows => rows.map(row => row.cells[3].textContent)")
    assert [float(cost) for cost in shown] == pytest.approx([float(c) for c in costs], abs=0.011)
    expect(box.locator("[role=status]")).to_contain_text("Most likely next")


def test_it_writes_on_and_stops(page: Page) -> None:
    box = started(page, "type")
    box.get_by_label("Your text").fill("the ferry")
    heat = box.get_by_label("Temperature")
    heat.focus()
    heat.press("Home")
    page.emulate_media(reduced_motion="reduce")
    box.get_by_role("button", name="Write on").press("Enter")
    button = box.get_by_role("button", name="Write on")
    new = box.locator(".play-letters").nth(2).locator(".play-new")
    expect(new).to_have_count(120)
    expect(button).to_be_visible()
    written = page.evaluate(
        """async () => {
          const model = await Play.load("gru");
          let text = "";
          let at = model.after([0, ...model.read("the ferry").indices]);
          while (text.length < 120) {
            const i = at.probabilities.indexOf(Math.max(...at.probabilities));
            text += model.meta.symbols[i];
            at = model.step(at.state, i);
          }
          return text;
        }"""
    )
    assert "".join(new.all_text_contents()).replace("␣", " ") == written
    page.emulate_media(reduced_motion="no-preference")
    button.press("Enter")
    expect(new).not_to_have_count(120)  # it begins anew, letter by letter
    box.get_by_role("button", name="Stop").press("Enter")
    expect(button).to_be_visible()
    assert new.count() < 120


def test_a_gate_is_held_and_the_state_forgotten(page: Page) -> None:
    box = started(page, "gates")
    text = "the stove began"
    box.get_by_label("Your text").fill(text)
    trained, changed = box.locator(".play-panel").all()
    expect_panel(page, trained, "gru", text, None)
    expect_panel(page, changed, "gru", text, ["Z", None])
    box.get_by_label("is held").select_option("shut, at 0")
    expect_panel(page, changed, "gru", text, ["Z", 0])
    box.locator("select").nth(1).select_option("Reset gate")
    box.get_by_label("is held").select_option("open, at 1")
    expect_panel(page, changed, "gru", text, ["R", 1])
    expect_panel(page, trained, "gru", text, None)
    box.get_by_label("is held").select_option("as trained")
    slider = box.get_by_label("Forget the state")
    slider.focus()
    slider.press("End")  # before the last letter: it is all that the network has read
    last = page.evaluate(
        """async () => {
          const model = await Play.load("gru");
          return [...model.after(model.read("n").indices).probabilities];
        }"""
    )
    expect(changed.locator("li")).to_have_text(likely(last))
    rows = opened_values(box)
    expect(rows).to_have_count(len(text))
    slider.press("Home")
    box.get_by_label("Network").select_option("LSTM")
    expect_panel(page, trained, "lstm", text, None)
    expect(box.locator("canvas")).to_have_count(4)


def test_the_past_is_cut(page: Page) -> None:
    box = started(page, "past")
    text = "with the ferry were"
    box.get_by_label("Your text").fill(text)
    slider = box.get_by_role("slider", name="Known")
    slider.focus()
    slider.press("Home")
    slider.press("ArrowRight")
    slider.press("ArrowRight")
    expect(box.locator(".play-range > span")).to_have_text("the last 3 letters")
    expect(box.locator(".play-past")).to_have_count(len(text) - 3)
    for panel, name in zip(
        box.locator(".play-panel").all(), ("counting", "rnn", "gru", "lstm"), strict=True
    ):
        cut = page.evaluate(
            """async name => {
              const model = await Play.load(name);
              return [...model.after(model.read("ere").indices).probabilities];
            }""",
            name,
        )
        expect(panel.locator("li")).to_have_text(likely(cut))
    slider.press("End")
    expect(box.locator(".play-past")).to_have_count(0)
    expect_panel(page, box.locator(".play-panel").nth(3), "lstm", text, None)
    expect(opened_values(box)).to_have_count(27)


def test_the_cell_has_the_numbers_of_the_steps_by_hand(page: Page) -> None:
    box = started(page, "cell")
    go, line = box.locator("button").first, box.get_by_role("status")
    for said in ("three weights", "= 0.50", "= 0.80", "= −0.10", "= 0.62"):
        go.press("Enter")
        expect(line).to_contain_text(said)
    expect(box.locator(".play-cell .play-fresh").last).to_have_text("0.62")
    go.press("Enter")
    expect(line).to_contain_text("The state is 0.62, the input 1.00.")
    slider = box.get_by_label("Input x")
    slider.focus()
    for _ in range(20):
        slider.press("ArrowLeft")
    expect(line).to_contain_text("the input −1.00")
    for _ in range(5):
        go.press("Enter")
    expect(line).to_contain_text("= −0.37")
    box.get_by_role("button", name="Back").press("Enter")
    expect(line).to_contain_text("The candidate")


def test_each_letter_may_change_what_the_tagger_made_of_others(page: Page) -> None:
    box = started(page, "tagger")
    cuts = """async text => {
      const model = await Play.load("tagger");
      const p = model.run(model.read(text).indices).probabilities;
      return [...text].map((a, i) => a + (i < text.length - 1 && p[i] > 0.5 ? " " : "")).join("");
    }"""
    line = box.locator(".play-cut")
    for text in ("thereason", "hewasnowherenearthehouse", "theredhatwasnew"):
        box.get_by_label("Your letters").fill(text)
        expect(line).to_have_text(page.evaluate(cuts, text))
    slider = box.get_by_label("Letters read")
    slider.focus()
    slider.press("Home")
    for k in range(1, 7):
        slider.press("ArrowRight")
        expect(line).to_have_text(page.evaluate(cuts, "theredhatwasnew"[:k]))
    expect(box.locator(".play-letters .play-past")).to_have_count(9)
    expect(opened_values(box)).to_have_count(6)


def test_the_stuck_network_says_the_same_whatever_is_typed(page: Page) -> None:
    box = started(page, "deep")
    field, stuck = box.get_by_label("Your text"), box.locator(".play-panel").first
    heard = {}
    for text in ("the ferry", "zzqx"):
        field.fill(text)
        expect_panel(page, stuck, "six", text, None)
        expect_panel(page, box.locator(".play-panel").last, "residual", text, None)
        heard[text] = box.locator(".play-panel ol:first-of-type").all_text_contents()
    assert heard["the ferry"][0] == heard["zzqx"][0]
    assert heard["the ferry"][1] != heard["zzqx"][1]
    expect(stuck.locator("ol").last.locator("li")).to_have_count(6)


def test_what_the_models_do_not_know_gets_a_word(page: Page) -> None:
    box = started(page, "type")
    field, note = box.get_by_label("Your text"), box.get_by_role("alert")
    field.fill("naïve 🙂 cat")
    expect(note).to_have_text("The models do not know “ï” “🙂”: read as a space.")
    expect_panel(page, box.locator(".play-panel").first, "counting", "na ve cat", None)
    field.fill("It was, she said.")
    expect(note).to_be_empty()
    field.fill("")
    expect_panel(page, box.locator(".play-panel").last, "lstm", "", None)


def test_a_pasted_novel_is_cut(page: Page) -> None:
    box = started(page, "past")
    field = box.get_by_label("Your text")
    field.focus()
    page.evaluate("document.execCommand('selectAll')")
    page.keyboard.insert_text("the men who had come over with the ferry " * 5000)
    expect(box.get_by_role("alert")).to_have_text(
        "That was a text of 205,000 characters: the first 60 are kept."
    )
    expect(field).to_have_value(("the men who had come over with the ferry " * 2)[:60])
    expect(box.locator(".play-letters span")).to_have_count(60)


def test_reading_that_takes_long_is_stopped(page: Page) -> None:
    box = started(page, "type")
    slow = """async slow => {
      const model = await Play.load("rnn");
      delete model.step;
      if (!slow) return;
      const step = model.step;
      model.step = (...all) => {
        for (const end = performance.now() + 60; performance.now() < end; );
        return step.apply(model, all);
      };
    }"""
    page.evaluate(slow, True)
    box.get_by_label("Your text").fill("x" * 200)
    stop = box.get_by_role("button", name="Stop reading")
    expect(stop).to_be_visible()
    stop.press("Enter")
    expect(stop).not_to_be_visible()
    page.evaluate(slow, False)
    expect(box.locator("[role=status]")).to_have_text("Stopped. The rest was not read.")
    assert 0 < box.locator(".play-letters").first.locator("span").count() < 200
    expect(box.get_by_label("Your text")).to_be_focused()
    box.get_by_label("Your text").fill("the end")
    expect_panel(page, box.locator(".play-panel").nth(1), "rnn", "the end", None)


@pytest.mark.parametrize("kind", ["missing", "damaged", "no network", "no script"])
def test_what_does_not_come_is_asked_for_again(
    context: BrowserContext, server: str, kind: str
) -> None:
    page = context.new_page()

    def fail(route: Route) -> None:
        if kind == "missing":
            route.fulfill(status=404)
        elif kind == "damaged":
            route.fulfill(body="not a model")
        else:
            route.abort()

    said = {"damaged": "“tagger” is damaged", "no script": "play.js did not come: are you offline?"}
    lost = re.compile(r"/play\.js" if kind == "no script" else r"/models/tagger\.bin")
    page.route(lost, fail)
    page.goto(server + "book/play.html")
    box = page.locator(".play[data-name=tagger]")
    box.get_by_role("button", name="Start").press("Enter")
    wanted = said.get(kind, "“tagger” could not be loaded")
    expect(box.get_by_role("status")).to_contain_text(wanted)
    expect(box.locator("img")).to_be_visible()
    page.unroute(lost)
    box.get_by_role("button", name="Try again").press("Enter")
    expect(box.locator(".play-cut")).not_to_be_empty()


def test_a_page_from_a_folder_says_what_is_missing(context: BrowserContext, site: Path) -> None:
    page = context.new_page()
    page.goto((site / "book" / "play.html").as_uri())
    box = page.locator(".play[data-name=tagger]")
    box.get_by_role("button", name="Start").press("Enter")
    expect(box.get_by_role("status")).to_contain_text("opened from a folder")
    box = page.locator(".play[data-name=cell]")  # it has no model to load
    box.get_by_role("button", name="Start").press("Enter")
    expect(box.locator(".play-cell span").first).to_be_visible()


@pytest.mark.parametrize("width", [PHONE, 1280])
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_is_accessible(page: Page, mode: Literal["light", "dark"], width: int) -> None:
    for name in WIDGETS:
        box = started(page, name)
        for field in box.locator("textarea").all():  # each letter costs milliseconds
            field.fill("abc")
            opened_values(box)
    page.emulate_media(color_scheme=mode, reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": 900})
    until(page, f"document.documentElement.dataset.theme === '{mode}'")
    context = {"include": [[".play"]], "exclude": [[".play-letters span:nth-child(n + 3)"]]}
    rules = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
    with without(page, OTHERS, ".play"):
        found = violations(page, context=context, runOnly=rules)
    assert not found, "\n".join(found)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_finger_finds_every_control(page: Page) -> None:
    for name in WIDGETS:
        started(page, name)
    page.set_viewport_size({"width": PHONE, "height": 900})
    small = page.evaluate(
        """() => [...document.querySelectorAll(
          ".play :is(button, select, textarea, input, summary)"
        )].filter(e => e.checkVisibility() && e.getBoundingClientRect().height < 44)
          .map(e => e.outerHTML.slice(0, 100))"""
    )
    assert small == []
