"""The device that a chapter runs on: a GPU where there is one."""

from __future__ import annotations

import torch


def available_devices() -> list[str]:
    """Return the names of the devices that work here, the fastest first."""
    devices = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return [*(name for name, there in devices.items() if there), "cpu"]


def use_device(name: str | None = None, *, show: bool = True) -> torch.device:
    """Let tensors be made on a device from now on, say which, and return it.

    Layers, data and states are then on the same device without another word. The helper functions
    draw their random numbers on the CPU, so that batches are the same everywhere; the weights of
    a layer are drawn where they are, so the same seed gives others on another kind of device.
    On an NVIDIA GPU the recurrent layers of cuDNN are told to compute in full precision, as all
    others do: with TF32 they would differ from ours in the third digit.

    Args:
        name: "cuda", "mps" or "cpu", or "cuda:1" for the second of several; None takes the
            fastest that works here.
        show: False says nothing.

    Raises:
        ValueError: the device does not work here.
    """
    names = available_devices()
    name = names[0] if name is None else str(name)
    kind, _, number = name.partition(":")
    if "cuda" in names and number:
        names += [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    if name not in names:
        raise ValueError(f"the device {name!r} does not work here: choose from {', '.join(names)}")
    device = torch.device(name)
    if kind == "cuda":
        torch.backends.cudnn.allow_tf32 = False
    # To set a default costs a little at each call, so the CPU, which is it anyhow, is not set.
    if device.type != "cpu" or default_device().type != "cpu":
        torch.set_default_device(device)
    if show:
        label = {"cuda": "NVIDIA GPU", "mps": "Apple GPU", "cpu": "CPU"}[kind]
        at = [int(number)] if number else []
        model = f" ({torch.cuda.get_device_name(*at)})" if kind == "cuda" else ""
        print(f"running on the {label}{model}{f', number {number}' if number else ''}")
    return device


def default_device() -> torch.device:
    """Return the device on which new tensors are made, with its number if there may be several."""
    return torch.empty(0).device
