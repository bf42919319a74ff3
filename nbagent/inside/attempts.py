"""What code tried although the sandbox refuses it, counted as it is tried: also what the code itself catches.

Python's audit events name a file or an address before the call. Whether it will be refused is asked of the operating
system where it can tell (the view of the files), and of the policy where it cannot (Landlock). What C libraries do by
themselves raises no event. The numbers are for people to read; nothing rests on them.
"""

from __future__ import annotations

import ipaddress
import os
import sys
from typing import Any, Callable, Optional

_MOST = 200
_MOST_TEXT = 500
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES_FOLDERS = frozenset({"os.remove", "os.mkdir", "os.rmdir", "os.rename", "os.link", "os.symlink", "os.truncate"})
_LOCAL = ("", "localhost", "ip6-localhost")
_EACCES = 13


class Attempts:
    """Counts while it is entered. Make one in the confined process; its hook stays for the life of the process."""

    def __init__(self, policy: "dict[str, Any]") -> None:
        self._private_files = bool(policy["layers"]["namespaces"])
        self._read = tuple(str(path) for path in policy["read"])
        self._write = tuple(str(path) for path in policy["write"])
        self._counts: "dict[tuple[str, str], int]" = {}
        self._active = False
        sys.addaudithook(self._heard)

    def __enter__(self) -> None:
        self._counts.clear()
        self._active = True

    def __exit__(self, *_: object) -> None:
        self._active = False

    def told(self) -> "list[dict[str, Any]]":
        """Return what `clues` tells of an exception, with the number of `times`, for each thing that was tried."""
        return [_clue(what, target, times) for (what, target), times in self._counts.items()]

    def _heard(self, event: str, arguments: Any) -> None:
        if not self._active:
            return
        self._active = False  # looking must not be heard
        try:
            judge = _JUDGES.get(event) or (_folder if event in _CHANGES_FOLDERS else None)
            found = judge(self, arguments) if judge is not None else None
            if found is not None and (found in self._counts or len(self._counts) < _MOST):
                self._counts[found] = self._counts.get(found, 0) + 1
        except Exception:  # arguments may be objects of the user's; an error here would be an error of their call
            pass
        finally:
            self._active = True

    def refused(self, path: str, *, write: bool) -> bool:
        """Return whether the sandbox keeps a file from being read, or written or made."""
        if not self._private_files:
            allowed = (*self._write, "/dev") if write else (*self._read, *self._write, "/proc", "/dev")
            real = os.path.realpath(path)
            shown = any(real == each or real.startswith(each.rstrip("/") + "/") for each in allowed)
            return not shown and (write or os.path.exists(real))
        if os.path.lexists(path):
            return not os.access(path, os.W_OK if write else os.R_OK)
        folder = os.path.dirname(os.path.abspath(path))
        if os.path.isdir(folder):
            return not os.access(folder, os.X_OK | (os.W_OK if write else 0))
        try:
            os.lstat(path)
        except PermissionError:
            return True
        except OSError:
            return False
        return False


_Found = Optional["tuple[str, str]"]


def _opened(attempts: Attempts, arguments: Any) -> _Found:
    path, mode, flags = arguments
    if isinstance(path, int) or path is None:
        return None
    name = os.fsdecode(path)
    if "__pycache__" in name:
        return None
    writes = bool(flags & _WRITES) if isinstance(flags, int) else any(sign in str(mode) for sign in "wax+")
    what = "write" if writes else "read"
    return (what, os.path.abspath(name)) if attempts.refused(name, write=writes) else None


def _folder(attempts: Attempts, arguments: Any) -> _Found:
    for path in arguments[:2]:
        if isinstance(path, (str, bytes)) and attempts.refused(os.path.dirname(os.fsdecode(path)) or ".", write=True):
            return "write", os.path.abspath(os.fsdecode(path))
    return None


def _connected(attempts: Attempts, arguments: Any) -> _Found:
    address = arguments[1]
    return _host(address[0]) if isinstance(address, tuple) and address else None


def _named(attempts: Attempts, arguments: Any) -> _Found:
    host = arguments[0]
    host = host.decode("utf-8", "replace") if isinstance(host, bytes) else host
    return None if not isinstance(host, str) or _numeric(host) is not None else _host(host)


def _host(host: Any) -> _Found:
    address = _numeric(host)
    if address is not None and (address.is_loopback or address.is_unspecified):
        return None
    return None if not isinstance(host, str) or host in _LOCAL else ("network", host)


def _numeric(host: Any) -> Any:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


_JUDGES: "dict[str, Callable[[Attempts, Any], _Found]]" = {
    "open": _opened,
    "socket.connect": _connected,
    "socket.sendto": _connected,
    "socket.sendmsg": _connected,
    "socket.getaddrinfo": _named,
    "socket.gethostbyname": _named,
}


def _clue(what: str, target: str, times: int) -> "dict[str, Any]":
    target = target[:_MOST_TEXT]
    if what == "network":
        return {"name": "gaierror", "text": "host='%s'" % target, "times": times}
    return {"name": "PermissionError", "errno": _EACCES, "path": target, "wrote": what == "write", "times": times}
