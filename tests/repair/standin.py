"""A sandbox inside the test's own process: no confinement, so only for sources that the tests wrote themselves.

A checkpoint is the list of sources run so far; resuming runs them again in a new namespace.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import io
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from nbagent.core.cells import Cell, Snapshot
from nbagent.core.errors import SandboxError
from nbagent.core.outputs import Execution, Output, Raised, Result, StreamText
from nbagent.ports import ShowOutput


class _Ended(BaseException):
    pass


def hang() -> None:
    """Stand for a cell that never ends; for `preloaded`."""
    raise _Ended("timed_out")


@dataclass
class LocalBranch:
    """Runs cells with `exec`; `ends()` in a cell stands for a crash, `hangs()` for a cell that never ends."""

    sandbox: LocalSandbox
    sources: list[str] = field(default_factory=list)
    open: bool = True

    def __post_init__(self) -> None:
        self.space: dict[str, object] = {"ends": self._end, "hangs": hang, **self.sandbox.preloaded}
        earlier, self.sources = self.sources, []
        for source in earlier:
            self._execute(source)

    def _end(self) -> None:
        raise _Ended("exited")

    async def run(self, source: str, *, show: ShowOutput | None = None, timeout: float | None = None) -> Execution:
        if not self.open:
            raise SandboxError("The branch is closed.")
        self.sandbox.ran.append(source)
        done = self._execute(source)
        if done.status == "timed_out" and timeout is not None and timeout < 1:
            await asyncio.sleep(timeout)  # the time that such a cell takes
        return done

    def _execute(self, source: str) -> Execution:
        self.sources.append(source)
        count = len(self.sources)
        out = io.StringIO()
        try:
            with contextlib.redirect_stdout(out):
                value = self._evaluate(source, f"<cell {count}>")
        except _Ended as ended:
            self.open = False
            return Execution(status="exited" if str(ended) == "exited" else "timed_out", detail=str(ended))
        except BaseException as error:
            return Execution(status="raised", error=_raised(error, count), execution_count=count)
        outputs: tuple[Output, ...] = (StreamText(name="stdout", text=out.getvalue()),) if out.getvalue() else ()
        if value is not None:
            outputs += (Result(data={"text/plain": repr(value)}, execution_count=count),)
        return Execution(status="ok", outputs=outputs, execution_count=count)

    def _evaluate(self, source: str, name: str) -> object:
        tree = ast.parse(source, name)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, name, "exec"), self.space)
        if isinstance(last, ast.Expr):
            return eval(compile(ast.Expression(last.value), name, "eval"), self.space)
        return None

    async def checkpoint(self) -> LocalCheckpoint:
        checkpoint = LocalCheckpoint(self.sandbox, tuple(self.sources), self.sandbox.taint(self.sources))
        self.sandbox.checkpoints.append(checkpoint)
        return checkpoint

    async def close(self) -> None:
        self.open = False


def _raised(error: BaseException, count: int) -> Raised:
    lines: list[str] = []
    if isinstance(error, SyntaxError):
        lines += [f"  Cell In[{count}], line {error.lineno}"]
    else:
        lines += ["Traceback (most recent call last)"]
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename.startswith("<cell ") and not isinstance(error, SyntaxError):
            name = "" if frame.name == "<module>" else f", in {frame.name}()"
            lines.append(f"\x1b[36mCell In[{frame.filename[6:-1]}], line {frame.lineno}{name}\x1b[39m")
    return Raised(ename=type(error).__name__, evalue=str(error), traceback=tuple(lines))


@dataclass
class LocalCheckpoint:
    """The sources that lead to a state."""

    sandbox: LocalSandbox
    sources: tuple[str, ...]
    tainted: str | None
    dropped: bool = False

    async def resume(self) -> LocalBranch:
        if self.dropped:
            raise SandboxError("The checkpoint is gone.")
        self.sandbox.resumed.append(len(self.sources))
        return LocalBranch(self.sandbox, list(self.sources))

    async def drop(self) -> None:
        self.dropped = True


@dataclass
class LocalSandbox:
    """Opens such branches and remembers what was asked. `preloaded` is there before any cell."""

    preloaded: dict[str, object] = field(default_factory=dict)
    taint: Callable[[list[str]], str | None] = lambda sources: None
    ran: list[str] = field(default_factory=list)
    resumed: list[int] = field(default_factory=list)
    checkpoints: list[LocalCheckpoint] = field(default_factory=list)
    kernel: str = "local"

    async def open(self) -> LocalBranch:
        return LocalBranch(self)

    async def close(self) -> None:
        return None

    @property
    def live(self) -> int:
        """How many checkpoints nobody freed."""
        return sum(not checkpoint.dropped for checkpoint in self.checkpoints)


def notebook(*sources: str | Cell, path: str = "test.ipynb") -> Snapshot:
    """Return a notebook of code cells named a, b, c, ..."""
    return Snapshot(path=path, cells=tuple(_cells(sources)), kernel="python3", language="python")


def _cells(sources: Iterable[str | Cell]) -> Iterable[Cell]:
    for name, source in zip("abcdefghijklmnopqrstuvwxyz", sources, strict=False):
        if isinstance(source, Cell):
            yield source.model_copy(update={"id": name})
        else:
            yield Cell(id=name, kind="code", source=source)
