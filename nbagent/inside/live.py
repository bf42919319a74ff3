"""A branch of the live kernel as the kernel holds it: it is run, watched, asked for values, and killed.

Everything here runs on the kernel's main thread, between statements. What comes from the branch is never trusted.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import time
from typing import Any, Callable, NamedTuple, Optional

from .interrupts import Interrupts
from .relay import Frame, Garbled, Reader, Text

_PERIOD = 0.1
_START_SECONDS = 60.0
_DYING_SECONDS, _EXITED_SECONDS = 0.05, 5.0
_ROUNDS = 8  # of reading what a pipe still holds; a process that was left behind may go on writing
_OUTPUTS = frozenset(
    {
        "stream",
        "display_data",
        "update_display_data",
        "execute_result",
        "clear_output",
        "error",
        "comm_open",
        "comm_msg",
        "comm_close",
    }
)

Show = Callable[[Frame], None]
Look = Callable[[], Optional[str]]


class NotConfined(Exception):
    """The fork could not be locked down, so it ran nothing; the message is the reason."""


class Ended(NamedTuple):
    """How a run ended: `done`, `exited`, `timed out`, `limited` or `interrupted`; after all but `done` it is closed.

    detail is a clause for the user. report is what the node says after `done`: it comes from confined code.
    """

    status: str
    detail: str
    seconds: float
    report: "dict[str, Any]"


class Offered(NamedTuple):
    """Values in a memfd (see `adopt.take`), the names in it, and for the other names the reason why not."""

    memory: "Optional[int]"
    names: "tuple[str, ...]"
    refused: "dict[str, str]"


class LiveBranch:
    """A forked, locked-down process with the kernel's variables. Made by `fork.fork_kernel`; close it in any case."""

    def __init__(self, stub: int, reader: Reader, texts: "tuple[Text, Text]", lifeline: int) -> None:
        self._stub, self._reader, self._texts, self._lifeline = stub, reader, texts, lifeline
        self._first: "Optional[int]" = None
        self._view: "Optional[int]" = None
        self._closed = False
        self.exit_status: "Optional[int]" = None

    @property
    def pid(self) -> int:
        """The process above all others of this branch, as the kernel sees it."""
        return self._stub

    @property
    def view(self) -> "Optional[int]":
        """A folder's descriptor: what was written lies in its `upper`, `scratch`, `tmp`; None without namespaces."""
        return self._view

    def started(self, interrupts: Interrupts) -> None:
        """Wait until it is locked down. Raises `NotConfined`, also when it takes too long or is interrupted."""
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end and not interrupts.asked:
            frame = self._next(_PERIOD)
            if frame is not None and frame.kind == "view":
                self._view = self._reader.descriptor()
                self._first = _descriptor_of_child(self._stub)
            elif frame is not None and frame.kind == "ready":
                return
            elif frame is not None:
                raise NotConfined(str(frame.content.get("why"))[:500])
            elif self._reader.ended:
                raise NotConfined("its process ended before it was locked down")
        raise NotConfined("it was interrupted" if interrupts.asked else "it took longer than a minute")

    def run(self, source: str, show: Show, seconds: float, look: Look, interrupts: Interrupts) -> Ended:
        """Run a cell to its end. `show` gets each output as it comes, `look` says every 0.1 s which limit is exceeded.

        `show` may say itself that there is too much, by raising `OverflowError` with the clause.
        """
        begun = time.monotonic()
        next_look = begun + _PERIOD
        try:
            self._reader.send("run", {"source": source, "watch": True})
            while True:
                frame = self._outputs(show, _PERIOD)
                now = time.monotonic()
                if frame is not None:
                    self._drain(show)
                    return self._ended("done", "", begun, frame.content)
                if self._reader.ended:
                    self._drain(show)
                    return self._ended("exited", "", begun)
                if interrupts.asked:
                    return self._ended("interrupted", "", begun)
                if now - begun > seconds:
                    return self._ended("timed out", "it ran longer than %g s" % seconds, begun)
                why = look() if now > next_look else None
                next_look = now + _PERIOD if now > next_look else next_look
                if why:
                    return self._ended("limited", why, begun)
        except OverflowError as error:
            return self._ended("limited", str(error), begun)
        except Garbled:
            return self._ended("limited", "it sent something that is not a message", begun)
        except OSError:
            return self._ended("exited", "", begun)

    def offer(self, names: "list[str]", seconds: float) -> Offered:
        """Let the code's process put values into memory that outlives it; nothing when that takes too long."""
        end = time.monotonic() + seconds
        late = Offered(None, (), dict.fromkeys(names, "copying it out of the trial took too long"))
        try:
            self._reader.send("offer", {"names": names})
            while time.monotonic() < end:
                frame = self._next(_PERIOD)
                if frame is not None and frame.kind == "offered":
                    return _offered(frame.content, names, self._reader.descriptor())
                if self._reader.ended:
                    break
        except (OSError, Garbled):
            pass
        return late

    def close(self, patience: float = _DYING_SECONDS) -> None:
        """Kill it with all that it started, and reap it; closing twice is fine. Keeps `view` open.

        patience: seconds until a thread waits for the rest, which for gigabytes of memory takes some tenths.
        """
        if self._closed:
            return
        self._closed = True
        os.close(self._lifeline)
        if self._first is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._first, signal.SIGKILL)
            os.close(self._first)
        else:
            _kill(self._stub)
        self.exit_status = _reaped(self._stub, patience)
        self._reader.close()
        for text in self._texts:
            text.close()

    def let_go(self) -> None:
        """Close it, and let go of the files that it wrote."""
        self.close()
        if self._view is not None:
            os.close(self._view)
            self._view = None

    def _ended(self, status: str, detail: str, begun: float, report: "Optional[dict[str, Any]]" = None) -> Ended:
        seconds = time.monotonic() - begun
        if status != "done":
            self.close(_EXITED_SECONDS if status == "exited" else _DYING_SECONDS)
        return Ended(status, detail, seconds, report or {})

    def _outputs(self, show: Show, seconds: float) -> "Optional[Frame]":
        """Wait for something to read, show what it is, and return the frame that ends the run, if it came."""
        waiting: "list[Any]" = [end for end in (self._reader, *self._texts) if not end.ended]
        ready, _, _ = select.select(waiting, [], [], seconds)
        for text in self._texts:
            if text in ready:
                _show_text(text, show)
        if self._reader not in ready:
            return None
        self._reader.read()
        return self._shown(show)

    def _shown(self, show: Show) -> "Optional[Frame]":
        while True:
            frame = self._reader.frame()
            if frame is None or frame.kind == "done":
                return frame
            if frame.kind in _OUTPUTS:
                show(frame)

    def _drain(self, show: Show) -> None:
        for _ in range(_ROUNDS):
            for text in self._texts:
                _show_text(text, show)

    def _next(self, seconds: float) -> "Optional[Frame]":
        """Return the next frame that is no output, waiting a while; what goes to the pipes meanwhile is dropped."""
        waiting: "list[Any]" = [self._reader, *(text for text in self._texts if not text.ended)]
        ready, _, _ = select.select(waiting, [], [], seconds)
        for text in self._texts:
            if text in ready:
                text.read()
        if self._reader in ready:
            self._reader.read()
        while True:
            frame = self._reader.frame()
            if frame is None or frame.kind not in _OUTPUTS:
                return frame


def _show_text(text: Text, show: Show) -> None:
    said = text.read()
    if said:
        show(Frame("stream", {"name": text.name, "text": said}, {}, len(said)))


def _offered(told: "dict[str, Any]", names: "list[str]", memory: "Optional[int]") -> Offered:
    good = tuple(name for name in names if name in (told.get("names") or ())) if memory is not None else ()
    why = told.get("refused")
    why = why if isinstance(why, dict) else {}
    left = {name: str(why.get(name, "it could not be copied"))[:300] for name in names if name not in good}
    return Offered(memory, good, left)


def _descriptor_of_child(stub: int) -> "Optional[int]":
    """Return a descriptor for the first process of the branch, which is the stub's only child."""
    try:
        with open("/proc/%d/task/%d/children" % (stub, stub)) as file:
            return os.pidfd_open(int(file.read().split()[0]))
    except (OSError, IndexError):
        return None


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _reaped(stub: int, patience: float) -> "Optional[int]":
    """Return the exit status, or leave a thread to wait for it and return None."""
    end = time.monotonic() + patience
    while True:
        try:
            pid, status = os.waitpid(stub, os.WNOHANG)
        except ChildProcessError:
            return None
        if pid:
            return status
        if time.monotonic() > end:
            break
        time.sleep(0.001)
    adopt_child(stub)
    return None


def adopt_child(pid: int) -> None:
    """Reap a child whenever it ends: somebody else decides when."""
    threading.Thread(target=_wait, args=(pid,), name="nbagent-reaper", daemon=True).start()


def _wait(stub: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(stub, 0)
