"""Files of a session as they were at a checkpoint, so that what a failed candidate wrote is gone before the next one.

What code can write is the overlay's upper layer (seen through the workspace), the scratch and the private temporary
folders. Only what changed since the last checkpoint is copied, into the same sized tmpfs, where no branch can see it.
Files are restored in place (the same inode), because a sleeping checkpoint may have them open or mapped.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from typing import Any, Optional

from .commit import Carrier

_MOST_BYTES = 256 << 20
_PRIVATE = ("/tmp", "/var/tmp")


class Files:
    """Keeps and restores. Without a private view only the scratch is kept."""

    def __init__(self, got: "dict[str, Any]", policy: "dict[str, Any]") -> None:
        self._store: Optional[str] = None
        self._lower: Optional[str] = None
        self._workspace: Optional[str] = policy["workspace"] if got["cow"] else None
        self._plain: "list[str]" = [policy["scratch"]]
        if got["store"] is not None:
            self._store = "/proc/self/fd/%d" % got["store"]
            os.makedirs(self._store + "/kept", mode=0o700, exist_ok=True)
            self._plain += [path for path in _PRIVATE if os.path.isdir(path)]
        if got["lower"] is not None:
            self._lower = "/proc/self/fd/%d" % got["lower"]
        self._real: Optional[int] = got.get("scratch") if got["store"] is not None else None
        self._writes = policy["mode"] == "workspace-write"
        self._states: "dict[int, dict[str, Any]]" = {}
        self._copies: "dict[Any, str]" = {}
        self._counter = 0

    def keep(self, key: int) -> bool:
        """Remember all files under a key; return False, remembering nothing, when they are too many bytes."""
        now = self._now()
        if sum(entry[2] for entry in now.values() if entry[0] == "file") > _MOST_BYTES:
            return False
        try:
            for path, entry in now.items():
                if entry[0] == "file" and (path, entry) not in self._copies:
                    self._copies[(path, entry)] = self._copy(path)
        except OSError:
            return False
        self._states[key] = now
        return True

    def restore(self, key: int) -> bool:
        """Make all files what they were; return whether that was possible."""
        wanted = self._states.get(key)
        if wanted is None:
            return False
        now = self._now()
        if now == wanted:
            return True
        try:
            for path in sorted(set(now) - set(wanted), reverse=True):
                self._undo(path, now[path])
            for path in sorted(wanted):
                if now.get(path) != wanted[path]:
                    self._redo(path, wanted[path])
        except OSError:
            return False
        self._learn(wanted)
        return True

    def forget(self, key: int) -> None:
        """Drop a state and the copies that only it needs."""
        if self._states.pop(key, None) is None:
            return
        needed = {(path, entry) for state in self._states.values() for path, entry in state.items()}
        for known in [known for known in self._copies if known not in needed]:
            os.unlink(self._copies.pop(known))

    def changed(self) -> "list[str]":
        """Return what was written, relative to the workspace where it lies there; at most 1,000 names."""
        base = self._workspace.rstrip("/") + "/" if self._workspace else None
        names = [
            path[len(base) :] if base and path.startswith(base) else path
            for path, entry in self._now().items()
            if entry[0] != "dir"
        ]
        return sorted(names)[:1000]

    def hand_over(self, never: "Optional[list[str]]") -> "dict[str, Any]":
        """Carry the scratch into the folder of the host that it stands for, and tell what happened to the workspace.

        never: names that stay as they are in the real workspace, where the changes go in mode `workspace-write` (None:
        they go nowhere). Without a private view everything is in the real folders already.
        """
        workspace, scratch = Carrier(never or ()), Carrier(ours=".home")
        if self._store is not None:
            if self._real is not None:
                _carried(scratch, self._store + "/scratch", self._real)
            if self._lower is not None and self._writes and never is not None:
                _carried(workspace, self._store + "/upper", self._lower)
        return {"workspace": workspace.report(), "scratch": scratch.report()}

    def used(self) -> int:
        """Return the bytes of all files that were written."""
        return sum(int(entry[2]) for entry in self._now().values() if entry[0] == "file")

    # --- looking

    def _now(self) -> "dict[str, Any]":
        found: "dict[str, Any]" = {}
        for root in self._plain:
            for path, status in _walk(root):
                found[path] = _entry(path, status)
        if self._workspace is not None and self._store is not None:
            upper = self._store + "/upper"
            for path, status in _walk(upper):
                place = self._workspace + path[len(upper) :]
                found[place] = (
                    ("gone",) if stat.S_ISCHR(status.st_mode) and not status.st_rdev else _entry(path, status)
                )
        return found

    def _upper(self, path: str) -> str:
        if self._workspace is not None and self._store and path.startswith(self._workspace.rstrip("/") + "/"):
            return self._store + "/upper" + path[len(self._workspace) :]
        return path

    def _learn(self, wanted: "dict[str, Any]") -> None:
        """A file that was just restored has another time: remember it as the same content."""
        now = self._now()
        for path, entry in list(wanted.items()):
            copy = self._copies.get((path, entry))
            if copy is not None and path in now and now[path] != entry:
                for state in self._states.values():
                    if state.get(path) == entry:
                        state[path] = now[path]
                self._copies[(path, now[path])] = self._copies.pop((path, entry))

    # --- copying

    def _copy(self, path: str) -> str:
        if self._store is None:
            raise OSError("there is no place that code cannot see")
        self._counter += 1
        copy = "%s/kept/%d" % (self._store, self._counter)
        shutil.copyfile(self._upper(path), copy, follow_symlinks=False)
        return copy

    def _undo(self, path: str, entry: Any) -> None:
        """Take away what was written since: back to the original below, or to nothing."""
        original = self._original(path)
        if entry[0] == "gone":
            if original is not None:
                _recreate(original, path)
        elif entry[0] == "dir":
            if original is None:
                shutil.rmtree(path, ignore_errors=True)
        elif original is not None and not os.path.islink(original):
            _rewrite(original, path)
        else:
            _remove(path)

    def _redo(self, path: str, entry: Any) -> None:
        if entry[0] == "gone":
            _remove(path)
        elif entry[0] == "dir":
            if not os.path.isdir(path) or os.path.islink(path):
                _remove(path)
                os.makedirs(path, exist_ok=True)
        elif entry[0] == "link":
            _remove(path)
            os.symlink(entry[1], path)
        elif entry[0] == "file":
            _rewrite(self._copies[(path, entry)], path)

    def _original(self, path: str) -> Optional[str]:
        if self._lower is None or self._workspace is None or not path.startswith(self._workspace.rstrip("/") + "/"):
            return None
        original = self._lower + path[len(self._workspace) :]
        return original if os.path.lexists(original) else None


def _carried(carrier: Carrier, source: str, target: "int | str") -> None:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    left = os.open(source, flags)
    right = os.open(target, flags) if isinstance(target, str) else os.dup(target)
    try:
        carrier.carry(left, right)
    finally:
        os.close(left)
        os.close(right)


def _entry(path: str, status: os.stat_result) -> Any:
    if stat.S_ISDIR(status.st_mode):
        return ("dir",)
    if stat.S_ISLNK(status.st_mode):
        try:
            return ("link", os.readlink(path))
        except OSError:
            return ("other", 0)
    if stat.S_ISREG(status.st_mode):
        return ("file", status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return ("other", status.st_mode)


def _walk(root: str) -> "Iterator[tuple[str, os.stat_result]]":
    """Yield what lies below a folder, in its own file system only: the workspace may be mounted inside /tmp."""
    waiting = [root]
    device = os.stat(root).st_dev
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError:
            continue
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue  # a process that was left behind removed it just now
            if status.st_dev != device:
                continue
            yield entry.path, status
            if stat.S_ISDIR(status.st_mode):
                waiting.append(entry.path)


def _rewrite(source: str, target: str) -> None:
    """Put content into a file, into its own inode if it is a plain file already."""
    if os.path.islink(target) or (os.path.lexists(target) and not os.path.isfile(target)):
        _remove(target)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(source, "rb") as reader, open(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW), "wb") as writer:
        shutil.copyfileobj(reader, writer, 1 << 20)
        writer.truncate()


def _recreate(original: str, path: str) -> None:
    if os.path.islink(original):
        os.symlink(os.readlink(original), path)
    elif os.path.isdir(original):
        shutil.copytree(original, path, symlinks=True)
    else:
        shutil.copy2(original, path)


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    elif os.path.lexists(path):
        os.unlink(path)
