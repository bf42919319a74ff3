"""The small process above a confined program: it reaps, and when asked or when the program ends it takes all along."""

from __future__ import annotations

import os
import select
import signal


def watch(child: int, lifeline: int) -> int:
    """Reap until `child` ends or `lifeline` (a pipe whose other end the host holds) closes; return the exit status.

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
        ready, _, _ = select.select([wakeup, lifeline], [], [], 1.0)
        if wakeup in ready:
            os.read(wakeup, 4096)
        if lifeline in ready and not os.read(lifeline, 4096):
            status = 128 + signal.SIGKILL
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


def _children() -> "list[int]":
    found, me = [], os.getpid()
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % name, "rb") as file:
                text = file.read()
        except OSError:
            continue
        fields = text[text.rindex(b")") + 2 :].split()
        if int(fields[1]) == me and fields[0] not in (b"Z", b"X"):
            found.append(int(name))
    return found
