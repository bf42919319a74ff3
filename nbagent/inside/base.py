"""The base process: an IPython shell with the usual libraries imported, which is forked for every session.

It runs no code of the user's and is not confined; it holds no secrets, since it is started with a scrubbed environment.
Per session: base -> keeper (namespaces, unlocked: reaps, kills, restores files) -> first node (locked down).
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import signal
import socket
import sys
import tempfile
from typing import Any

from . import descriptors as inherited
from . import heirs, kernel, lockdown
from .frames import Channel
from .keeper import Keeper
from .node import Node, default_signals, take_outputs

_USUAL = ("numpy", "pandas", "matplotlib.pyplot")


def main(arguments: "list[str]") -> None:
    """Serve the channel whose descriptor is the first argument; `--bare` imports no libraries beforehand."""
    channel = Channel(socket.socket(fileno=int(arguments[0])))
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    shell = _made_elsewhere()
    if "--bare" not in arguments:
        preload()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.collect()
    gc.freeze()
    channel.send("up", {"python": list(sys.version_info[:3])})
    while True:
        try:
            kind, content, descriptors = channel.receive()
        except (EOFError, OSError):
            os._exit(0)
        if kind != "session":
            os._exit(0)
        pid = os.fork()
        if pid == 0:
            channel.close()
            start_session(shell, content, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        channel.send("session", {"pid": pid})


def _made_elsewhere() -> Any:
    """Return the shell. IPython makes its folders as it starts: in a passing place, so that the user's stay as is."""
    before = os.environ.get("IPYTHONDIR")
    with tempfile.TemporaryDirectory(prefix="nbagent-") as passing:
        os.environ["IPYTHONDIR"] = passing
        shell = make_shell()
    if before is None:
        del os.environ["IPYTHONDIR"]
    else:
        os.environ["IPYTHONDIR"] = before
    return shell


def make_shell() -> Any:
    """Return an IPython shell as ipykernel has it, without a kernel around it."""
    from ipykernel.zmqshell import ZMQInteractiveShell
    from traitlets.config import Config

    class Shell(ZMQInteractiveShell):  # type: ignore[misc]  # ipykernel has no types here
        def enable_gui(self, gui: Any = None) -> None:
            """A branch has no event loop of a window system."""

    config = Config()
    config.HistoryManager.enabled = False
    shell = Shell.instance(config=config)
    shell.kernel = _NoKernel()
    shell.user_ns.update(__name__="__main__")
    shell.extension_manager.load_extension("storemagic")  # as ipykernel does
    return shell


def _give_profile(shell: Any) -> None:
    """Let the shell keep its files (of `%store`, say) where this branch may write."""
    from IPython.core.profiledir import ProfileDir

    folder = os.environ.get("IPYTHONDIR") or os.path.expanduser("~/.ipython")
    shell.ipython_dir = folder
    shell.profile_dir = ProfileDir(location=os.path.join(folder, "profile_default"))


class _NoKernel:
    """What libraries look for behind `get_ipython().kernel`; there is no kernel here."""

    eventloop = None
    session = None
    iopub_socket = None

    def get_parent(self, channel: str = "shell") -> "dict[str, Any]":
        """There is no request."""
        return {}


def preload() -> None:
    """Import what most notebooks import, and let figures show in the cell's outputs as a kernel does."""
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        for name in _USUAL:
            try:
                importlib.import_module(name)
            except Exception:  # a library that is broken here is the notebook's business, not the base process's
                continue
        if "matplotlib.pyplot" in sys.modules:
            from matplotlib_inline.backend_inline import _enable_matplotlib_integration

            _enable_matplotlib_integration()


def start_session(shell: Any, policy: "dict[str, Any]", descriptors: "list[int]") -> None:
    """Become a session's keeper and fork its first node; never returns.

    descriptors: the keeper's channel, the node's channel, the node's stdout and stderr.
    """
    keeper = Channel(socket.socket(fileno=descriptors[0]))
    try:
        default_signals()
        os.setsid()
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
        got = _enter(policy)
        pid = os.fork()
        if pid == 0:
            _first_node(shell, policy, descriptors)
        for descriptor in descriptors[1:]:
            os.close(descriptor)
        keeper.send("kept", {"pid": pid, "namespaces": got["namespaces"], "cow": got["cow"]})
        Keeper(keeper, pid, got, policy).serve()
    except (lockdown.ConfinementError, OSError) as error:
        keeper.send("refused", {"why": str(error)})
    os._exit(3)


def _enter(policy: "dict[str, Any]") -> "dict[str, Any]":
    """Leave the user's world behind, keeping a way to the scratch's real folder; in mode `full` stay in it."""
    if policy["mode"] == "full":
        kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
        os.chdir(policy["cwd"])
        return {"namespaces": {}, "cow": False, "store": None, "lower": None}
    scratch = os.open(policy["scratch"], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    return {**lockdown.enter_namespaces(policy), "scratch": scratch}


def _first_node(shell: Any, policy: "dict[str, Any]", descriptors: "list[int]") -> None:
    channel = Channel(socket.socket(fileno=descriptors[1]))
    try:
        take_outputs(descriptors[2], descriptors[3])
        null = os.open("/dev/null", os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        heirs.forget_exits()
        keep = {0, 1, 2, channel.fileno()}
        if policy["mode"] == "full":
            report: "dict[str, Any]" = {"descriptors": inherited.neutralise(keep)}
        else:
            report = lockdown.confine(policy, keep)
        sys.path[:] = ["", *(path for path in sys.path if path)]
        sys.argv = [""]
        heirs.new_loop()
        _give_profile(shell)
        node = Node(shell, channel)
        channel.send("ready", {"pid": os.getpid(), "report": report})
    except (lockdown.ConfinementError, OSError) as error:
        channel.send("refused", {"why": str(error)})
        os._exit(3)
    node.serve()
