"""Blanks: what is cut out of a cell, what stays, and which cells come with it."""

from __future__ import annotations

import pytest
from course.blanks import BlankError, Cell, Plan, cut, head_of, without_import

LAYER = '''\
class Layer(Base):  # a comment
    def __init__(self, size):
        self.size = size  # as given

    def forward(
        self,
        x,  # (T, B, D)
        state=None,
    ):
        """Old words."""
        # how it is done
        y = x @ self.W
        return y, state
        # an afterthought

    def last(self):
        return 1


layer = Layer(3)
'''


def test_a_method_is_cut_and_nothing_else() -> None:
    expected = LAYER.replace("Old words.", "New words.")
    body = expected[expected.index("        # how") : expected.index("\n    def last")]
    expected = expected.replace(body, '        raise NotImplementedError("your turn")\n')
    assert cut(LAYER, {"Layer.forward": "New words."}) == expected
    assert "Old words." in cut(LAYER, {"Layer.forward": ""})


def test_several_functions_are_cut() -> None:
    source = "def f(x):\n    return x\n\n\ndef g(x):\n    return f(x)\n\n\nprint(g(1))"
    assert cut(source, {"g": "G.", "f": "F.\n\nTakes x."}) == (
        'def f(x):\n    """F.\n\n    Takes x.\n    """\n    raise NotImplementedError("your turn")'
        '\n\n\ndef g(x):\n    """G."""\n    raise NotImplementedError("your turn")'
        "\n\n\nprint(g(1))"
    )


@pytest.mark.parametrize(
    ("name", "doc", "message"),
    [
        ("Layer.backward", "A.", "does not define Layer.backward; it defines Layer.__init__, "),
        ("Layer", "A.", "does not define Layer;"),
        ("Layer.last", "", "Layer.last has no docstring: .* add `doc` to the task"),
    ],
)
def test_what_cannot_be_cut_is_said(name: str, doc: str, message: str) -> None:
    with pytest.raises(BlankError, match=message):
        cut(LAYER, {name: doc})


def test_a_body_in_the_line_of_its_head_is_refused() -> None:
    with pytest.raises(BlankError, match="no body below its first line"):
        cut("def f(x): return x", {"f": "F."})


def test_a_function_of_the_package_becomes_a_head() -> None:
    module = "def f(a: Tensor, *, size: int = 3) -> Tensor:\n    return a\n"
    assert head_of(module, "f") == "def f(a, *, size=3):\n    pass"
    with pytest.raises(BlankError, match="no function g"):
        head_of(module, "g")
    assert without_import("from a.b import f, g\nx = g()", "a.b", "f") == (
        "from a.b import g\nx = g()"
    )
    assert without_import("from a.b import f\nx = 1", "a.b", "f") == "x = 1"
    with pytest.raises(BlankError, match=r"does not say `from a\.c import f`"):
        without_import("from a.b import f", "a.c", "f")


CELLS = {
    0: "import math\n\nT = 5",
    1: "H = 4  # units\nnot_needed = 2",
    2: "def helper(x):\n    H = x\n    return size(H)",
    3: "def size(x):\n    return math.sqrt(x)",
    4: "def other(x):\n    return x\n\n\n"
    "def blank(x):\n    T = x\n    return helper(T)\n\n\nprint(blank(H))",
    5: "answer = blank(2)",
    6: "def again(x):\n    return blank(x)",
    7: "def trained():\n    loss.backward()",
    8: "trained()",
    9: "shown = T + 1",
    10: "def use(x):\n    return answer",
}


def test_a_blank_brings_what_it_needs_and_no_more() -> None:
    # The chapter defines `size` after `helper`, which is found no more than Python would before.
    cells = {**CELLS, 2: CELLS[3], 3: CELLS[2]}
    plan = Plan(cells, {4: {"blank"}})
    plan.include(4)
    assert [number for number in cells if plan.text(number)] == [0, 2, 3, 4]
    assert plan.text(4) == CELLS[4].split("\n\n\n")[1]  # not another, nor the line that runs it


def test_cells_that_run_into_a_blank_or_train_are_not_light() -> None:
    plan = Plan(CELLS, {4: {"blank"}})
    assert {number: plan.light(number) for number in (1, 5, 6, 8, 9)} == {
        1: True,
        5: False,
        6: False,
        8: False,
        9: True,
    }


def test_what_only_a_blank_can_give_is_refused() -> None:
    plan = Plan(CELLS, {4: {"blank"}, 10: {"use"}})
    with pytest.raises(BlankError, match="answer comes from a cell that runs what is blank"):
        plan.include(10)


def test_the_name_of_the_checks_is_not_taken() -> None:
    plan = Plan({0: "def check(x):\n    return x", 1: "def f(x):\n    return check(x)"}, {1: {"f"}})
    assert not plan.light(0)
    with pytest.raises(BlankError, match="takes the name check"):
        plan.include(1)


def test_variables_of_a_function_are_its_own() -> None:
    cell = Cell(
        "def f(H):\n    for b in H:\n        yield b, T\n\n\nfor i in range(3):\n    print(i)"
    )
    assert [s.reads for s in cell.statements] == [{"T"}, {"range", "print"}]
    assert [s.binds for s in cell.statements] == [{"f"}, {"i"}]
