"""A session is the fold of its events: every field of its state follows from them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nbagent.core import events as e
from nbagent.core import prompt
from nbagent.core.budget import Spent
from nbagent.core.cells import DeleteCell, ReplaceSource, digest
from nbagent.core.model import (
    AssistantMessage,
    Image,
    ModelAnswer,
    ModelFacts,
    Notice,
    Text,
    ToolCall,
    ToolResult,
    Usage,
    UserMessage,
)
from nbagent.core.outputs import Execution
from nbagent.core.proposal import Proposal, Trial, Verdict
from nbagent.core.session import Progressing, Session, State, estimate, preamble, resumption
from nbagent.core.tools import Step

TERMS = e.Terms(model=ModelFacts(provider="p", name="m"))
STARTED = e.SessionStarted(session="s", notebook="n.ipynb", terms=TERMS)
SPOKE = e.UserSpoke(text="Go.")
SAID = UserMessage(parts=(Text(text="Go."),))
WELCOME = prompt.welcome(STARTED)
CALLS = (ToolCall(id="1", name="try_code", arguments="{}"), ToolCall(id="2", name="read_cells", arguments="{}"))
ASKED = (STARTED, SPOKE, e.ModelAsked())
CALLED = (*ASKED, e.ModelAnswered(answer=ModelAnswer(items=CALLS, stop="tools", usage=Usage(input=90, output=10))))


def state(*events: e.Event) -> State:
    return Session.of(events).state


def result(text: str, call_id: str = "1") -> ToolResult:
    return ToolResult(call_id=call_id, parts=(Text(text=text),), is_error=True)


def test_a_session_opens_with_its_conditions_and_waits() -> None:
    assert state(STARTED) == State(opening=STARTED, terms=TERMS, waiting=WELCOME)


def test_the_first_words_begin_a_turn_and_later_ones_join_it() -> None:
    first = state(STARTED, SPOKE)
    assert first == State(
        opening=STARTED, terms=TERMS, waiting=(*WELCOME, SAID), said=(SAID,), working=True, turn=1, call=Progressing()
    )
    assert state(STARTED, SPOKE, SPOKE) == replace(first, waiting=(*WELCOME, SAID, SAID), said=(SAID, SAID))


def test_pictures_that_the_user_shows_come_along() -> None:
    picture = Image(media_type="image/png", data="aGk=")
    assert state(STARTED, e.UserSpoke(text="Look.", images=(picture,))).said[0].parts == (Text(text="Look."), picture)


def test_the_form_of_an_answer_is_told_before_the_task() -> None:
    schema = {"type": "object"}
    spoken = state(STARTED, e.UserSpoke(text="Go.", output_schema=schema))
    assert spoken.output_schema == schema
    assert spoken.waiting[-1] == Notice(text=prompt.fitting(schema))
    asked = state(STARTED, e.UserSpoke(text="Go.", output_schema=schema), e.ModelAsked())
    assert asked.history[-1] == SAID


def test_a_request_says_all_that_waits_and_the_users_words_last() -> None:
    asked = state(STARTED, SPOKE, e.NotebookSeen(text="cells", cells={"a": "1"}), e.ModelAsked())
    assert asked.history == (*WELCOME, Notice(text="cells"), SAID)
    assert (asked.waiting, asked.asking, asked.seen) == ((), True, {"a": "1"})
    assert (asked.outlined, asked.looked) == (True, True)
    assert asked.context == preamble() + estimate(asked.history)
    assert asked.spent == asked.spent_this_turn == Spent(requests=1)


def test_a_notebook_without_news_is_not_mentioned() -> None:
    assert state(STARTED, e.NotebookSeen(text="", cells={})).waiting == WELCOME


def test_an_answer_with_calls_opens_them_and_counts_as_the_provider_did() -> None:
    called = state(*CALLED)
    assert (called.open, called.final, called.asking, called.context) == (CALLS, None, False, 100)
    assert called.history[-2:] == CALLS
    assert called.spent.usage == Usage(input=90, output=10)


def test_an_answer_without_calls_is_final_unless_it_was_paused() -> None:
    words = ModelAnswer(items=(AssistantMessage(text="Done."),), stop="done")
    assert state(*ASKED, e.ModelAnswered(answer=words)).final == words
    paused = words.model_copy(update={"stop": "paused"})
    assert state(*ASKED, e.ModelAnswered(answer=paused)).final is None


def test_without_the_providers_count_tokens_are_estimated() -> None:
    words = ModelAnswer(items=(AssistantMessage(text="x" * 400),), stop="done")
    before = state(*ASKED).context
    assert state(*ASKED, e.ModelAnswered(answer=words)).context == before + estimate(words.items)


def test_a_picture_counts_by_its_size_not_by_its_data() -> None:
    picture = Image(media_type="image/png", data="A" * 100_000)
    assert estimate((ToolResult(call_id="1", parts=(picture, Text(text="abcd"))),)) == 1568 * 1568 // 750 + 1 + 8


def test_other_conditions_are_appended_as_news() -> None:
    other = TERMS.model_copy(update={"approve": "none"})
    changed = state(STARTED, e.TermsChanged(terms=other))
    assert changed.terms == other
    assert changed.waiting == (*WELCOME, Notice(text=f"From now on:\n{prompt.conditions(other)}"))


def test_a_stop_gives_every_open_call_its_result() -> None:
    stopped = state(*CALLED, e.CallStarted(call_id="1"), e.Stopped(seconds=2.0))
    assert stopped.history[-2:] == (
        result(
            "Outcome unknown: the user stopped the turn while it ran. It may have happened, in part or whole: look "
            "before you do it again."
        ),
        result("Not done: the user stopped the turn before it began.", "2"),
    )
    assert (stopped.open, stopped.stopped, stopped.call) == ((), "user", Progressing())
    assert stopped.waiting == (Notice(text="The turn ended here: the user stopped the turn."),)
    assert stopped.spent.seconds == 2.0


def test_a_stop_while_the_model_is_asked_takes_the_request_back() -> None:
    stopped = state(*ASKED, e.Stopped(by="budget"))
    assert (stopped.asking, stopped.stopped) == (False, "budget")
    assert stopped.waiting == (Notice(text="The turn ended here: the time for it was up."),)


def test_a_new_process_knows_no_trials_and_no_variables() -> None:
    trial = Trial(source="1", execution=Execution(status="ok"))
    before = (*CALLED, e.CallStarted(call_id="1"), e.CodeTried(call_id="1", trials=(trial,)))
    resumed = state(*before, e.Resumed())
    assert (resumed.trials, resumed.ran, resumed.looked, resumed.working) == ((), frozenset(), False, True)
    assert resumed.history[-2:] == (
        result("[ok, 0.0 s]"),
        result("Not done: nbagent was ended before it began.", "2"),
    )
    assert resumed.waiting[-1] == Notice(text="nbagent was started again: what try_code defined is gone.")


@pytest.mark.parametrize("last", [e.Stopped(), e.ModelFailed(says="No."), e.ModelFailed(says="No.", too_long=True)])
def test_a_session_that_is_read_back_goes_on_where_it_was_about_to_end(last: e.Event) -> None:
    resumed = state(*ASKED, last, e.Resumed())
    assert (resumed.working, resumed.stopped, resumed.failed, resumed.too_long) == (True, None, None, 0)


def test_a_turn_that_was_cut_short_ends_before_the_next_one_begins() -> None:
    cut = Session.of((STARTED, e.UserSpoke(text="Go.", output_schema={"type": "object"}), *CALLED[2:]))
    events = resumption(cut)
    ended = e.TurnEnded(how="interrupted", says="nbagent was ended in the middle of this turn.")
    assert events == (e.Resumed(), ended)
    again = Session.of((*cut.events, *events, SPOKE)).state
    assert (again.turn, again.output_schema, again.spent_this_turn) == (2, None, Spent())
    over = Session.of((*cut.events, *events))
    assert resumption(over, kernel_kept=True) == (e.Resumed(kernel_kept=True),)


def test_the_end_of_a_turn_leaves_nothing_of_it_but_history() -> None:
    words = ModelAnswer(items=(AssistantMessage(text="Done."),), stop="done")
    ended = state(*ASKED, e.ModelAnswered(answer=words), e.TurnEnded(how="done"))
    assert (ended.working, ended.final, ended.failed, ended.trials) == (False, None, None, ())
    assert ended.history[-1] == AssistantMessage(text="Done.")


A = ReplaceSource(cell_id="a", expects="0", source="a = 1")
OFFER = Proposal(id="1", summary="Fix a.", changes=(A,), run=("a", "b"), affected=("a", "b"))
APPLIED = e.Applied(call_id="1", changes=(A,), undo=(), cells={"a": digest("a = 1"), "b": "bb"}, affected=("a", "b"))
ACCEPTED = (
    *CALLED,
    e.Proposed(proposal=OFFER),
    e.Judged(call_id="1", verdict=Verdict(answer="accept"), by="user"),
    e.CallStarted(call_id="1"),
    APPLIED,
)


def cell_ran(cell_id: str, name: str, status: str = "ok") -> e.CellRan:
    execution = Execution.model_validate({"status": status, "seconds": 1.5})
    return e.CellRan(call_id="1", cell_id=cell_id, digest=name, execution=execution)


def test_applied_changes_are_known_and_unproven_until_their_cells_ran() -> None:
    applied = state(*ACCEPTED)
    assert applied.unproven == applied.seen == {"a": digest("a = 1"), "b": "bb"}
    assert applied.changes == ("Fix a.",)
    assert (applied.call.applied, applied.call.started) == (True, True)
    one = state(*ACCEPTED, e.CellStarted(call_id="1", cell_id="a"), cell_ran("a", digest("a = 1")))
    assert (one.unproven, one.ran) == ({"b": "bb"}, frozenset({"a"}))
    assert (one.call.running, len(one.call.results), one.spent.seconds) == (None, 1, 1.5)


@pytest.mark.parametrize("ran", [cell_ran("a", digest("a = 1"), "raised"), cell_ran("a", "another source")])
def test_a_run_that_failed_or_was_of_another_source_proves_nothing(ran: e.CellRan) -> None:
    assert set(state(*ACCEPTED, ran).unproven) == {"a", "b"}


def test_a_trial_of_the_same_source_proves_it() -> None:
    trial = Trial(source="a = 1", execution=Execution(status="ok", seconds=2.0))
    tried = state(*ACCEPTED, e.CodeTried(call_id="1", trials=(trial,)))
    assert (tried.unproven, tried.trials, tried.call.tried, tried.spent.seconds) == (
        {"b": "bb"},
        (trial,),
        (trial,),
        2.0,
    )


def test_what_changed_or_went_has_not_run() -> None:
    gone = e.Applied(call_id="1", changes=(DeleteCell(cell_id="a", expects="0"),), undo=(), cells={})
    after = state(*ACCEPTED, cell_ran("a", digest("a = 1")), cell_ran("b", "bb"), gone)
    assert (after.ran, after.seen, after.unproven) == (frozenset({"b"}), {"b": "bb"}, {})


def test_running_alone_is_no_change() -> None:
    assert state(*ACCEPTED[:-1], APPLIED.model_copy(update={"changes": ()})).changes == ()


def test_a_result_closes_its_call_and_tells_which_cells_were_seen() -> None:
    answered = state(*CALLED, e.CallAnswered(call_id="1", parts=(Text(text="ok"),), seen={"a": "1"}))
    assert (answered.open, answered.call, answered.seen) == (CALLS[1:], Progressing(), {"a": "1"})
    assert answered.history[-1] == ToolResult(call_id="1", parts=(Text(text="ok"),))
    assert answered.context == 100 + estimate(answered.history[-1:])


def test_a_result_is_cut_to_what_the_window_allows() -> None:
    small = STARTED.model_copy(update={"terms": e.Terms(model=ModelFacts(provider="p", name="m", window=600))})
    answered = state(small, *CALLED[1:], e.CallAnswered(call_id="1", parts=(Text(text="x" * 4000),)))
    assert "about 900 tokens cut" in answered.history[-1].model_dump_json()


def test_the_plan_is_the_last_one() -> None:
    steps = (Step(text="t", status="doing"),)
    assert state(STARTED, e.PlanUpdated(steps=()), e.PlanUpdated(steps=steps)).plan == steps


def test_taken_back_changes_are_told_and_known() -> None:
    undone = state(*ACCEPTED, e.Undone(call_ids=("1",), changes=(), cells={"a": "old"}))
    assert undone.seen == {"a": "old", "b": "bb"}
    assert isinstance(undone.waiting[-1], Notice)
    assert undone.waiting[-1].text.startswith("The user took back accepted changes")


def test_a_reminder_waits_for_the_next_request_and_is_given_once() -> None:
    told = state(STARTED, SPOKE, e.ModelTold(about="unproven", text="Run it."))
    assert (told.told, told.waiting[-1], told.final) == (frozenset({"unproven"}), Notice(text="Run it."), None)
    again = state(STARTED, SPOKE, e.ModelTold(about="unproven", text="Run it."), e.TurnEnded(how="done"), SPOKE)
    assert again.told == frozenset()


def test_a_summary_replaces_the_history_under_the_conditions_of_now() -> None:
    other = TERMS.model_copy(update={"approve": "none"})
    before = (*CALLED, e.TermsChanged(terms=other))
    usage = Usage(input=100, output=5)
    short = state(*before, e.Compacted(summary="It is 3.", usage=usage, seconds=1.0))
    opening = STARTED.model_copy(update={"terms": other})
    assert short.history == prompt.after_compaction(opening, (SAID,), "It is 3.", (), ())
    assert (short.looked, short.outlined, short.shortened) == (False, False, True)
    assert short.context == preamble() + estimate(short.history)
    assert short.spent == Spent(requests=2, usage=Usage(input=190, output=15), seconds=1.0)


def test_what_waits_and_is_in_the_shorter_history_is_not_said_twice() -> None:
    short = state(*ASKED, e.UserSpoke(text="More."), e.Compacted(summary="s"))
    assert short.waiting == ()
    assert UserMessage(parts=(Text(text="More."),)) in short.history


def test_a_failure_counts_only_when_the_request_was_too_long() -> None:
    failed = e.ModelFailed(says="No.", too_long=True)
    assert state(*ASKED, failed).too_long == 1
    assert state(*ASKED, e.ModelFailed(says="No.")).too_long == 0
    assert state(*ASKED, failed, e.TurnEnded(how="failed"), SPOKE).too_long == 0
