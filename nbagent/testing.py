"""A stand-in for every port, for tests of what is built on them; each passes its port's contract tests."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import copy
import io
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from nbagent.core.cells import Change, Snapshot
from nbagent.core.errors import ModelError, SandboxError
from nbagent.core.events import Event, Stopped, UserSpoke
from nbagent.core.model import (
    AssistantMessage,
    ModelAnswer,
    ModelFacts,
    ModelProgress,
    ModelRequest,
    TextArrived,
    ToolCall,
    Usage,
)
from nbagent.core.outputs import Execution, Output, Raised, Result, StreamText
from nbagent.core.proposal import Proposal, Verdict
from nbagent.core.tools import AskUser
from nbagent.ports import Progress, ShowOutput

Reply = ModelAnswer | ModelError | Callable[[ModelRequest], ModelAnswer]


def says(text: str, usage: Usage | None = None) -> ModelAnswer:
    """Return an answer that ends the turn with words."""
    return ModelAnswer(items=(AssistantMessage(text=text),), stop="done", usage=usage or Usage())


def calls(*orders: tuple[str, str], first: int = 1, usage: Usage | None = None) -> ModelAnswer:
    """Return an answer that calls tools by name with JSON arguments; the calls are named `call-<number>`."""
    items = [
        ToolCall(id=f"call-{number}", name=name, arguments=text) for number, (name, text) in enumerate(orders, first)
    ]
    return ModelAnswer(items=tuple(items), stop="tools", usage=usage or Usage())


class ScriptedModel:
    """Answers with what it was given, in order, and remembers the requests."""

    def __init__(self, *replies: Reply, facts: ModelFacts | None = None) -> None:
        self._replies = list(replies)
        self._facts = facts or ModelFacts(provider="scripted", name="script")
        self.requests: list[ModelRequest] = []

    def answers(self, *replies: Reply) -> None:
        """Answer with these from now on."""
        self._replies = list(replies)

    @property
    def facts(self) -> ModelFacts:
        """Which model this plays."""
        return self._facts

    async def ask(self, request: ModelRequest, show: Callable[[ModelProgress], None]) -> ModelAnswer:
        """Return the next answer, or raise it."""
        self.requests.append(request)
        await asyncio.sleep(0)
        if not self._replies:
            raise ModelError("The script has no more answers.")
        reply = self._replies.pop(0)
        if isinstance(reply, ModelError):
            raise reply
        answer = reply if isinstance(reply, ModelAnswer) else reply(request)
        for item in answer.items:
            if isinstance(item, AssistantMessage):
                show(TextArrived(text=item.text))
        return answer


class WaitingModel(ScriptedModel):
    """Never answers; `asked` is set when a request is out."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()

    async def ask(self, request: ModelRequest, show: Callable[[ModelProgress], None]) -> ModelAnswer:
        """Wait until it is cancelled."""
        self.requests.append(request)
        self.asked.set()
        await asyncio.Event().wait()
        raise AssertionError("an event that nobody sets was set")


class MemoryNotebook:
    """A notebook that is in memory alone; `snapshot` may be replaced to play a user who edits."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot

    async def read(self) -> Snapshot:
        """Return the notebook as it is now."""
        return self.snapshot

    async def change(self, changes: Sequence[Change]) -> Snapshot:
        """Apply all changes or none."""
        self.snapshot = self.snapshot.apply(changes)
        return self.snapshot

    async def record(self, cell_id: str, execution: Execution) -> None:
        """Store an execution's outputs and count in a cell."""
        place = self.snapshot.index(cell_id)
        done = {"outputs": execution.outputs, "execution_count": execution.execution_count}
        cells = list(self.snapshot.cells)
        cells[place] = cells[place].model_copy(update=done)
        self.snapshot = self.snapshot.model_copy(update={"cells": tuple(cells)})


class NamespaceBranch:
    """Runs plain Python in this process, in a namespace of its own. It confines nothing: only for code of tests."""

    def __init__(self, variables: dict[str, Any]) -> None:
        self.variables = variables
        self._count = 0
        self._closed = False

    async def run(self, source: str, *, show: ShowOutput | None = None, timeout: float | None = None) -> Execution:
        """Run the source; `await forever()` waits until it is cancelled or `timeout` is over, `os._exit(0)` ends it."""
        if self._closed:
            raise SandboxError("This branch has ended. Open another one.")
        try:
            async with asyncio.timeout(timeout):
                await asyncio.sleep(0)
                if source.strip() == "await forever()":
                    await asyncio.Event().wait()
        except TimeoutError:
            await self.close()
            return Execution(status="timed_out", detail=f"{timeout} s of wall time.")
        except asyncio.CancelledError:
            await self.close()
            raise
        self._count += 1
        if source.strip() == "os._exit(0)":
            await self.close()
            return Execution(status="exited", detail="The process ended by itself.")
        done = _executed(source, self.variables, self._count)
        for output in done.outputs if show else ():
            show(output)  # type: ignore[misc]  # mypy does not see that the tuple is empty without `show`
        return done

    async def checkpoint(self) -> NamespaceCheckpoint:
        """Remember the variables."""
        return NamespaceCheckpoint(_copied(self.variables))

    async def close(self) -> None:
        """End it."""
        self._closed = True


class NamespaceCheckpoint:
    """Variables as they were."""

    tainted: str | None = None

    def __init__(self, variables: dict[str, Any]) -> None:
        self._variables: dict[str, Any] | None = variables

    async def resume(self) -> NamespaceBranch:
        """Return a branch that starts with a copy of them."""
        if self._variables is None:
            raise SandboxError("This checkpoint was dropped. Run the cells again from the top.")
        return NamespaceBranch(_copied(self._variables))

    async def drop(self) -> None:
        """Forget them."""
        self._variables = None


class NamespaceKernel:
    """A kernel and its sandbox in one: branches start with copies of `variables`."""

    def __init__(self) -> None:
        self._live = NamespaceBranch({})
        self.ran: list[str] = []

    @property
    def live(self) -> dict[str, Any]:
        """The live variables."""
        return self._live.variables

    async def run(self, cell_id: str, source: str, *, show: ShowOutput | None = None) -> Execution:
        """Run an accepted cell."""
        self.ran.append(cell_id)
        return await self._live.run(source, show=show)

    async def variables(self) -> Sequence[tuple[str, str]]:
        """Return names and types."""
        return tuple((name, type(value).__name__) for name, value in self.live.items() if name != "__builtins__")

    async def open(self) -> NamespaceBranch:
        """Return a branch with a copy of the live variables."""
        return NamespaceBranch(_copied(self.live))

    async def close(self) -> None:
        """Nothing is to be ended."""


class ScriptedUser:
    """Judges and replies as it was told, says what is put into `inbox`, and remembers what it was shown."""

    def __init__(self, verdicts: Iterable[Verdict] = (), replies: Iterable[str] = ()) -> None:
        self._verdicts, self._replies = list(verdicts), list(replies)
        self.inbox: asyncio.Queue[UserSpoke | Stopped] = asyncio.Queue()
        self.shown: list[Event | Progress] = []
        self.asked: list[Proposal | AskUser] = []

    def show(self, news: Event | Progress) -> None:
        """Remember it."""
        self.shown.append(news)

    async def hear(self) -> UserSpoke | Stopped:
        """Return what lies in the inbox."""
        return await self.inbox.get()

    async def judge(self, proposal: Proposal) -> Verdict:
        """Return the next verdict."""
        self.asked.append(proposal)
        return self._verdicts.pop(0)

    async def reply(self, question: AskUser) -> str:
        """Return the next reply."""
        self.asked.append(question)
        return self._replies.pop(0)


class MemoryJournal:
    """Keeps events in a list."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    async def keep(self, event: Event) -> None:
        """Keep it."""
        self.events.append(event)


def _copied(variables: dict[str, Any]) -> dict[str, Any]:
    copies: dict[str, Any] = {}
    memo: dict[int, Any] = {}
    for name, value in variables.items():
        try:
            copies[name] = value if name == "__builtins__" else copy.deepcopy(value, memo)
        except TypeError:  # modules and open files have no copy
            copies[name] = value
    return copies


def _executed(source: str, variables: dict[str, Any], count: int) -> Execution:
    printed, outputs = io.StringIO(), list[Output]()
    status, error = "ok", None
    try:
        with contextlib.redirect_stdout(printed):
            value = _evaluated(source, variables)
        if value is not None:
            outputs.append(Result(data={"text/plain": repr(value)}, execution_count=count))
    except (
        Exception,
        SystemExit,
    ) as raised:  # code of a test may raise anything: that is its outcome, not a failure of this call
        status = "raised"
        error = Raised(ename=type(raised).__name__, evalue=str(raised), traceback=())
        outputs.append(error)
    if printed.getvalue():
        outputs.insert(0, StreamText(name="stdout", text=printed.getvalue()))
    return Execution.model_validate(
        {"status": status, "outputs": outputs, "error": error, "execution_count": count, "seconds": 0.0}
    )


def _evaluated(source: str, variables: dict[str, Any]) -> object:
    """Run the statements, and return the value of a last expression."""
    tree = ast.parse(source)
    last = tree.body[-1] if tree.body else None
    if not isinstance(last, ast.Expr):
        exec(compile(tree, "<cell>", "exec"), variables)
        return None
    tree.body.pop()
    exec(compile(tree, "<cell>", "exec"), variables)
    return eval(compile(ast.Expression(last.value), "<cell>", "eval"), variables)
