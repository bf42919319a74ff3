"""Modules beside a notebook that fail for the same reasons as its cells: found, repaired by the same rules, tried.

A module is shown to trials and proofs with its new text; the file itself is written by the host, and only with what
was proved.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from nbagent.core.cells import Cell, Snapshot
from nbagent.core.errors import NbAgentError, NotebookError
from nbagent.ports import Branch, Sandbox
from nbagent.repair.chain import runnable
from nbagent.repair.deadline import Deadline
from nbagent.repair.diagnose import Diagnosis, diagnose, failed
from nbagent.repair.guard import refusal
from nbagent.repair.probe import Probe
from nbagent.repair.report import Applied, Module
from nbagent.repair.rule import Case, Fix, Frame, Rule

MOST_FIXES = 12
"""Fixes that are composed for one module before it is given up."""
MOST_CANDIDATES = 8
_MOST_BYTES = 2_000_000

Show = Callable[[Mapping[str, str]], None]
"""Lets sandboxes and kernels that are opened from now on see these files with these texts."""


@dataclass(frozen=True)
class Failing:
    """A cell of a notebook that fails in a module, and where and how long it may be run."""

    notebook: Snapshot
    cell_id: str
    sandbox: Sandbox
    deadline: Deadline


@dataclass
class Helpers:
    """The modules of one notebook. folder: only files in it are touched. texts: new texts by path; what was proved."""

    folder: Path
    show: Show
    texts: dict[str, str] = field(default_factory=dict)
    fixes: list[Applied] = field(default_factory=list)
    _read: dict[str, str] = field(default_factory=dict)

    def modules(self) -> tuple[Module, ...]:
        """Return what was repaired."""
        return tuple(Module(path, self._read[path], text) for path, text in self.texts.items())

    def state(self) -> tuple[dict[str, str], list[Applied]]:
        """Return what `restore` takes back to."""
        return dict(self.texts), list(self.fixes)

    def restore(self, state: tuple[dict[str, str], list[Applied]]) -> None:
        """Forget what was repaired since."""
        self.texts, self.fixes = dict(state[0]), list(state[1])
        self.show(self.texts)

    async def mend(self, failing: Failing, rules: Sequence[Rule]) -> bool:
        """Repair the module in which a cell fails, as far as that makes the cell run or fail elsewhere."""
        before = self.state()
        for _ in range(MOST_FIXES):
            run = await self._run(failing)
            if run is None or run.path is None:
                break
            found = await self._candidates(run, rules)
            await run.branch.close()
            if not await self._first_that_helps(run, found, failing):
                break
        last = await self._run(failing)
        if last is not None:
            await last.branch.close()
        if last is None or (last.diagnosis is not None and last.path is not None):
            self.restore(before)
        return self.texts != before[0]

    async def _run(self, failing: Failing) -> _Run | None:
        """Run the notebook up to the cell; None when the process or the time ended."""
        if failing.deadline.passed:
            return None
        try:
            branch = await failing.sandbox.open()
        except NbAgentError:
            return None
        for cell in runnable(failing.notebook):
            execution = await branch.run(cell.source, timeout=failing.deadline.for_cell())
            if execution.status not in ("ok", "raised"):
                return None
            if cell.id == failing.cell_id:
                diagnosis = diagnose(cell, execution, {execution.execution_count or 0: cell.id})
                broken = failed(execution)
                path = self._module(diagnosis) if broken else None
                return _Run(branch, diagnosis if broken else None, path)
        await branch.close()
        return None

    def _module(self, diagnosis: Diagnosis) -> str | None:
        """Return the innermost module of the folder that the failure passes through."""
        for frame in reversed(diagnosis.frames):
            if frame.path is None:
                continue
            path = Path(frame.path).expanduser()
            path = path if path.is_absolute() else self.folder / path
            with contextlib.suppress(OSError):
                inside = path.resolve().is_relative_to(self.folder.resolve()) and "site-packages" not in path.parts
                if inside and path.suffix == ".py" and path.is_file() and path.stat().st_size < _MOST_BYTES:
                    return str(path.resolve())
        return None

    def text(self, path: str) -> str:
        """Return a module's text as it is now, with what was repaired."""
        if path not in self._read:
            self._read[path] = Path(path).read_bytes().decode("utf-8")
        return self.texts.get(path, self._read[path])

    async def _candidates(self, run: _Run, rules: Sequence[Rule]) -> list[_Proposed]:
        assert run.path is not None
        assert run.diagnosis is not None
        case = self._case(run, run.path, run.diagnosis)
        if case is None:
            return []
        probe = Probe(run.itself)
        case = replace(case, ask=probe.ask)
        found = []
        for rule in rules:
            try:
                async for fix in rule.candidates(case):
                    found.append(_Proposed(rule, fix, case))
            except Exception:  # as in the search: a bug in one rule must not cost the others' repairs
                continue
        return found[:MOST_CANDIDATES]

    def _case(self, run: _Run, path: str, diagnosis: Diagnosis) -> Case | None:
        """Return the failure as if the module were a notebook of one cell."""
        try:
            cell = Cell(id=path, kind="code", source=self.text(path))
        except (OSError, UnicodeDecodeError):
            return None
        here = [frame for frame in diagnosis.frames if frame.path and Path(frame.path).name == Path(path).name]
        frames = tuple(Frame(line=frame.line, cell_id=path, function=frame.function) for frame in here)
        return Case(
            notebook=Snapshot(path=path, cells=(cell,)),
            cell=cell,
            execution=diagnosis.execution,
            lines=tuple(frame.line for frame in frames),
            frames=frames,
            file=path,
        )

    async def _first_that_helps(self, run: _Run, found: list[_Proposed], failing: Failing) -> bool:
        """Keep the first candidate with which the cell runs or fails otherwise; tell whether there was one."""
        assert run.path is not None
        before = dict(self.texts)
        for proposed in found:
            text = proposed.text()
            if text is None or text == self.text(run.path):
                continue
            self.texts = {**before, run.path: text}
            self.show(self.texts)
            after = await self._run(failing)
            if after is not None:
                await after.branch.close()
                if after.diagnosis is None or after.error != run.error:
                    self.fixes.append(proposed.applied(run, failing.cell_id))
                    return True
        self.texts = before
        self.show(self.texts)
        return False


@dataclass(frozen=True)
class _Run:
    """A process in which a cell was run; `path` is the module that failed, `diagnosis` None when nothing did."""

    branch: Branch
    diagnosis: Diagnosis | None
    path: str | None

    async def itself(self) -> Branch:
        return self.branch

    @property
    def error(self) -> tuple[object, ...]:
        """What tells one failure from another."""
        if self.diagnosis is None:
            return ()
        error = self.diagnosis.error
        return error.ename, error.evalue, tuple((frame.path, frame.line) for frame in self.diagnosis.frames)


@dataclass(frozen=True)
class _Proposed:
    rule: Rule
    fix: Fix
    case: Case

    def text(self) -> str | None:
        """Return the module's new text; None when the fix is none for a module."""
        try:
            after = self.case.notebook.apply(self.fix.changes)
        except NotebookError:
            return None
        if len(after.cells) != 1 or refusal(self.case.notebook, after, self.fix) is not None:
            return None
        return after.cells[0].source

    def applied(self, run: _Run, cell_id: str) -> Applied:
        assert run.diagnosis is not None
        return Applied(
            rule=self.rule.code,
            name=self.rule.name,
            confidence=self.rule.confidence,
            says=self.fix.says,
            cell=cell_id,
            file=run.path,
            error=f"{run.diagnosis.error.ename}: {run.diagnosis.error.evalue}",
            changes=(),
        )
