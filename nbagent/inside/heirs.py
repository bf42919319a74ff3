"""What a fork would break, and how it is mended: pools, event loops, open files, libraries with worker threads."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import fcntl
import os
import selectors
import stat
import sys
import threading
from typing import Any

_gomp: "dict[str, Any]" = {}
_POOLS = ("polars", "rayon", "tokio", "async-exec")
_HARMLESS_THREADS = frozenset({"ExecutorManagerThread", "QueueFeederThread", "IPythonHistorySavingThread"})
_KEEP_FLAGS = os.O_ACCMODE | os.O_APPEND | os.O_NONBLOCK
_OMP_PAUSE_HARD = 2


def quiesce() -> None:
    """Give back idle OpenMP threads, on the thread that used them, before a fork; they come back with the next use.

    A child forked with a live libgomp pool hangs in its first parallel region.
    """
    with open("/proc/self/maps") as maps:
        found = {line.split(None, 5)[5].strip() for line in maps if "gomp" in line}
    for path in found:
        if path not in _gomp:
            _gomp[path] = getattr(ctypes.CDLL(path), "omp_pause_resource_all", None)
        if _gomp[path] is not None:
            _gomp[path](_OMP_PAUSE_HARD)


def taint() -> "str | None":
    """Return why a child of this process would not be a faithful copy, or None."""
    for thread in threading.enumerate():
        harmless = {type(thread).__name__, thread.name} & _HARMLESS_THREADS or thread.name.startswith("tqdm")
        if thread is not threading.main_thread() and not harmless:
            return "the thread %r runs" % thread.name
    for task in os.listdir("/proc/self/task"):
        name = _read("/proc/self/task/%s/comm" % task).strip()
        if name.startswith(_POOLS):
            return "the thread pool of %s is alive" % name.split("-")[0]
    children = _read("/proc/self/task/%d/children" % os.getpid()).split()
    if any(not _is_node(child) for child in children):
        return "a process started by the code runs"
    return _shared_writes()


def _is_node(pid: str) -> bool:
    """Tell a forked node, which has this process's own command line and never execs, from a subprocess."""
    try:
        return os.readlink("/proc/%s/exe" % pid) == os.readlink("/proc/self/exe") and _read(
            "/proc/%s/cmdline" % pid
        ) == _read("/proc/self/cmdline")
    except OSError:
        return True  # gone


def _shared_writes() -> "str | None":
    for number in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink("/proc/self/fd/" + number)
        except OSError:
            continue
        if target.endswith(("-journal", "-wal")):
            return "a database transaction is open"
    for line in _read("/proc/self/maps").splitlines():
        parts = line.split(None, 5)
        if len(parts) > 5 and parts[1][1] == "w" and parts[1][3] == "s" and not parts[5].startswith("/dev/zero"):
            return "memory is shared with a file"
    return None


def reopen_files(keep: "set[int]") -> None:
    """In a child: give every open file an offset and locks of its own; pipes and sockets become /dev/null.

    Otherwise the sleeping copy would move the running one's file positions, and keep its pipes from ever ending.
    """
    keep = keep | _loop_descriptors()
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    for number in os.listdir("/proc/self/fd"):
        descriptor = int(number)
        if descriptor < 3 or descriptor in keep or descriptor == null:
            continue
        try:
            _reopen(descriptor, null)
        except OSError as error:
            if error.errno != errno.EBADF:  # EBADF: the listing's own descriptor
                os.dup2(null, descriptor, inheritable=False)
    os.close(null)


def _reopen(descriptor: int, null: int) -> None:
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        os.dup2(null, descriptor, inheritable=False)
    elif stat.S_ISREG(mode):
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
        own = os.open("/proc/self/fd/%d" % descriptor, (flags & _KEEP_FLAGS) | os.O_CLOEXEC)
        os.lseek(own, os.lseek(descriptor, 0, os.SEEK_CUR), os.SEEK_SET)
        os.dup2(own, descriptor, inheritable=False)
        os.close(own)


def new_loop() -> None:
    """Give IPython's top-level await an event loop of its own."""
    import IPython.core.async_helpers as helpers

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    helpers._asyncio_event_loop = loop


def refresh_loop() -> None:
    """In a child: keep the loop object, so that pending tasks go on, with an epoll and a self-pipe of its own.

    The inherited epoll is shared with the parent: unregistering here would unregister there.
    """
    import IPython.core.async_helpers as helpers

    loop: Any = getattr(helpers, "_asyncio_event_loop", None)
    if loop is None or loop.is_closed():
        return
    old, new = loop._selector, selectors.DefaultSelector()
    own = loop._ssock.fileno()
    for key in list(old.get_map().values()):
        if key.fd != own:
            new.register(key.fileobj, key.events, key.data)
    old.close()
    loop._selector = new
    loop._ssock.close()
    loop._csock.close()
    loop._internal_fds = 0
    loop._make_self_pipe()


def reset_libraries() -> None:
    """In a child: forget worker processes and threads that did not come along."""
    modules = sys.modules
    executor: Any = modules.get("joblib.externals.loky.reusable_executor")
    if executor is not None:
        executor._executor = executor._executor_kwargs = None
    process: Any = modules.get("joblib.externals.loky.process_executor")
    if process is not None:
        process._threads_wakeups.clear()
        process._global_shutdown = False
    for name in ("joblib.externals.loky.backend.resource_tracker", "multiprocessing.resource_tracker"):
        tracker: Any = modules.get(name)
        if tracker is not None:
            tracker._resource_tracker._fd = tracker._resource_tracker._pid = None
    pool: Any = modules.get("concurrent.futures.thread")
    if pool is not None:
        pool._threads_queues.clear()


def forget_exits() -> None:
    """In a first node: what the base process would do at exit is not this process's to do."""
    import atexit
    import multiprocessing.util

    atexit._clear()
    multiprocessing.util._finalizer_registry.clear()  # type: ignore[attr-defined]


def _loop_descriptors() -> "set[int]":
    helpers: Any = sys.modules.get("IPython.core.async_helpers")
    loop = getattr(helpers, "_asyncio_event_loop", None)
    if loop is None or loop.is_closed():
        return set()
    return {loop._ssock.fileno(), loop._csock.fileno()}


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""
