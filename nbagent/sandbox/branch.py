"""Branches of a base process: `ports.Sandbox` over forked, confined processes with checkpoints."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import JsonValue

from nbagent.core.errors import SandboxError
from nbagent.core.outputs import Execution, NameChange, Raised, StateChange
from nbagent.ports import ShowOutput
from nbagent.sandbox.access import Access
from nbagent.sandbox.base import BaseProcess, Pipes, Started
from nbagent.sandbox.collect import Collector
from nbagent.sandbox.interpreter import inspect
from nbagent.sandbox.probe import probe
from nbagent.sandbox.watchdog import Watchdog
from nbagent.sandbox.wire import Frame, Gone, Wire

_ANSWER_SECONDS = 60.0
_READ = 1 << 18


class BaseSandbox:
    """A sandbox without the user's variables: each `open` is a fresh session of the base process.

    python: the interpreter whose libraries the code uses. access: what code may touch; its scratch folder is removed
    when the sandbox is closed. watch: report each run's change of state. Raises `CannotConfine` on `open`.
    """

    def __init__(self, python: Path, access: Access, *, watch: bool = False, preload: bool = True) -> None:
        self._python, self._access, self._watch = python, access, watch
        self._base = BaseProcess(python, preload=preload)
        self._sessions: list[Session] = []

    async def start(self) -> None:
        """Bring the base process up ahead of the first `open`."""
        await self._base.start()

    async def open(self) -> ProcessBranch:
        """Return the first branch of a fresh session, with files as the workspace has them."""
        layers = await asyncio.to_thread(lambda: probe().require(self._access))
        interpreter = await asyncio.to_thread(inspect, self._python)
        started = await self._base.session(self._access.policy(interpreter, layers))
        session = Session(started, self._access, watch=self._watch)
        self._sessions.append(session)
        return session.first()

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
        await asyncio.to_thread(shutil.rmtree, self._access.scratch, True)


class Session:
    """One keeper with its nodes."""

    def __init__(self, started: Started, access: Access, *, watch: bool) -> None:
        self.access, self.watch = access, watch
        self._keeper: Wire = started.keeper
        self._asking = asyncio.Lock()
        self._keys = itertools.count(1)
        self._first = ProcessBranch(self, started.first, started.first_pid)
        self._open: list[Pipes] = [started.first]
        self.watchdog = Watchdog(started.host_pid, access.limits)

    def first(self) -> ProcessBranch:
        """Return the branch that the session began with."""
        return self._first

    async def ask(self, kind: str, content: dict[str, JsonValue]) -> dict[str, JsonValue]:
        """Ask the keeper. Raises `Gone` when the session has ended."""
        async with self._asking:
            try:
                async with asyncio.timeout(_ANSWER_SECONDS):
                    await self._keeper.send(kind, content)
                    return (await self._keeper.receive()).content
            except TimeoutError as error:
                self.end()
                raise Gone("The restricted process does not answer.") from error

    async def fork(self, parent: Pipes) -> tuple[Pipes, int, str | None]:
        """Fork a node; return the child's ends, its process id, and why it is no faithful copy, if it is not."""
        pipes, ends = Pipes.make()
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await parent.wire.send("fork", {}, ends)
                forked = await parent.wire.expect("forked")
                ready = await pipes.wire.expect("ready")
            pid = int(str(ready.content.get("pid")))
            await self.ask("node", {"pid": pid})
        except BaseException as error:
            pipes.close()
            if isinstance(error, TimeoutError | ValueError):
                raise Gone("The restricted process does not answer.") from error
            raise
        self._open.append(pipes)
        tainted = forked.content.get("tainted")
        return pipes, pid, str(tainted) if tainted else None

    async def kill(self, pipes: Pipes, pid: int) -> int | None:
        """Kill a node with everything it started, and no other; return its wait status if the keeper saw it."""
        status: JsonValue = None
        with contextlib.suppress(Gone):  # the session ended, and every process of it with it
            status = (await self.ask("kill", {"pid": pid})).get("status")
        self.release(pipes)
        return status if isinstance(status, int) else None

    def release(self, pipes: Pipes) -> None:
        """Close our ends; a sleeping node that loses its channel exits."""
        pipes.close()
        if pipes in self._open:
            self._open.remove(pipes)

    def next_key(self) -> int:
        """Return a fresh name for a state of the files."""
        return next(self._keys)

    def end(self) -> None:
        """End every process of the session: its keeper goes, and takes all others along."""
        self._keeper.close()
        for pipes in list(self._open):
            self.release(pipes)


class ProcessBranch:
    """A node that may run code."""

    def __init__(self, session: Session, pipes: Pipes, pid: int) -> None:
        self._session, self._pipes, self._pid = session, pipes, pid
        self._closed = False

    async def run(self, source: str, *, show: ShowOutput | None = None, timeout: float | None = None) -> Execution:
        """Run one cell's source to its end; see `ports.Branch`."""
        if self._closed:
            raise SandboxError("This branch has ended. Open another one.")
        limits = self._session.access.limits
        collector = Collector(limits.output_mb << 20, show)
        run = _Run(self._pipes, collector, self._session.watchdog)
        seconds = min(timeout or limits.wall_seconds, limits.wall_seconds)
        try:
            execution = await run.to_the_end(source, seconds, watch=self._session.watch)
        except BaseException:
            await asyncio.shield(self.close())
            raise
        if execution.status in ("ok", "raised"):
            return execution
        status = await self._session.kill(self._pipes, self._pid)
        self._closed = True
        if execution.status == "exited" and not execution.detail:
            execution = execution.model_copy(update={"detail": _ended(status)})
        return execution

    async def checkpoint(self) -> ProcessCheckpoint:
        """Fork a sleeping copy, and remember the files."""
        key = self._session.next_key()
        kept = bool((await self._session.ask("keep", {"key": key})).get("kept"))
        pipes, pid, tainted = await self._session.fork(self._pipes)
        if not kept:
            tainted = tainted or "it wrote more files than are kept for a checkpoint"
        return ProcessCheckpoint(self._session, pipes, (pid, key), tainted)

    async def files(self) -> tuple[str, ...]:
        """Return what this session wrote, relative to the workspace."""
        changed = (await self._session.ask("changed", {})).get("changed")
        return tuple(str(name) for name in changed) if isinstance(changed, list) else ()

    async def close(self) -> None:
        """Kill it with everything it started."""
        if not self._closed:
            self._closed = True
            await self._session.kill(self._pipes, self._pid)


class ProcessCheckpoint:
    """A sleeping node and the key of its files."""

    def __init__(self, session: Session, pipes: Pipes, identity: tuple[int, int], tainted: str | None) -> None:
        self._session, self._pipes = session, pipes
        self._pid, self._key = identity
        self._tainted, self._dropped = tainted, False

    @property
    def tainted(self) -> str | None:
        """Why resuming may differ from running from the top, or None."""
        return self._tainted

    async def resume(self) -> ProcessBranch:
        """Fork a branch from here, with the files put back."""
        if self._dropped:
            raise SandboxError("This checkpoint was dropped. Run the cells again from the top.")
        try:
            restored = (await self._session.ask("restore", {"key": self._key})).get("restored")
            if not restored and self._tainted is None:
                raise SandboxError("The files of this checkpoint could not be put back. Run from the top.")
            pipes, pid, _ = await self._session.fork(self._pipes)
        except Gone as error:
            raise SandboxError("This checkpoint is gone. Run the cells again from the top.") from error
        return ProcessBranch(self._session, pipes, pid)

    async def drop(self) -> None:
        """End the sleeping process and forget its files."""
        if self._dropped:
            return
        self._dropped = True
        self._session.release(self._pipes)
        try:
            await self._session.ask("forget", {"key": self._key})
        except Gone:
            return  # everything of the session is gone already


class _Run:
    """Reads one run's three channels until its end, a limit or the clock."""

    def __init__(self, pipes: Pipes, collector: Collector, watchdog: Watchdog) -> None:
        self._pipes, self._collector, self._watchdog = pipes, collector, watchdog

    async def to_the_end(self, source: str, seconds: float, *, watch: bool) -> Execution:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for descriptor, name in ((self._pipes.out, "stdout"), (self._pipes.err, "stderr")):
            loop.add_reader(descriptor, self._reader(descriptor, name))
        status, detail, done = "exited", "", None
        watching = asyncio.create_task(self._watchdog.until_exceeded())
        talking = asyncio.create_task(self._talk(source, watch=watch))
        try:
            async with asyncio.timeout(seconds):
                await asyncio.wait({talking, watching}, return_when=asyncio.FIRST_COMPLETED)
            if talking.done():
                done = talking.result()
                if self._collector.flooded:
                    status, detail, done = "limited", "it wrote far more output than is kept", None
            else:
                status, detail = "limited", watching.result()
        except TimeoutError:
            status, detail = "timed_out", f"it ran longer than {seconds:g} s"
        except Gone:
            status = "exited"
        finally:
            for task in (talking, watching):
                task.cancel()
            await asyncio.gather(talking, watching, return_exceptions=True)
            for descriptor, name in ((self._pipes.out, "stdout"), (self._pipes.err, "stderr")):
                loop.remove_reader(descriptor)
                self._drain(descriptor, name)
        elapsed = loop.time() - begun
        if done is not None:
            return _execution(done, self._collector, elapsed)
        return Execution.model_validate(
            {"status": status, "detail": detail, "outputs": self._collector.outputs(), "seconds": elapsed}
        )

    async def _talk(self, source: str, *, watch: bool) -> Frame | None:
        await self._pipes.wire.send("run", {"source": source, "watch": watch})
        while not self._collector.flooded:
            frame = await self._pipes.wire.receive()
            if frame.kind == "done":
                return frame
            self._collector.frame(frame)
        return None

    def _reader(self, descriptor: int, name: str) -> Callable[[], None]:
        return lambda: self._drain(descriptor, name, once=True)

    def _drain(self, descriptor: int, name: str, *, once: bool = False) -> None:
        """Read what is there now: at most one pipe buffer, so that a writer cannot hold us."""
        for _ in range(1 if once else 8):
            try:
                data = os.read(descriptor, _READ)
            except OSError:
                data = b""
            if not data:
                if once:
                    asyncio.get_running_loop().remove_reader(descriptor)
                return
            self._collector.text(name, data.decode("utf-8", "replace"))


def _execution(done: Frame, collector: Collector, elapsed: float) -> Execution:
    content = done.content
    error = collector.error
    raised = content.get("raised")
    if error is None and isinstance(raised, dict):
        error = Raised(ename=str(raised.get("ename")), evalue=str(raised.get("evalue")))
    status = "exited" if content.get("exit") else "raised" if error is not None or not content.get("ok") else "ok"
    count = content.get("execution_count")
    return Execution.model_validate(
        {
            "status": status,
            "outputs": collector.outputs(),
            "error": error if status == "raised" else None,
            "detail": "it asked the kernel to exit" if status == "exited" else "",
            "seconds": elapsed,
            "execution_count": count if isinstance(count, int) else None,
            "state": _state(content.get("state")),
        }
    )


def _state(value: JsonValue) -> StateChange | None:
    if not isinstance(value, list):
        return None
    return StateChange(names=tuple(NameChange.model_validate(item) for item in value))


def _ended(status: int | None) -> str:
    if status is None:
        return "its process ended"
    if os.WIFSIGNALED(status):
        return f"its process was ended by signal {os.WTERMSIG(status)}"
    return f"its process exited with code {os.WEXITSTATUS(status)}"
