"""The small process above a confined program: it reaps, and when asked or when the program ends it takes all along."""

from __future__ import annotations

import os
import select
import signal

OVER_MEMORY = 125
_LOOK_SECONDS = 0.15


def watch(child: int, lifeline: int, memory_mb: int) -> int:
    """Reap until `child` ends or `lifeline` (a pipe whose other end the host holds) closes; return the exit status.

    When all descendants together hold more than `memory_mb` the status is `OVER_MEMORY`.

    Afterwards no descendant is left: as first process of a PID namespace the caller's exit ends them, otherwise they
    have come to this process as the subreaper and are killed one by one.
    """
    wakeup, wake = os.pipe()
    for end in (wakeup, wake):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    status = None
    while status is None:
        status = _reaped(child)
        if status is not None:
            break
        ready, _, _ = select.select([wakeup, lifeline], [], [], _LOOK_SECONDS)
        if wakeup in ready:
            os.read(wakeup, 4096)
        if lifeline in ready and not os.read(lifeline, 4096):
            status = 128 + signal.SIGKILL
        elif memory_of(descendants()) > memory_mb << 20:
            status = OVER_MEMORY
    kill_descendants()
    return status


def kill_descendants() -> int:
    """Kill all that descends from this subreaper, orphans included; return how many were killed."""
    killed = 0
    while True:
        children = _children()
        if not children:
            return killed
        for pid in children:
            try:
                os.kill(pid, signal.SIGKILL)
                killed += 1
            except ProcessLookupError:
                continue
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return killed


def _reaped(child: int) -> "int | None":
    found = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return 1 if found is None else found
        if pid == 0:
            return found
        if pid == child:
            found = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def memory_of(pids: "list[int]") -> int:
    """Return the bytes that these processes hold together, shared pages counted once among them.

    RssAnon and RssShmem are quick to read and never too low; only when they add up to much is the exact share asked
    for (Pss, some milliseconds per process).
    """
    quick = sum(_field_sum("/proc/%d/status" % pid, ("RssAnon:", "RssShmem:")) for pid in pids)
    if quick < 256 << 20:
        return quick
    return sum(_field_sum("/proc/%d/smaps_rollup" % pid, ("Pss_Anon:", "Pss_Shmem:")) for pid in pids)


def _field_sum(path: str, names: "tuple[str, ...]") -> int:
    total = 0
    try:
        with open(path) as file:
            for line in file:
                if line.startswith(names):
                    total += int(line.split()[1]) * 1024
    except OSError:
        return 0  # it has ended
    return total


def descendants() -> "list[int]":
    """Return the pids of all living processes below this one."""
    parents, me = _parents(), os.getpid()
    found, new = set(), {me}
    while new:
        found |= new
        new = {pid for pid, parent in parents.items() if parent in new} - found
    return sorted(found - {me})


def _children() -> "list[int]":
    me = os.getpid()
    return [pid for pid, parent in _parents().items() if parent == me]


def _parents() -> "dict[int, int]":
    """Return the parent of every process that lives."""
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % name, "rb") as file:
                text = file.read()
        except OSError:
            continue
        fields = text[text.rindex(b")") + 2 :].split()
        if fields[0] not in (b"Z", b"X"):
            found[int(name)] = int(fields[1])
    return found
