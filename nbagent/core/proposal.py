"""A proposal: changes that the model wants, what they replace, which cells to run, and what a trial saw of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, assert_never

from pydantic import BaseModel

from nbagent.core.cells import (
    CellChange,
    DeleteCell,
    InsertCell,
    MoveCell,
    Provenance,
    ReplaceSource,
    Snapshot,
    digest,
)
from nbagent.core.dataflow import dependents
from nbagent.core.errors import NotebookError, UnknownCell
from nbagent.core.outputs import Execution, Refusal, StateChange
from nbagent.core.tools import Delete, Edit, Insert, Move, ProposeChanges, Replace


class Trial(BaseModel, frozen=True):
    """One piece of code that was run in a branch; `cell_id` is set when it was a cell, run to get there.

    may_raise: the cell is tagged `raises-exception`.
    """

    source: str
    execution: Execution
    cell_id: str | None = None
    alternative: bool = False
    may_raise: bool = False

    @property
    def worked(self) -> bool:
        """Whether the code ran to its end, without an exception that is not meant to be."""
        return self.execution.status == "ok" or (self.may_raise and self.execution.status == "raised")


class Evidence(BaseModel, frozen=True):
    """What is known of one proposed code cell before it is accepted; `tried` false means that nobody ran it."""

    cell_id: str
    tried: bool = False
    status: str = ""
    seconds: float = 0.0
    refusals: tuple[Refusal, ...] = ()
    state: StateChange | None = None


class Proposal(BaseModel, frozen=True):
    """What the user is asked to accept. `id` is the call's.

    before: the sources that the changes replace or delete, by cell id, for a diff.
    run: cells to run after the changes, from top to bottom. setup: those of them that are run only because a kernel
    that started without variables needs what they make; their stored outputs stay as they are.
    affected: code cells that are changed or moved, or use what changed. may_raise: those to run that are tagged
    `raises-exception`.
    """

    id: str
    summary: str
    changes: tuple[CellChange, ...] = ()
    before: Mapping[str, str] = {}
    run: tuple[str, ...] = ()
    setup: tuple[str, ...] = ()
    affected: tuple[str, ...] = ()
    may_raise: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()


class Verdict(BaseModel, frozen=True):
    """The user's answer. `only`: indices of the changes that are accepted (None: all); `comment` goes to the model.

    run: whether the cells may be run. Accepting a part voids the evidence of what is left out of the trial.
    """

    answer: Literal["accept", "reject"]
    only: tuple[int, ...] | None = None
    run: bool = True
    comment: str = ""


class Author(BaseModel, frozen=True):
    """Who changes the notebook: `seen` are the digests of the cells as the model last read them."""

    session: str
    turn: int
    call: str
    seen: Mapping[str, str]


def changes_of(edits: Sequence[Edit], author: Author) -> tuple[CellChange, ...]:
    """Return the edits as changes that expect each cell as the model last read it; raise for one it never read."""
    expected = dict(author.seen)
    changes: list[CellChange] = []
    for place, edit in enumerate(edits):
        change = _change(edit, author, expected, place)
        match change:
            case InsertCell():
                expected[change.new_id] = digest(change.source)
            case ReplaceSource():
                expected[change.cell_id] = digest(change.source)
            case _:
                pass
        changes.append(change)
    return tuple(changes)


def _change(edit: Edit, author: Author, expected: Mapping[str, str], place: int) -> CellChange:
    if not isinstance(edit, Insert) and edit.cell not in expected:
        raise UnknownCell(edit.cell)
    match edit:
        case Insert():
            return InsertCell(
                after=edit.after,
                new_id=edit.id or digest(f"{author.session} {author.call} {place}")[:8],
                cell_kind=edit.kind,
                source=edit.source,
                provenance=Provenance(session=author.session, turn=author.turn),
            )
        case Replace():
            return ReplaceSource(cell_id=edit.cell, expects=expected[edit.cell], source=edit.source)
        case Delete():
            return DeleteCell(cell_id=edit.cell, expects=expected[edit.cell])
        case Move():
            return MoveCell(cell_id=edit.cell, expects=expected[edit.cell], after=edit.after)
        case _:
            assert_never(edit)


def proposal(
    order: ProposeChanges, author: Author, notebook: Snapshot, trials: Sequence[Trial], ran: frozenset[str] | None
) -> Proposal:
    """Return the proposal for a call; raises `NotebookError` when an edit cannot be applied to the notebook.

    ran: the cells that the kernel has run, when it started without variables; None for a kernel that the user runs.
    """
    changes = changes_of(order.edits, author)
    after = notebook.apply(changes)
    code = [cell.id for cell in after.cells if cell.kind == "code"]
    affected = _affected(notebook, after, changes) & frozenset(code)
    asked = affected if order.run is None else frozenset(order.run)
    for cell_id in sorted(asked - frozenset(code)):
        raise NotebookError(f"Cell {cell_id!r} in `run` is no code cell of the changed notebook.")
    wanted, setup = asked, frozenset[str]()
    if ran is not None and asked:
        above = frozenset(code[: max(code.index(cell_id) for cell_id in asked)])
        wanted = asked | (above & affected)  # what they made before is not what they make now
        setup = above - ran - wanted
    run = tuple(cell_id for cell_id in code if cell_id in wanted | setup)
    changed = frozenset(touched(changes))
    return Proposal(
        id=author.call,
        summary=order.summary,
        changes=changes,
        before=_replaced(changes, notebook),
        run=run,
        setup=tuple(cell_id for cell_id in code if cell_id in setup),
        affected=tuple(cell_id for cell_id in code if cell_id in affected),
        may_raise=tuple(cell_id for cell_id in run if "raises-exception" in after.cell(cell_id).tags),
        evidence=tuple(
            _evidence(cell_id, after.cell(cell_id).source, trials) for cell_id in code if cell_id in changed
        ),
    )


def _affected(before: Snapshot, after: Snapshot, changes: Sequence[CellChange]) -> frozenset[str]:
    """Cells that are changed or moved, and those that use what changed, where it was and where it is."""
    moved = frozenset(change.cell_id for change in changes if isinstance(change, MoveCell))
    gone = frozenset(change.cell_id for change in changes if isinstance(change, DeleteCell))
    here = frozenset(touched(changes)) | moved
    old = {cell.id: cell.source for cell in before.cells if cell.id not in moved}
    return here | {*dependents(after.cells, here, old), *dependents(before.cells, gone | moved)}


def touched(changes: Sequence[CellChange]) -> tuple[str, ...]:
    """Return the ids of cells whose source is new."""
    return tuple(
        change.new_id if isinstance(change, InsertCell) else change.cell_id
        for change in changes
        if isinstance(change, InsertCell | ReplaceSource)
    )


def accepted(offer: Proposal, verdict: Verdict) -> Proposal:
    """Return what the user accepted of a proposal; a part has no evidence left."""
    if verdict.only is not None:
        changes = tuple(change for place, change in enumerate(offer.changes) if place in verdict.only)
        left_out = frozenset(touched(offer.changes)) - frozenset(touched(changes)) - frozenset(offer.before)
        lists = {
            name: tuple(cell_id for cell_id in getattr(offer, name) if cell_id not in left_out)
            for name in ("run", "setup", "affected", "may_raise")
        }
        offer = offer.model_copy(update={"changes": changes, "evidence": (), **lists})
    return offer if verdict.run else offer.model_copy(update={"run": (), "setup": (), "may_raise": ()})


def undoing(before: Snapshot, changes: Sequence[CellChange]) -> tuple[CellChange, ...]:
    """Return the changes that lead from the notebook after `changes` back to `before`."""
    back: list[CellChange] = []
    for change in changes:
        back.append(_inverse(before, change))
        before = before.apply((change,))
    return tuple(reversed(back))


def _inverse(before: Snapshot, change: CellChange) -> CellChange:
    match change:
        case InsertCell():
            return DeleteCell(cell_id=change.new_id, expects=digest(change.source))
        case ReplaceSource():
            return ReplaceSource(
                cell_id=change.cell_id, expects=digest(change.source), source=before.cell(change.cell_id).source
            )
        case DeleteCell():
            gone = before.cell(change.cell_id)
            return InsertCell(after=_above(before, gone.id), new_id=gone.id, cell_kind=gone.kind, source=gone.source)
        case MoveCell():
            return MoveCell(cell_id=change.cell_id, expects=change.expects, after=_above(before, change.cell_id))
        case _:
            assert_never(change)


def _above(notebook: Snapshot, cell_id: str) -> str | None:
    position = notebook.index(cell_id)
    return notebook.cells[position - 1].id if position else None


def _replaced(changes: Sequence[CellChange], notebook: Snapshot) -> dict[str, str]:
    old = {cell.id: cell.source for cell in notebook.cells}
    gone = [change.cell_id for change in changes if isinstance(change, ReplaceSource | DeleteCell)]
    return {cell_id: old[cell_id] for cell_id in gone if cell_id in old}


def _evidence(cell_id: str, source: str, trials: Sequence[Trial]) -> Evidence:
    for trial in reversed(trials):
        if trial.source.strip() == source.strip():
            run = trial.execution
            return Evidence(
                cell_id=cell_id,
                tried=True,
                status=run.status,
                seconds=run.seconds,
                refusals=run.refusals,
                state=run.state,
            )
    return Evidence(cell_id=cell_id)
