"""Landlock: an allow-list of files, no TCP, no abstract sockets and no signals to the outside, for this process on.

Constants: linux/landlock.h. ABI 2 (5.19) brings REFER, 3 (6.2) TRUNCATE, 4 (6.7) TCP, 5 (6.10) device ioctls, 6 (6.12)
the scopes. Below ABI 3 a file that may be read could still be cut to nothing, so ABI 3 is the least that counts.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable, Mapping
from typing import Any

from .kernel import ConfinementError, call

LEAST_ABI = 3

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE = (1 << bit for bit in range(6))
MAKE_CHAR, MAKE_DIR, MAKE_REG, MAKE_SOCK, MAKE_FIFO, MAKE_BLOCK, MAKE_SYM, REFER, TRUNCATE, IOCTL_DEV = (
    1 << bit for bit in range(6, 16)
)
_FOR_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
READ = EXECUTE | READ_FILE | READ_DIR
WRITE = READ | WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_SOCK | MAKE_FIFO | MAKE_SYM
WRITE |= REFER | TRUNCATE
DEVICE = READ_FILE | WRITE_FILE | READ_DIR | IOCTL_DEV
CHANNEL = READ_FILE | READ_DIR | WRITE_FILE | MAKE_SOCK
_KINDS = {"read": READ, "write": WRITE, "device": DEVICE, "channel": CHANNEL, "list": READ_DIR}
_TCP = 3  # BIND_TCP | CONNECT_TCP
_SCOPES = 3  # ABSTRACT_UNIX_SOCKET | SIGNAL


def abi() -> int:
    """Return the version of Landlock that the running kernel offers, 0 for none."""
    try:
        return call(_CREATE_RULESET, 0, 0, 1)
    except OSError:
        return 0


def restrict(rules: "Mapping[str, Iterable[str]]", *, tcp: bool, at_most: int = 99) -> "dict[str, Any]":
    """Confine this process to `rules` ("read", "write", "device", "channel": paths) and return what now holds.

    `tcp` leaves TCP to the network namespace (a private loopback needs it). `at_most` pretends an older kernel.
    Paths that do not exist are passed over; the caller must hold no_new_privs or CAP_SYS_ADMIN.
    """
    version = min(abi(), at_most)
    if version < LEAST_ABI:
        raise ConfinementError("Landlock ABI %d or later is needed and this kernel offers %d" % (LEAST_ABI, version))
    handled = (1 << (16 if version >= 5 else 15)) - 1
    net = 0 if tcp or version < 4 else _TCP
    scopes = _SCOPES if version >= 6 else 0
    packed = struct.pack("QQQ", handled, net, scopes)[: 24 if version >= 6 else 16 if version >= 4 else 8]
    ruleset = call(_CREATE_RULESET, ctypes.create_string_buffer(packed, len(packed)), len(packed), 0)
    try:
        for kind, rights in _KINDS.items():
            for path in rules.get(kind, ()):
                _allow(ruleset, path, rights & handled)
        call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return {"abi": version, "signals": bool(scopes), "tcp": bool(net)}


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= _FOR_FILES
        packed = struct.pack("<Qi", rights, descriptor)
        call(_ADD_RULE, ruleset, 1, ctypes.create_string_buffer(packed, len(packed)), 0)
    finally:
        os.close(descriptor)
