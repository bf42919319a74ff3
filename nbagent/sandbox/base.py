"""The base process of one interpreter: started once, forked for every session."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

import nbagent.inside
from nbagent.core.errors import CannotConfine, SandboxError
from nbagent.sandbox.wire import Gone, Wire

_START = Path(nbagent.inside.__file__).parent / "start.py"
_START_SECONDS = 120.0
_SESSION_SECONDS = 60.0


@dataclass
class Pipes:
    """The host's ends of a node: its channel, and what C code and subprocesses write to stdout and stderr."""

    wire: Wire
    out: int
    err: int

    @classmethod
    def make(cls) -> tuple[Pipes, tuple[int, int, int]]:
        """Return our ends and the three descriptors to hand over."""
        wire, theirs = Wire.pair()
        out, err = os.pipe2(os.O_CLOEXEC), os.pipe2(os.O_CLOEXEC)
        os.set_blocking(out[0], False)
        os.set_blocking(err[0], False)
        return cls(wire, out[0], err[0]), (theirs, out[1], err[1])

    def close(self) -> None:
        """Close all three; closing twice is fine."""
        self.wire.close()
        for name in ("out", "err"):
            descriptor = getattr(self, name)
            if descriptor >= 0:
                os.close(descriptor)
                setattr(self, name, -1)


@dataclass
class Started:
    """A session that was just started: its keeper, its first node, and the keeper's process id as the host sees it."""

    keeper: Wire
    first: Pipes
    first_pid: int
    host_pid: int


class BaseProcess:
    """Starts the base process at first use, and again when it died.

    python: the interpreter whose libraries the code uses; it needs ipykernel, nbagent need not be installed there.
    variables: its environment, which confined code could find in memory.
    preload: import NumPy, pandas and matplotlib beforehand where they are installed.
    """

    def __init__(self, python: Path, variables: Mapping[str, str], *, preload: bool = True) -> None:
        self._python, self._variables, self._preload = python, variables, preload
        self._process: subprocess.Popen[bytes] | None = None
        self._wire: Wire | None = None
        self._starting = asyncio.Lock()

    async def start(self) -> None:
        """Bring it up if it is not up. Raises `SandboxError` with what the interpreter said."""
        async with self._starting:
            if self._process is None or self._process.poll() is not None:
                await self._up()

    async def session(self, policy: dict[str, JsonValue]) -> Started:
        """Start a session under a policy. Raises `CannotConfine` when a layer fails, `SandboxError` otherwise."""
        await self.start()
        keeper, keeper_end = Wire.pair()
        pipes, ends = Pipes.make()
        try:
            async with self._starting, asyncio.timeout(_SESSION_SECONDS):
                assert self._wire is not None
                await self._wire.send("session", policy, (keeper_end, *ends))
                host_pid = _number((await self._wire.expect("session")).content.get("pid"))
            async with asyncio.timeout(_SESSION_SECONDS):
                await confined_number(keeper, "kept")
                ready = await confined_number(pipes.wire, "ready")
        except BaseException as error:
            keeper.close()
            pipes.close()
            if isinstance(error, TimeoutError):
                raise SandboxError("The restricted process did not start within a minute. Nothing was run.") from error
            raise
        return Started(keeper, pipes, ready, host_pid)

    async def close(self) -> None:
        """End the base process with all its sessions."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None
        if self._process is not None:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)
            self._process = None

    async def _up(self) -> None:
        if self._wire is not None:
            self._wire.close()
        self._wire, end = Wire.pair()
        command = [str(self._python), str(_START), "base", str(end), *([] if self._preload else ["--bare"])]
        try:
            self._process = subprocess.Popen(  # noqa: ASYNC220  # returns at once: fork and exec only
                command,
                pass_fds=(end,),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=dict(self._variables),
                cwd="/",
            )
        except OSError as error:
            raise SandboxError(f"{self._python} could not be started ({error.strerror}). Nothing was run.") from error
        finally:
            os.close(end)
        try:
            async with asyncio.timeout(_START_SECONDS):
                await self._wire.expect("up")
        except (Gone, TimeoutError) as error:
            raise SandboxError(await self._why()) from error
        assert self._process.stderr is not None
        self._process.stderr.close()

    async def _why(self) -> str:
        assert self._process is not None
        self._process.kill()
        _, said = await asyncio.to_thread(self._process.communicate)
        last = said.decode(errors="replace").strip().rpartition("\n")[2]
        if "No module named" in last:
            return (
                f"{self._python} cannot run notebooks ({last}). Nothing was run; install what is missing with "
                f"`{self._python} -m pip install ipykernel`, or name another interpreter with --python."
            )
        return f"The restricted process could not be started with {self._python} ({last or 'it gave no reason'})."


async def confined_number(wire: Wire, kind: str) -> int:
    """Return the process id in the next frame, of that kind. Raises `CannotConfine` with the reason."""
    try:
        return _number((await wire.expect(kind)).content.get("pid"))
    except Gone as error:
        raise CannotConfine(f"Code could not be confined, so nothing was run: {error}") from error


def _number(value: JsonValue) -> int:
    if not isinstance(value, int):
        raise SandboxError("The restricted process answered with something that is not a process id.")
    return value
