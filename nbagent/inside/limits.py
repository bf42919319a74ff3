"""Resource limits that the kernel enforces per process; the sum over a process tree is watched from outside."""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping
from typing import Any

from .kernel import ConfinementError

_SPARE_PROCESSES = 16  # the supervisor and the checkpoints that sleep beside the running branch


def apply(limits: "Mapping[str, Any]", *, own_user_namespace: bool) -> None:
    """Set the limits of this process and its descendants; a limit is never raised above what it already was."""
    megabyte = 1 << 20
    _lower(resource.RLIMIT_DATA, _data_bytes() + int(limits["memory_mb"]) * megabyte)
    _lower(resource.RLIMIT_CPU, int(limits["cpu_seconds"]) + 1)
    _lower(resource.RLIMIT_FSIZE, min(int(limits["file_mb"]), int(limits["disk_mb"])) * megabyte)
    _lower(resource.RLIMIT_NOFILE, int(limits["open_files"]))
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_MEMLOCK, 64 * megabyte)
    _lower(resource.RLIMIT_MSGQUEUE, 0)
    # RLIMIT_NPROC counts tasks per user, and per user namespace. It never binds uid 0 (kernel/fork.c, INIT_USER).
    others = 0 if own_user_namespace else _tasks_of_this_user()
    _lower(resource.RLIMIT_NPROC, others + int(limits["processes"]) + _SPARE_PROCESSES)


def go_first() -> None:
    """When memory runs out the kernel takes this process and its descendants, not the user's."""
    try:
        with open("/proc/self/oom_score_adj", "w") as score:
            score.write("1000")
    except OSError as error:
        raise ConfinementError("the process could not be made the first to go when memory runs out") from error


def bound_pids(processes: int) -> bool:
    """Bound the tasks of this PID namespace (Linux 6.14 has pid_max per namespace); return whether it took.

    The only bound that holds for uid 0. The kernel takes no value below 301 (RESERVED_PIDS). On older kernels the
    file is the whole machine's, so it is left alone there, as it is by any process but the namespace's first.
    """
    version = tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])
    if version < (6, 14) or os.getpid() != 1:
        return False
    try:
        with open("/proc/sys/kernel/pid_max", "r+") as file:
            file.write(str(max(301, processes + _SPARE_PROCESSES)))
    except OSError:
        return False
    return True


def _lower(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (bound, bound))


def _data_bytes() -> int:
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmData:"):
                return int(line.split()[1]) * 1024
    return 0


def _tasks_of_this_user() -> int:
    count, uid = 0, os.getuid()
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            if os.stat("/proc/" + name).st_uid == uid:
                count += len(os.listdir("/proc/%s/task" % name))
        except OSError:
            continue
    return count
