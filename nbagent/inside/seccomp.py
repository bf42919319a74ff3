"""seccomp: a filter over system calls for what Landlock and namespaces do not cover.

A deny-list with a ceiling: calls that are known to be dangerous are refused, calls newer than this table do not exist.
Numbers: arch/x86/entry/syscalls/syscall_64.tbl. Other architectures are refused before a filter is built.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from dataclasses import dataclass

from .kernel import ANY_NAMESPACE, PR_SET_NO_NEW_PRIVS, call, prctl

_SYS_SECCOMP, _SET_MODE_FILTER, _FLAG_TSYNC = 317, 1, 1
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_ARCH_X86_64, _X32_BIT, _LAST_KNOWN = 0xC000003E, 0x40000000, 462  # 462: mseal, Linux 6.10

_REFUSED = {
    # other processes' memory and state
    "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "pidfd_getfd": 438, "kcmp": 312,
    "process_madvise": 440, "process_mrelease": 448, "move_pages": 279, "migrate_pages": 256,
    # kernel surface that no notebook needs
    "bpf": 321, "perf_event_open": 298, "userfaultfd": 323, "modify_ldt": 154, "personality": 135,
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "fanotify_init": 300, "fanotify_mark": 301,
    "lookup_dcookie": 212, "remap_file_pages": 216, "memfd_secret": 447, "uselib": 134, "ustat": 136, "sysfs": 139,
    # keys and System V or POSIX IPC
    "add_key": 248, "request_key": 249, "keyctl": 250, "shmget": 29, "shmat": 30, "shmctl": 31, "semget": 64,
    "semop": 65, "semctl": 66, "semtimedop": 220, "msgget": 68, "msgsnd": 69, "msgrcv": 70, "msgctl": 71,
    "mq_open": 240, "mq_unlink": 241, "mq_timedsend": 242, "mq_timedreceive": 243, "mq_notify": 244,
    # mounts, roots, namespaces, handles
    "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "setns": 308, "unshare": 272, "open_tree": 428,
    "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "mount_setattr": 442,
    "statmount": 457, "listmount": 458, "open_by_handle_at": 304, "name_to_handle_at": 303,
    # the machine
    "init_module": 175, "finit_module": 313, "delete_module": 176, "kexec_load": 246, "kexec_file_load": 320,
    "reboot": 169, "swapon": 167, "swapoff": 168, "settimeofday": 164, "clock_settime": 227, "adjtimex": 159,
    "clock_adjtime": 305, "sethostname": 170, "setdomainname": 171, "iopl": 172, "ioperm": 173, "quotactl": 179,
    "quotactl_fd": 443, "acct": 163, "vhangup": 153, "syslog": 103, "nfsservctl": 180, "_sysctl": 156,
}  # fmt: skip
_MISSING = {"clone3": 435, "openat2": 437}  # flags behind a pointer cannot be seen; callers fall back to the old calls
_METADATA = {
    "chmod": 90, "fchmod": 91, "fchmodat": 268, "fchmodat2": 452, "chown": 92, "fchown": 93, "lchown": 94,
    "fchownat": 260, "utime": 132, "utimes": 235, "utimensat": 280, "futimesat": 261, "setxattr": 188, "lsetxattr": 189,
    "fsetxattr": 190, "removexattr": 197, "lremovexattr": 198, "fremovexattr": 199,
}  # fmt: skip
_SETS_MODE = {"chmod": (90, 1), "fchmod": (91, 1), "fchmodat": (268, 2), "fchmodat2": (452, 2)}
_CREATES = {"open": (2, 2), "openat": (257, 3), "creat": (85, 1), "mknod": (133, 1), "mknodat": (259, 2)}
_AIMED_AT_A_PROCESS = {
    "prlimit64": (302, 0), "sched_setaffinity": (203, 0), "sched_setparam": (142, 0), "sched_setscheduler": (144, 0),
    "sched_setattr": (314, 0), "setpriority": (141, 1), "ioprio_set": (251, 1),
}  # fmt: skip
_SIGNALS = {
    "kill": (62, 0),
    "tkill": (200, 0),
    "tgkill": (234, 0),
    "rt_sigqueueinfo": (129, 0),
    "rt_tgsigqueueinfo": (297, 0),
}
_TERMINAL_REQUESTS = (0x5412, 0x541C, 0x5423)  # TIOCSTI, TIOCLINUX, TIOCSETD
_LOCK_COMMANDS = (6, 7, 37, 38)  # F_SETLK, F_SETLKW, F_OFD_SETLK, F_OFD_SETLKW
_SETUID_SETGID = 0o6000
_FILE_TYPE, _PLAIN_TYPES = 0o170000, (0, 0o010000, 0o100000, 0o140000)  # S_IFMT: none, FIFO, regular, socket
_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16
_SOCK_STREAM, _SOCK_DGRAM, _SOCK_SEQPACKET = 1, 2, 5
_MPTCP = 262


@dataclass(frozen=True)
class Rules:
    """What the filter leaves to other layers.

    private_network: sockets of Unix and IP families exist (they reach a private namespace), else none but socketpair.
    private_files: only private files are writable, so their modes, times and locks may be changed for real; else such
    calls report success and do nothing (Landlock does not cover them, and shutil.copy must go on).
    pid_namespace: other processes cannot be named, so calls aimed at a process are free but for the supervisor's.
    signals_scoped: Landlock keeps signals in. Without this and a PID namespace only oneself can be signalled.
    memfd: memfd_create works; its memory escapes the size of any tmpfs, so it is for trusted hand-overs alone.
    """

    private_network: bool
    private_files: bool
    pid_namespace: bool
    signals_scoped: bool
    memfd: bool = False


class _Program:
    """BPF instructions; the accumulator holds the call's number between the blocks."""

    def __init__(self) -> None:
        self.code: list[tuple[int, int, int, int]] = []

    def add(self, operation: int, value: int, if_true: int = 0, if_false: int = 0) -> None:
        self.code.append((operation, if_true, if_false, value & 0xFFFFFFFF))

    def answer(self, number: int, error: int) -> None:
        """The call `number` returns `error` (0: success without effect)."""
        self.add(_EQUAL, number, 0, 1)
        self.add(_RETURN, _ERRNO | error)

    def for_call(self, number: int, block: list[tuple[int, int, int, int]]) -> None:
        """Run `block` for the call `number`; what falls out of the block's end goes on with the number loaded."""
        self.add(_EQUAL, number, 0, len(block) + 1)
        self.code += [(o, t, f, v & 0xFFFFFFFF) for o, t, f, v in block]
        self.add(_LOAD, 0)


def _argument(index: int) -> tuple[int, int, int, int]:
    return (_LOAD, 0, 0, 16 + 8 * index)  # struct seccomp_data: nr, arch, ip, args[6]; little-endian low half


def _refuse(error: int) -> tuple[int, int, int, int]:
    return (_RETURN, 0, 0, _ERRNO | error)


def _only(index: int, values: tuple[int, ...], error: int) -> list[tuple[int, int, int, int]]:
    """Refuse unless the argument equals one of `values`."""
    return _only_masked(index, 0xFFFFFFFF, values, error)


def _only_masked(index: int, mask: int, values: tuple[int, ...], error: int) -> list[tuple[int, int, int, int]]:
    tests = [(_EQUAL, len(values) - i, 0, value) for i, value in enumerate(values)]
    return [_argument(index), (_AND, 0, 0, mask), *tests, _refuse(error)]


def _except(index: int, values: tuple[int, ...], error: int) -> list[tuple[int, int, int, int]]:
    """Refuse when the argument equals one of `values`."""
    tests = [(_EQUAL, len(values) - i - 1, 1 if i == len(values) - 1 else 0, value) for i, value in enumerate(values)]
    return [_argument(index), *tests, _refuse(error)]


def _without_bits(index: int, bits: int, error: int) -> list[tuple[int, int, int, int]]:
    return [_argument(index), (_ANY_BIT, 0, 1, bits), _refuse(error)]


def program(rules: Rules) -> bytes:
    """Return the filter as the kernel takes it: an array of struct sock_filter."""
    p = _Program()
    p.add(_LOAD, 4)
    p.add(_EQUAL, _ARCH_X86_64, 1, 0)
    p.add(_RETURN, _ERRNO | errno.ENOSYS)  # int 0x80 reaches another table of calls
    p.add(_LOAD, 0)
    p.add(_AT_LEAST, _X32_BIT, 0, 1)
    p.add(_RETURN, _ERRNO | errno.ENOSYS)
    p.add(_AT_LEAST, _LAST_KNOWN + 1, 0, 1)
    p.add(_RETURN, _ERRNO | errno.ENOSYS)
    for number in _REFUSED.values():
        p.answer(number, errno.EPERM)
    for number in _MISSING.values():
        p.answer(number, errno.ENOSYS)
    if not rules.memfd:
        p.answer(319, errno.ENOSYS)
    p.for_call(56, _without_bits(0, ANY_NAMESPACE, errno.EPERM))  # clone
    p.for_call(16, _except(1, _TERMINAL_REQUESTS, errno.EPERM))  # ioctl
    _files(p, rules)
    _sockets(p, rules)
    _processes(p, rules)
    p.add(_RETURN, _ALLOW)
    return b"".join(struct.pack("HBBI", *instruction) for instruction in p.code)


def _files(p: _Program, rules: Rules) -> None:
    for number, index in (*_SETS_MODE.values(), *_CREATES.values()):
        p.for_call(number, _without_bits(index, _SETUID_SETGID, errno.EPERM))
    for name in ("mknod", "mknodat"):
        number, index = _CREATES[name]
        p.for_call(number, _only_masked(index, _FILE_TYPE, _PLAIN_TYPES, errno.EPERM))
    if rules.private_files:
        return
    for number in _METADATA.values():
        p.answer(number, 0)
    p.answer(73, 0)  # flock: a lock on a file that others use would hold them up
    p.for_call(72, _except(1, _LOCK_COMMANDS, 0))  # fcntl


def _sockets(p: _Program, rules: Rules) -> None:
    p.for_call(53, _only(0, (_AF_UNIX,), errno.EACCES))  # socketpair
    # libzmq aborts the process when listing interfaces fails with anything but "not supported" (ip_resolver.cpp).
    listing = _except(0, (_AF_NETLINK,), errno.EOPNOTSUPP)
    if not rules.private_network:
        p.for_call(41, [*listing, _refuse(errno.EACCES)])  # socket
        for number in (42, 49, 50):  # connect, bind, listen on sockets that were made before
            p.answer(number, errno.EACCES)
        return
    families = _only(0, (_AF_UNIX, _AF_INET, _AF_INET6), errno.EACCES)
    kinds = _only_masked(1, 0xF, (_SOCK_STREAM, _SOCK_DGRAM, _SOCK_SEQPACKET), errno.EACCES)  # SOCK_TYPE_MASK
    p.for_call(41, [*listing, *families, *kinds, *_except(2, (_MPTCP,), errno.EACCES)])


def _processes(p: _Program, rules: Rules) -> None:
    if rules.pid_namespace:
        for number, index in _AIMED_AT_A_PROCESS.values():
            p.for_call(number, _except(index, (1,), errno.EPERM))  # 1: the supervisor
        return
    myself = (0, os.getpid())  # descendants that name themselves by number are refused too: 0 is what libraries pass
    for number, index in _AIMED_AT_A_PROCESS.values():
        p.for_call(number, _only(index, myself, errno.EPERM))
    if not rules.signals_scoped:
        for number, index in _SIGNALS.values():
            p.for_call(number, _only(index, myself, errno.EPERM))
        p.answer(424, errno.EPERM)  # pidfd_send_signal


def install(rules: Rules) -> int:
    """Put the filter on every thread of this process and on what it will start; return its length."""
    raw = program(rules)
    buffer = ctypes.create_string_buffer(raw, len(raw))
    described = struct.pack("HxxxxxxQ", len(raw) // 8, ctypes.addressof(buffer))
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    call(_SYS_SECCOMP, _SET_MODE_FILTER, _FLAG_TSYNC, ctypes.create_string_buffer(described, len(described)))
    return len(raw) // 8
