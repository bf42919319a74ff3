"""Cells, and changes to them that name what they expect to find.

A change names a cell id and the digest of the source it replaces, never an index. Changes are all or nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Annotated, Literal, assert_never

from pydantic import BaseModel, Field

from nbagent.core.errors import CellExists, StaleCell, UnknownCell
from nbagent.core.outputs import Output

CellKind = Literal["code", "markdown", "raw"]


def digest(source: str) -> str:
    """Return the name of a source text: the first 16 hex digits of its SHA-256."""
    return hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()[:16]


class Provenance(BaseModel, frozen=True):
    """Which session and turn wrote a cell; stored as `metadata.nbagent`."""

    session: str
    turn: int


class Cell(BaseModel, frozen=True):
    """One cell as it was read. `id` is derived for notebooks older than nbformat 4.5, and then never written."""

    id: str
    kind: CellKind
    source: str
    outputs: tuple[Output, ...] = ()
    execution_count: int | None = None
    tags: tuple[str, ...] = ()
    provenance: Provenance | None = None

    @property
    def digest(self) -> str:
        """The digest that a change to this cell must expect."""
        return digest(self.source)


class InsertCell(BaseModel, frozen=True):
    """A new cell below `after` (None: at the top)."""

    kind: Literal["insert"] = "insert"
    after: str | None
    new_id: str
    cell_kind: CellKind = "code"
    source: str
    provenance: Provenance | None = None


class ReplaceSource(BaseModel, frozen=True):
    """A cell gets another source; its id and metadata stay."""

    kind: Literal["replace"] = "replace"
    cell_id: str
    expects: str
    source: str


class DeleteCell(BaseModel, frozen=True):
    """A cell goes."""

    kind: Literal["delete"] = "delete"
    cell_id: str
    expects: str


class MoveCell(BaseModel, frozen=True):
    """A cell goes below `after` (None: to the top), unchanged."""

    kind: Literal["move"] = "move"
    cell_id: str
    expects: str
    after: str | None


class SetKernel(BaseModel, frozen=True):
    """The notebook names another kernelspec."""

    kind: Literal["kernel"] = "kernel"
    expects: str | None
    name: str
    display_name: str
    language: str = "python"


CellChange = Annotated[InsertCell | ReplaceSource | DeleteCell | MoveCell, Field(discriminator="kind")]
"""What an agent may propose: a change of cells, that can be taken back."""
Change = Annotated[CellChange | SetKernel, Field(discriminator="kind")]


class Snapshot(BaseModel, frozen=True):
    """A notebook at one moment. `kernel` is the kernelspec's name, `language` its language, as the notebook says."""

    path: str
    cells: tuple[Cell, ...] = ()
    kernel: str | None = None
    language: str | None = None

    def cell(self, cell_id: str) -> Cell:
        """Return the cell with this id, or raise `UnknownCell`."""
        return self.cells[self.index(cell_id)]

    def index(self, cell_id: str) -> int:
        """Return where the cell stands today, or raise `UnknownCell`."""
        for position, cell in enumerate(self.cells):
            if cell.id == cell_id:
                return position
        raise UnknownCell(cell_id)

    def apply(self, changes: Sequence[Change]) -> Snapshot:
        """Return the notebook after all changes; one that does not fit raises, and nothing is changed.

        Raises `StaleCell`, `UnknownCell`, `CellExists`.
        """
        after = self
        for change in changes:
            after = after._with(change)
        return after

    def _with(self, change: Change) -> Snapshot:
        match change:
            case InsertCell():
                if any(cell.id == change.new_id for cell in self.cells):
                    raise CellExists(change.new_id)
                new = Cell(id=change.new_id, kind=change.cell_kind, source=change.source, provenance=change.provenance)
                return self._placed(new, change.after)
            case ReplaceSource():
                position = self._expected(change.cell_id, change.expects)
                cell = self.cells[position].model_copy(
                    update={"source": change.source, "outputs": (), "execution_count": None}
                )
                return self._cells((*self.cells[:position], cell, *self.cells[position + 1 :]))
            case DeleteCell():
                return self._without(self._expected(change.cell_id, change.expects))
            case MoveCell():
                position = self._expected(change.cell_id, change.expects)
                return self._without(position)._placed(self.cells[position], change.after)
            case SetKernel():
                if self.kernel != change.expects:
                    raise StaleCell("kernelspec")
                return self.model_copy(update={"kernel": change.name, "language": change.language})
            case _:
                assert_never(change)

    def _expected(self, cell_id: str, expects: str) -> int:
        position = self.index(cell_id)
        if self.cells[position].digest != expects:
            raise StaleCell(cell_id)
        return position

    def _placed(self, cell: Cell, after: str | None) -> Snapshot:
        position = 0 if after is None else self.index(after) + 1
        return self._cells((*self.cells[:position], cell, *self.cells[position:]))

    def _without(self, position: int) -> Snapshot:
        return self._cells(self.cells[:position] + self.cells[position + 1 :])

    def _cells(self, cells: tuple[Cell, ...]) -> Snapshot:
        return self.model_copy(update={"cells": cells})
