"""Which of a cell's failures the sandbox caused, and the option that would have let the code go on."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, TypeAdapter, ValidationError

from nbagent.core.outputs import Refusal
from nbagent.sandbox import secrets
from nbagent.sandbox.access import SYSTEM, Access, too_broad

_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_UNREACHABLE = frozenset(
    {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ECONNREFUSED, errno.ENETDOWN, errno.EADDRNOTAVAIL}
)
_DENIED_TEXT = re.compile(
    r"Permission denied|Operation not permitted|Read-only file system|errno ?=? ?(?:13|1|30)\b"
    r"|unable to open database file"
)
_OFFLINE_TEXT = re.compile(
    r"Temporary failure in name resolution|Name or service not known|No address associated|Network is unreachable"
    r"|Failed to resolve|nodename nor servname|could not translate host name|Connection refused|No route to host"
)
_QUOTED_PATH = re.compile(r"""['"`](/[^'"`\n]+)['"`]""")
_HOST = re.compile(r"""(?:host=|host name |host |server at )['"]([\w.-]+)['"]|https?://([\w.-]+)""")
_SOCKET_WORDS = frozenset({"gaierror", "herror", "ConnectionRefusedError"})


class Clue(BaseModel, frozen=True):
    """What `nbagent/inside/clues.py` says of one exception. It comes from confined code, so it only chooses words."""

    name: str = ""
    errno: int | None = None
    path: str | None = None
    text: str = ""
    wrote: bool = False


_CLUES = TypeAdapter(tuple[Clue, ...])


def refusals(told: object, access: Access) -> tuple[Refusal, ...]:
    """Return what the sandbox refused among the exceptions behind a failure; nothing in mode `full`."""
    if access.mode == "full":
        return ()
    try:
        clues = _CLUES.validate_python(told)
    except ValidationError:
        return ()
    found: dict[tuple[str, str], Refusal] = {}
    for clue in clues:
        for refusal in _judged(clue, access):
            found.setdefault((refusal.what, refusal.target), refusal)
    return tuple(found.values())


def _judged(clue: Clue, access: Access) -> Iterator[Refusal]:
    if _is_network(clue):
        host = _HOST.search(clue.text)
        yield Refusal(what="network", target=next(filter(None, host.groups()), "") if host else "the network")
    elif clue.errno in _FORBIDDEN or _DENIED_TEXT.search(clue.text):
        path = clue.path or next(iter(_QUOTED_PATH.findall(clue.text)), None)
        if path is not None:
            refusal = _file(Path(os.path.abspath(os.path.join(_start(access), path))), clue, access)
            if refusal is not None:
                yield refusal


def _is_network(clue: Clue) -> bool:
    if clue.name in _SOCKET_WORDS or clue.errno in _UNREACHABLE or _OFFLINE_TEXT.search(clue.text):
        return True
    # Without namespaces no socket can be made: PermissionError that names no file.
    return clue.name == "PermissionError" and clue.errno == errno.EACCES and clue.path is None and not _path_in(clue)


def _path_in(clue: Clue) -> bool:
    return bool(_QUOTED_PATH.search(clue.text))


def _file(path: Path, clue: Clue, access: Access) -> Refusal | None:
    """Return what was refused about a file, or None when the user could not have done it either."""
    wrote = clue.wrote or clue.errno == errno.EROFS or _is_shown(path, access)
    if wrote:
        if not _could(path, os.W_OK):
            return None
        return Refusal(what="write", target=str(path))
    if not _could(path, os.R_OK):
        return None
    return Refusal(what="read", target=str(path), allow_with=_option(path))


def _is_shown(path: Path, access: Access) -> bool:
    """Return whether code may read it, so that a refusal was about something else."""
    if _is_secret(path):
        return False
    shown = [access.workspace, access.scratch, *access.readable, *(Path(folder) for folder in SYSTEM)]
    return any(path == folder or folder in path.parents for folder in shown)


def _is_secret(path: Path) -> bool:
    return any(str(part) in secrets.SYSTEM or secrets.is_secret(str(part)) for part in (path, *path.parents))


def _could(path: Path, right: int) -> bool:
    """Return whether this process may do it; for what does not exist, whether it may look in the nearest folder."""
    if os.path.exists(path):
        return os.access(path, right)
    for folder in path.parents:
        if os.path.exists(folder):
            return os.access(folder, os.X_OK | (os.W_OK if right == os.W_OK else 0))
    return False


def _option(path: Path) -> str | None:
    if _is_secret(path):
        return None
    folder = path if path.is_dir() else path.parent
    if too_broad(folder):
        return None if path.is_dir() else f"--readable {path}"
    return f"--readable {folder}"


def _start(access: Access) -> str:
    return str(access.folder or access.workspace)
