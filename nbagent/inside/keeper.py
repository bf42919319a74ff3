"""The keeper of one session: unlocked and tiny, it reaps, kills one branch with all it started, and restores files.

It is the first process of its PID namespace where there is one, else a subreaper: orphans of its branches come to it.
When its channel closes it ends, and everything below it ends with it.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from typing import Any

from .files import Files
from .frames import Channel

_ROUNDS = 200
_PAUSE = 0.001


class Keeper:
    """Serves the host. `first` is the first node; `got` is what `enter_namespaces` returned."""

    def __init__(self, channel: Channel, first: int, got: "dict[str, Any]", policy: "dict[str, Any]") -> None:
        self._channel = channel
        self._nodes = {first}
        self._private_pids = bool(got["namespaces"].get("pid"))
        self._files = Files(got, policy)
        self._exits: "dict[int, int]" = {}
        self._before: "dict[int, set[int]]" = {first: set()}  # orphans that were there when a node began

    def serve(self) -> None:
        """Obey until the host is gone, then end everything; never returns."""
        wake, woken = os.pipe()
        os.set_blocking(woken, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(woken)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        while True:
            ready, _, _ = select.select([self._channel.fileno(), wake], [], [])
            if wake in ready:
                os.read(wake, 4096)
                self._reap()
            if self._channel.fileno() in ready:
                try:
                    kind, content, _ = self._channel.receive()
                except (EOFError, OSError, ValueError):
                    self._end()
                self._obey(kind, content)

    def _obey(self, kind: str, content: "dict[str, Any]") -> None:
        if kind == "node":
            self._note(int(content["pid"]))
            self._channel.send("noted", {})
        elif kind == "kill":
            self._kill(int(content["pid"]))
            self._channel.send("killed", {"status": self._exits.get(int(content["pid"]))})
        elif kind == "keep":
            with _still():
                kept = self._files.keep(int(content["key"]))
            self._channel.send("files", {"kept": kept, "used": self._files.used()})
        elif kind == "restore":
            with _still():
                restored = self._files.restore(int(content["key"]))
            self._channel.send("files", {"restored": restored})
        elif kind == "forget":
            self._files.forget(int(content["key"]))
            self._channel.send("files", {})
        elif kind == "changed":
            self._channel.send("files", {"changed": self._files.changed(), "used": self._files.used()})
        elif kind == "hand over":
            self._end_all()
            self._channel.send("files", self._files.hand_over(content.get("never")))
        else:
            self._end()

    def _end(self) -> None:
        if not self._private_pids:
            self._end_all()
        sys.stdout.flush()
        os._exit(0)  # as the first process of its namespace it takes all others along

    def _end_all(self) -> None:
        """Kill everything below this process, and wait until it is gone."""
        for _ in range(_ROUNDS):
            if not _kill_all(_descendants(os.getpid())):
                return
            time.sleep(_PAUSE)
            self._reap()

    def _note(self, pid: int) -> None:
        """Remember a node before it runs anything; its number may have been another process's before."""
        self._exits.pop(pid, None)
        self._before[pid] = set(_children(os.getpid())) - self._nodes
        self._nodes.add(pid)

    def _kill(self, pid: int) -> None:
        """Kill a node and what it started, also what had come to this process as an orphan since the node began.

        Other nodes are children of nodes or of the keeper, and are known.
        """
        nodes = self._nodes
        nodes.discard(pid)
        started = [p for p in _descendants(pid, but=nodes) if p not in nodes]
        orphans = self._before.pop(pid, set())
        _kill_all([pid, *started])
        for _ in range(_ROUNDS):
            self._reap()
            left = [p for p in _children(os.getpid()) if p not in nodes and p not in orphans]
            gone = pid in self._exits or _state(pid) in "ZX"
            if gone and not _kill_all(left):
                return
            time.sleep(_PAUSE)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            self._exits[pid] = status
            self._nodes.discard(pid)
            if len(self._exits) > 4096:
                self._exits.pop(next(iter(self._exits)))


@contextlib.contextmanager
def _still() -> "Iterator[None]":
    """Let nothing below run meanwhile: it could put a link where this process, which is not confined, is to write."""
    stopped: "set[int]" = set()
    try:
        for _ in range(_ROUNDS):
            moving = [pid for pid in _descendants(os.getpid()) if _state(pid) not in "ZXTt"]
            if not moving:
                break
            _signal(moving, signal.SIGSTOP)
            stopped.update(moving)
            time.sleep(_PAUSE)
        yield
    finally:
        _signal(list(stopped), signal.SIGCONT)


def _signal(pids: "list[int]", number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def _kill_all(pids: "list[int]") -> bool:
    """Stop all first, so that none can start another unseen, then kill; tell whether there was any."""
    alive = [pid for pid in pids if _state(pid) not in "ZX"]
    _signal(alive, signal.SIGSTOP)
    _signal(alive, signal.SIGKILL)
    return bool(alive)


def _descendants(pid: int, but: "set[int] | frozenset[int]" = frozenset()) -> "list[int]":
    """Return all processes below one, leaving out those in `but` and everything below them."""
    found: "list[int]" = []
    waiting = [child for child in _children(pid) if child not in but]
    while waiting:
        child = waiting.pop()
        found.append(child)
        waiting += [other for other in _children(child) if other not in but]
    return found


def _children(pid: int) -> "list[int]":
    try:
        tasks = os.listdir("/proc/%d/task" % pid)
    except OSError:
        return []
    found = []
    for task in tasks:
        try:
            with open("/proc/%d/task/%s/children" % (pid, task)) as file:
                found += [int(word) for word in file.read().split()]
        except OSError:
            continue
    return found


def _state(pid: int) -> str:
    """Return a process's state letter; X when it is gone."""
    try:
        with open("/proc/%d/stat" % pid) as file:
            text = file.read()
    except OSError:
        return "X"
    return text[text.rindex(")") + 2]
