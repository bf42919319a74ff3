"""Repairs one notebook: first run, search, proof, and again where the proof shows what the trial process hid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nbagent.core.cells import Snapshot
from nbagent.ports import Sandbox
from nbagent.repair.cause import cause_of, module_of, sentence
from nbagent.repair.chain import runnable
from nbagent.repair.deadline import Deadline
from nbagent.repair.diagnose import Lost, follows_perhaps, follows_surely
from nbagent.repair.engine import Engine, Record
from nbagent.repair.guard import loses_too_much
from nbagent.repair.helpers import Failing, Helpers
from nbagent.repair.proof import ProofRun, Prover, prove
from nbagent.repair.report import Applied, CellReport, Proof, Repair, RepairState, Report, Tell
from nbagent.repair.rule import Rule
from nbagent.repair.search import prefix_key

MOST_ROUNDS = 4
"""Proof runs for one notebook; each further one follows from a failure that only a real kernel shows."""
MOST_MODULES = 8
"""Times that a module beside the notebook is repaired for one notebook."""


@dataclass(frozen=True)
class Limits:
    """How long a repair may take: all of it, and one cell."""

    seconds: float = 3600.0
    cell_seconds: float = 180.0

    def from_now(self) -> Deadline:
        """Return when work that begins now must end."""
        return Deadline.after(self.seconds, self.cell_seconds)


@dataclass(frozen=True)
class Bench:
    """What a repair works with."""

    sandbox: Sandbox
    prover: Prover
    rules: Sequence[Rule]
    tell: Tell
    limits: Limits = Limits()
    helpers: Helpers | None = None
    """The modules beside the notebook, where they may be repaired too."""


async def check(notebook: Snapshot, bench: Bench) -> Repair:
    """Run the notebook as it is, to its last cell, and say what fails."""
    run = await prove(bench.prover, notebook, bench.tell, bench.limits.from_now(), where="first")
    return _as_it_is(notebook, notebook, bench, run, None)


async def repair(notebook: Snapshot, bench: Bench, kernel_fix: Applied | None = None) -> Repair:
    """Return the repaired notebook with its proof; `kernel_fix` was applied before, since it decides what runs it.

    A notebook that runs clean as it is costs one run, and that run is the proof. Where a module beside it fails, that
    is repaired first, and the notebook again with the module as it is then.
    """
    deadline = bench.limits.from_now()
    done = await _repair_cells(notebook, bench, kernel_fix, deadline)
    helpers = bench.helpers
    for _ in range(MOST_MODULES):
        failing = next(iter(done.in_modules), None)
        if helpers is None or failing is None or deadline.passed:
            break
        kept = helpers.state()
        if not await helpers.mend(Failing(done.after, failing, bench.sandbox, deadline), bench.rules):
            break
        again = await _repair_cells(notebook, bench, kernel_fix, deadline)
        if again.report.time_limit is not None and again.report.state != "partly repaired":
            helpers.restore(kept)  # what was proved before stays proved without them
            break
        done = again
    return done if helpers is None or not helpers.fixes else _with_modules(done, helpers)


def _in_modules(records: dict[str, Record]) -> tuple[str, ...]:
    broken = [(i, r.diagnosis) for i, r in records.items() if r.state == "broken" and r.diagnosis]
    return tuple(i for i, diagnosis in broken if module_of(diagnosis.frames))


def _with_modules(done: Repair, helpers: Helpers) -> Repair:
    state: RepairState = "repaired" if done.report.state == "clean" else done.report.state
    if state == "broken":
        state = "partly repaired"
    report = done.report.model_copy(update={"state": state, "fixes": (*helpers.fixes, *done.report.fixes)})
    return replace(done, report=report, modules=helpers.modules())


async def _repair_cells(notebook: Snapshot, bench: Bench, kernel_fix: Applied | None, deadline: Deadline) -> Repair:
    before = notebook if kernel_fix is None else _without_kernel_fix(notebook, kernel_fix)
    first = await prove(bench.prover, notebook, bench.tell, deadline, where="first", stop_at_failure=True)
    if first.clean or first.late:
        return _as_it_is(before, notebook, bench, first, kernel_fix)
    engine = Engine(
        sandbox=bench.sandbox,
        rules=bench.rules,
        notebook=notebook,
        tell=bench.tell,
        deadline=deadline,
        starting=first.starting,
    )
    for cell_id, diagnosis in first.failures.items():
        engine.known[prefix_key(notebook, cell_id)] = diagnosis
    await engine.work()
    proved = await _proved(engine, bench, first) if engine.fixes or kernel_fix else None
    fixes = (kernel_fix, *engine.fixes) if kernel_fix else tuple(engine.fixes)
    return _account(before, engine, bench, fixes, proved)


def _without_kernel_fix(notebook: Snapshot, fix: Applied) -> Snapshot:
    expected = next((change.expects for change in fix.changes if change.kind == "kernel"), notebook.kernel)
    return notebook.model_copy(update={"kernel": expected})


@dataclass(frozen=True)
class _Proved:
    run: ProofRun
    problem: str | None = None


async def _proved(engine: Engine, bench: Bench, first: ProofRun) -> _Proved:
    """Prove the engine's notebook; what only the real kernel shows goes back to the engine, a few times."""
    for _ in range(MOST_ROUNDS):
        skip = [
            i for i, r in engine.records.items() if r.diagnosis and r.diagnosis.execution.status not in ("ok", "raised")
        ]
        skip += [i for i, r in engine.records.items() if r.state == "not run"]
        run = await prove(bench.prover, engine.notebook, bench.tell, engine.deadline, skip=skip)
        if run.late:
            return _Proved(run, f"the time for the notebook ({engine.deadline.seconds:g} s) ended during the proof run")
        surprises = {i: d for i, d in run.failures.items() if engine.records.get(i, Record("ok")).state == "ok"}
        if not surprises:
            return _Proved(run, _worse_than_tried(engine, run))
        changed = await engine.rework(surprises)
        if not changed:
            return _Proved(run, await _got_worse(engine, bench, first, run, list(surprises)))
    return _Proved(run, "the proof run still shows other failures than the trial after several rounds")


def _worse_than_tried(engine: Engine, run: ProofRun) -> str | None:
    """Changed cells must have run in the proof, as far as they did in the trial."""
    for fix in engine.fixes:
        record = engine.records.get(fix.cell)
        if fix.cell not in run.executions and record is not None and record.state == "ok":
            return "the proof run ended before a repaired cell was reached"
    return None


async def _got_worse(engine: Engine, bench: Bench, first: ProofRun, run: ProofRun, surprises: list[str]) -> str | None:
    """Whether cells that fail in the proof ran in the original notebook, in the same kind of kernel."""
    changed = {fix.cell for fix in engine.fixes} | {
        c.cell_id for f in engine.fixes for c in f.changes if c.kind == "replace"
    }
    if changed & set(surprises):
        return "a repaired cell does not run in a real kernel"
    ran = {i for i, execution in first.executions.items() if i not in first.failures}
    if ran & set(surprises):
        return "a cell that ran before does not run after the repair"
    return None


def _as_it_is(before: Snapshot, notebook: Snapshot, bench: Bench, run: ProofRun, kernel_fix: Applied | None) -> Repair:
    """The account of a run without the engine: everything ran, or nothing was to be repaired."""
    records = {i: Record("intended", d) for i, d in run.meant.items()}
    lost: list[Lost] = []
    for cell in runnable(notebook):
        failure = run.failures.get(cell.id)
        if failure is not None:
            root = follows_surely(failure.execution, lost) or follows_perhaps(cell, failure.execution, lost)
            records[cell.id] = Record("follows" if root else "broken", failure, root.id if root else None)
            lost.append(Lost(cell, failure.lines[0] if failure.lines else 1))
        elif cell.id not in run.executions:
            records[cell.id] = Record("not run")
    state: RepairState = "broken" if not run.clean else "repaired" if kernel_fix else "clean"
    report = Report(
        notebook=notebook.path,
        state=state,
        fixes=(kernel_fix,) if kernel_fix else (),
        cells=_cell_reports(notebook, records),
        proof=_proof(bench, run),
        seconds=run.seconds,
        time_limit=bench.limits.seconds if run.late else None,
    )
    return Repair(report, before, notebook, run.executions, in_modules=_in_modules(records))


def _account(
    before: Snapshot, engine: Engine, bench: Bench, fixes: tuple[Applied, ...], proved: _Proved | None
) -> Repair:
    records = _as_proved(engine.records, proved.run) if proved else engine.records
    left = any(record.state in ("broken", "follows", "not run") for record in records.values())
    late = any(record.state == "not run" for record in records.values()) or bool(proved and proved.run.late)
    problem = proved.problem if proved else None
    if problem is None and fixes and loses_too_much(before, engine.notebook):
        problem = "the fixes together would remove too much of the notebook's code"
    state: RepairState
    if problem is not None:
        state = "not proved"
    elif not fixes:
        state = "broken" if left else "clean"
    else:
        state = "partly repaired" if left else "repaired"
    report = Report(
        notebook=before.path,
        state=state,
        fixes=fixes,
        cells=_cell_reports(engine.notebook, records),
        proof=_proof(bench, proved.run) if proved else None,
        problem=problem,
        time_limit=bench.limits.seconds if late else None,
    )
    after = before if problem is not None else engine.notebook
    outputs = proved.run.executions if proved else {}
    return Repair(report, before, after, outputs, in_modules=_in_modules(records))


def _as_proved(records: dict[str, Record], run: ProofRun) -> dict[str, Record]:
    """What a real kernel shows counts: a cell that fails only in the trial process is fine."""
    fine = run.executions.keys() - run.failures.keys() - run.meant.keys()
    return {i: Record("ok") if i in fine else record for i, record in records.items()}


def _proof(bench: Bench, run: ProofRun) -> Proof:
    return Proof(kernel=bench.prover.kernel, seconds=run.seconds, cells=len(run.executions), clean=run.clean)


def _cell_reports(notebook: Snapshot, records: dict[str, Record]) -> tuple[CellReport, ...]:
    numbers = {cell.id: number for number, cell in enumerate(runnable(notebook), 1)}
    return tuple(
        _cell_report(cell.id, numbers, records[cell.id])
        for cell in runnable(notebook)
        if cell.id in records and records[cell.id].state != "ok"
    )


def _cell_report(cell_id: str, numbers: dict[str, int], record: Record) -> CellReport:
    diagnosis = record.diagnosis
    return CellReport(
        cell=cell_id,
        number=numbers[cell_id],
        state=record.state,
        error=sentence(diagnosis.error) if diagnosis else "",
        after=numbers.get(record.after) if record.after else None,
        cause=cause_of(diagnosis.execution, diagnosis.frames) if diagnosis and record.state == "broken" else None,
        tried=record.tried,
        partly=record.partly,
    )
