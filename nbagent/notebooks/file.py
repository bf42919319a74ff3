"""Notebook files: written atomically, and only if the file still is what was read."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from nbagent.core.cells import Change, Snapshot
from nbagent.core.errors import NotebookError
from nbagent.core.outputs import Execution
from nbagent.notebooks.document import Document


class FileChanged(NotebookError):
    """Somebody else wrote the file since it was read."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} was changed by another program since it was read, so it was left alone. Try again.")


class FileNotebook:
    """`ports.Notebook` over a file; each change is on disk when the call returns.

    before_write: called with the bytes that are there and those that replace them, before each write; what it raises
    keeps the write from happening.
    """

    def __init__(self, path: Path, before_write: Callable[[bytes, bytes], None] | None = None) -> None:
        self._path, self._before_write = path, before_write
        self._document: Document | None = None

    async def read(self) -> Snapshot:
        """Return the notebook as the file has it now."""
        self._document = await asyncio.to_thread(Document.read, self._path)
        return self._document.snapshot

    async def change(self, changes: Sequence[Change]) -> Snapshot:
        """Apply all changes or none."""
        await self._write(self._current().changed(changes))
        return self._current().snapshot

    async def record(self, cell_id: str, execution: Execution) -> None:
        """Store an execution's outputs and count in a cell."""
        self._current().snapshot.cell(cell_id)
        await self._write(self._current().changed((), {cell_id: execution}))

    def _current(self) -> Document:
        if self._document is None:
            self._document = Document.read(self._path)
        return self._document

    async def _write(self, text: str) -> None:
        document = self._current()
        raw = text.encode("utf-8", "surrogatepass")
        await asyncio.to_thread(self._replace, document, raw)
        self._document = Document.of_bytes(self._path, raw)

    def _replace(self, document: Document, raw: bytes) -> None:
        if self._before_write is not None:
            before = document.text.encode("utf-8", "surrogatepass")
            if raw == before:
                return
            _refuse_if_changed(self._path, self._path, document.digest)
            self._before_write(before, raw)
        write(self._path, raw, document.digest)


def write(path: Path, raw: bytes, expects: str | None) -> None:
    """Replace a file's content at once; a link's target is replaced, not the link; permissions stay.

    expects: the digest of the content that may be replaced (`Document.digest`), or None for any or no file.
    Raises `FileChanged`, or `NotebookError` when it cannot be written; then the file is as it was.
    """
    target = Path(os.path.realpath(path))
    try:
        _refuse_if_changed(path, target, expects)
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, _mode(target))
        _refuse_if_changed(path, target, expects)
        os.replace(temporary, target)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
    _sync_folder(target.parent)


def _refuse_if_changed(path: Path, target: Path, expects: str | None) -> None:
    if expects is not None and hashlib.sha256(target.read_bytes()).hexdigest() != expects:
        raise FileChanged(path)


def _mode(target: Path) -> int:
    try:
        return stat.S_IMODE(target.stat().st_mode)
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


def _unwritable(path: Path, error: OSError) -> NotebookError:
    return NotebookError(f"{path} could not be written ({error.strerror}). It is as it was.")


def _sync_folder(folder: Path) -> None:
    """Make the rename itself last through a power cut, where the file system lets a folder be synced."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
