"""Text of confined code, without what a terminal would obey beyond colours and the redrawing of a line."""

from __future__ import annotations

import re

from nbagent.core.outputs import Display, Output, Raised, Result, StreamText

_OBEYED = re.compile("\x1b(?!\\[[0-9;]{0,32}[mABCDK])|[\x80-\x84\x86-\x9f]")
"""Escapes but those of ECMA-48 for colours (SGR), cursor moves and erasing in a line, which progress bars use; and the
eight-bit forms of escapes."""


def tame(text: str) -> str:
    """Return `text` with other escapes as visible signs: titles, clipboards, hyperlinks and queries stay words.

    A permitted escape that arrives in two pieces is shown as a sign, too; nothing forbidden passes in pieces, since a
    lone escape character never does.
    """
    return _OBEYED.sub(lambda match: "\N{SYMBOL FOR ESCAPE}" if match.group() == "\x1b" else "\ufffd", text)


def tamed(output: Output) -> Output:
    """Return the output with its texts tamed; HTML and other formats are a front-end's to sanitise."""
    if isinstance(output, StreamText):
        return output.model_copy(update={"text": tame(output.text)})
    if isinstance(output, Raised):
        update = {"ename": tame(output.ename), "evalue": tame(output.evalue)}
        return output.model_copy(update={**update, "traceback": tuple(tame(line) for line in output.traceback)})
    assert isinstance(output, Display | Result)
    plain = output.data.get("text/plain")
    data = {**output.data, "text/plain": tame(plain)} if isinstance(plain, str) else output.data
    return output.model_copy(update={"data": data})
