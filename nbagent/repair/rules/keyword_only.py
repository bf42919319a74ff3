"""Arguments that must be given by keyword now."""

from __future__ import annotations

import ast
import re
from collections.abc import AsyncIterator

from nbagent.repair.code import Code, replaced
from nbagent.repair.live import Signature, places, signature
from nbagent.repair.rule import Case, Example, Fix, Rule

_POSITIONAL = re.compile(
    r"takes (?:from )?(?:exactly )?\d+(?: to \d+)? positional arguments? but \d+|got multiple values for argument"
    r"|Too many positional|takes no (?:positional )?arguments"
)
OLD_ORDER = {
    "DataFrame.pivot": ("index", "columns", "values"),
    "pivot": ("data", "index", "columns", "values"),
}
"""Signatures whose order was another one; https://pandas.pydata.org/pandas-docs/version/1.5/reference/."""
SEABORN = ("x", "y", "hue", "data")
"""How seaborn's functions took their first arguments; https://seaborn.pydata.org/whatsnew/v0.12.0.html."""


class KeywordOnly(Rule):
    """Gives arguments by keyword where a function no longer takes them by position: `df.drop("a", 1)`.

    The names come from the signature of the function as it is installed, in its order.
    """

    code = "ARG001"
    name = "keyword-only-argument"
    source = "decided in the live process"
    examples = (
        Example(
            setup="import pandas as pd\ndf = pd.DataFrame({'a': [1], 'b': [2]})",
            before="df = df.drop('a', 1)",
            after="df = df.drop('a', axis=1)",
            ename="TypeError",
            evalue="DataFrame.drop() takes from 1 to 2 positional arguments but 3 were given",
            needs=("pandas",),
        ),
        Example(
            setup="def area(width, *, height):\n    return width * height",
            before="area(2, 3)",
            after="area(2, height=3)",
            ename="TypeError",
            evalue="area() takes 1 positional argument but 2 were given",
        ),
    )

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        """Name the arguments that are too many by position."""
        if case.ename != "TypeError" or not _POSITIONAL.search(case.evalue):
            return
        for place in await places(case):
            code = Code.of(place.cell.source)
            for call in code.at(place, ast.Call) if code else ():
                taken = await signature(case, place, code.text(call.func)) if code else None
                names = _names(taken, call) if taken else None
                if code is None or taken is None or not names:
                    continue
                pairs = [(a, n) for a, n in zip(call.args, names, strict=True) if n]
                edits = [((code.span(a)[0], code.span(a)[0]), f"{name}=") for a, name in pairs]
                says = f"`{taken.name}` takes {', '.join(n for _, n in pairs)} by keyword only."
                yield Fix(rule=self.code, says=says, changes=(replaced(place.cell, code.with_edits(edits)),))


def _names(taken: Signature, call: ast.Call) -> list[str | None] | None:
    """Return a keyword for each positional argument, None for those that stay as they are."""
    if any(isinstance(a, ast.Starred) for a in call.args):
        return None
    count, given = len(call.args), {k.arg for k in call.keywords}
    old = SEABORN if taken.module.startswith("seaborn") else OLD_ORDER.get(taken.name)
    if old:
        names: list[str | None] = list(old[:count])
        fits = len(names) == count and all(n and taken.takes(n) and n not in given for n in names)
        return names if fits else None
    able = [p for p in taken.parameters if p.kind in ("POSITIONAL_ONLY", "POSITIONAL_OR_KEYWORD")]
    named = [p.name for p in taken.parameters if p.kind == "KEYWORD_ONLY"]
    extra = count - len(able)
    if extra <= 0 or extra > len(named) or given & set(named[:extra]):
        return None
    return [None] * len(able) + list(named[:extra])
