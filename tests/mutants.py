"""Plant small faults, one at a time, and see that a check turns red for each.

    python tests/mutants.py             # all of them, on all cores
    python tests/mutants.py --sample 10 # every so-manieth, as `make test` does
    python tests/mutants.py 17 42       # these

Each fault replaces a piece of a file, which must stand there exactly once, in a copy of the
checkout; then the tests that are named beside it run. A fault that they do not find is a hole in
the tests. A piece that is not there any more is an error, so that the list stays true.
"""

# ruff: noqa: E501 - a fault stands on one line

from __future__ import annotations

import argparse
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
RED = (1, 2)  # pytest's status for a test that failed, and for a module that could not be read
TOO_LONG = 600  # seconds; a fault that makes its tests hang is not found by name


@dataclass(frozen=True)
class Fault:
    """A piece of a file, what stands there instead, and the tests that have to find it."""

    file: str
    piece: str
    instead: str
    tests: str

    def plant(self, root: Path) -> str:
        """Put the fault into a checkout, and return what the file was before."""
        path = root / self.file
        before = path.read_text("utf-8")
        if (count := before.count(self.piece)) != 1:
            raise ValueError(
                f"{self.file} has {self.piece!r} {count} times: it must stand there once"
            )
        path.write_text(before.replace(self.piece, self.instead), "utf-8")
        return before


def in_file(file: str, tests: str, *pairs: tuple[str, str]) -> list[Fault]:
    """Return faults of one file that the same tests have to find."""
    return [Fault(file, piece, instead, tests) for piece, instead in pairs]


SOURCE = "tests/site/test_play.py -k source"
UNIT, NOTEBOOKS = "tests/unit/test_{}.py", "tests/notebooks/test_{}.py"
FAULTS = [
    *in_file(
        "d2lhelpers/layers.py", UNIT.format("layers"),
        ("yield from some @ W + b", "yield from some @ W"),
        ("in inputs.split(STEPS_AT_ONCE)", "in inputs.split(STEPS_AT_ONCE)[:2]"),
        ("H = torch.tanh(add_product(", "H = torch.sigmoid(add_product("),
        ("H = torch.lerp(candidate, H, Z)", "H = torch.lerp(H, candidate, Z)"),
        ("torch.tanh(X_h + R * (H_h + b_hh))", "torch.tanh(X_h + R * H_h + b_hh)"),
        ("R, Z = self.gates(X_r + H_r, X_z + H_z)", "R, Z = self.gates(X_z + H_r, X_r + H_z)"),
        ("C = F_t * C + I_t * torch.tanh(c)", "C = I_t * C + F_t * torch.tanh(c)"),
        ("H = O_t * torch.tanh(C)", "H = O_t * C"),
        ("return torch.stack(outputs), (H, C)", "return torch.stack(outputs), (C, H)"),
        ("            if i > 0:\n                H = self.dropout(H)", "            if i >= 0:\n                H = self.dropout(H)"),
        ("None if state is None else state[i]", "None if state is None else state[-1 - i]"),
        ("lengths - 1 - t, t)", "lengths - t, t)"),
        ("return inputs.flip(0)", "return inputs.flip(1)"),
        ("torch.cat([H_right, reverse(H_left, lengths)], dim=2)", "torch.cat([reverse(H_left, lengths), H_right], dim=2)"),
        ("reverse(inputs, lengths), to_left)", "inputs, to_left)"),
        ("return self.dropout(outputs), state", "return outputs, state"),
        ("self.layer(self.dropout(inputs), state)", "self.layer(inputs, state)"),
        ("nn.init.uniform_(parameter, -(hidden_size**-0.5), hidden_size**-0.5)", "nn.init.uniform_(parameter, 0, hidden_size**-0.5)"),
    ),
    *in_file(
        "d2lhelpers/training.py", UNIT.format("training"),
        ("g *= max_norm / norm", "g *= norm / max_norm"),
        ("norm > max_norm:", "norm < max_norm:"),
        ("detach(state) if carry_state else None", "None"),
        ("optimizer.zero_grad()", "pass"),
        ("total + loss.item() * Y.numel()", "total + loss.item()"),
        ("history.validation[-1] == min(history.validation)", "history.validation[-1] == max(history.validation)"),
        ("return torch.cat(parts).T.flatten()", "return torch.cat(parts).flatten()"),
        ("schedule.step()", "pass"),
        ("perplexity(model, validation, look_ahead=True)", "perplexity(model, tokens, look_ahead=True)"),
        ("with mode(model, training=True):", "with mode(model, training=False):"),
        ("config.epochs * len(tokens) / sum(history.seconds)", "len(tokens) / sum(history.seconds)"),
    ),
    *in_file(
        "d2lhelpers/batches.py", UNIT.format("batches"),
        ("targets = tokens[offset + 1 : offset + used + 1].view(batch_size, length).T", "targets = tokens[offset : offset + used].view(batch_size, length).T"),
        ("range(0, length, num_steps)", "range(0, length - num_steps, num_steps)"),
        ("torch.randperm(count, generator=generator", "torch.arange(count"),
        ("count = (len(tokens) - 1 - offset) // num_steps", "count = (len(tokens) - 1 - offset) // num_steps - 1"),
    ),
    *in_file(
        "d2lhelpers/ngram.py", UNIT.format("ngram"),
        ("counts = self._counts[k] if longest else self._symbols_before(k)", "counts = self._counts[k]"),
        ("counts.clip(max=3)", "counts.clip(max=2)"),
        ("i - (i + 1) * Y", "i - i * Y"),
        ("Y = n[1] / (n[1] + 2 * n[2])", "Y = n[1] / (n[1] + n[2])"),
        ("np.array([0.0, 0.5, 0.5, 0.5])", "np.array([0.0, 0.0, 0.0, 0.0])"),
        ("distinct / (total + distinct)", "distinct / total"),
        ("p[k:] = np.where(number >= 0, mixed, p[k:])", "p[k:] = mixed"),
        ("key = k, k == order - 1", "key = k, k == self.order - 1"),
        ("mixed, p[k:])\n        return p[1:]", "mixed, p[k:])\n        return p[:-1]"),
    ),
    *in_file(
        "d2lhelpers/text.py", UNIT.format("text"),
        ('re.sub("[^a-z]+", " ", text.lower()).strip()', 're.sub("[^a-z]+", " ", text).strip()'),
        ("TEST_AT = {\"story\": 0.6}", "TEST_AT = {\"story\": 0.5}"),
        ("before, validation, test, after = tokens.split(", "before, test, validation, after = tokens.split("),
        ("elif source in DOWNLOADS:", "elif source in ():"),
        ("os.replace(aside.name, path)", "shutil.copy(aside.name, path)"),
        ('.removeprefix("\\ufeff")', ""),
        ("torch.cat([before, after])", "before"),
    ),
    *in_file(
        "d2lhelpers/generation.py", UNIT.format("generation"),
        ("(last - last.max()) / temperature", "(last - last.max()) * temperature"),
        ("last.argmax()", "last.argmin()"),
        ("manual_seed(int(seed))", "manual_seed(0)"),
        ("logits[-1, 0]", "logits[0, 0]"),
    ),
    *in_file(
        "d2lhelpers/tasks.py", UNIT.format("tasks"),
        ("second = torch.randint(half, num_steps,", "second = torch.randint(0, num_steps,"),
        ("tokens[lag - 1]", "tokens[lag]"),
        ("ADDING_CHANCE = 1 / 6", "ADDING_CHANCE = 1 / 12"),
        ("COPIED * math.log(KINDS) / (lag + COPIED)", "COPIED * math.log(KINDS) / lag"),
        ("clip_gradients(model.parameters(), 1.0)", "pass"),
    ),
    *in_file(
        "d2lhelpers/layers.py", UNIT.format("rows"),
        ("table = inputs.table @ W + b", "table = inputs.table @ W"),
    ),
    *in_file(
        "d2lhelpers/rows.py", UNIT.format("rows"),
        ("tokens.numel() >= OFTEN", "tokens.numel() > OFTEN"),
        ("or _has_hooks(layer) or _has_hooks(itself)", ""),
        ('getattr(itself, "layers", [])[:1]', "[]"),
    ),
    *in_file(
        "d2lhelpers/model.py", UNIT.format("model"),
        ("directions = 2 if", "directions = 1 if"),
        ("return state if state is None else state.detach()", "return state"),
    ),
    *in_file(
        "d2lhelpers/device.py", UNIT.format("device"),
        ("torch.backends.cudnn.allow_tf32 = False", "torch.backends.cudnn.allow_tf32 = True"),
    ),
    *in_file(
        "d2lhelpers/plots.py", UNIT.format("plots"),
        ("in levels.items():\n        level =", "in {}.items():\n        level ="),
        ("    if len(lines) > 1:", "    if len(lines) > 9:"),
    ),
    # What the site and the notebooks are made with.
    *in_file(
        "book/_ext/course/plain.py", NOTEBOOKS.format("plain"),
        ('SPECIAL.sub(r"\\\\\\1", text)', "text"),
        ('STARTS_A_BLOCK.sub(r"\\1\\\\\\2", self.line(node))', "self.line(node)"),
    ),
    *in_file(
        "book/_ext/course/launch.py", NOTEBOOKS.format("launch"),
        ("/blob/{self.branch}/{quoted}", "/blob/{branch}/{self.name}/{quoted}"),
        ("?urlpath=lab/tree/{quoted}", "?urlpath=tree/{quoted}"),
        ("/archive/{self.revision}.zip", "/archive/{self.branch}.zip"),
    ),
    *in_file(
        "book/_ext/course/quiz.py", UNIT.format("questions"),
        ("    if len(options) < 2:", "    if len(options) < 1:"),
        ("        if text in texts:", "        if text in ():"),
    ),
    *in_file(
        ".github/workflows/test.yml", NOTEBOOKS.format("launch"),
        ("    needs: test # on every Python\n", ""),
        ("--initial-branch gh-pages", "--initial-branch pages"),
    ),
    # Answers that a test computes.
    *in_file("book/rnn.md", UNIT.format("questions"), ("- [x] 27\n", "- [x] 28\n")),
    *in_file(
        "book/gru.md", UNIT.format("questions"),
        ("- [x] 247,296", "- [x] 246,528"), ("- [x] 0.4\n", "- [x] 0.6\n"),
    ),
    *in_file("book/lstm.md", UNIT.format("questions"), ("- [x] 4 %", "- [x] 7 %")),
    *in_file("book/deep-rnn.md", UNIT.format("questions"), ("- [x] 0.0016", "- [x] 0.016")),
    *in_file("book/bidirectional-rnn.md", UNIT.format("questions"), ("- [x] (10, 4, 32)", "- [x] (10, 4, 16)")),
    *in_file(
        "book/quiz.md", UNIT.format("questions"),
        ("- [x] 2.7", "- [x] 4.2"), ("- [x] 3\n", "- [x] 4\n"), ("- [x] (6, 4, 16)", "- [x] (4, 6, 16)"),
    ),
    *in_file(
        "pyproject.toml", UNIT.format("licences"), ('"MIT AND CC0-1.0"', '"MIT"'),
    ),
    # The code that a chapter shows is that of the package.
    *in_file(
        "book/rnn.md", UNIT.format("chapters"),
        ("            H = torch.tanh(XW + H @ self.W_hh)", "            H = torch.tanh(XW - H @ self.W_hh)"),
        ("    if max_norm is not None and norm > max_norm:", "    if max_norm is not None and norm >= max_norm:"),
        ("        return self.output(H), state  # (T, B, V)", "        return self.output(X), state  # (T, B, V)"),
    ),
    *in_file(
        "book/gru.md", UNIT.format("chapters"),
        ("            candidate = torch.tanh(X_h + R * (H_h + b_hh))", "            candidate = torch.tanh(X_h + Z * (H_h + b_hh))"),
    ),
    *in_file(
        "book/lstm.md", UNIT.format("chapters"),
        ("            C = F_t * C + I_t * torch.tanh(c)", "            C = F_t * C + I_t * torch.sigmoid(c)"),
    ),
    *in_file(
        "book/deep-rnn.md", UNIT.format("chapters"),
        ("            if i > 0:\n", "            if i > 1:\n"),
    ),
    *in_file(
        "book/bidirectional-rnn.md", UNIT.format("chapters"),
        ("        H = torch.cat([H_right, reverse(H_left, lengths)], dim=2)", "        H = torch.cat([H_right, H_left], dim=2)"),
    ),
    # Equations and shapes as they are printed.
    *in_file(
        "book/rnn.md", UNIT.format("equations"),
        ("\\mathbf{X}_t \\mathbf{W}_{xh} + \\mathbf{H}_{t-1} \\mathbf{W}_{hh} + \\mathbf{b}_h).", "\\mathbf{X}_t \\mathbf{W}_{xh} + \\mathbf{H}_t \\mathbf{W}_{hh} + \\mathbf{b}_h)."),
        ("\\mathbf{W}_{hh} \\in \\mathbb{R}^{H \\times H}", "\\mathbf{W}_{hh} \\in \\mathbb{R}^{D \\times H}"),
        ("\\frac{1}{N} \\sum", "\\frac{1}{V} \\sum"),
    ),
    *in_file(
        "book/gru.md", UNIT.format("equations"),
        ("\\mathbf{Z}_t \\odot \\mathbf{H}_{t-1} + (1 - \\mathbf{Z}_t)", "\\mathbf{Z}_t \\odot \\mathbf{H}_{t-1} + (1 - \\mathbf{R}_t)"),
        ("\\mathbf{H}_{t-1} \\mathbf{W}_{hz} + \\mathbf{b}_z", "\\mathbf{H}_{t-1} \\mathbf{W}_{hr} + \\mathbf{b}_z"),
    ),
    *in_file(
        "book/lstm.md", UNIT.format("equations"),
        ("\\mathbf{F}_t \\odot \\mathbf{C}_{t-1} + \\mathbf{I}_t", "\\mathbf{F}_t \\odot \\mathbf{C}_{t-1} - \\mathbf{I}_t"),
        ("\\mathbf{O}_t \\odot \\tanh(\\mathbf{C}_t)", "\\mathbf{O}_t \\odot \\sigma(\\mathbf{C}_t)"),
    ),
    *in_file(
        "book/deep-rnn.md", UNIT.format("equations"),
        ("\\mathbf{H}^{(\\ell-1)}_t \\mathbf{W}^{(\\ell)}_{xh}", "\\mathbf{H}^{(\\ell)}_t \\mathbf{W}^{(\\ell)}_{xh}"),
    ),
    *in_file(
        "book/bidirectional-rnn.md", UNIT.format("equations"),
        ("\\overleftarrow{\\mathbf{H}}_{t+1} \\mathbf{W}^{(b)}_{hh}", "\\overrightarrow{\\mathbf{H}}_{t+1} \\mathbf{W}^{(b)}_{hh}"),
    ),
    *in_file(
        "book/notation.md", UNIT.format("equations"),
        ("| $\\mathbf{W}_{xr}$, $\\mathbf{W}_{xz}$ | $D \\times H$", "| $\\mathbf{W}_{xr}$, $\\mathbf{W}_{xz}$ | $H \\times D$"),
    ),
    # Numbers in captions, and in what is said of a figure to those who cannot see it.
    *in_file(
        "book/rnn.md", NOTEBOOKS.format("captions"),
        ("of the recurrent network over ten epochs", "of the recurrent network over twelve epochs"),
        ("falls by fifteen powers of ten", "falls by twelve powers of ten"),
        ("flat from about ten symbols on", "flat from about twenty symbols on"),
        ("Nine states in a row", "Six states in a row"),
    ),
    *in_file(
        "book/gru.md", NOTEBOOKS.format("captions"),
        ("held to at most 0.8.", "held to at most 0.9."),
        ("rises to more than twice that level", "rises to more than three times that level"),
    ),
    *in_file(
        "book/lstm.md", NOTEBOOKS.format("captions"),
        ("is near a hundredth at lag 200", "is near a tenth at lag 200"),
        ("own runs, 500 steps,", "own runs, 300 steps,"),
        ("at a tenth at lag 10 and", "at a tenth at lag 25 and"),
    ),
    *in_file(
        "book/deep-rnn.md", NOTEBOOKS.format("captions"),
        ("the median of five seeds. The two", "the median of three seeds. The two"),
        ("falls by four orders of magnitude", "falls by three orders of magnitude"),
    ),
    *in_file(
        "book/bidirectional-rnn.md", NOTEBOOKS.format("captions"),
        ("answer 0, 1, 2 and 4 letters late", "answer 0, 1, 2 and 3 letters late"),
    ),
    # The forward pass in the page.
    *in_file(
        "book/_static/play/model.js", SOURCE,
        ("Z[j] * h + (1 - Z[j]) * Hc[j]", "(1 - Z[j]) * h + Z[j] * Hc[j]"),
        ("R[j] * (fromH[2 * units + j] + b_hh[j])", "R[j] * fromH[2 * units + j] + b_hh[j]"),
        ("held(change, \"F\", block(sums, 1,", "held(change, \"F\", block(sums, 3,"),
        ("H = layer.residual ? result.H.map((h, j) => H[j] + h) : result.H", "H = result.H"),
        ("toLeft(inputs.toReversed()).toReversed()", "toLeft(inputs.toReversed())"),
        ("if (i === k || seen[pair]) continue;", "if (i === k) continue;"),
    ),
    *in_file(
        "d2lhelpers/export.py", UNIT.format("export"),
        ("scales = np.maximum(np.abs(array).max(0)", "scales = np.maximum(np.abs(array).mean(0)"),
        ("b = torch.cat([b + b_h, inside]) if kind == \"GRU\" else b + b_h", "b = torch.cat([b, inside]) if kind == \"GRU\" else b"),
    ),
]  # fmt: skip


def copy(folder: Path) -> Path:
    """Copy what git tracks; the site that was built is lent."""
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    root = folder / "checkout"
    for name in files.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, root / name)
    if (ROOT / "_build").is_dir():
        (root / "_build").symlink_to(ROOT / "_build")
    return root


def run(tests: str, root: Path) -> tuple[int, str]:
    """Run tests in a checkout until one fails; return pytest's status and the test's name."""
    environment = os.environ | {"PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-n", "0"]
    try:
        done = subprocess.run(
            [*command, *tests.split()], cwd=root, env=environment, capture_output=True, text=True,
            timeout=TOO_LONG,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return -1, f"no answer in {TOO_LONG} s"
    red = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.M)
    return done.returncode, red[1] if red else done.stdout[-300:]


def main() -> int:
    """Plant the faults, print a line for each and the rate; return 1 if one was not found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("numbers", nargs="*", type=int, help="which faults; none for all")
    parser.add_argument("--sample", type=int, default=1, metavar="K", help="every K-th only")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many at a time")
    options = parser.parse_args()
    chosen = options.numbers or range(0, len(FAULTS), options.sample)
    start, missed = time.perf_counter(), []
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        roots: queue.Queue[Path] = queue.Queue()
        for job in range(options.jobs):
            roots.put(copy(Path(name) / str(job)))

        def sound(tests: str) -> tuple[str, int, str]:
            root = roots.get()
            try:
                return tests, *run(tests, root)
            finally:
                roots.put(root)

        def plant(number: int) -> tuple[int, int, str]:
            root, fault = roots.get(), FAULTS[number]
            try:
                before = fault.plant(root)
                try:
                    return number, *run(fault.tests, root)
                finally:
                    (root / fault.file).write_text(before, "utf-8")
            finally:
                roots.put(root)

        with ThreadPoolExecutor(options.jobs) as pool:
            for tests, status, what in pool.map(sound, sorted({FAULTS[n].tests for n in chosen})):
                if status != 0:
                    sys.exit(f"{tests} fails without any fault: {what}")
            for number, status, what in pool.map(plant, chosen):
                found = status in RED
                fault = FAULTS[number]
                missed += [] if found else [number]
                verdict = f"found by {what}" if found else f"NOT FOUND ({status}, {what})"
                print(f"{number:3} {fault.file}: {fault.piece[:60]!r} {verdict}", flush=True)
    caught = len(chosen) - len(missed)
    print(f"{caught} of {len(chosen)} planted faults found, {time.perf_counter() - start:.0f} s")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
