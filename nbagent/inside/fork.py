"""Forking the live kernel, so that nothing of it changes: it gives away a copy of its memory and gets one child.

Its descriptors, event loop, history and signals stay as they are.
"""

from __future__ import annotations

import ctypes
import os
import random
import socket
import sys
from typing import Any

from . import heirs
from .forked import Ends, Origin, become_node, become_session
from .guard import reasons_not_to_fork
from .live import LiveBranch
from .relay import Reader, Text
from .still import Unquiet, fork_when_still

_libc = ctypes.CDLL(None)


class NotForked(Exception):
    """This process was not forked. The arguments are the reasons: clauses that fit after "because"."""


def fork_kernel(shell: Any, policy: "dict[str, Any]") -> LiveBranch:
    """Fork this process, whose IPython shell is `shell`, and return the branch; `started` says when it is confined.

    Call it on the main thread with `Interrupts` entered. Raises `NotForked` with the reasons when a fork could harm the
    kernel, and nothing has happened then.
    """
    _prepare()
    ours, theirs = socket.socketpair()
    pipes = [os.pipe2(os.O_CLOEXEC) for _ in range(3)]
    (out, out_end), (err, err_end), (lifeline_end, lifeline) = pipes
    origin = Origin(os.getpid(), random.getstate())
    try:
        pid = _fork()
    except NotForked:
        for descriptor in (ours.detach(), theirs.detach(), *(end for pipe in pipes for end in pipe)):
            os.close(descriptor)
        raise
    if pid == 0:
        for descriptor in (ours.detach(), out, err, lifeline):
            os.close(descriptor)
        become_node(shell, Ends(theirs.detach(), out_end, err_end, lifeline_end), policy, origin)
    theirs.close()
    for descriptor in (out_end, err_end, lifeline_end):
        os.close(descriptor)
    return LiveBranch(pid, Reader(ours), (Text(out, "stdout"), Text(err, "stderr")), lifeline)


def fork_session(shell: Any, policy: "dict[str, Any]", descriptors: "list[int]") -> int:
    """Fork this process for somebody else, who holds the other ends, and return the child's process id.

    descriptors: those of `base.start_session`; they stay open here. Raises `NotForked`.
    """
    _prepare()
    origin = Origin(os.getpid(), random.getstate())
    pid = _fork()
    if pid == 0:
        become_session(shell, policy, descriptors, origin)
    return pid


def _prepare() -> None:
    reasons = reasons_not_to_fork()
    if reasons:
        raise NotForked(*reasons)
    heirs.quiesce()
    sys.stdout.flush()
    sys.stderr.flush()
    _libc.fflush(None)


def _fork() -> int:
    try:
        return fork_when_still()
    except Unquiet as error:
        raise NotForked(*error.args) from None
    except OSError as error:
        raise NotForked("the operating system refuses to copy this process (%s)" % error.strerror) from None
