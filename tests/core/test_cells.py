"""Changes of cells: each names what it expects, all apply or none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from nbagent.core.cells import (
    Cell,
    Change,
    DeleteCell,
    InsertCell,
    MoveCell,
    Provenance,
    ReplaceSource,
    SetKernel,
    Snapshot,
    digest,
)
from nbagent.core.errors import CellExists, NotebookError, StaleCell, UnknownCell
from nbagent.core.outputs import StreamText

A, B, C = (
    Cell(id=name, kind="code", source=name, execution_count=1, outputs=(StreamText(name="stdout", text=name),))
    for name in "abc"
)
NOTEBOOK = Snapshot(path="n.ipynb", cells=(A, B, C), kernel="python2", language="python")
NEW = InsertCell(after="a", new_id="n", cell_kind="markdown", source="# n", provenance=Provenance(session="s", turn=1))


def after(*changes: Change) -> tuple[Cell, ...]:
    return NOTEBOOK.apply(changes).cells


def test_a_new_cell_stands_below_the_named_one_or_at_the_top() -> None:
    new = Cell(id="n", kind="markdown", source="# n", provenance=Provenance(session="s", turn=1))
    assert after(NEW) == (A, new, B, C)
    assert after(NEW.model_copy(update={"after": None})) == (new, A, B, C)


def test_another_source_takes_the_old_outputs_away() -> None:
    assert after(ReplaceSource(cell_id="b", expects=B.digest, source="x")) == (
        A,
        Cell(id="b", kind="code", source="x"),
        C,
    )


def test_cells_go_and_move_unchanged() -> None:
    assert after(DeleteCell(cell_id="a", expects=A.digest)) == (B, C)
    assert after(MoveCell(cell_id="a", expects=A.digest, after="c")) == (B, C, A)
    assert after(MoveCell(cell_id="c", expects=C.digest, after=None)) == (C, A, B)


def test_the_kernel_is_another_one_when_it_is_the_expected_one() -> None:
    change = SetKernel(expects="python2", name="python3", display_name="Python 3", language="python")
    assert NOTEBOOK.apply((change,)) == NOTEBOOK.model_copy(update={"kernel": "python3"})
    with pytest.raises(StaleCell, match="kernelspec"):
        NOTEBOOK.apply((change, change))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (ReplaceSource(cell_id="b", expects=digest("other"), source="x"), StaleCell("b")),
        (DeleteCell(cell_id="b", expects=digest("other")), StaleCell("b")),
        (MoveCell(cell_id="b", expects=digest("other"), after=None), StaleCell("b")),
        (DeleteCell(cell_id="z", expects=B.digest), UnknownCell("z")),
        (InsertCell(after="z", new_id="m", source=""), UnknownCell("z")),
        (MoveCell(cell_id="b", expects=B.digest, after="z"), UnknownCell("z")),
        (InsertCell(after=None, new_id="b", source=""), CellExists("b")),
    ],
)
def test_a_change_that_does_not_fit_is_refused_by_name(change: Change, error: NotebookError) -> None:
    with pytest.raises(type(error)) as raised:
        NOTEBOOK.apply((NEW, change))
    assert str(raised.value) == str(error)


def test_a_cell_is_found_by_its_id_alone() -> None:
    assert NOTEBOOK.cell("b") == B
    assert NOTEBOOK.index("c") == 2


@given(some.text(), some.text())
def test_a_digest_names_a_source(one: str, other: str) -> None:
    assert (digest(one) == digest(other)) == (one == other)
    assert len(digest(one)) == 16


def test_a_source_with_half_a_character_has_a_digest_too() -> None:
    assert digest("\ud800") != digest("")
