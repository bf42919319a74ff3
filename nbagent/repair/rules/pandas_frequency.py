"""Names of frequencies that pandas renamed."""

from __future__ import annotations

import ast
import re
from collections.abc import AsyncIterator

from nbagent.repair.code import Code, replaced
from nbagent.repair.live import places
from nbagent.repair.rule import Case, Example, Fix, Rule

_INVALID = re.compile(r"Invalid frequency: ([\w-]+)")
_SAID = re.compile(r"[Pp]lease use '([\w-]+)' instead|did you mean:? '?([\w-]+)'?")
_PARTS = re.compile(r"^(-?\d*)([A-Za-z]+)(-[A-Z]+)?$")
ALIASES = {
    "M": "ME", "SM": "SME", "BM": "BME", "CBM": "CBME", "Q": "QE", "BQ": "BQE", "A": "YE", "Y": "YE", "BA": "BYE",
    "BY": "BYE", "AS": "YS", "BAS": "BYS", "H": "h", "BH": "bh", "CBH": "cbh", "T": "min", "S": "s", "L": "ms",
    "U": "us", "N": "ns",
}  # fmt: skip
"""https://pandas.pydata.org/docs/whatsnew/v2.2.0.html, deprecated aliases; removed in 3.0."""


class PandasFrequency(Rule):
    """Writes pandas frequencies by their names of today: `"M"` is `"ME"`, `"H"` is `"h"`, `"A-DEC"` is `"YE-DEC"`."""

    code = "PAN006"
    name = "pandas-frequency"
    source = "https://pandas.pydata.org/docs/whatsnew/v3.0.0.html"
    examples = (
        Example(
            setup="import pandas as pd",
            before="days = pd.date_range('2013-01-01', periods=3, freq='M')",
            after="days = pd.date_range('2013-01-01', periods=3, freq='ME')",
            ename="ValueError",
            evalue="'M' is no longer supported for offsets. Please use 'ME' instead.",
            needs=("pandas",),
        ),
    )

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        """Rewrite the literal in the failing call, else wherever it stands in the cell."""
        invalid = _INVALID.search(case.evalue) or re.search(r"'([\w-]+)' is no longer supported", case.evalue)
        if case.ename != "ValueError" or not invalid:
            return
        for place in await places(case):
            code = Code.of(place.cell.source)
            if code is None:
                continue
            calls = code.at(place, ast.Call)
            nodes = [c for call in calls for c in ast.walk(call) if isinstance(c, ast.Constant)]
            nodes = [c for c in nodes if c.value == invalid[1]] or [
                c for c in code.all(ast.Constant) if c.value == invalid[1]
            ]
            for new in _names(invalid[1], case.evalue):
                edits = [(code.span(n), code.text(n).replace(invalid[1], new)) for n in nodes]
                if edits:
                    says = f"pandas calls the frequency {invalid[1]!r} {new!r} now."
                    yield Fix(rule=self.code, says=says, changes=(replaced(place.cell, code.with_edits(edits)),))
            if nodes:
                return


def _names(old: str, message: str) -> list[str]:
    said = _SAID.search(message)
    parts = _PARTS.match(old)
    known = [parts[1] + ALIASES[parts[2]] + (parts[3] or "")] if parts and parts[2] in ALIASES else []
    meant = [parts[1] + next(g for g in said.groups() if g) + (parts[3] or "")] if said and parts else []
    return list(dict.fromkeys(known + [m for m in meant if "-" not in m[:-4]]))
