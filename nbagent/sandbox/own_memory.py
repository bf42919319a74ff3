"""What processes that were forked from one that lives on hold by themselves: pages they wrote or made since."""

from __future__ import annotations

from nbagent.sandbox import processes

_WORTH_ASKING = 0.5
"""Share of the bound from which the exact number is asked for: 5 to 50 ms for each gigabyte that a process maps."""
_LEAST_FREE = 200 << 20
MACHINE_FULL = "this machine was about to run out of memory"


def machine_is_full() -> bool:
    """Return whether so little is left that the user's own programs are in danger."""
    return processes.available_memory() < _LEAST_FREE


class OwnMemory:
    """Counts from now on. `peak` is the most that was ever measured exactly, in bytes."""

    def __init__(self, bound: int, pids: list[int]) -> None:
        self._bound = bound
        self._before = {pid: (processes.quick_memory(pid), processes.faulted_bytes(pid)) for pid in pids}
        self.peak = 0

    def exceeded(self, pids: list[int]) -> bool:
        """Return whether these processes hold more than the bound; asks for the exact sum only near it."""
        most = sum(map(self._upper_bound, pids)) + _shm(pids)
        return most > self._bound * _WORTH_ASKING and self.measured(pids) > self._bound

    def measured(self, pids: list[int]) -> int:
        """Return the bytes that would be free if these processes were gone, and note the most there ever was."""
        held = sum(map(processes.private_memory, pids)) + _shm(pids)
        self.peak = max(self.peak, held)
        return held

    def _upper_bound(self, pid: int) -> int:
        """A process that was not there at the beginning counts whole."""
        before = self._before.get(pid, (0, 0))
        now = processes.quick_memory(pid), processes.faulted_bytes(pid)
        return sum(max(0, later - earlier) for later, earlier in zip(now, before, strict=True))


def _shm(pids: list[int]) -> int:
    """Return what lies in their /dev/shm, which they share."""
    return max(map(processes.private_shm, pids), default=0)
