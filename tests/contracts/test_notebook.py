"""What `ports.Notebook` promises: a change is whole or not at all, and what was changed is what is read."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from nbagent.core.cells import Cell, DeleteCell, InsertCell, ReplaceSource, Snapshot
from nbagent.core.errors import StaleCell, UnknownCell
from nbagent.core.outputs import Execution, StreamText
from nbagent.notebooks.file import FileNotebook
from nbagent.ports import Notebook
from nbagent.testing import MemoryNotebook


@pytest.fixture(params=["memory", "file"])
def notebook(request: pytest.FixtureRequest, tmp_path: Path) -> Notebook:
    if request.param == "memory":
        cells = tuple(Cell(id=name, kind="code", source=f"{name} = 1") for name in "ab")
        return MemoryNotebook(Snapshot(path="n.ipynb", cells=cells))
    path = tmp_path / "n.ipynb"
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(f"{name} = 1", id=name) for name in "ab"])
    nbformat.write(made, path)
    return FileNotebook(path)


async def test_what_was_changed_is_returned_and_read(notebook: Notebook) -> None:
    a, b = (await notebook.read()).cells
    after = await notebook.change(
        [
            ReplaceSource(cell_id="a", expects=a.digest, source="a = 2"),
            DeleteCell(cell_id="b", expects=b.digest),
            InsertCell(after="a", new_id="c", source="c = 3"),
        ]
    )
    assert [(cell.id, cell.source) for cell in after.cells] == [("a", "a = 2"), ("c", "c = 3")]
    assert await notebook.read() == after


@pytest.mark.parametrize(("cell", "error"), [("b", StaleCell), ("gone", UnknownCell)])
async def test_one_bad_change_leaves_all_undone(notebook: Notebook, cell: str, error: type[Exception]) -> None:
    before = await notebook.read()
    good = ReplaceSource(cell_id="a", expects=before.cell("a").digest, source="a = 2")
    with pytest.raises(error):
        await notebook.change([good, DeleteCell(cell_id=cell, expects="0" * 16)])
    assert await notebook.read() == before


async def test_outputs_and_count_are_stored_in_their_cell_alone(notebook: Notebook) -> None:
    before = await notebook.read()
    said = StreamText(name="stdout", text="hello\n")
    await notebook.record("a", Execution(status="ok", outputs=(said,), execution_count=4))
    after = await notebook.read()
    assert (after.cell("a").outputs, after.cell("a").execution_count) == ((said,), 4)
    assert after.cell("b") == before.cell("b")


async def test_nothing_is_recorded_in_a_cell_that_is_not_there(notebook: Notebook) -> None:
    before = await notebook.read()
    with pytest.raises(UnknownCell):
        await notebook.record("gone", Execution(status="ok"))
    assert await notebook.read() == before
