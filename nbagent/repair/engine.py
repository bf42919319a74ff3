"""Runs a notebook top to bottom, repairs each root failure with a fix that is proved by running, and goes on.

Nothing is written here: the result is the notebook as it would be, with an account of every cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from nbagent.core.cells import Cell, Snapshot
from nbagent.ports import Sandbox
from nbagent.repair.cause import sentence
from nbagent.repair.chain import Step, Trunk, runnable
from nbagent.repair.deadline import Deadline
from nbagent.repair.diagnose import (
    Diagnosis,
    Lost,
    diagnose,
    failed,
    follows_perhaps,
    follows_surely,
    is_left_alone,
    is_stored,
)
from nbagent.repair.report import Applied, CellEnded, CellStarted, CellState, FixTried, Tell, Tried
from nbagent.repair.rule import Rule
from nbagent.repair.search import Attempt, Search, counts_of, prefix_key


@dataclass(frozen=True)
class Record:
    """What is known of one cell. after: the id of the failed cell that this failure follows from."""

    state: CellState
    diagnosis: Diagnosis | None = None
    after: str | None = None
    tried: tuple[Tried, ...] = ()
    partly: bool = False


@dataclass
class Engine:
    """The work on one notebook. `notebook`, `fixes` and `records` are the result; `work` may be called again.

    starting: seconds that a kernel for the proof takes to start.
    """

    sandbox: Sandbox
    rules: Sequence[Rule]
    notebook: Snapshot
    tell: Tell
    deadline: Deadline
    starting: float = 0.0
    fixes: list[Applied] = field(default_factory=list)
    records: dict[str, Record] = field(default_factory=dict)
    known: dict[str, Diagnosis] = field(default_factory=dict)
    """Failures of the real kernel, by `prefix_key`: some do not show in a process with many modules loaded."""

    def __post_init__(self) -> None:
        self._trunk = Trunk(self.sandbox, self._until)

    async def work(self) -> None:
        """Run what has not run yet, to the last cell or to the deadline."""
        while len(self._trunk.steps) < len(cells := runnable(self.notebook)):
            cell = cells[len(self._trunk.steps)]
            if self._until().passed:
                for left in cells[len(self._trunk.steps) :]:
                    self.records[left.id] = Record("not run")
                return
            await self._one(cell, len(cells))

    def _until(self) -> Deadline:
        """Return when to stop looking for fixes: the proof will run all of this again, in the same time."""
        again = sum(step.execution.seconds for step in self._trunk.steps if step.survived)
        return self.deadline.earlier(self.starting + again)

    async def rework(self, failures: dict[str, Diagnosis]) -> bool:
        """Go back to cells that failed in a real kernel only, by id; return whether that led to another notebook."""
        before = self.notebook
        cells = runnable(self.notebook)
        for cell_id, diagnosis in failures.items():
            self.known[prefix_key(self.notebook, cell_id)] = diagnosis
        first = min(position for position, cell in enumerate(cells) if cell.id in failures)
        await self._trunk.replace(first, (), None)
        await self.work()
        return self.notebook != before

    async def _one(self, cell: Cell, total: int) -> None:
        number = len(self._trunk.steps) + 1
        self.tell(CellStarted(number, total, "trial"))
        known = self.known.get(prefix_key(self.notebook, cell.id))
        if known is not None and known.execution.status not in ("ok", "raised"):
            step = Step(cell, known.execution)
            self._trunk.steps.append(step)
        else:
            step = await self._trunk.run(cell)
        if step.execution.status == "timed_out" and self._until().passed:
            await self._trunk.replace(number - 1, (), None)  # the cell itself may be fine
            return
        diagnosis = self._diagnosis(step, known)
        error = sentence(diagnosis.error) if diagnosis else ""
        self.tell(CellEnded(number, total, "trial", step.execution.seconds, error))
        if diagnosis is None:
            self.records[cell.id] = Record("ok")
        elif is_left_alone(cell):
            self.records[cell.id] = Record("intended", diagnosis)
        else:
            await self._failure(step, diagnosis)

    def _diagnosis(self, step: Step, known: Diagnosis | None) -> Diagnosis | None:
        if failed(step.execution):
            return diagnose(step.cell, step.execution, counts_of(self._trunk.steps))
        return known

    async def _failure(self, step: Step, diagnosis: Diagnosis) -> None:
        cell, stored = step.cell, is_stored(step.cell, diagnosis.execution)
        root = follows_surely(diagnosis.execution, self._lost())
        if root is not None:
            self.records[cell.id] = Record("intended" if stored else "follows", diagnosis, root.id)
            return
        self.records[cell.id] = Record("broken", diagnosis)
        if not step.survived or (stored and diagnosis.error.ename == "NameError"):
            self._settle(cell, diagnosis, (), stored=stored)
            return
        search = Search(self._trunk, self.rules, self.known, careful=stored, told=self._tried)
        start = Attempt(self.notebook, cell, tuple(self._trunk.steps), diagnosis)
        start_reach = start.how_far
        best = await search.best(start)
        if best.fixes and best.how_far > start_reach:
            await self._accept(best, stored=stored, tried=tuple(search.tried))
        else:
            self._settle(cell, diagnosis, tuple(search.tried), stored=stored)

    def _tried(self, rule: str, result: str) -> None:
        self.tell(FixTried(len(self._trunk.steps), rule, result))

    def _settle(self, cell: Cell, diagnosis: Diagnosis, tried: tuple[Tried, ...], *, stored: bool) -> None:
        """Record a failure that stays."""
        root = None if stored else follows_perhaps(cell, diagnosis.execution, self._lost(cell.id))
        state: CellState = "intended" if stored else "follows" if root else "broken"
        self.records[cell.id] = Record(state, diagnosis, root.id if root else None, tried)

    def _lost(self, until: str | None = None) -> list[Lost]:
        """Return the cells above that failed for good, in order."""
        found = []
        for step in self._trunk.steps:
            if step.cell.id == until:
                break
            record = self.records.get(step.cell.id)
            if record and record.diagnosis and record.state in ("broken", "follows"):
                found.append(Lost(step.cell, record.diagnosis.lines[0] if record.diagnosis.lines else 1))
        return found

    async def _accept(self, best: Attempt, *, stored: bool, tried: tuple[Tried, ...]) -> None:
        """Make an attempt the notebook, and its run the run."""
        self.notebook = best.notebook
        own = next((n for n, (a, b) in enumerate(zip(best.steps, self._trunk.steps, strict=False)) if a is not b), None)
        start = min(len(best.steps), len(self._trunk.steps)) if own is None else own
        await self._trunk.replace(start, best.steps[start:], best.branch if best.diagnosis is None else None)
        for proposed in best.fixes:
            self.fixes.append(
                Applied(
                    rule=proposed.rule.code,
                    name=proposed.rule.name,
                    confidence=proposed.rule.confidence,
                    says=proposed.fix.says,
                    cell=best.cell.id,
                    error=proposed.error,
                    stored=stored,
                    changes=proposed.fix.changes,
                )
            )
        for step in best.steps[start:]:
            self._judge_again(step)
        if best.diagnosis is not None:
            self.records[best.cell.id] = Record("broken", best.diagnosis, None, tried, partly=True)

    def _judge_again(self, step: Step) -> None:
        if not failed(step.execution):
            self.records[step.cell.id] = Record("ok")
            return
        record = self.records.get(step.cell.id)
        meant = is_left_alone(step.cell) or is_stored(step.cell, step.execution)
        diagnosis = diagnose(step.cell, step.execution, counts_of(self._trunk.steps))
        state: CellState = record.state if record and record.state != "ok" else "intended" if meant else "broken"
        self.records[step.cell.id] = Record(state, diagnosis, record.after if record else None)
