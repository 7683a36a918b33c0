"""The equations as they stand on the pages, evaluated, against the layers that run.

Each numbered equation is read from its page's LaTeX and computed with the weights of a layer. What
is not in the grammar stands in ELSEWHERE, with the test or the cell that covers it.
"""

from __future__ import annotations

import ast
import functools
import math
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jupytext
import pytest
import torch
import torch.nn.functional as F
from equations import BOOK, EquationError, Formula, equations, evaluate, numbered_equations
from torch import Tensor, nn

from d2lhelpers import training
from d2lhelpers.layers import GRU, LSTM, RNN, Bidirectional, DeepRNN
from d2lhelpers.model import LanguageModel, layer_sizes
from d2lhelpers.tasks import ADDING_CHANCE, adding_problem, copy_chance

PAGES = sorted(path.stem for path in BOOK.glob("*.md"))
ALL = {label: (page, latex) for page in PAGES for label, latex in numbered_equations(page).items()}
T, B, D, H, V, L = 4, 2, 3, 5, 7, 6  # all different, so that a shape tells its letters
LETTERS = {str(size): letter for letter, size in zip("TBDHVL", (T, B, D, H, V, L), strict=True)}
Names = dict[str, Any]
close = torch.testing.assert_close


def latex(label: str) -> str:
    return ALL[label][1]


def run(label: str, names: Names, **indices: int) -> list[str]:
    return evaluate(latex(label), names, indices)


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def defined_in(page: str, *wanted: str) -> Names:
    """Execute the definitions of these names, as the page shows them."""
    names: Names = {
        "torch": torch, "nn": nn, "F": F, "math": math, "layer_sizes": layer_sizes,
        "GRU": GRU, "RNN": RNN, "LSTM": LSTM, "DeepRNN": DeepRNN, "functools": functools,
    }  # fmt: skip
    for cell in jupytext.read(BOOK / f"{page}.md").cells:
        if cell.cell_type == "code" and any(f" {name}(" in cell.source for name in wanted):
            for node in ast.parse(cell.source).body:
                if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name in wanted:
                    exec(compile(ast.Module([node], []), page, "exec"), names)
    return names


def states(names: Names, count: int = T, above: str = "") -> Tensor:
    return torch.stack([names[f"H[{t}]{above}"] for t in range(1, count + 1)])


# --- Layers


def rnn_names(layer: RNN, X: Tensor, H_0: Tensor) -> Names:
    names = {f"X[{t}]": x for t, x in enumerate(X, 1)}
    parameters = {name: p.detach() for name, p in layer.named_parameters()}
    return names | parameters | {"H[0]": H_0}


def gru_names(layer: GRU, X: Tensor, H_0: Tensor) -> Names:
    names = {f"X[{t}]": x for t, x in enumerate(X, 1)} | {"H[0]": H_0}
    for i, gate in enumerate("rzh"):
        names[f"W_x{gate}"] = layer.W_x.detach()[:, i * H : (i + 1) * H]
        names[f"W_h{gate}"] = layer.W_h.detach()[:, i * H : (i + 1) * H]
        names[f"b_{gate}"] = layer.b.detach()[i : i + 1]
    return names | {"b_hh": layer.b.detach()[3:]}


def lstm_names(layer: LSTM, X: Tensor, H_0: Tensor, C_0: Tensor) -> Names:
    names = {f"X[{t}]": x for t, x in enumerate(X, 1)} | {"H[0]": H_0, "C[0]": C_0}
    for i, gate in enumerate("ifco"):
        names[f"W_x{gate}"] = layer.W_x.detach()[:, i * H : (i + 1) * H]
        names[f"W_h{gate}"] = layer.W_h.detach()[:, i * H : (i + 1) * H]
        names[f"b_{gate}"] = layer.b.detach()[i : i + 1]
    return names


def output_names(model: LanguageModel) -> Names:
    output = model.output
    return {"W_hq": output.weight.detach().T, "b_q": output.bias.detach()[None]}


def rnn() -> Names:
    model = LanguageModel(RNN(D, H), V).double()
    tokens, H_0 = torch.randint(V, (T, B)), random(B, H)
    X = model.embedding(tokens).detach()
    names = rnn_names(model.layer, X, H_0) | output_names(model)
    for t in range(1, T + 1):
        assert run("eq-rnn", names, t=t) == [f"H[{t}]"]
        assert run("eq-output", names, t=t) == [f"O[{t}]"]
    names["E"] = model.embedding.weight.detach()
    close(states(names), model.layer(X, H_0)[0])
    close(torch.stack([names[f"O[{t}]"] for t in range(1, T + 1)]), model(tokens, H_0)[0])
    return names


def feedforward() -> Names:
    layer = defined_in("rnn", "FeedForward")["FeedForward"](D, H)
    model = LanguageModel(layer, V).double()
    X = random(B, D)
    names = output_names(model) | {
        "X": X, "W_xh": layer.linear.weight.detach().T, "b_h": layer.linear.bias.detach()[None]
    }  # fmt: skip
    assert run("eq-feedforward", names) == ["H", "O"]
    close(names["H"], layer(X)[0])
    close(names["O"], model.output(layer(X)[0]))
    return names


def concatenation() -> None:
    names = {"X[1]": random(B, D), "H[0]": random(B, H), "W_xh": random(D, H), "W_hh": random(H, H)}
    assert run("eq-concatenation", names, t=1) == []  # both sides were compared


def gru() -> Names:
    layer, X, H_0 = GRU(D, H).double(), random(T, B, D), random(B, H)
    names = gru_names(layer, X, H_0)
    for t in range(1, T + 1):
        assert run("eq-gru-gates", names, t=t) == [f"R[{t}]", f"Z[{t}]"]
        assert run("eq-gru-candidate", names, t=t) == [f"~H[{t}]"]
        assert run("eq-gru-state", names, t=t) == [f"H[{t}]"]
    close(states(names), layer(X, H_0)[0])
    return names


def gru_before() -> None:
    kind = defined_in("gru", "ResetBefore")["ResetBefore"]
    layer, X, H_0 = kind(D, H).double(), random(T, B, D), random(B, H)
    with torch.no_grad():
        layer.b[3] = 0.0  # the page adds it to b_h
    names = gru_names(layer, X, H_0)
    for t in range(1, T + 1):
        for label in ("eq-gru-gates", "eq-gru-before", "eq-gru-state"):
            run(label, names, t=t)
    close(states(names), layer(X, H_0)[0])


def lstm() -> Names:
    layer, X, H_0, C_0 = LSTM(D, H).double(), random(T, B, D), random(B, H), random(B, H)
    names = lstm_names(layer, X, H_0, C_0)
    for t in range(1, T + 1):
        assert run("eq-lstm-gates", names, t=t) == [f"I[{t}]", f"F[{t}]", f"O[{t}]"]
        assert run("eq-lstm-candidate", names, t=t) == [f"~C[{t}]"]
        assert run("eq-lstm-memory", names, t=t) == [f"C[{t}]"]
        assert run("eq-lstm-state", names, t=t) == [f"H[{t}]"]
    outputs, (_, C) = layer(X, (H_0, C_0))
    close(states(names), outputs)
    close(names[f"C[{T}]"], C)
    return names


def deep() -> Names:
    stack = DeepRNN([RNN(D if i == 0 else H, H) for i in range(L)])
    model = LanguageModel(stack, V).double()
    tokens = torch.randint(V, (T, B))
    X = model.embedding(tokens).detach()
    start = [random(B, H) for _ in range(L)]
    names = output_names(model) | {f"H[{t}](0)": x for t, x in enumerate(X, 1)}
    for i, layer in enumerate(stack.layers, 1):
        names[f"H[0]({i})"] = start[i - 1]
        for name, p in layer.named_parameters():
            names[f"{name}({i})"] = p.detach()
    for t in range(1, T + 1):
        for i in range(1, L + 1):
            assert run("eq-deep", names, t=t, ell=i) == [f"H[{t}]({i})"]
        run("eq-deep-output", names, t=t, L=L)
    close(states(names, above=f"({L})"), stack(X, start)[0])
    close(torch.stack([names[f"O[{t}]"] for t in range(1, T + 1)]), model(tokens, start)[0])
    return names


def bidirectional() -> Names:
    layer, X = Bidirectional(RNN(D, H), RNN(D, H)).double(), random(T, B, D)
    names = {f"X[{t}]": x for t, x in enumerate(X, 1)} | output_names(LanguageModel(layer, V))
    names |= {">H[0]": torch.zeros(B, H).double(), f"<H[{T + 1}]": torch.zeros(B, H).double()}
    for mark, side in (("f", layer.forward_layer), ("b", layer.backward_layer)):
        names |= {f"{name}({mark})": p.detach() for name, p in side.named_parameters()}
    to_right, to_left = equations(latex("eq-bi"))
    for t in range(1, T + 1):
        assert evaluate(to_right, names, {"t": t}) == [f">H[{t}]"]
    for t in range(T, 0, -1):
        assert evaluate(to_left, names, {"t": t}) == [f"<H[{t}]"]
    for t in range(1, T + 1):
        assert run("eq-bi-join", names, t=t) == [f"H[{t}]"]
    close(states(names), layer(X)[0])
    return names


# --- What is computed of a layer


def jacobian() -> None:
    layer, X, h = RNN(D, H).double(), random(T, 1, D), random(1, H)
    names = rnn_names(layer, X, h)
    outputs = layer(X, h)[0]
    names |= {f"h[{t}]": outputs[t - 1] for t in range(1, T + 1)}
    (name,) = run("eq-jacobian", names, t=1, T=T, s=0)
    assert name == f"dh[{T}]/dh[1]"
    expected = torch.autograd.functional.jacobian(lambda h: layer(X[1:], h)[1], outputs[0])
    close(names[name], expected[0, :, 0].T)


def bptt() -> Names:
    layer, X, H_0 = RNN(D, H).double(), random(T, B, D), random(B, H)
    outputs, G = layer(X, H_0)[0], random(T, B, H)
    names = rnn_names(layer, X, H_0) | {f"Delta[{T + 1}]": torch.zeros(B, H).double()}
    names |= {f"H[{t}]": outputs[t - 1].detach() for t in range(1, T + 1)}
    names |= {f"G[{t}]": G[t - 1] for t in range(1, T + 1)}
    delta, gradient = equations(latex("eq-bptt"))
    for t in range(T, 0, -1):
        assert evaluate(delta, names, {"t": t, "T": T}) == [f"Delta[{t}]"]
    (name,) = evaluate(gradient, names, {"t": 0, "T": T})
    assert name == "dL/dW_hh"
    close(names[name], torch.autograd.grad((outputs * G).sum(), layer.W_hh)[0])
    return names


def gru_jacobian() -> None:
    layer, x, h = GRU(D, H).double(), random(1, 1, D), random(1, H)
    names = gru_names(layer, x, h)
    for label in ("eq-gru-gates", "eq-gru-candidate"):
        run(label, names, t=1)
    r, z, candidate = names["R[1]"], names["Z[1]"], names["~H[1]"]
    names |= {
        "h": h, "z": z, "z'": z * (1 - z), "r": r, "r'": r * (1 - r), "~h": candidate,
        "a": h @ names["W_hh"] + names["b_hh"], "c": (1 - z) * (1 - candidate**2),
    }  # fmt: skip
    (name,) = run("eq-gru-jacobian", names, t=1)
    assert name == "dh[1]/dh"
    expected = torch.autograd.functional.jacobian(lambda h: layer(x, h)[1], h)[0, :, 0].T
    close(names[name], expected)


def lstm_direct() -> None:
    layer, X = LSTM(D, H).double(), random(T, 1, D)
    with torch.no_grad():
        layer.W_h.zero_()
    zeros = torch.zeros(1, H).double()
    names = lstm_names(layer, X, zeros, zeros) | {f"H[{t}]": zeros for t in range(T)}
    for t in range(1, T + 1):  # of gates, the product is elementwise: as diagonal matrices
        run("eq-lstm-gates", names, t=t)
        names[f"f[{t}]"] = torch.diag(names[f"F[{t}]"][0])
    names["diag"] = lambda matrix: matrix
    (name,) = run("eq-lstm-direct", names, t=1, T=T, s=0)
    assert name == f"dc[{T}]/dc[1]"
    first = layer(X[:1])[1]

    def last(C: Tensor) -> Tensor:
        return layer(X[1:], (first[0], C))[1][1]

    expected = torch.autograd.functional.jacobian(last, first[1])[0, :, 0].T
    close(names[name], expected)


# --- Measures and tasks


def perplexity() -> None:
    model = LanguageModel(RNN(D, H), V).double()
    tokens = torch.randint(V, (9,))
    log_p = training.log_probabilities(model, tokens)
    names: Names = {f"w[{i}]": i for i in range(1, 9)} | {"p": lambda i: log_p[i - 1].exp()}
    names |= {"N": 8.0}
    assert run("eq-perplexity", names, i=0, N=8) == ["PPL"]
    close(names["PPL"].item(), training.perplexity(model, tokens, 1))


def clipping() -> None:
    for theta in (0.5, 50.0):
        parameter = nn.Parameter(random(6))
        parameter.grad = random(6)
        names: Names = {"g": parameter.grad.clone(), "theta": theta}
        run("eq-clipping", names)
        training.clip_gradients([parameter], theta)
        close(parameter.grad, names["g"])


def adding() -> None:
    X, y = adding_problem(1, 6, torch.Generator().manual_seed(0))
    names: Names = {f"u[{t}]": X[t - 1, 0, 0] for t in range(1, 7)}
    names |= {f"m[{t}]": X[t - 1, 0, 1] for t in range(1, 7)}
    run("eq-adding", names, t=0, T=6)
    close(names["y"], y[0])


def adding_chance() -> None:
    # Two points of Gauss and Legendre give the expectation of a polynomial of degree 2 exactly.
    u = 0.5 + torch.tensor([-1.0, 1.0], dtype=torch.float64) / math.sqrt(12)
    names: Names = {"y": (u[:, None] + u).flatten(), "E": torch.mean}
    run("eq-adding-chance", names)
    assert pytest.approx(1 / 6) == ADDING_CHANCE


def copying_chance() -> None:
    for lag in (11, 30):
        (value,) = Formula(latex("eq-copy-chance"), {"tau": float(lag)}, {}).sides()
        assert value == pytest.approx(copy_chance(lag))


def residual() -> None:
    names = defined_in("deep-rnn", "Wrapped", "Residual")
    layer, X = names["Residual"](RNN(H, H)).double(), random(T, B, H)
    values: Names = {"H(1)": X, "layer": lambda x: layer.layer(x)[0]}
    run("eq-deep-residual", values, ell=2)
    close(values["H(2)"], layer(X)[0])


def layer_norm() -> None:
    norm, h = nn.LayerNorm(H).double(), random(B, H)
    with torch.no_grad():
        norm.weight.copy_(random(H))
        norm.bias.copy_(random(H))
    names: Names = {"h": h, "g": norm.weight.detach(), "b": norm.bias.detach()}
    run("eq-deep-norm", names)
    close(names["h"], norm(h))


def gain() -> None:
    run("eq-deep-gain", {"s": torch.tensor(2.0)})


def f1() -> None:
    names: Names = {"TP": 6.0, "FP": 3.0, "FN": 1.0}
    run("eq-bi-f1", names)
    precision, recall = 6 / 9, 6 / 7
    assert names["F[1]"] == pytest.approx(2 * precision * recall / (precision + recall))


def windows() -> None:
    names: Names = {"e[2]": 3.0, "n[2]": 4.0, "p[1]": 0.25}
    assert run("eq-bi-windows", names, k=2) == ["p[2]"]
    assert names["p[2]"] == (3 + 2 * 0.25) / (4 + 2)


def words() -> None:
    cells = defined_in("bidirectional-rnn", "contexts", "log_p_word")
    counts = Counter({"a": 3, "ab": 1})
    values: Names = {"N": 4.0, "U": 2.0, "delta": 0.75}
    cells |= values | {"words": counts, "spelled": Counter(), "functools": functools}
    for word in ("a", "ab", "b"):  # nothing is known of the spelling: 1/27 a letter
        names = values | {
            "w": 0.0, "c": lambda _, w=word: float(counts[w]),
            "s": lambda _, w=word: 27.0 ** -(len(w) + 1),
            "p": lambda _, w=word: math.exp(cells["log_p_word"](w)),
            "max": lambda *of: max(of),
        }  # fmt: skip
        assert run("eq-bi-words", names) == []


EXECUTED: dict[Callable[[], Any], tuple[str, ...]] = {
    feedforward: ("eq-feedforward",),
    rnn: ("eq-rnn", "eq-output"),
    concatenation: ("eq-concatenation",),
    perplexity: ("eq-perplexity",),
    clipping: ("eq-clipping",),
    jacobian: ("eq-jacobian",),
    bptt: ("eq-bptt",),
    gru: ("eq-gru-gates", "eq-gru-candidate", "eq-gru-state"),
    gru_before: ("eq-gru-before",),
    gru_jacobian: ("eq-gru-jacobian",),
    lstm: ("eq-lstm-gates", "eq-lstm-candidate", "eq-lstm-memory", "eq-lstm-state"),
    lstm_direct: ("eq-lstm-direct",),
    adding: ("eq-adding",),
    adding_chance: ("eq-adding-chance",),
    copying_chance: ("eq-copy-chance",),
    deep: ("eq-deep", "eq-deep-output"),
    residual: ("eq-deep-residual",),
    layer_norm: ("eq-deep-norm",),
    gain: ("eq-deep-gain",),
    bidirectional: ("eq-bi", "eq-bi-join"),
    f1: ("eq-bi-f1",),
    windows: ("eq-bi-windows",),
    words: ("eq-bi-words",),
}
ELSEWHERE = {
    "eq-kneser-ney": "tests/unit/test_ngram.py: test_agrees_with_the_reference_at_every_order",
    "eq-witten-bell": "tests/unit/test_ngram.py: test_agrees_with_the_reference_at_every_order",
    "eq-softmax": "tests/unit/test_training.py: test_log_probabilities_are_those_of_each_token",
    "eq-copy-memory": "tests/unit/test_tasks.py: test_copy_memory",
}


@pytest.mark.parametrize("check", EXECUTED, ids=lambda check: check.__name__)
def test_the_equation_in_print_is_what_the_code_computes(check: Callable[[], Any]) -> None:
    check()


def test_every_numbered_equation_is_checked() -> None:
    checked = [label for labels in EXECUTED.values() for label in labels]
    assert sorted([*checked, *ELSEWHERE]) == sorted(ALL)


@pytest.mark.parametrize("label", ELSEWHERE)
def test_what_is_checked_elsewhere_is(label: str) -> None:
    path, name = ELSEWHERE[label].split(": ")
    assert f"def {name}" in (Path(__file__).parents[2] / path).read_text("utf-8")


# --- Shapes in print

SYMBOLS = r"((?:\$[^$]+\$(?:,? and |, |,\n| and\n|\n)?)+)"
IN_TEXT = re.compile(r"\$([^$]+?) \\in\s+\\mathbb\{R\}\^\{([^}]*)\}\$")
IN_LISTS = re.compile(SYMBOLS + r",?\s+(?:are|is|has shape)\s+\$(\w+ \\times \w+)\$")
IN_TABLE = re.compile(r"^\| (\$.*?\$) \| (\$.*?\$) \|.*?(?:\{eq\}`([\w-]+)`.*|\(sec-.*)\|$", re.M)
INDICES = {"t": 2, "ell": 2, "T": T, "L": L}
OF_PAGE: dict[str, tuple[Callable[[], Names], ...]] = {
    "rnn": (feedforward, bptt, rnn), "gru": (gru,), "lstm": (lstm,), "deep-rnn": (deep,),
    "bidirectional-rnn": (bidirectional,),
}  # fmt: skip


def names_of(page: str) -> Names:
    names: Names = {}
    for make in OF_PAGE[page]:
        names |= make()
    return names


def in_letters(value: Any) -> str:
    """Return the shape of a tensor in the letters of the course; a bias is a row."""
    shape = list(value.shape)
    letters = {str(2 * H): "2H", "1": "1"} | LETTERS
    return " \\times ".join(
        letters[str(size)] for size in ([1, *shape] if len(shape) < 2 else shape)
    )


def name_of(symbol: str) -> str:
    """Return the name of a symbol in print, the first one of several that are equal."""
    return Formula(symbol.split("=")[0], {}, INDICES).symbol()


def printed_shapes() -> list[tuple[str, str, str]]:
    """Return the page, the symbol and the shape of each statement about a shape."""
    found = []
    for page in OF_PAGE:
        text = (BOOK / f"{page}.md").read_text("utf-8")
        found += [(page, m[1], m[2]) for m in IN_TEXT.finditer(text)]
        for m in IN_LISTS.finditer(text):
            found += [(page, s, m[2]) for s in re.findall(r"\$(\\[^$]+)\$", m[1])]
    for m in IN_TABLE.finditer((BOOK / "notation.md").read_text("utf-8")):
        symbols, shapes = (re.findall(r"\$([^$]+)\$", column) for column in m.groups()[:2])
        page = ALL[m[3]][0] if m[3] else "rnn"
        if len(shapes) == 1:
            shapes *= len(symbols)
        if len(shapes) == len(symbols) and page in OF_PAGE:
            found += [(page, *pair) for pair in zip(symbols, shapes, strict=True)]
    return [row for row in found if "times" in row[2]]


@pytest.mark.parametrize(("page", "symbol", "shape"), printed_shapes())
def test_a_shape_in_print_is_that_of_the_tensor(page: str, symbol: str, shape: str) -> None:
    names = names_of(page)
    assert name_of(symbol) in names, f"{symbol} is not among {sorted(names)}"
    assert in_letters(names[name_of(symbol)]) == shape


def test_shapes_are_found_in_every_chapter_and_in_the_notation() -> None:
    pages = [page for page, _, _ in printed_shapes()]
    assert all(pages.count(page) >= 3 for page in OF_PAGE), pages
    assert len(pages) > 50


# --- A misprint is found

MISPRINTS = [
    (r" \+ ", " - "),
    (r" - ", " + "),
    (r"(?<=[{(])(\\ell|t)-1", r"\1"),
    (r"t\+1", "t-1"),
    (r"(?<=\})_t(?!\w)", "_{t-1}"),
    (r"\\sigma", r"\\tanh"),
    (r"\\(tanh|phi)(?!\w)", r"\\sigma"),
    (r"\\odot", "+"),
    (r"\\overrightarrow", r"\\overleftarrow"),
    (r"\\overleftarrow", r"\\overrightarrow"),
    (r"\(f\)", "(b)"),
    (r"\(b\)", "(f)"),
    (r"mathbf\{R\}", "mathbf{Z}"),
    (r"mathbf\{Z\}", "mathbf{R}"),
    (r"mathbf\{I\}", "mathbf{F}"),
    (r"mathbf\{F\}", "mathbf{O}"),
    (r"mathbf\{O\}_t (?=\\odot)", r"mathbf{I}_t "),
    (r"_\{([xh])r\}", r"_{\1z}"),
    (r"_\{([xh])z\}", r"_{\1r}"),
    (r"_\{([xh])i\}", r"_{\1f}"),
    (r"_\{([xh])f\}", r"_{\1o}"),
    (r"_\{([xh])o\}", r"_{\1i}"),
    (r"_\{([xh])c\}", r"_{\1f}"),
    (r"_\{xh\}", "_{hh}"),
    (r"_\{hh\}", "_{xh}"),
    (r"_\{hq\}", "_{hh}"),
    (r"mathbf\{b\}_[rzifoc]", r"mathbf{b}_x"),
    (r"\\tilde\{\\mathbf\{([HC])\}\}(?!_t =|_t &=)", r"\\mathbf{\1}"),
    (r"\^\\top", ""),
    (r"\^2", "^3"),
    (r"s=t\+1", "s=t"),
]  # fmt: skip


def misprints() -> list[Any]:
    """Each equation with each misprint at each place, one at a time."""
    cases = []
    for check, labels in EXECUTED.items():
        for label in labels:
            for wrong, instead in MISPRINTS:
                for number, place in enumerate(re.finditer(wrong, latex(label))):
                    printed = latex(label)
                    other = (
                        printed[: place.start()] + place.expand(instead) + printed[place.end() :]
                    )
                    name = f"{label}: {place[0]} number {number}"
                    cases.append(pytest.param(check, label, other, id=name))
    return cases


@pytest.mark.parametrize(("check", "label", "printed"), misprints())
def test_a_misprint_in_an_equation_is_found(
    check: Callable[[], Any], label: str, printed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ALL, label, (ALL[label][0], printed))
    with pytest.raises((AssertionError, EquationError, RuntimeError, KeyError)):
        check()


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        (r"y = \foo(x)", r"foo has no value; known: x"),
        (r"y = (x + 1", r"expected \), found the end"),
        (r"y = x ? 2", r"expected a symbol"),
        (r"y = x_{s-1}", r"x_s-1 has no value"),
    ],
)
def test_an_error_shows_the_place_in_the_formula(formula: str, message: str) -> None:
    with pytest.raises(EquationError, match=message) as error:
        evaluate(formula, {"x": torch.tensor(1.0)})
    assert str(error.value).splitlines()[-1].strip() == "^"
