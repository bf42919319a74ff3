"""May this process be forked now? Proof that it is safe for the *parent*, or the reasons why not.

glibc's fork runs pthread_atfork handlers in the parent. OpenBLAS's handler waits for its pool, so a fork while another
thread computes in OpenBLAS stops the user's kernel for ever, with the interpreter's lock held. Hence: fork on the main
thread only, and only when every other thread is provably waiting. If in doubt, do not fork.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from types import FrameType

_WAITING_CALLS = frozenset({0, 7, 23, 34, 35, 43, 45, 47, 61, 128, 230, 232, 247, 270, 271, 281, 288, 441})
"""x86_64 numbers (Linux's syscall_64.tbl) of calls that only wait: read, poll, select, pause, nanosleep, accept,
recvfrom, recvmsg, wait4, rt_sigtimedwait, clock_nanosleep, epoll_wait, waitid, pselect6, ppoll, epoll_pwait, accept4,
epoll_pwait2."""
_FUTEX = frozenset({202, 449, 454, 455, 456})
_WAITING_FILES = frozenset(
    {"threading.py", "queue.py", "selectors.py", "socket.py", "ssl.py", "subprocess.py", "_base.py", "thread.py"}
)
"""Standard library files whose innermost frame, when its thread sleeps on a futex, waits for a lock or a queue."""
_POOLS = ("polars", "rayon", "tokio", "async-exec", "asyncio-std", "grpc_")
_MODULES = {
    "tensorflow": "TensorFlow's thread pools do not survive a fork",
    "jax": "JAX warns that a fork may dead-lock it",
    "pyspark": "Spark's connection to its JVM cannot be shared",
    "ray": "Ray's connection to its workers cannot be shared",
}
_LIBRARIES = {"libjvm.so": "a Java virtual machine runs in this process"}
_PATIENCE = 0.15
"""Seconds to look again and again: OpenBLAS's idle workers spin for 2**26 cycles (some 25 ms) before they sleep."""
_PAUSE = 0.003


def reasons_not_to_fork() -> list[str]:
    """Return why a fork would endanger this process or give a crippled child; an empty list means: fork.

    Call it on the main thread. Each reason is a clause that fits after "because". Takes some milliseconds. What it
    finds may have changed when it returns: `still.fork_when_still` looks once more.
    """
    if sys.platform != "linux":
        return ["forking a process with threads is only safe on Linux"]
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        return ["this Python runs threads side by side (free-threaded), so none can be held still for a fork"]
    if threading.current_thread() is not threading.main_thread():
        return ["only the main thread may fork, and another one asked"]
    lasting = _pools() + _libraries() + _memory()
    return lasting or busy_threads()


def busy_threads() -> list[str]:
    """Return which other threads may be inside native code, after a few looks; empty when all provably wait."""
    end = time.monotonic() + _PATIENCE
    while True:
        found = _busy_now()
        if not found or time.monotonic() > end:
            return found
        time.sleep(_PAUSE)


def _busy_now() -> list[str]:
    mine = threading.get_native_id()
    frames = sys._current_frames()
    python = {thread.native_id: thread for thread in threading.enumerate()}
    found = []
    for entry in os.listdir("/proc/self/task"):
        tid = int(entry)
        if tid == mine:
            continue
        thread = python.get(tid)
        frame = frames.get(thread.ident) if thread is not None and thread.ident is not None else None
        if may_compute(_read("/proc/self/task/%s/syscall" % entry), frame):
            name = "a native thread (%s)" % _comm(entry) if thread is None else "the thread %r" % thread.name
            found.append("%s may be computing in native code" % name)
    return found


def may_compute(call: str | None, frame: FrameType | None) -> bool:
    """Tell whether a thread may be in native code. One that is gone is not, nor one that provably waits.

    call: what /proc/PID/task/TID/syscall says. frame: the thread's innermost Python frame; None for a native thread.
    """
    if call is None:
        return False
    number = call.split()[0] if call.split() else "running"
    if number == "running":
        return True
    if int(number) in _FUTEX:
        # A native thread (no Python frame) asleep on a futex is an idle pool worker: whoever would use the pool now
        # is a Python thread and is judged itself. A Python thread may be in a library's lock: only known waits pass.
        return frame is not None and os.path.basename(frame.f_code.co_filename) not in _WAITING_FILES
    return int(number) not in _WAITING_CALLS


def _pools() -> list[str]:
    found = set()
    for entry in os.listdir("/proc/self/task"):
        name = _comm(entry)
        if name.startswith(_POOLS):
            found.add("the thread pool of %s does not survive a fork" % name.split("-")[0].split("_")[0])
    return sorted(found)


def _libraries() -> list[str]:
    found = [why for module, why in _MODULES.items() if module in sys.modules]
    maps = _read("/proc/self/maps") or ""
    found += [why for library, why in _LIBRARIES.items() if library in maps]
    torch = sys.modules.get("torch")
    if "libcuda.so" in maps and (torch is None or torch.cuda.is_initialized()):
        found.append("CUDA is initialised, and its context cannot be used in a fork")
    return found


def _memory() -> list[str]:
    if (_read("/proc/sys/vm/overcommit_memory") or "").strip() == "2":
        return ["this machine commits memory strictly (vm.overcommit_memory=2), so a fork would need all of it twice"]
    free = _kilobytes("/proc/meminfo", "MemAvailable:")
    tables = _kilobytes("/proc/self/status", "VmPTE:")
    if free and free < 2 * tables + 100_000:
        return ["less than 100 MB of memory is left"]
    return []


def _kilobytes(path: str, field: str) -> int:
    for line in (_read(path) or "").splitlines():
        if line.startswith(field):
            return int(line.split()[1])
    return 0


def _comm(tid: str) -> str:
    return (_read("/proc/self/task/%s/comm" % tid) or "").strip()


def _read(path: str) -> str | None:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return None
