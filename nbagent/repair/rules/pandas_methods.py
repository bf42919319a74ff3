"""Methods of pandas that were renamed or removed and have one equivalent."""

from __future__ import annotations

import ast
import re
from collections.abc import AsyncIterator, Callable

from nbagent.repair.code import Code, in_parentheses, replaced
from nbagent.repair.live import Place, kinds, places
from nbagent.repair.rule import Case, Example, Fix, Rule

_MISSING = re.compile(r"'(\w+)' object has no attribute '(\w+)'")
_V3 = "https://pandas.pydata.org/docs/whatsnew/v3.0.0.html"
_V2 = "https://pandas.pydata.org/docs/whatsnew/v2.0.0.html"
_V1 = "https://pandas.pydata.org/docs/whatsnew/v1.0.0.html"
_V020 = "https://pandas.pydata.org/docs/whatsnew/v0.20.0.html"

RENAMED = {
    "as_matrix": ("to_numpy", _V1),
    "get_values": ("to_numpy", _V1),
    "iteritems": ("items", _V2),
    "applymap": ("map", _V3),
    "order": ("sort_values", _V020),
    "sortlevel": ("sort_index", _V020),
    "pad": ("ffill", _V3),
    "backfill": ("bfill", _V3),
    "valid": ("dropna", _V1),
}
"""Method -> (its name now, the release notes that say so)."""
ARRAY_METHODS = frozenset({"ravel", "reshape", "nonzero", "flatten", "flags", "strides", "ptp", "put", "compress"})
PROPERTIES = {
    "weekday_name": "day_name()",
    "week": "isocalendar().week",
    "weekofyear": "isocalendar().week",
    "is_monotonic": "is_monotonic_increasing",
    "labels": "codes",
    "ftypes": "dtypes",
}
"""Attributes that another expression replaces; the notes of pandas 1.0 and 2.0."""
_OURS = re.compile(
    r"DataFrame|Series|Index|RangeIndex|MultiIndex|DatetimeIndex|Timestamp|DatetimeProperties|TimedeltaIndex"
    r"|CategoricalIndex|PeriodIndex|DataFrameGroupBy|SeriesGroupBy|StringArray|ArrowStringArray"
)

Write = Callable[[Code, ast.Attribute, ast.Call | None], str | None]


def _arguments(code: Code, method: ast.Attribute, call: ast.Call) -> str:
    return code.source[code.span(method)[1] : code.span(call)[1]]


def _keywords(code: Code, call: ast.Call, *without: str) -> list[str]:
    return [code.text(k) for k in call.keywords if k.arg not in without]


def _given(code: Code, call: ast.Call, name: str) -> str | None:
    return next((code.text(k.value) for k in call.keywords if k.arg == name), None)


def _sort(code: Code, method: ast.Attribute, call: ast.Call | None) -> str | None:
    if call is None:
        return None
    owner, by = code.text(method.value), _given(code, call, "columns") or _given(code, call, "by")
    rest = _keywords(code, call, "columns", "by")
    if call.args:
        by = code.text(call.args[0])
    return f"{owner}.sort_values({', '.join([by, *rest])})" if by else f"{owner}.sort_index({', '.join(rest)})"


def _series_sort(code: Code, method: ast.Attribute, call: ast.Call | None) -> str | None:
    if call is None or call.args:
        return None
    given = _keywords(code, call, "inplace")
    return f"{code.text(method.value)}.sort_values({', '.join([*given, 'inplace=True'])})"


def _get_value(code: Code, method: ast.Attribute, call: ast.Call | None) -> str | None:
    if call is None or len(call.args) not in (1, 2):
        return None
    return f"{code.text(method.value)}.at[{', '.join(code.text(a) for a in call.args)}]"


def _set_value(code: Code, method: ast.Attribute, call: ast.Call | None) -> str | None:
    if call is None or len(call.args) not in (2, 3) or not isinstance(code.parents.get(call), ast.Expr):
        return None
    *key, value = [code.text(a) for a in call.args]
    return f"{code.text(method.value)}.at[{', '.join(key)}] = {value}"


def _array(code: Code, method: ast.Attribute, call: ast.Call | None) -> str | None:
    return f"{code.text(method.value)}.to_numpy().{method.attr}" + (_arguments(code, method, call) if call else "")


def _mad(code: Code, method: ast.Attribute, call: ast.Call | None) -> str | None:
    owner = in_parentheses(code, method.value)
    return f"({owner} - {owner}.mean()).abs().mean()" if call and not (call.args or call.keywords) else None


def _as_matrix(code: Code, method: ast.Attribute, call: ast.Call | None) -> str | None:
    if call is None:
        return None
    columns = _given(code, call, "columns") or (code.text(call.args[0]) if call.args else None)
    owner = code.text(method.value) + (f"[{columns}]" if columns else "")
    return f"{owner}.to_numpy()"


SPECIAL: dict[tuple[str, str], Write] = {
    ("DataFrame", "sort"): _sort,
    ("Series", "sort"): _series_sort,
    ("*", "get_value"): _get_value,
    ("*", "set_value"): _set_value,
    ("*", "as_matrix"): _as_matrix,
    ("*", "mad"): _mad,
    **{("*", name): _array for name in ARRAY_METHODS},
}


class PandasMethod(Rule):
    """Replaces pandas methods that are gone by the ones that took their place: as_matrix, order, sort, iteritems.

    Also get_value, set_value, applymap, convert_objects, mad, weekday_name, and array methods of a Series.
    """

    code = "PAN001"
    name = "pandas-method"
    source = "release notes, by entry of the table"
    examples = (
        Example(
            setup="import pandas as pd\ndf = pd.DataFrame({'a': [2, 1]})",
            before="x = df.as_matrix()",
            after="x = df.to_numpy()",
            ename="AttributeError",
            evalue="'DataFrame' object has no attribute 'as_matrix'",
            needs=("pandas",),
        ),
        Example(
            setup="import pandas as pd\ndf = pd.DataFrame({'a': [2, 1]})",
            before="df = df.sort('a', ascending=False)",
            after="df = df.sort_values('a', ascending=False)",
            ename="AttributeError",
            evalue="'DataFrame' object has no attribute 'sort'",
            needs=("pandas",),
        ),
    )

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        """Rewrite the failing use, and the same use on other lines of the cell."""
        matched = _MISSING.search(case.evalue)
        if case.ename != "AttributeError" or not matched or not _OURS.fullmatch(matched[1]):
            return
        owner, name = matched.groups()
        for place in await places(case):
            code = Code.of(place.cell.source)
            uses = await _same(case, place, code, owner, name) if code else []
            edits = _edits(code, owner, name, uses) if code else []
            if code is None or not edits:
                continue
            says = f"`.{name}` is gone from pandas; the cell uses what took its place."
            yield Fix(rule=self.code, says=says, changes=(replaced(place.cell, code.with_edits(edits)),))
            return


async def _same(case: Case, place: Place, code: Code, owner: str, name: str) -> list[ast.Attribute]:
    """Return the failing use, and others in the cell whose object is of the same class."""
    failing = [a for a in code.at(place, ast.Attribute) if a.attr == name]
    others = [a for a in code.all(ast.Attribute) if a.attr == name and a not in failing]
    found = await kinds(case, place, *[code.text(a.value) for a in others]) if others else []
    return failing + [a for a, kind in zip(others, found, strict=True) if kind and kind[0].endswith("." + owner)]


def _edits(code: Code, owner: str, name: str, uses: list[ast.Attribute]) -> list[tuple[tuple[int, int], str]]:
    edits = []
    for method in uses:
        parent = code.parents.get(method)
        call = parent if isinstance(parent, ast.Call) and parent.func is method else None
        write = SPECIAL.get((owner, name)) or SPECIAL.get(("*", name))
        if write:
            text = write(code, method, call)
        elif name in PROPERTIES and call is None:
            text = f"{code.text(method.value)}.{PROPERTIES[name]}"
        elif name in RENAMED and call is not None:
            text = f"{code.text(method.value)}.{RENAMED[name][0]}{_arguments(code, method, call)}"
        else:
            text = None
        if text:
            edits.append((code.span(call or method), text))
    return edits


class PandasAppend(Rule):
    """Replaces `a.append(b)` of DataFrame and Series, which is gone, by `pd.concat([a, b])`.

    A dictionary or a row becomes a frame of one row first, as append did.
    """

    code = "PAN002"
    name = "pandas-append"
    source = _V2
    examples = (
        Example(
            setup="import pandas as pd\na = pd.DataFrame({'x': [1]})",
            before="b = a.append(a, ignore_index=True)",
            after="b = pd.concat([a, a], ignore_index=True)",
            ename="AttributeError",
            evalue="'DataFrame' object has no attribute 'append'",
            needs=("pandas",),
        ),
    )

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        """Rewrite the failing call by what its argument is."""
        matched = _MISSING.search(case.evalue)
        if case.ename != "AttributeError" or not matched or matched[2] != "append" or not _OURS.fullmatch(matched[1]):
            return
        for place in await places(case):
            code = Code.of(place.cell.source)
            methods = [a for a in code.at(place, ast.Attribute) if a.attr == "append"] if code else []
            edits = [await _concat(case, place, code, m) for m in methods] if code else []
            usable = [edit for edit in edits if edit]
            if code and usable:
                done = code.with_edits([max(usable, key=lambda edit: edit[0][1] - edit[0][0])])
                says = "`.append` is gone from pandas; `pd.concat` does the same."
                yield Fix(rule=self.code, says=says, changes=(replaced(place.cell, done),))
                return


async def _concat(case: Case, place: Place, code: Code, method: ast.Attribute) -> tuple[tuple[int, int], str] | None:
    call = code.parents.get(method)
    text, done = code.text(method.value), None
    is_frame = (await kinds(case, place, text))[0][:1] in ([], ["pandas.DataFrame"], ["pandas.core.frame.DataFrame"])
    while isinstance(call, ast.Call) and len(call.args) == 1:
        other = await _appended(case, place, code, call.args[0], is_frame=is_frame)
        text = f"pd.concat({', '.join([f'[{text}, {other}]', *_keywords(code, call)])})"
        done = code.span(call), text
        outer = code.parents.get(call)
        call = code.parents.get(outer) if isinstance(outer, ast.Attribute) and outer.attr == "append" else None
    return done


async def _appended(case: Case, place: Place, code: Code, argument: ast.expr, *, is_frame: bool) -> str:
    text = code.text(argument)
    kind = (await kinds(case, place, text))[0]
    name = kind[0].rpartition(".")[2] if kind else ("dict" if isinstance(argument, ast.Dict) else "")
    if name == "list":
        return f"*{text}"
    if name == "dict" and is_frame:
        return f"pd.DataFrame([{text}])"
    return f"{in_parentheses(code, argument)}.to_frame().T" if name == "Series" and is_frame else text
