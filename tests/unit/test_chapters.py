"""What every chapter's code must keep to, read from its source."""

from __future__ import annotations

import ast
from pathlib import Path

import jupytext
import pytest

from d2lhelpers import checks

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted(p for p in (ROOT / "book").glob("*.md") if "{code-cell}" in p.read_text("utf-8"))
MAX_LINES, MAX_COLUMNS = 25, 76
ARGUMENT_CHECKS = {name for name in vars(checks) if name.startswith("check_")} | {
    "check_lengths",
    "check_sides",
    "check_stack",
}


def code_cells(chapter: Path) -> list[str]:
    return [c.source for c in jupytext.read(chapter).cells if c.cell_type == "code"]


class Bare(ast.NodeTransformer):
    """Strip what a chapter leaves out for the reader: docstrings, annotations, argument checks.

    And what the package does for speed alone: it makes products for some steps at a time, or for
    the table of embeddings in place of the inputs that are its rows, and adds to one in one call.
    """

    def visit_Call(self, node):
        self.generic_visit(node)
        called = getattr(node.func, "id", "")
        if called == "look_up":
            embedding, tokens, _ = node.args
            return ast.Call(embedding, [tokens], [])
        if called == "products":
            inputs, W, b = node.args
            return ast.BinOp(ast.BinOp(inputs, ast.MatMult(), W), ast.Add(), b)
        if called == "add_product":
            XW, H, W = node.args
            return ast.BinOp(XW, ast.Add(), ast.BinOp(H, ast.MatMult(), W))
        return node

    def visit_AnnAssign(self, node):
        return node if node.value is None else ast.Assign([node.target], node.value)

    def visit_Expr(self, node):
        called = getattr(getattr(node.value, "func", None), "id", "")
        return None if called in ARGUMENT_CHECKS else node

    def visit_body(self, node):
        self.generic_visit(node)
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:]
        return node

    visit_ClassDef = visit_body

    def visit_FunctionDef(self, node):
        node.returns = None
        node.decorator_list = [
            mark for mark in node.decorator_list if getattr(mark, "id", "") != "reads_rows"
        ]
        for argument in [*node.args.args, *node.args.kwonlyargs]:
            argument.annotation = None
        return self.visit_body(node)


def definitions(source: str) -> dict[str, str]:
    """Return the bare syntax tree of each function and class at the top of a source."""
    return {
        node.name: ast.dump(Bare().visit(node), indent=1)
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }


PACKAGE = {
    name: tree
    for module in sorted((ROOT / "d2lhelpers").glob("*.py"))
    for name, tree in definitions(module.read_text("utf-8")).items()
}


def shared_definitions() -> list[tuple[Path, str, str]]:
    return [
        (chapter, name, tree)
        for chapter in CHAPTERS
        for cell in code_cells(chapter)
        for name, tree in definitions(cell).items()
        if name in PACKAGE
    ]


@pytest.mark.parametrize(
    ("chapter", "name", "tree"),
    shared_definitions(),
    ids=lambda value: value.stem if isinstance(value, Path) else value.split("(")[0],
)
def test_what_a_chapter_defines_is_what_the_package_runs(chapter: Path, name: str, tree: str):
    assert tree == PACKAGE[name], f"{chapter.name} and d2lhelpers define {name} differently"


def test_the_rnn_chapter_shows_the_code_that_later_chapters_import():
    shown = {name for chapter, name, _ in shared_definitions() if chapter.stem == "rnn"}
    assert shown >= {"RNN", "LanguageModel", "detach", "train_epoch", "clip_gradients"}


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.stem)
def test_cells_are_short_and_fit_the_page(chapter: Path):
    for cell in code_cells(chapter):
        lines = cell.split("\n")
        assert len(lines) <= MAX_LINES, f"{len(lines)} lines in the cell that starts {lines[0]!r}"
        for line in lines:
            assert len(line) <= MAX_COLUMNS, f"{len(line)} columns: {line!r}"
