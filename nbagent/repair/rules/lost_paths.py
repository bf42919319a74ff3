"""Files that are here, but not where the notebook looks for them."""

from __future__ import annotations

import ast
import re
from collections.abc import AsyncIterator

from nbagent.core.cells import Cell
from nbagent.repair.code import Code, replaced
from nbagent.repair.live import look, strings
from nbagent.repair.rule import Case, Fix, Rule

_NO_FILE = re.compile(r"No such file or directory:? '?([^']+?)'?$|^'?([^'\n]+?)'? (?:not found|does not exist)")


class LostPath(Rule):
    """Corrects the path of a file that the workspace has exactly once: in another folder, or in another case.

    Paths of the author's own machine (`/home/me/data.csv`) are the usual reason.
    """

    code = "FIL001"
    name = "lost-path"
    source = "decided by the files beside the notebook"
    confidence = "likely"
    examples = ()

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        """Replace the path where it is written, in this cell or one above."""
        if case.ename not in ("FileNotFoundError", "OSError", "NotADirectoryError"):
            return
        said = _NO_FILE.search(case.evalue)
        asked = await look(case, "missing_file") or (next((g for g in said.groups() if g), None) if said else None)
        if not isinstance(asked, str) or not asked:
            return
        found = await strings(case, "files_named", re.split(r"[/\\]", asked)[-1])
        if len(found) != 1:
            return
        new = found[0].replace("\\", "/")
        for cell in (case.cell, *reversed(case.before())):
            if done := _rewritten(cell, asked, new):
                says = f"{asked!r} is not there, but the workspace has one file of that name: {new!r}."
                yield Fix(rule=self.code, says=says, changes=(replaced(cell, done),))


def _rewritten(cell: Cell, asked: str, new: str) -> str | None:
    code = Code.of(cell.source)
    if code is None:
        return None
    edits = []
    for node in code.all(ast.Constant):
        if isinstance(node.value, str) and (text := _path(node.value, asked, new)):
            edits.append((code.span(node), repr(text)))
    return code.with_edits(edits) if edits else None


def _path(literal: str, asked: str, new: str) -> str | None:
    """Return what a literal becomes: the whole path, or the folder at its start when the rest stays."""
    if literal == asked:
        return new
    if len(literal) > 2 and asked.startswith(literal):
        rest = asked[len(literal) :]
        if new.endswith(rest):
            return new.removesuffix(rest) or ("." if rest.startswith("/") else "")
    return None
