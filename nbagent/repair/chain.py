"""The straight run of a notebook's cells, with a checkpoint before each one, and the way back to any of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from nbagent.core.cells import Cell, Snapshot
from nbagent.core.errors import SandboxError
from nbagent.core.outputs import Execution
from nbagent.ports import Branch, Checkpoint, Sandbox
from nbagent.repair.deadline import Deadline


def runnable(notebook: Snapshot) -> tuple[Cell, ...]:
    """Return the cells that a run executes: code cells with something in them."""
    return tuple(cell for cell in notebook.cells if cell.kind == "code" and cell.source.strip())


@dataclass(frozen=True)
class Step:
    """One cell that was run, and the state just before it. `before` is None where none could be taken."""

    cell: Cell
    execution: Execution
    before: Checkpoint | None = None

    @property
    def survived(self) -> bool:
        """Whether the process lived on after the cell."""
        return self.execution.status in ("ok", "raised")


async def take(branch: Branch) -> Checkpoint | None:
    """Return a checkpoint, or None when this state cannot be kept; going back then means running again."""
    try:
        return await branch.checkpoint()
    except SandboxError:
        return None


async def run_step(branch: Branch, cell: Cell, timeout: float | None) -> Step:
    """Run a cell after taking the checkpoint before it."""
    before = await take(branch)
    return Step(cell, await branch.run(cell.source, timeout=timeout), before)


@dataclass
class Trunk:
    """The run so far. `steps` are what was kept; `branch` is the process after the last step, if it still lives.

    until: when running must end, asked before each cell.
    """

    sandbox: Sandbox
    until: Callable[[], Deadline] = Deadline
    steps: list[Step] = field(default_factory=list)
    branch: Branch | None = None
    tip: Checkpoint | None = None
    """The state after the last step, where somebody asked for it."""

    async def run(self, cell: Cell) -> Step:
        """Run the next cell and keep the step; after a crash or a time limit the next cell starts before it again."""
        if self.branch is None:
            self.branch = await self.back_to(len(self.steps), self.steps)
        await self._forget_tip()
        step = await run_step(self.branch, cell, self.until().for_cell())
        self.steps.append(step)
        if not step.survived:
            await self.leave()
        return step

    async def hold(self) -> Checkpoint | None:
        """Return the state after the last step, so that looking around or trying fixes does not disturb it."""
        if self.tip is None and self.branch is not None:
            self.tip = await take(self.branch)
        return self.tip

    async def leave(self) -> None:
        """Close the running process; the steps and their checkpoints stay."""
        if self.branch is not None:
            await self.branch.close()
            self.branch = None

    async def back_to(self, position: int, steps: Sequence[Step]) -> Branch:
        """Return a branch as it was before step `position`: from the nearest clean checkpoint, else from the top.

        Steps between that checkpoint and `position` are run again.
        """
        for start in range(position, -1, -1):
            branch = await self._resumed(start, steps)
            if branch is not None:
                break
        else:
            start, branch = 0, await self.sandbox.open()
        for step in steps[start:position]:
            if step.survived:
                execution = await branch.run(step.cell.source, timeout=self.until().for_cell())
                if execution.status not in ("ok", "raised"):
                    raise SandboxError(f"A cell that ran before did not survive being run again: {execution.detail}.")
        return branch

    async def _resumed(self, position: int, steps: Sequence[Step]) -> Branch | None:
        checkpoint = steps[position].before if position < len(steps) else self.tip if steps is self.steps else None
        if checkpoint is None or checkpoint.tainted:
            return None
        try:
            return await checkpoint.resume()
        except SandboxError:
            return None

    async def replace(self, start: int, steps: Sequence[Step], branch: Branch | None) -> None:
        """Go on from other steps from `start` on: what was kept of the old ones is freed."""
        kept = {id(step) for step in steps}
        await self._forget_tip()
        for step in self.steps[start:]:
            if id(step) not in kept:
                await drop(step)
        if self.branch is not branch:
            await self.leave()
        self.steps[start:] = list(steps)
        self.branch = branch

    async def _forget_tip(self) -> None:
        if self.tip is not None:
            await self.tip.drop()
            self.tip = None


async def drop(step: Step) -> None:
    """Free what a step keeps."""
    if step.before is not None:
        await step.before.drop()
