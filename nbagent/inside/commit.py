"""What a branch wrote in its private files, carried into real folders once no code of it runs any more.

The source is hostile: no link is followed on either side, nothing special is made, no bit that gives rights is kept,
and names that the host forbids (version control, secrets, notebooks, start-up files) stay as they are.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

_DEEPEST = 64
_MOST_NAMES = 1000
_PIECE = 1 << 20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPAQUE = ("trusted.overlay.opaque", "user.overlay.opaque")  # fs/overlayfs: a folder that hides the one below it


class _Kept(Exception):
    """This name is not carried, and why."""


class Carrier:
    """Carries one tree. `never` are patterns of names, or of paths where they hold a slash, in lower case.

    `ours` is a name at the top that is passed over in silence.
    """

    def __init__(self, never: Sequence[str] = (), ours: str = "") -> None:
        self._ours = ours
        self._names = [pattern for pattern in never if "/" not in pattern]
        self._paths = [pattern for pattern in never if "/" in pattern]
        self.written: "list[str]" = []
        self.removed: "list[str]" = []
        self.kept_back: "list[list[str]]" = []

    def report(self) -> "dict[str, Any]":
        """Return what was written, what was removed, and what was not carried with the reason, as plain JSON."""
        return {
            "written": sorted(self.written)[:_MOST_NAMES],
            "removed": sorted(self.removed)[:_MOST_NAMES],
            "kept_back": sorted(self.kept_back)[:_MOST_NAMES],
        }

    def carry(self, source: int, target: int, prefix: str = "", depth: int = 0) -> None:
        """Make the folder `target` have what the folder `source` has; both are descriptors."""
        for name in sorted(os.listdir(source)):
            path = prefix + name
            if path == self._ours:
                continue
            try:
                self._refuse(path, name, depth)
                self._one(source, target, name, path)
            except _Kept as kept:
                self.kept_back.append([path, str(kept)])
            except OSError as error:
                self.kept_back.append([path, os.strerror(error.errno or errno.EIO)])

    def _one(self, source: int, target: int, name: str, path: str) -> None:
        status = os.lstat(name, dir_fd=source)
        kind = stat.S_IFMT(status.st_mode)
        if kind == stat.S_IFCHR and not status.st_rdev:  # overlayfs marks with it what was removed
            self._remove(target, name, path)
        elif kind == stat.S_IFDIR:
            self._folder(source, target, name, path)
        elif kind == stat.S_IFREG:
            self._file(source, target, name, path)
        elif kind == stat.S_IFLNK:
            self._link(source, target, name, path)
        else:
            raise _Kept("neither a file nor a folder")

    def _refuse(self, path: str, name: str, depth: int) -> None:
        if depth > _DEEPEST:
            raise _Kept("too deep")
        if any(fnmatchcase(name.lower(), pattern) for pattern in self._names):
            raise _Kept("never written by restricted code")
        if any(("/" + path.lower()).endswith("/" + pattern) for pattern in self._paths):
            raise _Kept("never written by restricted code")

    # --- kinds

    def _folder(self, source: int, target: int, name: str, path: str) -> None:
        inner = os.open(name, _FOLDER, dir_fd=source)
        try:
            there = _status(target, name)
            if there is not None and not stat.S_ISDIR(there.st_mode):
                self._remove(target, name, path)
            if there is None or not stat.S_ISDIR(there.st_mode):
                os.mkdir(name, (os.fstat(inner).st_mode & 0o777) | 0o700, dir_fd=target)
                self.written.append(path + "/")
            outer = os.open(name, _FOLDER, dir_fd=target)
            try:
                if _is_opaque(inner):
                    fresh = set(os.listdir(inner))
                    for old in sorted(set(os.listdir(outer)) - fresh):
                        self._remove(outer, old, path + "/" + old)
                self.carry(inner, outer, path + "/", path.count("/") + 1)
            finally:
                os.close(outer)
        finally:
            os.close(inner)

    def _file(self, source: int, target: int, name: str, path: str) -> None:
        reader = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=source)
        try:
            new, old = os.fstat(reader), _status(target, name)
            if old is not None and stat.S_ISREG(old.st_mode) and _alike(new, old):
                return
            if old is not None and stat.S_ISDIR(old.st_mode):
                self._remove(target, name, path)
            self._replace(reader, target, name, old)
        finally:
            os.close(reader)
        self.written.append(path)

    def _replace(self, reader: int, target: int, name: str, old: "os.stat_result | None") -> None:
        """Put the content under another name, then take its place: another name of the old file keeps its content."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        temporary = ".nbagent-%s" % secrets.token_hex(8)
        writer = os.open(temporary, flags, 0o600, dir_fd=target)
        try:
            try:
                _copy(reader, writer)
                status = os.fstat(reader)
                if old is not None and (old.st_uid, old.st_gid) != (status.st_uid, status.st_gid):
                    _give_to(writer, old)
                os.fchmod(writer, status.st_mode & 0o777)
                os.utime(writer, ns=(status.st_atime_ns, status.st_mtime_ns))
            finally:
                os.close(writer)
            os.rename(temporary, name, src_dir_fd=target, dst_dir_fd=target)
        except OSError:
            os.unlink(temporary, dir_fd=target)
            raise

    def _link(self, source: int, target: int, name: str, path: str) -> None:
        leads = os.readlink(name, dir_fd=source)
        if _leads_out(leads, path.count("/")):
            raise _Kept("a link that leads out")
        there = _status(target, name)
        if there is not None and stat.S_ISLNK(there.st_mode) and os.readlink(name, dir_fd=target) == leads:
            return
        if there is not None:
            self._remove(target, name, path)
        os.symlink(leads, name, dir_fd=target)
        self.written.append(path)

    def _remove(self, target: int, name: str, path: str) -> None:
        """Remove what is there, but nothing that may never be changed; a folder that keeps something stays."""
        there = _status(target, name)
        if there is None:
            return
        self._refuse(path, name, path.count("/"))
        if not stat.S_ISDIR(there.st_mode):
            os.unlink(name, dir_fd=target)
            self.removed.append(path)
            return
        folder = os.open(name, _FOLDER, dir_fd=target)
        try:
            for inner in sorted(os.listdir(folder)):
                try:
                    self._remove(folder, inner, path + "/" + inner)
                except _Kept as kept:
                    self.kept_back.append([path + "/" + inner, str(kept)])
        finally:
            os.close(folder)
        try:
            os.rmdir(name, dir_fd=target)
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise
            raise _Kept("it holds something that is never changed") from error
        self.removed.append(path + "/")


def _leads_out(leads: str, depth: int) -> bool:
    """Tell whether a link may lead above the root: `..` counts only at its start, where no other link comes before."""
    parts = [part for part in leads.split("/") if part not in ("", ".")]
    up = 0
    while up < len(parts) and parts[up] == "..":
        up += 1
    return os.path.isabs(leads) or up > depth or ".." in parts[up:]


def _status(folder: int, name: str) -> "os.stat_result | None":
    try:
        return os.lstat(name, dir_fd=folder)
    except FileNotFoundError:
        return None


def _alike(new: os.stat_result, old: os.stat_result) -> bool:
    """Tell whether a file was only opened: copying it up keeps size, time and mode."""
    return (new.st_size, new.st_mtime_ns, new.st_mode & 0o777) == (old.st_size, old.st_mtime_ns, old.st_mode & 0o777)


def _is_opaque(folder: int) -> bool:
    for name in _OPAQUE:
        try:
            if os.getxattr(folder, name) == b"y":
                return True
        except OSError:
            continue
    return False


def _give_to(descriptor: int, owner: os.stat_result) -> None:
    try:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    except OSError:
        return  # an ordinary user cannot give files away: the new content is theirs


def _copy(reader: int, writer: int) -> None:
    """Copy content, and holes as holes: a file of many gigabytes that holds nothing stays small."""
    size, position = os.fstat(reader).st_size, 0
    while position < size:
        try:
            position = os.lseek(reader, position, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            break  # a hole to the end
        end = os.lseek(reader, position, os.SEEK_HOLE)
        os.lseek(writer, position, os.SEEK_SET)
        while position < end:
            data = os.pread(reader, min(_PIECE, end - position), position)
            if not data:
                return
            view = memoryview(data)
            while view:
                view = view[os.write(writer, view) :]
            position += len(data)
    os.ftruncate(writer, size)
