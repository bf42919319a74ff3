"""A node is a process with an IPython namespace: it runs cells, and forks itself when told to.

The first node of a session locks itself down; every other is forked from a node and inherits that. The parent of a fork
goes on, the child sleeps as a checkpoint or runs a retry: only the commands on its channel decide. A node is
single-threaded unless the user's code makes threads.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import resource
import signal
import socket
import sys
import time
import warnings
from typing import Any

from . import heirs
from .adopt import offer
from .attempts import Attempts
from .capture import wire
from .clues import clues
from .copied import taken
from .frames import Channel
from .state import Watch

_libc = ctypes.CDLL(None)


class Node:
    """Serves one channel. `shell` is the IPython shell of this process.

    attempts: counts what code tried although the sandbox refuses it. live: the shell is a copy of a user's, so its
    variables are the user's but for those that IPython hides, and its history is not ours to write.
    """

    def __init__(self, shell: Any, channel: Channel, *, attempts: "Attempts | None" = None, live: bool = False) -> None:
        self._shell, self._channel = shell, channel
        self._attempts, self._live = attempts, live
        self._forked: "set[int]" = set()
        self._own = frozenset(shell.user_ns_hidden if live else shell.user_ns)
        wire(shell, lambda: self._channel)

    def serve(self) -> None:
        """Obey commands until the other end is gone; never returns."""
        while True:
            try:
                kind, content, descriptors = self._channel.receive()
            except (EOFError, OSError, ValueError):
                os._exit(0)
            self._reap()
            if kind == "run":
                self._run(content)
            elif kind == "fork":
                self._fork(descriptors)
            elif kind == "take":
                self._take(descriptors[0])
            elif kind == "offer":
                self._offer(content)
            else:
                os._exit(0)

    # --- running

    def _run(self, content: "dict[str, Any]") -> None:
        source = str(content["source"])
        watch = Watch(self._shell.user_ns, source, self._own) if content.get("watch") else None
        started, cpu = time.monotonic(), _cpu_seconds()
        self._shell.exit_now = False
        with self._attempts or contextlib.nullcontext():
            result = self._shell.run_cell(source, store_history=not self._live)
        if self._live:
            self._shell.execution_count += 1
        _flush()
        error = result.error_before_exec or result.error_in_exec
        raised = None
        if error is not None:
            raised = {"ename": type(error).__name__, "evalue": _text(error), "clues": clues(error)}
        self._channel.send(
            "done",
            {
                "ok": bool(result.success),
                "raised": raised,
                "exit": bool(self._shell.exit_now),
                "execution_count": self._shell.execution_count - 1,
                "seconds": time.monotonic() - started,
                "cpu_seconds": _cpu_seconds() - cpu,
                "state": watch.changes() if watch is not None else None,
                "attempts": self._attempts.told() if self._attempts is not None else [],
            },
        )

    def _take(self, descriptor: int) -> None:
        """Let variables be copies of those in sealed memory, which this process's parent vouches for."""
        why = None
        try:
            self._shell.user_ns.update(taken(descriptor))
        except Exception as error:  # reading values back runs the libraries' code, and the user's
            why = "%s: %s" % (type(error).__name__, _text(error))
        os.close(descriptor)
        self._channel.send("taken", {"why": why})

    def _offer(self, content: "dict[str, Any]") -> None:
        """Hand the values of variables over in sealed memory, as far as they can be brought over."""
        names = [str(name) for name in content["names"] if name in self._shell.user_ns and name not in self._own]
        try:
            # `exit` and the like reach the shell, and through it every variable: no tie of the user's making.
            theirs = {name: value for name, value in self._shell.user_ns.items() if name not in self._own}
            memory, good, refused = offer(theirs, names)
        except (OSError, MemoryError) as error:
            self._channel.send("offered", {"names": [], "refused": dict.fromkeys(names, _too_much(error))})
            return
        self._channel.send("offered", {"names": good, "refused": refused}, descriptors=[memory])
        os.close(memory)

    # --- forking

    def _fork(self, descriptors: "list[int]") -> None:
        """descriptors: the child's channel, its stdout and its stderr."""
        _flush()
        heirs.quiesce()
        tainted = heirs.taint()
        gc.freeze()
        rng = sys.modules["random"].getstate() if "random" in sys.modules else None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            try:
                pid = os.fork()
            except OSError as error:
                for descriptor in descriptors:
                    os.close(descriptor)
                self._channel.send("refused", {"why": "the process could not be forked (%s)" % error.strerror})
                return
        if pid:
            for descriptor in descriptors:
                os.close(descriptor)
            self._forked.add(pid)
            self._channel.send("forked", {"pid": pid, "tainted": tainted})
            return
        self._become_child(descriptors, rng)

    def _become_child(self, descriptors: "list[int]", rng: Any) -> None:
        if rng is not None:
            sys.modules["random"].setstate(rng)  # CPython gives every forked child another seed
        old = self._channel
        self._channel = Channel(socket.socket(fileno=descriptors[0]))
        old.close()
        take_outputs(descriptors[1], descriptors[2])
        self._forked.clear()
        heirs.reopen_files({self._channel.fileno()})
        heirs.reset_libraries()
        heirs.refresh_loop()
        self._channel.send("ready", {"pid": os.getpid()})

    def _reap(self) -> None:
        for pid in list(self._forked):
            try:
                done, _ = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                done = pid
            if done:
                self._forked.discard(pid)


def take_outputs(out: int, err: int) -> None:
    """Make two pipes the process's stdout and stderr, for C code and subprocesses; stdin is empty."""
    for descriptor, target in ((out, 1), (err, 2)):
        os.dup2(descriptor, target)
        os.close(descriptor)


def default_signals() -> None:
    """Undo what the base process or a kernel did to signals: a cell is interrupted by SIGINT, and ended by others."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    _libc.fflush(None)


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as failure:  # an exception's own __str__ is the user's code
        return "<%s while it was printed>" % type(failure).__name__


def _too_much(error: BaseException) -> str:
    return "there is no room to bring it over (%s)" % (getattr(error, "strerror", None) or type(error).__name__)


def _cpu_seconds() -> float:
    total = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        used = resource.getrusage(who)
        total += used.ru_utime + used.ru_stime
    return total
