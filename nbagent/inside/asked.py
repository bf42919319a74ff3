"""What a program outside may ask this kernel for: a branch of it. It is forked between cells, on the main thread.

Two requests on the control channel, which a kernel answers while a cell runs, too (docs/trials.md has the fields):

    nbagent_about_request  {}                    which interpreter and folder this is, and whether a cell runs
    nbagent_fork_request   {"socket": path}      fork; what is needed comes over that Unix socket

Works in ipykernel 6.29 and later, also where this folder was loaded by file path and nbagent is not installed.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import socket
import sys
from typing import Any, Optional

from .frames import Channel

PROTOCOL = 1
_ABOUT, _FORK = "nbagent_about_request", "nbagent_fork_request"
_BEGIN_SECONDS = 0.5
"""How long the main thread may take to begin; one that handles a message is busy, whether or not it is a cell."""
_HAND_OVER_SECONDS = 5.0


def install(shell: Any) -> None:
    """Let the kernel of this shell answer; a shell without a kernel has nobody who asks. Doing it twice is fine."""
    handlers = getattr(getattr(shell, "kernel", None), "control_handlers", None)
    if handlers is None or _FORK in handlers:
        return
    answers = Answers(shell)
    handlers[_ABOUT], handlers[_FORK] = answers.about, answers.fork


def remove(shell: Any) -> None:
    """Answer no more."""
    handlers = getattr(getattr(shell, "kernel", None), "control_handlers", None) or {}
    handlers.pop(_ABOUT, None)
    answer = handlers.pop(_FORK, None)
    if answer is not None:
        answer.__self__.deaf()


class Answers:
    """The handlers of one kernel. They run on its control thread, and hand the fork to its main thread."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._running = 0
        shell.events.register("pre_execute", self._begins)
        shell.events.register("post_execute", self._ended)

    def deaf(self) -> None:
        """Take no notice of cells any more."""
        self._shell.events.unregister("pre_execute", self._begins)
        self._shell.events.unregister("post_execute", self._ended)

    def _begins(self) -> None:
        self._running += 1

    def _ended(self) -> None:
        self._running = max(0, self._running - 1)  # the cell that installed this began unheard

    async def about(self, stream: Any, ident: Any, request: Any) -> None:
        """Say what this kernel is."""
        told = {
            "status": "ok",
            "protocol": PROTOCOL,
            "busy": self._running > 0,
            "python": sys.executable,
            "version": list(sys.version_info[:3]),
            "path": [path for path in sys.path if isinstance(path, str) and path],
            "folder": os.getcwd(),
            "pid": os.getpid(),
        }
        self._reply(stream, ident, request, told)

    async def fork(self, stream: Any, ident: Any, request: Any) -> None:
        """Fork, and say "ok", "busy", or "refused" with the reasons."""
        if self._running:
            self._reply(stream, ident, request, {"status": "busy"})
            return
        try:
            order = _order(str(request["content"].get("socket")))
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            told = "what is needed for it did not come (%s)" % type(error).__name__
            self._reply(stream, ident, request, {"status": "refused", "reasons": [told]})
            return
        try:
            self._reply(stream, ident, request, await self._forked(*order))
        finally:
            for descriptor in order[1]:
                os.close(descriptor)

    async def _forked(self, policy: "dict[str, Any]", descriptors: "list[int]") -> "dict[str, Any]":
        begun: "concurrent.futures.Future[dict[str, Any]]" = concurrent.futures.Future()

        def work() -> None:
            if begun.set_running_or_notify_cancel():
                begun.set_result(self._fork_now(policy, descriptors))

        self._shell.kernel.io_loop.add_callback(work)
        waited = 0.0
        while not begun.done():
            await asyncio.sleep(0.005)
            waited += 0.005
            if waited > _BEGIN_SECONDS and begun.cancel():
                return {"status": "busy"}
        return begun.result()

    def _fork_now(self, policy: "dict[str, Any]", descriptors: "list[int]") -> "dict[str, Any]":
        """On the main thread, in which no cell is in the middle of something: not even one that awaits."""
        # Not imported with the extension, which must load in an instant.
        from .fork import NotForked, fork_session
        from .live import adopt_child

        if self._running:
            return {"status": "busy"}
        try:
            pid = fork_session(self._shell, policy, descriptors)
        except NotForked as error:
            return {"status": "refused", "reasons": [str(reason) for reason in error.args]}
        except OSError as error:
            return {"status": "refused", "reasons": ["the operating system refuses it (%s)" % error.strerror]}
        adopt_child(pid)
        return {"status": "ok", "pid": pid}

    def _reply(self, stream: Any, ident: Any, request: Any, content: "dict[str, Any]") -> None:
        kind = request["header"]["msg_type"].replace("_request", "_reply")
        self._shell.kernel.session.send(stream, kind, content, request, ident=ident)


def _order(path: str) -> "tuple[dict[str, Any], list[int]]":
    """Return the policy, and the branch's ends: those of the keeper, of the first node, of its stdout and stderr."""
    taken: "Optional[list[int]]" = None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(_HAND_OVER_SECONDS)
        sock.connect(path)
        kind, policy, taken = Channel(sock).receive()
    if kind != "session" or len(taken) != 4:
        for descriptor in taken:
            os.close(descriptor)
        raise ValueError(kind)
    for descriptor in taken:
        os.set_inheritable(descriptor, False)
    return policy, taken
