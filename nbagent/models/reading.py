"""From the bytes of a streamed body to the answer, without any network: what a replayed body also goes through."""

from __future__ import annotations

import json
from collections.abc import Callable

from nbagent.core.model import ModelAnswer, ModelProgress
from nbagent.models.chat import ChatFold
from nbagent.models.failures import Fault
from nbagent.models.fields import Json
from nbagent.models.fold import Fold
from nbagent.models.messages import MessagesFold
from nbagent.models.responses import ResponsesFold
from nbagent.models.sse import EventTooLarge, SentEvent, SseParser
from nbagent.models.target import Target

_IDLE = {"ping", "keepalive"}


class Reading:
    """Reads one streamed body."""

    def __init__(self, target: Target, show: Callable[[ModelProgress], None]) -> None:
        self._parser = SseParser()
        self._fold = fold_of(target)
        self._show = show
        self.events = 0
        """How many events with a meaning have come: pings and comments keep a connection open, but say nothing."""

    @property
    def ended(self) -> bool:
        """Whether the answer is whole: what follows need not be read."""
        return self._fold.ended

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes. Raises `Fault`."""
        try:
            events = self._parser.feed(chunk)
        except EventTooLarge as error:
            raise Fault("broken", str(error)) from error
        self._take(events)

    def answer(self) -> ModelAnswer:
        """Return the answer at the end of the body. Raises `Fault` when it is not whole."""
        self._take(self._parser.end())
        return self._fold.answer()

    def _take(self, events: list[SentEvent]) -> None:
        for event in events:
            if self._fold.ended:
                return
            data = event.data.strip()
            if data == "[DONE]":
                self._fold.done_marker()
                continue
            if not data:
                continue
            body = _parsed(data)
            self.events += body.get("type", event.name) not in _IDLE
            for progress in self._fold.add(body, event.name):
                self._show(progress)


def fold_of(target: Target) -> Fold:
    """Return an empty fold of the target's protocol."""
    match target.protocol:
        case "responses":
            return ResponsesFold(target.provider)
        case "chat":
            return ChatFold(target.provider)
        case "messages":
            return MessagesFold(target.provider)


def _parsed(data: str) -> Json:
    try:
        body = json.loads(data, strict=False)
    except (ValueError, RecursionError) as error:
        raise Fault("broken", "The server sent an event that is not JSON.") from error
    if not isinstance(body, dict):
        raise Fault("broken", "The server sent an event that is not a JSON object.")
    return body
