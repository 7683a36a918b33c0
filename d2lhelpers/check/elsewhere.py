"""A GPU in disguise: tensors on the CPU that may not meet tensors made elsewhere.

So that a check finds, on any machine, code that would stop on a GPU because a tensor that it makes
itself stays on the CPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

GPU = torch.device("cuda", 0)
LISTS = (Tensor.tolist, Tensor.item, Tensor.__int__, Tensor.__float__, Tensor.__bool__)
TO_NUMPY = (Tensor.numpy, Tensor.__array__)
ACROSS = (Tensor.copy_, Tensor.__setitem__, Tensor.data.__set__)  # type: ignore[attr-defined]
PACKING = ("_pack_padded_sequence", "_pad_packed_sequence", "pack_padded_sequence")


def leaves(value: Any) -> Iterator[Tensor]:
    """Yield the tensors in nested tuples, lists and dictionaries."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list, dict)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from leaves(part)


class Elsewhere(TorchFunctionMode):
    """While it is active, tensors can be moved to a device that is none.

    A storage is on it if its address is noted; all tensors noted are kept, so that no address is
    given to another.
    """

    def __init__(self) -> None:
        super().__init__()
        self.there: set[int] = set()
        self.kept: list[Tensor] = []

    def address(self, tensor: Tensor) -> int:
        """Return the address of a tensor's storage, also if torch.func has wrapped the tensor."""
        while torch._C._functorch.is_functorch_wrapped_tensor(tensor):
            tensor = torch._C._functorch.get_unwrapped(tensor)
        return int(tensor.untyped_storage()._cdata)

    def is_there(self, tensor: Tensor) -> bool:
        """Tell whether a tensor is on the device."""
        return self.address(tensor) in self.there

    def move(self, value: Any) -> Any:
        """Note that all tensors in a value, or of a module, are on the device; return it."""
        for tensor in value.parameters() if isinstance(value, nn.Module) else leaves(value):
            self.there.add(self.address(tensor))
            self.kept.append(tensor)
        return value

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        tensors = list(leaves((args, kwargs)))
        there = any(self.is_there(tensor) for tensor in tensors)
        if getattr(func, "__self__", None) is Tensor.device:
            return GPU if there else func(*args, **kwargs)
        if func in TO_NUMPY and there:
            raise TypeError("can't convert a tensor on the GPU to numpy; copy it to the CPU first")
        if func in LISTS:
            return func(*args, **kwargs)
        name = getattr(func, "__name__", "")
        if name in ("to", "cpu", "cuda", "type_as"):
            return self.sent(func, name, args, kwargs)
        if "device" in kwargs and kwargs["device"] is not None:
            to = torch.device(kwargs.pop("device")).type == GPU.type
            result = func(*args, **kwargs)
            return self.move(result) if to else result
        others = [t for t in tensors if t.dim() and not self.is_there(t)]
        if func is Tensor.__getitem__ and self.is_there(args[0]):
            others = []  # places may be on the CPU, but not the other way round
        if name in PACKING:  # lengths have to be on the CPU
            others = []
        if there and others and func not in ACROSS:
            raise RuntimeError(f"expected all tensors on one device, found GPU and CPU in {name}")
        result = func(*args, **kwargs)
        if func in ACROSS:
            there = self.is_there(args[0])
        return self.move(result) if there else result

    def sent(self, func: Any, name: str, args: Any, kwargs: dict[str, Any]) -> Any:
        """Do what `Tensor.to`, `cpu`, `cuda` and `type_as` do."""
        tensor, to = args[0], self.is_there(args[0])
        rest = []
        for value in [*args[1:], *([kwargs.pop("device")] if "device" in kwargs else [])]:
            if isinstance(value, (str, torch.device)):
                to = torch.device(value).type == GPU.type
            elif isinstance(value, Tensor):
                to, rest = self.is_there(value), [value.dtype]
            elif value is not None:
                rest.append(value)
        if name in ("cpu", "cuda"):
            to, rest = name == "cuda", []
        moved = tensor.to(*rest, **kwargs) if rest or kwargs else tensor
        if to == self.is_there(tensor):
            return self.move(moved) if to else moved
        moved = moved.clone()
        return self.move(moved) if to else moved
