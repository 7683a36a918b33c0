"""What each gate of a GRU is worth, and what the GRU is worth beside the plain network.

Run by `make study`, about six minutes on one idle core. Writes d2lhelpers/measurements/gates.json
for the GRU chapter, in these parts, the first two with five sets of initial weights:

    gates    the same interventions on both gates of trained networks
    forms    GRUs trained without one of the gates, or with the reset elsewhere, and plain networks
             with as many parameters or as much time
    rates    learning rates, to be compared on the validation part
    longer   a plain network of 256 units that trains as long as a GRU of 256 units

With names of parts only these are run, and the rest of the file is kept. Perplexities are of the
story's test part unless called otherwise.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from record import MEASUREMENTS, machine, today
from torch import Tensor, nn

from d2lhelpers.context import perplexities_by_context
from d2lhelpers.layers import GRU, RNN
from d2lhelpers.model import LanguageModel
from d2lhelpers.ngram import KneserNey
from d2lhelpers.text import load_corpus
from d2lhelpers.training import TrainConfig, log_probabilities, perplexity, train

OUT = MEASUREMENTS / "gates.json"
SEEDS = (0, 1, 2, 3, 4)
EPOCHS, SHORT, LONGER = 6, 2, 5  # of networks with 256 units; with 128; as long as a GRU takes
RATE = 8e-3  # the best of RATES for both layers, on the validation part
RATES = (4e-3, 8e-3, 15e-3)
LONGEST = 24
CORPUS = load_corpus("story")
V = len(CORPUS.vocabulary)
COUNTING = KneserNey(CORPUS.training, 8, V)
Change = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


# ---------------------------------------------------------------- layers that are interfered with


class Changed(GRU):
    """A GRU whose gates pass through a function."""

    def __init__(self, layer: GRU, change: Change):
        super().__init__(layer.input_size, layer.hidden_size)
        self.load_state_dict(layer.state_dict())
        self.change = change

    def gates(self, r: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        return self.change(*super().gates(r, z))


class ResetBefore(GRU):
    """The form that resets the state before the product."""

    def forward(self, inputs: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        H, W_rz = state, self.W_h[:, : 2 * self.hidden_size]
        if H is None:
            H = inputs.new_zeros(inputs.shape[1], self.hidden_size)
        outputs, W_hh = [], self.W_h[:, 2 * self.hidden_size :]
        for XW in inputs @ self.W_x + self.b[:3].flatten():
            X_r, X_z, X_h = XW.chunk(3, dim=1)
            H_r, H_z = (H @ W_rz).chunk(2, dim=1)
            R, Z = self.gates(X_r + H_r, X_z + H_z)
            candidate = torch.tanh(X_h + (R * H) @ W_hh + self.b[3])
            H = torch.lerp(candidate, H, Z)
            outputs.append(H)
        return torch.stack(outputs), H


class NoReset(GRU):
    """R = 1."""

    def gates(self, r: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        return torch.ones_like(r), torch.sigmoid(z)


class NoUpdate(GRU):
    """Z = 0."""

    def gates(self, r: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        return torch.sigmoid(r), torch.zeros_like(z)


def ours(layer: nn.GRU | nn.RNN) -> GRU | RNN:
    """Return our layer with the weights of one of torch's."""
    W_ih, W_hh, b_ih, b_hh = (p.detach() for p in layer.parameters())
    H = layer.hidden_size
    if isinstance(layer, nn.RNN):
        plain = RNN(layer.input_size, H)
        plain.load_state_dict({"W_xh": W_ih.T, "W_hh": W_hh.T, "b_h": b_ih + b_hh})
        return plain
    gated = GRU(layer.input_size, H)
    b = torch.cat([b_ih[: 2 * H] + b_hh[: 2 * H], b_ih[2 * H :], b_hh[2 * H :]])
    gated.load_state_dict({"W_x": W_ih.T, "W_h": W_hh.T, "b": b.view(4, H)})
    return gated


def with_layer(model: LanguageModel, layer: nn.Module) -> LanguageModel:
    """Return the model with another layer between the same embedding and output."""
    other = LanguageModel(layer, V)
    other.embedding, other.output = model.embedding, model.output
    return other


# ---------------------------------------------------------------- training and measuring


def trained(
    make: Callable[[], nn.Module], seed: int, rate: float, epochs: int = EPOCHS
) -> tuple[LanguageModel, dict[str, Any]]:
    """Train one network; return it and what was measured."""
    torch.manual_seed(seed)
    model = LanguageModel(make(), V)
    start = time.process_time()
    history = train(model, CORPUS, TrainConfig(epochs=epochs, learning_rate=rate), show=False)
    return model, {
        "seed": seed,
        "learning_rate": rate,
        "epochs": epochs,
        "layer_parameters": sum(p.numel() for p in model.layer.parameters()),
        "cpu_seconds": round(time.process_time() - start, 1),
        "training": round(history.training[-1], 4),
        "validation": round(history.validation[-1], 4),
        "test": round(perplexity(model, CORPUS.test), 4),
    }


def mixed(model: LanguageModel) -> float:
    """Test perplexity of the mean of the network's and the counting model's probabilities."""
    p = log_probabilities(model, CORPUS.test).exp().numpy()
    return float(np.exp(-np.log((p + COUNTING.probabilities(CORPUS.test)) / 2).mean()))


def other_text(gate: Tensor) -> Tensor:
    """The gate of the next text of the batch: right in every way but for this text."""
    return gate.roll(1, dims=0)


def interventions(layer: GRU, model: LanguageModel) -> dict[str, tuple[Change, Change]]:
    """For each kind of change, that of the reset gate and that of the update gate.

    What the changes need to know of the gates comes from the validation part.
    """
    seen: list[tuple[Tensor, Tensor]] = []

    def note(R: Tensor, Z: Tensor) -> tuple[Tensor, Tensor]:
        seen.append((R, Z))
        return R, Z

    with torch.no_grad():
        with_layer(model, Changed(layer, note))(CORPUS.validation[:10400].view(8, -1).T)
    mean_R, mean_Z = (torch.cat(gate).mean(0) for gate in zip(*seen, strict=True))  # (H,) each
    kinds: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
        "its mean": (mean_R.expand_as, mean_Z.expand_as),
        "that of another text": (other_text, other_text),
        "at most 0.8": (lambda R: R.clamp(max=0.8), lambda Z: Z.clamp(max=0.8)),
        "at least 0.2": (lambda R: R.clamp(min=0.2), lambda Z: Z.clamp(min=0.2)),
        "1": (torch.ones_like, torch.ones_like),
        "0": (torch.zeros_like, torch.zeros_like),
    }
    return {
        name: (lambda R, Z, f=f: (f(R), Z), lambda R, Z, g=g: (R, g(Z)))
        for name, (f, g) in kinds.items()
    }


def by_context(model: LanguageModel) -> list[float]:
    """Perplexities of the same 2,000 test symbols given the last 1 to LONGEST symbols."""
    values = perplexities_by_context(model, CORPUS.test[: 2000 + LONGEST], LONGEST)
    return [round(value, 4) for value in values]


def look_inside(model: LanguageModel) -> list[dict[str, Any]]:
    """Interfere with both gates of a trained GRU in the same ways."""
    layer = ours(model.layer)
    assert isinstance(layer, GRU)
    rows: list[dict[str, Any]] = []
    for name, pair in interventions(layer, model).items():
        for gate, change in zip(("R", "Z"), pair, strict=True):
            changed = with_layer(model, Changed(layer, change))
            row: dict[str, Any] = {"gate": gate, "change": name}
            row["test"] = round(perplexity(changed, CORPUS.test), 4)
            if name == "its mean":
                row["by_context"] = by_context(changed)
            rows.append(row)
            print(f"  {gate} = {name}: {row['test']:.2f}", flush=True)
    return rows


# ---------------------------------------------------------------- the study

FORMS: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "GRU 128": (lambda: GRU(64, 128), SHORT),
    "reset before": (lambda: ResetBefore(64, 128), SHORT),
    "R = 1": (lambda: NoReset(64, 128), SHORT),
    "Z = 0": (lambda: NoUpdate(64, 128), SHORT),
    "RNN 242": (lambda: nn.RNN(64, 242), SHORT),  # as many parameters in the layer as GRU 128
    "RNN 128": (lambda: nn.RNN(64, 128), LONGER),  # as much time as GRU 128
}


def part_rates() -> list[dict[str, Any]]:
    rows = []
    for name, kind in (("RNN 256", nn.RNN), ("GRU 256", nn.GRU)):
        for rate in RATES:
            if rate == RATE:
                continue  # part "gates" has it
            rows.append({"model": name} | trained(lambda k=kind: k(64, 256), 0, rate)[1])
            print(rows[-1], flush=True)
    return rows


def part_gates() -> list[dict[str, Any]]:
    rows = []
    for seed in SEEDS:
        for name, kind in (("GRU 256", nn.GRU), ("RNN 256", nn.RNN)):
            model, row = trained(lambda k=kind: k(64, 256), seed, RATE)
            row["mixed"] = round(mixed(model), 4)
            print({"model": name} | row, flush=True)
            row["by_context"] = by_context(with_layer(model, ours(model.layer)))
            if name == "GRU 256":
                row["changed"] = look_inside(model)
            rows.append({"model": name} | row)
    return rows


def part_forms() -> list[dict[str, Any]]:
    rows = []
    for seed in SEEDS:
        for name, (make, epochs) in FORMS.items():
            rows.append({"model": name} | trained(make, seed, RATE, epochs)[1])
            print(rows[-1], flush=True)
    return rows


def part_longer() -> list[dict[str, Any]]:
    rows = []
    for seed in SEEDS[:2]:
        row = trained(lambda: nn.RNN(64, 256), seed, RATE, 16)[1]
        rows.append({"model": "RNN 256, longer"} | row)
        print(rows[-1], flush=True)
    return rows


PARTS: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "gates": part_gates,
    "forms": part_forms,
    "rates": part_rates,
    "longer": part_longer,
}


def write(study: dict[str, Any]) -> None:
    """Write the study, one line for each result."""
    lines = []
    for key, value in study.items():
        text = json.dumps(value)
        if key in PARTS:
            text = "[\n  " + ",\n  ".join(json.dumps(row) for row in value) + "\n ]"
        lines.append(f' "{key}": {text}')
    OUT.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def main(names: Sequence[str]) -> None:
    """Run the parts; what is done is written down after each."""
    torch.set_num_threads(1)
    old = json.loads(OUT.read_text("utf-8")) if names and OUT.exists() else {}
    study: dict[str, Any] = {
        "task": "the story's letters; what each gate of a GRU is worth, and what the GRU is",
        "command": "python book/_studies/gates.py",
        "date": today(),
        "machine": machine(),
        "settings": {
            "optimizer": "Adam", "batch_size": 32, "num_steps": 35, "clip_norm": 1.0,
            "epochs": [EPOCHS, SHORT, LONGER], "learning_rate": RATE, "seeds": SEEDS,
        },
        "cpu_seconds": old.get("cpu_seconds", {}),
        "counting": {
            str(n): {
                "validation": round(COUNTING.perplexity(CORPUS.validation, n), 4),
                "test": round(COUNTING.perplexity(CORPUS.test, n), 4),
            }
            for n in range(1, 9)
        },
    }  # fmt: skip
    study |= {name: old[name] for name in PARTS if name in old}
    for name in names or PARTS:
        start = time.process_time()
        study[name] = PARTS[name]()
        study["cpu_seconds"][name] = round(time.process_time() - start)
        write(study)


if __name__ == "__main__":
    main(sys.argv[1:])
