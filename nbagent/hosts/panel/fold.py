"""From a session's events to its turns."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from nbagent.core import events as e
from nbagent.core.model import AssistantMessage
from nbagent.core.session import Session, State
from nbagent.hosts.panel.turn import Entry, Footer, Offered, Said, Standing, Tried, Turn


def turn(session: Session, number: int | None = None) -> Turn:
    """Return a turn of the session, the last one unless `number` (from 1) says which; raises `IndexError`."""
    found = turns(session.events)
    return found[-1 if number is None else number - 1]


def turns(events: Iterable[e.Event]) -> tuple[Turn, ...]:
    """Return all turns, first to last. What is undone later changes the turn that had done it."""
    session, found = Session(), list[Turn]()
    for event in events:
        before, session = session.state, session.apply(event)
        if isinstance(event, e.UserSpoke) and not before.working:
            opening = session.state.opening
            name = opening.session if opening else ""
            found.append(Turn(session=name, number=session.state.turn, plan=session.state.plan))
        if isinstance(event, e.Undone):
            found = [_undone(each, event) for each in found]
        elif found and (session.state.working or before.working):
            found[-1] = _after(found[-1], event).model_copy(update={"footer": _footer(session.state)})
    return tuple(found)


def _after(turn: Turn, event: e.Event) -> Turn:
    match event:
        case e.UserSpoke():
            return _more(turn, Said(by="user", text=event.text))
        case e.ModelAnswered():
            words = [i.text for i in event.answer.items if isinstance(i, AssistantMessage) and i.text.strip()]
            return _more(turn, *(Said(by="agent", text=text) for text in words))
        case e.ModelFailed():
            return _more(turn, Said(by="nbagent", text=event.says))
        case e.Compacted():
            return _more(turn, Said(by="nbagent", text="The conversation was replaced by a summary to make room."))
        case e.CodeTried():
            return _more(turn, *(Tried(trial=trial) for trial in event.trials))
        case e.PlanUpdated():
            return turn.model_copy(update={"plan": event.steps})
        case e.TurnEnded():
            return turn.model_copy(update={"status": event.how, "says": event.says})
        case e.Stopped():
            return turn.model_copy(update={"status": "stopped"})
        case _:
            return _proposal(turn, event)


def _proposal(turn: Turn, event: e.Event) -> Turn:
    match event:
        case e.Proposed():
            return _more(turn, Offered(offer=event.proposal)).model_copy(update={"status": "waiting"})
        case e.Judged():
            judged = _offered(turn, event.call_id, lambda one: _judged(one, event))
            return judged.model_copy(update={"status": "working"})
        case e.CellRan():
            ran = {event.cell_id: event.execution}
            return _offered(turn, event.call_id, lambda one: one.model_copy(update={"ran": {**one.ran, **ran}}))
        case _:
            return turn


def _judged(one: Offered, event: e.Judged) -> Offered:
    part = event.verdict.only is not None and len(set(event.verdict.only)) < len(one.offer.changes)
    standing: Standing = "accepted"
    if event.verdict.answer == "reject":
        standing = "rejected"
    elif part:
        standing = "partly accepted"
    told = {"standing": standing, "by": event.by, "comment": event.verdict.comment}
    return one.model_copy(update={**told, "only": event.verdict.only if part else None})


def _undone(turn: Turn, event: e.Undone) -> Turn:
    for call in event.call_ids:
        turn = _offered(turn, call, lambda one: one.model_copy(update={"standing": "undone"}))
    return turn


def _offered(turn: Turn, call: str, change: Callable[[Offered], Offered]) -> Turn:
    entries = [change(one) if isinstance(one, Offered) and one.offer.id == call else one for one in turn.entries]
    return turn.model_copy(update={"entries": tuple(entries)})


def _more(turn: Turn, *entries: Entry) -> Turn:
    return turn.model_copy(update={"entries": (*turn.entries, *entries)})


def _footer(state: State) -> Footer:
    spent, prices = state.spent_this_turn, state.terms.prices
    return Footer(
        model=state.terms.model.name,
        seconds=spent.seconds,
        usage=spent.usage,
        context=state.context,
        window=state.terms.model.window,
        cost=None if prices is None else prices.cost(spent.usage),
    )
