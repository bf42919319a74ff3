"""Limits that hold for a whole process tree: memory, CPU time, processes; read from outside, while code runs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

from nbagent.sandbox.access import Limits

_PERIOD = 0.1
"""Seconds between two looks. A process that touches memory at 4 GB/s gets 0.4 GB further in that time."""
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICK = os.sysconf("SC_CLK_TCK")


class Watchdog:
    """Watches the tree below one process. Memory is the sum of proportional set sizes: a shared page counts once."""

    def __init__(self, root: int, limits: Limits) -> None:
        self._root, self._limits = root, limits

    async def until_exceeded(self) -> str:
        """Return, when a limit is exceeded, which: a clause for the user."""
        cpu = sum(_cpu_seconds(pid) for pid in tree(self._root))
        while True:
            await asyncio.sleep(_PERIOD)
            exceeded = self._look(cpu)
            if exceeded:
                return exceeded

    def _look(self, cpu_before: float) -> str:
        pids = list(tree(self._root))
        tasks = sum(_tasks(pid) for pid in pids)
        if tasks > self._limits.processes + 16:
            return f"it had more than {self._limits.processes} processes and threads"
        if sum(_cpu_seconds(pid) for pid in pids) - cpu_before > self._limits.cpu_seconds:
            return f"it used more than {self._limits.cpu_seconds:g} s of CPU time"
        bound = self._limits.memory_mb << 20
        # The cheap sum counts shared pages once per process, so it is only ever too high.
        if sum(_resident(pid) for pid in pids) > bound and sum(_proportional(pid) for pid in pids) > bound:
            return f"it used more than {self._limits.memory_mb} MB of memory"
        return ""


def tree(root: int) -> Iterator[int]:
    """Yield the processes below `root`, and `root`."""
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        yield pid
        for task in _listed(f"/proc/{pid}/task"):
            waiting += [int(word) for word in _text(f"/proc/{pid}/task/{task}/children").split()]


def _tasks(pid: int) -> int:
    return len(_listed(f"/proc/{pid}/task"))


def _cpu_seconds(pid: int) -> float:
    stat = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / _TICK if len(stat) > 12 else 0.0


def _resident(pid: int) -> int:
    fields = _text(f"/proc/{pid}/statm").split()
    return int(fields[1]) * _PAGE if len(fields) > 1 else 0


def _proportional(pid: int) -> int:
    for line in _text(f"/proc/{pid}/smaps_rollup").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def _listed(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []


def _text(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""
