"""Calls of pandas whose keywords became methods, and functions that became methods."""

from __future__ import annotations

import ast
import re
from collections.abc import AsyncIterator

from nbagent.repair.code import Code, in_parentheses, replaced
from nbagent.repair.live import Place, places
from nbagent.repair.rule import Case, Example, Fix, Rule

_UNEXPECTED = re.compile(r"(\w+)\(\) got an unexpected keyword argument '(\w+)'")
_MODULE = re.compile(r"module 'pandas' has no attribute '(\w+)'")
_REDUCTIONS = frozenset(
    {"sum", "mean", "median", "min", "max", "std", "var", "prod", "count", "sem", "skew", "any", "all"}
)
_FILLS = {"ffill": "ffill", "pad": "ffill", "bfill": "bfill", "backfill": "bfill"}
_WINDOW = re.compile(r"(rolling|expanding)_(mean|sum|std|var|median|min|max|count|corr|cov|skew|kurt|quantile|apply)")
_WEIGHTED = {"ewma": "mean", "ewmstd": "std", "ewmvar": "var", "ewmcorr": "corr", "ewmcov": "cov"}
_WINDOW_WORDS = frozenset(
    {"window", "min_periods", "center", "com", "span", "halflife", "alpha", "adjust", "ignore_na"}
)


class PandasKeyword(Rule):
    """Writes what pandas once took as a keyword: `fillna(method="ffill")` is `ffill()`, `sum(level=0)` a groupby.

    Also `resample("D", how="mean")`, which is `resample("D").mean()`, and `drop_duplicates(take_last=True)`.
    """

    code = "PAN007"
    name = "pandas-keyword"
    source = "https://pandas.pydata.org/docs/whatsnew/v3.0.0.html"
    examples = (
        Example(
            setup="import pandas as pd\ns = pd.Series([1.0, None])",
            before="s = s.fillna(method='ffill')",
            after="s = s.ffill()",
            ename="TypeError",
            evalue="NDFrame.fillna() got an unexpected keyword argument 'method'",
            needs=("pandas",),
        ),
        Example(
            setup="import pandas as pd\ns = pd.Series([1, 2], index=['a', 'a'])",
            before="s = s.sum(level=0)",
            after="s = s.groupby(level=0).sum()",
            ename="TypeError",
            evalue="Series.sum() got an unexpected keyword argument 'level'",
            needs=("pandas",),
        ),
    )

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        """Rewrite the failing call."""
        matched = _UNEXPECTED.search(case.evalue)
        if case.ename != "TypeError" or not matched:
            return
        for place in await places(case):
            code = Code.of(place.cell.source)
            for call in code.at(place, ast.Call) if code else ():
                text = _without(code, call, matched[2]) if code else None
                if code and text:
                    says = f"pandas no longer takes `{matched[2]}=` there; the cell writes what it stood for."
                    done = code.with_edits([(code.span(call), text)])
                    yield Fix(rule=self.code, says=says, changes=(replaced(place.cell, done),))


def _without(code: Code, call: ast.Call, keyword: str) -> str | None:
    word = next((k.value for k in call.keywords if k.arg == keyword), None)
    if word is None or not isinstance(call.func, ast.Attribute):
        return None
    owner, method = code.text(call.func.value), call.func.attr
    plain = word.value if isinstance(word, ast.Constant) else None
    rest = [code.text(a) for a in call.args] + [code.text(k) for k in call.keywords if k.arg != keyword]
    arguments = ", ".join(rest)
    if method == "fillna" and keyword == "method" and plain in _FILLS:
        return f"{owner}.{_FILLS[str(plain)]}({arguments})"
    if keyword == "level" and method in _REDUCTIONS:
        return f"{owner}.groupby(level={code.text(word)}).{method}({arguments})"
    if method == "resample" and keyword == "how":
        how = str(plain) if isinstance(plain, str) else None
        return f"{owner}.resample({arguments})." + (f"{how}()" if how else f"agg({code.text(word)})")
    if keyword == "take_last" and isinstance(plain, bool):
        return f"{owner}.{method}({', '.join([*rest, 'keep=' + repr('last' if plain else 'first')])})"
    if keyword == "coerce" and plain is True:
        return f"{owner}.{method}({', '.join([*rest, 'errors=' + repr('coerce')])})"
    if method == "sort_index" and keyword in ("by", "columns"):
        return f"{owner}.sort_values({', '.join([code.text(word), *rest])})"
    if method == "set_option" or keyword == "delim_whitespace":
        return f"{owner}.{method}({', '.join([*rest, 'sep=' + repr(chr(92) + 's+')])})" if plain is True else None
    if keyword == "squeeze" and plain is True:
        return f"{owner}.{method}({arguments}).squeeze('columns')"
    if keyword == "error_bad_lines" and plain is False:
        return f"{owner}.{method}({', '.join([*rest, 'on_bad_lines=' + repr('warn')])})"
    if keyword == "infer_datetime_format" or (keyword == "warn_bad_lines" and plain is not None):
        return f"{owner}.{method}({arguments})"
    return None


class PandasFunction(Rule):
    """Writes functions of pandas that became methods: `pd.rolling_mean(s, 3)` is `s.rolling(3).mean()`.

    Also `pd.ewma`, `pd.expanding_sum`, `pd.TimeGrouper`, `pd.value_counts`, `pd.np`, `pd.datetime`.
    """

    code = "PAN008"
    name = "pandas-function"
    source = "https://pandas.pydata.org/pandas-docs/version/0.18/whatsnew.html#window-functions-are-now-methods"
    examples = (
        Example(
            setup="import pandas as pd\ns = pd.Series([1, 2, 3])",
            before="m = pd.rolling_mean(s, 2)",
            after="m = s.rolling(2).mean()",
            ename="AttributeError",
            evalue="module 'pandas' has no attribute 'rolling_mean'",
            needs=("pandas",),
        ),
    )

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        """Rewrite every use of the function in the cell."""
        matched = _MODULE.search(case.evalue)
        if case.ename != "AttributeError" or not matched:
            return
        name = matched[1]
        for place in await places(case):
            code = Code.of(place.cell.source)
            uses = [a for a in code.all(ast.Attribute) if a.attr == name] if code else []
            if code is None or not uses:
                continue
            done = _rewritten(code, place, name, uses)
            if done:
                says = f"`pd.{name}` is gone from pandas; the cell writes what took its place."
                yield Fix(rule=self.code, says=says, changes=(replaced(place.cell, done),))
            return


def _rewritten(code: Code, place: Place, name: str, uses: list[ast.Attribute]) -> str | None:
    simple = {"np": ("np", "import numpy as np"), "datetime": ("datetime.datetime", "import datetime")}
    if name in simple:
        new, line = simple[name]
        edited = Code.of(code.with_edits([(code.span(use), new) for use in uses]))
        return edited.with_import(line) if edited else None
    edits = []
    for use in uses:
        call = code.parents.get(use)
        if isinstance(call, ast.Call) and call.func is use and (text := _as_method(code, name, use, call)):
            edits.append((code.span(call), text))
    return code.with_edits(edits) if edits else None


def _as_method(code: Code, name: str, use: ast.Attribute, call: ast.Call) -> str | None:
    arguments = [code.text(a) for a in call.args]
    keywords = {k.arg: code.text(k) for k in call.keywords if k.arg}
    if name == "TimeGrouper":
        given = ["freq=" + a for a in arguments[:1]] + list(keywords.values())
        return f"{code.text(use.value)}.Grouper({', '.join(given)})"
    if not call.args:
        return None
    owner = in_parentheses(code, call.args[0])
    if name == "value_counts":
        return f"{code.text(use.value)}.Series({arguments[0]}).value_counts({', '.join(keywords.values())})"
    outer = [text for word, text in keywords.items() if word in _WINDOW_WORDS]
    inner = [text for word, text in keywords.items() if word not in _WINDOW_WORDS | {"freq", "how"}]
    if name in _WEIGHTED:
        positional = [f"{word}={a}" for word, a in zip(("com", "span"), arguments[1:], strict=False)]
        return f"{owner}.ewm({', '.join(positional + outer)}).{_WEIGHTED[name]}({', '.join(inner)})"
    matched = _WINDOW.fullmatch(name)
    if matched is None:
        return None
    kind, function = matched.groups()
    rest = arguments[1:]
    if kind == "expanding":
        return f"{owner}.expanding({', '.join(rest + outer)}).{function}({', '.join(inner)})"
    first = 1 if function in ("corr", "cov") and len(rest) > 1 else 0
    extra = rest[:first] + (rest[1:] if function in ("apply", "quantile") else [])
    window = rest[first : first + 1] if function in ("apply", "quantile") else rest[first:]
    return f"{owner}.rolling({', '.join(window + outer)}).{function}({', '.join(extra + inner)})"
