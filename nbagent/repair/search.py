"""Finds the fixes that make one failed cell run: proposes by rules, tries by running, composes what helps.

A candidate is tried from the checkpoint before the first cell that it changes. One with which the cell runs is taken
at once; one with which it gets further is built upon. Bounded in depth, in trials and in time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from nbagent.core.cells import Cell, ReplaceSource, SetKernel, Snapshot, digest
from nbagent.core.errors import NbAgentError, NotebookError
from nbagent.ports import Branch
from nbagent.repair.chain import Step, Trunk, drop, run_step, runnable
from nbagent.repair.diagnose import Diagnosis, diagnose, failed, is_left_alone, is_stored, reached
from nbagent.repair.guard import refusal
from nbagent.repair.probe import Probe
from nbagent.repair.report import Tried
from nbagent.repair.rule import Case, Fix, Rule

MOST_TRIALS = 60
"""Candidates that are run for one failing cell."""
MOST_CANDIDATES = 24
"""Candidates that are considered for one state of it."""
MOST_FIXES = 16
"""Fixes that are composed for one cell: long cells of old notebooks need ten and more."""


@dataclass(frozen=True)
class Proposed:
    """A fix with the rule that made it and the failure it is for."""

    rule: Rule
    fix: Fix
    error: str


@dataclass(frozen=True)
class Attempt:
    """The notebook with some fixes, run up to the failing cell. `diagnosis` is None when that cell ran."""

    notebook: Snapshot
    cell: Cell
    steps: tuple[Step, ...]
    diagnosis: Diagnosis | None
    fixes: tuple[Proposed, ...] = ()
    branch: Branch | None = None
    own: int = 0
    """From which step on this attempt ran the cells itself; those before are its parent's."""

    @property
    def how_far(self) -> tuple[int, int]:
        """How far the cell got; more than anything when it ran."""
        return (2, 0) if self.diagnosis is None else reached(self.cell, self.diagnosis)


def prefix_key(notebook: Snapshot, cell_id: str) -> str:
    """Return a name for what a run from the top executes up to and including this cell."""
    cells = runnable(notebook)
    position = next(n for n, cell in enumerate(cells) if cell.id == cell_id)
    return digest("\0".join(f"{cell.id}\0{cell.source}" for cell in cells[: position + 1]))


def counts_of(steps: Sequence[Step]) -> dict[int, str]:
    """Return which cell had which execution count."""
    return {step.execution.execution_count: step.cell.id for step in steps if step.execution.execution_count}


@dataclass
class Search:
    """The search for one failing cell. known: failures of the real kernel that the trial process does not show."""

    trunk: Trunk
    rules: Sequence[Rule]
    known: dict[str, Diagnosis]
    careful: bool = False
    """The file shows this error already, so that it may be meant: only fixes of the same cell that keep the meaning."""
    told: Callable[[str, str], None] = lambda rule, result: None
    tried: list[Tried] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)
    _made: list[Step] = field(default_factory=list)
    _trials: int = 0

    async def best(self, start: Attempt) -> Attempt:
        """Return the attempt that got furthest: `start` itself when nothing helped."""
        self._seen.add(_key(start.notebook))
        winner = await self._improve(start)
        kept = {id(step) for step in winner.steps}
        for step in self._made:
            if id(step) not in kept:
                await drop(step)
        return winner

    async def _improve(self, at: Attempt) -> Attempt:
        best = at
        for proposed in await self._candidates(at):
            if self._spent():
                break
            trial = await self._try(at, proposed)
            if trial is None:
                continue
            self._made += trial.steps[trial.own :]
            composes = trial.diagnosis is not None and len(trial.fixes) < MOST_FIXES
            deeper = await self._improve(trial) if composes else trial
            if deeper.diagnosis is None:
                return deeper
            best = max(best, deeper, key=lambda attempt: attempt.how_far)
        return best

    def _spent(self) -> bool:
        return self._trials >= MOST_TRIALS or self.trunk.until().passed

    async def _candidates(self, at: Attempt) -> list[Proposed]:
        """Ask every rule, and close the failed process: trying goes on from checkpoints."""
        if at.diagnosis is None:
            return []
        probe = Probe(lambda: self._failed_process(at), keep=self.trunk.branch)
        case = Case(
            notebook=at.notebook,
            cell=at.cell,
            execution=at.diagnosis.execution,
            lines=at.diagnosis.lines,
            frames=at.diagnosis.frames,
            ask=probe.ask,
        )
        error = f"{at.diagnosis.error.ename}: {at.diagnosis.error.evalue}"
        found: list[Proposed] = []
        for rule in self.rules:
            if self.careful and rule.confidence != "sure":
                continue
            found += [Proposed(rule, fix, error) for fix in await self._asked(rule, case)]
        if probe.broke_kept:
            self.trunk.branch = None
        await probe.close()
        if at.branch is not None:
            await at.branch.close()
        return found[:MOST_CANDIDATES]

    async def _failed_process(self, at: Attempt) -> Branch | None:
        """The process to ask in. The trunk is asked in a copy, since the run may have to go on from it."""
        if at.branch is not None:
            return at.branch
        tip = await self.trunk.hold()
        if tip is None or tip.tainted:
            return self.trunk.branch
        try:
            return await tip.resume()
        except NbAgentError:
            return None

    async def _asked(self, rule: Rule, case: Case) -> list[Fix]:
        found: list[Fix] = []
        try:
            async for fix in rule.candidates(case):
                found.append(fix)
                if len(found) >= MOST_CANDIDATES:
                    break
        except Exception as bug:  # rules are plug-ins: a bug in one must not cost the user the others' repairs
            self._note(rule, f"the rule itself failed ({type(bug).__name__}: {bug})", rule.name)
        return found

    def _note(self, rule: Rule, result: str, says: str) -> None:
        self.tried.append(Tried(rule=rule.code, says=says, result=result))
        self.told(rule.code, result)

    async def _try(self, at: Attempt, proposed: Proposed) -> Attempt | None:
        """Run one candidate; None unless the cell runs, gets further, or fails in another way."""
        after = self._applied(at, proposed)
        if after is None:
            return None
        self._trials += 1
        trial = await self._run(at, after, proposed)
        if isinstance(trial, str):
            self._note(proposed.rule, trial, proposed.fix.says)
            return None
        if trial.diagnosis is None:
            self._note(proposed.rule, "the cell runs", proposed.fix.says)
            return trial
        if trial.how_far > at.how_far or (trial.how_far == at.how_far and _differs(trial, at)):
            self._note(proposed.rule, f"the cell gets further: {trial.diagnosis.error.ename}", proposed.fix.says)
            return trial
        self._note(proposed.rule, f"did not help: {trial.diagnosis.error.ename}", proposed.fix.says)
        await _forget(trial)
        return None

    def _applied(self, at: Attempt, proposed: Proposed) -> Snapshot | None:
        fix = proposed.fix
        if self.careful and not all(isinstance(c, ReplaceSource) and c.cell_id == at.cell.id for c in fix.changes):
            return None
        if any(isinstance(change, SetKernel) for change in fix.changes):
            return None
        try:
            after = at.notebook.apply(fix.changes)
        except NotebookError as error:
            self._note(proposed.rule, f"could not be applied: {error}", fix.says)
            return None
        key = _key(after)
        if key in self._seen:
            return None
        self._seen.add(key)
        reason = refusal(at.notebook, after, fix)
        if reason is not None:
            self._note(proposed.rule, f"refused: {reason}", fix.says)
            return None
        return after

    async def _run(self, at: Attempt, after: Snapshot, proposed: Proposed) -> Attempt | str:
        old, new = runnable(at.notebook), runnable(after)
        target = next(n for n, cell in enumerate(new) if cell.id == at.cell.id)
        start = min(first_difference(old, new), target, len(at.steps) - 1)
        if self.trunk.tip is None:
            await self.trunk.hold()
        await self.trunk.leave()
        try:
            branch = await self.trunk.back_to(start, at.steps)
        except NbAgentError as error:
            return f"could not be tried: {error}"
        steps = list(at.steps[:start])
        for cell in new[start : target + 1]:
            step = await run_step(branch, cell, self.trunk.until().for_cell())
            steps.append(step)
            if cell.id != at.cell.id and not _as_good(step, at.steps):
                await branch.close()
                for made in steps[start:]:
                    await drop(made)
                return "breaks another cell"
        return self._outcome(at, after, proposed, steps, start, branch)

    def _outcome(
        self, at: Attempt, after: Snapshot, proposed: Proposed, steps: list[Step], start: int, branch: Branch
    ) -> Attempt | str:
        last = steps[-1]
        if not last.survived:
            return f"did not help: {last.execution.status.replace('_', ' ')}"
        diagnosis = self.known.get(prefix_key(after, at.cell.id))
        if failed(last.execution):
            diagnosis = diagnose(last.cell, last.execution, counts_of(steps))
        return replace(
            at,
            notebook=after,
            cell=last.cell,
            steps=tuple(steps),
            diagnosis=diagnosis,
            fixes=(*at.fixes, proposed),
            branch=branch,
            own=start,
        )


def first_difference(old: Sequence[Cell], new: Sequence[Cell]) -> int:
    """Return the position of the first cell that is another one or has another source."""
    for position, (one, other) in enumerate(zip(old, new, strict=False)):
        if (one.id, one.source) != (other.id, other.source):
            return position
    return min(len(old), len(new))


def _key(notebook: Snapshot) -> str:
    return digest("\0".join(f"{cell.id}\0{cell.source}" for cell in notebook.cells))


def _differs(one: Attempt, other: Attempt) -> bool:
    if one.diagnosis is None or other.diagnosis is None:
        return True
    a, b = one.diagnosis.error, other.diagnosis.error
    return (a.ename, a.evalue) != (b.ename, b.evalue) or one.diagnosis.lines != other.diagnosis.lines


def _as_good(step: Step, before: Sequence[Step]) -> bool:
    """Whether a cell above the repaired one does no worse than it did."""
    if not failed(step.execution):
        return True
    if not step.survived:
        return False
    earlier = next((other for other in before if other.cell.id == step.cell.id), None)
    if earlier is not None:
        return failed(earlier.execution)
    return is_left_alone(step.cell) or is_stored(step.cell, step.execution)


async def _forget(attempt: Attempt) -> None:
    if attempt.branch is not None:
        await attempt.branch.close()
    for step in attempt.steps[attempt.own :]:
        await drop(step)
