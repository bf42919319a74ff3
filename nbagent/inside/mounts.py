"""The view of the files: a new root that holds what the policy names and, for the rest, names without content.

Where a folder is not allowed, a folder of the same name stands that nobody may enter: code that tries gets
PermissionError, and never a "no such file" that looks like a mistake of its own. Since nothing else is mounted, Unix
sockets, pipes and devices outside do not exist here. The user's folders come in through overlayfs, which gives every
file an inode of its own: locks, sockets and pipes do not reach through, and writes land in a sized tmpfs.
"""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Optional

from . import kernel
from .kernel import ATTR_NODEV, ATTR_NOSUID, ATTR_RDONLY, ConfinementError

_NODES = ("null", "zero", "full", "random", "urandom", "tty")
_PRIVATE = {"/tmp": "tmp", "/var/tmp": "vartmp"}
_PROC_READ_ONLY = ("sys", "irq", "bus", "fs", "acpi")
_PROC_HIDDEN = ("kcore", "keys", "key-users", "timer_list", "sched_debug", "kmsg", "sysrq-trigger", "scsi")
SYS_SHOWN = ("/sys/devices/system", "/sys/fs/cgroup", "/sys/kernel/mm", "/sys/devices/virtual/dmi")
_MOST_NAMES = 2000  # of one folder that are shown as closed; beyond, names that may not be read look absent
_STORE = "/.nbagent"


@dataclass(frozen=True)
class View:
    """Descriptors of the writable tmpfs (folders upper, scratch, tmp, vartmp) and of the real workspace, if any."""

    store: int
    lower: Optional[int]


def build(policy: "Mapping[str, Any]", *, fresh_proc: bool, userxattr: bool) -> View:
    """Make the policy's view the root of this mount namespace. Raises `ConfinementError`; then nothing may run."""
    try:
        return _build(policy, fresh_proc=fresh_proc, userxattr=userxattr)
    except OSError as error:
        raise ConfinementError("the private view of the files could not be mounted (%s)" % error) from error


def _build(policy: "Mapping[str, Any]", *, fresh_proc: bool, userxattr: bool) -> View:
    root, limits = policy["scratch"], policy["limits"]
    workspace = policy["workspace"]
    lower = os.open(workspace, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) if workspace else None
    submounts = _mount_points()
    kernel.mount("tmpfs", root, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "size=32m,mode=755")
    store = _make_store(root, int(limits["disk_mb"]), int(limits["files"]))
    tree = _Tree(root, store, userxattr)
    tree.private_folders()
    _system(tree, policy, fresh_proc=fresh_proc, shm_mb=int(limits["memory_mb"]) // 2)
    for path in sorted(policy["folders"], key=_depth):
        tree.show_folder(path, submounts)
    if workspace:
        tree.show_workspace(workspace, submounts)
    tree.show_store(policy["scratch"], "scratch")
    if policy.get("channel"):
        tree.show_channel(policy["channel"])
    for path in policy["hide"]:
        tree.hide(path)
    for path in policy["protect"]:
        tree.protect(path)
    _enter(root, policy["cwd"])
    return View(store, lower)


def _make_store(root: str, megabytes: int, files: int) -> int:
    where = root + _STORE
    os.mkdir(where, 0o700)
    options = "size=%dm,nr_inodes=%d,mode=700" % (megabytes, files)
    kernel.mount("tmpfs", where, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, options)
    for name, mode in (("upper", 0o755), ("work", 0o755), ("scratch", 0o700), ("tmp", 0o777), ("vartmp", 0o777)):
        os.mkdir(where + "/" + name)
        os.chmod(where + "/" + name, mode | (0o1000 if mode == 0o777 else 0))
    os.mkdir(root + "/.closed", 0)
    os.close(os.open(root + "/.closed-file", os.O_CREAT | os.O_WRONLY, 0))
    return os.open(where, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _system(tree: "_Tree", policy: "Mapping[str, Any]", *, fresh_proc: bool, shm_mb: int) -> None:
    for path in sorted(policy["system"], key=_depth):
        tree.show_as_is(path)
    for path in SYS_SHOWN:
        tree.show_as_is(path)
    _devices(tree, shm_mb)
    if not fresh_proc:
        tree.show_as_is("/proc")
        return
    proc = tree.place("/proc", folder=True)
    kernel.mount("proc", proc, "proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)
    for name in _PROC_READ_ONLY:
        tree.protect("/proc/" + name)
    for name in _PROC_HIDDEN:
        tree.hide("/proc/" + name)


def _devices(tree: "_Tree", shm_mb: int) -> None:
    dev = tree.place("/dev", folder=True)
    kernel.mount("tmpfs", dev, "tmpfs", kernel.MS_NOSUID, "size=64k,mode=755")
    for name in _NODES:
        if os.path.exists("/dev/" + name):
            os.close(os.open(dev + "/" + name, os.O_CREAT | os.O_WRONLY, 0o666))
            kernel.mount("/dev/" + name, dev + "/" + name, None, kernel.MS_BIND)
    for name, target in (("fd", "fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        os.symlink("/proc/self/" + target, dev + "/" + name)
    os.mkdir(dev + "/shm")
    options = "size=%dm,mode=1777" % max(shm_mb, 1)
    kernel.mount("tmpfs", dev + "/shm", "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, options)
    os.mkdir(dev + "/pts")
    try:
        flags = kernel.MS_NOSUID | kernel.MS_NOEXEC
        kernel.mount("devpts", dev + "/pts", "devpts", flags, "newinstance,ptmxmode=0666,mode=620")
        os.symlink("pts/ptmx", dev + "/ptmx")
    except OSError:
        pass  # no terminals inside: pty.openpty() raises, nothing is lost in safety
    kernel.restrict_mount(dev, ATTR_RDONLY | ATTR_NOSUID, recursive=False)


def _enter(root: str, cwd: str) -> None:
    kernel.unmount(root + _STORE)  # what was mounted from it stays, `store` leads there, no path does
    os.rmdir(root + _STORE)
    os.mkdir(root + "/.old")
    kernel.pivot_root(root, root + "/.old")
    os.chdir("/")
    kernel.unmount("/.old")
    os.rmdir("/.old")
    kernel.restrict_mount("/", ATTR_RDONLY | ATTR_NOSUID | ATTR_NODEV, recursive=False)
    os.chdir(cwd)


class _Tree:
    """The new root while it grows; paths are absolute in the old root and mean the same place in the new one."""

    def __init__(self, root: str, store: int, userxattr: bool) -> None:
        self._root = root
        self._store = "/proc/self/fd/%d/" % store
        self._userxattr = userxattr
        self._made: "set[str]" = set()
        self._mounted: "set[str]" = set()

    def place(self, path: str, *, folder: bool) -> str:
        """Return where to mount `path`, made with its ancestors when it is not there yet."""
        parts = [part for part in path.split("/") if part]
        for count in range(len(parts)):
            self._open_up("/" + "/".join(parts[:count]))
        there = self._root + path
        if not os.path.lexists(there):
            if folder:
                os.mkdir(there)
            else:
                os.close(os.open(there, os.O_CREAT | os.O_WRONLY, 0))
        if path not in _PRIVATE:
            self._mounted.add(path)
        return there

    def _open_up(self, path: str) -> None:
        """Make an ancestor: enterable, with its other names as closed doors."""
        if path in self._made or any(path == top or path.startswith(top + "/") for top in self._mounted):
            return
        self._made.add(path)
        there = self._root + path
        if path != "/" and path not in _PRIVATE:
            if not os.path.lexists(there):
                os.mkdir(there)
            os.chmod(there, 0o755)
        self._close_names(path, there)

    def _close_names(self, path: str, there: str) -> None:
        try:
            with os.scandir(path) as entries:
                names = list(itertools.islice(entries, _MOST_NAMES))
        except OSError:
            return
        for entry in names:
            new = os.path.join(there, entry.name)
            if os.path.lexists(new):
                continue
            if entry.is_symlink():
                os.symlink(os.readlink(entry.path), new)
            elif entry.is_dir(follow_symlinks=False):
                os.mkdir(new, 0)
            else:
                os.close(os.open(new, os.O_CREAT | os.O_WRONLY, 0))

    def private_folders(self) -> None:
        """/tmp and /var/tmp are the branch's own."""
        for path, name in _PRIVATE.items():
            if os.path.isdir(path) and not os.path.islink(path):
                self.show_store(path, name)
                self._open_up(path)

    def show_store(self, path: str, name: str) -> None:
        """Mount a folder of the sized tmpfs, writable."""
        there = self.place(path, folder=True)
        kernel.mount(self._store + name, there, None, kernel.MS_BIND)

    def show_channel(self, path: str) -> None:
        """Mount a folder of the host as it is, writable: sockets in it lead out."""
        kernel.mount(path, self.place(path, folder=True), None, kernel.MS_BIND)
        kernel.restrict_mount(self._root + path, ATTR_NOSUID | ATTR_NODEV, recursive=False)

    def show_as_is(self, path: str) -> None:
        """Mount a file or folder of the system, with what is mounted below it, read-only."""
        if os.path.islink(path) or not os.path.exists(path):
            return  # a link was made with its folder's names
        there = self.place(path, folder=os.path.isdir(path))
        kernel.mount(path, there, None, kernel.MS_BIND | kernel.MS_REC)
        kernel.restrict_mount(there, ATTR_RDONLY | ATTR_NOSUID | ATTR_NODEV, recursive=True)

    def show_folder(self, path: str, submounts: "Iterable[str]") -> None:
        """Mount a folder of the user, read-only, behind inodes of its own."""
        if not os.path.isdir(path):
            self.show_as_is(path)
            return
        there = self.place(path, folder=True)
        self._overlay(path, there, writable=False)
        self._show_inner(path, submounts)

    def show_workspace(self, path: str, submounts: "Iterable[str]") -> None:
        """Mount the workspace copy-on-write; what is mounted inside it stays read-only."""
        self._overlay(path, self.place(path, folder=True), writable=True)
        self._show_inner(path, submounts)

    def _show_inner(self, path: str, submounts: "Iterable[str]") -> None:
        for inner in submounts:
            if inner.startswith(path.rstrip("/") + "/") and os.path.isdir(inner):
                self._overlay(inner, self._root + inner, writable=False)

    def _overlay(self, path: str, there: str, *, writable: bool) -> None:
        # By descriptor, since a colon or comma in a path would end the option.
        lower = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            options = "lowerdir=/proc/self/fd/%d" % lower
            if writable:
                options += ",upperdir=%supper,workdir=%swork" % (self._store, self._store)
            else:
                options += ":%s/.closed" % self._root
            flags = kernel.MS_NOSUID | kernel.MS_NODEV | (0 if writable else kernel.MS_RDONLY)
            kernel.mount("overlay", there, "overlay", flags, options + (",userxattr" if self._userxattr else ""))
        finally:
            os.close(lower)

    def hide(self, path: str) -> None:
        """Put a closed door over a secret."""
        there = self._root + path
        try:
            mode = os.lstat(there).st_mode
        except OSError:
            return  # not in the view at all
        if not stat.S_ISLNK(mode):
            closed = self._root + ("/.closed" if stat.S_ISDIR(mode) else "/.closed-file")
            kernel.mount(closed, there, None, kernel.MS_BIND)
            kernel.restrict_mount(there, ATTR_RDONLY, recursive=False)

    def protect(self, path: str) -> None:
        """Make something in a writable folder read-only, and a mount point, which cannot be renamed or removed."""
        there = self._root + path
        if os.path.lexists(there) and not os.path.islink(there):
            kernel.mount(there, there, None, kernel.MS_BIND | kernel.MS_REC)
            kernel.restrict_mount(there, ATTR_RDONLY | ATTR_NOSUID | ATTR_NODEV, recursive=True)


def _depth(path: str) -> int:
    return path.count("/")


def _mount_points() -> "list[str]":
    with open("/proc/self/mountinfo") as file:
        found = [line.split()[4] for line in file]
    return sorted((point.encode().decode("unicode_escape") for point in found), key=_depth)
