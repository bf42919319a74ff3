"""Bounds of a trial that only outside can hold: memory and processes of its whole tree, and a dead-lock told from rest.

A fork shares the kernel's memory, so only what is its own counts: pages that it wrote or made.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from nbagent.sandbox import processes

_STALL_SECONDS = 3.0
_SPARE_PROCESSES = 16
_LEAST_FREE = 200 << 20
_WORTH_ASKING = 0.5
"""Share of the limit from which the exact number is asked for, which takes 5 to 50 ms for a large kernel."""


class Meter:
    """Looks at the processes below one, every tenth of a second. `peak` is the most memory that was seen, in bytes."""

    def __init__(self, stub: int, limits: Mapping[str, Any]) -> None:
        self._stub = stub
        self._memory = int(limits["memory_mb"]) << 20
        self._processes = int(limits["processes"])
        self._still_since: float | None = None
        self._cpu = -1.0
        pids = self._pids()
        self._shared = {pid: processes.quick_memory(pid) for pid in pids}
        self._copied = {pid: processes.faulted_bytes(pid) for pid in pids}
        self.peak = 0
        self.stalled = False

    def look(self) -> str | None:
        """Return, when a limit is exceeded, which: a clause for the user."""
        pids = self._pids()
        if sum(len(processes.tasks(pid)) for pid in pids) > self._processes + _SPARE_PROCESSES:
            return f"it had more than {self._processes} processes and threads"
        if self._upper_bound(pids) > self._memory * _WORTH_ASKING and self.measured(pids) > self._memory:
            return f"it used more than {self._memory >> 20} MB of memory"
        if processes.available_memory() < _LEAST_FREE:
            return "this machine was about to run out of memory"
        if self._stalls(pids):
            self.stalled = True
            return "all its threads wait for each other, so it would never end"
        return None

    def measured(self, pids: list[int] | None = None) -> int:
        """Return the bytes that would be free if these processes were gone, and note the most there ever was."""
        pids = self._pids() if pids is None else pids
        own = sum(map(processes.private_memory, pids))
        shm = max(map(processes.private_shm, pids), default=0)
        self.peak = max(self.peak, own + shm)
        return own + shm

    def _pids(self) -> list[int]:
        return [pid for pid in processes.tree(self._stub) if pid != self._stub]

    def _upper_bound(self, pids: list[int]) -> int:
        grown = sum(max(0, processes.quick_memory(pid) - self._shared.get(pid, 0)) for pid in pids)
        copied = sum(max(0, processes.faulted_bytes(pid) - self._copied.get(pid, 0)) for pid in pids)
        return grown + copied + max(map(processes.private_shm, pids), default=0)

    def _stalls(self, pids: list[int]) -> bool:
        """Return whether the only process waits for a lock that nobody holds, as a copy of a pool's user may."""
        if len(pids) != 1 or not processes.waits_for_ever(pids[0]):
            self._still_since = None
            return False
        now, cpu = time.monotonic(), processes.cpu_seconds(pids[0])
        if self._still_since is None or cpu != self._cpu:
            self._still_since, self._cpu = now, cpu
        return now - self._still_since > _STALL_SECONDS
