"""What left the machine: every request's body as it was sent, kept beside the session's events."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ValidationError

from nbagent.core.errors import JournalError

_FILE = "requests.jsonl"


class _Line(BaseModel, frozen=True):
    """`body` is the first `same` characters of the request before, then `rest`: requests grow at their end."""

    when: str
    url: str
    same: int
    rest: str


class SentRequest(BaseModel, frozen=True):
    """One request. `same`: how many of the body's first characters are those of the request before."""

    number: int
    when: str
    url: str
    body: str
    same: int


class SentRequests:
    """Keeps requests in a session's folder, each before it leaves."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE
        self._before = ""

    def keep(self, url: str, body: bytes) -> None:
        """Keep one request. Raises `JournalError`; then it must not be sent. An address's query may hold a key: it is
        left out, and so are all headers."""
        whole = body.decode("utf-8", "surrogatepass")
        same = _common(self._before, whole)
        when = datetime.now(UTC).isoformat(timespec="seconds")
        line = _Line(when=when, url=url.partition("?")[0], same=same, rest=whole[same:])
        raw = json.dumps(line.model_dump()).encode() + b"\n"
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                size = os.fstat(file).st_size
                torn = size and os.pread(file, 1, size - 1) != b"\n"
                if os.write(file, b"\n" + raw if torn else raw) < len(raw):
                    raise OSError(28, "No space left on device")
            finally:
                os.close(file)
        except OSError as error:
            says = f"The request cannot be kept in {self._path} ({error.strerror}), so it was not sent."
            raise JournalError(says) from error
        self._before = whole


def requests(folder: Path) -> Iterator[SentRequest]:
    """Yield the requests of a session, oldest first; a line that a crash cut off never left."""
    path = folder / _FILE
    before, number = "", 0
    for raw in path.read_bytes().split(b"\n") if path.exists() else ():
        try:
            line = _Line.model_validate(json.loads(raw))
        except (ValueError, ValidationError):
            continue
        number += 1
        body = before[: line.same] + line.rest
        yield SentRequest(number=number, when=line.when, url=line.url, body=body, same=line.same)
        before = body


def _common(one: str, other: str) -> int:
    """Return how many characters both begin with, by halving: texts are long, and mostly the same."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
