"""Sessions on disk: one JSON line per event, long texts and pictures beside them by digest, readable by the user alone.

A line is on disk before its event counts. A line that a crash cut off is no event, and is removed on resuming.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from pydantic import JsonValue, ValidationError

from nbagent.core.errors import JournalError, UsageError
from nbagent.core.events import EVENTS, Event
from nbagent.core.session import Session
from nbagent.hosts.folders import private_folder, synced

LONG = 4096
"""Characters beyond which a text lies beside the events."""
EVENTS_FILE = "events.jsonl"
_REFERENCE = "nbagent-kept"


class FileJournal:
    """`ports.Journal` over a folder.

    Raises `JournalError` when another process works on the session, and `UsageError` when `new` is false and there is
    no such session.
    """

    def __init__(self, session: str, *, new: bool = True) -> None:
        self.session = session
        self.folder = session_folder(session, new=new)
        try:
            self._file = os.open(self.folder / EVENTS_FILE, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            synced(self.folder)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._cut_torn_line()
        except BlockingIOError as error:
            os.close(self._file)
            raise JournalError(f"Session {session} is open in another process. Close it there first.") from error
        except OSError as error:
            raise _unkept(session, error) from error

    async def keep(self, event: Event) -> None:
        """Keep one event; it survives a crash of the machine when the call returns."""
        line = json.dumps(self._put(EVENTS.dump_python(event, mode="json")), ensure_ascii=False, separators=(",", ":"))
        self._append(line.encode("utf-8", "surrogatepass") + b"\n")

    def close(self) -> None:
        """Let another process have the session."""
        os.close(self._file)

    def _append(self, raw: bytes) -> None:
        """All of the line or, when the disk is full, none of it: the next line must not join a half one."""
        size = os.fstat(self._file).st_size
        try:
            if os.write(self._file, raw) != len(raw):
                raise OSError(28, "No space left on device")
            os.fsync(self._file)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, size)
            raise _unkept(self.session, error) from error

    def _put(self, value: JsonValue) -> JsonValue:
        match value:
            case dict() if _REFERENCE in value:  # looks like a reference: what it says must not be taken for one
                return {_REFERENCE: self._beside(json.dumps(value).encode()), "json": True}
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
        target = self.folder / name
        if not target.exists():
            try:
                unfinished = target.with_suffix(".part")
                with open(unfinished, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
                    file.write(raw)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(unfinished, target)
                synced(self.folder)
            except OSError as error:
                raise _unkept(self.session, error) from error
        return name

    def _cut_torn_line(self) -> None:
        raw = (self.folder / EVENTS_FILE).read_bytes()
        if raw and not raw.endswith(b"\n"):
            os.ftruncate(self._file, raw.rfind(b"\n") + 1)
            os.fsync(self._file)


def new_session() -> str:
    """Return a fresh session id that sorts by time."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{uuid4().hex[:6]}"


def read(session: str) -> Session:
    """Return a session as it was kept. Raises `UsageError` for one that does not exist, `JournalError` otherwise."""
    folder = session_folder(session, new=False)
    try:
        lines = (folder / EVENTS_FILE).read_bytes().split(b"\n")[:-1]
        return Session.of(
            EVENTS.validate_python(_get(folder, json.loads(line.decode("utf-8", "surrogatepass")))) for line in lines
        )
    except (OSError, ValueError, ValidationError) as error:
        raise JournalError(f"Session {session} cannot be read back: {error}. Its files lie in {folder}.") from error


def session_folder(session: str, *, new: bool = False) -> Path:
    """Return where a session is kept. Raises `UsageError` when there is none and it is not `new`."""
    if not re.fullmatch(r"[\w-]{1,80}", session):
        raise UsageError(f"{session!r} is no session. See `nbagent sessions list`.")
    folder = private_folder("sessions")
    if not new and not (folder / session / EVENTS_FILE).is_file():
        raise UsageError(f"There is no session {session!r}. See `nbagent sessions list`.")
    return private_folder("sessions", session) if new else folder / session


def _get(folder: Path, value: JsonValue) -> JsonValue:
    match value:
        case {"nbagent-kept": str(name), **others} if re.fullmatch(r"[0-9a-f]{64}", name):
            raw = (folder / name).read_bytes()
            if others == {"json": True}:
                whole: JsonValue = json.loads(raw)
                return whole
            return raw.decode("utf-8", "surrogatepass")
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
