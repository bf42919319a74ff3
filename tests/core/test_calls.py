"""What the model reads of a call: also of one that cannot be finished."""

from __future__ import annotations

from nbagent.core.calls import UNKNOWN, Progressing, cut_short, tried, went_well
from nbagent.core.cells import ReplaceSource
from nbagent.core.events import CellRan
from nbagent.core.model import Part, Text
from nbagent.core.outputs import Execution, StreamText
from nbagent.core.proposal import Proposal, Trial, Verdict

OK, RAISED, GONE = Execution(status="ok"), Execution(status="raised"), Execution(status="timed_out")
CHANGE = ReplaceSource(cell_id="a", expects="0", source="x")
OFFER = Proposal(id="c", summary="s", changes=(CHANGE,), run=("s", "a", "b"), setup=("s",))
YES = Verdict(answer="accept", comment="Go on.")


def printed(text: str) -> Execution:
    return Execution(status="ok", outputs=(StreamText(name="stdout", text=text),))


def ran(cell_id: str, execution: Execution = OK) -> CellRan:
    return CellRan(call_id="c", cell_id=cell_id, digest="0", execution=execution)


def texts(parts: tuple[Part, ...]) -> list[str]:
    return [part.text for part in parts if isinstance(part, Text)]


def cut(call: Progressing) -> list[str]:
    return texts(cut_short(call, "it broke", "outputs", 1000))


def test_a_single_trial_needs_no_heading() -> None:
    assert texts(tried((Trial(source="1", execution=printed("1")),), "outputs", 1000)) == ["1", "[ok, 0.0 s]"]


def test_alternatives_are_numbered_and_cells_on_the_way_are_named() -> None:
    trials = (
        Trial(source="", execution=printed("setup"), cell_id="load"),
        Trial(source="", execution=RAISED, cell_id="clean", may_raise=True),
        Trial(source="", execution=printed("1"), alternative=True),
        Trial(source="", execution=GONE, alternative=True),
        Trial(source="", execution=printed("3")),
    )
    assert texts(tried(trials, "outputs", 1000)) == [
        "Ran first: load, clean.",
        "--- alternative 1",
        "1",
        "[ok, 0.0 s]",
        "--- alternative 2",
        "[timed_out, 0.0 s] Stopped at the time limit.",
        "--- code",
        "3",
        "[ok, 0.0 s]",
    ]


def test_a_cell_that_fails_on_the_way_is_all_that_is_told_and_a_lost_copy_is_said() -> None:
    trials = (Trial(source="", execution=printed("x"), cell_id="a"), Trial(source="", execution=GONE, cell_id="b"))
    assert texts(tried(trials, "outputs", 1000)) == [
        "Ran first: a, b.",
        "--- cell b failed, so the code was not run",
        "[timed_out, 0.0 s] Stopped at the time limit.",
        "The copy of the variables is gone; the next try starts from the live ones.",
    ]


def test_a_cell_that_may_raise_went_well_when_it_did() -> None:
    offer = OFFER.model_copy(update={"may_raise": ("a",)})
    assert [went_well(ran("a", end), offer) for end in (OK, RAISED, GONE)] == [True, True, False]
    assert not went_well(ran("b", RAISED), offer)


def test_a_call_that_never_began_is_not_done() -> None:
    assert cut(Progressing()) == ["Not done: it broke before it began."]
    assert cut(Progressing(proposal=OFFER, verdict=YES)) == ["Not done: it broke before it began."]


def test_a_call_that_began_has_an_unknown_outcome() -> None:
    words = (
        "Outcome unknown: it broke while it ran. It may have happened, in part or whole: look before you do it again."
    )
    assert cut(Progressing(started=True)) == [words]
    assert cut(Progressing(started=True, proposal=OFFER, verdict=YES)) == [words]


def test_a_trial_whose_outcome_was_kept_is_told() -> None:
    done = Progressing(started=True, tried=(Trial(source="1", execution=printed("1")),))
    assert cut(done) == ["1", "[ok, 0.0 s]"]


def test_of_accepted_cells_is_told_what_ran_what_is_unknown_and_what_did_not_run() -> None:
    applied = Progressing(started=True, proposal=OFFER, verdict=YES, applied=True)
    assert cut(applied) == ["Applied 1 change. Go on.", "Not run, because it broke: s, a, b."]
    running = Progressing(
        started=True, proposal=OFFER, verdict=YES, applied=True, running="a", results=(ran("s", printed("setup")),)
    )
    assert cut(running) == [
        "Applied 1 change. Go on.",
        "Cell a: " + UNKNOWN.format(why="it broke"),
        "Not run, because it broke: b.",
    ]


def test_a_rejected_proposal_was_not_taken() -> None:
    assert Progressing(proposal=OFFER, verdict=Verdict(answer="reject")).taken is None
    assert Progressing(proposal=OFFER).taken is None
    assert Progressing().taken is None
    assert Progressing(proposal=OFFER, verdict=YES).taken == OFFER
