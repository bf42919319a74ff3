"""A turn for front-ends without our own renderer: Markdown and plain text in the same bundle as our MIME type."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import assert_never

from pydantic import JsonValue

from nbagent.core.cells import CellChange, DeleteCell, InsertCell, MoveCell, ReplaceSource
from nbagent.core.model import Text
from nbagent.core.outputs import Execution
from nbagent.core.results import account
from nbagent.hosts.panel.turn import MIME, Footer, Offered, Said, Tried, Turn
from nbagent.hosts.passive import shown
from nbagent.hosts.text import harmless

_TOKENS = 600
_MARKS = {"pending": "[ ]", "doing": "[ ]", "done": "[x]"}
_WAITING = "Accepted code runs with your rights, outside the sandbox."
Block = tuple[str, str, str]
"""A heading in plain words, a body, and the language of the body ('': words of someone)."""


def bundle(turn: Turn) -> dict[str, JsonValue]:
    """Return the turn as a MIME bundle; no format of it can act: there is no HTML in it, and no address to load."""
    return {MIME: turn.model_dump(mode="json"), "text/markdown": markdown(turn), "text/plain": plain(turn)}


def markdown(turn: Turn) -> str:
    """Return the turn as Markdown; what a page would load or run is shown as text."""
    parts = []
    for heading, body, language in _blocks(turn):
        parts += [f"**{_escaped(heading)}**"] if heading else []
        parts += [_fenced(body, language) if language else _words(body)] if body else []
    return "\n\n".join([*parts, f"*{_escaped(_foot(turn.footer))}*"]) + "\n"


def plain(turn: Turn) -> str:
    """Return the turn as lines for a terminal, free of what a terminal would obey."""
    parts = []
    for heading, body, language in _blocks(turn):
        lines = body.splitlines()
        parts.append("\n".join([*([heading] if heading else []), *(("    " if language else "") + x for x in lines)]))
    text = "\n\n".join([*parts, _foot(turn.footer)])
    return "\n".join(harmless(line).rstrip() for line in text.split("\n"))


def _blocks(turn: Turn) -> Iterator[Block]:
    if turn.plan:
        steps = (f"{_MARKS[s.status]} {s.text}{' (now)' if s.status == 'doing' else ''}" for s in turn.plan)
        yield "Plan", "\n".join(f"- {step}" for step in steps), ""
    for entry in turn.entries:
        match entry:
            case Said():
                yield {"user": "You", "agent": "", "nbagent": "nbagent"}[entry.by], entry.text, ""
            case Tried():
                where = f" cell {entry.trial.cell_id}" if entry.trial.cell_id else ""
                yield f"Tried{where} in a copy: {_outcome(entry.trial.execution)}", entry.trial.source, "python"
                yield "", _shown(entry.trial.execution), "text"
            case Offered():
                yield from _proposal(entry)
            case _:
                assert_never(entry)
    if turn.status not in ("working", "waiting", "done") or turn.says:
        yield f"Turn ended: {turn.status}", turn.says, ""


def _proposal(entry: Offered) -> Iterator[Block]:
    offer = entry.offer
    yield f"Proposal ({entry.standing}): {offer.summary}", entry.comment, ""
    evidence = {one.cell_id: one for one in offer.evidence}
    for place, change in enumerate(offer.changes):
        left = " (not accepted)" if entry.only is not None and place not in entry.only else ""
        heading, diff = _diff(change, offer.before)
        known = evidence.get(change.new_id if isinstance(change, InsertCell) else change.cell_id)
        tried = "" if known is None else f", tried: {known.status}" if known.tried else ", not tried"
        yield f"{heading}{tried}{left}", diff, "diff"
        if known is not None and known.refusals:
            refused = "\n".join(f"- {refusal.what} {refusal.target}" for refusal in known.refusals)
            yield "The sandbox refused to it", refused, "text"
    for cell_id, execution in entry.ran.items():
        yield f"Ran cell {cell_id}: {_outcome(execution)}", "", ""
    if entry.standing == "pending":
        yield "", _WAITING, ""


def _diff(change: CellChange, old: Mapping[str, str]) -> tuple[str, str]:
    match change:
        case InsertCell():
            where = f"below {change.after}" if change.after else "at the top"
            return f"New {change.cell_kind} cell {change.new_id} {where}", _unified("", change.source)
        case ReplaceSource():
            return f"Change cell {change.cell_id}", _unified(old.get(change.cell_id, ""), change.source)
        case DeleteCell():
            return f"Delete cell {change.cell_id}", _unified(old.get(change.cell_id, ""), "")
        case MoveCell():
            return f"Move cell {change.cell_id} {f'below {change.after}' if change.after else 'to the top'}", ""
        case _:
            assert_never(change)


def _unified(old: str, new: str) -> str:
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=3)
    return "\n".join(line for line in lines if not line.startswith(("--- ", "+++ ", "@@ ")))


def _outcome(execution: Execution) -> str:
    return f"{execution.status}, {execution.seconds:.1f} s"


def _shown(execution: Execution) -> str:
    parts = account(execution, "outputs", _TOKENS)
    return "\n".join(p.text if isinstance(p, Text) else f"[picture] {p.alt}" for p in parts).strip()


def _foot(footer: Footer) -> str:
    usage = footer.usage
    cached = f" ({usage.cached:,} cached)" if usage.cached else ""
    facts = [footer.model, f"{footer.seconds:.1f} s", f"{usage.input:,}{cached} tokens in, {usage.output:,} out"]
    if footer.window:
        facts.append(f"context {100 * footer.context / footer.window:.0f} %")
    if footer.cost is not None:
        facts.append(f"cost {footer.cost:.4f}")
    return " · ".join(filter(None, facts))


def _words(text: str) -> str:
    """Words as Markdown, or as a block of text when a page would load or run something in them."""
    return text if "text/markdown" in shown({"text/markdown": text})[0] else _fenced(text, "text")


def _escaped(text: str) -> str:
    line = " ".join(text.split())
    return "".join(f"\\{c}" if c in "\\`*_[]<>!$&" else c for c in line)


def _fenced(text: str, language: str) -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text}\n{fence}"
