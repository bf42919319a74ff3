"""Originals that commands have replaced, kept in the user's data folder so that each write can be taken back."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ValidationError

from nbagent.core.errors import NotebookError
from nbagent.hosts.folders import private_folder
from nbagent.notebooks.file import write

_MOST_KEPT = 20
"""Originals of one notebook; the oldest goes when another comes."""


class Kept(BaseModel, frozen=True):
    """One write that can be taken back: the digests of the file before and after it."""

    path: str
    before: str
    after: str
    when: str


def keep(path: Path, before: bytes, after: bytes) -> None:
    """Keep a notebook's content before it is replaced; call it first. Raises `NbAgentError` when it cannot be kept."""
    folder = _folder(path)
    number = max((int(file.stem) for file in folder.glob("*.json")), default=0) + 1
    kept = Kept(
        path=os.path.realpath(path),
        before=_digest(before),
        after=_digest(after),
        when=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    _private(folder / f"{number}.ipynb", before)
    _private(folder / f"{number}.json", kept.model_dump_json().encode())
    for old in _numbers(folder)[:-_MOST_KEPT]:
        _drop(folder, old)


def undo(path: Path, *, force: bool = False) -> str:
    """Put the content before the last write back and return a sentence about it.

    A file that was changed since is left alone, unless `force`; then what it holds now is kept, so that another undo
    brings that back. Raises `NotebookError`.
    """
    folder = _folder(path)
    numbers = _numbers(folder)
    if not numbers:
        raise NotebookError(f"{path}: nothing is kept that could be put back. nbagent has not written this notebook.")
    last = numbers[-1]
    try:
        kept = Kept.model_validate_json((folder / f"{last}.json").read_bytes())
        original = (folder / f"{last}.ipynb").read_bytes()
    except (OSError, ValidationError) as error:
        raise NotebookError(
            f"{path}: the kept original in {folder} cannot be read. The notebook is as it was."
        ) from error
    now = path.read_bytes() if path.exists() else b""
    edited = _digest(now) != kept.after
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
    return f"{path} is as it was before {kept.when}" + (f"; {left} earlier ones are kept." if left else ".")


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
    except OSError as error:
        raise NotebookError(
            f"The original could not be kept in {path.parent} ({error.strerror}), so nothing was written."
        ) from error


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
