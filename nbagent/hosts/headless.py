"""A kernel for work without a front-end: accepted cells run in branches too, one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from nbagent.core.events import Event, Stopped, UserSpoke
from nbagent.core.outputs import Execution
from nbagent.core.proposal import Proposal, Verdict
from nbagent.core.tools import AskUser
from nbagent.ports import Branch, Checkpoint, Progress, Sandbox, ShowOutput


class BranchKernel:
    """`ports.Kernel` and `ports.Sandbox` in one: its live state is a checkpoint that trials and accepted cells resume.

    A cell that ends its process leaves the state as it was before the cell.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._state: Checkpoint | None = None
        self._names: dict[str, str] = {}

    async def open(self) -> Branch:
        """Return a branch with the variables and files as the accepted cells left them."""
        return await (self._sandbox.open() if self._state is None else self._state.resume())

    async def run(self, cell_id: str, source: str, *, show: ShowOutput | None = None) -> Execution:
        """Run an accepted cell."""
        branch = await self.open()
        try:
            done = await branch.run(source, show=show)
            if done.status in ("ok", "raised"):
                before, self._state = self._state, await branch.checkpoint()
                if before is not None:
                    await before.drop()
        finally:
            await branch.close()
        for change in done.state.names if done.state else ():
            self._names.pop(change.name, None)
            if change.change != "deleted":
                self._names[change.name] = change.after or ""
        return done

    async def variables(self) -> Sequence[tuple[str, str]]:
        """Return what the accepted cells made."""
        return tuple(self._names.items())

    async def close(self) -> None:
        """End every branch."""
        await self._sandbox.close()


class Nobody:
    """`ports.User` where no person is: policy decides, questions go back to the model. `watch` is told what happens."""

    def __init__(self, *watch: Watcher) -> None:
        self._watch = watch
        self._inbox: asyncio.Queue[UserSpoke | Stopped] = asyncio.Queue()

    def show(self, news: Event | Progress) -> None:
        """Tell the watchers."""
        for watcher in self._watch:
            watcher.show(news)

    async def hear(self) -> UserSpoke | Stopped:
        """Wait for `stop`."""
        return await self._inbox.get()

    def stop(self) -> None:
        """End the turn at once; what was accepted is kept."""
        self._inbox.put_nowait(Stopped())

    async def judge(self, proposal: Proposal) -> Verdict:
        """Reject: nobody is there who could accept."""
        return Verdict(answer="reject", run=False, comment="Nobody is there to accept it.")

    async def reply(self, question: AskUser) -> str:
        """Send the question back."""
        return "Nobody is there to answer. Decide yourself, and say in your final words what you assumed."


class Watcher:
    """Is told what happens; base of the views."""

    def show(self, news: Event | Progress) -> None:
        """Take notice."""
        raise NotImplementedError  # an abstract method: every view has its own
