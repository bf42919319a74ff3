"""Originals that commands have replaced, kept in the user's data folder so that each write can be taken back."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ValidationError

from nbagent.core.errors import NotebookError
from nbagent.hosts.folders import private_folder, synced
from nbagent.notebooks.file import write

_MOST_KEPT = 20
"""Originals of one notebook; the oldest goes when another comes."""


class Kept(BaseModel, frozen=True):
    """What can be taken back at once: the digests of the file before and after it.

    former: the digest before the last of several writes, which is what the file holds if that write never happened.
    """

    path: str
    before: str
    after: str
    when: str
    former: str = ""


class Originals:
    """Keeps a notebook before the first of several writes, so that one undo takes all of them back.

    Each write is announced before it happens: a process that is killed at any moment leaves an undo that knows what
    the file holds. What another program wrote in between is an original of its own.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._number: int | None = None
        self._kept: Kept | None = None

    def before_write(self, before: bytes, after: bytes) -> None:
        """Keep what is needed to take the write back. Raises `NbAgentError`; then nothing may be written."""
        last = self._kept
        if self._number is None or last is None or _digest(before) != last.after:
            self._number = keep(self._path, before, after)
            self._kept = _kept(self._path, before, after)
            return
        self._kept = last.model_copy(update={"former": last.after, "after": _digest(after)})
        _private(_folder(self._path) / f"{self._number}.json", self._kept.model_dump_json().encode())


def keep(path: Path, before: bytes, after: bytes) -> int:
    """Keep a notebook's content before it is replaced, and return its number; call it first.

    Raises `NbAgentError` when it cannot be kept.
    """
    folder = _folder(path)
    number = max(_numbers(folder), default=0) + 1
    _private(folder / f"{number}.ipynb", before)
    _private(folder / f"{number}.json", _kept(path, before, after).model_dump_json().encode())
    for old in _numbers(folder)[:-_MOST_KEPT]:
        _drop(folder, old)
    return number


def undo(path: Path, *, force: bool = False) -> str:
    """Put the content before the last write back and return a sentence about it.

    A file that was changed since is left alone, unless `force`; then what it holds now is kept, so that another undo
    brings that back. A write that was announced and never happened needs no undo. Raises `NotebookError`.
    """
    folder = _folder(path)
    now = path.read_bytes() if path.exists() else b""
    last, kept, original = _last(path, folder)
    while path.exists() and _digest(now) == kept.before != kept.after:
        _drop(folder, last)
        last, kept, original = _last(path, folder)
    numbers = _numbers(folder)
    edited = _digest(now) not in (kept.after, kept.former)
    if edited and not force:
        raise NotebookError(
            f"{path} was changed after nbagent wrote it, so it was left alone. "
            "`nbagent undo --force` puts the original back and keeps what is there now."
        )
    write(path, original, _digest(now) if path.exists() else None)
    _drop(folder, last)
    if edited and now:
        keep(path, now, original)
        return f"{path} is as it was before {kept.when}. What it held until now comes back with another undo."
    left = len(numbers) - 1
    earlier = f"; {left} earlier original{'s are' if left > 1 else ' is'} kept" if left else ""
    return f"{path} is as it was before {kept.when}{earlier}."


def _last(path: Path, folder: Path) -> tuple[int, Kept, bytes]:
    numbers = _numbers(folder)
    if not numbers:
        raise NotebookError(f"{path}: nothing is kept that could be put back. nbagent has not written this notebook.")
    try:
        kept = Kept.model_validate_json((folder / f"{numbers[-1]}.json").read_bytes())
        return numbers[-1], kept, (folder / f"{numbers[-1]}.ipynb").read_bytes()
    except (OSError, ValidationError) as error:
        raise NotebookError(
            f"{path}: the kept original in {folder} cannot be read. The notebook is as it was."
        ) from error


def _kept(path: Path, before: bytes, after: bytes) -> Kept:
    return Kept(
        path=os.path.realpath(path),
        before=_digest(before),
        after=_digest(after),
        when=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _folder(path: Path) -> Path:
    name = hashlib.sha256(os.path.realpath(path).encode("utf-8", "surrogateescape")).hexdigest()[:24]
    return private_folder("undo", name)


def _numbers(folder: Path) -> list[int]:
    return sorted(int(file.stem) for file in folder.glob("*.json"))


def _drop(folder: Path, number: int) -> None:
    for ending in ("json", "ipynb"):
        (folder / f"{number}.{ending}").unlink(missing_ok=True)


def _private(path: Path, content: bytes) -> None:
    temporary = path.with_suffix(path.suffix + ".tmp")
    try:
        with open(os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        synced(path.parent)
    except OSError as error:
        raise NotebookError(
            f"The original could not be kept in {path.parent} ({error.strerror}), so nothing was written."
        ) from error


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
