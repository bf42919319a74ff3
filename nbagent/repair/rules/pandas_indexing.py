"""Ways to index pandas objects that are gone: `.ix`, positions in `[]`, rows of a frame by a date."""

from __future__ import annotations

import ast
import re
from collections.abc import AsyncIterator

from nbagent.repair.code import Code, replaced
from nbagent.repair.live import Place, kinds, places, values
from nbagent.repair.rule import Case, Example, Fix, Rule

_NO_IX = re.compile(r"object has no attribute '(?:ix|irow|icol)'")
_INTEGER_INDEX = "getattr({axis}, 'inferred_type', '') == 'integer'"
_IS_POSITION = (
    "(lambda k: [isinstance(i, (int, __import__('numbers').Integral)) and not isinstance(i, bool) for i in "
    "([k.start, k.stop] if isinstance(k, slice) else list(k) if hasattr(k, '__iter__') and not isinstance(k, str) "
    "else [k]) if i is not None])({key})"
)


class PandasIx(Rule):
    """Replaces `.ix`, which is gone from pandas, by `.loc` for labels and `.iloc` for positions.

    Which of them `.ix` meant depended on the index: integers were positions unless the index itself held integers.
    That is looked up in the live objects. Where rows go by position and columns by label, the labels of those
    positions are written.
    """

    code = "PAN003"
    name = "pandas-ix"
    source = "https://pandas.pydata.org/pandas-docs/version/0.20/whatsnew.html#deprecate-ix"
    examples = (
        Example(
            setup="import pandas as pd\ndf = pd.DataFrame({'a': [2, 1]}, index=['x', 'y'])",
            before="first = df.ix[0]",
            after="first = df.iloc[0]",
            ename="AttributeError",
            evalue="'DataFrame' object has no attribute 'ix'",
            needs=("pandas",),
        ),
        Example(
            setup="import pandas as pd\ndf = pd.DataFrame({'a': [2, 1]}, index=['x', 'y'])",
            before="value = df.ix[0, 'a']",
            after="value = df.loc[df.index[0], 'a']",
            ename="AttributeError",
            evalue="'DataFrame' object has no attribute 'ix'",
            needs=("pandas",),
        ),
    )

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        """Rewrite each `.ix[...]` of the cell whose key and object are known."""
        if case.ename != "AttributeError" or not _NO_IX.search(case.evalue):
            return
        for place in await places(case):
            code = Code.of(place.cell.source)
            uses = [n for n in code.all(ast.Subscript) if _is_ix(n)] if code else []
            if code is None or not uses:
                continue
            says = (
                "`.ix` is gone from pandas; the cell uses what it meant here, `.loc` by label or `.iloc` by position."
            )
            edits = [(code.span(n), text) for n in uses if (text := await _meant(case, place, code, n))]
            if edits:
                yield Fix(rule=self.code, says=says, changes=(replaced(place.cell, code.with_edits(edits)),))
            return


def _is_ix(node: ast.Subscript) -> bool:
    return isinstance(node.value, ast.Attribute) and node.value.attr == "ix"


async def _meant(case: Case, place: Place, code: Code, node: ast.Subscript) -> str | None:
    assert isinstance(node.value, ast.Attribute)
    owner = code.text(node.value.value)
    keys = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if len(keys) > 2 or not (await kinds(case, place, owner))[0]:
        return None
    by_position: list[bool | None] = []
    for key, axis in zip(keys, ("index", "columns"), strict=False):
        by_position.append(await _is_position(case, place, code, key, f"({owner}).{axis}"))
    known = [p for p in by_position if p is not None]
    if not any(known):
        return f"{owner}.loc[{_key(code, node)}]"
    if all(known):
        return f"{owner}.iloc[{_key(code, node)}]"
    parts = [
        f"{owner}.{axis}[{code.text(key)}]" if position else code.text(key)
        for key, axis, position in zip(keys, ("index", "columns"), by_position, strict=True)
    ]
    return f"{owner}.loc[{', '.join(parts)}]"


def _key(code: Code, node: ast.Subscript) -> str:
    whole = code.source[code.span(node.value)[1] : code.span(node)[1]]
    return whole.strip()[1:-1]


async def _is_position(case: Case, place: Place, code: Code, key: ast.expr, axis: str) -> bool | None:
    """Whether a key counts positions; None for `:`, which means the same to both."""
    if isinstance(key, ast.Slice) and key.lower is None and key.upper is None:
        return None
    text = code.text(key)
    if isinstance(key, ast.Slice):
        text = "slice(" + ", ".join(code.text(p) if p else "None" for p in (key.lower, key.upper)) + ")"
    integers, of_integers = await values(case, place, _IS_POSITION.format(key=text), _INTEGER_INDEX.format(axis=axis))
    return isinstance(integers, list) and bool(integers) and all(integers) and of_integers is not True


class PandasPosition(Rule):
    """Writes `.iloc` where a Series with labels was indexed by a position: `s[0]`, `s[-1]`.

    pandas 3 takes the number for a label. The rule looks at the live Series: its index holds no integers.
    """

    code = "PAN004"
    name = "pandas-position"
    source = "https://pandas.pydata.org/docs/whatsnew/v3.0.0.html"
    examples = (
        Example(
            setup="import pandas as pd\ns = pd.Series([1, 2], index=['a', 'b'])",
            before="first = s[0]",
            after="first = s.iloc[0]",
            ename="KeyError",
            evalue="0",
            needs=("pandas",),
        ),
    )

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        """Rewrite the subscripts of the failing line whose object is such a Series."""
        if case.ename != "KeyError" or not re.fullmatch(r"(?:np\.int64\()?-?\d+\)?", case.evalue):
            return
        for place in await places(case):
            code = Code.of(place.cell.source)
            nodes = [n for n in code.at(place, ast.Subscript) if isinstance(n.ctx, ast.Load)] if code else []
            edits = []
            for node in nodes:
                owner = code.text(node.value) if code else ""
                kind = (await kinds(case, place, owner))[0]
                (of_integers,) = await values(case, place, _INTEGER_INDEX.format(axis=f"({owner}).index"))
                if code and kind and kind[0].endswith(".Series") and of_integers is False:
                    end = code.span(node.value)[1]
                    edits.append(((end, end), ".iloc"))
            if code and edits:
                says = "pandas takes a number in `[]` of a Series for a label now; `.iloc` says that it is a position."
                yield Fix(rule=self.code, says=says, changes=(replaced(place.cell, code.with_edits(edits)),))
                return


class PandasRowsByDate(Rule):
    """Writes `.loc` where rows of a frame were taken by a date in plain brackets: `df["2013"]`."""

    code = "PAN005"
    name = "pandas-rows-by-date"
    source = "https://pandas.pydata.org/docs/whatsnew/v2.0.0.html"
    examples = (
        Example(
            setup="import pandas as pd\ndf = pd.DataFrame({'a': [1, 2]}, pd.to_datetime(['2013-01-01', '2014-01-01']))",
            before="rows = df['2013']",
            after="rows = df.loc['2013']",
            ename="KeyError",
            evalue="'2013'",
            needs=("pandas",),
        ),
    )

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        """Rewrite the failing subscript when its frame is indexed by dates."""
        if case.ename != "KeyError" or not re.match(r"'\d{4}", case.evalue):
            return
        for place in await places(case):
            code = Code.of(place.cell.source)
            for node in code.at(place, ast.Subscript) if code else ():
                owner = code.text(node.value) if code else ""
                (kind,) = await kinds(case, place, f"({owner}).index")
                if code and kind and kind[0].endswith(("DatetimeIndex", "PeriodIndex")):
                    end = code.span(node.value)[1]
                    says = "Rows are taken by a date with `.loc`; plain brackets are for columns."
                    done = code.source[:end] + ".loc" + code.source[end:]
                    yield Fix(rule=self.code, says=says, changes=(replaced(place.cell, done),))
