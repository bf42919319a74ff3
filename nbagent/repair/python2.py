"""Rewrites Python 2 source as Python 3 with fissix, the kept copy of the standard library's former 2to3."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from nbagent.repair.names import tree_of

if TYPE_CHECKING:
    from fissix.refactor import RefactoringTool

SYNTAX = ("print", "exec", "repr", "ne", "except", "raise", "throw", "numliterals", "tuple_params", "paren", "unicode")
"""Fixers that change only how a program is written, not which names it uses; `unicode` drops the u of ur''."""

_UNICODE_NAMES = re.compile(r"\b(unicode|unichr)\b")
_MAGIC = re.compile(r"^([ \t]*)((?:\w+(?:[ \t]*,[ \t]*\w+)*[ \t]*=[ \t]*)?)([%!?].*|[\w.]+\?{1,2}[ \t]*)$")
_CELL_MAGIC = re.compile(r"^%%(time|timeit|capture|prun)\b")
_INDENT = re.compile(r"^[ \t]*\t[ \t]*")


@lru_cache(maxsize=8)
def _tool(fixers: tuple[str, ...]) -> RefactoringTool:
    import fissix

    with tempfile.TemporaryDirectory() as folder:
        fissix.CACHE_DIR = Path(folder)  # its grammar tables would otherwise be pickled into the user's cache
        from fissix import refactor

        return refactor.RefactoringTool([f"fissix.fixes.fix_{name}" for name in fixers], explicit=list(fixers))


def rewritten(source: str, fixers: Sequence[str]) -> str | None:
    """Return the source after these fixers, with magics as they were; None when it is not Python 2 or 3 either."""
    masked, hidden = _mask(source)
    if masked is None:
        return None
    from fissix.pgen2.parse import ParseError
    from fissix.pgen2.tokenize import TokenError

    tool = _tool(tuple(fixers))
    try:
        tree = tool.refactor_string(masked + "\n", "cell")
    except (ParseError, TokenError, IndentationError, ValueError):
        return None
    if tree is None:
        return None
    text = str(tree).removesuffix("\n")
    for mark, line in hidden.items():
        text = text.replace(mark, line)
    return text


def as_python3(source: str) -> str | None:
    """Return a Python 2 cell in Python 3 syntax, or None when that does not make it Python 3."""
    if tree_of(source) is not None:
        return None
    for text in (source, with_spaces(source)):
        done = rewritten(_protected(text), SYNTAX)
        if done is not None:
            done = _tidied(_exposed(done), source)
            if tree_of(done) is not None:
                return done
    spaced = with_spaces(source)
    return spaced if spaced != source and tree_of(spaced) is not None else None


def with_spaces(source: str) -> str:
    """Return the source with tabs in indentation as the eight-column steps that Python 2 took them for."""
    return "\n".join(_INDENT.sub(lambda m: m[0].expandtabs(8), line) for line in source.split("\n"))


def _protected(source: str) -> str:
    # The unicode fixer would also rename these; a name is a matter of its own rule.
    return _UNICODE_NAMES.sub(r"nbagent_keeps_\1", source)


def _exposed(source: str) -> str:
    return source.replace("nbagent_keeps_", "")


def _tidied(text: str, source: str) -> str:
    """Undo what the fixers did where Python 3 reads the old text just as well: u'' strings."""
    return text if re.search(r"\b[uU][rR]['\"]", source) else _with_u(text, source)


def _with_u(text: str, source: str) -> str:
    was, now = source.split("\n"), text.split("\n")
    if len(was) != len(now):
        return text
    plain = re.compile(r"\b[uU](?=['\"])")
    return "\n".join(old if plain.sub("", old) == new else new for old, new in zip(was, now, strict=True))


def _mask(source: str) -> tuple[str | None, dict[str, str]]:
    lines, hidden = source.split("\n"), dict[str, str]()
    first = next((n for n, line in enumerate(lines) if line.strip()), 0)
    if lines[first].startswith("%%") and not _CELL_MAGIC.match(lines[first]):
        return None, hidden
    for number, line in enumerate(lines):
        matched = _MAGIC.match(line)
        if matched:
            mark = f"nbagent_magic_{number}_"
            hidden[mark] = matched[3]
            lines[number] = matched[1] + matched[2] + mark
    return "\n".join(lines), hidden
