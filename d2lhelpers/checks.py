"""Checks of arguments: each error names the input, the rule and the fix, before any work is done.

A layer or function calls each of its checks in a statement of its own, so that the chapters, which
leave them out for the reader, can be held to the rest of the code.
"""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from d2lhelpers.rows import Rows

SEEDS = range(-(2**63), 2**64)  # those that PyTorch takes
_compiling = getattr(torch.compiler, "is_compiling", bool)  # not in torch 2.2: bool() is False


# --- Numbers


def check_int(**values: Any) -> None:
    """Raise `TypeError` unless every named value is a whole number, of Python or NumPy.

    NumPy's narrow and unsigned kinds are refused: with them 3 * 100 or -1 // 2 overflow silently.
    """
    for name, value in values.items():
        try:
            if isinstance(value, bool | Tensor):
                raise TypeError
            operator.index(value)
        except TypeError:
            raise TypeError(
                f"{name} is {value!r}: it must be an int; pass a whole number"
            ) from None
        if isinstance(value, np.integer) and np.iinfo(value).min > -(2**31):
            raise TypeError(
                f"{name} is of type {type(value).__name__}: it must be an int, which does not "
                f"overflow; pass int({name})"
            )


def check_positive_int(**values: Any) -> None:
    """Raise `ValueError` (or `TypeError`) unless every named value is an int of at least 1."""
    check_int(**values)
    for name, value in values.items():
        if value < 1:
            raise ValueError(f"{name} is {value}: it must be positive; pass 1 or more")


def check_seed(**values: Any) -> None:
    """Raise `ValueError` (or `TypeError`) unless every named value is an int of up to 64 bits."""
    check_int(**values)
    for name, value in values.items():
        if int(value) not in SEEDS:
            raise ValueError(f"{name} is {value}: it must fit into 64 bits; pass a smaller number")


def check_number(**values: Any) -> None:
    """Raise `TypeError` unless every named value is a real number, of Python or NumPy."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, Real):
            raise TypeError(f"{name} is {value!r}: it must be a number; pass an int or a float")
        if isinstance(value, int) and abs(value) > sys.float_info.max:
            raise ValueError(f"{name} is larger than any float: pass a smaller number")


def check_positive(**values: Any) -> None:
    """Raise `ValueError` (or `TypeError`) unless every named value is finite and above 0."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, Real):
            raise TypeError(f"{name} is {value!r}: it must be a number; pass one above 0")
        if not 0 < value <= sys.float_info.max:  # type: ignore[operator]
            raise ValueError(
                f"{name} is {value}: it must be finite and above 0; pass such a number"
            )


def check_share(**values: Any) -> None:
    """Raise `ValueError` (or `TypeError`) unless every named value lies in [0, 1)."""
    check_number(**values)
    for name, value in values.items():
        if not 0 <= float(value) < 1:
            raise ValueError(f"{name} is {value}: it is a share and must lie in [0, 1); try 0.2")


def check_bool(**values: Any) -> None:
    """Raise `TypeError` unless every named value is True or False."""
    for name, value in values.items():
        if not isinstance(value, bool | np.bool_):
            raise TypeError(f"{name} is {value!r}: it must be a bool; pass True or False")


def check_type(kind: type | tuple[type, ...], fix: str, **values: Any) -> None:
    """Raise `TypeError`, with what to do, unless every named value is of a kind."""
    for name, value in values.items():
        if not isinstance(value, kind):
            kinds = kind if isinstance(kind, tuple) else (kind,)
            wanted = " or ".join(one.__name__ for one in kinds)
            raise TypeError(f"{name} is {_kind(value)}: it must be {_an(wanted)}; {fix}")


def check_not_empty(**counts: int) -> None:
    """Raise `ValueError` unless every named count is above 0."""
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"{name} is empty: there must be something in it; pass at least one")


def check_generator(generator: Any) -> None:
    """Raise `TypeError` unless a generator of random numbers is one of PyTorch's, or None."""
    check_type(
        (torch.Generator, type(None)),
        "pass torch.Generator().manual_seed(0), for example",
        generator=generator,
    )


# --- Tokens


def check_text(**values: Any) -> None:
    """Raise `TypeError` or `ValueError` unless every named value is a tensor (N,) of integers."""
    for name, tokens in values.items():
        check_type(Tensor, "encode the text with a Vocabulary", **{name: tokens})
        _check_integers(tokens, name)
        if tokens.dim() != 1:
            raise ValueError(
                f"{name} has shape {tuple(tokens.shape)}: a text has one axis, (N,); "
                "pass one text at a time"
            )


def check_range(size: int, **values: Tensor) -> None:
    """Raise `ValueError` unless the integers of every named tensor lie in [0, size)."""
    for name, tokens in values.items():
        if tokens.numel() == 0:
            continue
        low, high = int(tokens.min()), int(tokens.max())
        if low < 0 or high >= size:
            raise ValueError(
                f"{name} run from {low} to {high}: each must lie in [0, {size}); "
                "encode the text with the vocabulary of the model"
            )


def check_tokens(tokens: Any, vocab_size: int) -> None:
    """Raise `TypeError` or `ValueError` unless tokens are (T, B), int64 or int32, in [0, V).

    The range is not looked at on CUDA, where looking would wait for the device at every step, and
    where the embedding itself refuses tokens that are out of range. `train` looks once.
    """
    check_type(Tensor, "encode the text with a Vocabulary", tokens=tokens)
    _check_integers(tokens, "tokens")
    if tokens.dtype not in (torch.int64, torch.int32):
        raise TypeError(f"tokens is {tokens.dtype}: it must be int64 or int32; pass tokens.long()")
    if tokens.dim() != 2:
        fix = "; for one text pass tokens[:, None]" if tokens.dim() == 1 else "; add or drop axes"
        raise ValueError(f"tokens has shape {tuple(tokens.shape)}: it must be (T, B){fix}")
    _check_steps(tokens, "tokens")
    if not tokens.is_cuda and not _compiling():
        check_range(vocab_size, tokens=tokens)


def check_batch(X: Tensor, Y: Tensor) -> None:
    """Raise `ValueError` unless inputs and targets, of any kind, have the same shape."""
    if X.shape != Y.shape:
        raise ValueError(
            f"the targets have shape {tuple(Y.shape)}: there must be one for each of the inputs, "
            f"shape {tuple(X.shape)}; make the two equal"
        )


# --- Inputs and states of layers


def check_inputs(
    layer: nn.Module,
    inputs: Any,
    state: Any = None,
    weight: Tensor | None = None,
    *,
    pair: bool = False,
) -> None:
    """Raise `TypeError` or `ValueError` unless inputs are (T, B, D) and a state fits on them.

    With `weight`, numbers have to be of its type, and the state, unless None, is (B, H), or the
    `pair` of two such tensors. Without, they are left to the layers inside. So is the device.
    """
    if isinstance(inputs, Rows):  # a tensor of their shape and type, without its memory
        inputs = inputs.table.new_empty(()).expand(inputs.shape)
    check_type(Tensor, "pass a tensor (T, B, D), padded, not packed", inputs=inputs)
    size: Any = layer.input_size
    if inputs.dim() != 3 or inputs.shape[2] != size:
        fix = f"make the last axis {size}"
        if inputs.dim() != 3:
            fix = "for one sequence (T, D) pass inputs[:, None]"
        raise ValueError(
            f"inputs has shape {tuple(inputs.shape)}: it must be (T, B, D) with D = {size}; {fix}"
        )
    _check_steps(inputs, "inputs")
    if not inputs.is_floating_point():
        raise TypeError(
            f"inputs is {inputs.dtype}: it must hold floats; pass inputs.float(), or put tokens "
            "through an embedding first"
        )
    if weight is None:
        return
    if inputs.dtype != weight.dtype:
        _check_same_type(inputs, weight)
    if state is None:
        return
    hidden_size: Any = layer.hidden_size
    shape = (inputs.shape[1], hidden_size)
    if not pair:
        _check_state(state, "state", shape, inputs.dtype)
        return
    _check_pair(state)
    for part, name in zip(state, ("state[0], which is H,", "state[1], which is C,"), strict=True):
        _check_state(part, name, shape, inputs.dtype)


def check_parts(state: Any, layers: Sequence[nn.Module] | nn.ModuleList, batch_size: int) -> None:
    """Raise `TypeError` or `ValueError` unless a state is None or a tuple of the layers' states."""
    if state is None:
        return
    if not isinstance(state, tuple | list):
        raise TypeError(
            f"state is {_kind(state)}: it must be a tuple of {len(layers)} states, one for each "
            "layer; pass what the layer returned"
        )
    if len(state) != len(layers):
        raise ValueError(
            f"state has {len(state)} parts: it must have {len(layers)}, one for each layer; pass "
            "what the layer returned"
        )
    for layer, part in zip(layers, state, strict=True):
        check_torch_state(layer, part, batch_size)


def check_torch_state(layer: nn.Module, state: Any, batch_size: int) -> None:
    """Raise `TypeError` or `ValueError` unless a state fits a layer of torch's; others check it.

    It is (layers, B, H), or the pair (H, C) of two such tensors for an LSTM.
    """
    if state is None or not isinstance(layer, nn.RNNBase):
        return
    rows = layer.num_layers * (2 if layer.bidirectional else 1)
    dtype: torch.dtype = layer.weight_ih_l0.dtype  # type: ignore[assignment]
    shape = (rows, batch_size, layer.proj_size or layer.hidden_size)
    if not isinstance(layer, nn.LSTM):
        _check_state(state, "state", shape, dtype)
        return
    _check_pair(state)
    _check_state(state[0], "state[0], which is H,", shape, dtype)
    _check_state(state[1], "state[1], which is C,", (*shape[:2], layer.hidden_size), dtype)


def check_own_weights(**layers: nn.Module) -> None:
    """Raise `ValueError` if two of the named layers share a parameter."""
    owners: dict[int, str] = {}
    for name, layer in layers.items():
        for parameter in layer.parameters():
            owner = owners.setdefault(id(parameter), name)
            if owner != name:
                raise ValueError(
                    f"{owner} and {name} share weights: each layer must have its own; make a new "
                    "layer for each, as in [RNN(8, 8) for _ in range(2)]"
                )


# --- Training


def check_optimizer(optimizer: torch.optim.Optimizer, model: nn.Module) -> None:
    """Raise `ValueError` unless an optimizer has at least one of a model's parameters."""
    ours = {id(parameter) for parameter in model.parameters()}
    if not any(id(p) in ours for group in optimizer.param_groups for p in group["params"]):
        raise ValueError(
            "the optimizer has none of the model's parameters: it must be made for this model; "
            "pass torch.optim.Adam(model.parameters()), for example"
        )


def check_parameters(parameters: Any) -> None:
    """Raise `TypeError` if parameters are one tensor or a whole module."""
    if isinstance(parameters, Tensor | nn.Module):
        raise TypeError(
            f"parameters is {_kind(parameters)}: it must be several tensors; pass "
            "model.parameters() or a list"
        )


def check_clipping(gradients: Sequence[Tensor], max_norm: float | None) -> None:
    """Raise an error unless there are gradients and `max_norm` is above 0 or None.

    `RuntimeError` for no gradients; `TypeError` or `ValueError` for the norm. Infinity is allowed:
    it clips nothing, like None.
    """
    if not gradients:
        raise RuntimeError(
            "no parameter has a gradient: there must be one to clip; call loss.backward() first"
        )
    if max_norm is not None and max_norm != math.inf:
        check_positive(max_norm=max_norm)


# --- What they share


def autocasts(tensor: Tensor) -> bool:
    """Tell whether PyTorch casts types by itself where a tensor is."""
    kind = tensor.device.type
    if hasattr(torch.amp, "is_autocast_available"):
        return torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)
    return torch.is_autocast_cpu_enabled() if kind == "cpu" else torch.is_autocast_enabled()  # 2.2


def _check_integers(tokens: Tensor, name: str) -> None:
    if tokens.is_floating_point() or tokens.is_complex() or tokens.dtype == torch.bool:
        raise TypeError(
            f"{name} is {tokens.dtype}: tokens are integers; encode the text, or pass .long()"
        )


def _check_steps(tensor: Tensor, name: str) -> None:
    if tensor.shape[0] == 0:
        raise ValueError(
            f"{name} has shape {tuple(tensor.shape)}: it must have a step; pass T of 1 or more"
        )


def _check_same_type(inputs: Tensor, weight: Tensor) -> None:
    if not autocasts(inputs):
        raise TypeError(
            f"inputs is {inputs.dtype}: the layer's weights are {weight.dtype}, and both must be "
            f"of one type; pass inputs.to({weight.dtype})"
        )


def _check_pair(state: Any) -> None:
    if not isinstance(state, tuple | list) or len(state) != 2:
        parts = isinstance(state, tuple | list)
        found = f"has {len(state)} parts" if parts else f"is {_kind(state)}"
        raise TypeError(
            f"state {found}: it must be the pair (H, C) of two tensors; pass what the layer "
            "returned"
        )


def _check_state(state: Any, name: str, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    if not isinstance(state, Tensor):
        raise TypeError(
            f"{name} is {_kind(state)}: it must be a tensor of shape {shape}; pass what the layer "
            "returned"
        )
    if state.shape != shape:
        axes, fix = "(B, H)" if len(shape) == 2 else "(layers, B, H)", "what the layer returned"
        if state.shape == (1, *shape):
            fix = "its only row, state[0]"
        if (1, *state.shape) == shape:
            fix = "state[None]"
        raise ValueError(
            f"{name} has shape {tuple(state.shape)}: it must be {axes} = {shape}; pass {fix}"
        )
    if state.dtype != dtype and not (state.is_floating_point() and autocasts(state)):
        raise TypeError(
            f"{name} is {state.dtype}: it must be {dtype}, as the weights are; pass .to({dtype})"
        )


def _kind(value: Any) -> str:
    """Name the type of a value, and the value itself if it is short."""
    shown = repr(value)
    shape = getattr(value, "shape", None)
    if shape is not None:
        return f"{_an(type(value).__name__)} of shape {tuple(shape)}"
    return shown if len(shown) <= 30 else _an(type(value).__name__)


def _an(word: str) -> str:
    return f"{'an' if word[:1].lower() in 'aeiou' else 'a'} {word}"
