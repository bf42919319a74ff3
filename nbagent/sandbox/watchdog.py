"""Limits that hold for a whole process tree: memory, CPU time, processes; read from outside, while code runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

from nbagent.sandbox import processes
from nbagent.sandbox.access import Limits
from nbagent.sandbox.own_memory import MACHINE_FULL, OwnMemory, machine_is_full

_PERIOD = 0.1
"""Seconds between two looks. A process that touches memory at 4 GB/s gets 0.4 GB further in that time."""
_STALL_SECONDS = 3.0
_SPARE = 16  # the processes of the sandbox itself, and checkpoints that sleep


class Watchdog:
    """Watches the tree below one process. nodes: tells which processes in it are branches, by their inner numbers.

    Memory is anonymous and shared memory, a shared page counted once among all, and what /dev/shm holds. own_memory:
    the tree was forked from a process that lives on, and only what it does not share with any other counts.
    """

    def __init__(
        self,
        root: int,
        limits: Limits,
        nodes: Callable[[], Collection[int]] = tuple,
        *,
        own_memory: bool = False,
    ) -> None:
        self._root, self._limits, self._nodes, self._own_memory = root, limits, nodes, own_memory

    async def until_exceeded(self, node: int | None = None) -> str:
        """Return, when a limit is exceeded, which: a clause for the user. `node` is the branch that runs code."""
        pids = list(processes.tree(self._root))
        cpu = sum(map(processes.cpu_seconds, pids))
        bound = self._limits.memory_mb << 20
        memory = OwnMemory(bound, pids) if self._own_memory else _Memory(bound)
        stall = _Stall(self._host_pid(pids, node), self._nodes)
        while True:
            await asyncio.sleep(_PERIOD)
            pids = list(processes.tree(self._root))
            if sum(len(processes.tasks(pid)) for pid in pids) > self._limits.processes + _SPARE + len(self._nodes()):
                return f"it had more than {self._limits.processes} processes and threads"
            if sum(map(processes.cpu_seconds, pids)) - cpu > self._limits.cpu_seconds:
                return f"it used more than {self._limits.cpu_seconds:g} s of CPU time"
            if memory.exceeded(pids):
                return f"it used more than {self._limits.memory_mb} MB of memory"
            if self._own_memory and machine_is_full():
                return MACHINE_FULL
            if stall.for_ever():
                return "all its threads wait for each other, so it would never end"

    @staticmethod
    def _host_pid(pids: list[int], node: int | None) -> int | None:
        return next((pid for pid in pids if node is not None and processes.inner_pid(pid) == node), None)


class _Memory:
    """Asks for the exact sum, which costs milliseconds per process, only when a cheap upper bound is over the limit."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._exact: int | None = None
        self._quick = 0
        self._faults: dict[int, int] = {}

    def exceeded(self, pids: list[int]) -> bool:
        """Return whether the tree holds more than the bound."""
        quick = sum(map(processes.quick_memory, pids))
        shm = max(map(processes.private_shm, pids[-4:]), default=0)  # one of them lets itself be looked at
        if quick + shm <= self._bound:
            self._exact = None
            return False
        faults = {pid: processes.faulted_bytes(pid) for pid in pids}
        if self._exact is not None:
            copied = sum(max(0, now - self._faults.get(pid, 0)) for pid, now in faults.items())
            if self._exact + max(0, quick - self._quick) + copied + shm <= self._bound:
                return False
        shares = [processes.exact_memory(pid) for pid in pids]
        anonymous = sum(share for share, _ in shares)
        self._exact = anonymous + sum(share for _, share in shares)
        self._quick, self._faults = quick, faults
        return anonymous + max(shm, self._exact - anonymous) > self._bound


class _Stall:
    """Tells a dead-lock from waiting: a fork of a process with thread pools may wait for a thread that is not there."""

    def __init__(self, node: int | None, nodes: Callable[[], Collection[int]]) -> None:
        self._node, self._nodes = node, nodes
        self._looks, self._cpu = 0, -1.0

    def for_ever(self) -> bool:
        """Return whether no thread moved, or could move, for some seconds. Call it once in each period."""
        if self._node is None or not processes.waits_for_ever(self._node):
            self._looks = 0
            return False
        cpu = processes.cpu_seconds(self._node)
        self._looks = self._looks + 1 if cpu == self._cpu else 0
        self._cpu = cpu
        return self._looks * _PERIOD > _STALL_SECONDS and not self._has_company()

    def _has_company(self) -> bool:
        """Return whether the code started processes that live: one of them may free the lock."""
        assert self._node is not None
        nodes = set(self._nodes())
        return any(processes.inner_pid(pid) not in nodes for pid in processes.children(self._node))
