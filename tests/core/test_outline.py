"""The notebook as the model sees it first, on demand, and again."""

from __future__ import annotations

import pytest

from nbagent.core.cells import Cell, Snapshot
from nbagent.core.errors import UnknownCell
from nbagent.core.model import Part, Text
from nbagent.core.outline import digests, news, opening, outline, read, variables
from nbagent.core.outputs import Display, StreamText
from nbagent.core.shorten import tokens
from nbagent.core.tools import ReadCells


def printed(text: str) -> StreamText:
    return StreamText(name="stdout", text=text)


TITLE = Cell(id="title", kind="markdown", source="# Sales\n\nof 2025")
LOAD = Cell(id="load", kind="code", source="%%time\nsales = read()\n", execution_count=5, outputs=(printed("ok\n"),))
PLOT = Cell(
    id="plot",
    kind="code",
    source="plot(sales)",
    execution_count=2,
    outputs=(Display(data={"image/png": "aGk="}), printed("Ann Miller")),
)
EMPTY = Cell(id="empty", kind="code", source="")
LONG = Cell(id="long", kind="raw", source="x" * 100)
NOTEBOOK = Snapshot(path="n.ipynb", cells=(TITLE, LOAD, PLOT, EMPTY, LONG), kernel="python3", language="python")
LINES = [
    "title markdown: # Sales +2 lines",
    "load code [5]: sales = read() +1 lines  => stdout 1 line",
    "plot code [2] (stale: load changed or ran later): plot(sales)  => picture, stdout 1 line",
    "empty code [not run]: (empty)",
    "long raw: " + "x" * 87 + "...",
]


def test_each_cell_is_one_line_with_its_state_size_and_outputs() -> None:
    assert outline(NOTEBOOK.cells, NOTEBOOK).splitlines() == LINES


def test_the_first_sight_names_the_notebook_and_its_kernel() -> None:
    assert opening(NOTEBOOK) == "\n".join(["Notebook n.ipynb (5 cells, kernel python3, python):", *LINES])
    assert opening(Snapshot(path="m.ipynb")) == (
        "Notebook m.ipynb (0 cells, no kernel named, language not named):\n(no cells)"
    )


def test_a_long_outline_is_cut_and_says_how_to_see_the_rest() -> None:
    cells = tuple(LONG.model_copy(update={"id": f"c{n}"}) for n in range(100))
    text = outline(cells, Snapshot(path="", cells=cells), 300)
    assert tokens(text) <= 300
    assert "read_cells with `start` or `find` shows the rest" in text


def test_only_what_is_new_is_told_again() -> None:
    seen = digests((TITLE, LOAD, LONG))
    assert news(seen | {"gone": "1", "plot": "old", "empty": EMPTY.digest}, NOTEBOOK) == (
        f"The user deleted the cells gone.\nThese cells are new or changed since you saw them:\n{LINES[2]}"
    )
    assert news(digests(NOTEBOOK.cells), NOTEBOOK) == ""


def shown(order: ReadCells, level: str = "outputs", limit: int = 1000) -> list[str]:
    parts: tuple[Part, ...] = read(order, NOTEBOOK, level, limit)[0]  # type: ignore[arg-type]
    return [part.text if isinstance(part, Text) else part.kind for part in parts]


def test_cells_are_read_whole_with_their_outputs() -> None:
    assert shown(ReadCells(cells=("title", "plot"))) == [
        "--- title markdown\n# Sales\n\nof 2025",
        "--- plot code [2] (stale: load changed or ran later)\nplot(sales)",
        "--- outputs of plot",
        "image",
        "Ann Miller",
    ]
    assert len(shown(ReadCells(cells=("plot",), outputs=False))) == 1


def test_what_was_read_may_be_changed() -> None:
    assert read(ReadCells(cells=("plot",)), NOTEBOOK, "outputs", 1000)[1] == {"plot": PLOT.digest}
    assert read(ReadCells(), NOTEBOOK, "outputs", 1000)[1] == digests(NOTEBOOK.cells)


@pytest.mark.parametrize(
    ("order", "lines"),
    [
        (ReadCells(), LINES),
        (ReadCells(start="empty"), LINES[3:]),
        (ReadCells(find="SALES"), LINES[:3]),
        (ReadCells(find="ann m"), [LINES[2]]),
        (ReadCells(find="nowhere"), ["(no cells)"]),
    ],
)
def test_the_outline_can_be_searched_and_begun_lower(order: ReadCells, lines: list[str]) -> None:
    assert shown(order) == ["\n".join(lines)]


def test_what_is_withheld_cannot_be_searched_for() -> None:
    assert shown(ReadCells(find="ann m"), "schema") == ["(no cells)"]


def test_a_long_source_is_cut_to_its_share() -> None:
    (text,) = shown(ReadCells(cells=("long",)), limit=12)
    assert "about 13 tokens cut" in text


@pytest.mark.parametrize("order", [ReadCells(cells=("no",)), ReadCells(start="no")])
def test_a_cell_that_is_not_there_is_named(order: ReadCells) -> None:
    with pytest.raises(UnknownCell, match="'no'"):
        shown(order)


def test_variables_are_told_by_type_alone_within_a_limit() -> None:
    assert variables(()) == "No variables are live yet."
    assert variables((("a", "int"), ("df", "DataFrame 3 x 2"))) == "Live variables:\na: int\ndf: DataFrame 3 x 2"
    assert tokens(variables([(f"v{n}", "int") for n in range(1000)], 100)) <= 100
