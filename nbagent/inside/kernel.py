"""System calls that Python has no name for, through ctypes, as functions that raise.

Numbers and constants are those of the Linux uapi headers for x86_64 (asm/unistd_64.h, linux/mount.h, linux/sched.h).
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from typing import Any, Optional, Union

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long

NEWTIME, NEWNS, NEWCGROUP, NEWUTS = 0x80, 0x20000, 0x02000000, 0x04000000
NEWIPC, NEWUSER, NEWPID, NEWNET = 0x08000000, 0x10000000, 0x20000000, 0x40000000
ANY_NAMESPACE = NEWTIME | NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2
ATTR_RDONLY, ATTR_NOSUID, ATTR_NODEV = 1, 2, 4

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP = 1, 4, 24
PR_SET_SECCOMP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 22, 36, 38, 47

_SYS_CAPSET, _SYS_PIVOT_ROOT, _SYS_MOUNT_SETATTR = 126, 155, 442


class ConfinementError(Exception):
    """A layer that was promised could not be put in place; nothing may be run in this process."""


def refuse_other_machines() -> None:
    """Raise `ConfinementError` unless this is Linux on x86_64, the only table of system calls that is tested."""
    if not sys.platform.startswith("linux"):
        raise ConfinementError("code can be confined on Linux only, and this is %s" % sys.platform)
    if platform.machine() != "x86_64" or sys.maxsize < 1 << 32:
        raise ConfinementError("code can be confined on x86_64 only, and this is %s" % platform.machine())


def call(number: int, *arguments: Any) -> int:
    """Make a system call by number; raise OSError when it fails."""
    given = [ctypes.c_void_p(a & 0xFFFFFFFFFFFFFFFF) if isinstance(a, int) else a for a in arguments]
    result = int(libc.syscall(ctypes.c_long(number), *given))
    if result < 0:
        _fail()
    return result


def prctl(option: int, a: int = 0, b: int = 0, c: int = 0, d: int = 0) -> int:
    """prctl(2), raising OSError."""
    result = int(libc.prctl(option, *(ctypes.c_ulong(x) for x in (a, b, c, d))))
    if result < 0:
        _fail()
    return result


def unshare(flags: int) -> None:
    """unshare(2), raising OSError."""
    if libc.unshare(ctypes.c_int(flags)) != 0:
        _fail("unshare")


Path = Union[str, bytes]


def mount(source: Path, target: Path, kind: Optional[str], flags: int = 0, data: str = "") -> None:
    """mount(2), raising OSError that names the target."""
    done = libc.mount(
        os.fsencode(source),
        os.fsencode(target),
        kind.encode() if kind else None,
        ctypes.c_ulong(flags),
        os.fsencode(data) if data else None,
    )
    if done != 0:
        _fail("mount", os.fsdecode(target))


def unmount(target: Path) -> None:
    """Detach what is mounted at `target`; descriptors and mounts made from it go on working."""
    if libc.umount2(os.fsencode(target), MNT_DETACH) != 0:
        _fail("umount", os.fsdecode(target))


def restrict_mount(target: Path, attributes: int, *, recursive: bool) -> None:
    """mount_setattr(2) (Linux 5.12): set read-only, nosuid, nodev on a mount, or on all below it as well."""
    packed = struct.pack("QQQQ", attributes, 0, 0, 0)
    at_fdcwd, at_recursive = -100, 0x8000
    call(
        _SYS_MOUNT_SETATTR,
        at_fdcwd,
        ctypes.create_string_buffer(os.fsencode(target)),
        at_recursive if recursive else 0,
        ctypes.create_string_buffer(packed, len(packed)),
        len(packed),
    )


def pivot_root(new: Path, old: Path) -> None:
    """pivot_root(2), raising OSError."""
    call(_SYS_PIVOT_ROOT, ctypes.create_string_buffer(os.fsencode(new)), ctypes.create_string_buffer(os.fsencode(old)))


def drop_capabilities() -> None:
    """Empty every capability set, the bounding set included, so that no exec can bring one back."""
    prctl(PR_CAP_AMBIENT, 4)  # PR_CAP_AMBIENT_CLEAR_ALL
    for capability in range(64):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError as error:
            if error.errno == errno.EINVAL:
                break  # past the last capability this kernel knows
            if error.errno != errno.EPERM:
                raise  # EPERM: an ordinary user holds none and, with no_new_privs, gains none
    header = struct.pack("Ii", 0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
    call(_SYS_CAPSET, ctypes.create_string_buffer(header, len(header)), ctypes.create_string_buffer(24))


def may_administer() -> bool:
    """Return whether this process holds CAP_SYS_ADMIN (bit 21), so that namespaces need no user namespace."""
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("CapEff:"):
                return bool(int(line.split()[1], 16) >> 21 & 1)
    return False


def _fail(what: str = "", target: str = "") -> None:
    number = ctypes.get_errno()
    text = os.strerror(number)
    raise OSError(number, "%s: %s" % (what, text) if what else text, *([target] if target else []))
