"""Bounds of a trial that only outside can hold: memory and processes of its whole tree, and a dead-lock told from rest.

A fork shares the kernel's memory, so only what is its own counts.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from nbagent.sandbox import processes
from nbagent.sandbox.own_memory import MACHINE_FULL, OwnMemory, machine_is_full

_STALL_SECONDS = 3.0
_SPARE_PROCESSES = 16


class Meter:
    """Looks at the processes below one, every tenth of a second."""

    def __init__(self, stub: int, limits: Mapping[str, Any]) -> None:
        self._stub = stub
        self._megabytes = int(limits["memory_mb"])
        self._processes = int(limits["processes"])
        self._still_since: float | None = None
        self._cpu = -1.0
        self._memory = OwnMemory(self._megabytes << 20, self._pids())
        self.stalled = False

    def look(self) -> str | None:
        """Return, when a limit is exceeded, which: a clause for the user."""
        pids = self._pids()
        if sum(len(processes.tasks(pid)) for pid in pids) > self._processes + _SPARE_PROCESSES:
            return f"it had more than {self._processes} processes and threads"
        if self._memory.exceeded(pids):
            return f"it used more than {self._megabytes} MB of memory"
        if machine_is_full():
            return MACHINE_FULL
        if self._stalls(pids):
            self.stalled = True
            return "all its threads wait for each other, so it would never end"
        return None

    @property
    def peak(self) -> int:
        """The most memory of its own that was measured, in bytes."""
        return self._memory.peak

    def measure(self) -> None:
        """Measure the memory now, so that `peak` knows of it."""
        self._memory.measured(self._pids())

    def _pids(self) -> list[int]:
        return [pid for pid in processes.tree(self._stub) if pid != self._stub]

    def _stalls(self, pids: list[int]) -> bool:
        """Return whether the only process waits for a lock that nobody holds, as a copy of a pool's user may."""
        if len(pids) != 1 or not processes.waits_for_ever(pids[0]):
            self._still_since = None
            return False
        now, cpu = time.monotonic(), processes.cpu_seconds(pids[0])
        if self._still_since is None or cpu != self._cpu:
            self._still_since, self._cpu = now, cpu
        return now - self._still_since > _STALL_SECONDS
