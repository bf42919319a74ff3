"""The fork of a live kernel, seen from the child: it locks itself down, becomes a node, and never returns.

What belongs to the kernel (its event loop and epoll, sockets, history, exit handlers, signals) is left as it is: the
child forgets it. Where the policy has a process namespace, the forked process stays behind as a stub and its child is
the first process of the namespace; otherwise it stays above its child, reaps, and ends all of it when the kernel says
so or is gone.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import signal
import socket
import sys
import tempfile
from typing import Any, NamedTuple

from . import heirs, init, kernel, lockdown
from .attempts import Attempts
from .frames import Channel
from .keeper import Keeper
from .node import Node, default_signals, take_outputs

_NO_BOUND_MB = 1 << 40


class Ends(NamedTuple):
    """The child's descriptors: its channel, stdout and stderr, and the pipe that ends when the kernel lets go."""

    channel: int
    out: int
    err: int
    lifeline: int


class Origin(NamedTuple):
    """The kernel as it was at the fork: its process id, and the state of `random`, which forks are given anew."""

    pid: int
    seed: Any


def become_node(shell: Any, ends: Ends, policy: "dict[str, Any]", origin: Origin) -> None:
    """Call it right after the fork, in the child. Never returns, whatever happens: the caller's frames are a copy."""
    try:
        if _let_go(origin):
            _serve(shell, ends, policy, origin)
    finally:
        os._exit(3)


def become_session(shell: Any, policy: "dict[str, Any]", descriptors: "list[int]", origin: Origin) -> None:
    """Become a session's keeper, and fork its first node, as `base.start_session` does. Never returns.

    descriptors: the keeper's channel, the node's channel, the node's stdout and stderr.
    """
    try:
        if _let_go(origin):
            _keep(shell, policy, descriptors, origin)
    finally:
        os._exit(3)


def _let_go(origin: Origin) -> bool:
    """Leave what is the kernel's; return whether it still lives."""
    signal.set_wakeup_fd(-1)
    default_signals()
    gc.freeze()
    os.setsid()
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    return os.getppid() == origin.pid


def _keep(shell: Any, policy: "dict[str, Any]", descriptors: "list[int]", origin: Origin) -> None:
    above = Channel(socket.socket(fileno=descriptors[0]))
    try:
        scratch = os.open(policy["scratch"], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        got = {**lockdown.enter_namespaces(policy), "scratch": scratch}
        pid = os.fork()
        if pid == 0:
            _first_node(shell, policy, Ends(descriptors[1], descriptors[2], descriptors[3], -1), origin)
        _let_go_of_descriptors({descriptors[0], scratch, got["store"], got["lower"]})
        above.send("kept", {"pid": pid, "namespaces": got["namespaces"], "cow": got["cow"]})
    except (lockdown.ConfinementError, OSError) as error:
        above.send("refused", {"why": str(error)})
        return
    Keeper(above, pid, got, policy).serve()


def _first_node(shell: Any, policy: "dict[str, Any]", ends: Ends, origin: Origin) -> None:
    channel = Channel(socket.socket(fileno=ends.channel))
    try:
        node = _confined_node(shell, channel, ends, policy, origin.seed)
    except (lockdown.ConfinementError, OSError) as error:
        channel.send("refused", {"why": str(error)})
        os._exit(3)
    node.serve()


def _serve(shell: Any, ends: Ends, policy: "dict[str, Any]", origin: Origin) -> None:
    channel = Channel(socket.socket(fileno=ends.channel))
    try:
        got = lockdown.enter_namespaces(policy)
        if not policy["layers"]["pid"]:
            _stay_above(ends.lifeline)
        os.close(ends.lifeline)
        channel.send("view", {}, descriptors=[] if got["store"] is None else [got["store"]])
        node = _confined_node(shell, channel, ends, policy, origin.seed)
    except (lockdown.ConfinementError, OSError) as error:
        channel.send("refused", {"why": str(error)})
        return
    node.serve()


def _confined_node(shell: Any, channel: Channel, ends: Ends, policy: "dict[str, Any]", seed: Any) -> Node:
    """Lock this process down and say so. Raises `ConfinementError`."""
    _confine(ends, policy)
    node = _node(shell, channel, policy)
    random.setstate(seed)
    channel.send("ready", {"pid": os.getpid()})
    return node


def _stay_above(lifeline: int) -> None:
    child = os.fork()
    if child == 0:
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
        return
    _let_go_of_descriptors({lifeline})
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os._exit(init.watch(child, lifeline, _NO_BOUND_MB))


def _let_go_of_descriptors(keep: "set[int | None]") -> None:
    """Let the kernel's files and connections end when the kernel ends them; the numbers stay taken."""
    null = os.open("/dev/null", os.O_RDWR)
    for name in os.listdir("/proc/self/fd"):
        descriptor = int(name)
        if descriptor not in keep and descriptor != null:
            try:
                os.dup2(null, descriptor, inheritable=False)
            except OSError:
                continue  # the listing's own descriptor


def _confine(ends: Ends, policy: "dict[str, Any]") -> None:
    take_outputs(ends.out, ends.err)
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    heirs.forget_exits()
    lockdown.confine(policy, {0, 1, 2, ends.channel})
    tempfile.tempdir = None  # it was found outside


def _node(shell: Any, channel: Channel, policy: "dict[str, Any]") -> Node:
    heirs.reset_libraries()
    asyncio._set_running_loop(None)  # the kernel's, which runs the cell that forked
    heirs.new_loop()
    streams = sys.stdout, sys.stderr
    _forget_kernel(shell)
    node = Node(shell, channel, attempts=Attempts(policy), live=True)
    _redirect(streams[0], sys.stdout)
    _redirect(streams[1], sys.stderr)
    if getattr(shell, "kernel", None) is not None:
        shell.kernel.session = shell.display_pub.session
    return node


def _forget_kernel(shell: Any) -> None:
    if shell.history_manager is not None:
        shell.history_manager.enabled = False
    hooks = getattr(shell.display_pub, "_hooks", None)
    if isinstance(hooks, list):
        hooks.clear()  # an output widget of the user's would take what is to be shown
    if getattr(shell, "kernel", None) is not None:
        shell.kernel.iopub_socket = None
        shell.kernel._allow_stdin = False


def _redirect(old: Any, new: Any) -> None:
    """Let a stream that handlers of the user's still hold write where the new one does."""
    if old is new or type(old).__module__ != "ipykernel.iostream":
        return  # a terminal's writes to a descriptor, which leads to the same place
    old.write, old.flush, old.writelines = new.write, new.flush, new.writelines
    old.echo = None
