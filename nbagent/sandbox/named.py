"""Which files outside its workspace a notebook names: what its cells spell out as paths may be read by trials."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from nbagent.sandbox import secrets

_QUOTED = re.compile(r"""(?P<quote>['"])(?P<text>[^'"\n]{1,400})(?P=quote)""")
_MOST_FOLDERS, _MOST_NAMES = 32, 50_000


def named_folders(
    sources: Iterable[str], folder: Path, *, within: Path | None, too_broad: Callable[[Path], bool]
) -> tuple[Path, ...]:
    """Return existing files and folders outside `within` that string literals in `sources` lead to from `folder`.

    For a file it is the folder around it, so that its neighbours can be listed; where that folder is too broad (the
    home folder, /tmp) it is the file alone. Secrets, and folders too big to be searched for them, are left out.
    """
    found: dict[Path, None] = {}
    for text in (literal for source in sources for literal in _literals(source)):
        path = _existing(text, folder)
        if path is None or (within is not None and (path == within or within in path.parents)):
            continue
        path = path.parent if path.is_file() and not too_broad(path.parent) else path
        if too_broad(path) or any(secrets.is_secret(str(part)) for part in (path, *path.parents)):
            continue
        if path not in found and (path.is_file() or secrets.find([path], at_most=_MOST_NAMES)[2]):
            found[path] = None
        if len(found) == _MOST_FOLDERS:
            break
    return tuple(found)


def _literals(source: str) -> Iterator[str]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        yield from (match["text"] for match in _QUOTED.finditer(source))  # magics, shell lines, half a cell
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and 0 < len(node.value) <= 400:
            yield node.value


def _existing(text: str, folder: Path) -> Path | None:
    if ("/" not in text and text != "..") or "\n" in text or "\0" in text or "://" in text:
        return None
    path = os.path.realpath(os.path.join(folder, os.path.expanduser(text)))
    try:
        return Path(path) if os.path.exists(path) else None
    except (OSError, ValueError):
        return None
