"""The kernel's end of `rules`: starts that process when it is needed, asks it, and starts another when it is gone."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbagent
from nbagent.inside.interrupts import Interrupts

_SECONDS = 60.0
_PIECE = 1 << 16
_PERIOD = 0.1


class NoAnswer(Exception):
    """The question was refused, or there is no answer; the message is a sentence for the user."""


class Adviser:
    """Asks one question at a time. Closing, and the end of the kernel, ends the other process."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Bring it up, without waiting until it is. Raises `NoAnswer` when it cannot be started."""
        if self._process is not None and self._process.poll() is None:
            return
        self.close()
        where = str(Path(nbagent.__file__).parents[1])
        path = os.pathsep.join(part for part in (where, os.environ.get("PYTHONPATH", "")) if part)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "nbagent.hosts.kernel.rules"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": path},
                cwd="/",
                start_new_session=True,  # an interrupt goes to the kernel's whole process group
            )
        except OSError as error:
            raise NoAnswer(f"{sys.executable} could not be started ({error.strerror}), so nothing was run.") from error

    def ask(self, question: dict[str, object]) -> dict[str, Any]:
        """Return the answer. Raises `NoAnswer`, also for a refusal; an interrupt ends the other process."""
        self.start()
        try:
            answer = self._asked(json.dumps(question).encode() + b"\n")
        except BaseException:
            self.close()
            raise
        if "refusal" in answer:
            raise NoAnswer(str(answer["refusal"]))
        return answer

    def follow(
        self, question: dict[str, object], take: Callable[[dict[str, Any]], None], interrupts: Interrupts
    ) -> dict[str, Any] | None:
        """Return the answer, after giving `take` all that is said before it; None when it was interrupted.

        What is said before has an "output". Raises `NoAnswer`, also for a refusal.
        """
        self.start()
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        lines = _Lines(self._process.stdout.fileno(), interrupts)
        try:
            self._process.stdin.write(json.dumps(question).encode() + b"\n")
            self._process.stdin.flush()
            while (line := lines.next()) is not None:
                told = json.loads(line)
                if "refusal" in told:
                    raise NoAnswer(str(told["refusal"]))
                if "output" not in told:
                    return dict(told)
                take(told["output"])
        except NoAnswer:
            raise
        except BaseException:
            self.close()
            raise
        self.close()
        return None

    def close(self) -> None:
        """End the other process."""
        if self._process is not None:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
            self._process = None

    def _asked(self, line: bytes) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        end = time.monotonic() + _SECONDS
        data = b""
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
            while not data.endswith(b"\n"):
                ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, end - time.monotonic()))
                piece = os.read(self._process.stdout.fileno(), _PIECE) if ready else b""
                if not piece:
                    raise NoAnswer("nbagent's helper process does not answer, so nothing was run. Try again.")
                data += piece
        except BrokenPipeError as error:
            raise NoAnswer("nbagent's helper process has ended, so nothing was run. Try again.") from error
        answer = json.loads(data)
        assert isinstance(answer, dict)
        return answer


class _Lines:
    """Lines of a pipe as they come; an interrupt ends them."""

    def __init__(self, descriptor: int, interrupts: Interrupts) -> None:
        self._descriptor, self._interrupts = descriptor, interrupts
        self._data = b""

    def next(self) -> bytes | None:
        """Return the next line; None when the user interrupted. Raises `NoAnswer` when no more can come."""
        while b"\n" not in self._data:
            if self._interrupts.asked:
                return None
            ready, _, _ = select.select([self._descriptor], [], [], _PERIOD)
            piece = os.read(self._descriptor, _PIECE) if ready else b""
            if ready and not piece:
                raise NoAnswer("nbagent's helper process has ended, and the trial with it. Try again.")
            self._data += piece
        line, _, self._data = self._data.partition(b"\n")
        return line
