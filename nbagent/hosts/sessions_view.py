"""How `nbagent sessions` shows what is kept."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from pydantic import JsonValue

from nbagent.core.events import EVENTS
from nbagent.core.session import Session
from nbagent.hosts.sent import SentRequest
from nbagent.hosts.sessions import Summary
from nbagent.hosts.text import Style, harmless, width
from nbagent.hosts.transcript import blocks

_TONES = {"done": "green", "in use": "cyan", "failed": "red", "unfinished": "yellow", "interrupted": "yellow"}
_LONG_DATA = 2000


def show_list(found: Iterable[Summary], stream: TextIO) -> None:
    """Print a line or two for each session."""
    style, columns, none = Style(stream), width(stream), True
    for one in found:
        none = False
        turns = f"{one.turns} {'turn' if one.turns == 1 else 'turns'}"
        when = one.when.replace("T", " ").removesuffix("+00:00") + " UTC"
        state = style(one.state, _TONES.get(one.state, "dim"))
        print(
            f"{style(one.session, 'bold')}  {when}  {turns}, {state}  {harmless(Path(one.notebook).name)}", file=stream
        )
        task = " ".join(harmless(one.task).split())
        print(f"  {textwrap.shorten(task, max(20, columns - 2), placeholder='...')}", file=stream)
    if none:
        print('No session is kept yet. Begin one with nbagent run NOTEBOOK "task".', file=stream)


def show_session(session: Session, stream: TextIO) -> None:
    """Print what happened in it."""
    style, opening = Style(stream), session.state.opening
    if opening is not None:
        model = session.state.terms.model
        print(f"{style('Session ' + opening.session, 'bold')}  {harmless(opening.notebook)}", file=stream)
        used = session.state.spent
        told = f"{used.requests} requests, {used.usage.input:,} tokens in, {used.usage.output:,} out"
        print(style(f"{harmless(f'{model.provider}/{model.name}')}: {told}", "dim"), file=stream)
    for block in blocks(session):
        print(f"\n{style(harmless(block.title), block.tone)}", file=stream)
        for line in harmless(block.body).splitlines():
            print(f"  {line}", file=stream)


def event_lines(session: Session) -> str:
    """Return every event as a JSON line, with its long texts."""
    return "".join(json.dumps(EVENTS.dump_python(event, mode="json")) + "\n" for event in session.events)


def show_requests(sent: Iterable[SentRequest], stream: TextIO) -> None:
    """Print what is new in each request; all before it is the same as in the one before, byte for byte."""
    style, none, before = Style(stream), True, list[JsonValue]()
    for one in sent:
        none = False
        size = len(one.body.encode("utf-8", "surrogatepass"))
        print(style(f"Request {one.number}  {one.when}  {one.url}  {size:,} bytes", "bold"), file=stream)
        body = json.loads(one.body)
        key = next((name for name in ("messages", "input") if isinstance(body.get(name), list)), "")
        items: list[JsonValue] = body.pop(key, [])
        goes_on = bool(before) and items[: len(before)] == before
        if goes_on:
            print(style(f"  begins with the {len(before)} items of the request before; new:", "dim"), file=stream)
        else:
            _print(body, stream)
        for item in items[len(before) :] if goes_on else items:
            _print(item, stream)
        before = items
    if none:
        print("No request of this session left the machine, or it was begun by an older version.", file=stream)


def request_lines(sent: Iterable[SentRequest]) -> str:
    """Return each request, whole, as a JSON line."""
    return "".join(
        json.dumps({"number": one.number, "when": one.when, "url": one.url, "body": json.loads(one.body)}) + "\n"
        for one in sent
    )


def _print(value: JsonValue, stream: TextIO) -> None:
    text = json.dumps(_without_pictures(value), indent=2, ensure_ascii=False)
    print(textwrap.indent(harmless(text), "  "), file=stream)


def _without_pictures(value: JsonValue) -> JsonValue:
    match value:
        case dict():
            return {key: _without_pictures(inner) for key, inner in value.items()}
        case list():
            return [_without_pictures(inner) for inner in value]
        case str() if len(value) > _LONG_DATA and " " not in value[:_LONG_DATA]:
            return f"{value[:40]}... [{len(value):,} characters of data, whole with --json]"
        case _:
            return value
