"""What comes next follows from the session alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nbagent.core import events as e
from nbagent.core import prompt
from nbagent.core.budget import Budget, Prices
from nbagent.core.calls import Progressing
from nbagent.core.decide import (
    Action,
    ApplyChanges,
    AskConsent,
    AskModel,
    Compact,
    Deed,
    LookAtNotebook,
    Note,
    RunCell,
    UseTool,
    decide,
    request,
    summary_request,
    time_left,
)
from nbagent.core.model import (
    AssistantMessage,
    Image,
    ModelAnswer,
    ModelFacts,
    ModelRequest,
    Native,
    Notice,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
    Usage,
    UserMessage,
)
from nbagent.core.outputs import Execution
from nbagent.core.proposal import Proposal, Trial, Verdict
from nbagent.core.session import Session
from nbagent.core.tools import AskUser, ProposeChanges, ReadCells, TryCode, specs

TERMS = e.Terms(model=ModelFacts(provider="p", name="m"))
NATIVE = Native(protocol="chat", provider="p", item={"x": 1})


def session(*events: e.Event, **terms: Any) -> Session:
    opening = e.SessionStarted(session="s", notebook="n.ipynb", terms=TERMS.model_copy(update=terms))
    return Session.of((opening, e.UserSpoke(text="Go."), *events))


SEEN = e.NotebookSeen(text="cells", cells={"a": "1"})
ASKED = (SEEN, e.ModelAsked())


def answered(*items: AssistantMessage | ToolCall | Reasoning, stop: Any = "done") -> tuple[e.Event, ...]:
    return (*ASKED, e.ModelAnswered(answer=ModelAnswer(items=items, stop=stop, usage=Usage(input=50, output=50))))


def call(name: str, **arguments: object) -> ToolCall:
    return ToolCall(id="1", name=name, arguments=json.dumps(arguments))


DONE = answered(AssistantMessage(text="Done."))
TRY = call("try_code", code="1")
PROPOSE = call("propose_changes", summary="s", run=["a", "b"])
OFFER = Proposal(id="1", summary="s", run=("a", "b"), setup=("a",))
PROPOSED = (*answered(PROPOSE, stop="tools"), e.Proposed(proposal=OFFER))
ACCEPTED = (*PROPOSED, e.Judged(call_id="1", verdict=Verdict(answer="accept"), by="user"))
APPLIED = (
    *ACCEPTED,
    e.CallStarted(call_id="1"),
    e.Applied(call_id="1", changes=(), undo=(), cells={}),
)


def ended(how: e.Ending, says: str = "") -> Note:
    return Note((e.TurnEnded(how=how, says=says),))


def ran(cell_id: str, status: str = "ok") -> e.CellRan:
    execution = Execution.model_validate({"status": status})
    return e.CellRan(call_id="1", cell_id=cell_id, digest="0", execution=execution)


def told(text: str, *, is_error: bool = False) -> Note:
    return Note((e.CallAnswered(call_id="1", parts=(Text(text=text),), is_error=is_error),))


@pytest.mark.parametrize(
    ("events", "action"),
    [
        ((), LookAtNotebook(None)),
        ((SEEN,), Note((e.ModelAsked(),))),
        (answered(stop="paused"), Note((e.ModelAsked(),))),
        ((*DONE, e.UserSpoke(text="And?")), Note((e.ModelAsked(),))),
        (DONE, ended("done")),
        ((*DONE, e.TurnEnded(how="done")), None),
        ((*DONE, e.TurnEnded(how="done"), e.UserSpoke(text="Again.")), LookAtNotebook({"a": "1"})),
        ((*ASKED, e.Stopped()), ended("stopped", "Stopped. What was accepted before is kept; say how to go on.")),
        ((*ASKED, e.Stopped(by="budget")), ended("budget", "Stopped at the limit of time.")),
        ((*ASKED, e.ModelFailed(says="No key.")), ended("failed", "No key.")),
        (
            answered(stop="length"),
            Note((e.ModelTold(about="cut off", text=prompt.CUT_OFF),)),
        ),
        (
            (*answered(stop="length"), e.ModelTold(about="cut off", text=""), *answered(stop="length")[1:]),
            ended("failed", "The answer was cut off twice by the model's output limit. Ask for less at once."),
        ),
        (
            answered(stop="refused"),
            ended("failed", "The model, or its provider's filter, refused to answer. Put the task another way."),
        ),
        (
            answered(stop="filtered"),
            ended("failed", "The model, or its provider's filter, refused to answer. Put the task another way."),
        ),
        (answered(TRY, stop="tools"), Note((e.CallStarted(call_id="1"),))),
        (
            answered(call("update_plan", steps=[]), stop="tools"),
            Note((e.PlanUpdated(steps=()), *told("The user sees the plan.").events)),
        ),
        (PROPOSED, AskConsent(OFFER)),
        (
            (*PROPOSED, e.Judged(call_id="1", verdict=Verdict(answer="reject"), by="user")),
            told("Not applied. The user rejected the proposal."),
        ),
        (
            (*PROPOSED, e.Judged(call_id="1", verdict=Verdict(answer="reject", comment="No."), by="user")),
            told("Not applied. No."),
        ),
        (ACCEPTED, Note((e.CallStarted(call_id="1"),))),
        ((*ACCEPTED, e.CallStarted(call_id="1")), ApplyChanges(OFFER)),
        (APPLIED, Note((e.CellStarted(call_id="1", cell_id="a"),))),
        ((*APPLIED, e.CellStarted(call_id="1", cell_id="a")), RunCell("1", "a", record=False)),
        ((*APPLIED, ran("a")), Note((e.CellStarted(call_id="1", cell_id="b"),))),
        ((*APPLIED, ran("a"), e.CellStarted(call_id="1", cell_id="b")), RunCell("1", "b", record=True)),
    ],
)
def test_the_next_action_follows(events: tuple[e.Event, ...], action: Action | None) -> None:
    assert decide(session(*events)) == action


def test_nothing_happens_before_the_user_spoke() -> None:
    assert decide(Session()) is None


def test_a_request_that_is_out_is_what_is_waited_for() -> None:
    asked = session(*ASKED)
    assert decide(asked) == AskModel(request(asked.state))
    assert request(asked.state) == ModelRequest(
        instructions=prompt.INSTRUCTIONS,
        history=asked.state.history,
        tools=specs(),
        cache_key="s",
        stable=len(asked.state.history),
    )


@pytest.mark.parametrize(
    ("ordered", "order"),
    [
        (call("read_cells"), ReadCells()),
        (call("ask_user", question="?"), AskUser(question="?")),
        (PROPOSE, ProposeChanges(summary="s", run=("a", "b"))),
    ],
)
def test_what_only_looks_or_asks_is_done_at_once(ordered: ToolCall, order: Any) -> None:
    now = session(*answered(ordered, stop="tools"))
    assert decide(now) == UseTool(ordered, order, now.state)


def test_code_is_tried_only_after_that_is_on_record_and_told_once() -> None:
    started = session(*answered(TRY, stop="tools"), e.CallStarted(call_id="1"))
    assert decide(started) == UseTool(TRY, TryCode(code="1"), started.state)
    trial = Trial(source="1", execution=Execution(status="raised"))
    assert decide(started.apply(e.CodeTried(call_id="1", trials=(trial,)))) == told("[raised, 0.0 s]", is_error=True)


def test_a_call_that_makes_no_sense_is_answered_and_nothing_done() -> None:
    assert decide(session(*answered(call("shell"), stop="tools"))) == told(
        "There is no tool 'shell'. The tools are ask_user, propose_changes, read_cells, try_code, update_plan.",
        is_error=True,
    )


@pytest.mark.parametrize("approve", ["none", "cells", "all"])
def test_a_policy_judges_in_the_users_place(approve: Any) -> None:
    action = decide(session(*PROPOSED, approve=approve))
    assert isinstance(action, Note)
    (judged,) = action.events
    assert isinstance(judged, e.Judged)
    assert judged.by == "policy"


def test_the_result_of_accepted_cells_names_what_ran_and_what_did_not() -> None:
    assert decide(session(*APPLIED, ran("a"), ran("b"))) == Note(
        (
            e.CallAnswered(
                call_id="1",
                parts=(Text(text="Nothing to change."), Text(text="--- ran b"), Text(text="[ok, 0.0 s]")),
            ),
        )
    )
    failed = decide(session(*APPLIED, ran("a", "raised")))
    assert failed == Note(
        (
            e.CallAnswered(
                call_id="1",
                parts=(
                    Text(text="Nothing to change."),
                    Text(text="--- ran a"),
                    Text(text="[raised, 0.0 s]"),
                    Text(text="Not run, because a cell above failed: b."),
                ),
                is_error=True,
            ),
        )
    )


UNPROVEN = (
    *ACCEPTED,
    e.CallStarted(call_id="1"),
    e.Applied(call_id="1", changes=(), undo=(), cells={"a": "1"}, affected=("a",)),
    e.CallAnswered(call_id="1", parts=()),
)


def test_what_is_unproven_is_told_once_and_then_said_to_the_user() -> None:
    reminder = e.ModelTold(about="unproven", text=prompt.unproven(("a",)))
    once = session(*UNPROVEN, *DONE[1:])
    assert decide(once) == Note((reminder,))
    again = Session.of((*once.events, reminder, *DONE[1:]))
    assert decide(again) == ended("done", "Not proved by a run: a.")


def test_a_reached_limit_ends_the_turn_before_the_next_request() -> None:
    assert decide(session(*answered(stop="paused"), turn_budget=Budget(tokens=100))) == ended(
        "budget", "Stopped at the limit of 100 tokens for a turn. What was accepted is kept; say 'go on' for more."
    )
    priced = {"session_budget": Budget(money=0.1), "prices": Prices(input=1000.0, output=1000.0)}
    assert decide(session(*answered(stop="paused"), **priced)) == ended(
        "budget",
        "Stopped at the limit of a cost of 0.1 for the session. What was accepted is kept; say 'go on' for more.",
    )
    timed = session(*ASKED, e.Stopped(by="budget", seconds=3.0), turn_budget=Budget(seconds=3.0))
    assert decide(timed) == ended(
        "budget", "Stopped at the limit of 3 seconds for a turn. What was accepted is kept; say 'go on' for more."
    )


def test_only_work_of_model_and_code_is_timed() -> None:
    now = session(turn_budget=Budget(seconds=9.0), session_budget=Budget(seconds=5.0)).state
    asked = ModelRequest(instructions="", history=())
    deeds: list[tuple[Deed, float | None]] = [
        (AskModel(asked), 5.0),
        (Compact(asked), 5.0),
        (RunCell("1", "a", record=True), 5.0),
        (UseTool(TRY, TryCode(code="1"), now), 5.0),
        (UseTool(TRY, ReadCells(), now), None),
        (AskConsent(OFFER), None),
        (ApplyChanges(OFFER), None),
        (LookAtNotebook(None), None),
    ]
    assert [time_left(now, deed) for deed, _ in deeds] == [left for _, left in deeds]
    assert time_left(session().state, AskModel(asked)) is None


LONG = ToolResult(call_id="1", parts=(Text(text="x" * 8000), Image(media_type="image/png", data="aGk=", alt="a plot")))


def test_a_window_that_is_nearly_full_is_compacted_once_before_going_on() -> None:
    facts = ModelFacts(provider="p", name="m", window=100)
    full = session(*answered(stop="paused"), model=facts)
    assert decide(full) == Compact(summary_request(full.state))
    assert summary_request(full.state).history[-1] == Notice(text=prompt.SUMMARISE)
    short = Session.of((*full.events, e.Compacted(summary="s")))
    assert decide(short) == LookAtNotebook(None, 16)
    assert decide(short.apply(e.NotebookSeen(text="c", cells={}))) == Note((e.ModelAsked(),))


def test_nothing_is_compacted_before_there_is_a_history_or_when_nobody_knows_the_window() -> None:
    tiny = ModelFacts(provider="p", name="m", window=10)
    assert decide(session(SEEN, model=tiny)) == Note((e.ModelAsked(),))
    assert decide(session(*answered(stop="paused"))) == Note((e.ModelAsked(),))


def test_a_request_that_did_not_fit_is_summarised_without_long_results_and_provider_items() -> None:
    thought = Reasoning(text="hm", native=NATIVE)
    now = session(
        *answered(thought, TRY, stop="tools"),
        e.CallAnswered(call_id="1", parts=LONG.parts),
        e.ModelAsked(),
        e.ModelFailed(says="Too long.", too_long=True),
    )
    action = decide(now)
    assert isinstance(action, Compact)
    assert thought.model_copy(update={"native": None}) in action.request.history
    (result,) = [item for item in action.request.history if isinstance(item, ToolResult)]
    assert len(result.parts) == 1
    assert isinstance(result.parts[0], Text)
    assert result.parts[0].text.endswith("[picture] a plot")
    assert len(result.parts[0].text) <= 1200
    assert UserMessage(parts=(Text(text="Go."),)) in action.request.history
    again = now.apply(e.Compacted(summary="s")).apply(e.ModelFailed(says="Still too long.", too_long=True))
    assert decide(again) == ended("failed", "Still too long.")


def test_calls_are_done_in_their_order() -> None:
    second = call("read_cells").model_copy(update={"id": "2"})
    both = session(*answered(TRY, second, stop="tools"), e.CallAnswered(call_id="1", parts=()))
    assert both.state.call == Progressing()
    assert decide(both) == UseTool(second, ReadCells(), both.state)
