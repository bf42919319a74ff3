"""Server-sent events, read from bytes.

Line iterators of HTTP clients split on U+2028, U+0085 and form feeds, which are legal inside JSON; only CR, LF and CRLF
end a line here (https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_LINE_END = re.compile(rb"\r\n|\r|\n")
_BOM = b"\xef\xbb\xbf"
LARGEST_EVENT = 64 * 1024 * 1024
"""Bytes of one event. Whole pictures arrive in one event; anything larger is a server gone wrong."""


class EventTooLarge(ValueError):
    """The server sends an event without end."""

    def __init__(self) -> None:
        super().__init__(f"The server sent an event of more than {LARGEST_EVENT >> 20} MB.")


@dataclass(frozen=True, slots=True)
class SentEvent:
    """One event: its name (`message` when the server gave none) and its data lines joined by newlines."""

    name: str
    data: str


class SseParser:
    """Turns chunks of a body, cut anywhere, into events."""

    def __init__(self, largest: int = LARGEST_EVENT) -> None:
        self._largest = largest
        self._partial = bytearray()
        self._data: list[bytes] = []
        self._size = 0
        self._name = b""
        self._at_start = True
        self._after_cr = False

    def feed(self, chunk: bytes) -> list[SentEvent]:
        """Return the events that this chunk completes. Raises `EventTooLarge`."""
        if self._at_start:
            self._partial += chunk
            if len(self._partial) < len(_BOM) and _BOM.startswith(self._partial):
                return []
            chunk = bytes(self._partial).removeprefix(_BOM)
            self._partial.clear()
            self._at_start = False
        if not chunk:
            return []
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
            self._after_cr = False
            if not chunk:
                return []
        self._after_cr = chunk.endswith(b"\r")
        first, *others = _LINE_END.split(chunk)
        self._partial += first
        events = []
        for following in others:
            events += self._line(bytes(self._partial))
            self._partial[:] = following
        if len(self._partial) + self._size > self._largest:
            raise EventTooLarge
        return events

    def end(self) -> list[SentEvent]:
        """Return the event that the body ended in, if it lacked only its blank line."""
        events = self._line(bytes(self._partial).removeprefix(_BOM)) if self._partial else []
        self._partial.clear()
        return events + self._dispatch()

    def _line(self, line: bytes) -> list[SentEvent]:
        if not line:
            return self._dispatch()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
            self._size += len(value) + 1
            if self._size > self._largest:
                raise EventTooLarge
        elif field == b"event":
            self._name = value
        return []

    def _dispatch(self) -> list[SentEvent]:
        data, name = self._data, self._name
        self._data, self._name, self._size = [], b"", 0
        if not data:
            return []
        return [SentEvent(name.decode("utf-8", "replace") or "message", b"\n".join(data).decode("utf-8", "replace"))]
