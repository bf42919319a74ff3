"""Branches of a base process: `ports.Sandbox` over forked, confined processes with checkpoints."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from pydantic import JsonValue

from nbagent.core.errors import SandboxError
from nbagent.core.outputs import Execution
from nbagent.ports import ShowOutput
from nbagent.sandbox import access as rules
from nbagent.sandbox.access import Access
from nbagent.sandbox.base import BaseProcess, Pipes
from nbagent.sandbox.collect import Collector
from nbagent.sandbox.interpreter import inspect
from nbagent.sandbox.keeping import Kept
from nbagent.sandbox.probe import probe
from nbagent.sandbox.run import Run, ended
from nbagent.sandbox.session import HandedOver, Session
from nbagent.sandbox.wire import Gone


class BaseSandbox:
    """A sandbox without the user's variables: each `open` is a fresh session of the base process.

    python: the interpreter whose libraries the code uses. access: what code may touch; its scratch folder is removed
    when the sandbox is closed, unless `keep_scratch`. watch: report each run's change of state. preload: import the
    usual libraries beforehand, which pays when many branches are opened. Raises `CannotConfine` on `open`; an access of
    mode `full`, which only a user may ask for, is not confined at all.
    """

    def __init__(
        self, python: Path, access: Access, *, watch: bool = False, preload: bool = True, keep_scratch: bool = False
    ) -> None:
        self._python, self._access, self._watch = python, access, watch
        self._keep_scratch = keep_scratch
        variables = dict(os.environ) if access.mode == "full" else rules.environment(os.environ)
        self._base = BaseProcess(python, variables, preload=preload)
        self._sessions: list[Session] = []

    async def start(self) -> None:
        """Bring the base process up ahead of the first `open`."""
        await self._base.start()

    async def open(self) -> ProcessBranch:
        """Return the first branch of a fresh session, with files as the workspace has them."""
        policy = await asyncio.to_thread(self._policy)
        started = await self._base.session(policy)
        session = Session(started, self._access)
        self._sessions.append(session)
        return ProcessBranch(session, started.first, started.first_pid, watch=self._watch)

    def show(self, texts: Mapping[str, str]) -> None:
        """Let sessions that are opened from now on see these files of the workspace with another text."""
        replaced = tuple((Path(path), text) for path, text in texts.items())
        self._access = self._access.model_copy(update={"replaced": replaced})

    async def close(self) -> None:
        """End all sessions and the base process, and remove the scratch."""
        for session in self._sessions:
            session.end()
        self._sessions.clear()
        await self._base.close()
        if not self._keep_scratch:
            await asyncio.to_thread(shutil.rmtree, self._access.scratch, True)

    def _policy(self) -> dict[str, JsonValue]:
        if self._access.mode == "full":
            return _unconfined(self._access)
        layers = probe().require(self._access)
        return self._access.policy(inspect(self._python), layers)


def _unconfined(access: Access) -> dict[str, JsonValue]:
    access.scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    scratch, workspace = os.path.realpath(access.scratch), os.path.realpath(access.workspace)
    return {"mode": "full", "workspace": workspace, "scratch": scratch, "cwd": str(access.folder or workspace)}


class ProcessBranch:
    """A node that may run code."""

    def __init__(self, session: Session, pipes: Pipes, pid: int, *, watch: bool) -> None:
        self._session, self._pipes, self._pid, self._watch = session, pipes, pid, watch
        self._closed = False
        self._seconds = 0.0

    async def run(self, source: str, *, show: ShowOutput | None = None, timeout: float | None = None) -> Execution:
        """Run one cell's source to its end; see `ports.Branch`."""
        if self._closed:
            raise SandboxError("This branch has ended. Open another one.")
        limits = self._session.access.limits
        collector = Collector(limits.output_mb << 20, show, mark=True)
        run = Run(self._pipes, collector, self._session.watchdog.until_exceeded(self._pid), self._session.access)
        seconds = min(timeout or limits.wall_seconds, limits.wall_seconds)
        try:
            execution = await run.to_the_end(source, seconds, watch=self._watch)
        except BaseException:
            await asyncio.shield(self.close())
            raise
        self._seconds += execution.seconds
        if execution.status in ("ok", "raised"):
            return execution
        status = await self._session.kill(self._pipes, self._pid)
        self._closed = True
        if execution.status == "exited" and not execution.detail:
            execution = execution.model_copy(update={"detail": ended(status)})
        return execution

    async def checkpoint(self) -> ProcessCheckpoint:
        """Fork a sleeping copy, and remember the files.

        Older checkpoints are dropped when they are many or hold much memory; see `nbagent.sandbox.keeping`.
        """
        if self._closed:
            raise SandboxError("This branch has ended. Open another one.")
        kept = await self._session.keep(self._pipes, self._seconds)
        self._seconds = 0.0
        return ProcessCheckpoint(self._session, kept, watch=self._watch)

    async def put(self, memory: int) -> str | None:
        """Give it copies of variables: a memfd of `inside.copied`, closed here. Return why that failed, if it did."""
        await self._pipes.wire.send("take", {}, [memory])
        while (frame := await self._pipes.wire.receive()).kind != "taken":
            continue  # what libraries print as they are imported
        why = frame.content.get("why")
        return None if why is None else str(why)[:500]

    async def files(self) -> tuple[str, ...]:
        """Return what this session wrote, relative to the workspace."""
        return await self._session.changed()

    async def hand_over(self, *, changes: bool) -> HandedOver:
        """End the whole session and carry what it wrote to where it belongs; see `Session.hand_over`."""
        self._closed = True
        return await self._session.hand_over(changes=changes)

    async def close(self) -> None:
        """Kill it with everything it started."""
        if not self._closed:
            self._closed = True
            await self._session.kill(self._pipes, self._pid)


class ProcessCheckpoint:
    """A sleeping node and the key of its files."""

    def __init__(self, session: Session, kept: Kept, *, watch: bool) -> None:
        self._session, self._kept, self._watch = session, kept, watch

    @property
    def tainted(self) -> str | None:
        """Why resuming may differ from running from the top, or None."""
        return self._kept.tainted

    async def resume(self) -> ProcessBranch:
        """Fork a branch from here, with the files put back."""
        if self._kept.dropped:
            raise SandboxError("This checkpoint was dropped. Run the cells again from the top.")
        try:
            pipes, pid = await self._session.wake(self._kept)
        except Gone as error:
            raise SandboxError("This checkpoint is gone. Run the cells again from the top.") from error
        return ProcessBranch(self._session, pipes, pid, watch=self._watch)

    async def drop(self) -> None:
        """End the sleeping process and forget its files."""
        await self._session.drop(self._kept)
