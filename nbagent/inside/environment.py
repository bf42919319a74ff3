"""The environment: only names on an allow-list stay, in Python, in libc and in the memory behind /proc/self/environ."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from .kernel import libc


def scrub(allowed: Iterable[str], replaced: Mapping[str, str]) -> int:
    """Keep variables whose names match a pattern in `allowed`, set those in `replaced`; return how many went.

    A value that carries credentials in a URL goes as well. Copies that user code made for itself cannot be found.
    """
    patterns = tuple(allowed)
    kept = {name: value for name, value in os.environ.items() if passes(name, value, patterns)}
    gone = len(os.environ) - len(kept)
    kept.update(replaced)
    os.environ.clear()
    libc.clearenv()
    _wipe_initial_block()
    for name, value in kept.items():
        os.environ[name] = value
    return gone


def passes(name: str, value: str, patterns: Iterable[str]) -> bool:
    """Return whether a variable may be seen by confined code."""
    return any(fnmatchcase(name, pattern) for pattern in patterns) and not ("://" in value and "@" in value)


def _wipe_initial_block() -> None:
    # Fields 50 and 51 of /proc/self/stat: where the kernel put the environment at exec (proc_pid_stat(5)). It stays
    # there, readable as /proc/self/environ, whatever is done to os.environ.
    with open("/proc/self/stat", "rb") as stat:
        text = stat.read()
    fields = text[text.rindex(b")") + 2 :].split()
    start, end = int(fields[47]), int(fields[48])
    if 0 < start < end:
        ctypes.memset(start, 0, end - start)
