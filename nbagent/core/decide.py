"""What is to be done next: a pure function of the session. Everything clever is here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from pydantic import JsonValue

from nbagent.core import events as e
from nbagent.core import prompt
from nbagent.core.budget import reached, seconds_left
from nbagent.core.calls import not_run, ran_cells, tried, went_well
from nbagent.core.consent import consent
from nbagent.core.model import AssistantMessage, Item, ModelRequest, Notice, Text, ToolCall, ToolResult, UserMessage
from nbagent.core.proposal import Proposal, Verdict
from nbagent.core.session import Session, State
from nbagent.core.shorten import OUTLINE_TOKENS, cut_middle, room
from nbagent.core.tools import AskUser, ProposeChanges, ReadCells, TryCode, UpdatePlan, order, specs

SHORT_RESULT = 300
"""Tokens of each tool result that a request for a summary keeps when the whole history did not fit."""


@dataclass(frozen=True)
class Note:
    """Nothing is to be done in the world: these events follow from what is known."""

    events: tuple[e.Event, ...]


@dataclass(frozen=True)
class LookAtNotebook:
    """Look at the notebook for the model: whole, or only what is new to it, in at most `limit` tokens."""

    seen: dict[str, str] | None
    limit: int = OUTLINE_TOKENS


@dataclass(frozen=True)
class AskModel:
    """Ask, and show what arrives."""

    request: ModelRequest


@dataclass(frozen=True)
class Compact:
    """Ask for a summary that replaces the history."""

    request: ModelRequest


@dataclass(frozen=True)
class CheckAnswer:
    """Hold the final answer against the form that the user asked for."""

    text: str
    form: Mapping[str, JsonValue]


@dataclass(frozen=True)
class UseTool:
    """Do what a call orders. For `ProposeChanges` this only checks the changes and makes the proposal."""

    call: ToolCall
    order: ReadCells | TryCode | ProposeChanges | AskUser
    state: State


@dataclass(frozen=True)
class AskConsent:
    """The user decides about a proposal."""

    proposal: Proposal


@dataclass(frozen=True)
class ApplyChanges:
    """Change the notebook as accepted."""

    proposal: Proposal


@dataclass(frozen=True)
class RunCell:
    """Run an accepted cell for real; `record`: store its outputs in the notebook."""

    call_id: str
    cell_id: str
    record: bool


Deed = LookAtNotebook | AskModel | Compact | CheckAnswer | UseTool | AskConsent | ApplyChanges | RunCell
"""What is done in the world."""
Action = Note | Deed


def decide(session: Session) -> Action | None:
    """Return the next action; None: it is the user's turn."""
    state = session.state
    if not state.working:
        return None
    if state.stopped == "user":
        return _end("stopped", "Stopped. What was accepted before is kept; say how to go on.")
    if state.stopped == "budget":
        return _spent_up(state) or _end("budget", "Stopped at the limit of time.")
    if state.asking:
        return AskModel(request(state))
    if state.open:
        return _next_for(state, state.open[0])
    if state.failed is not None:
        return _after_failure(state, state.failed)
    heard = any(isinstance(item, UserMessage) for item in state.waiting)
    if state.final is not None and not heard:
        return _after_answer(state)
    if (end := _spent_up(state)) is not None:
        return end
    if not state.looked:
        return LookAtNotebook(dict(state.seen) if state.outlined else None, room(OUTLINE_TOKENS, _window(state)))
    if _too_full(state):
        return Compact(summary_request(state))
    return Note((e.ModelAsked(),))


def request(state: State) -> ModelRequest:
    """Return the request: its history only ever grows at its end, until a compaction."""
    return ModelRequest(
        instructions=prompt.INSTRUCTIONS,
        history=state.history,
        tools=specs(),
        effort=state.terms.effort,
        cache_key=state.opening.session if state.opening else "",
        stable=len(state.history),
        output_schema=state.output_schema,
    )


def summary_request(state: State) -> ModelRequest:
    """Return the request for a summary; after one that did not fit, long results are left out of it."""
    history = tuple(_short(item) for item in state.history) if state.failed else state.history
    asked = request(state)
    return asked.model_copy(
        update={"history": (*history, Notice(text=prompt.SUMMARISE)), "output_schema": None, "stable": len(history)}
    )


def _short(item: Item) -> Item:
    if not isinstance(item, ToolResult):
        return item.model_copy(update={"native": None}) if hasattr(item, "native") else item
    text = "\n".join(part.text if isinstance(part, Text) else f"[picture] {part.alt}" for part in item.parts)
    return item.model_copy(update={"parts": (Text(text=cut_middle(text, SHORT_RESULT)),)})


def _end(how: e.Ending, says: str = "") -> Note:
    return Note((e.TurnEnded(how=how, says=says),))


def time_left(state: State, action: Action) -> float | None:
    """Return how many seconds of model and code the action may take, or None when nothing bounds it."""
    waits = isinstance(action, AskModel | Compact | RunCell) or (
        isinstance(action, UseTool) and isinstance(action.order, TryCode)
    )
    turn = seconds_left(state.terms.turn_budget, state.spent_this_turn)
    session = seconds_left(state.terms.session_budget, state.spent)
    limits = [limit for limit in (turn, session) if limit is not None]
    return min(limits) if limits and waits else None


def _spent_up(state: State) -> Note | None:
    terms = state.terms
    turn = reached(terms.turn_budget, state.spent_this_turn, terms.prices)
    session = reached(terms.session_budget, state.spent, terms.prices)
    if turn is None and session is None:
        return None
    limit = f"{turn} for a turn" if turn else f"{session} for the session"
    return _end("budget", f"Stopped at the limit of {limit}. What was accepted is kept; say 'go on' for more.")


def _window(state: State) -> int | None:
    return state.terms.model.window


def _too_full(state: State) -> bool:
    window = _window(state)
    if window is None or state.shortened or not state.history:
        return False
    return state.size() >= window * state.terms.compact_at


def _after_failure(state: State, failed: e.ModelFailed) -> Action:
    if failed.too_long and state.too_long == 1:
        return Compact(summary_request(state))
    return _end("failed", failed.says)


def _after_answer(state: State) -> Action:
    assert state.final is not None
    match state.final.stop:
        case "length" if "cut off" not in state.told:
            return Note((e.ModelTold(about="cut off", text=prompt.CUT_OFF),))
        case "length":
            return _end("failed", "The answer was cut off twice by the model's output limit. Ask for less at once.")
        case "refused" | "filtered":
            return _end("failed", "The model, or its provider's filter, refused to answer. Put the task another way.")
        case _:
            pass
    if state.unproven and "unproven" not in state.told:
        return Note((e.ModelTold(about="unproven", text=prompt.unproven(tuple(state.unproven))),))
    if state.output_schema is not None and (still := _misfit(state, state.output_schema)) is not None:
        return still
    missing = f"Not proved by a run: {', '.join(state.unproven)}." if state.unproven else ""
    return _end("done", missing)


def _misfit(state: State, form: Mapping[str, JsonValue]) -> Action | None:
    """The model is told once what is wrong with the form of its answer."""
    assert state.final is not None
    if state.checked is None:
        return CheckAnswer("".join(i.text for i in state.final.items if isinstance(i, AssistantMessage)), form)
    if not state.checked:
        return None
    if "misfit" not in state.told:
        return Note((e.ModelTold(about="misfit", text=prompt.misfit(state.checked)),))
    return _end("failed", f"The answer does not fit the schema: {state.checked} Ask again, or loosen the schema.")


def _answer(call: ToolCall, text: str, *, is_error: bool = False) -> Note:
    return Note((e.CallAnswered(call_id=call.id, parts=(Text(text=text),), is_error=is_error),))


def _next_for(state: State, call: ToolCall) -> Action:
    wanted = order(call)
    match wanted:
        case str():
            return _answer(call, wanted, is_error=True)
        case UpdatePlan():
            return Note((e.PlanUpdated(steps=wanted.steps), *_answer(call, "The user sees the plan.").events))
        case ReadCells() | AskUser():
            return UseTool(call, wanted, state)
        case TryCode():
            if not state.call.started:
                return Note((e.CallStarted(call_id=call.id),))
            if state.call.tried is None:
                return UseTool(call, wanted, state)
            worked = all(trial.worked for trial in state.call.tried)
            parts = tried(state.call.tried, state.terms.privacy, state.tool_tokens)
            return Note((e.CallAnswered(call_id=call.id, parts=parts, is_error=not worked),))
        case ProposeChanges():
            return _next_for_proposal(state, call, wanted)
        case _:
            assert_never(wanted)


def _next_for_proposal(state: State, call: ToolCall, wanted: ProposeChanges) -> Action:
    offer, verdict = state.call.proposal, state.call.verdict
    if offer is None:
        return UseTool(call, wanted, state)
    if verdict is None:
        policy = consent(state.terms.approve, offer)
        return AskConsent(offer) if policy is None else Note((_judged(call, policy),))
    if verdict.answer == "reject":
        return _answer(call, f"Not applied. {verdict.comment or 'The user rejected the proposal.'}")
    if not state.call.started:
        return Note((e.CallStarted(call_id=call.id),))
    taken = state.call.taken
    assert taken is not None
    if not state.call.applied:
        return ApplyChanges(taken)
    done = {ran.cell_id for ran in state.call.results}
    left = [cell_id for cell_id in taken.run if cell_id not in done]
    failed = not all(went_well(ran, taken) for ran in state.call.results)
    if failed or not left:
        parts = ran_cells(state.call, taken, state.terms.privacy, state.tool_tokens)
        parts += not_run(state.call, taken, "a cell above failed")
        return Note((e.CallAnswered(call_id=call.id, parts=tuple(parts), is_error=failed),))
    if state.call.running is None:
        return Note((e.CellStarted(call_id=call.id, cell_id=left[0]),))
    return RunCell(call.id, left[0], record=left[0] not in taken.setup)


def _judged(call: ToolCall, verdict: Verdict) -> e.Judged:
    return e.Judged(call_id=call.id, verdict=verdict, by="policy")
