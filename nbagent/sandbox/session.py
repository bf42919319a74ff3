"""One keeper with its nodes: forking them, killing them, keeping some as checkpoints, and handing over their files."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Iterable

from pydantic import BaseModel, JsonValue, ValidationError

from nbagent.core.errors import SandboxError
from nbagent.sandbox import processes
from nbagent.sandbox.access import Access
from nbagent.sandbox.base import Pipes, Started
from nbagent.sandbox.keeping import Kept, cheapest, surplus
from nbagent.sandbox.secrets import NEVER_WRITTEN
from nbagent.sandbox.watchdog import Watchdog
from nbagent.sandbox.wire import Gone, Wire

_ANSWER_SECONDS = 60.0
_HAND_OVER_SECONDS = 600.0
_SHARE_OF_LIMIT, _SHARE_OF_MACHINE = 0.75, 0.4


class Carried(BaseModel, frozen=True):
    """What was carried into one real folder: names relative to it, and what stayed as it was, each with the reason."""

    written: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    kept_back: tuple[tuple[str, str], ...] = ()


class HandedOver(BaseModel, frozen=True):
    """What became of the files that code wrote."""

    workspace: Carried = Carried()
    scratch: Carried = Carried()


class Session:
    """One keeper with its nodes. All nodes share one view of the files, so one branch at a time runs code.

    live: it was forked from a process that lives on, whose memory does not count.
    """

    def __init__(self, started: Started, access: Access, *, live: bool = False) -> None:
        self.access = access
        self._live = live
        self._keeper: Wire = started.keeper
        self._asking = asyncio.Lock()
        self._keys = itertools.count(1)
        self._open: dict[int, Pipes] = {started.first_pid: started.first}
        self._kept: list[Kept] = []
        self._root = started.host_pid
        limit = access.limits.memory_mb << 20
        self._room = min(_SHARE_OF_LIMIT * limit, _SHARE_OF_MACHINE * processes.available_memory())
        self.watchdog = Watchdog(started.host_pid, access.limits, lambda: self._open, own_memory=live)
        self._held = processes.private_memory if live else _share

    async def kill(self, pipes: Pipes, pid: int) -> int | None:
        """Kill a node with everything it started, and no other; return its wait status if the keeper saw it."""
        status: JsonValue = None
        with contextlib.suppress(Gone):  # the session ended, and every process of it with it
            status = (await self._ask("kill", {"pid": pid})).get("status")
        self._release(pipes, pid)
        return status if isinstance(status, int) else None

    async def keep(self, parent: Pipes, seconds: float) -> Kept:
        """Fork a sleeping copy of a node and remember the files; drop older copies that are not worth their memory."""
        key = next(self._keys)
        kept_files = bool((await self._ask("keep", {"key": key})).get("kept"))
        pipes, pid, tainted = await self._fork(parent)
        if not kept_files:
            tainted = tainted or "it wrote more files than are kept for a checkpoint"
        kept = Kept(pipes, pid, key, seconds, tainted)
        self._kept.append(kept)
        await self._make_room()
        return kept

    async def wake(self, kept: Kept) -> tuple[Pipes, int]:
        """Put the files of a checkpoint back and fork a node from it. Raises `Gone` when it no longer lives."""
        restored = (await self._ask("restore", {"key": kept.key})).get("restored")
        if not restored and kept.tainted is None:
            raise SandboxError("The files of this checkpoint could not be put back. Run from the top.")
        if kept in self._kept:
            self._kept.remove(kept)
            self._kept.append(kept)
        pipes, pid, _ = await self._fork(kept.pipes)
        return pipes, pid

    async def drop(self, kept: Kept) -> None:
        """End a checkpoint and forget its files; dropping twice is fine."""
        if kept.dropped:
            return
        kept.dropped = True
        if kept in self._kept:
            self._kept.remove(kept)
        self._release(kept.pipes, kept.pid)
        with contextlib.suppress(Gone):  # everything of the session is gone already
            await self._ask("forget", {"key": kept.key})

    async def changed(self) -> tuple[str, ...]:
        """Return the files that were written, relative to the workspace."""
        changed = (await self._ask("changed", {})).get("changed")
        return tuple(str(name) for name in changed) if isinstance(changed, list) else ()

    async def hand_over(self, *, changes: bool) -> HandedOver:
        """End all code of the session, then carry what it wrote into the scratch's real folder.

        With `changes`, in mode `workspace-write`, those of the workspace go into the real one as well, but for names
        that no code may change, links that lead out, and what is neither a file nor a folder. Where code saw the real
        folders (without namespaces) there is nothing to carry. Raises `SandboxError`.
        """
        never: JsonValue = list(NEVER_WRITTEN) if changes and self.access.mode == "workspace-write" else None
        try:
            told = await self._ask("hand over", {"never": never}, _HAND_OVER_SECONDS)
            return HandedOver.model_validate(told)
        except (Gone, ValidationError) as error:
            raise SandboxError("What the code wrote could not be handed over. Look at what is there.") from error
        finally:
            self.end()

    def end(self) -> None:
        """End every process of the session: its keeper goes, and takes all others along."""
        self._keeper.close()
        for pid, pipes in list(self._open.items()):
            self._release(pipes, pid)

    async def _ask(
        self, kind: str, content: dict[str, JsonValue], seconds: float = _ANSWER_SECONDS
    ) -> dict[str, JsonValue]:
        async with self._asking:
            try:
                async with asyncio.timeout(seconds):
                    await self._keeper.send(kind, content)
                    return (await self._keeper.receive()).content
            except TimeoutError as error:
                self.end()
                raise Gone("The restricted process does not answer.") from error

    async def _fork(self, parent: Pipes) -> tuple[Pipes, int, str | None]:
        """Fork a node; return the child's ends, its process id, and why it is no faithful copy, if it is not."""
        pipes, ends = Pipes.make()
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await parent.wire.send("fork", {}, ends)
                forked = await parent.wire.expect("forked")
                ready = await pipes.wire.expect("ready")
            pid = int(str(ready.content.get("pid")))
            await self._ask("node", {"pid": pid})
        except BaseException as error:
            pipes.close()
            if isinstance(error, TimeoutError | ValueError):
                raise Gone("The restricted process does not answer.") from error
            raise
        self._open[pid] = pipes
        tainted = forked.content.get("tainted")
        return pipes, pid, str(tainted) if tainted else None

    async def _make_room(self) -> None:
        for kept in surplus(self._kept):
            await self.drop(kept)
        pids = list(processes.tree(self._root))
        if not self._live and sum(map(processes.quick_memory, pids)) <= self._room:
            return
        await self._drop_until(self._room, pids)

    async def _drop_until(self, room: float, pids: Iterable[int]) -> None:
        """Drop checkpoints until all nodes together hold no more than `room` bytes, or none is left to drop."""
        inner = {processes.inner_pid(pid): pid for pid in pids}
        held = sum(map(self._held, inner.values()))
        if held <= room:
            return
        sizes = [(kept, processes.private_memory(inner.get(kept.pid, 0))) for kept in self._kept]
        freed = dict(zip(map(id, self._kept), (size for _, size in sizes), strict=True))
        for kept in cheapest(sizes):
            if held <= room:
                return
            held -= freed[id(kept)]
            await self.drop(kept)

    def _release(self, pipes: Pipes, pid: int) -> None:
        """Close our ends; a sleeping node that loses its channel exits."""
        pipes.close()
        if self._open.get(pid) is pipes:
            del self._open[pid]


def _share(pid: int) -> int:
    return sum(processes.exact_memory(pid))
