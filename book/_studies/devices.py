"""Speed of this machine's device: every chapter, and every layer in three ways.

Run by `make devices`. Executes each chapter as a notebook and trains language models on windows of
text: with our layer, with torch.nn's (cuDNN on an NVIDIA GPU), and with ours through
`torch.compile` (there with CUDA graphs). Writes the figures into
d2lhelpers/measurements/devices.json in place of earlier ones of the same device. With
CUDA_VISIBLE_DEVICES= set to nothing it measures the CPU of a machine that has a GPU.
"""

import json
import os
import platform
import statistics
import time
from pathlib import Path

import jupytext
import torch
from nbclient import NotebookClient
from record import MEASUREMENTS, cpu, today
from torch import nn

from d2lhelpers.device import use_device
from d2lhelpers.layers import GRU, LSTM, RNN
from d2lhelpers.model import LanguageModel
from d2lhelpers.training import train_epoch

BOOK = Path(__file__).parents[1]
OUT = MEASUREMENTS / "devices.json"
LAYERS = {"RNN": (RNN, nn.RNN), "GRU": (GRU, nn.GRU), "LSTM": (LSTM, nn.LSTM)}
VOCABULARY, INPUT, NUM_STEPS = 27, 64, 35
SIZES = {"small": (256, 32), "large": (1024, 256)}  # hidden units, windows in a batch
WARM_UP, SECONDS = 3, 5.0


def symbols_per_second(ways: dict[str, nn.Module], batch_size: int) -> dict[str, int]:
    """Train each layer on random windows, by turns; return their median speeds after a warm-up."""
    batch = tuple(torch.randint(VOCABULARY, (NUM_STEPS, batch_size)) for _ in range(2))
    models = {way: LanguageModel(layer, VOCABULARY) for way, layer in ways.items()}
    optimizers = {way: torch.optim.Adam(model.parameters()) for way, model in models.items()}
    times: dict[str, list[float]] = {way: [] for way in ways}
    while any(len(t) < WARM_UP + 3 or sum(t[WARM_UP:]) < SECONDS for t in times.values()):
        for way, model in models.items():
            start = time.perf_counter()
            train_epoch(model, [batch], optimizers[way], 1.0, carry_state=False)  # type: ignore[list-item]
            times[way].append(time.perf_counter() - start)  # the loss is read: the device is done
    symbols = NUM_STEPS * batch_size
    return {way: round(symbols / statistics.median(t[WARM_UP:])) for way, t in times.items()}


def layer_speeds(device: torch.device) -> list[dict[str, object]]:
    """Measure each layer in each way and size."""
    rows: list[dict[str, object]] = []
    for size, (hidden, batch_size) in SIZES.items():
        for name, (ours, theirs) in LAYERS.items():
            compiled = torch.compile(
                ours(INPUT, hidden), mode="reduce-overhead" if device.type == "cuda" else None
            )
            compiled.input_size, compiled.hidden_size = INPUT, hidden
            ways = {
                "from scratch": ours(INPUT, hidden),
                "torch.nn": theirs(INPUT, hidden),
                "compiled": compiled,
            }
            rows.append({"size": size, "layer": name} | symbols_per_second(ways, batch_size))
            print(rows[-1], flush=True)
    return rows


def chapter_seconds() -> dict[str, float]:
    """Execute every chapter in a kernel of its own, one after the other; return the wall times."""
    seconds = {}
    for path in sorted(BOOK.glob("*.md")):
        notebook = jupytext.read(path)
        training = any("device = use_device()" in cell.source for cell in notebook.cells)
        if not training:
            continue
        start = time.perf_counter()
        NotebookClient(notebook, timeout=1800, kernel_name="python3").execute(cwd=str(BOOK))
        seconds[path.stem] = round(time.perf_counter() - start, 1)
        print(f"{path.stem}: {seconds[path.stem]} s", flush=True)
    return seconds


def main() -> None:
    """Measure, and put the figures beside those of other devices."""
    device = use_device()
    name = torch.cuda.get_device_name() if device.type == "cuda" else cpu()
    measured = {
        "name": name, "kind": device.type, "threads": torch.get_num_threads(),
        "cores": os.cpu_count(), "command": "make devices", "os": platform.system(),
        "date": today(),
        "python": platform.python_version(), "torch": torch.__version__,
        "chapters": chapter_seconds(), "layers": layer_speeds(device),
    }  # fmt: skip
    study = json.loads(OUT.read_text("utf-8")) if OUT.is_file() else {"devices": []}
    others = [d for d in study["devices"] if (d["name"], d["kind"]) != (name, device.type)]
    sizes = {size: {"hidden": h, "batch_size": b} for size, (h, b) in SIZES.items()}
    settings = {"vocabulary": VOCABULARY, "input": INPUT, "num_steps": NUM_STEPS, "sizes": sizes}
    study = {"settings": settings, "devices": [*others, measured]}
    OUT.write_text(json.dumps(study, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
