"""What an exception tells about why the system refused something: for the host, which knows what the sandbox allows."""

from __future__ import annotations

import linecache
import re
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Optional

_MOST = 8
_MOST_TEXT = 500
_WRITES = re.compile(
    r"""['"](?:[bt]*[wax][bt]*\+?[bt]*|r[bt]?\+[bt]?)['"]|O_(?:WRONLY|RDWR|CREAT)"""
    r"""|\b(?:mkdir|makedirs|mkdtemp|remove|unlink|rmdir|rmtree|rename|replace|symlink|link|touch|chmod|utime|truncate"""
    r"""|write_\w+|write|save\w*|dump|to_\w+|mknod|mkfifo)\(""",
)


def clues(error: BaseException) -> "list[dict[str, Any]]":
    """Return one entry for the exception and each one behind it: its type, errno, path, text, whether it wrote."""
    return [_clue(each) for each in _behind(error)]


def _behind(error: BaseException) -> Iterator[BaseException]:
    waiting: "list[BaseException]" = [error]
    seen: "set[int]" = set()
    while waiting and len(seen) < _MOST:
        each = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        more = [each.__cause__, each.__context__, getattr(each, "reason", None), *getattr(each, "exceptions", ())]
        waiting += [other for other in (*more, *each.args) if isinstance(other, BaseException)]


def _clue(error: BaseException) -> "dict[str, Any]":
    number = getattr(error, "errno", None)
    return {
        "name": type(error).__name__,
        "errno": number if isinstance(number, int) else None,
        "path": _path(error),
        "text": _text(error),
        "wrote": _wrote(error.__traceback__),
    }


def _path(error: BaseException) -> Optional[str]:
    path = getattr(error, "filename", None) if isinstance(error, OSError) else None
    if isinstance(path, bytes):
        path = path.decode("utf-8", "replace")
    return path[:4096] if isinstance(path, str) else None


def _text(error: BaseException) -> str:
    try:
        return str(error)[:_MOST_TEXT]
    except Exception:  # an exception's own __str__ is the user's code
        return ""


def _wrote(trace: Optional[TracebackType]) -> bool:
    """Guess from the line that failed whether it was about to write."""
    if trace is None:
        return False
    while trace.tb_next is not None:
        trace = trace.tb_next
    return bool(_WRITES.search(linecache.getline(trace.tb_frame.f_code.co_filename, trace.tb_lineno)))
