"""A fresh, real kernel under lock-down: where a repair is proved, by running the notebook from the top."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
from collections import deque
from collections.abc import Awaitable
from pathlib import Path
from queue import Empty
from types import TracebackType
from typing import Any

from jupyter_client import AsyncKernelClient
from jupyter_client.connect import write_connection_file
from pydantic import JsonValue

from nbagent.core.errors import CannotConfine, SandboxError
from nbagent.core.outputs import Execution
from nbagent.ports import ShowOutput
from nbagent.sandbox import access as rules
from nbagent.sandbox.access import Access, Layers
from nbagent.sandbox.collect import Collector
from nbagent.sandbox.interpreter import inspect
from nbagent.sandbox.kernelspec import KernelSpec
from nbagent.sandbox.probe import LAUNCHER, probe

_READY_SECONDS = 60.0
_REFUSED, _OVER_MEMORY = 3, 125  # exit statuses of inside/launcher.py and inside/init.py
_MEGABYTE = 1 << 20


class RestrictedKernel:
    """`async with RestrictedKernel(spec, access) as kernel: await kernel.run("1 + 1")`.

    The kernel is confined as a branch is: what it writes in the workspace is thrown away with it, and leaving the
    block ends every process that it started. One cell at a time. Raises `CannotConfine` where this machine cannot
    confine it, and `SandboxError` when the kernel does not start.
    """

    def __init__(self, spec: KernelSpec, access: Access, *, layers: Layers | None = None) -> None:
        self._spec = spec
        self._access = access
        self._layers = layers
        self._errors: deque[bytes] = deque(maxlen=64)
        self._process: asyncio.subprocess.Process | None = None
        self._client: Any = None
        self._folder: Path | None = None
        self._lifeline: int | None = None
        self._drains: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> RestrictedKernel:
        try:
            await self._start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def run(self, source: str, *, show: ShowOutput | None = None, timeout: float | None = None) -> Execution:
        """Run one cell to its end, as `nbagent.ports.Branch.run` promises."""
        if self._process is None or self._process.returncode is not None:
            raise SandboxError("The kernel has ended, so the cell was not run. Start another.")
        collector = Collector(self._access.limits.output_mb * _MEGABYTE, show)
        seconds = self._access.limits.wall_seconds if timeout is None else timeout
        started = time.monotonic()
        talk = asyncio.ensure_future(self._converse(source, collector))
        try:
            ended = await self._first(talk, seconds)
        except asyncio.CancelledError:
            talk.cancel()
            await self.close()
            raise
        took = time.monotonic() - started
        if ended is talk and not collector.cut:
            talk.result()
            return collector.execution(took)
        talk.cancel()
        status = self._process.returncode
        await self.close()
        if collector.cut:
            detail = f"more than {self._access.limits.output_mb} MB of output"
            return collector.cut_short("limited", detail, took)
        if ended is None:
            return collector.cut_short("timed_out", f"still running after {seconds:g} s", took)
        if status == _OVER_MEMORY:
            return collector.cut_short("limited", f"more than {self._access.limits.memory_mb} MB of memory", took)
        return collector.cut_short("exited", _how_it_ended(status), took)

    async def close(self) -> None:
        """End the kernel and every process it started; closing twice is fine."""
        if self._client is not None:
            self._client.stop_channels()
            self._client = None
        if self._lifeline is not None:
            os.close(self._lifeline)  # the process above the kernel kills all below it, then itself
            self._lifeline = None
        if self._process is not None:
            await self._end(self._process)
        for drain in self._drains:
            drain.cancel()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        try:
            await asyncio.wait_for(process.wait(), 5.0)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _start(self) -> None:
        layers = self._layers or probe().require(self._access)
        if not layers.namespaces and self._spec.interpreter is None:
            raise CannotConfine(
                f"The kernel {self._spec.name!r} can be confined only where namespaces are allowed, and this machine "
                "refuses them, so nothing was run."
            )
        self._folder = Path(tempfile.mkdtemp(prefix="nbagent-", dir="/tmp"))  # short: a socket's path has 107 bytes
        channel = self._folder / "c"
        channel.mkdir(mode=0o700)
        connection = channel / "k.json"
        write_connection_file(
            str(connection), transport="ipc", ip=str(channel / "s"), key=os.urandom(32).hex().encode(), **_PORTS
        )
        policy = self._policy(layers, channel)
        (self._folder / "policy.json").write_text(json.dumps(policy))
        await self._launch(connection)
        await self._connect(connection)

    def _policy(self, layers: Layers, channel: Path) -> dict[str, JsonValue]:
        spec = self._spec
        interpreter = spec.interpreter
        if interpreter is None and os.path.basename(spec.program).startswith("python"):
            interpreter = inspect(Path(spec.program))
        policy = self._access.policy(interpreter, layers, channel=channel, folders=spec.folders())
        environment = policy["environment"]
        assert isinstance(environment, dict)
        kept = environment["set"]
        assert isinstance(kept, dict)
        kept.update(spec.variables())
        return policy

    async def _launch(self, connection: Path) -> None:
        assert self._folder is not None
        argv = [word.replace("{connection_file}", str(connection)) for word in self._spec.argv]
        if self._spec.interpreter is not None:
            python, kind, rest = argv[: argv.index("-m")], "ipykernel", [str(connection)]
        else:
            python, kind, rest = [sys.executable], "exec", argv
        theirs, self._lifeline = os.pipe()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *python,
                str(LAUNCHER),
                str(self._folder / "policy.json"),
                str(theirs),
                kind,
                *rest,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                pass_fds=[theirs],
                env=rules.environment(os.environ),
                cwd="/",
            )
        except OSError as error:
            raise SandboxError(f"The kernel {self._spec.name!r} could not be started ({error}).") from error
        finally:
            os.close(theirs)
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            self._drains.append(asyncio.create_task(self._drain(stream)))

    async def _drain(self, stream: asyncio.StreamReader) -> None:
        while block := await stream.read(4096):
            self._errors.append(block)

    async def _connect(self, connection: Path) -> None:
        client = AsyncKernelClient()
        client.load_connection_file(str(connection))
        client.start_channels()
        self._client = client
        ready: asyncio.Future[Any] = asyncio.ensure_future(client.wait_for_ready(timeout=_READY_SECONDS))
        await self._first(ready, _READY_SECONDS)
        if ready.done() and ready.exception() is None:
            return
        ready.cancel()
        assert self._process is not None
        await asyncio.gather(*self._drains) if self._process.returncode is not None else None
        said = b"".join(self._errors).decode(errors="replace").strip().rpartition("\n")[2]
        if self._process.returncode == _REFUSED:
            raise CannotConfine(f"The kernel could not be confined, so nothing was run: {said}")
        raise SandboxError(f"The kernel {self._spec.name!r} did not start: {said or 'it gave no answer'}")

    async def _first(self, talk: asyncio.Future[Any], seconds: float) -> asyncio.Future[Any] | None:
        """Return `talk` or the process's end, whichever comes first, or None when neither does in time."""
        assert self._process is not None
        death: asyncio.Future[Any] = asyncio.ensure_future(self._process.wait())
        both: set[asyncio.Future[Any]] = {talk, death}
        try:
            done, _ = await asyncio.wait(both, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            death.cancel()
        return talk if talk in done else death if death in done else None

    async def _converse(self, source: str, collector: Collector) -> None:
        client = self._client
        message = client.execute(source, allow_stdin=False, stop_on_error=False)
        replied = idle = False
        while not (replied and idle) and not collector.cut:
            if not idle:
                news = await _next(client.get_iopub_msg(timeout=None if not replied else 5.0))
                if news is None:
                    return  # the reply came and nothing more is published
                if news["parent_header"].get("msg_id") != message:
                    continue
                idle = news["msg_type"] == "status" and news["content"].get("execution_state") == "idle"
                collector.message(news["msg_type"], news["content"])
            else:
                reply = await _next(client.get_shell_msg(timeout=None))
                if reply is not None and reply["parent_header"].get("msg_id") == message:
                    collector.reply(reply["content"])
                    replied = True


_PORTS = {"shell_port": 1, "iopub_port": 2, "stdin_port": 3, "hb_port": 4, "control_port": 5}


async def _next(message: Awaitable[dict[str, Any]]) -> dict[str, Any] | None:
    try:
        return await message
    except Empty:
        return None


def _how_it_ended(status: int | None) -> str:
    if status is None or status < 0:
        return "the kernel was killed"
    return (
        f"the kernel was ended by signal {status - 128}" if status > 128 else f"the kernel exited with status {status}"
    )
