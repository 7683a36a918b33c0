"""An accelerator in disguise: tensors that are on the CPU and behave as if they were elsewhere.

Code that would fail on a GPU, because it mixes devices or hands a tensor to NumPy, fails here in
the same way, on any machine:

    python tests/accelerator.py book/gru.md

runs a chapter on it. As on a GPU, a seed gives other weights than on the CPU, so an assert that
held by luck fails. What it cannot show is how fast a GPU is, and how it rounds.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._device import _device_constructors
from torch.utils._pytree import tree_leaves

HERE = torch.device("cpu")
OTHER_WEIGHTS = {"cuda": 1000, "mps": 2000}  # added to every seed of weights
TO_NUMPY = (Tensor.numpy, Tensor.__array__)
ACROSS = (Tensor.copy_, Tensor.data.__set__)  # type: ignore[attr-defined]
PACKING = ("_pack_padded_sequence", "_pad_packed_sequence")
LISTS = (Tensor.tolist, Tensor.item, Tensor.__int__, Tensor.__float__, Tensor.__bool__)


class Accelerator(TorchFunctionMode):
    """While it is active there is a second device, "mps" unless another name is given.

    A storage is on it if its address is noted. Every storage that a function returns is noted or
    forgotten, so the address of one that is gone does no harm.
    """

    def __init__(self, name: str = "mps"):
        super().__init__()
        self.device = torch.device(name, 0)
        self.default = HERE
        self.there: set[int] = set()

    def address(self, tensor: Tensor) -> int:
        """Return the address of a tensor's storage, also if torch.func has wrapped the tensor."""
        while torch._C._functorch.is_functorch_wrapped_tensor(tensor):
            tensor = torch._C._functorch.get_unwrapped(tensor)
        return tensor.untyped_storage()._cdata

    def is_there(self, tensor: Tensor) -> bool:
        """Tell whether a tensor is on the accelerator."""
        return self.address(tensor) in self.there

    def note(self, result: Any, there: bool) -> Any:
        """Note where the tensors of a result are, and return it."""
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                if there and self.device.type == "mps" and leaf.dtype == torch.float64:
                    raise TypeError("this device has no float64")
                (self.there.add if there else self.there.discard)(self.address(leaf))
        return result

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        there = [t for t in tensors if self.is_there(t)]
        if getattr(func, "__self__", None) is Tensor.device:
            return self.device if there else func(*args, **kwargs)
        if func in TO_NUMPY and there:
            raise TypeError(f"a tensor on {self.device} has to be copied to the CPU first")
        if func in LISTS:
            return func(*args, **kwargs)
        if func in _device_constructors():
            return self.make(func, args, kwargs)
        if func in (Tensor.to, Tensor.cpu):
            return self.move(func, args, kwargs, bool(there))
        generator = kwargs.get("generator")
        if generator is not None and there:
            raise RuntimeError(f"expected a generator on {self.device}, found one on the CPU")
        others = [t for t in tensors if t.dim() and not self.is_there(t)]
        name = getattr(func, "__name__", "")
        if func is Tensor.__getitem__ and self.is_there(args[0]):
            others = []  # places may be on the CPU, but not the other way round
        if name in ("gru", "lstm", "rnn_tanh"):  # a packed batch has its sizes on the CPU
            others = [t for t in others if t.dtype != torch.int64]
        if func is Tensor.__setitem__ and isinstance(args[1], slice):
            others = []  # to fill a slice is to copy, which may go across
        packing = name in PACKING
        if packing:  # lengths have to be on the CPU
            others = [args[1]] if self.is_there(args[1]) else []
        if there and others and func not in ACROSS:
            raise RuntimeError(
                f"expected all tensors on one device, found {self.device} and cpu in {name}"
            )
        result = func(*args, **kwargs)
        if packing:
            return self.note(result[0], bool(there)), self.note(result[1], False)
        if func in ACROSS:
            return self.note(result, self.is_there(args[0]))
        return self.note(result, bool(there)) if tensors else result

    def make(self, func: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
        """Make a tensor on the device that is asked for, or on the default one."""
        device = kwargs.pop("device", None)
        device = self.default if device is None else torch.device(device)
        there = device.type == self.device.type
        if there and kwargs.get("generator") is not None:
            raise RuntimeError(f"expected a generator on {self.device}, found one on the CPU")
        return self.note(func(*args, **kwargs), there)

    def move(self, func: Callable[..., Any], args: Any, kwargs: Any, there: bool) -> Any:
        """Copy a tensor to the device that is asked for."""
        tensor, rest = args[0], list(args[1:])
        device = HERE if func is Tensor.cpu else kwargs.pop("device", None)
        for value in list(rest):
            if isinstance(value, str | torch.device):
                device = torch.device(value)
                rest.remove(value)
            elif isinstance(value, Tensor):
                device, rest = self.device if self.is_there(value) else HERE, [value.dtype]
        rest = [value for value in rest if isinstance(value, torch.dtype)]  # a module gives more
        to = there if device is None else torch.device(device).type == self.device.type
        moved = tensor.to(*rest, **kwargs) if rest or kwargs else tensor
        return self.note(moved.clone() if to != there and moved is tensor else moved, to)

    def set_default(self, device: Any) -> None:
        """Do what `torch.set_default_device` does."""
        self.default = HERE if device is None else torch.device(device)


@contextmanager
def accelerator(name: str = "mps") -> Iterator[Accelerator]:
    """Have an accelerator for a while."""
    mode = Accelerator(name)
    seed, other = torch.manual_seed, OTHER_WEIGHTS[name]
    backend = "torch.cuda.is_available" if name == "cuda" else "torch.backends.mps.is_available"
    with (
        patch(backend, lambda: True),
        patch("torch.cuda.get_device_name", lambda: "in disguise"),
        patch("torch.set_default_device", mode.set_default),
        patch("torch.manual_seed", lambda number: seed(number + other)),
        mode,
    ):
        yield mode


def run(chapter: Path, name: str) -> None:
    """Execute the code cells of a chapter on an accelerator of this name."""
    import jupytext

    import d2lhelpers.device

    names: dict[str, Any] = {"__name__": "__main__"}
    with accelerator(name):
        for number, cell in enumerate(jupytext.read(chapter).cells):
            if cell.cell_type == "code":
                print(f"{chapter}, cell {number}: {cell.source.splitlines()[0]}", flush=True)
                exec(compile(cell.source, f"{chapter}[{number}]", "exec"), names)
        assert d2lhelpers.device.default_device().type == name, "the chapter did not use it"


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "mps")
