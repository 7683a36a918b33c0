"""The progress table: short whatever the run, one output in a notebook, lines on a terminal."""

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbclient import NotebookClient

from d2lhelpers.progress import ProgressTable


@given(st.integers(1, 2000), st.integers(1, 12))
def test_few_lines_and_the_last_step_whatever_the_number_of_steps(steps: int, rows: int) -> None:
    table = ProgressTable(["step"], steps, show=True, rows=rows)
    for step in range(1, steps + 1):
        table.add(str(step))
    shown = [int(cells[0]) for cells in table.lines]
    assert min(steps, (rows + 1) // 2) <= len(shown) <= rows
    assert shown == sorted(set(shown))
    assert shown[-1] == steps
    assert table.html().count("<tr>") == 1 + len(shown)


def test_terminal_prints_each_line_once(capsys: pytest.CaptureFixture[str]) -> None:
    table = ProgressTable(["epoch", "loss"], steps=20)
    for step in range(1, 21):
        table.add(str(step), f"{1 / step:.2f}")
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        ["epoch", "loss"],
        *([str(i), f"{1 / i:.2f}"] for i in (3, 6, 9, 12, 15, 18)),
        ["20", "0.05"],
    ]


def test_hidden_table_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    ProgressTable(["epoch"], steps=1, show=False).add("1")
    assert capsys.readouterr().out == ""


def test_html_names_its_columns() -> None:
    table = ProgressTable(["epoch", "held-out"], steps=1)
    table.add("1", "12.34")
    assert '<th scope="col">epoch</th><th scope="col">held-out</th>' in table.html()
    assert "<tr><td>1</td><td>12.34</td></tr>" in table.html()


def test_html_shows_cells_as_they_are() -> None:
    table = ProgressTable(["a < b", "c"], steps=1)
    table.add("<b>1</b>", 'x & "y"')
    assert '<th scope="col">a &lt; b</th>' in table.html()
    assert "<td>&lt;b&gt;1&lt;/b&gt;</td><td>x &amp; &quot;y&quot;</td>" in table.html()


@pytest.mark.parametrize("cells", [[], ["1"], ["1", "2", "3"]])
def test_a_line_has_a_cell_for_each_column(cells: list[str]) -> None:
    message = f"{len(cells)} cells were added: there must be one for each of the 2 columns; pass"
    with pytest.raises(ValueError, match=message):
        ProgressTable(["epoch", "loss"], steps=3, show=False).add(*cells)


def test_steps_beyond_those_announced_do_not_each_add_a_line() -> None:
    table = ProgressTable(["step"], steps=20, rows=4)
    for step in range(40):
        table.add(str(step))
    assert len(table.lines) <= 8


@pytest.mark.parametrize("name", ["steps", "rows"])
def test_sizes_must_be_positive(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is 0: it must be positive; pass"):
        ProgressTable(["epoch"], **({"steps": 5} | {name: 0}))


def test_one_html_table_stays_in_a_notebook() -> None:
    source = """from d2lhelpers.progress import ProgressTable
table = ProgressTable(["epoch", "loss"], steps=20)
for step in range(1, 21): table.add(str(step), f"{1 / step:.2f}")"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    (output,) = notebook.cells[0].outputs
    assert output.output_type == "display_data"
    html = output.data["text/html"]
    assert html.count("<table") == 1
    assert html.count("<tr>") == 1 + 7
    assert "<td>20</td><td>0.05</td>" in html
