"""Forking at a moment at which no other thread is in native code, and none can get there before the fork.

A look that finds every thread waiting is worth nothing once this thread lets go of the interpreter's lock: another may
take it and enter OpenBLAS. So the last look reads through calls that keep the lock (`ctypes.PyDLL`), and the fork
follows only if this thread ran without a break meanwhile, which the kernel counts (context switches).
"""

from __future__ import annotations

import _imp
import ctypes
import os
import resource
import sys
import threading
import time
import warnings
from typing import Optional

from .guard import may_compute

_PATIENCE = 0.25
"""Seconds to look again and again; OpenBLAS's idle workers spin for 2**26 cycles (some 25 ms) before they sleep."""
_PAUSE = 0.003
_holding = ctypes.PyDLL(None)
_buffer = ctypes.create_string_buffer(256)


class Unquiet(Exception):
    """Nothing was forked. The arguments are the reasons: clauses that fit after "because"."""


def fork_when_still() -> int:
    """Fork, and return what `os.fork` does. Raises `Unquiet` when no such moment comes, OSError when fork fails."""
    end = time.monotonic() + _PATIENCE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of threads: they are looked at here
        while True:
            tasks = [int(name) for name in os.listdir("/proc/self/task")]
            breaks = _breaks()
            found = _at_work(tasks)
            if not found and _breaks() == breaks:
                return os.fork()
            if time.monotonic() > end:
                raise Unquiet(*(found or ["other threads do not come to rest"]))
            time.sleep(_PAUSE)


def _breaks() -> int:
    """Return how often this thread waited or was put aside: without that it cannot have handed the lock over."""
    used = resource.getrusage(resource.RUSAGE_THREAD)
    return used.ru_nvcsw + used.ru_nivcsw


def _at_work(tasks: "list[int]") -> "list[str]":
    """Return who may be in native code, or hold what `os.fork` waits for; never lets go of the interpreter's lock."""
    mine = threading.get_native_id()
    frames = sys._current_frames()
    python = {thread.native_id: thread for thread in threading.enumerate() if thread.native_id is not None}
    if not python.keys() <= set(tasks):
        return ["a thread is being started"]
    found = []
    for task in tasks:
        thread = python.get(task)
        frame = frames.get(thread.ident) if thread is not None and thread.ident is not None else None
        if task != mine and may_compute(_peek("/proc/self/task/%d/syscall" % task), frame):
            name = "a native thread" if thread is None else "the thread %r" % thread.name
            found.append("%s may be computing in native code" % name)
    return found or _locks_held()


def _locks_held() -> "list[str]":
    """Return which of the locks that Python's own fork handlers take would make this thread wait."""
    logging, pool = sys.modules.get("logging"), sys.modules.get("concurrent.futures.thread")
    lock = getattr(logging, "_lock", None)
    if lock is not None:
        if not lock.acquire(False):
            return ["another thread is writing to a log"]
        lock.release()
    lock = getattr(pool, "_global_shutdown_lock", None)
    if lock is not None and lock.locked():
        return ["another thread is starting work in a pool"]
    return ["another thread is importing a module"] if _imp.lock_held() else []


def _peek(path: str) -> "Optional[str]":
    descriptor = _holding.open(path.encode(), os.O_RDONLY | os.O_CLOEXEC)
    if descriptor < 0:
        return None
    count = _holding.read(descriptor, _buffer, len(_buffer))
    _holding.close(descriptor)
    return _buffer.raw[:count].decode() if count > 0 else None
