"""The trained models in the page: what they compute, what they weigh, what they say of faults."""

from __future__ import annotations

import gzip
import json
import math
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import agreement
import pytest
import torch
from course.models import content
from playwright.sync_api import Browser, BrowserContext, Page, Route
from serve import POLICY
from torch import nn

from d2lhelpers.export import publish_counts, publish_model, publish_tagger, rebuild
from d2lhelpers.layers import DeepRNN
from d2lhelpers.model import LanguageModel
from d2lhelpers.text import load_corpus
from d2lhelpers.training import log_probabilities

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "book" / "_static" / "play" / "model.js"
NAMES = ("counting", "gru", "lstm", "residual", "rnn", "six", "tagger")
FILES = {name: f"_static/models/{name}.bin" for name in NAMES}
CLOSE = agreement.CLOSE[torch.float64]
pytestmark = pytest.mark.xdist_group("play")


@pytest.fixture(scope="module")
def answers(browser: Browser, site: Path) -> Iterator[tuple[agreement.Answers, dict[str, Any]]]:
    """What every model computed in the page, and how long it took."""
    with agreement.asking(site) as (address, found):
        context = browser.new_context()
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        end = found.wait()
        assert errors == []
        yield found, end
        context.close()


@pytest.fixture(scope="module")
def play(browser: Browser, server: str) -> Iterator[Page]:
    """A page of the site with the script of the models in it."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(server + "book/references.html")
    page.add_script_tag(url=server + "_static/play.js")
    yield page
    context.close()


def test_the_site_has_these_models(site: Path) -> None:
    assert sorted(path.stem for path in site.glob("_static/models/*")) == sorted(NAMES)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_the_page_computes_what_pytorch_does(answers, site: Path, name: str, dtype) -> None:
    assert agreement.furthest(site, name, answers[0], dtype) < agreement.CLOSE[dtype]


class Residual(nn.Module):
    """As the chapter about depth has it."""

    def __init__(self, layer: nn.RNNBase):
        super().__init__()
        self.layer = layer
        self.input_size, self.hidden_size = layer.input_size, layer.hidden_size

    def forward(self, inputs: torch.Tensor, state: Any = None) -> tuple[torch.Tensor, Any]:
        outputs, state = self.layer(inputs, state)
        return inputs + outputs, state


def test_the_source_computes_it_as_it_stands(browser: Browser, tmp_path: Path) -> None:
    """The script as it was written, with small networks of random weights."""
    torch.manual_seed(0)
    story = load_corpus("story")
    corpus = replace(story, validation=story.validation[:200], test=story.test[:300])
    layers = {
        "rnn": nn.RNN(4, 8),
        "gru": nn.GRU(4, 8),
        "lstm": nn.LSTM(4, 8),
        "stack": DeepRNN([nn.GRU(4, 6), Residual(nn.LSTM(6, 6))]),
    }
    found = [
        publish_model(name, LanguageModel(layer, 27), corpus) for name, layer in layers.items()
    ]
    tagger = LanguageModel(nn.GRU(4, 5, bidirectional=True), 26)
    tagger.output = nn.Linear(10, 1)
    letters = story.vocabulary.symbols.strip()
    found.append(publish_tagger("tagger", tagger, letters, 1, lambda model: 1.0))
    found.append(publish_counts("counting", corpus, 4))
    folder = tmp_path / "_static" / "models"
    folder.mkdir(parents=True)
    shutil.copy(SOURCE, tmp_path / "_static" / "play.js")
    for each in found:
        (folder / f"{each.header['name']}.bin").write_bytes(content(each.header, each.numbers))
    with agreement.asking(tmp_path) as (address, answers):
        context = browser.new_context()
        context.new_page().goto(address)
        answers.wait()
        context.close()
        for each in found:
            name = each.header["name"]
            assert agreement.furthest(tmp_path, name, answers) < CLOSE, name


@pytest.mark.parametrize("browser_name", agreement.installed())
def test_other_browsers_compute_the_same(site: Path, browser_name: str) -> None:
    """In those that are installed; the workflow installs them."""
    answers, _ = agreement.ask(browser_name, site)
    for name in NAMES:
        assert agreement.furthest(site, name, answers) < CLOSE, name


@pytest.mark.parametrize("name", NAMES)
def test_a_character_takes_no_time(answers, name: str) -> None:
    assert answers[1]["times"][name] < 2, "milliseconds"


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_small_and_eight_bits_lose_little(site: Path, name: str) -> None:
    header, _ = agreement.model_file(site, name)
    assert (site / FILES[name]).stat().st_size <= 350_000
    assert abs(header["value"] / header["trained"] - 1) < 0.01, header["measure"]


@pytest.mark.parametrize("name", ["rnn", "gru"])
def test_the_perplexity_is_that_of_the_file(site: Path, name: str) -> None:
    header, numbers = agreement.model_file(site, name)
    log_p = log_probabilities(rebuild(header, numbers), load_corpus("story").test)
    assert math.exp(-log_p.mean()) == pytest.approx(header["value"], rel=1e-4)


def test_the_scripts_are_small(site: Path) -> None:
    script = (site / "_static" / "play.js").read_bytes()
    assert len(gzip.compress(script, mtime=0)) <= 12_000
    assert list(site.glob("_static/play/*.js")) == [], "each script is there once"


def test_equations_have_the_numbers_of_the_pages(site: Path) -> None:
    """A line that computes an equation names its number and its label."""
    named = re.findall(r"// \((\d+\.\d+)\) (eq-[\w-]+)", SOURCE.read_text(encoding="utf-8"))
    pages = "".join(path.read_text(encoding="utf-8") for path in site.glob("book/*.html"))
    assert len(named) > 10
    for number, label in named:
        (begin,) = (m.end() for m in re.finditer(f'id="equation-{label}"', pages))
        found = re.search(r"\((\d+\.\d+)\)", pages[begin:])
        assert found is not None
        assert found[1] == number, label


def run(page: Page, body: str, argument: object = None) -> Any:
    """Return what a function of the page returns; it may wait for a model."""
    return page.evaluate(f"async (given) => {{ {body} }}", argument)


def test_a_text_is_read_as_the_corpus_is(play: Page) -> None:
    body = "const model = await Play.load('rnn'); return given.map((text) => model.read(text));"
    texts = ["The FERRY, at 9?", "  it's é 🙂 ok ", "", "12 3", "a" * 10_000]
    found = run(play, body, texts)
    assert [each["text"] for each in found[:4]] == ["the ferry at ", "it s ok ", "", ""]
    assert [each["unknown"] for each in found[:4]] == [["9"], ["é", "🙂"], [], ["1", "2", "3"]]
    vocabulary = load_corpus("story").vocabulary
    for each in found:
        assert each["indices"] == vocabulary.encode(each["text"]).tolist()


def test_a_held_gate_does_what_the_equations_say(play: Page) -> None:
    body = """
      const same = (a, b) => Math.max(...a.map((x, j) => Math.abs(x - b[j]))) < 1e-6;
      const names = ["gru", "lstm", "six"];
      const [gru, lstm, six] = await Promise.all(names.map(Play.load));
      const { indices } = gru.read("the stove began to ");
      const before = gru.after(indices), memory = lstm.after(indices);
      const kept = gru.step(before.state, 5, { Z: 1 });
      const taken = gru.step(before.state, 5, { Z: 0 });
      const shut = gru.step(before.state, 5, { Z: 0, R: 0 });
      const fresh = gru.step(gru.start(), 5, { Z: 0, R: (values) => values.fill(0) });
      const mean = gru.step(before.state, 5, { Z: gru.means[0].Z, layer: 0 });
      const other = gru.step(before.state, 5, { Z: 1, layer: 1 });
      const forgot = lstm.step(memory.state, 5, { F: 0, I: 0 });
      const all = lstm.step(memory.state, 5, { F: 1, I: 0 });
      const third = six.step(six.start(), 5, { O: 0, layer: 3 }).layers;
      const copy = gru.copy(before.state);
      copy[0].H.fill(0);
      return {
        kept: same(kept.layers[0].H, before.layers[0].H),
        taken: same(taken.layers[0].H, taken.layers[0].gates.Hc),
        shut: same(shut.layers[0].H, fresh.layers[0].H),
        mean: same(mean.layers[0].gates.Z, gru.means[0].Z),
        other: same(other.logits, gru.step(before.state, 5).logits),
        forgot: forgot.layers[0].C.every((c) => c === 0),
        all: same(all.layers[0].C, memory.layers[0].C),
        third: third.map(({ H }) => H.every((h) => h === 0)).join(" "),
        copied: !same(before.state[0].H, copy[0].H),
        untouched: same(before.logits, gru.after(indices).logits),
      };"""
    found = run(play, body)
    assert found.pop("third") == "false false false true false false"
    assert found == dict.fromkeys(found, True)


def test_units_are_ordered_by_what_they_keep(play: Page) -> None:
    body = """
      const model = await Play.load(given);
      const gate = model.means[0].Z ?? model.means[0].F;
      return model.order(0).map((unit) => gate[unit]);"""
    for name in ("gru", "lstm"):
        kept = run(play, body, name)
        assert kept == sorted(kept, reverse=True)
        assert 0 < kept[-1] < kept[0] < 1
        assert len(kept) == 256


def test_the_means_are_those_of_the_validation_part(play: Page) -> None:
    """The chapter holds a gate at its mean; here it is the same, up to eight bits."""
    body = """
      const model = await Play.load("gru");
      const sum = new Float64Array(256);
      let result = { state: model.start() };
      for (const index of given) {
        result = model.step(result.state, index);
        result.layers[0].gates.Z.forEach((z, j) => { sum[j] += z / given.length; });
      }
      return Math.max(...sum.map((mean, j) => Math.abs(mean - model.means[0].Z[j])));"""
    assert run(play, body, load_corpus("story").validation[:3000].tolist()) < 0.1


def test_softmax_and_drawing(play: Page) -> None:
    body = """
      const logits = Float32Array.of(1, 3, 2, -1000);
      const [random, again] = [Play.random(7), Play.random(7)];
      const p = Play.softmax(logits, 0.5), counts = [0, 0, 0, 0];
      for (let i = 0; i < 20000; i++) counts[Play.draw(p, random)] += 1 / 20000;
      return {
        p: [...p], counts, greatest: [...Play.softmax(logits, 0)],
        again: again() === Play.random(7)(),
        edge: [Play.draw(p, () => 0), Play.draw(p, () => 0.9999999999)],
      };"""
    found = run(play, body)
    raised = [math.exp(2 * o) for o in (1, 3, 2)]
    wanted = [*(x / sum(raised) for x in raised), 0]
    assert found["p"] == pytest.approx(wanted, abs=1e-6)
    assert found["counts"] == pytest.approx(wanted, abs=0.02)
    assert found["again"]
    assert found["greatest"] == [0, 1, 0, 0]
    assert found["edge"] == [0, 2]


def test_what_cannot_be_read_is_said(play: Page) -> None:
    body = """
      const model = await Play.load("rnn"), tagger = await Play.load("tagger");
      const said = (what) => { try { what(); return ""; } catch (error) { return error.message; } };
      return [
        said(() => model.step(model.start(), 27)), said(() => model.step(model.start(), undefined)),
        said(() => model.after([])), said(() => tagger.step(0)),
      ];"""
    one, other, none, tagger = run(play, body)
    assert one == "27 is no symbol: there are 27, from 0."
    assert other == "undefined is no symbol: there are 27, from 0."
    assert "at least one" in none
    assert "model.run" in tagger


def broken(content: bytes) -> dict[str, tuple[bytes, int, str]]:
    """Return files that are no model: content, status, and what the reader is told."""
    return {
        "missing": (b"", 404, "could not be loaded (the server says 404)"),
        "cut off": (content[:-10], 200, "is damaged (it has"),
        "cut in the header": (content[:50], 200, "is damaged"),
        "too long": (content + b"0000", 200, "is damaged (it has"),
        "a page": (b"<!doctype html>", 200, "is damaged (it does not begin as a model does)"),
        "empty": (b"", 200, "is damaged"),
    }


def test_a_file_that_is_no_model_is_said_and_asked_for_again(
    context: BrowserContext, server: str, site: Path
) -> None:
    page = context.new_page()
    page.goto(server + "book/references.html")
    page.add_script_tag(url=server + "_static/play.js")
    content = (site / FILES["rnn"]).read_bytes()
    message = "return Play.load('rnn').then((model) => model.meta.name, (error) => error.message);"
    policy = {"Content-Security-Policy": POLICY}

    def answer(route: Route) -> None:
        body, status, _ = current
        route.fulfill(status=status, body=body, headers=policy)

    page.route("**/rnn.bin", answer)
    for current in broken(content).values():
        told = current[2]
        found = run(page, message)
        assert told in found
        assert found.startswith("The "), found
        assert found.endswith("."), found
    page.unroute("**/rnn.bin")
    assert run(page, message) == "rnn"


def test_a_folder_has_no_models_and_says_so(context: BrowserContext, site: Path) -> None:
    page = context.new_page()
    page.goto((site / "book" / "references.html").as_uri())
    page.add_script_tag(url=(site / "_static" / "play.js").as_uri())
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    found = run(page, "return Play.load('gru').catch((error) => error.message);")
    assert "python3 -m http.server" in found
    assert messages == [], "the browser has nothing to complain of"


def test_no_page_and_no_notebook_has_what_is_published(site: Path) -> None:
    for path in [*site.glob("book/*.html"), *site.glob("notebooks/**/*.ipynb")]:
        text = path.read_text(encoding="utf-8")
        assert "publish_" not in text, path.name
        assert "vnd.course" not in text, path.name
    assert "publish_" not in (site / "search-index.js").read_text(encoding="utf-8")


def test_nothing_is_loaded_before_it_is_asked_for(browser: Browser, server: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(server + "book/gru.html", wait_until="networkidle")
    assert [url for url in asked if "/models/" in url or url.endswith("play.js")] == []
    page.add_script_tag(url=server + "_static/play.js")
    run(page, "await Promise.all([Play.load('gru'), Play.load('gru')]);")
    assert [url for url in asked if "/models/" in url] == [server + FILES["gru"]]
    context.close()


def test_headers_are_json(site: Path) -> None:
    for name in NAMES:
        header, _ = agreement.model_file(site, name)
        assert json.loads(json.dumps(header))["chapter"].startswith("book/")
        assert header["title"]
