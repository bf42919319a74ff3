"""What is kept of all sessions, and taking back what one of them changed."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel

from nbagent.core import events as e
from nbagent.core.cells import CellChange
from nbagent.core.errors import NotebookError, UsageError
from nbagent.core.session import Session
from nbagent.hosts.folders import private_folder
from nbagent.hosts.journal import EVENTS_FILE, FileJournal, read
from nbagent.hosts.undo import Originals
from nbagent.notebooks.file import FileNotebook


class Summary(BaseModel, frozen=True):
    """One line of `nbagent sessions list`. state: how the last turn ended, `unfinished`, or `in use` by a process."""

    session: str
    notebook: str
    when: str
    turns: int
    state: str
    task: str


def kept_sessions() -> Iterator[Summary]:
    """Yield what is kept, newest first. A session in which nobody ever spoke is left out."""
    folders = [one for one in private_folder("sessions").iterdir() if (one / EVENTS_FILE).is_file()]
    for folder in sorted(folders, key=lambda one: (one / EVENTS_FILE).stat().st_mtime_ns, reverse=True):
        found = _summary(folder)
        if found is not None:
            yield found


def _summary(folder: Path) -> Summary | None:
    """Read only the few lines that tell it, without folding the whole session."""
    path = folder / EVENTS_FILE
    notebook, task, turns, state = "", "", 0, ""
    for line in path.read_bytes().split(b"\n")[:-1]:
        if line.startswith(b'{"kind":"session started"'):
            notebook = _text(line, "notebook", folder)
        elif line.startswith(b'{"kind":"user spoke"'):
            task = task or _text(line, "text", folder)
            turns += state != "unfinished"
            state = "unfinished"
        elif line.startswith(b'{"kind":"turn ended"'):
            state = _text(line, "how", folder)
    if not turns:
        return None
    when = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")
    state = "in use" if _in_use(path) else state
    return Summary(session=folder.name, notebook=notebook, when=when, turns=turns, state=state, task=task)


def _text(line: bytes, key: str, folder: Path) -> str:
    """Return a field's text; a long one lies in a file of its own."""
    try:
        value = json.loads(line.decode("utf-8", "surrogatepass")).get(key, "")
        if isinstance(value, dict):
            return (folder / str(value.get("nbagent-kept"))).read_text("utf-8", "replace")
        return str(value)
    except (OSError, ValueError):
        return ""


def _in_use(path: Path) -> bool:
    with open(path, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def latest() -> str:
    """Return the newest session's id. Raises `UsageError` when there is none."""
    found = next(kept_sessions(), None)
    if found is None:
        raise UsageError('No session is kept yet. Begin one with nbagent run NOTEBOOK "task".')
    return found.session


def last_changes(session: Session) -> tuple[e.Applied, ...]:
    """Return the changes of the latest turn that still has some that were not taken back."""
    turns: list[list[e.Applied]] = [[]]
    for event in session.events:
        match event:
            case e.Applied() if event.changes:
                turns[-1].append(event)
            case e.Undone():
                turns = [[one for one in turn if one.call_id not in event.call_ids] for turn in turns]
            case e.TurnEnded():
                turns.append([])
            case _:
                pass
    return tuple(next((turn for turn in reversed(turns) if turn), ()))


async def take_back(name: str) -> str:
    """Take the latest turn's changes back in the notebook, tell the session, and return a sentence about it.

    All or nothing: a cell that was edited since keeps everything as it is. `nbagent undo` takes this back in turn.
    """
    journal = FileJournal(name, new=False)
    try:
        session = read(name)
        done, opening = last_changes(session), session.state.opening
        if not done or opening is None:
            raise NotebookError(f"Session {name} has no changes that could be taken back. Nothing was done.")
        path = Path(opening.notebook)
        changes: list[CellChange] = [change for one in reversed(done) for change in one.undo]
        notebook = FileNotebook(path, Originals(path).before_write)
        try:
            before = await notebook.read()
            before.apply(changes)
        except NotebookError as error:
            raise NotebookError(
                f"{path} is as it was: {error} If nothing else wrote it since, `nbagent undo {path}` puts it back."
            ) from error
        after = await notebook.change(changes)
        told = {cell for one in done for cell in one.cells} | {change_id(change) for change in changes}
        cells = {cell.id: cell.digest for cell in after.cells if cell.id in told}
        ids = tuple(one.call_id for one in done)
        await journal.keep(e.Undone(call_ids=ids, changes=tuple(changes), cells=cells))
    finally:
        journal.close()
    count = len(changes)
    return f"{path}: {count} {'change' if count == 1 else 'changes'} of session {name} taken back."


def change_id(change: CellChange) -> str:
    """Return the cell that a change is about."""
    return change.new_id if change.kind == "insert" else change.cell_id


def write_out(text: str, output: Path | None) -> str | None:
    """Write an export to a file, private to the user; None: return the text for standard output."""
    if output is None:
        return text
    try:
        with open(output, "w", encoding="utf-8", errors="backslashreplace", opener=_private) as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"{output} cannot be written ({error.strerror}). Name another file.") from error
    return None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
