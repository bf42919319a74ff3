"""The loop decides, acts, records. Everything clever is in `core.decide`, which is pure."""

from __future__ import annotations

import asyncio
import time
from typing import assert_never

from nbagent.core import events as e
from nbagent.core.calls import cut_short
from nbagent.core.cells import Snapshot, digest
from nbagent.core.decide import (
    Action,
    ApplyChanges,
    AskConsent,
    AskModel,
    CheckAnswer,
    Compact,
    Deed,
    LookAtNotebook,
    Note,
    RunCell,
    UseTool,
    decide,
    time_left,
)
from nbagent.core.errors import ContextTooLong, ModelError, NbAgentError
from nbagent.core.model import AssistantMessage, ModelAnswer, ModelRequest, Text
from nbagent.core.outline import digests, news, opening, read, variables
from nbagent.core.privacy import redact, redacted, redacted_parts
from nbagent.core.proposal import Author, proposal, touched, undoing
from nbagent.core.session import Session, State
from nbagent.core.tools import AskUser, ProposeChanges, ReadCells, TryCode
from nbagent.fitting import misfit
from nbagent.ports import Ports
from nbagent.trials import Trials

Events = tuple[e.Event, ...]


async def run(session: Session, ports: Ports) -> Session:
    """Work until it is the user's turn, and return the session as it is then.

    Each event is kept before it is shown. The user is heard while an action is under way: a message joins the next
    request, a stop cancels the action. Cancelling this call leaves a journal from which the session can be resumed.
    """
    trials = Trials(ports.sandbox)
    inbox = _Inbox(ports)
    try:
        while action := decide(session):
            session = await inbox.during(action, session, trials)
    finally:
        await inbox.close()
        await trials.close()
    return session


class _Inbox:
    """Performs actions while it listens to the user."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._hearing: asyncio.Task[e.UserSpoke | e.Stopped] | None = None

    async def during(self, action: Action, session: Session, trials: Trials) -> Session:
        """Return the session after the action and after what the user said meanwhile."""
        if isinstance(action, Note):
            return await self._kept(session, action.events)
        doing = asyncio.create_task(_performed(action, session.state, self._ports, trials))
        began, left = time.monotonic(), time_left(session.state, action)
        try:
            while not doing.done():
                hearing = self._hearing = self._hearing or asyncio.create_task(self._ports.user.hear())
                spent = time.monotonic() - began
                rest = None if left is None else max(0.0, left - spent)
                if not (await asyncio.wait((doing, hearing), timeout=rest, return_when=asyncio.FIRST_COMPLETED))[0]:
                    return await self._stopped(session, action, doing, e.Stopped(by="budget", seconds=left or spent))
                if not hearing.done():
                    continue
                self._hearing = None
                said = hearing.result()
                if isinstance(said, e.Stopped):
                    return await self._stopped(session, action, doing, said)
                session = await self._kept(session, (said,))
        except BaseException:
            await _cancelled(doing)
            raise
        return await self._kept(session, doing.result())

    async def _stopped(self, session: Session, action: Deed, doing: asyncio.Task[Events], said: e.Stopped) -> Session:
        """Cancel what can be cancelled; a change of the notebook is short and all or nothing, so it is awaited."""
        if not isinstance(action, ApplyChanges):
            await _cancelled(doing)
        done = () if doing.cancelled() else await doing
        return await self._kept(session, (*done, said))

    async def _kept(self, session: Session, events: Events) -> Session:
        for event in events:
            await self._ports.journal.keep(event)
            session = session.apply(event)
            self._ports.user.show(event)
        return session

    async def close(self) -> None:
        """Stop listening."""
        if self._hearing is not None:
            await _cancelled(self._hearing)


async def _cancelled(task: asyncio.Task[Events] | asyncio.Task[e.UserSpoke | e.Stopped]) -> None:
    task.cancel()
    await asyncio.wait((task,))


async def _performed(action: Deed, state: State, ports: Ports, trials: Trials) -> Events:
    """Perform, and turn a port's failure into an event: a call's result, a failed request, or the end of the turn."""
    try:
        return await perform(action, ports, trials)
    except ModelError as error:
        says = redact(str(error), ports.secrets)
        return (e.ModelFailed(says=says, too_long=isinstance(error, ContextTooLong)),)
    except NbAgentError as error:
        says = redact(str(error), ports.secrets)
        match action:
            case UseTool(call=call):
                return (_failed(call.id, says),)
            case AskConsent() | ApplyChanges():
                return (_failed(action.proposal.id, says),)
            case RunCell():
                known = cut_short(state.call, "the kernel broke", state.terms.privacy, state.tool_tokens)
                return (e.CallAnswered(call_id=action.call_id, parts=(Text(text=says), *known), is_error=True),)
            case _:
                return (e.TurnEnded(how="failed", says=says),)


async def perform(action: Deed, ports: Ports, trials: Trials) -> Events:
    """Do one thing in the world and return what has become true."""
    match action:
        case LookAtNotebook():
            return (await _looked(action, ports),)
        case AskModel():
            answer, seconds = await _answer(action.request, ports)
            return (e.ModelAnswered(answer=answer, seconds=seconds),)
        case Compact():
            answer, seconds = await _answer(action.request, ports)
            words = "\n".join(item.text for item in answer.items if isinstance(item, AssistantMessage))
            return (e.Compacted(summary=words or "(no summary was written)", usage=answer.usage, seconds=seconds),)
        case CheckAnswer():
            return (e.AnswerChecked(wrong=misfit(action.text, action.form)),)
        case UseTool():
            return (await _used(action, ports, trials),)
        case AskConsent():
            verdict = await ports.user.judge(action.proposal)
            return (e.Judged(call_id=action.proposal.id, verdict=verdict, by="user"),)
        case ApplyChanges():
            return (await _applied(action, ports),)
        case RunCell():
            return (await _ran(action, ports, trials),)
        case _:
            assert_never(action)


async def _answer(request: ModelRequest, ports: Ports) -> tuple[ModelAnswer, float]:
    began = time.monotonic()
    answer = await ports.model.ask(request, ports.user.show)
    return answer, time.monotonic() - began


async def _looked(action: LookAtNotebook, ports: Ports) -> e.NotebookSeen:
    notebook = await ports.notebook.read()
    if action.seen is None:
        live = await ports.kernel.variables()
        text = f"{opening(notebook, action.limit)}\n\n{variables(live, action.limit // 3)}"
    else:
        text = news(action.seen, notebook, action.limit)
    return e.NotebookSeen(text=redact(text, ports.secrets), cells=digests(notebook.cells))


async def _used(action: UseTool, ports: Ports, trials: Trials) -> e.Event:
    call, state = action.call, action.state
    match action.order:
        case ReadCells() as order:
            parts, seen = read(order, await ports.notebook.read(), state.terms.privacy, state.tool_tokens)
            return e.CallAnswered(call_id=call.id, parts=redacted_parts(parts, ports.secrets), seen=seen)
        case TryCode() as order:
            done = await trials.tried(order, await ports.notebook.read(), ports.user.show)
            clean = tuple(
                trial.model_copy(update={"execution": redacted(trial.execution, ports.secrets)}) for trial in done
            )
            return e.CodeTried(call_id=call.id, trials=clean)
        case ProposeChanges() as order:
            notebook = await ports.notebook.read()
            ran = state.ran if state.terms.starts_empty else None
            return e.Proposed(proposal=proposal(order, _author(state, call.id), notebook, state.trials, ran))
        case AskUser() as order:
            words = await ports.user.reply(order)
            return e.CallAnswered(call_id=call.id, parts=(Text(text=words),))
        case _:
            assert_never(action.order)


def _author(state: State, call_id: str) -> Author:
    session = state.opening.session if state.opening else ""
    return Author(session=session, turn=state.turn, call=call_id, seen=state.seen)


async def _applied(action: ApplyChanges, ports: Ports) -> e.Applied:
    offer = action.proposal
    before = await ports.notebook.read()
    undo = undoing(before, offer.changes)
    after: Snapshot = await ports.notebook.change(offer.changes) if offer.changes else before
    known = {*touched(offer.changes), *offer.affected}
    return e.Applied(
        call_id=offer.id,
        changes=offer.changes,
        undo=undo,
        cells={cell.id: cell.digest for cell in after.cells if cell.id in known},
        affected=offer.affected,
    )


async def _ran(action: RunCell, ports: Ports, trials: Trials) -> e.CellRan:
    await trials.close()  # its variables are older than what runs now
    source = (await ports.notebook.read()).cell(action.cell_id).source
    done = await ports.kernel.run(action.cell_id, source, show=ports.user.show)
    done = redacted(done, ports.secrets)
    if action.record:
        await ports.notebook.record(action.cell_id, done)
    return e.CellRan(call_id=action.call_id, cell_id=action.cell_id, digest=digest(source), execution=done)


def _failed(call_id: str, says: str) -> e.CallAnswered:
    return e.CallAnswered(call_id=call_id, parts=(Text(text=says),), is_error=True)
