"""Imports of names that moved to another module of the same library, or to another library."""

from __future__ import annotations

import ast
import re
from collections.abc import AsyncIterator

from nbagent.repair.code import Code, replaced
from nbagent.repair.live import strings
from nbagent.repair.rule import Case, Example, Fix, Rule

_NO_MODULE = re.compile(r"No module named '([\w.]+)'")
_NO_NAME = re.compile(r"cannot import name '(\w+)' from (?:partially initialized module )?'([\w.]+)'")

MODULES = {
    "sklearn.cross_validation": "sklearn.model_selection",
    "sklearn.grid_search": "sklearn.model_selection",
    "sklearn.learning_curve": "sklearn.model_selection",
    "sklearn.externals.six": "io",
    "sklearn.externals": "",
    "IPython.html": "ipywidgets",
    "IPython.html.widgets": "ipywidgets",
    "IPython.core.display": "IPython.display",
    "scipy.misc": "scipy.special",
    "collections": "collections.abc",
    "pandas.tools.plotting": "pandas.plotting",
    "pandas.tools.merge": "pandas",
    "pandas.util.testing": "pandas.testing",
    "matplotlib.finance": "mplfinance",
    "statsmodels.tsa.arima_model": "statsmodels.tsa.arima.model",
}
"""Old module -> where its names went; release notes of scikit-learn 0.18, 0.20 and 0.23, IPython 4.0 and 9.0,
SciPy 1.3, Python 3.10, pandas 0.20, matplotlib 3.0 and statsmodels 0.13. Each is looked up in what is installed."""
NAMES = {
    ("IPython.display", "set_matplotlib_formats"): ("matplotlib_inline.backend_inline", "set_matplotlib_formats"),
    ("IPython.html", "widgets"): ("", "ipywidgets"),
    ("sklearn.externals", "joblib"): ("", "joblib"),
    ("sklearn", "cross_validation"): ("sklearn", "model_selection"),
    ("sklearn", "grid_search"): ("sklearn", "model_selection"),
    ("sklearn", "learning_curve"): ("sklearn", "model_selection"),
    ("scipy.integrate", "simps"): ("scipy.integrate", "simpson"),
    ("scipy.integrate", "trapz"): ("scipy.integrate", "trapezoid"),
    ("scipy.integrate", "cumtrapz"): ("scipy.integrate", "cumulative_trapezoid"),
    ("time", "clock"): ("time", "perf_counter"),
    ("fractions", "gcd"): ("math", "gcd"),
    ("inspect", "getargspec"): ("inspect", "getfullargspec"),
}
"""(Old module, name) -> (module, name) now; scikit-learn 0.18, SciPy 1.14, IPython 8.0, Python 3.3, 3.9 and 3.11."""


class MovedImport(Rule):
    """Imports names from where they are now: `sklearn.cross_validation`, `sklearn.externals`, `IPython.html`, ...

    Where no release note is known, the public modules of the installed library are searched for the name.
    """

    code = "IMP001"
    name = "moved-import"
    source = "https://scikit-learn.org/stable/whats_new/v0.18.html, and decided in the live process"
    examples = (
        Example(
            before="from sklearn.cross_validation import train_test_split",
            after="from sklearn.model_selection import train_test_split",
            ename="ModuleNotFoundError",
            evalue="No module named 'sklearn.cross_validation'",
            needs=("sklearn",),
        ),
        Example(
            before="from sklearn import cross_validation",
            after="from sklearn import model_selection as cross_validation",
            ename="ImportError",
            evalue="cannot import name 'cross_validation' from 'sklearn' (sklearn/__init__.py)",
            needs=("sklearn",),
        ),
    )

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        """Rewrite the failing import, and those of the same module in the cell."""
        module = _module(case)
        code = Code.of(case.cell.source)
        if module is None or code is None:
            return
        edits, says = [], []
        for statement in code.all(ast.ImportFrom):
            old = statement.module or ""
            if statement.level or (old != module and not old.startswith(module + ".")):
                continue
            new = await self._rewritten(case, old, statement)
            if new is None:
                return
            indent = "\n" + " " * statement.col_offset
            edits.append((code.span(statement), indent.join(new)))
            says.append("; ".join(f"`{line}`" for line in new))
        if edits:
            text = f"Names of {module} are elsewhere in the installed version: {'; '.join(says)}."
            yield Fix(rule=self.code, says=text, changes=(replaced(case.cell, code.with_edits(edits)),))

    async def _rewritten(self, case: Case, old: str, statement: ast.ImportFrom) -> list[str] | None:
        """Return the lines that import the same names today; None when one cannot be found, or none moved."""
        groups: dict[str, list[str]] = {}
        moved = False
        for alias in statement.names:
            place = await self._place(case, old, alias.name)
            if place is None:
                return None
            moved = moved or place != (old, alias.name)
            bound = alias.asname or alias.name
            groups.setdefault(place[0], []).append(place[1] if place[1] == bound else f"{place[1]} as {bound}")
        lines = [f"from {m} import {', '.join(names)}" for m, names in groups.items() if m]
        return [f"import {name}" for name in groups.get("", [])] + lines if moved else None

    async def _place(self, case: Case, old: str, name: str) -> tuple[str, str] | None:
        if await strings(case, "exporters", name, [old]):
            return old, name
        if (old, name) in NAMES:
            return NAMES[old, name]
        known = MODULES.get(old, MODULES.get(old.rpartition(".")[0], ""))
        if known and await strings(case, "exporters", name, [known]):
            return known, name
        parent = old.rpartition(".")[0]
        if parent and await strings(case, "exporters", name, [parent]):
            return parent, name
        found = await strings(case, "submodules_exporting", name, [old.partition(".")[0]])
        return (max(found, key=lambda m: (_shared(m, old), -m.count("."))), name) if found else None


def _module(case: Case) -> str | None:
    if case.ename not in ("ModuleNotFoundError", "ImportError"):
        return None
    matched = _NO_MODULE.search(case.evalue)
    if matched:
        root, _, rest = matched[1].partition(".")
        return matched[1] if rest else None if root not in ("mplfinance",) else root
    matched = _NO_NAME.search(case.evalue)
    return matched[2] if matched else None


def _shared(module: str, old: str) -> int:
    """Return how many leading parts two dotted names share."""
    count = 0
    for a, b in zip(module.split("."), old.split("."), strict=False):
        if a != b:
            break
        count += 1
    return count
