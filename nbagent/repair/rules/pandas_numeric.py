"""Reductions of pandas that once left out the columns they could not compute."""

from __future__ import annotations

import ast
import re
from collections.abc import AsyncIterator

from nbagent.repair.code import Code, replaced
from nbagent.repair.live import places, signature
from nbagent.repair.rule import Case, Example, Fix, Rule

_TEXT = re.compile(
    r"[Cc]ould not convert .*to (?:numeric|float)|agg function failed|[Cc]annot perform reduction|does not support"
    r"|unsupported operand type|dtype '?(?:str|string|object|datetime64)|could not convert string to float"
)


class NumericOnly(Rule):
    """Adds `numeric_only=True` to pandas reductions of frames that also hold text: mean, corr, std, groupby means.

    Before pandas 2.0 such columns were left out silently. The live signature says whether the method takes the word.
    """

    code = "PAN010"
    name = "numeric-only"
    source = "https://pandas.pydata.org/docs/whatsnew/v2.0.0.html"
    examples = (
        Example(
            setup="import pandas as pd\ndf = pd.DataFrame({'a': [1, 2], 'b': ['x', 'y']})",
            before="df.corr()",
            after="df.corr(numeric_only=True)",
            ename="ValueError",
            evalue="could not convert string to float: 'x'",
            needs=("pandas",),
        ),
    )

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        """Add the keyword to the call that fails."""
        if case.ename not in ("TypeError", "ValueError") or not _TEXT.search(case.evalue):
            return
        for place in await places(case):
            code = Code.of(place.cell.source)
            for call in code.at(place, ast.Call) if code else ():
                if code is None or any(k.arg == "numeric_only" for k in call.keywords):
                    continue
                taken = await signature(case, place, code.text(call.func))
                if taken is None or "pandas" not in taken.module or not taken.takes("numeric_only"):
                    continue
                end = code.span(call)[1] - 1
                comma = ", " if call.args or call.keywords else ""
                done = code.source[:end] + f"{comma}numeric_only=True" + code.source[end:]
                says = f"`{code.text(call.func)}` no longer leaves out columns of text; numeric_only=True says so."
                yield Fix(rule=self.code, says=says, changes=(replaced(place.cell, done),))
