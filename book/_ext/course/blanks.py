"""Code with blanks: what is cut out of a cell, and which other cells a blank needs.

Everything here works on the source of cells: their lines outside of a blank stay as they are.
"""

from __future__ import annotations

import ast
import inspect
import io
import symtable
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, field

from course.cache import DEFINITIONS, without_magics

EMPTY = 'raise NotImplementedError("your turn")'
# A cell that calls one of these takes its time.
SLOW = {"KneserNey", "WittenBell", "backward", "train", "train_epoch", "train_on_task"}
CHECKS = "check"  # as the module of checks is called in a workbook


class BlankError(ValueError):
    """What is wrong with a blank."""


def functions(source: str) -> dict[str, ast.FunctionDef]:
    """Return the functions and methods that a cell defines, by name: `reverse`, `GRU.forward`."""
    found = {}
    for node in ast.parse(without_magics(source)).body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.ClassDef):
            methods = [part for part in node.body if isinstance(part, ast.FunctionDef)]
            found |= {f"{node.name}.{method.name}": method for method in methods}
    return found


def cut(source: str, wanted: dict[str, str]) -> str:
    """Empty functions of a cell, by name: the signature stays, and a docstring tells the task.

    A docstring that is given takes the place of that of the cell. Raises `BlankError` for a
    function that the cell does not define, or that neither has a docstring.
    """
    known, lines = functions(source), source.split("\n")
    for name in wanted:
        if name not in known:
            there = ", ".join(known) or "no function"
            raise BlankError(f"blank: the cell does not define {name}; it defines {there}")
    for name in sorted(wanted, key=lambda name: -known[name].lineno):  # from the last line up
        node = known[name]
        text = wanted[name] or ast.get_docstring(node)
        if not text:
            raise BlankError(
                f"blank: {name} has no docstring: whoever writes it has to know what it is given "
                "and returns; add `doc` to the task"
            )
        first, last = header_end(lines, node), node.end_lineno
        assert last is not None
        if first >= last:
            raise BlankError(f"blank: {name} has no body below its first line: nothing to cut")
        indent = " " * node.body[0].col_offset
        while last < len(lines) and lines[last].startswith(f"{indent}#"):
            last += 1  # a comment at the end of the body
        lines[first:last] = [*docstring(text, indent), indent + EMPTY]
    return "\n".join(lines)


def header_end(lines: list[str], node: ast.FunctionDef) -> int:
    """Return the number of the line, from 1, on which the head of a function ends."""
    text = "\n".join(lines[node.lineno - 1 :]) + "\n"
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NEWLINE:
            return node.lineno - 1 + token.end[0]
    raise AssertionError(text)


def docstring(text: str, indent: str) -> list[str]:
    """Return a docstring as lines of code."""
    first, *rest = inspect.cleandoc(text).split("\n")
    lines = [f'{indent}"""{first}', *(indent + line if line.strip() else "" for line in rest)]
    return [*lines[:-1], f'{lines[-1]}"""'] if not rest else [*lines, f'{indent}"""']


def head_of(source: str, name: str) -> str:
    """Return the head of a module's function, annotations left out, for a blank to begin with.

    Raises `BlankError` if the module has no such function.
    """
    node = functions(source).get(name)
    if node is None:
        raise BlankError(f"blank: the package has no function {name} there")
    for argument in ast.walk(node.args):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    head = f"def {name}({ast.unparse(node.args)}):"
    if len(head) > 76:
        head = f"def {name}(\n    {ast.unparse(node.args)}\n):"
    return f"{head}\n    pass"


def without_import(source: str, module: str, name: str) -> str:
    """Return a cell that does not import a name from a module any more.

    Raises `BlankError` if it did not.
    """
    lines = source.split("\n")
    for node in ast.parse(without_magics(source)).body:
        if isinstance(node, ast.ImportFrom) and node.module == module and not node.level:
            left = [alias for alias in node.names if (alias.asname or alias.name) != name]
            if len(left) < len(node.names):
                node.names = left
                new = [ast.unparse(node)] if left else []
                lines[node.lineno - 1 : node.end_lineno] = new
                return "\n".join(lines)
    raise BlankError(f"blank: the cell does not say `from {module} import {name}`")


@dataclass(eq=False)
class Statement:
    """A statement of a cell, with the comments above it: what it binds and what it reads."""

    text: str
    binds: set[str]
    reads: set[str]
    defines: bool  # it binds names and runs nothing
    touches: bool = False  # it reads what is blank, or what was made of it

    @property
    def stops(self) -> bool:
        """Whether it cannot run in a workbook without answers."""
        return self.touches and not self.defines


@dataclass
class Cell:
    """A code cell, taken apart."""

    source: str
    statements: list[Statement] = field(default_factory=list)

    def __post_init__(self) -> None:
        lines, end = self.source.split("\n"), 0
        for node in ast.parse(without_magics(self.source)).body:
            assert node.end_lineno is not None
            text = "\n".join(lines[end : node.end_lineno])
            binds, reads = names(ast.unparse(node))
            defines = isinstance(node, (ast.Import, ast.ImportFrom, *DEFINITIONS))
            self.statements.append(Statement(text, binds, reads, defines))
            end = node.end_lineno

    @property
    def binds(self) -> set[str]:
        """The names that the cell binds."""
        return {name for statement in self.statements for name in statement.binds}

    def writing(self, heads: set[str]) -> list[Statement]:
        """Return what defines classes and functions by name, or imports them."""
        return [s for s in self.statements if s.defines and s.binds & heads]

    def kept(self, chosen: list[Statement], wanted: set[str]) -> list[Statement]:
        """Return the chosen statements, and what gives a value to what they read or is wanted.

        What runs into a blank gives none.
        """
        chosen = list(chosen)
        while True:
            needed = wanted.union(*(statement.reads for statement in chosen))
            more = [
                s for s in self.statements if s not in chosen and s.binds & needed and not s.stops
            ]
            if not more:
                return [s for s in self.statements if s in chosen]
            chosen += more


def names(code: str) -> tuple[set[str], set[str]]:
    """Return the names that a statement binds at its top level, and those that it reads there.

    What a function reads when it is called is read, its own variables are not.
    """
    top = symtable.symtable(code, "cell", "exec")
    binds = {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported()}
    reads: set[str] = set()
    tables = [top]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        for symbol in table.get_symbols():
            if symbol.is_referenced() and (table is top or symbol.is_global()):
                reads.add(symbol.get_name())
    if isinstance(ast.parse(code).body[0], (ast.For, ast.With, *DEFINITIONS)):
        reads -= binds  # what it reads it has bound itself, but for rare cases
    return binds, reads


class Plan:
    """Which code cells a workbook has, and what of each: found through the names they use."""

    def __init__(self, sources: dict[int, str], blanks: dict[int, set[str]]):
        """Take cells by number, and for those with a task the classes and functions to write."""
        self.cells = {number: Cell(source) for number, source in sources.items()}
        self.blanks = blanks
        self.chosen: dict[int, list[Statement]] = {}
        tainted: set[str] = set()
        for number, cell in self.cells.items():
            heads = blanks.get(number, set())
            tainted |= heads
            for statement in cell.statements:
                statement.touches = bool(statement.reads & tainted)
                if statement.touches:
                    tainted |= statement.binds
                else:
                    tainted -= statement.binds - heads

    def part(self, number: int, wanted: set[str]) -> list[Statement]:
        """Return what of a cell a workbook can have: all of it, if that runs into no blank."""
        cell = self.cells[number]
        if number in self.blanks:
            return cell.kept(cell.writing(self.blanks[number]), wanted)
        if any(statement.stops for statement in cell.statements):
            return cell.kept([], wanted)
        return cell.statements

    def needs(
        self, number: int, wanted: frozenset[str] = frozenset()
    ) -> Iterator[tuple[int, list[Statement]]]:
        """Yield the parts of cells that one needs, itself first.

        Raises `BlankError` for a name that only a cell which runs into a blank could give.
        """
        todo = [(number, wanted)]
        seen = set(todo)
        while todo:
            at, names = todo.pop()
            part = self.part(at, set(names))
            bound = {name for statement in part for name in statement.binds}
            if lacking := names - bound:
                lost = ", ".join(sorted(lacking))
                raise BlankError(f"blank: {lost} comes from a cell that runs what is blank")
            yield at, part
            for name in sorted({name for statement in part for name in statement.reads} - bound):
                earlier = [i for i, cell in self.cells.items() if i < at and name in cell.binds]
                need = (earlier[-1] if earlier else at, frozenset({name}))
                if earlier and need not in seen:
                    seen.add(need)
                    todo.append(need)

    def include(self, number: int) -> None:
        """Put a cell into the workbook, with all that it needs."""
        for at, part in self.needs(number):
            if any(CHECKS in statement.binds for statement in part):
                raise BlankError(f"blank: a cell that it needs takes the name {CHECKS}")
            self.chosen.setdefault(at, []).extend(part)

    def text(self, number: int) -> str:
        """Return the code of a cell as the workbook has it, nothing if it has none of it."""
        chosen = self.chosen.get(number, [])
        kept = [s.text for s in self.cells[number].statements if s in chosen]
        return "\n".join(kept).strip("\n")

    def light(self, number: int) -> bool:
        """Tell whether a cell can be run at once: it needs no blank and trains nothing."""
        try:
            parts = list(self.needs(number))
        except BlankError:
            return False
        statements = self.cells[number].statements
        if any(s.touches or CHECKS in s.binds for s in statements):
            return False
        return not any(SLOW & mentioned(s.text) for _, part in parts for s in part)


def mentioned(code: str) -> set[str]:
    """Return the names that are called in a piece of code, as functions or methods."""
    calls = [node.func for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    return {call.id if isinstance(call, ast.Name) else getattr(call, "attr", "") for call in calls}
