"""The proof: the notebook is run from the top in a fresh, restricted, real kernel, and every cell is judged."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal, Protocol

from nbagent.core.cells import Cell, Snapshot
from nbagent.core.outputs import Execution
from nbagent.ports import ShowOutput
from nbagent.repair.cause import sentence
from nbagent.repair.chain import runnable
from nbagent.repair.deadline import Deadline
from nbagent.repair.diagnose import Diagnosis, diagnose, failed, is_left_alone, is_stored
from nbagent.repair.report import CellEnded, CellStarted, Tell


class Runner(Protocol):
    """One fresh kernel. After a status other than `ok` and `raised` it is gone."""

    async def run(self, source: str, *, show: ShowOutput | None = None, timeout: float | None = None) -> Execution:
        """Run one cell's source to its end; what code does is an `Execution`, never an exception of this call."""
        ...

    async def close(self) -> None:
        """End the kernel; closing twice is fine."""
        ...


class Prover(Protocol):
    """Starts kernels of the notebook's own kernelspec, restricted as a trial is."""

    @property
    def kernel(self) -> str:
        """The kernelspec's name."""
        ...

    async def open(self) -> Runner:
        """Start a fresh kernel whose files are those of the notebook's folder. Raises `SandboxError`."""
        ...


@dataclass
class ProofRun:
    """What the run showed. failures: what failed and was not meant to, in order, by cell id."""

    executions: dict[str, Execution] = field(default_factory=dict)
    failures: dict[str, Diagnosis] = field(default_factory=dict)
    meant: dict[str, Diagnosis] = field(default_factory=dict)
    seconds: float = 0.0
    complete: bool = True
    """False when the run was stopped, by the first failure or by a cell that took the kernel with it."""
    late: bool = False
    """Whether the time for the notebook ended before its last cell."""
    starting: float = 0.0
    """What the kernel took to start; part of `seconds`."""

    @property
    def clean(self) -> bool:
        """Whether the notebook runs."""
        return self.complete and not self.failures


async def prove(
    prover: Prover,
    notebook: Snapshot,
    tell: Tell,
    deadline: Deadline,
    *,
    where: Literal["first", "proof"] = "proof",
    stop_at_failure: bool = False,
    skip: Collection[str] = (),
) -> ProofRun:
    """Run all cells but those to skip, going on after failures unless told otherwise, until the deadline."""
    found = ProofRun()
    started = time.monotonic()
    runner = await _opened(prover, deadline)
    if runner is None:
        found.late, found.complete, found.seconds = True, False, time.monotonic() - started
        return found
    found.starting = time.monotonic() - started
    cells = runnable(notebook)
    counts: dict[int, str] = {}
    try:
        for number, cell in enumerate(cells, 1):
            if cell.id in skip:
                continue
            tell(CellStarted(number, len(cells), where))
            execution = await _in_time(runner, cell, deadline)
            if execution is None:
                found.late, found.complete = True, False
                break
            diagnosis = _keep(found, cell, execution, counts)
            error = sentence(diagnosis.error) if diagnosis else ""
            tell(CellEnded(number, len(cells), where, execution.seconds, error))
            ended = execution.status not in ("ok", "raised")
            if ended or (stop_at_failure and found.failures):
                found.complete = cell is cells[-1] and not ended
                break
    finally:
        await runner.close()
    found.seconds = time.monotonic() - started
    return found


async def _opened(prover: Prover, deadline: Deadline) -> Runner | None:
    """Return a kernel; None when the time for the notebook ended before it was up."""
    try:
        async with asyncio.timeout_at(deadline.at if deadline.at < math.inf else None):
            return await prover.open()
    except TimeoutError:
        return None


async def _in_time(runner: Runner, cell: Cell, deadline: Deadline) -> Execution | None:
    """Run a cell; None when the time for the notebook, not that for a cell, kept it from its end."""
    if deadline.passed:
        return None
    execution = await runner.run(cell.source, timeout=deadline.for_cell())
    return None if execution.status == "timed_out" and deadline.passed else execution


def _keep(found: ProofRun, cell: Cell, execution: Execution, counts: dict[int, str]) -> Diagnosis | None:
    found.executions[cell.id] = execution
    if execution.execution_count:
        counts[execution.execution_count] = cell.id
    if not failed(execution):
        return None
    diagnosis = diagnose(cell, execution, counts)
    meant = is_left_alone(cell) or is_stored(cell, diagnosis.execution)
    (found.meant if meant else found.failures)[cell.id] = diagnosis
    return diagnosis
