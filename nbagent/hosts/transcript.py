"""A session as a person reads it: what was said, tried, proposed and changed, in order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from nbagent.core import events as e
from nbagent.core.cells import CellChange, InsertCell, ReplaceSource
from nbagent.core.model import AssistantMessage, Part, Text
from nbagent.core.outputs import Execution
from nbagent.core.results import account
from nbagent.core.session import Session

_MOST_TOKENS = 800  # of one execution, as it is shown to a person


class Block(NamedTuple):
    """One thing that happened. `code`: the body is source or output, to be shown as it is. `tone`: a style's name."""

    title: str
    body: str = ""
    code: bool = False
    tone: str = "cyan"


def blocks(session: Session) -> Iterator[Block]:
    """Yield what happened, without what nbagent says to the model alone."""
    for event in session.events:
        yield from _blocks(event)


def markdown(session: Session) -> str:
    """Return the session as a Markdown document."""
    opening = session.state.opening
    name, notebook = (opening.session, opening.notebook) if opening else ("", "")
    parts = [f"# Session {name}", f"Notebook: `{notebook}`"]
    for block in blocks(session):
        parts.append(f"## {block.title}" if block.tone == "bold" else f"**{block.title}**")
        if block.body:
            parts.append(_fenced(block.body) if block.code else block.body)
    return "\n\n".join(parts) + "\n"


def _blocks(event: e.Event) -> Iterator[Block]:
    match event:
        case e.UserSpoke():
            yield Block("You", event.text, tone="bold")
        case e.ModelAnswered():
            words = "\n\n".join(i.text for i in event.answer.items if isinstance(i, AssistantMessage) and i.text)
            if words:
                yield Block("Agent", words, tone="green")
        case e.CodeTried():
            for trial in event.trials:
                yield Block(f"Tried: {_outcome(trial.execution)}", trial.source, code=True)
                if shown := _shown(trial.execution):
                    yield Block("It showed", shown, code=True, tone="dim")
        case e.Proposed():
            yield Block(f"Proposed: {event.proposal.summary}")
        case e.Judged():
            by = "by you" if event.by == "user" else "by the policy of the session"
            yield Block(f"{event.verdict.answer.capitalize()}ed {by}", event.verdict.comment)
        case e.Applied() if event.changes:
            for change in event.changes:
                yield _changed(change)
        case e.CellRan():
            yield Block(f"Ran cell {event.cell_id}: {_outcome(event.execution)}", _shown(event.execution), code=True)
        case e.PlanUpdated():
            yield Block("Plan", "\n".join(f"- [{step.status}] {step.text}" for step in event.steps))
        case e.ModelFailed():
            yield Block("The model failed", event.says, tone="red")
        case e.Compacted():
            yield Block("The conversation was replaced by a summary", event.summary, tone="yellow")
        case e.Resumed():
            yield Block("Read back from disk", tone="yellow")
        case e.Undone():
            yield Block("Changes were taken back", tone="yellow")
        case e.TurnEnded():
            yield Block(f"Turn ended: {event.how}", event.says, tone="dim")
        case _:
            pass


def _changed(change: CellChange) -> Block:
    match change:
        case InsertCell():
            return Block(f"Inserted cell {change.new_id}", change.source, code=True)
        case ReplaceSource():
            return Block(f"Changed cell {change.cell_id}", change.source, code=True)
        case _:
            return Block(f"{'Moved' if change.kind == 'move' else 'Deleted'} cell {change.cell_id}")


def _outcome(execution: Execution) -> str:
    return f"{execution.status}, {execution.seconds:.1f} s"


def _shown(execution: Execution) -> str:
    return "\n".join(_words(part) for part in account(execution, "outputs", _MOST_TOKENS)).strip()


def _words(part: Part) -> str:
    return part.text if isinstance(part, Text) else f"[picture] {part.alt}"


def _fenced(text: str) -> str:
    """A fence longer than any in the text."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}\n{text}\n{fence}"
