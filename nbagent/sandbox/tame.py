"""Text of confined code, without what a terminal would obey beyond colours and the redrawing of a line."""

from __future__ import annotations

import re

_OBEYED = re.compile("\x1b(?!\\[[0-9;]{0,32}[mABCDK])|[\x80-\x84\x86-\x9f]")
"""Escapes but those of ECMA-48 for colours (SGR), cursor moves and erasing in a line, which progress bars use; and the
eight-bit forms of escapes."""


def tame(text: str) -> str:
    """Return `text` with other escapes as visible signs: titles, clipboards, hyperlinks and queries stay words.

    A permitted escape that arrives in two pieces is shown as a sign, too; nothing forbidden passes in pieces, since a
    lone escape character never does.
    """
    return _OBEYED.sub(lambda match: "\N{SYMBOL FOR ESCAPE}" if match.group() == "\x1b" else "\ufffd", text)
