"""Namespaces: this process leaves the user's network, IPC, mounts and (through a child) processes behind."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import struct
from typing import Any

from . import kernel
from .kernel import ConfinementError

_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1


def enter(*, pid: bool) -> "dict[str, Any]":
    """Enter new namespaces and return which; with `pid` the process that returns is a child, the first of its kind.

    The caller's own process then stays behind as a stub without descriptors that mirrors the child's end and takes it
    along when killed; being first, the child takes every process of its namespace along when *it* ends. An ordinary
    user gets a user namespace as well. Raises `ConfinementError` when the kernel refuses. One thread only.
    """
    wanted = kernel.NEWNET | kernel.NEWIPC | kernel.NEWUTS | kernel.NEWNS | (kernel.NEWPID if pid else 0)
    user = not kernel.may_administer()
    uid, gid = os.getuid(), os.getgid()
    try:
        kernel.unshare(wanted | (kernel.NEWUSER if user else 0))
        if user:
            _map_myself(uid, gid)
        kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    except OSError as error:
        raise ConfinementError("namespaces are refused on this machine (%s)" % error) from error
    _loopback_up()
    if pid:
        _become_first_process()
    return {"user": user, "net": True, "ipc": True, "uts": True, "mount": True, "pid": pid}


def _map_myself(uid: int, gid: int) -> None:
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", "%d %d 1" % (uid, uid)),
        ("gid_map", "%d %d 1" % (gid, gid)),
    ):
        with open("/proc/self/" + name, "w") as file:
            file.write(text)


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(probe, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(probe, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))


def _become_first_process() -> None:
    here, report = os.pipe()
    child = os.fork()
    if child:
        _stay_behind(child, here)
    os.close(here)
    os.setsid()
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        os.write(report, b".")
    except BrokenPipeError:
        os._exit(1)  # the stub died before the line above could tie this process to it
    os.close(report)


def _stay_behind(child: int, keep: int) -> None:
    """Wait for the child and end as it did, holding no descriptor of the caller's open."""
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    null = os.open("/dev/null", os.O_RDWR)
    for name in os.listdir("/proc/self/fd"):
        descriptor = int(name)
        try:
            if descriptor < 3:
                os.dup2(null, descriptor)
            elif descriptor not in (keep, null):
                os.close(descriptor)
        except OSError:
            continue  # the listing's own descriptor
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the child decides; SIGKILL takes both
    _, status = os.waitpid(child, 0)
    os._exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
