"""The keeper of one session: unlocked and tiny, it reaps, kills one branch with all it started, and restores files.

It is the first process of its PID namespace where there is one, else a subreaper: orphans of its branches come to it.
When its channel closes it ends, and everything below it ends with it.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
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
            self._nodes.add(int(content["pid"]))
            self._channel.send("noted", {})
        elif kind == "kill":
            self._kill(int(content["pid"]))
            self._channel.send("killed", {"status": self._exits.get(int(content["pid"]))})
        elif kind == "keep":
            self._channel.send("files", {"kept": self._files.keep(int(content["key"])), "used": self._files.used()})
        elif kind == "restore":
            self._channel.send("files", {"restored": self._files.restore(int(content["key"]))})
        elif kind == "forget":
            self._files.forget(int(content["key"]))
            self._channel.send("files", {})
        elif kind == "changed":
            self._channel.send("files", {"changed": self._files.changed(), "used": self._files.used()})
        else:
            self._end()

    def _end(self) -> None:
        if not self._private_pids:
            for _ in range(_ROUNDS):
                if not _kill_all(_descendants(os.getpid())):
                    break
                self._reap()
        sys.stdout.flush()
        os._exit(0)  # as the first process of its namespace it takes all others along

    def _kill(self, pid: int) -> None:
        """Kill a node and what it started. Other nodes are children of nodes or of the keeper, and are known."""
        nodes = self._nodes
        nodes.discard(pid)
        started = [p for p in _descendants(pid, but=nodes) if p not in nodes]
        orphans = set(_children(os.getpid())) - nodes
        _kill_all([pid, *started])
        for _ in range(_ROUNDS):
            self._reap()
            left = [p for p in _children(os.getpid()) if p not in nodes and p not in orphans and p not in self._exits]
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


def _kill_all(pids: "list[int]") -> bool:
    """Stop all first, so that none can start another unseen, then kill; tell whether there was any."""
    alive = [pid for pid in pids if _state(pid) not in "ZX"]
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in alive:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
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
