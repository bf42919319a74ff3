"""What a repair rule is: one small file in `rules/` with a code, a docstring for users and before/after cases.

A rule is asked about one *root* failure at a time. It proposes; the engine tries each proposal by running it and
keeps only what is proved. A rule may therefore offer several fixes, best first, and need not be sure.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from pydantic import BaseModel, JsonValue

from nbagent.core.cells import Cell, Change, Snapshot
from nbagent.core.outputs import Execution

Ask = Callable[[str], Awaitable[JsonValue]]
"""Evaluate a Python expression in the failed process and return its JSON value; None when it raises or is not JSON."""


NO_SUCH_KERNEL = "NoSuchKernel"
"""`ename` of the failure of a notebook whose kernelspec does not exist here; `evalue` is the kernelspec's name.

It happens before any cell runs: `case.cell` is the first code cell, `case.kernels` what is there instead, and the
only change that can cure it is a `SetKernel`.
"""


class Fix(BaseModel, frozen=True):
    """Changes that might cure one failure; `says` is one sentence for the user: what is changed, and why.

    drops: whole lines of live code that go because they have no effect any more (`plt.hold(True)`). The engine
    refuses a fix that loses other lines, apart from imports and line magics.
    """

    rule: str
    says: str
    changes: tuple[Change, ...]
    drops: tuple[str, ...] = ()


class Frame(BaseModel, frozen=True):
    """One step of a traceback: in a cell of the notebook (`cell_id`), or in a file (`path`)."""

    line: int
    cell_id: str | None = None
    path: str | None = None
    function: str | None = None


class InstalledKernel(BaseModel, frozen=True):
    """A kernelspec that exists here."""

    name: str
    display_name: str
    language: str


@dataclass(frozen=True)
class Case:
    """One root failure as a rule sees it.

    lines: line numbers (1-based) in the failing cell's source that the traceback passes through, outermost first;
    for a syntax error the line of the error. `execution.error` is always set and has no terminal colours.
    file: the module that fails, when it is not a cell: then `cell` holds its text, and `notebook` that cell alone.
    frames: the whole traceback, outermost first; a fix may go to the earlier cell that a frame names.
    ask: evaluates an expression in the failed process, with the variables as the failure left them, for rules that
    decide by looking at live objects (`inspect.signature`, types, attributes).
    """

    notebook: Snapshot
    cell: Cell
    execution: Execution
    lines: tuple[int, ...] = ()
    frames: tuple[Frame, ...] = ()
    kernels: tuple[InstalledKernel, ...] = ()
    ask: Ask = field(default=lambda _: _nothing())
    file: str | None = None

    @property
    def ename(self) -> str:
        """The exception's type name, as Jupyter reports it."""
        return self.execution.error.ename if self.execution.error else ""

    @property
    def evalue(self) -> str:
        """The exception's message."""
        return self.execution.error.evalue if self.execution.error else ""

    def before(self) -> tuple[Cell, ...]:
        """The code cells above the failing one."""
        return tuple(c for c in self.notebook.cells[: self.notebook.index(self.cell.id)] if c.kind == "code")

    def after(self) -> tuple[Cell, ...]:
        """The code cells below the failing one."""
        return tuple(c for c in self.notebook.cells[self.notebook.index(self.cell.id) + 1 :] if c.kind == "code")


class Example(BaseModel, frozen=True):
    """A cell's source before and after a rule, with the error that the source raises; the rule tests run each one.

    needs: packages that must be importable for the example to be executed for real.
    setup: source of a cell that ran before.
    """

    before: str
    after: str
    ename: str
    evalue: str
    setup: str = ""
    needs: tuple[str, ...] = ()


class Rule:
    """Base of all rules. The subclass's docstring is what `nbagent rules` shows."""

    code: ClassVar[str]
    """Unique, a family's letters and three digits: `SKL001`."""
    name: ClassVar[str]
    """Kebab case, what it repairs: `moved-sklearn-import`."""
    source: ClassVar[str] = ""
    """Where the facts come from: a release note's address, or 'decided in the live process'."""
    confidence: ClassVar[Literal["sure", "likely"]] = "sure"
    """`sure`: same meaning as before; `likely`: runs, but a person should look (shown in the report)."""
    examples: ClassVar[tuple[Example, ...]] = ()

    def candidates(self, case: Case) -> AsyncIterator[Fix]:
        """Yield fixes for this failure, best first; nothing when it is not this rule's business."""
        raise NotImplementedError  # an abstract method: every rule has its own


async def _nothing() -> JsonValue:
    return None
