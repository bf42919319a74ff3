"""What is to be done next: a pure function of the session. Everything clever is here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from nbagent.core import events as e
from nbagent.core import prompt, results
from nbagent.core.budget import reached
from nbagent.core.consent import consent
from nbagent.core.model import Item, ModelRequest, Notice, Part, Text, ToolCall, ToolResult, UserMessage
from nbagent.core.proposal import Proposal, Verdict, accepted
from nbagent.core.session import Session, State
from nbagent.core.shorten import TOOL_TOKENS, cut_middle
from nbagent.core.tools import AskUser, ProposeChanges, ReadCells, TryCode, UpdatePlan, order, specs

SHORT_RESULT = 300
"""Tokens of each tool result that a request for a summary keeps when the whole history did not fit."""


@dataclass(frozen=True)
class Note:
    """Nothing is to be done in the world: these events follow from what is known."""

    events: tuple[e.Event, ...]


@dataclass(frozen=True)
class LookAtNotebook:
    """Look at the notebook for the model: whole, or only what is new to it."""

    seen: dict[str, str] | None


@dataclass(frozen=True)
class AskModel:
    """Ask, and show what arrives."""

    request: ModelRequest


@dataclass(frozen=True)
class Compact:
    """Ask for a summary that replaces the history."""

    request: ModelRequest


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


Action = Note | LookAtNotebook | AskModel | Compact | UseTool | AskConsent | ApplyChanges | RunCell


def decide(session: Session) -> Action | None:
    """Return the next action; None: it is the user's turn."""
    state = session.state
    if not state.working:
        return None
    if state.stopped:
        return _end("stopped", "Stopped. What was accepted before is kept; say how to go on.")
    if state.asking:
        return AskModel(request(state))
    if state.open:
        return _next_for(state, state.open[0])
    if state.failed is not None:
        return _after_failure(state, state.failed)
    heard = any(isinstance(item, UserMessage) for item in state.waiting)
    if state.final is not None and not heard:
        return _after_answer(state)
    if (limit := _spent_up(state)) is not None:
        return _end("budget", f"Stopped at the limit of {limit}. What was accepted is kept; say 'go on' for more.")
    if not state.looked:
        return LookAtNotebook(dict(state.seen) if state.outlined else None)
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


def _spent_up(state: State) -> str | None:
    terms = state.terms
    turn = reached(terms.turn_budget, state.spent_this_turn, terms.prices)
    session = reached(terms.session_budget, state.spent, terms.prices)
    return f"{turn} for a turn" if turn else f"{session} for the session" if session else None


def _too_full(state: State) -> bool:
    window = state.terms.model.window
    return (
        window is not None
        and not state.shortened
        and bool(state.history)
        and (state.size() >= window * state.terms.compact_at)
    )


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
    missing = f"Not proved by a run: {', '.join(state.unproven)}." if state.unproven else ""
    return _end("done", missing)


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
            return Note((e.CallAnswered(call_id=call.id, parts=tried(state), is_error=not worked),))
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
    taken = accepted(offer, verdict)
    if not state.call.applied:
        return ApplyChanges(taken)
    done = {ran.cell_id for ran in state.call.results}
    left = [cell_id for cell_id in taken.run if cell_id not in done]
    failed = any(ran.execution.status != "ok" for ran in state.call.results)
    if failed or not left:
        return Note((e.CallAnswered(call_id=call.id, parts=ran_cells(state, taken), is_error=failed),))
    if state.call.running is None:
        return Note((e.CellStarted(call_id=call.id, cell_id=left[0]),))
    return RunCell(call.id, left[0], record=left[0] not in taken.setup)


def _judged(call: ToolCall, verdict: Verdict) -> e.Judged:
    return e.Judged(call_id=call.id, verdict=verdict, by="policy")


def tried(state: State) -> tuple[Part, ...]:
    """Return what a trial gave, for the model: cells that led there only when they failed."""
    trials = state.call.tried or ()
    setup = [trial for trial in trials if trial.cell_id]
    shown = [trial for trial in trials if not trial.cell_id or not trial.worked]
    parts: list[Part] = [Text(text=f"Ran first: {', '.join(t.cell_id or '' for t in setup)}.")] if setup else []
    for number, trial in enumerate(shown):
        if len(shown) > 1:
            name = (
                f"cell {trial.cell_id}"
                if trial.cell_id
                else f"alternative {number + 1}"
                if trial.alternative
                else "code"
            )
            parts.append(Text(text=f"--- {name}"))
        elif trial.cell_id:
            parts.append(Text(text=f"--- cell {trial.cell_id} failed, so the code was not run"))
        parts += results.account(trial.execution, state.terms.privacy, TOOL_TOKENS // max(1, len(shown)))
    if any(trial.execution.status not in ("ok", "raised") and not trial.alternative for trial in trials):
        parts.append(Text(text="The copy of the variables is gone; the next try starts from the live ones."))
    return tuple(parts)


def ran_cells(state: State, taken: Proposal) -> tuple[Part, ...]:
    """Return what came of an accepted proposal, for the model."""
    comment = state.call.verdict.comment if state.call.verdict else ""
    count = len(taken.changes)
    head = [f"Applied {count} {'change' if count == 1 else 'changes'}." if count else "Nothing to change.", comment]
    shown = [ran for ran in state.call.results if ran.cell_id not in taken.setup or ran.execution.status != "ok"]
    missing = [cell_id for cell_id in taken.run if cell_id not in {ran.cell_id for ran in state.call.results}]
    parts: list[Part] = [Text(text=" ".join(filter(None, head)))]
    for ran in shown:
        parts.append(Text(text=f"--- ran {ran.cell_id}"))
        parts += results.account(ran.execution, state.terms.privacy, TOOL_TOKENS // len(shown))
    if missing:
        parts.append(Text(text=f"Not run, because a cell above failed: {', '.join(missing)}."))
    return tuple(parts)
