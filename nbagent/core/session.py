"""A session: its events, and what follows from them, folded event by event."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal, assert_never

from pydantic import JsonValue

from nbagent.core import events as e
from nbagent.core import prompt
from nbagent.core.budget import Spent
from nbagent.core.calls import Progressing, cut_short, went_well
from nbagent.core.cells import DeleteCell, digest
from nbagent.core.model import Item, ModelAnswer, ModelFacts, Notice, Text, ToolCall, ToolResult, UserMessage
from nbagent.core.proposal import Trial
from nbagent.core.results import capped
from nbagent.core.shorten import TOOL_TOKENS, picture_tokens, room, tokens
from nbagent.core.tools import Step, specs

STOPPED = {"user": "the user stopped the turn", "budget": "the time for it was up"}
RESTARTED = "nbagent was ended"


@dataclass(frozen=True)
class State:
    """What `decide` needs to know; every field follows from the events.

    history: what the last request held and what came after it; waiting: what the next request says for the first time.
    asking: a request is out. final: an answer without calls; checked: what is wrong with its
    form, once that was looked at. open: calls without result, in order; call: how far the
    first of them is. outlined: the model knows the notebook; seen: digests of the cells as it knows them.
    ran: cells that the session's own kernel has run. unproven: digests of cells that changed, or use what changed, and
    have not run since. context: tokens of the last request and its answer.
    """

    opening: e.SessionStarted | None = None
    terms: e.Terms = field(default_factory=lambda: e.Terms(model=ModelFacts(provider="", name="")))
    history: tuple[Item, ...] = ()
    waiting: tuple[Item, ...] = ()
    said: tuple[UserMessage, ...] = ()
    working: bool = False
    stopped: Literal["user", "budget"] | None = None
    turn: int = 0
    outlined: bool = False
    looked: bool = False
    asking: bool = False
    final: ModelAnswer | None = None
    checked: str | None = None
    failed: e.ModelFailed | None = None
    output_schema: Mapping[str, JsonValue] | None = None
    open: tuple[ToolCall, ...] = ()
    call: Progressing = field(default_factory=Progressing)
    trials: tuple[Trial, ...] = ()
    seen: Mapping[str, str] = field(default_factory=dict)
    ran: frozenset[str] = frozenset()
    unproven: Mapping[str, str] = field(default_factory=dict)
    told: frozenset[str] = frozenset()
    plan: tuple[Step, ...] = ()
    changes: tuple[str, ...] = ()
    context: int = 0
    shortened: bool = False
    too_long: int = 0
    spent: Spent = field(default_factory=Spent)
    spent_this_turn: Spent = field(default_factory=Spent)

    def size(self) -> int:
        """Estimate the next request's tokens: what the provider counted last, and what has come since."""
        return (self.context or preamble()) + estimate(self.waiting)

    @property
    def tool_tokens(self) -> int:
        """How long one result may be."""
        return room(TOOL_TOKENS, self.terms.model.window)


@dataclass(frozen=True)
class Session:
    """A session is its history of events; `state` is their fold."""

    events: tuple[e.Event, ...] = ()
    state: State = State()

    def apply(self, event: e.Event) -> Session:
        """Return the session after one more event."""
        return Session(events=(*self.events, event), state=_fold(self.state, event))

    @classmethod
    def of(cls, events: Iterable[e.Event]) -> Session:
        """Return the session that these events make."""
        session = cls()
        for event in events:
            session = session.apply(event)
        return session


def resumption(session: Session, *, kernel_kept: bool = False) -> tuple[e.Event, ...]:
    """Return what has become true when a session is read back for something new to be said in it.

    A turn that was cut short ends, so that the next words begin a turn with its own budget and form of the answer.
    Keep `Resumed` alone to go on with that turn instead.
    """
    resumed = e.Resumed(kernel_kept=kernel_kept)
    ended = e.TurnEnded(how="interrupted", says="nbagent was ended in the middle of this turn.")
    return (resumed, ended) if session.state.working else (resumed,)


@lru_cache(maxsize=1)
def preamble() -> int:
    """Estimate the tokens of what each request begins with: instructions and tools."""
    return tokens(prompt.INSTRUCTIONS) + sum(tokens(tool.model_dump_json()) for tool in specs())


def estimate(items: Iterable[Item]) -> int:
    """Estimate the tokens of items; a picture counts by its size, not by the length of its data."""
    total = 0
    for item in items:
        parts = item.parts if isinstance(item, UserMessage | ToolResult) else ()
        for part in parts:
            total += tokens(part.text) if isinstance(part, Text) else picture_tokens(part.data)
        total += 8 + (0 if parts else tokens(item.model_dump_json()))
    return total


def _fold(state: State, event: e.Event) -> State:
    match event:
        case e.SessionStarted():
            return replace(state, opening=event, terms=event.terms, waiting=prompt.welcome(event))
        case e.TermsChanged():
            return _told(replace(state, terms=event.terms), f"From now on:\n{prompt.conditions(event.terms)}")
        case e.UserSpoke() | e.Stopped() | e.Resumed() | e.TurnEnded():
            return _turn(state, event)
        case e.ModelAsked() | e.ModelAnswered() | e.ModelFailed() | e.ModelTold() | e.Compacted():
            return _model(state, event)
        case e.NotebookSeen():
            seen = replace(state, looked=True, outlined=True, seen=event.cells)
            return _told(seen, event.text) if event.text else seen
        case e.AnswerChecked():
            return replace(state, checked=event.wrong)
        case e.PlanUpdated():
            return replace(state, plan=event.steps)
        case e.Undone():
            undone = replace(state, seen={**state.seen, **event.cells})
            return _told(undone, "The user took back accepted changes; read the cells again before you change them.")
        case _:
            return _call(state, event)


def _turn(state: State, event: e.UserSpoke | e.Stopped | e.Resumed | e.TurnEnded) -> State:
    match event:
        case e.UserSpoke():
            message = UserMessage(parts=(Text(text=event.text), *event.images))
            state = replace(state, said=(*state.said, message), waiting=(*state.waiting, message))
            if state.working:
                return state
            if event.output_schema is not None:
                state = _told(state, prompt.fitting(event.output_schema))
            return replace(
                state,
                working=True,
                stopped=None,
                turn=state.turn + 1,
                looked=False,
                final=None,
                checked=None,
                failed=None,
                too_long=0,
                output_schema=event.output_schema,
                told=frozenset(),
                trials=(),
                unproven={},
                spent_this_turn=Spent(),
            )
        case e.Stopped():
            why = STOPPED[event.by]
            stopped = _closed(replace(state, stopped=event.by, asking=False), why)
            return _told(_spent(stopped, Spent(seconds=event.seconds)), f"The turn ended here: {why}.")
        case e.Resumed():
            again = replace(state, asking=False, stopped=None, failed=None, too_long=0, trials=(), looked=False)
            resumed = _closed(again, RESTARTED)
            told = _told(resumed, "nbagent was started again: what try_code defined is gone.")
            return told if event.kernel_kept else replace(told, ran=frozenset())
        case e.TurnEnded():
            return replace(state, working=False, stopped=None, trials=(), final=None, failed=None)
        case _:
            assert_never(event)


def _model(state: State, event: e.ModelAsked | e.ModelAnswered | e.ModelFailed | e.ModelTold | e.Compacted) -> State:
    match event:
        case e.ModelAsked():
            news = sorted(
                state.waiting, key=lambda item: isinstance(item, UserMessage)
            )  # what the user said comes last
            asked = replace(state, history=(*state.history, *news), waiting=(), asking=True, final=None)
            return _spent(replace(asked, context=state.size()), Spent(requests=1))
        case e.ModelAnswered(answer=answer):
            calls = tuple(item for item in answer.items if isinstance(item, ToolCall))
            counted = answer.usage.input + answer.usage.output
            answered = replace(
                state,
                asking=False,
                history=(*state.history, *answer.items),
                open=calls,
                call=Progressing(),
                final=None if calls or answer.stop == "paused" else answer,
                checked=None,
                context=counted or state.context + estimate(answer.items),
                shortened=False,
                too_long=0,
            )
            return _spent(answered, Spent(usage=answer.usage, seconds=event.seconds))
        case e.ModelFailed():
            return replace(state, asking=False, failed=event, too_long=state.too_long + event.too_long)
        case e.ModelTold():
            return _told(replace(state, told=state.told | {event.about}, final=None), event.text)
        case e.Compacted():
            assert state.opening is not None
            opening = state.opening.model_copy(update={"terms": state.terms})
            history = prompt.after_compaction(opening, state.said, event.summary, state.plan, state.changes)
            waiting = tuple(item for item in state.waiting if item not in history)
            context = preamble() + estimate(history)
            short = replace(state, history=history, waiting=waiting, context=context, failed=None)
            short = replace(short, looked=False, outlined=False, shortened=True)
            return _spent(short, Spent(requests=1, usage=event.usage, seconds=event.seconds))
        case _:
            assert_never(event)


def _call(
    state: State,
    event: e.CallStarted | e.CodeTried | e.Proposed | e.Judged | e.Applied | e.CellStarted | e.CellRan | e.CallAnswered,
) -> State:
    call = state.call
    match event:
        case e.CallStarted():
            return replace(state, call=replace(call, started=True))
        case e.CodeTried():
            state = _spent(state, Spent(seconds=sum(trial.execution.seconds for trial in event.trials)))
            worked = {digest(trial.source) for trial in event.trials if trial.worked}
            unproven = {cell: name for cell, name in state.unproven.items() if name not in worked}
            state = replace(state, trials=(*state.trials, *event.trials), unproven=unproven)
            return replace(state, call=replace(call, tried=event.trials))
        case e.Proposed():
            return replace(state, call=replace(call, proposal=event.proposal))
        case e.Judged():
            return replace(state, call=replace(call, verdict=event.verdict))
        case e.Applied():
            return _applied(replace(state, call=replace(call, applied=True)), event)
        case e.CellStarted():
            return replace(state, call=replace(call, running=event.cell_id))
        case e.CellRan():
            state = _spent(state, Spent(seconds=event.execution.seconds))
            if call.taken is not None and went_well(event, call.taken):
                left = {c: name for c, name in state.unproven.items() if (c, name) != (event.cell_id, event.digest)}
                state = replace(state, ran=state.ran | {event.cell_id}, unproven=left)
            return replace(state, call=replace(call, running=None, results=(*call.results, event)))
        case e.CallAnswered():
            parts = capped(event.parts, state.tool_tokens)
            result = ToolResult(call_id=event.call_id, parts=parts, is_error=event.is_error)
            state = _grown(state, (result,))
            return replace(state, open=state.open[1:], call=Progressing(), seen={**state.seen, **event.seen})
        case _:
            assert_never(event)


def _applied(state: State, event: e.Applied) -> State:
    gone = {change.cell_id for change in event.changes if isinstance(change, DeleteCell)} - event.cells.keys()
    seen = {cell: name for cell, name in {**state.seen, **event.cells}.items() if cell not in gone}
    unproven = {cell: name for cell, name in state.unproven.items() if cell not in gone}
    unproven |= {cell: event.cells[cell] for cell in event.affected}
    summary = state.call.proposal.summary if state.call.proposal else ""
    rerun = frozenset(event.affected) | gone
    changes = (*state.changes, summary) if event.changes else state.changes
    return replace(state, seen=seen, unproven=unproven, ran=state.ran - rerun, changes=changes)


def _closed(state: State, why: str) -> State:
    """Every call that has no result yet gets one."""
    results: list[Item] = []
    for place, call in enumerate(state.open):
        known = state.call if place == 0 else Progressing()
        parts = cut_short(known, why, state.terms.privacy, state.tool_tokens)
        results.append(ToolResult(call_id=call.id, parts=capped(parts, state.tool_tokens), is_error=True))
    return replace(_grown(state, results), open=(), call=Progressing())


def _grown(state: State, items: Iterable[Item]) -> State:
    added = tuple(items)
    return replace(state, history=(*state.history, *added), context=state.context + estimate(added))


def _told(state: State, text: str) -> State:
    return replace(state, waiting=(*state.waiting, Notice(text=text)))


def _spent(state: State, more: Spent) -> State:
    return replace(state, spent=state.spent + more, spent_this_turn=state.spent_this_turn + more)
