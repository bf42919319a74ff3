"""What the first line of `%%trial` may say."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass

from IPython.core.error import UsageError

_MEMORY = re.compile(r"^(\d+(?:\.\d+)?)\s*(mb?|gb?)?$", re.IGNORECASE)
_USAGE = "%%trial takes --timeout SECONDS, --memory MB (or 2GB), and --readable DIR as often as needed."


@dataclass(frozen=True)
class Options:
    """Bounds and additions for one trial; None stands for the usual bound."""

    seconds: float | None = None
    memory_mb: int | None = None
    readable: tuple[str, ...] = ()


def parsed(line: str) -> Options:
    """Return the options. Raises IPython's `UsageError`."""
    try:
        words = [part for word in shlex.split(line) for part in _halves(word)]
    except ValueError as error:
        raise UsageError(f"{_USAGE} ({error})") from None
    seconds, memory, readable = None, None, []
    while words:
        name = words.pop(0)
        if name not in ("--timeout", "--memory", "--readable"):
            raise UsageError(f"{_USAGE} It does not know {name!r}. Nothing was run.")
        if not words:
            raise UsageError(f"{name} needs a value. {_USAGE} Nothing was run.")
        value = words.pop(0)
        if name == "--timeout":
            seconds = _seconds(value)
        elif name == "--memory":
            memory = _megabytes(value)
        else:
            readable.append(os.path.abspath(os.path.expanduser(value)))
    return Options(seconds, memory, tuple(readable))


def _halves(word: str) -> list[str]:
    return word.split("=", 1) if word.startswith("--") and "=" in word else [word]


def _seconds(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise UsageError(f"--timeout takes a number of seconds above 0, not {value!r}. Nothing was run.")
    return seconds


def _megabytes(value: str) -> int:
    match = _MEMORY.match(value)
    megabytes = float(match[1]) * (1024 if (match[2] or "m")[0] in "gG" else 1) if match else 0.0
    if not 1 <= megabytes < 1e8:
        raise UsageError(f"--memory takes a number of megabytes, or one like 2GB, not {value!r}. Nothing was run.")
    return int(megabytes)
