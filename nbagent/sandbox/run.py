"""One run of a cell in a node: its three channels are read until its end, a limit, or the clock."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import os
from collections.abc import Coroutine, Iterator

from pydantic import JsonValue, TypeAdapter, ValidationError

from nbagent.core.outputs import Execution, NameChange, Raised, StateChange
from nbagent.sandbox.access import Access
from nbagent.sandbox.base import Pipes
from nbagent.sandbox.collect import Collector
from nbagent.sandbox.refusals import refusals
from nbagent.sandbox.wire import TOO_BIG, Frame, Garbled, Gone

_READ = 1 << 18
_ROUNDS = 8  # of reading what a pipe still holds: it holds 64 KiB, and a process left behind may go on writing
_SPARE = 8 << 20  # what the last message of a run may take besides outputs
_CHANGES = TypeAdapter(tuple[NameChange, ...])


class Run:
    """Reads for one run of a node. What comes is never trusted: bounded, typed, and otherwise left out."""

    def __init__(
        self, pipes: Pipes, collector: Collector, exceeded: Coroutine[None, None, str], access: Access
    ) -> None:
        self._pipes, self._collector, self._exceeded, self._access = pipes, collector, exceeded, access
        self._flooded: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._texts = [_Text(pipes.out, "stdout", collector), _Text(pipes.err, "stderr", collector)]

    async def to_the_end(self, source: str, seconds: float, *, watch: bool) -> Execution:
        """Return the account of the run. After any status but `ok` and `raised` the node must be killed."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        talking = asyncio.create_task(self._talk(source, watch=watch))
        watching = asyncio.create_task(self._exceeded)
        try:
            with self._reading(loop):
                ends: set[asyncio.Future[object]] = {talking, watching, self._flooded}  # type: ignore[arg-type]
                done, _ = await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            status, detail = "", ""
            if talking not in done:
                status, detail = "timed_out", f"it ran longer than {seconds:g} s"
            if watching in done:
                status, detail = "limited", watching.result()
        finally:
            for task in (talking, watching, self._flooded):
                task.cancel()
            await asyncio.gather(talking, watching, return_exceptions=True)
            for text in self._texts:
                text.drain(_ROUNDS)
        elapsed = loop.time() - begun
        if self._collector.flooded:
            status, detail = "limited", "it wrote far more output than is kept"
        if status:
            return self._collector.cut_short(status, detail, elapsed)
        try:
            return self._execution(talking.result(), elapsed)
        except Gone as error:
            return self._collector.cut_short("exited", str(error) if isinstance(error, Garbled) else "", elapsed)

    async def _talk(self, source: str, *, watch: bool) -> Frame:
        most = (self._access.limits.output_mb << 20) + _SPARE
        await self._pipes.wire.send("run", {"source": source, "watch": watch})
        while True:
            frame = await self._pipes.wire.receive(most)
            if frame.kind == "done":
                return frame
            if frame.kind == TOO_BIG:
                self._collector.skipped(frame.size)
            else:
                self._collector.message(frame.kind, frame.content, frame.size)
            self._look_for_a_flood()

    @contextlib.contextmanager
    def _reading(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        """Take text of C code and subprocesses as it comes."""

        def take(text: _Text) -> None:
            if not text.drain(1):
                loop.remove_reader(text.descriptor)
            self._look_for_a_flood()

        for text in self._texts:
            loop.add_reader(text.descriptor, take, text)
        try:
            yield
        finally:
            for text in self._texts:
                loop.remove_reader(text.descriptor)

    def _look_for_a_flood(self) -> None:
        if self._collector.flooded and not self._flooded.done():
            self._flooded.set_result(None)

    def _execution(self, done: Frame, elapsed: float) -> Execution:
        content, error = done.content, self._collector.error
        raised = content.get("raised")
        told = raised if isinstance(raised, dict) else {}
        if error is None and told:
            error = Raised(ename=str(told.get("ename")), evalue=str(told.get("evalue")))
        if content.get("exit"):
            return self._collector.cut_short("exited", "it asked the kernel to exit", elapsed)
        failed = error is not None or not content.get("ok")
        count = content.get("execution_count")
        return Execution(
            status="raised" if failed else "ok",
            outputs=self._collector.outputs(),
            error=error,
            seconds=elapsed,
            execution_count=count if isinstance(count, int) else None,
            refusals=refusals(told.get("clues"), self._access) if failed else (),
            state=_state(content.get("state")),
        )


class _Text:
    """A pipe that C code and subprocesses write a stream to. A character may come in two pieces."""

    def __init__(self, descriptor: int, name: str, collector: Collector) -> None:
        self.descriptor, self._name, self._collector = descriptor, name, collector
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def drain(self, rounds: int) -> bool:
        """Read what is there now, so that no writer can hold us; return whether more may come."""
        for _ in range(rounds):
            try:
                data = os.read(self.descriptor, _READ)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if not data:
                return False
            self._collector.text(self._name, self._decoder.decode(data))
        return True


def _state(value: JsonValue) -> StateChange | None:
    if not isinstance(value, list):
        return None
    try:
        return StateChange(names=_CHANGES.validate_python(value))
    except ValidationError:
        return None


def ended(status: int | None) -> str:
    """Return how a process ended, as a clause."""
    if status is None:
        return "its process ended"
    if os.WIFSIGNALED(status):
        return f"its process was ended by signal {os.WTERMSIG(status)}"
    return f"its process exited with code {os.WEXITSTATUS(status)}"
