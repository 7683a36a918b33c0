"""Read the numbered equations of the pages from their LaTeX, and evaluate them.

The grammar is the small one that the course uses. A side of an equation is a sum of terms; a term
is a chain of factors that are multiplied as matrices (or, if one is a number, as numbers), or
elementwise after a \\odot, which binds less tightly. Factors are numbers, symbols, brackets,
fractions, sums and products over an index, matrices of blocks, and functions such as \\sigma and
\\tanh. Alignment, spacing and the size of brackets mean nothing.

A symbol becomes a name by which its value is looked up: `H[2]` for \\mathbf{H}_{t-1} where t is 3,
`W_xh` for \\mathbf{W}_{xh}, `H[2](1)` with a layer or a direction above, `~H` with a tilde, `>H`
and `<H` with an arrow, `z'` with a prime. Which letters are indices is said by whoever asks.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

BOOK = Path(__file__).parents[1] / "book"
DIRECTIVE = re.compile(r"^```\{math\}\n((?::\w+:[^\n]*\n)*)(.*?)^```", re.S | re.M)
LABEL = re.compile(r":label: (\S+)")
TOKEN = re.compile(r"\\[a-zA-Z]+|\\.|\d+(?:\.\d+)?|[a-zA-Z]|\S")
NO_MEANING = re.compile(
    r"\\(?:begin|end)\{aligned\}|\\(?:q?quad|[bB]igg?[lr]?|left|right)(?![a-zA-Z])"
    r"|(?<!\\)\\[,;!: ]|&"
)
MATRIX = re.compile(r"\\begin\{bmatrix\}.*?\\end\{bmatrix\}", re.S)
DECORATIONS = {"\\tilde": "~", "\\overrightarrow": ">", "\\overleftarrow": "<", "\\overline": "-"}
STYLES = {"\\mathbf", "\\boldsymbol", "\\mathrm", "\\operatorname", "\\text", "\\bm"}
CLOSING = {"(": ")", "[": "]", "\\{": "\\}"}
ENDS_A_TERM = {"+", "-", "=", ",", ")", "]", "}", "\\}", "\\cr", "\\odot", "\\cdot", "\\times"} | {
    "\\leftarrow", "\\in", "\\mid", "\\rVert", "\\end", "\\approx", "|",
}  # fmt: skip


class EquationError(ValueError):
    """What the grammar does not know, with the place in the formula."""


def numbered_equations(page: str) -> dict[str, str]:
    """Return the LaTeX of each labelled equation of a page."""
    source = (BOOK / f"{page}.md").read_text("utf-8")
    found = ((LABEL.search(m[1]), m[2].strip()) for m in DIRECTIVE.finditer(source))
    return {label[1]: latex for label, latex in found if label}


def equations(latex: str) -> list[str]:
    """Split the rows of a formula into equations; a row without a left side goes on the last."""
    parts: list[str] = []
    latex = MATRIX.sub(lambda m: m[0].replace("\\\\", "\\cr "), NO_MEANING.sub(" ", latex))
    for row in latex.split("\\\\"):
        left = re.split(r"=|\\leftarrow", row)[0]
        if parts and (left.strip() == "" or left == row):
            parts[-1] += " " + row
        else:
            parts.append(row)
    return [part.strip().rstrip(",.: ") for part in parts]


class Formula:
    """One equation: a parser that evaluates as it reads.

    Args:
        latex: sides joined by = or \\leftarrow.
        names: the value of each name, a tensor, a number, or a function for \\sigma and the like.
        indices: the value of each letter that is an index, as `{"t": 3}`.
    """

    def __init__(self, latex: str, names: Mapping[str, Any], indices: Mapping[str, int]):
        self.latex = NO_MEANING.sub(" ", latex).strip().rstrip(",.: ")
        self.tokens = [(m[0], m.start()) for m in TOKEN.finditer(self.latex)]
        self.names, self.indices, self.at = names, dict(indices), 0

    # --- reading

    def peek(self, ahead: int = 0) -> str:
        place = self.at + ahead
        return self.tokens[place][0] if place < len(self.tokens) else ""

    def take(self, expected: str | None = None) -> str:
        token = self.peek()
        if not token or (expected is not None and token != expected):
            raise self.error(f"expected {expected or 'more'}, found {token or 'the end'}")
        self.at += 1
        return token

    def error(self, what: str) -> EquationError:
        place = self.tokens[self.at][1] if self.at < len(self.tokens) else len(self.latex)
        return EquationError(f"{what}\n    {self.latex!s}\n    {' ' * place}^")

    def group(self) -> list[str]:
        """Return the tokens of a {group}, or the single token in its place."""
        if self.peek() != "{":
            return [self.take()]
        self.take("{")
        depth, inside = 1, []
        while depth:
            token = self.take()
            depth += (token == "{") - (token == "}")
            inside.append(token)
        return inside[:-1]

    # --- sides, sums, terms

    def sides(self) -> list[str | Any]:
        """Return all sides: the first as a name, if it is a symbol without a value; else values."""
        found: list[str | Any] = [self.first()]
        while self.peek() in {"=", "\\leftarrow", "\\approx"}:
            self.take()
            found.append(self.sum())
        if self.peek() not in {"", "\\in"}:
            raise self.error("cannot read on from here")
        return found

    def first(self) -> str | Any:
        start = self.at
        if self.peek() == "\\frac" and self.peek(2) == "\\partial":
            return self.derivative()
        try:
            name = self.symbol()
            if self.peek() in {"=", "\\leftarrow"}:
                return name
        except EquationError:
            pass
        self.at = start
        return self.sum()

    def sum(self) -> Any:
        sign = -1 if self.peek() == "-" else 1
        if self.peek() in {"+", "-"}:
            self.take()
        value = sign * self.term()
        while self.peek() in {"+", "-"}:
            sign = 1 if self.take() == "+" else -1
            value = value + sign * self.term()
        return value

    def term(self) -> Any:
        value = self.chain()
        while self.peek() in {"\\odot", "\\cdot"}:
            self.take()
            value = value * self.chain()
        return value

    def chain(self) -> Any:
        value = self.factor()
        while self.peek() and self.peek() not in ENDS_A_TERM:
            value = product(value, self.factor())
        return value

    # --- factors

    def factor(self) -> Any:
        value = self.atom()
        while self.peek() == "^":
            self.take()
            power = self.group()
            value = value.mT if power == ["\\top"] else value ** float("".join(power))
        return value

    def atom(self) -> Any:
        token = self.peek()
        if re.fullmatch(r"\d+(?:\.\d+)?", token):
            return float(self.take())
        if token in CLOSING:
            self.take()
            value = self.sum()
            self.take(CLOSING[token])
            return value
        if token in {"\\frac", "\\tfrac", "\\dfrac"}:
            self.take()
            return self.inner() / self.inner()
        if token == "\\sqrt":
            self.take()
            return self.inner() ** 0.5
        if token == "\\lVert":
            self.take()
            value = self.sum()
            self.take("\\rVert")
            return value.norm()
        if token in {"\\sum", "\\prod"}:
            return self.repeated()
        if token == "\\begin":
            return self.blocks()
        name = self.symbol()
        value = self.value(name)
        return self.applied(value) if callable(value) else value

    def inner(self) -> Any:
        """Evaluate a {group}."""
        if self.peek() != "{":  # \tfrac12
            token = self.take()
            if len(token) > 1 and token.isdigit():  # read as one number: give back the rest
                self.at -= 1
                text, place = self.tokens[self.at]
                self.tokens[self.at : self.at + 1] = [(d, place) for d in text]
                token = self.take()
            return float(token)
        self.take("{")
        value = self.sum()
        self.take("}")
        return value

    def applied(self, function: Callable[..., Any]) -> Any:
        """Evaluate the arguments of a function, in brackets or as one factor."""
        if self.peek() not in CLOSING:
            return function(self.factor())
        closing = CLOSING[self.take()]
        arguments = [self.sum()]
        while self.peek() in {",", "\\mid"}:
            self.take()
            if self.peek(2) == "{" and self.peek(3) == "<":  # w_{<i}: all that came before
                while self.peek() != closing:
                    self.take()
            else:
                arguments.append(self.sum())
        self.take(closing)
        return function(*arguments)

    def repeated(self) -> Any:
        """Evaluate a sum or a product of matrices over an index, in its order."""
        kind = self.take()
        self.take("_")
        letter, _, *lower = self.group()
        first = self.index(lower)
        self.take("^")
        last = self.index(self.group())
        start, values, before = self.at, [], self.indices.get(letter)
        for number in range(first, last + 1):
            self.at, self.indices[letter] = start, number
            values.append(self.chain() if kind == "\\prod" else self.term())
        if before is None:
            self.indices.pop(letter, None)
        else:
            self.indices[letter] = before
        if not values:
            raise self.error(f"no {letter} from {first} to {last}")
        result = values[0]
        for value in values[1:]:
            result = result + value if kind == "\\sum" else product(result, value)
        return result

    def blocks(self) -> Any:
        """Evaluate a matrix of blocks."""
        self.take("\\begin")
        if (kind := "".join(self.group())) != "bmatrix":
            raise self.error(f"unknown environment {kind}")
        rows: list[list[Any]] = [[]]
        while self.peek() != "\\end":
            if self.peek() == "\\cr":
                self.take()
                rows.append([])
            else:
                rows[-1].append(self.factor())
        self.take("\\end")
        self.group()
        return torch.cat([torch.cat(row, dim=-1) for row in rows], dim=-2)

    def derivative(self) -> str:
        """Return the name of a derivative, as `dH[4]/dH[1]`."""
        names = []
        self.take("\\frac")
        for _ in range(2):
            self.take("{")
            self.take("\\partial")
            names.append(self.symbol())
            self.take("}")
        while self.peek() in {"|", "_"}:  # a note on what is differentiated
            self.take()
            if self.peek() != "=":
                self.group()
        if self.peek() == "{":
            self.group()
        return f"d{names[0]}/d{names[1]}"

    # --- symbols

    def symbol(self) -> str:
        """Read a symbol with all that hangs on it, and return its name."""
        mark, depth = "", 0
        while self.peek() in DECORATIONS or self.peek() in STYLES or self.peek() == "{":
            token = self.take()
            mark += DECORATIONS.get(token, "")
            depth += token == "{"
        name = ""
        while re.fullmatch(r"[a-zA-Z]|\\[a-zA-Z]+", self.peek()):
            name += self.take().removeprefix("\\")
            if not depth and not any(known.startswith(name + self.peek()) for known in self.names):
                break
        if not name:
            raise self.error("expected a symbol")
        for _ in range(depth):
            self.take("}")
        label = index = above = prime = ""
        while self.peek() in {"_", "^", "'"}:
            if self.peek() == "'":
                prime += self.take()
                continue
            start, kind = self.at, self.take()
            inside = self.group()
            if kind == "_":
                if inside and self.is_index(inside):
                    index = f"[{self.index(inside)}]"
                else:
                    label = "_" + "".join(inside)
            elif inside[:1] == ["("]:
                text = inside[1:-1]
                above = f"({self.index(text) if self.is_index(text) else ''.join(text)})"
            else:
                self.at = start
                break
        return f"{mark}{name}{prime}{label}{index}{above}"

    def is_index(self, tokens: list[str]) -> bool:
        """Tell whether these are numbers and letters of indices."""
        return all(t.lstrip("\\") in self.indices or t in "+-" or t.isdigit() for t in tokens)

    def index(self, tokens: list[str]) -> int:
        """Return the value of an index such as t-1."""
        total, sign = 0, 1
        for token in tokens:
            if token in "+-":
                sign = 1 if token == "+" else -1
            elif token.isdigit():
                total += sign * int(token)
            elif token.lstrip("\\") in self.indices:
                total += sign * self.indices[token.lstrip("\\")]
            else:
                raise self.error(f"{token} is not an index here")
        return total

    def value(self, name: str) -> Any:
        """Look a name up; a function may carry a label that does not matter, as in phi_l."""
        plain = re.split(r"[_\[]", name)[0]
        for known in (name, plain):
            found = self.names.get(known, FUNCTIONS.get(known))
            if found is not None and (known == name or callable(found)):
                return found
        raise self.error(f"{name} has no value; known: {', '.join(sorted(self.names))}")


def product(left: Any, right: Any) -> Any:
    """Multiply two numbers, a number and a tensor, or two matrices."""
    scalar = any(not isinstance(v, Tensor) or v.dim() == 0 for v in (left, right))
    return left * right if scalar else left @ right


def exponential(x: Any) -> Any:
    return torch.exp(torch.as_tensor(x))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sigma": torch.sigmoid,
    "tanh": torch.tanh,
    "phi": torch.tanh,
    "exp": exponential,
    "ln": lambda x: torch.log(x) if isinstance(x, Tensor) else math.log(x),
    "diag": lambda v: torch.diag(v.flatten()),
    "min": lambda *values: min(values, key=float),
    "softmax": lambda x: torch.softmax(x, dim=-1),
    "mean": lambda x: x.mean(dim=-1, keepdim=True),
    "var": lambda x: x.var(dim=-1, keepdim=True, correction=0),
}


def evaluate(
    latex: str, names: dict[str, Any], indices: Mapping[str, int] | None = None
) -> list[str]:
    """Evaluate each equation of a formula, and add what its left side names to `names`.

    Returns the names, in order. Where the left side is an expression, or there are several right
    sides, all have to agree. Raises `EquationError` for what cannot be read, `AssertionError` for
    sides that differ.
    """
    defined = []
    for part in equations(latex):
        left, *rights = Formula(part, names, indices or {}).sides()
        if isinstance(left, str):
            defined.append(left)
            names[left] = rights[0]
        else:
            rights.insert(0, left)
        for other in rights[1:]:
            torch.testing.assert_close(
                torch.as_tensor(other), torch.as_tensor(rights[0]), rtol=1e-6, atol=1e-9,
                check_dtype=False,
            )  # fmt: skip
    return defined
