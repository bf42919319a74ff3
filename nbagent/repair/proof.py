"""The proof: the notebook is run from the top in a fresh, restricted, real kernel, and every cell is judged."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal, Protocol

from nbagent.core.cells import Cell, Snapshot
from nbagent.core.outputs import Execution
from nbagent.ports import ShowOutput
from nbagent.repair.cause import sentence
from nbagent.repair.chain import runnable
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

    @property
    def clean(self) -> bool:
        """Whether the notebook runs."""
        return self.complete and not self.failures


async def prove(
    prover: Prover,
    notebook: Snapshot,
    tell: Tell,
    *,
    where: Literal["first", "proof"] = "proof",
    stop_at_failure: bool = False,
    skip: Collection[str] = (),
    cell_timeout: float | None = None,
) -> ProofRun:
    """Run all cells but those to skip, going on after failures unless told otherwise."""
    found = ProofRun()
    counts: dict[int, str] = {}
    started = time.monotonic()
    cells = runnable(notebook)
    runner = await prover.open()
    try:
        for number, cell in enumerate(cells, 1):
            if cell.id in skip:
                continue
            tell(CellStarted(number, len(cells), where))
            execution = await runner.run(cell.source, timeout=cell_timeout)
            if execution.execution_count:
                counts[execution.execution_count] = cell.id
            diagnosis = _keep(found, cell, execution, counts)
            tell(
                CellEnded(number, len(cells), where, execution.seconds, sentence(diagnosis.error) if diagnosis else "")
            )
            ended = execution.status not in ("ok", "raised")
            if ended or (stop_at_failure and found.failures):
                found.complete = cell is cells[-1] and not ended
                break
    finally:
        await runner.close()
    found.seconds = time.monotonic() - started
    return found


def _keep(found: ProofRun, cell: Cell, execution: Execution, counts: dict[int, str]) -> Diagnosis | None:
    found.executions[cell.id] = execution
    if not failed(execution):
        return None
    diagnosis = diagnose(cell, execution, counts)
    meant = is_left_alone(cell) or is_stored(cell, diagnosis.execution)
    (found.meant if meant else found.failures)[cell.id] = diagnosis
    return diagnosis
