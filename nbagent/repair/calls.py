"""Base of the rules that write calls of some functions anew when a failure says that their old form is gone."""

from __future__ import annotations

import ast
import re
from collections.abc import AsyncIterator
from typing import ClassVar

from nbagent.repair.code import Code, replaced
from nbagent.repair.live import places
from nbagent.repair.renamed import called
from nbagent.repair.rule import Case, Fix, Rule

Edit = tuple[tuple[int, int], str]


class RewrittenCalls(Rule):
    """A subclass gives the failure's `pattern` (of `name: message`), the `functions`, and one call's `edits`."""

    pattern: ClassVar[re.Pattern[str]]
    functions: ClassVar[frozenset[str]]
    says: ClassVar[str]
    imports: ClassVar[str] = ""
    """A line to import what the new form uses; added where the cell lacks it."""

    def edits(self, code: Code, call: ast.Call) -> list[Edit]:
        """Return what changes in one call; nothing when it is not of the old form."""
        raise NotImplementedError  # an abstract method: every rule has its own

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        """Rewrite every such call of the cell that the failure passes through."""
        if not self.pattern.search(f"{case.ename}: {case.evalue}"):
            return
        for place in await places(case):
            code = Code.of(place.cell.source)
            calls = [call for call in code.all(ast.Call) if called(call) in self.functions] if code else []
            edits = [edit for call in calls if code for edit in self.edits(code, call)]
            if code is None or not edits:
                continue
            source = code.with_edits(edits)
            after = Code.of(source) if self.imports and self.imports not in source.split("\n") else None
            source = after.with_import(self.imports) if after else source
            yield Fix(rule=self.code, says=self.says, changes=(replaced(place.cell, source),))
            return


def keyword(call: ast.Call, name: str) -> ast.keyword | None:
    """Return the keyword argument of this name."""
    return next((k for k in call.keywords if k.arg == name), None)


def name_span(code: Code, call: ast.Call) -> tuple[int, int]:
    """Return where the last name of what is called stands."""
    end = code.span(call.func)[1]
    return end - len(called(call) or ""), end


def added(code: Code, call: ast.Call, text: str) -> Edit:
    """Return the edit that adds an argument at a call's end."""
    end = code.span(call)[1] - 1
    before = code.source[:end].rstrip()
    comma = "" if before.endswith(("(", ",")) else ", "
    return (len(before), len(before)), comma + text
