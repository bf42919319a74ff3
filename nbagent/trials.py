"""The branch of a turn: opened by the first trial, thrown away by a fresh start, a crash, or accepted code."""

from __future__ import annotations

from nbagent.core.cells import Cell, Snapshot
from nbagent.core.proposal import Trial
from nbagent.core.tools import TryCode
from nbagent.ports import Branch, Sandbox, ShowOutput


class Trials:
    """Runs what `try_code` orders, one piece after the other."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._branch: Branch | None = None
        self._ran: set[tuple[str, str]] = set()

    async def tried(self, order: TryCode, notebook: Snapshot, show: ShowOutput) -> tuple[Trial, ...]:
        """Run the cells that `after` asks for, the alternatives, then the code; stop when a cell fails.

        Cancelling ends the branch. Raises `UnknownCell`, `SandboxError` and `CannotConfine`.
        """
        cells = [] if order.after is None else notebook.cells[: notebook.index(order.after) + 1]
        if order.fresh:
            await self.close()
        done: list[Trial] = []
        for cell in cells:
            if cell.kind == "code" and (cell.id, cell.digest) not in self._ran:
                trial = await self._run(cell.source, show, cell)
                done.append(trial)
                if not trial.worked:
                    return tuple(done)
                self._ran.add((cell.id, cell.digest))
        if order.alternatives:
            done += await self._side_by_side(order.alternatives, show)
        return (*done, await self._run(order.code, show))

    async def _side_by_side(self, sources: tuple[str, ...], show: ShowOutput) -> list[Trial]:
        """Each from the same start, of which nothing remains."""
        branch = await self._opened()
        checkpoint = await branch.checkpoint()
        done: list[Trial] = []
        try:
            for source in sources:
                copy = await checkpoint.resume()
                try:
                    done.append(Trial(source=source, execution=await copy.run(source, show=show), alternative=True))
                finally:
                    await copy.close()
            await branch.close()
            self._branch = await checkpoint.resume()  # with the files as they were, too
        finally:
            await checkpoint.drop()
        return done

    async def _run(self, source: str, show: ShowOutput, cell: Cell | None = None) -> Trial:
        branch = await self._opened()
        try:
            done = await branch.run(source, show=show)
        except BaseException:
            await self.close()
            raise
        if done.status not in ("ok", "raised"):
            await self.close()
        if cell is None:
            return Trial(source=source, execution=done)
        may_raise = "raises-exception" in cell.tags
        return Trial(source=source, execution=done, cell_id=cell.id, may_raise=may_raise)

    async def _opened(self) -> Branch:
        if self._branch is None:
            self._branch = await self._sandbox.open()
        return self._branch

    async def close(self) -> None:
        """End the branch; the next trial opens another one."""
        branch, self._branch = self._branch, None
        self._ran.clear()
        if branch is not None:
            await branch.close()
