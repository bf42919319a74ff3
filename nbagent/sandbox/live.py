"""Branches of a live kernel, asked for from outside it: `ports.Sandbox` over forks of the user's own kernel."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import tempfile
from pathlib import Path
from typing import Any

from jupyter_client import AsyncKernelClient
from pydantic import BaseModel, JsonValue, ValidationError

from nbagent.core.errors import SandboxError
from nbagent.sandbox.access import Access
from nbagent.sandbox.base import Pipes, Started, confined_number
from nbagent.sandbox.branch import ProcessBranch
from nbagent.sandbox.interpreter import inspect
from nbagent.sandbox.probe import LAUNCHER, probe
from nbagent.sandbox.session import Session
from nbagent.sandbox.wire import Wire

_START = LAUNCHER.with_name("start.py")
_ANSWER_SECONDS = 2.0
_TEACH_SECONDS = 0.7
"""How long an idle kernel may take to install the answers; one that takes longer is busy."""
_FORK_SECONDS = 90.0
_INSTALL = (
    "__import__('importlib').import_module(__import__('runpy').run_path({path!r})['load_package']() + '.asked')"
    ".install(__import__('IPython').get_ipython())"
)


class KernelBusy(SandboxError):
    """The kernel runs a cell, and is forked between cells only."""

    def __init__(self) -> None:
        super().__init__("The kernel is busy, so nothing was tried. Try again when its cell is done, or interrupt it.")


class NotForkable(SandboxError):
    """A fork would endanger the kernel, or give a crippled copy. `reasons` are clauses that fit after "because"."""

    def __init__(self, reasons: tuple[str, ...]) -> None:
        self.reasons = reasons
        super().__init__(f"The kernel was not forked, because {'; '.join(reasons)}. Nothing was run.")


class About(BaseModel, frozen=True):
    """What a kernel tells of itself."""

    protocol: int
    busy: bool
    python: Path
    version: tuple[int, int, int]
    path: tuple[str, ...]
    folder: Path
    pid: int


class LiveKernel:
    """A kernel somebody else runs, reached by its connection file; this end of it speaks on the control channel.

    A kernel that does not know how to answer is taught by one silent execution, which imports `nbagent/inside` by file
    path: its environment need not have nbagent. It needs ipykernel 6.29 or later. `async with` it.
    """

    def __init__(self, connection_file: Path) -> None:
        self._file = connection_file
        self._client: Any = None
        self._asking = asyncio.Lock()
        self._taught = False

    async def __aenter__(self) -> LiveKernel:
        self._client = AsyncKernelClient(connection_file=str(self._file))
        try:
            self._client.load_connection_file()
        except (OSError, ValueError) as error:
            raise SandboxError(f"There is no kernel to be reached by {self._file} ({error}).") from error
        self._client.start_channels(shell=True, iopub=False, stdin=False, hb=False, control=True)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._client.stop_channels()

    async def about(self) -> About:
        """Return what the kernel is. Raises `KernelBusy` when it runs a cell and cannot be taught to answer now."""
        taught = self._taught or await self._teach()
        told = await self._ask("nbagent_about", {}, _ANSWER_SECONDS if taught else _TEACH_SECONDS)
        if told is None and not taught:
            raise KernelBusy
        try:
            about = About.model_validate(told)
        except ValidationError as error:
            raise SandboxError("The kernel does not answer: it is no IPython kernel of 6.29 or later.") from error
        self._taught = True
        return about

    async def fork(self, policy: dict[str, JsonValue]) -> Started:
        """Fork the kernel under a policy. Raises `KernelBusy`, `NotForkable`, `CannotConfine`."""
        keeper, keeper_end = Wire.pair()
        pipes, ends = Pipes.make()
        try:
            told = await self._hand_over(policy, (keeper_end, *ends))
            pid = told.get("pid")
            if told.get("status") == "busy":
                raise KernelBusy
            if told.get("status") != "ok" or not isinstance(pid, int):
                reasons = told.get("reasons")
                raise NotForkable(tuple(map(str, reasons)) if isinstance(reasons, list) else ("it gave no reason",))
            async with asyncio.timeout(_FORK_SECONDS):
                await confined_number(keeper, "kept")
                first = await confined_number(pipes.wire, "ready")
        except BaseException as error:
            keeper.close()
            pipes.close()
            if isinstance(error, TimeoutError):
                raise SandboxError("The fork of the kernel did not start. Nothing was run; try again.") from error
            raise
        return Started(keeper, pipes, first, pid)

    async def _hand_over(self, policy: dict[str, JsonValue], ends: tuple[int, ...]) -> dict[str, Any]:
        """Ask for a fork, and give what it needs to whoever comes to a socket that only this user can reach."""
        folder = tempfile.mkdtemp(prefix="nbagent-")
        path = os.path.join(folder, "s")
        listener = socket.socket(socket.AF_UNIX)
        listener.setblocking(False)
        try:
            listener.bind(path)
            listener.listen(1)
            giving = asyncio.create_task(_give(listener, policy, ends))
            try:
                told = await self._ask("nbagent_fork", {"socket": path}, _FORK_SECONDS)
            finally:
                giving.cancel()
                await asyncio.gather(giving, return_exceptions=True)
        finally:
            listener.close()
            shutil.rmtree(folder, ignore_errors=True)
        if told is None:
            raise SandboxError("The kernel does not answer, so nothing was tried. Look whether it lives.")
        return told

    async def _teach(self) -> bool:
        """Install the answers by a silent execution, which is not counted and leaves no name; False if it is busy."""
        request = self._client.session.msg(
            "execute_request",
            {
                "code": _INSTALL.format(path=str(_START)),
                "silent": True,
                "store_history": False,
                "user_expressions": {},
                "allow_stdin": False,
                "stop_on_error": False,
            },
        )
        self._client.shell_channel.send(request)
        reply = await self._answer(self._client.shell_channel, request, _TEACH_SECONDS)
        if reply is not None and reply.get("status") != "ok":
            raise SandboxError(f"The kernel cannot be forked: {reply.get('ename')}: {reply.get('evalue')}.")
        return reply is not None

    async def _ask(self, kind: str, content: dict[str, JsonValue], seconds: float) -> dict[str, Any] | None:
        async with self._asking:
            request = self._client.session.msg(f"{kind}_request", content)
            self._client.control_channel.send(request)
            return await self._answer(self._client.control_channel, request, seconds)

    async def _answer(self, channel: Any, request: dict[str, Any], seconds: float) -> dict[str, Any] | None:
        try:
            async with asyncio.timeout(seconds):
                while True:
                    reply = await channel.get_msg(timeout=None)
                    if reply["parent_header"].get("msg_id") == request["header"]["msg_id"]:
                        return dict(reply["content"])
        except TimeoutError:
            return None


class LiveSandbox:
    """A sandbox whose branches start with the variables of a live kernel; each `open` forks it anew.

    Branches of several `open`s run side by side, each with files of its own; a branch can be branched again by its
    checkpoints. The kernel lives on, and nothing of it changes. `open` raises `KernelBusy`, `NotForkable` and
    `CannotConfine`; nothing was run then.
    """

    def __init__(self, kernel: LiveKernel, access: Access, *, watch: bool = True) -> None:
        self._kernel, self._access, self._watch = kernel, access, watch
        self._sessions: list[Session] = []
        self._scratches: list[Path] = []

    async def open(self) -> ProcessBranch:
        """Fork the kernel, and return the branch."""
        about = await self._kernel.about()
        if about.busy:
            raise KernelBusy
        access = self._access
        if self._scratches:
            access = access.model_copy(update={"scratch": _beside(access.scratch, len(self._scratches))})
        self._scratches.append(access.scratch)
        started = await self._kernel.fork(await asyncio.to_thread(_policy, access, about))
        session = Session(started, access, live=True)
        self._sessions.append(session)
        return ProcessBranch(session, started.first, started.first_pid, watch=self._watch)

    async def close(self) -> None:
        """End every branch and checkpoint, and throw the scratch away; the kernel stays as it is."""
        for session in self._sessions:
            session.end()
        self._sessions.clear()
        for scratch in self._scratches:
            await asyncio.to_thread(shutil.rmtree, scratch, True)


def _beside(scratch: Path, number: int) -> Path:
    return scratch.with_name(f"{scratch.name}-{number}")


def _policy(access: Access, about: About) -> dict[str, JsonValue]:
    interpreter = inspect(about.python).model_copy(update={"path": about.path})
    return access.policy(interpreter, probe().require(access))


async def _give(listener: socket.socket, policy: dict[str, JsonValue], ends: tuple[int, ...]) -> None:
    """Send the policy and the ends, which are closed here whatever happens."""
    try:
        connection, _ = await asyncio.get_running_loop().sock_accept(listener)
    except BaseException:
        for end in ends:
            os.close(end)
        raise
    wire = Wire(connection)
    try:
        await wire.send("session", policy, ends)
    finally:
        wire.close()
