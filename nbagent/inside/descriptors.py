"""Open descriptors and shared memory that a forked process inherits: made its own, or taken away."""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Collection

from .kernel import ConfinementError, libc

_MAP_SHARED_COPY_LIMIT = 1 << 28
_MAP_PRIVATE, _MAP_FIXED, _MAP_ANONYMOUS = 0x02, 0x10, 0x20
_HARMLESS = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")


def neutralise(keep: Collection[int]) -> "dict[str, int]":
    """Make every descriptor but those in `keep` harmless; return how many of each fate.

    Numbers stay taken, so that a late finaliser of user code cannot close a recycled one: sockets, pipes, epolls and
    folders become /dev/null; regular files are re-opened read-only with an offset and locks of their own. Called after
    Landlock, so that a file which may not be read is not re-opened either.
    """
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    counts = {"kept": 0, "taken": 0, "reopened": 0}
    for name in os.listdir("/proc/self/fd"):
        descriptor = int(name)
        if descriptor in keep or descriptor == null:
            counts["kept"] += 1
            continue
        try:
            mode = os.fstat(descriptor).st_mode
            target = os.readlink("/proc/self/fd/%d" % descriptor)
        except OSError:
            continue  # the listing's own descriptor
        if target in _HARMLESS:
            counts["kept"] += 1
        elif stat.S_ISREG(mode) and _reopen(descriptor):
            counts["reopened"] += 1
        else:
            os.dup2(null, descriptor, inheritable=False)
            counts["taken"] += 1
    os.close(null)
    return counts


def _reopen(descriptor: int) -> bool:
    try:
        offset = os.lseek(descriptor, 0, os.SEEK_CUR)
        own = os.open("/proc/self/fd/%d" % descriptor, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    os.lseek(own, offset, os.SEEK_SET)
    os.dup2(own, descriptor, inheritable=False)
    os.close(own)
    return True


def make_maps_private() -> int:
    """Turn writable shared mappings into private copies, so that writes cannot reach other processes; return how many.

    np.memmap(mode="r+"), shared_memory, and anything else mapped MAP_SHARED before the fork.
    """
    mmap = libc.mmap
    mmap.restype = ctypes.c_void_p
    mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    changed = 0
    with open("/proc/self/maps") as maps:
        lines = maps.read().splitlines()
    for line in lines:
        span, rights, _ = line.split(None, 2)
        if rights[3] != "s" or "w" not in rights:
            continue
        start, end = (int(part, 16) for part in span.split("-"))
        _copy_mapping(start, end - start)
        changed += 1
    return changed


def _copy_mapping(start: int, size: int) -> None:
    if size > _MAP_SHARED_COPY_LIMIT:
        # Too big to copy: readable it may stay, a write is a fault in this process alone.
        if libc.mprotect(ctypes.c_void_p(start), ctypes.c_size_t(size), 1) != 0:
            raise ConfinementError("shared memory of this process could not be made private")
        return
    data = ctypes.string_at(start, size)
    flags = _MAP_PRIVATE | _MAP_FIXED | _MAP_ANONYMOUS
    if libc.mmap(start, size, 3, flags, -1, 0) != start:
        raise ConfinementError("shared memory of this process could not be made private")
    ctypes.memmove(start, data, size)
