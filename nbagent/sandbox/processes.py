"""Processes as /proc shows them from outside: who descends from whom, what they hold, and whether they still move."""

from __future__ import annotations

import os
from collections.abc import Iterator

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICK = os.sysconf("SC_CLK_TCK")
_FUTEX = "202"  # asm/unistd_64.h
_MINFLT, _UTIME, _CSTIME = 7, 11, 14  # fields 10, 14 and 17 of proc_pid_stat(5), counted from the state


def tree(root: int) -> Iterator[int]:
    """Yield the processes below `root`, and `root`."""
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        yield pid
        waiting += children(pid)


def children(pid: int) -> list[int]:
    """Return the children of a process, dead ones that nobody has reaped included."""
    found: list[int] = []
    for task in tasks(pid):
        found += [int(word) for word in _text(f"/proc/{pid}/task/{task}/children").split()]
    return found


def tasks(pid: int) -> list[str]:
    """Return the threads of a process."""
    try:
        return os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []


def inner_pid(pid: int) -> int:
    """Return the number that a process has inside its own namespace."""
    words = _field(f"/proc/{pid}/status", "NSpid:").split()
    return int(words[-1]) if words else 0


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process and of the children that it has reaped."""
    return sum(_stat(pid, _UTIME, _CSTIME)) / _TICK


def faulted_bytes(pid: int) -> int:
    """Return an upper bound of the memory that was copied on write: 4 KiB for each minor fault."""
    return sum(_stat(pid, _MINFLT, _MINFLT)) * _PAGE


def quick_memory(pid: int) -> int:
    """Return the anonymous and shared memory of a process, pages shared with others counted in full; quick to read."""
    words = {line.split(":")[0]: line.split() for line in _text(f"/proc/{pid}/status").splitlines() if "Rss" in line}
    return sum(int(words[name][1]) * 1024 for name in ("RssAnon", "RssShmem") if name in words)


def exact_memory(pid: int) -> tuple[int, int]:
    """Return its share of anonymous, and of shared memory; milliseconds. Where that may not be read, all it maps.

    Code can make itself unreadable (by executing a file that it may not read); it is not cheaper for that.
    """
    text = _text(f"/proc/{pid}/smaps_rollup")
    if not text:
        return quick_memory(pid), 0
    found = {line.split()[0]: int(line.split()[1]) * 1024 for line in text.splitlines()[1:]}
    return found.get("Pss_Anon:", found.get("Pss:", 0)), found.get("Pss_Shmem:", 0)


def private_memory(pid: int) -> int:
    """Return the bytes that would be free if this process were gone."""
    text = _text(f"/proc/{pid}/smaps_rollup")
    found = (line.split() for line in text.splitlines() if line.startswith("Private_Dirty:"))
    return next((int(words[1]) * 1024 for words in found), 0)


def private_shm(pid: int) -> int:
    """Return what the files in a process's own /dev/shm hold; 0 where it is the machine's."""
    folder = f"/proc/{pid}/root/dev/shm"
    try:
        if os.stat(folder).st_dev == os.stat("/dev/shm").st_dev:
            return 0
        status = os.statvfs(folder)
    except OSError:
        return 0
    return (status.f_blocks - status.f_bfree) * status.f_frsize


def waits_for_ever(pid: int) -> bool:
    """Return whether each thread waits for a lock without a time limit: nothing in this process can wake another."""
    found = tasks(pid)
    for task in found:
        words = _text(f"/proc/{pid}/task/{task}/syscall").split()
        if len(words) < 5 or words[0] != _FUTEX or int(words[4], 16) != 0:  # futex(address, operation, value, timeout)
            return False
    return bool(found)


def available_memory() -> int:
    """Return the bytes that programs can still get on this machine."""
    words = _field("/proc/meminfo", "MemAvailable:").split()
    return int(words[0]) * 1024 if words else 0


def _stat(pid: int, first: int, last: int) -> list[int]:
    words = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return [int(word) for word in words[first : last + 1]]


def _field(path: str, name: str) -> str:
    for line in _text(path).splitlines():
        if line.startswith(name):
            return line[len(name) :]
    return ""


def _text(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except (OSError, UnicodeDecodeError):
        return ""
