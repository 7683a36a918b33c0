"""The challenge: an honest entry is scored, and whatever cheats is refused, by name."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from d2lhelpers import challenge
from d2lhelpers.challenge import Budget, Refused, check_source, count_weights, judge
from d2lhelpers.text import Corpus, load_corpus

V = 5
HONEST = """
import torch
from torch import nn

class Model(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.scores = nn.Embedding(vocab_size, vocab_size)

    def forward(self, tokens):
        return self.scores(tokens), None

def build(vocab_size):
    return Model(vocab_size)

def train(model, tokens):
    size = len(model.scores.weight)
    pairs = torch.bincount(tokens[:-1] * size + tokens[1:], minlength=size**2).view(size, size)
    model.scores.weight.data = (pairs + 0.1).log()
"""


@pytest.fixture(scope="module")
def test_part() -> Tensor:
    return torch.randint(V, (6 * challenge.WINDOW + 9,), generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return load_corpus("story", letters_only=False, max_characters=12_000)


def bigram(tokens: Tensor) -> Tensor:
    """Scores that depend on the last token alone."""
    return torch.arange(V * V).view(V, V).cos()[tokens]


def test_judge_is_the_mean_over_all_windows(test_part: Tensor) -> None:
    n = 6 * challenge.WINDOW
    expected = torch.nn.functional.cross_entropy(bigram(test_part[:n]), test_part[1 : n + 1])
    assert judge(bigram, test_part, V, batch_size=4) == pytest.approx(expected.item(), abs=1e-6)
    assert judge(lambda x: torch.zeros(*x.shape, V), test_part, V) == pytest.approx(math.log(V))


class Remembers:
    """Answers that depend on how often it was asked."""

    calls = 0

    def __call__(self, tokens: Tensor) -> Tensor:
        self.calls += 1
        return bigram(tokens) * self.calls


def next_token(tokens: Tensor) -> Tensor:
    following = torch.cat([tokens[1:], tokens[:1]])
    return 9.0 * torch.nn.functional.one_hot(following, V)


CHEATS = {
    "reads ahead": (next_token, "what comes"),
    "reads the end": (lambda x: bigram(x) + bigram(x[-1:]), "what comes"),
    "reads its neighbours": (lambda x: bigram(x) + bigram(x.roll(1, 1)), "stands beside"),
    "statistics of the batch": (lambda x: bigram(x) + x.float().mean(), "stands beside|comes"),
    "learns while it answers": (Remembers(), "what comes|asked again"),
    "draws": (lambda x: bigram(x) + torch.randn(()), "what comes|asked again"),
    "infinite": (lambda x: bigram(x) / 0, "infinity or NaN"),
    "not finite": (lambda x: bigram(x) * math.nan, "infinity or NaN"),
    "other shape": (lambda x: bigram(x)[:-1], r"must return \(256, 4, 5\)"),
    "no tensor": (lambda x: bigram(x).tolist(), "answers list"),
    "whole numbers": (lambda x: bigram(x).long(), "must return"),
}


@pytest.mark.parametrize("name", CHEATS)
def test_answers_that_cheat_are_refused(name: str, test_part: Tensor) -> None:
    answer, message = CHEATS[name]
    with pytest.raises(Refused, match=message):
        judge(answer, test_part, V, batch_size=4)


def test_too_short_a_text_is_no_test() -> None:
    with pytest.raises(ValueError, match="pass at least 513"):
        judge(bigram, torch.zeros(300, dtype=torch.int64), V)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"w": torch.zeros(101)}, "101 numbers"),
        ({"w": torch.zeros(60), "a buffer": torch.zeros(60)}, "120 numbers"),
        ({"w": torch.zeros(60, dtype=torch.float64)}, "480 bytes"),
    ],
)
def test_too_many_numbers_are_refused(
    state: dict[str, Tensor], message: str, tmp_path: Path
) -> None:
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(Refused, match=message):
        count_weights(tmp_path / "w.pt", Budget(parameters=100))


def test_as_many_as_allowed_are_counted(tmp_path: Path) -> None:
    torch.save({"w": torch.zeros(100)}, tmp_path / "w.pt")
    assert count_weights(tmp_path / "w.pt", Budget(parameters=100)) == 100


def test_sources_that_hold_the_text_are_refused(tmp_path: Path, corpus: Corpus) -> None:
    entry = tmp_path / "entry.py"
    entry.write_text("x" * 9000)
    with pytest.raises(Refused, match="9000 bytes"):
        check_source(entry, corpus)
    quoted = corpus.vocabulary.decode(corpus.test[100:160])
    entry.write_text(f'PART = """{quoted}"""')
    with pytest.raises(Refused, match="quotes the test part"):
        check_source(entry, corpus)
    with pytest.raises(FileNotFoundError, match=r"nothing\.py"):
        check_source(tmp_path / "nothing.py", corpus)
    entry.write_text(HONEST)
    check_source(entry, corpus)


def test_an_honest_entry_is_trained_and_scored(tmp_path: Path, corpus: Corpus) -> None:
    entry = tmp_path / "entry.py"
    entry.write_text(HONEST)
    result = challenge.score_entry(entry, corpus)
    tokens, size = torch.cat([corpus.training, corpus.validation]), len(corpus.vocabulary)
    counts = torch.bincount(tokens[:-1] * size + tokens[1:], minlength=size**2) + 0.1
    log_p = counts.view(size, size).log().log_softmax(1)
    n = (len(corpus.test) - 1) // 256 * 256
    assert result.nats == pytest.approx(-log_p[corpus.test[:n], corpus.test[1 : n + 1]].mean())
    assert result.parameters == size**2


# Each is refused in the process that trains.
FENCED = {
    "reads the text": ("load_corpus('story')", "is not to be read"),
    "asks the network": ("socket.create_connection(('127.0.0.1', 9))", "socket.connect is not"),
    "starts a program": ("subprocess.run(['true'])", "Popen is not allowed"),
    "takes too long": ("any(iter(int, 1))", "CPU seconds"),
}


@pytest.mark.parametrize("name", FENCED)
def test_training_is_fenced_in(name: str, tmp_path: Path, corpus: Corpus) -> None:
    line, message = FENCED[name]
    entry = tmp_path / "entry.py"
    imports = "import socket, subprocess\nfrom d2lhelpers.text import load_corpus\n"
    entry.write_text(imports + HONEST + f"    {line}\n")
    with pytest.raises(Refused, match=message):
        challenge.score_entry(
            entry, corpus, Budget(cpu_seconds=1 if name == "takes too long" else 60)
        )


def test_entries_without_what_they_need(tmp_path: Path) -> None:
    entry = tmp_path / "entry.py"
    entry.write_text("def build(vocab_size): ...")
    with pytest.raises(AttributeError, match="no function train"):
        challenge._load(entry)
    entry.write_text("def build(vocab_size): ...\ndef train(model, tokens): ...")
    module = challenge._load(entry)
    with pytest.raises(TypeError, match="build returned NoneType"):
        challenge._build(module, 3)


def test_the_command_says_what_is_wrong(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(challenge, "load_corpus", lambda *_, **__: None)
    assert challenge.main(["no/such/entry.py"]) == 1
    assert "refused" in capsys.readouterr().err
