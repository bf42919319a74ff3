"""How commands write to a terminal: colours only where a person sees them, and nothing that breaks a pipe or a log."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import sys
from collections.abc import Mapping
from typing import TextIO

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36"}
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def wants_colour(stream: TextIO | None, environ: Mapping[str, str] | None = None) -> bool:
    """Return whether to colour what goes to `stream`.

    `NO_COLOR` (https://no-color.org) beats `FORCE_COLOR` (https://force-color.org) beats what the stream is: a
    terminal that is not dumb gets colours, a pipe or a file does not. Empty values of both count as not set.
    """
    environ = os.environ if environ is None else environ
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR"):
        return True
    return is_terminal(stream) and environ.get("TERM") != "dumb"


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether a person watches this stream, so that a line may be rewritten in place."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # the stream was closed
        return False


class Style:
    """Wraps text in colours for one stream, or leaves it alone when the stream wants none."""

    def __init__(self, stream: TextIO | None = None, *, colour: bool | None = None) -> None:
        self.colour = wants_colour(stream) if colour is None else colour

    def __call__(self, text: str, *names: str) -> str:
        """Return `text` in the named styles: bold, dim, red, green, yellow, blue, cyan."""
        if not self.colour or not text:
            return text
        return f"\x1b[{';'.join(_CODES[name] for name in names)}m{text}\x1b[0m"


def width(stream: TextIO | None = None, *, default: int = 80) -> int:
    """Return how many columns lines may have; never less than 20. `COLUMNS` decides where it is set."""
    del stream  # the size of the controlling terminal is what `shutil` asks for
    return max(20, shutil.get_terminal_size((default, 24)).columns)


def harmless(text: str) -> str:
    """Return text from a notebook without what a terminal would obey: control and direction characters are spelled."""
    return _CONTROL.sub(lambda match: match.group().encode("unicode_escape").decode("ascii"), text)


def prepare_streams() -> None:
    """Let standard output and error take any text: what their encoding lacks is spelled with backslashes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            with contextlib.suppress(ValueError, OSError):
                stream.reconfigure(errors="backslashreplace")
