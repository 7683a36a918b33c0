"""The study of results: what it scores, and that it goes on where it was stopped."""

import json
import re
import sys
import types
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn

from d2lhelpers.model import LanguageModel
from d2lhelpers.text import load_corpus
from d2lhelpers.training import log_probabilities

ROOT = Path(__file__).parents[2]


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModuleType]:
    """The study as a module, on a short text."""
    monkeypatch.syspath_prepend(str(ROOT / "book" / "_studies"))
    import results as study

    corpus = load_corpus("story", max_characters=12_000)
    monkeypatch.setattr(study, "corpus_of", lambda name: corpus)
    monkeypatch.setattr(study, "KEPT", tmp_path)
    yield study
    for name in ("results", "record"):
        sys.modules.pop(name, None)


def test_networks_beside_the_published_have_at_most_a_million_parameters(
    results: ModuleType,
) -> None:
    for recipe in results.RECIPES["tiny_shakespeare"].values():
        model = results.network(recipe, torch.arange(65), 65)
        assert sum(p.numel() for p in model.parameters()) <= 1_000_000, recipe


def test_windows_begin_with_a_zero_state(results: ModuleType) -> None:
    torch.manual_seed(0)
    model = LanguageModel(nn.GRU(4, 8), 27)
    tokens = torch.randint(27, (3 * 256 + 100,))
    parts = [log_probabilities(model, tokens[i : i + 257]) for i in (0, 256, 512)]
    expected = -torch.cat(parts).mean().item()
    assert results.by_windows(model, tokens) == pytest.approx(expected, abs=1e-5)


def test_overlapping_windows_are_cut_and_judged_as_by_d2l(
    results: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "WINDOWS", [60, 20])
    recipe = replace(results.OVERLAPPING["GRU"], passes=1, learning_rate=1e-9)  # learns nothing
    row = results.overlap(recipe, 3, lambda done, loss: None)
    corpus = load_corpus("story", max_characters=12_000)
    text = torch.cat([corpus.training, corpus.validation, corpus.test])
    torch.manual_seed(3)
    model = LanguageModel(results.LAYERS["GRU"](27, 32), 27)
    model.embedding.weight.data = torch.eye(27)
    for name, starts in (("training", range(60)), ("windows", range(60, 80))):
        nats = -torch.cat([log_probabilities(model, text[i : i + 33]) for i in starts]).mean()
        assert row[name] == pytest.approx(nats.item(), abs=1e-4)
    counting = results.KneserNey(text[:92], 5, 27)
    p = [counting.probabilities(text[i : i + 33]) for i in range(60, 80)]
    assert row["counting"] == pytest.approx(-results.np.log(p).mean(), abs=1e-4)
    changed = results.overlap(replace(recipe, learning_rate=4.0), 3, lambda done, loss: None)
    assert changed["training"] < row["training"]
    assert row["parameters"] == 3 * 32 * (27 + 32) + 4 * 32 + 33 * 27  # the rows are not learned


def test_counting_in_windows_has_less_to_go_on(results: ModuleType) -> None:
    row = results.count("story")
    tokens, test = results.parts("story", "verdict")
    p = results.KneserNey(tokens, row["order"], 27).probabilities(test)
    assert row["carried"] == pytest.approx(-results.np.log(p).mean(), abs=1e-4)
    assert row["windows"] > row["carried"]


def test_a_row_is_made_from_the_exponents_of_another(
    results: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = replace(results.SMALL, units=8, passes=1, batch_size=2)
    made: list[dict[str, object]] = []
    monkeypatch.setattr(results, "load", lambda: made)
    monkeypatch.setattr(results, "save", lambda rows: made.__setitem__(slice(None), rows))
    monkeypatch.setattr(results, "RECIPES", {"time_machine": {"GRU": tiny}})
    monkeypatch.setattr(results, "TRIALS", {"time_machine": {results.MIXER[1]: tiny}})
    monkeypatch.setattr(results, "kinds", lambda gru: {"GRU": gru})
    monkeypatch.setattr(sys, "argv", ["results.py", "--only", "verdict time_machine GRU 0"])
    results.main()
    counting, mixer, row = made
    assert [r["part"] for r in made] == ["verdict", "choice", "verdict"]
    assert len(mixer["exponents"]) == 3
    assert "exponents" not in row
    assert row["product"] != row["mixed"] != row["carried"]
    assert counting["carried"] == results.count("time_machine")["carried"]


def test_a_product_predicts_better_than_its_parts(results: ModuleType) -> None:
    V, steps = 5, 4_000
    torch.manual_seed(0)
    logits = 2 * torch.randn(steps, V, dtype=torch.double)
    came = torch.distributions.Categorical(logits=logits).sample()
    tokens = torch.cat([came[:1], came])
    # Each of the two sees what is behind the symbols with an error of its own.
    first, second = ((logits + torch.randn(steps, V)).log_softmax(1) for _ in range(2))

    def nats(log_p: torch.Tensor) -> float:
        assert log_p.exp().sum(1).sub(1).abs().max() < 1e-9
        return -results.of_symbols(log_p, tokens).mean().item()

    alone = torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]], dtype=torch.double)
    torch.testing.assert_close(results.product(first, second, alone), first)
    exponents = results.fit_exponents(first, second, tokens)
    both = nats(results.product(first, second, exponents))
    mean = nats(((first.exp() + second.exp()) / 2).log())
    assert both < mean < min(nats(first), nats(second))
    for i in range(3):  # there is nothing better nearby
        for j in range(2):
            nearby = exponents.clone()
            nearby[i, j] += 0.05
            assert both < nats(results.product(first, second, nearby))


def test_what_is_judged_carried_is_read_in_one_stream(results: ModuleType) -> None:
    torch.manual_seed(0)
    model = LanguageModel(nn.LSTM(4, 8), 27)
    tokens = torch.randint(27, (5_000,))
    log_p = results.of_symbols(results.carried(model, tokens), tokens)
    expected = log_probabilities(model, tokens)
    torch.testing.assert_close(log_p, expected, rtol=0, atol=1e-5)


def test_what_counting_expects_of_a_symbol_was_not_counted_there(results: ModuleType) -> None:
    tokens = results.parts("story", "choice")[0][:2_000]
    expected = results.expected_by_counting(tokens, 4, 27).float()
    assert expected.shape == (1_999, 27)
    assert expected.sum(1).sub(1).abs().max() < 0.02  # bfloat16
    other = tokens.clone()
    other[1_000] = (tokens[1_000] + 1) % 27
    again = results.expected_by_counting(other, 4, 27).float()
    assert torch.equal(expected[999], again[999])  # of symbol 1,000 itself
    assert not torch.equal(expected[1_000], again[1_000])  # its successor has another context
    assert not torch.equal(expected[:900], again[:900])  # and other tenths count it
    start, end = results.np.linspace(1, 2_000, 11).astype(int)[4:6]
    others = torch.cat([tokens[:start], tokens[end:]])
    whole = results.KneserNey(others, 4, 27).distributions(tokens[start - 4 : end])
    torch.testing.assert_close(
        expected[start - 1 : end - 1], torch.from_numpy(whole[3:]).float(), rtol=0.01, atol=0.0
    )


def test_a_teacher_is_heard(results: ModuleType, tmp_path: Path) -> None:
    tokens = results.parts("story", "choice")[0]
    found = []
    for taught in (0.0, 0.9):
        recipe = replace(results.SMALL, units=8, passes=1, dropout=0.0, taught=taught)
        torch.manual_seed(0)
        model = results.network(recipe, tokens, 27)
        results.fit(model, tokens, recipe, 3, 0, tmp_path / str(taught), lambda *_: None)
        expected = results.expected_by_counting(tokens, 3, 27).float()
        log_p = model(tokens[:-1, None])[0].squeeze(1).log_softmax(1)
        found.append(-(expected * log_p).sum(1).mean().item())
    assert found[1] < found[0]


def test_a_run_that_was_stopped_goes_on(
    results: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(results.SMALL, units=8, passes=3, batch_size=32)
    monkeypatch.setattr(results, "STRETCH", 64)

    def train(kept: str, stop: int = 0) -> tuple[LanguageModel, list[int]]:
        tokens = results.parts("story", "choice")[0]
        torch.manual_seed(5)
        model, passes = results.network(recipe, tokens, 27), []

        def say(number: int, loss: float) -> None:
            passes.append(number)
            if number == stop:
                raise KeyboardInterrupt

        try:
            results.fit(model, tokens, recipe, 3, 5, tmp_path / kept, say)
        except KeyboardInterrupt:
            assert stop
        return model, passes

    whole, passes = train("whole")
    assert passes == [1, 2, 3]
    train("stopped", stop=2)
    again, passes = train("stopped")
    assert passes == [3]
    for name, value in whole.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


def test_the_times_left_are_told(results: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    progress = results.Progress(100.0)
    progress.begin("first", 20.0, 2)
    progress.start -= 600.0  # ten minutes ago
    progress.say(1, 1.5)  # a tenth of all
    assert (
        "pass 1 of 2, loss 1.5000, 10 min left of this row, 1.5 h of all" in capsys.readouterr().out
    )
    progress.say(2, 1.4)
    progress.begin("second", 80.0, 4)
    progress.say(2, 1.3)  # 60 of 100
    assert "7 min left of this row, 7 min of all" in capsys.readouterr().out


def test_the_measurement_is_of_these_recipes(results: ModuleType) -> None:
    path = ROOT / "d2lhelpers" / "measurements" / "results.json"
    study = json.loads(path.read_text("utf-8"))
    recipes = {
        name: {model: asdict(recipe) for model, recipe in group.items()}
        for name, group in results.RECIPES.items()
    }
    assert study["settings"]["recipes"] == recipes
    assert study["published"] == results.PUBLISHED
    for row in study["results"]:
        if row["part"] == "verdict" and row["model"] != "counting":
            assert results.same_settings(row, results.RECIPES[row["corpus"]][row["model"]]), row
        if row["part"] == "overlapping":
            assert results.same_settings(row, results.OVERLAPPING[row["model"]]), row


def test_the_page_says_no_figure_that_a_cell_does_not() -> None:
    text = (ROOT / "book" / "results.md").read_text("utf-8")
    prose = re.sub(r"^```.*?^```$", "", text.split("---\n", 2)[2], flags=re.M | re.S)
    assert "```" not in prose
    prose = re.sub(r"\]\([^)]*\)", "]", prose)  # without addresses
    assert re.findall(r"\d+\.\d+", prose) == []


def test_the_entry_on_the_page_can_be_built_and_trained() -> None:
    text = (ROOT / "book" / "results.md").read_text("utf-8")
    (source,) = re.findall(r"^```python\n(.*?)^```$", text, flags=re.M | re.S)
    entry = types.ModuleType("entry")
    exec(source.replace("range(10)", "range(1)").replace("512", "16"), entry.__dict__)
    model = entry.build(27)
    before = [p.clone() for p in model.parameters()]
    entry.train(model, torch.randint(27, (3_000,)))
    assert not any(map(torch.equal, before, model.parameters()))
