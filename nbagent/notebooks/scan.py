"""Where things stand in JSON text, so that a change can replace exactly the characters it means.

The text is known to be valid JSON already (`json.loads` read it); nothing here checks that again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

_BLANK = re.compile(r"[ \t\n\r]*")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_PLAIN = re.compile(r"[^,\]}\s]+")


class Span(NamedTuple):
    """A stretch of text, end exclusive."""

    start: int
    end: int

    def of(self, text: str) -> str:
        """Return the stretch."""
        return text[self.start : self.end]


class Member(NamedTuple):
    """One entry of an object: its decoded key, where the key's string begins, and its value."""

    key: str
    start: int
    value: Span


def value_at(text: str, start: int) -> Span:
    """Return the value that begins at or after `start`, without the blanks around it."""
    start = _past_blanks(text, start)
    if text[start] == '"':
        return Span(start, _end(_STRING, text, start))
    if text[start] not in "[{":
        return Span(start, _end(_PLAIN, text, start))
    depth = 0
    for token in _TOKEN.finditer(text, start):
        if token[0] in "[{":
            depth += 1
        elif token[0] in "]}":
            depth -= 1
            if depth == 0:
                return Span(start, token.end())
    raise ValueError("unbalanced JSON")


def members(text: str, span: Span) -> Iterator[Member]:
    """Yield an object's entries in order."""
    at = _past_blanks(text, span.start + 1)
    while text[at] != "}":
        key = Span(at, _end(_STRING, text, at))
        colon = _past_blanks(text, key.end)
        value = value_at(text, colon + 1)
        yield Member(json.loads(key.of(text), strict=False), at, value)
        at = _past_comma(text, value.end)


def items(text: str, span: Span) -> Iterator[Span]:
    """Yield an array's values in order."""
    at = _past_blanks(text, span.start + 1)
    while text[at] != "]":
        value = value_at(text, at)
        yield value
        at = _past_comma(text, value.end)


def find(text: str, span: Span, key: str) -> Member | None:
    """Return an object's entry by key; of several the last, which is the one that JSON readers take."""
    found = None
    for member in members(text, span):
        if member.key == key:
            found = member
    return found


def replaced(text: str, edits: list[tuple[Span, str]]) -> str:
    """Return the text with stretches replaced; they must not overlap."""
    for span, new in sorted(edits, reverse=True):
        text = text[: span.start] + new + text[span.end :]
    return text


def _past_blanks(text: str, at: int) -> int:
    return _end(_BLANK, text, at)


def _past_comma(text: str, at: int) -> int:
    at = _past_blanks(text, at)
    return _past_blanks(text, at + 1) if text[at] == "," else at


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    if found is None:
        raise ValueError("unexpected JSON")
    return found.end()
