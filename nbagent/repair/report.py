"""What a repair tells: news while it works, and the account at its end. `Report` is what `--json` prints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel

from nbagent.core.cells import Change, Snapshot
from nbagent.core.outputs import Execution

CauseKind = Literal[
    "missing file",
    "missing package",
    "network needed",
    "sandbox",
    "time limit",
    "crash",
    "limit",
    "needs input",
    "helper module",
    "missing magic",
    "kernel",
    "judgement needed",
]


class Cause(BaseModel, frozen=True):
    """Why a cell is still broken: `says` what happened, `could` what the user can do about it."""

    kind: CauseKind
    says: str
    could: str


class Tried(BaseModel, frozen=True):
    """One fix that was tried for a cell, and what came of it."""

    rule: str
    says: str
    result: str


class Applied(BaseModel, frozen=True):
    """A fix that is kept. `cell` is the cell whose failure it cures, `error` that failure; `stored` if it was shown
    in the file already. `file` is the module that was changed, when it was
    not a cell. `confidence` is `likely` where a person should look."""

    rule: str
    name: str
    confidence: Literal["sure", "likely"]
    says: str
    cell: str
    error: str
    stored: bool = False
    file: str | None = None
    changes: tuple[Change, ...]


CellState = Literal["ok", "intended", "broken", "follows", "not run"]


class CellReport(BaseModel, frozen=True):
    """One cell that is not simply fine. `number` is the `In [n]` that a run from the top gives it.

    state: `intended` (marked as raising, or the file shows the same error and no fix is proved), `broken` (a root
    failure that is left), `follows` (fails only because cell `after` is broken), `not run` (a time limit came first).
    """

    cell: str
    number: int
    state: CellState
    error: str = ""
    after: int | None = None
    cause: Cause | None = None
    tried: tuple[Tried, ...] = ()
    partly: bool = False


class Proof(BaseModel, frozen=True):
    """A run from the top in a fresh, restricted kernel. clean: every cell ran, or failed as its author meant it to."""

    kernel: str
    seconds: float
    cells: int
    clean: bool


RepairState = Literal["clean", "repaired", "partly repaired", "broken", "not proved", "refused"]


class Report(BaseModel, frozen=True):
    """The account of one notebook. state: `clean` (as it was), `repaired` (runs clean now), `partly repaired` (some
    cells repaired and proved, others still broken), `broken` (nothing could be repaired), `not proved` (fixes were
    found, but the proof failed: nothing is written), `refused` (it could not be worked on; see `problem`)."""

    schema_version: Literal[1] = 1
    notebook: str
    state: RepairState
    fixes: tuple[Applied, ...] = ()
    cells: tuple[CellReport, ...] = ()
    proof: Proof | None = None
    problem: str | None = None
    time_limit: float | None = None
    """The seconds for the notebook, when they ended before the work did: cells are left that did not run."""
    seconds: float = 0.0
    upgraded_from: int | None = None
    """The old notebook format, when the file was converted to format 4."""
    modules_written: tuple[str, ...] = ()
    """Modules beside the notebook that were written."""
    written: str | None = None
    """Where the result lies, if anything was written."""


@dataclass(frozen=True)
class Module:
    """A Python file beside the notebook, as it was read and as it was proved."""

    path: str
    before: str
    after: str


@dataclass(frozen=True)
class Repair:
    """A report with what is needed to show and write it."""

    report: Report
    before: Snapshot
    after: Snapshot
    outputs: dict[str, Execution]
    """What the proof run gave, by cell id."""
    modules: tuple[Module, ...] = ()
    """Modules beside the notebook that were repaired with it."""
    in_modules: tuple[str, ...] = ()
    """Cells that still fail, by id, where the failure passes through a module beside the notebook."""


@dataclass(frozen=True)
class CellStarted:
    """A cell is about to run. where: the trial run, or the proof."""

    number: int
    of: int
    where: Literal["first", "trial", "proof"]


@dataclass(frozen=True)
class CellEnded:
    """A cell ended; error is empty when it ran."""

    number: int
    of: int
    where: Literal["first", "trial", "proof"]
    seconds: float
    error: str


@dataclass(frozen=True)
class FixTried:
    """A fix was tried for a cell."""

    number: int
    rule: str
    result: str


News = CellStarted | CellEnded | FixTried
Tell = Callable[[News], None]
