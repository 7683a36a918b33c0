"""Models for the pages: what is read back is what was trained, up to eight bits."""

from __future__ import annotations

import base64
import math
from pathlib import Path

import pytest
import torch
from accelerator import accelerator
from course.models import content, title
from torch import Tensor, nn

from d2lhelpers.device import use_device
from d2lhelpers.export import (
    MIME,
    publish_counts,
    publish_model,
    publish_tagger,
    read_file,
    read_parts,
    rebuild,
)
from d2lhelpers.layers import GRU, LSTM, RNN, Bidirectional, DeepRNN, WithDropout
from d2lhelpers.model import LanguageModel, layer_sizes
from d2lhelpers.ngram import KneserNey
from d2lhelpers.text import Corpus, Vocabulary
from d2lhelpers.training import perplexity

V = 5
TEXT = torch.randint(V, (900,), generator=torch.Generator().manual_seed(0))
CORPUS = Corpus("small", Vocabulary("abcde"), TEXT[:500], TEXT[500:700], TEXT[700:])


class Residual(nn.Module):
    """As the chapter about depth has it."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer = layer
        self.input_size, self.hidden_size = layer_sizes(layer)

    def forward(self, inputs: Tensor, state=None):
        outputs, state = self.layer(inputs, state)
        return inputs + outputs, state


class Normalised(Residual):
    """What the pages do not know."""


class Scores(nn.Module):
    """A tagger with one score a letter."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.embedding, self.layer = nn.Embedding(V, 4), layer
        self.output = nn.Linear(layer_sizes(layer)[1], 1)

    def forward(self, letters: Tensor, lengths: Tensor) -> Tensor:
        return self.output(self.layer(self.embedding(letters))[0])[..., 0]


LAYERS = {
    "RNN": lambda: RNN(4, 6),
    "GRU": lambda: GRU(4, 6),
    "LSTM": lambda: LSTM(4, 6),
    "nn.RNN": lambda: nn.RNN(4, 6),
    "nn.GRU": lambda: nn.GRU(4, 6),
    "nn.LSTM": lambda: nn.LSTM(4, 6),
    "dropout": lambda: WithDropout(nn.LSTM(4, 6), 0.5),
    "nn stack": lambda: nn.GRU(4, 6, num_layers=3),
    "stack": lambda: DeepRNN([GRU(4, 6), LSTM(6, 5), nn.RNN(5, 3)]),
    "residual": lambda: DeepRNN([Residual(nn.LSTM(4, 4)), Residual(GRU(4, 4))]),
}


def small(layer: nn.Module, size: int = V) -> LanguageModel:
    """A model with weights as large as after some training, and all of one size a column."""
    model = LanguageModel(layer, size)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randint(-127, 128, parameter.shape) / 127)
            for column in (parameter, parameter.T) if parameter.dim() == 2 else ():
                column[0] = 1.0  # so the scale is 1/127, and nothing is lost
    return model.eval()


@pytest.mark.parametrize("name", LAYERS)
def test_what_is_read_back_computes_the_same(name: str) -> None:
    torch.manual_seed(0)
    model = small(LAYERS[name]())
    found = publish_model("small", model, CORPUS)
    again = rebuild(found.header, found.numbers)
    torch.testing.assert_close(again(TEXT[:50, None])[0], model(TEXT[:50, None])[0])
    value = perplexity(model, CORPUS.test, 1)
    assert found.header["trained"] == pytest.approx(value)
    assert found.header["value"] == pytest.approx(value, rel=1e-4)
    assert f"{value:.3f} as trained" in str(found)


def test_rounding_is_to_the_nearest_of_255_steps() -> None:
    torch.manual_seed(0)
    model = LanguageModel(GRU(4, 6), V)
    found = publish_model("small", model, CORPUS)
    parts = read_parts(found.header, found.numbers)
    whole = torch.cat([model.layer.W_x, model.layer.W_h]).detach().numpy()
    steps = abs(whole).max(0) / 127
    assert (abs(parts["0.W"] - whole) <= 0.501 * steps).all()
    assert (parts["0.b"] == model.layer.b.detach().flatten().numpy()).all()


@pytest.mark.parametrize(("name", "gates"), [("GRU", 2), ("nn.LSTM", 3), ("RNN", 0)])
def test_the_means_are_those_of_the_gates(name: str, gates: int) -> None:
    torch.manual_seed(0)
    model = small(LAYERS[name]())
    found = publish_model("small", model, CORPUS)
    means = read_parts(found.header, found.numbers)["0.means"]
    assert means.shape == (6, gates)
    if not gates:
        return
    layer = model.layer if name == "GRU" else LSTM(4, 6)
    if name == "nn.LSTM":
        own = model.layer
        layer.W_x.data, layer.W_h.data = own.weight_ih_l0.data.T, own.weight_hh_l0.data.T
        layer.b.data = (own.bias_ih_l0 + own.bias_hh_l0).data.view(4, 6)
    seen: list[tuple[Tensor, ...]] = []
    gates_of = layer.gates
    layer.gates = lambda *scores: (seen.append(gates_of(*scores)), seen[-1])[1]
    layer(model.embedding(CORPUS.validation)[:, None])
    wanted = torch.stack([torch.cat(each).mean(0) for each in zip(*seen, strict=True)], 1)
    torch.testing.assert_close(torch.from_numpy(means), wanted, rtol=0, atol=0.005)


@pytest.mark.parametrize("kind", ["cuda", "mps"])
def test_models_come_from_any_device(kind: str) -> None:
    with accelerator(kind):
        use_device(show=False)
        parts = (TEXT[:500], TEXT[500:700], TEXT[700:])
        corpus = Corpus("small", CORPUS.vocabulary, *(part.to(kind) for part in parts))
        for name in ("GRU", "nn.LSTM", "stack", "residual"):
            found = publish_model("small", LanguageModel(LAYERS[name](), V), corpus)
            assert found.header["value"] == pytest.approx(found.header["trained"], rel=0.02)
        assert publish_counts("small", corpus, 3).header["order"] == 3


@pytest.mark.parametrize("ours", [True, False])
def test_a_tagger_is_read_back(ours: bool) -> None:
    torch.manual_seed(0)
    layer = Bidirectional(GRU(4, 3), GRU(4, 3)) if ours else nn.GRU(4, 3, bidirectional=True)
    letters, lengths = TEXT[:40].view(20, 2), torch.tensor([20, 20])
    found = publish_tagger(
        "small", Scores(layer), "abcde", 10, lambda m: m(letters, lengths).exp().mean().item()
    )
    assert found.header["both"]
    assert found.header["value"] == pytest.approx(found.header["trained"], rel=0.02)


def test_counting_is_published_as_its_text() -> None:
    found = publish_counts("small", CORPUS, 3)
    parts = read_parts(found.header, found.numbers)
    assert parts["bytes"].tolist() == CORPUS.training.tolist()
    model = KneserNey(CORPUS.training, 3, V)
    assert found.header["value"] == model.perplexity(CORPUS.test)
    assert len(found.header["discounts"]) == 3


def test_the_file_is_what_is_read(tmp_path: Path) -> None:
    shown = publish_model("small", small(GRU(4, 6)), CORPUS)._repr_mimebundle_()
    assert shown["text/plain"].startswith("small: perplexity on the test part")
    header, numbers = shown[MIME]["header"], base64.b64decode(shown[MIME]["numbers"])
    path = tmp_path / "small.bin"
    path.write_bytes(content(header, numbers))
    assert read_file(path) == (header, numbers)
    path.write_bytes(b"<!doctype html>")
    with pytest.raises(ValueError, match="begins with b'<!do': a model begins with b'PLAY'"):
        read_file(path)
    with pytest.raises(ValueError, match="must be whole"):
        rebuild(header, numbers[:-1])


def test_titles_say_what_a_reader_needs() -> None:
    lstm = {"kind": "LSTM", "units": 64, "residual": False}
    about = {"kind": "language", "both": False, "layers": [lstm]}
    assert title(about) == "LSTM, 64 units"
    assert title(about | {"layers": 6 * [lstm | {"residual": True}]}) == (
        "6 × LSTM, 64 units, residual"
    )
    assert title(about | {"layers": 2 * [lstm], "both": True}) == "LSTM, 64 units each way"
    assert title({"kind": "counting", "order": 8}) == "counting, n = 8"


def nan() -> LanguageModel:
    model = small(GRU(4, 6))
    nn.init.constant_(model.output.bias, math.nan)
    return model


def relu() -> nn.Module:
    return nn.RNN(4, 6, nonlinearity="relu")


def large() -> LanguageModel:
    return LanguageModel(LSTM(4, 300), V)


REFUSED = {
    "a name": (TypeError, "name is", lambda: publish_model(3, small(GRU(4, 6)), CORPUS)),
    "a path": (ValueError, "pass 'gru'", lambda: publish_model("../x", small(GRU(4, 6)), CORPUS)),
    "no corpus": (TypeError, "corpus is", lambda: publish_model("x", small(GRU(4, 6)), TEXT)),
    "another vocabulary": (
        ValueError, "the model 6", lambda: publish_model("x", small(GRU(4, 6), 6), CORPUS)
    ),
    "another layer": (
        TypeError,
        "of type Normalised: the pages know RNN",
        lambda: publish_model("x", small(Normalised(GRU(4, 4))), CORPUS),
    ),
    "ReLU": (
        TypeError, "plain RNN", lambda: publish_model("x", small(relu()), CORPUS)
    ),
    "no biases": (
        TypeError, "plain RNN", lambda: publish_model("x", small(nn.GRU(4, 6, bias=False)), CORPUS)
    ),
    "too large": (
        ValueError, "at most 350,000", lambda: publish_model("x", large(), CORPUS)
    ),
    "not finite": (ValueError, "perplexity nan", lambda: publish_model("x", nan(), CORPUS)),
    "no order": (ValueError, "order is 0", lambda: publish_counts("x", CORPUS, 0)),
    "no tagger": (TypeError, "model is", lambda: publish_tagger("x", "y", "abc", 1, len)),
    "no letters": (
        ValueError, "letters is 0", lambda: publish_tagger("x", Scores(GRU(4, 3)), "abc", 0, len)
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_pages_could_not_play_is_refused(case: str) -> None:
    kind, message, call = REFUSED[case]
    with pytest.raises(kind, match=message):
        call()


def test_a_layer_under_a_false_name_is_noticed() -> None:
    """What is read back is measured, so another layer cannot pass for a known one."""

    class Packed(Residual):  # adds its inputs, which a Packed does not
        pass

    torch.manual_seed(0)
    with pytest.raises(ValueError, match="both must be one model"):
        publish_model("x", small(Packed(nn.LSTM(6, 6))), CORPUS)
