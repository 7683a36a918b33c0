"""Trained models for the pages of the site: eight bits a weight, and read back to be compared.

A chapter publishes a model by showing what `publish_model` and its like return in its last cell,
which is tagged `remove-cell`. The build takes it out of the outputs and writes a file, which the
page loads when a reader starts to play. In the file stand

    b"PLAY", the length of the header as uint32 (little endian), the header as JSON, filled up with
    spaces to a multiple of four bytes; then the numbers, of which the header's `parts` tell the
    name and the shape, one after the other: first all float32, then all int8.

A part with two axes is a matrix of int8, and each of its columns has a scale, a float32: so its
scales stand among the float32. A part with one axis is of float32 itself. `bytes`, a text's
tokens, is the one exception, and is int8 without a scale.
"""

from __future__ import annotations

import base64
import json
import math
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from d2lhelpers.checks import check_positive_int, check_type
from d2lhelpers.layers import Bidirectional, DeepRNN
from d2lhelpers.model import LanguageModel, State, check_vocabulary, layer_sizes
from d2lhelpers.ngram import KneserNey, _discounts
from d2lhelpers.text import Corpus
from d2lhelpers.training import log_probabilities

MIME = "application/vnd.course.model+json"
MAGIC = b"PLAY"
LIMIT = 350_000  # bytes of a file
KINDS = {"RNN": nn.RNN, "GRU": nn.GRU, "LSTM": nn.LSTM}
GATES = {"RNN": (), "GRU": (0, 1), "LSTM": (0, 1, 3)}  # which blocks of columns are gates
PASSING = ("WithDropout", "Packed")  # a layer in it gives what it gives by itself, when it is used

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Published:
    """A model as a chapter shows it: to Jupyter a line of text, to the build the numbers too.

    Args:
        header: what the file says of the model; see the module.
        numbers: the bytes behind the header.
    """

    header: dict[str, Any]
    numbers: bytes

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        data = base64.b64encode(self.numbers).decode()
        return {"text/plain": str(self), MIME: {"header": self.header, "numbers": data}}

    def __str__(self) -> str:
        name, measure, part = (self.header[key] for key in ("name", "measure", "part"))
        return (
            f"{name}: {measure} on the {part} part {self.header['trained']:.3f} as trained, "
            f"{self.header['value']:.3f} as published, {len(self.numbers):,} bytes"
        )


@dataclass(frozen=True)
class _Layer:
    """One recurrent layer: W (D + H, n H) on X and H side by side, b of n H or, in a GRU, 4 H."""

    kind: str
    residual: bool
    inputs: int
    W: Tensor
    b: Tensor

    @property
    def units(self) -> int:
        return self.W.shape[0] - self.inputs

    def module(self) -> nn.Module:
        """Return PyTorch's own layer with these weights."""
        layer = KINDS[self.kind](self.inputs, self.units)
        columns = self.W.shape[1]
        with torch.no_grad():
            layer.weight_ih_l0.copy_(self.W[: self.inputs].T)
            layer.weight_hh_l0.copy_(self.W[self.inputs :].T)
            layer.bias_ih_l0.copy_(self.b[:columns])
            layer.bias_hh_l0.zero_()
            if len(self.b) > columns:  # the GRU's bias inside the reset
                layer.bias_hh_l0[-self.units :] = self.b[columns:]
        return _Residual(layer) if self.residual else layer


class _Residual(nn.Module):
    """A layer whose inputs are added to its outputs."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer = layer
        self.input_size, self.hidden_size = layer_sizes(layer)

    def forward(self, inputs: Tensor, state: State = None) -> tuple[Tensor, State]:
        outputs, state = self.layer(inputs, state)
        return inputs + outputs, state


class _Tagger(LanguageModel):
    """A model of two directions with one score a letter, (T, B)."""

    def forward(  # type: ignore[override]
        self, tokens: Tensor, lengths: Tensor | None = None
    ) -> Tensor:
        H, _ = self.layer(self.embedding(tokens), lengths=lengths)
        scores: Tensor = self.output(H)[..., 0]
        return scores


def publish_model(name: str, model: LanguageModel, corpus: Corpus) -> Published:
    """Return a language model to be shown in the last cell of its chapter.

    Its perplexity on the test part is measured as trained, and anew after the weights were rounded
    and read back. The mean of each unit's gates is that on the validation part.

    Args:
        name: of the file.
        model: its layer is an `RNN`, `GRU` or `LSTM`, ours or torch's, a stack of them, or has them
            inside a `Residual` or `WithDropout`.
        corpus: that the model was trained on.

    Raises:
        TypeError, ValueError: another kind of layer, a vocabulary that is not the model's, a file
            that is too large, or a model that is another one after it was read back.
    """
    _check_given(name, corpus)
    check_vocabulary(model, corpus.vocabulary)

    def measure(model: Any) -> float:
        return math.exp(-log_probabilities(model, corpus.test).mean().item())

    header = {
        "name": name,
        "kind": "language",
        "symbols": "".join(corpus.vocabulary.symbols),
        "letters": len(corpus.training),
        "measure": "perplexity",
        "part": "test",
    }
    return _published(header, model, measure, corpus.validation)


def publish_tagger(
    name: str, model: nn.Module, symbols: str, letters: int, score: Callable[[Any], float]
) -> Published:
    """Return a tagger of two directions to be shown in the last cell of its chapter.

    Args:
        name: of the file.
        model: embedding, layer, output layer with one score a letter.
        symbols: the letters, in the order of the embedding.
        letters: how many of them it was trained on.
        score: returns F1 on the test part of a model that takes letters (T, B) and lengths (B,).

    Raises:
        TypeError, ValueError: as of `publish_model`.
    """
    _check_given(name)
    check_type(nn.Module, "pass a tagger", model=model)
    check_type(str, "pass the letters", symbols=symbols)
    check_positive_int(letters=letters)
    header = {
        "name": name,
        "kind": "tagger",
        "symbols": symbols,
        "letters": letters,
        "measure": "F1",
        "part": "test",
    }
    return _published(header, model, score, None)


def publish_counts(name: str, corpus: Corpus, order: int) -> Published:
    """Return an n-gram model, modified Kneser-Ney, to be shown in the last cell of its chapter.

    What is published is the text, from which the page counts: this is smaller than any table, and
    loses nothing.

    Args:
        name: of the file.
        corpus: the training part of which is counted.
        order: n.

    Raises:
        TypeError, ValueError: as of `KneserNey`; a file that is too large.
    """
    _check_given(name, corpus)
    check_positive_int(order=order)
    counts = KneserNey(corpus.training, order, len(corpus.vocabulary))
    value = counts.perplexity(corpus.test, order)
    levels = [counts._symbols_before(k) for k in range(order - 1)] + [counts._counts[order - 1]]
    header = {
        "name": name,
        "kind": "counting",
        "symbols": "".join(corpus.vocabulary.symbols),
        "letters": len(corpus.training),
        "measure": "perplexity",
        "part": "test",
        "trained": value,
        "value": value,
        "order": order,
        "discounts": [_discounts(level)[1:].tolist() for level in levels],
        "layers": [],
        "parts": [["bytes", [len(corpus.training)]]],
    }
    return _checked(Published(header, corpus.training.cpu().numpy().astype(np.int8).tobytes()))


def read_parts(header: dict[str, Any], numbers: bytes) -> dict[str, Floats]:
    """Return the parts of a file by name, each in its shape, matrices multiplied by their scales.

    Raises:
        ValueError: there are more or fewer bytes than the header says.
    """
    floats = [shape[-1] for name, shape in header["parts"] if name != "bytes"]
    size = 4 * sum(floats)
    whole = size + sum(math.prod(shape) for name, shape in header["parts"] if _rounded(name, shape))
    if len(numbers) != whole:
        raise ValueError(
            f"the model {header['name']} has {len(numbers)} bytes behind its header, which speaks "
            f"of {whole}: the file must be whole; build the site again"
        )
    vectors = np.split(np.frombuffer(numbers[:size], "<f4"), np.cumsum(floats)[:-1])
    parts, at = {}, size
    for name, shape in header["parts"]:
        if not _rounded(name, shape):
            parts[name] = vectors.pop(0).copy()
            continue
        matrix = np.frombuffer(numbers, np.int8, math.prod(shape), at).reshape(shape)
        at += matrix.size
        parts[name] = matrix.astype(np.float32)
        if name != "bytes":
            parts[name] *= vectors.pop(0)
    return parts


def read_file(path: Path) -> tuple[dict[str, Any], bytes]:
    """Return the header and the numbers of a file that the build has written.

    Raises:
        ValueError: it is no such file.
    """
    content = path.read_bytes()
    if content[:4] != MAGIC:
        raise ValueError(f"{path} begins with {content[:4]!r}: a model begins with {MAGIC!r}")
    (length,) = struct.unpack("<I", content[4:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def rebuild(header: dict[str, Any], numbers: bytes) -> nn.Module:
    """Return the network of a file, of PyTorch's own layers, with the weights that it has there.

    A `LanguageModel`; of a tagger one that takes letters (T, B) and lengths (B,) and returns the
    scores (T, B). Errors as of `read_parts`.
    """
    parts = {name: torch.from_numpy(part) for name, part in read_parts(header, numbers).items()}
    modules = [
        _Layer(
            about["kind"], about["residual"], about["inputs"], parts[f"{i}.W"], parts[f"{i}.b"]
        ).module()
        for i, about in enumerate(header["layers"])
    ]
    layer = modules[0] if len(modules) == 1 else None
    if layer is None:
        layer = Bidirectional(*modules) if header["both"] else DeepRNN(modules)
    kind = _Tagger if header["kind"] == "tagger" else LanguageModel
    model = kind(layer, len(header["symbols"]))
    model.output = nn.Linear(parts["output.W"].shape[0], parts["output.W"].shape[1])
    with torch.no_grad():
        model.embedding.weight.copy_(parts["embedding"])
        model.output.weight.copy_(parts["output.W"].T)
        model.output.bias.copy_(parts["output.b"])
    return model.eval()


def _published(
    header: dict[str, Any],
    model: Any,
    measure: Callable[[Any], float],
    validation: Tensor | None,
) -> Published:
    """Return a network as it is published, with what it reaches before and after."""
    layers = list(_layers(model.layer))
    parts = {"embedding": model.embedding.weight.detach()}
    for i, layer in enumerate(layers):
        parts |= {f"{i}.W": layer.W, f"{i}.b": layer.b}
    if validation is not None:
        for i, means in enumerate(_gate_means(layers, model.embedding(validation))):
            parts |= {f"{i}.means": means} if len(means) else {}
    parts |= {"output.W": model.output.weight.detach().T, "output.b": model.output.bias.detach()}
    header |= {
        "layers": [
            {"kind": x.kind, "inputs": x.inputs, "units": x.units, "residual": x.residual}
            for x in layers
        ],
        "both": any(getattr(x, "bidirectional", False) for x in model.modules())
        or any(isinstance(x, Bidirectional) for x in model.modules()),
        "parameters": sum(p.numel() for p in model.parameters()),
        "parts": [[name, list(part.shape)] for name, part in parts.items()],
        "trained": measure(model),
    }
    found = Published(header, _numbers(parts))
    header["value"] = measure(rebuild(header, found.numbers))
    if not abs(header["value"] / header["trained"] - 1) < 0.05:
        raise ValueError(
            f"{header['name']} has {header['measure']} {header['trained']:.3f}, and "
            f"{header['value']:.3f} when it is read back: both must be one model; publish layers "
            "that this module knows"
        )
    return _checked(found)


def _check_given(name: str, corpus: Corpus | None = None) -> None:
    """Raise `TypeError` or `ValueError` unless a name can be a file's, and a corpus is one."""
    check_type(str, "pass 'gru'", name=name)
    if not re.fullmatch("[a-z-]+", name):
        raise ValueError(f"name is {name!r}: it is a file's, of letters a-z; pass 'gru'")
    if corpus is not None:
        check_type(Corpus, "pass what load_corpus returns", corpus=corpus)


def _checked(found: Published) -> Published:
    """Return what is published, if the file will not be too large."""
    size = len(found.numbers) + len(json.dumps(found.header))
    if size > LIMIT - 200:  # the build adds the chapter
        raise ValueError(
            f"{found.header['name']} has {size:,} bytes: a page loads at most {LIMIT:,}; publish a "
            "smaller model"
        )
    return found


def _rounded(name: str, shape: list[int]) -> bool:
    return name == "bytes" or len(shape) == 2


def _numbers(parts: dict[str, Tensor]) -> bytes:
    """Return the numbers of a file: vectors and scales, then the rounded matrices."""
    floats, rounded = [], []
    for part in parts.values():
        array = part.cpu().numpy().astype(np.float32)
        if array.ndim == 2:
            scales = np.maximum(np.abs(array).max(0), np.float32(1e-30)) / np.float32(127)
            rounded.append(np.rint(array / scales).astype(np.int8).tobytes())
            array = scales
        floats.append(array.astype("<f4").tobytes())
    return b"".join([*floats, *rounded])


def _layers(layer: nn.Module, residual: bool = False) -> Iterator[_Layer]:
    """Yield the recurrent layers of a network, from the lowest, the one to the right first."""
    name = type(layer).__name__
    if isinstance(layer, nn.RNNBase):
        yield from _torch_layers(layer, residual)
    elif name in KINDS:
        W_x, W_h, b = (p.detach() for p in layer.parameters())
        yield _Layer(name, residual, len(W_x), torch.cat([W_x, W_h]), b.flatten())
    elif name == "DeepRNN":
        for part in layer.layers:  # type: ignore[union-attr]
            yield from _layers(part)
    elif name == "Bidirectional":
        yield from _layers(layer.forward_layer)  # type: ignore[arg-type]
        yield from _layers(layer.backward_layer)  # type: ignore[arg-type]
    elif name in (*PASSING, "Residual"):
        yield from _layers(layer.layer, residual or name == "Residual")  # type: ignore[arg-type]
    else:
        raise TypeError(
            f"a layer is of type {name}: the pages know {', '.join(KINDS)}, DeepRNN, "
            f"Bidirectional, Residual, {', '.join(PASSING)}; publish one of them"
        )


def _torch_layers(layer: nn.RNNBase, residual: bool) -> Iterator[_Layer]:
    """Yield the layers of one of torch's modules, with the biases of ours."""
    kind = layer.mode.removesuffix("_TANH")
    if kind not in KINDS or not layer.bias or layer.proj_size:
        raise TypeError(f"a layer is {layer}: the pages know plain {', '.join(KINDS)}; pass one")
    if layer.bidirectional and layer.num_layers > 1:
        raise TypeError(f"a layer is {layer}: the pages know one layer of two directions; pass one")
    for i in range(layer.num_layers):
        for end in ("", "_reverse") if layer.bidirectional else ("",):
            names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            W_x, W_h, b, b_h = (getattr(layer, f"{n}_l{i}{end}").detach() for n in names)
            inside = b_h.clone()[-layer.hidden_size :]
            if kind == "GRU":  # the last block of the second bias stands inside the reset
                b_h = torch.cat([b_h[: -layer.hidden_size], torch.zeros_like(inside)])
            b = torch.cat([b + b_h, inside]) if kind == "GRU" else b + b_h
            yield _Layer(kind, residual, W_x.shape[1], torch.cat([W_x.T, W_h.T]), b)


@torch.no_grad()
def _gate_means(layers: list[_Layer], X: Tensor) -> Iterator[Tensor]:
    """Yield for each layer the mean of each unit's gates (H, gates) on inputs (T, D)."""
    for layer in layers:
        above = layer.module().to(X.device)(X[:, None])[0][:, 0]  # (T, H)
        H = above - X if layer.residual else above
        before = torch.cat([torch.zeros_like(H[:1]), H[:-1]])
        columns = layer.W.shape[1]
        scores = torch.cat([X, before], 1) @ layer.W.to(X) + layer.b[:columns].to(X)
        blocks = scores.sigmoid().mean(0).view(-1, layer.units)
        yield blocks[list(GATES[layer.kind])].T
        X = above
