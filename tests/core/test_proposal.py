"""A proposal: edits as changes, what they affect, what was seen of them, and the way back."""

from __future__ import annotations

from typing import Any

import pytest

from nbagent.core.cells import (
    Cell,
    CellChange,
    DeleteCell,
    InsertCell,
    MoveCell,
    Provenance,
    ReplaceSource,
    Snapshot,
    digest,
)
from nbagent.core.errors import NbAgentError, StaleCell, UnknownCell
from nbagent.core.outputs import Execution, Refusal, StateChange
from nbagent.core.proposal import Author, Evidence, Proposal, Trial, Verdict, accepted, proposal, undoing
from nbagent.core.tools import ProposeChanges


def cell(name: str, source: str, *tags: str) -> Cell:
    return Cell(id=name, kind="code", source=source, tags=tags)


LOAD, CLEAN, PLOT, NOTE = (
    cell("load", "a = 1"),
    cell("clean", "b = a"),
    cell("plot", "print(b)", "raises-exception"),
    Cell(id="note", kind="markdown", source="text"),
)
NOTEBOOK = Snapshot(path="n.ipynb", cells=(LOAD, CLEAN, NOTE, PLOT))
AUTHOR = Author(session="s", turn=2, call="c1", seen={c.id: c.digest for c in NOTEBOOK.cells})
BY = Provenance(session="s", turn=2)


def offered(
    *edits: dict[str, Any],
    run: list[str] | None = None,
    ran: frozenset[str] | None = None,
    trials: tuple[Trial, ...] = (),
) -> Proposal:
    order = ProposeChanges.model_validate({"summary": "why", "edits": edits, "run": run})
    return proposal(order, AUTHOR, NOTEBOOK, trials, ran)


INSERT = {"op": "insert", "after": "load", "source": "c = 1", "id": "new"}
REPLACE = {"op": "replace", "cell": "load", "source": "a = 2"}
DELETE = {"op": "delete", "cell": "clean"}
MOVE = {"op": "move", "cell": "plot", "after": None}
REPLACED = ReplaceSource(cell_id="load", expects=LOAD.digest, source="a = 2")
INSERTED = InsertCell(after="load", new_id="new", source="c = 1", provenance=BY)


def test_a_proposal_says_all_that_is_known_before_it_is_accepted() -> None:
    state = StateChange()
    seen = Execution(status="ok", seconds=2.0, refusals=(Refusal(what="read", target="/x"),), state=state)
    trials = (Trial(source="a = 2", execution=Execution(status="raised")), Trial(source=" a = 2\n", execution=seen))
    assert offered(REPLACE, INSERT, trials=trials) == Proposal(
        id="c1",
        summary="why",
        changes=(REPLACED, INSERTED),
        before={"load": "a = 1"},
        run=("load", "new", "clean", "plot"),
        affected=("load", "new", "clean", "plot"),
        may_raise=("plot",),
        evidence=(
            Evidence(cell_id="load", tried=True, status="ok", seconds=2.0, refusals=seen.refusals, state=state),
            Evidence(cell_id="new"),
        ),
    )


@pytest.mark.parametrize(
    ("edit", "change"),
    [
        (DELETE, DeleteCell(cell_id="clean", expects=CLEAN.digest)),
        (MOVE, MoveCell(cell_id="plot", expects=PLOT.digest, after=None)),
        (INSERT | {"kind": "markdown"}, INSERTED.model_copy(update={"cell_kind": "markdown"})),
    ],
)
def test_each_edit_becomes_a_change_that_expects_what_was_read(edit: dict[str, Any], change: CellChange) -> None:
    assert offered(edit).changes == (change,)


def test_a_new_cell_without_an_id_gets_one_of_its_own() -> None:
    unnamed = {"op": "insert", "after": None, "source": "c = 1"}
    first, second = offered(unnamed, unnamed).changes
    assert isinstance(first, InsertCell)
    assert isinstance(second, InsertCell)
    assert first.new_id == offered(unnamed).run[0] == digest("s c1 0")[:8]
    assert second.new_id != first.new_id


def test_a_later_edit_may_build_on_an_earlier_one() -> None:
    again = {"op": "replace", "cell": "new", "source": "c = 2"}
    offer = offered(INSERT, again, REPLACE, REPLACE | {"source": "a = 3"})
    assert offer.changes[1] == ReplaceSource(cell_id="new", expects=digest("c = 1"), source="c = 2")
    assert offer.changes[3] == ReplaceSource(cell_id="load", expects=digest("a = 2"), source="a = 3")
    assert offer.before == {"load": "a = 1"}


def test_what_used_a_cell_is_affected_when_it_goes_or_moves() -> None:
    assert offered(DELETE).affected == ("plot",)
    assert offered({"op": "move", "cell": "load", "after": "plot"}).affected == ("clean", "plot", "load")
    assert offered({"op": "replace", "cell": "note", "source": "new text"}).affected == ()


@pytest.mark.parametrize(
    ("edits", "run", "error"),
    [
        ([{"op": "replace", "cell": "x", "source": ""}], None, UnknownCell("x")),
        ([INSERT, INSERT], None, NbAgentError("There is a cell 'new' already. Choose another id.")),
        ([], ["note"], NbAgentError("Cell 'note' in `run` is no code cell of the changed notebook.")),
        ([DELETE], ["clean"], NbAgentError("Cell 'clean' in `run` is no code cell of the changed notebook.")),
    ],
)
def test_what_cannot_be_applied_or_run_is_refused(edits: list[Any], run: list[str] | None, error: Exception) -> None:
    with pytest.raises(NbAgentError) as raised:
        offered(*edits, run=run)
    assert str(raised.value) == str(error)


def test_a_cell_that_is_not_as_it_was_read_is_refused() -> None:
    stale = AUTHOR.model_copy(update={"seen": {"load": digest("other")}})
    with pytest.raises(StaleCell):
        proposal(ProposeChanges.model_validate({"summary": "", "edits": [REPLACE]}), stale, NOTEBOOK, (), None)


def test_in_a_kernel_of_the_users_only_the_wanted_cells_run() -> None:
    offer = offered(run=["plot"])
    assert (offer.run, offer.setup) == (("plot",), ())


def test_in_an_empty_kernel_the_cells_above_run_first_unless_they_did() -> None:
    offer = offered(run=["plot"], ran=frozenset({"load"}))
    assert (offer.run, offer.setup) == (("clean", "plot"), ("clean",))
    assert offered(ran=frozenset()).run == ()


def test_in_an_empty_kernel_what_changed_above_runs_again_and_is_stored() -> None:
    offer = offered(REPLACE, run=["plot"], ran=frozenset({"load", "clean"}))
    assert (offer.run, offer.setup) == (("load", "clean", "plot"), ())


def test_the_whole_of_a_proposal_is_accepted_as_it_is() -> None:
    offer = offered(REPLACE, INSERT)
    assert accepted(offer, Verdict(answer="accept")) == offer


def test_accepted_without_running_nothing_is_run_but_it_counts_as_affected() -> None:
    offer = offered(REPLACE)
    taken = accepted(offer, Verdict(answer="accept", run=False))
    assert taken == offer.model_copy(update={"run": (), "may_raise": ()})


def test_a_part_has_no_evidence_and_leaves_out_the_cells_that_are_not_there() -> None:
    offer = offered(REPLACE, INSERT, trials=(Trial(source="a = 2", execution=Execution(status="ok")),))
    assert accepted(offer, Verdict(answer="accept", only=(0,))) == offer.model_copy(
        update={
            "changes": (REPLACED,),
            "evidence": (),
            "run": ("load", "clean", "plot"),
            "affected": ("load", "clean", "plot"),
        }
    )
    assert accepted(offer, Verdict(answer="accept", only=(1,))).run == ("load", "new", "clean", "plot")


def test_the_way_back_leads_to_every_source_and_place() -> None:
    offer = offered(INSERT, REPLACE, DELETE, MOVE, {"op": "delete", "cell": "load"})
    back = undoing(NOTEBOOK, offer.changes)
    assert NOTEBOOK.apply(offer.changes).apply(back) == NOTEBOOK
    assert back[0] == InsertCell(after="plot", new_id="load", source="a = 2")
    assert back[-1] == DeleteCell(cell_id="new", expects=digest("c = 1"))


def test_a_trial_worked_when_it_ended_as_it_is_meant_to() -> None:
    raised = Execution(status="raised")
    assert not Trial(source="", execution=raised).worked
    assert Trial(source="", execution=raised, may_raise=True).worked
    assert not Trial(source="", execution=Execution(status="exited"), may_raise=True).worked
