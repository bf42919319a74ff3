"""Sessions on disk: one JSON line per event, long texts and pictures beside them by digest, readable by the user alone.

A line is on disk before its event counts. A line that a crash cut off is no event, and is removed on resuming.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from pydantic import BaseModel, JsonValue, ValidationError

from nbagent.core.errors import JournalError, UsageError
from nbagent.core.events import EVENTS, Event, SessionStarted, UserSpoke
from nbagent.core.session import Session
from nbagent.hosts.folders import private_folder

LONG = 4096
"""Characters beyond which a text lies beside the events."""
_REFERENCE = "nbagent-kept"
_EVENTS = "events.jsonl"


class Summary(BaseModel, frozen=True):
    """One line of `nbagent sessions list`."""

    session: str
    notebook: str
    when: str
    turns: int
    task: str


class FileJournal:
    """`ports.Journal` over a folder. Raises `JournalError` when another process works on the session."""

    def __init__(self, session: str) -> None:
        self.session = session
        self._folder = _folder(session)
        try:
            self._file = os.open(self._folder / _EVENTS, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._file)
            raise JournalError(f"Session {session} is open in another process. Close it there first.") from error
        except OSError as error:
            raise _unkept(session, error) from error
        self._cut_torn_line()

    async def keep(self, event: Event) -> None:
        """Keep one event; it survives a crash of the machine when the call returns."""
        line = json.dumps(self._put(EVENTS.dump_python(event, mode="json")), ensure_ascii=False, separators=(",", ":"))
        try:
            raw = line.encode("utf-8", "surrogatepass") + b"\n"
            written = os.write(self._file, raw)
            if written != len(raw):
                raise OSError(28, "No space left on device")
            os.fsync(self._file)
        except OSError as error:
            raise _unkept(self.session, error) from error

    def close(self) -> None:
        """Let another process have the session."""
        os.close(self._file)

    def _put(self, value: JsonValue) -> JsonValue:
        match value:
            case dict():
                return {key: self._put(inner) for key, inner in value.items()}
            case list():
                return [self._put(inner) for inner in value]
            case str() if len(value) > LONG:
                return {_REFERENCE: self._beside(value.encode("utf-8", "surrogatepass"))}
            case _:
                return value

    def _beside(self, raw: bytes) -> str:
        name = hashlib.sha256(raw).hexdigest()
        target = self._folder / name
        if not target.exists():
            try:
                unfinished = target.with_suffix(".part")
                with open(unfinished, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
                    file.write(raw)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(unfinished, target)
            except OSError as error:
                raise _unkept(self.session, error) from error
        return name

    def _cut_torn_line(self) -> None:
        raw = (self._folder / _EVENTS).read_bytes()
        if raw and not raw.endswith(b"\n"):
            os.ftruncate(self._file, raw.rfind(b"\n") + 1)


def new_session() -> str:
    """Return a fresh session id that sorts by time."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{uuid4().hex[:6]}"


def read(session: str) -> Session:
    """Return a session as it was kept. Raises `UsageError` for one that does not exist, `JournalError` otherwise."""
    folder = _folder(session, new=False)
    try:
        lines = (folder / _EVENTS).read_bytes().split(b"\n")[:-1]
        return Session.of(
            EVENTS.validate_python(_get(folder, json.loads(line.decode("utf-8", "surrogatepass")))) for line in lines
        )
    except (OSError, ValueError, ValidationError) as error:
        raise JournalError(f"Session {session} cannot be read back: {error}. Its files lie in {folder}.") from error


def sessions() -> Iterator[Summary]:
    """Yield what is kept, newest first; a session that cannot be read is left out."""
    for folder in sorted(private_folder("sessions").iterdir(), reverse=True):
        try:
            kept = read(folder.name)
        except (JournalError, UsageError):
            continue
        said = [event.text for event in kept.events if isinstance(event, UserSpoke)]
        opening = kept.state.opening
        when = datetime.fromtimestamp((folder / _EVENTS).stat().st_mtime, UTC).isoformat(timespec="seconds")
        yield Summary(
            session=folder.name,
            notebook=opening.notebook if isinstance(opening, SessionStarted) else "",
            when=when,
            turns=kept.state.turn,
            task=said[0] if said else "",
        )


def _folder(session: str, *, new: bool = True) -> Path:
    if not re.fullmatch(r"[\w-]{1,80}", session):
        raise UsageError(f"{session!r} is no session. See `nbagent sessions list`.")
    folder = private_folder("sessions")
    if not new and not (folder / session).is_dir():
        raise UsageError(f"There is no session {session!r}. See `nbagent sessions list`.")
    return private_folder("sessions", session) if new else folder / session


def _get(folder: Path, value: JsonValue) -> JsonValue:
    match value:
        case {"nbagent-kept": str(name), **others} if not others and re.fullmatch(r"[0-9a-f]{64}", name):
            return (folder / name).read_bytes().decode("utf-8", "surrogatepass")
        case dict():
            return {key: _get(folder, inner) for key, inner in value.items()}
        case list():
            return [_get(folder, inner) for inner in value]
        case _:
            return value


def _unkept(session: str, error: OSError) -> JournalError:
    return JournalError(
        f"Session {session} cannot be kept on disk ({error.strerror}), so the work stopped. What was done is kept."
    )
