"""Names that libraries renamed: functions of modules, methods of estimators, keywords of plots."""

from __future__ import annotations

import ast
import re
from collections.abc import AsyncIterator

from nbagent.repair.code import Code, replaced
from nbagent.repair.live import kinds, places
from nbagent.repair.rule import Case, Example, Fix, Rule

_MODULE = re.compile(r"module '([\w.]+)' has no attribute '(\w+)'")
_OBJECT = re.compile(r"'(\w+)' object has no attribute '(\w+)'")
_KEYWORD = re.compile(r"got an unexpected keyword argument '(\w+)'")

BUILTINS = frozenset({"float", "int", "bool", "object", "str", "complex"})
"""numpy.float and its like were the builtins of the same name: NumPy 1.20's deprecations, expired in 1.24."""
ATTRIBUTES = {
    "numpy": {
        "float_": "float64", "complex_": "complex128", "unicode_": "str_", "string_": "bytes_", "NaN": "nan",
        "NAN": "nan", "Inf": "inf", "Infinity": "inf", "infty": "inf", "PINF": "inf", "product": "prod",
        "cumproduct": "cumprod", "sometrue": "any", "alltrue": "all", "round_": "round", "in1d": "isin",
        "trapz": "trapezoid", "row_stack": "vstack",
    },
    "time": {"clock": "perf_counter"},
    "matplotlib.cm": {"spectral": "nipy_spectral", "Vega10": "tab10", "Vega20": "tab20", "Vega20b": "tab20b"},
    "pandas": {"scatter_matrix": "plotting.scatter_matrix"},
    "scipy.integrate": {"simps": "simpson", "trapz": "trapezoid", "cumtrapz": "cumulative_trapezoid"},
    "networkx": {"from_numpy_matrix": "from_numpy_array", "to_numpy_matrix": "to_numpy_array"},
}  # fmt: skip
"""Module -> attribute -> its name now; NumPy 1.25 and 2.0 migration guides, Python 3.8, matplotlib 2.2, pandas 0.20,
SciPy 1.14, networkx 3.0."""
METHODS = {
    "get_feature_names": "get_feature_names_out",
    "n_features_": "n_features_in_",
}
"""Attributes of scikit-learn's estimators: its release notes 1.0 and 1.2."""
KEYWORDS = {"normed": "density", "axisbg": "facecolor", "axis_bgcolor": "facecolor", "b": "visible"}
"""Keywords of matplotlib: its API changes 2.0 (axisbg), 3.1 (normed) and 3.6 (grid's b)."""


class RenamedModuleAttribute(Rule):
    """Gives functions and constants of a module their name of today: `np.float`, `np.NaN`, `time.clock`."""

    code = "REN001"
    name = "renamed-module-attribute"
    source = "https://numpy.org/doc/stable/numpy_2_0_migration_guide.html"
    examples = (
        Example(
            before="x = np.float(3)",
            after="x = float(3)",
            ename="AttributeError",
            evalue="module 'numpy' has no attribute 'float'.",
            setup="import numpy as np",
            needs=("numpy",),
        ),
        Example(
            before="x = np.product([1, 2])",
            after="x = np.prod([1, 2])",
            ename="AttributeError",
            evalue="module 'numpy' has no attribute 'product'",
            setup="import numpy as np",
            needs=("numpy",),
        ),
    )

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        """Rename it wherever the failing line's module name has it in the cell."""
        matched = _MODULE.search(case.evalue)
        if case.ename != "AttributeError" or matched is None:
            return
        module, old = matched[1], matched[2]
        new = ATTRIBUTES.get(module, {}).get(old)
        builtin = module == "numpy" and old in BUILTINS
        if new is None and not builtin:
            return
        for place in await places(case):
            code = Code.of(place.cell.source)
            nodes = [n for n in code.at(place, ast.Attribute) if n.attr == old] if code else []
            if code is None or not nodes:
                continue
            owner = code.text(nodes[0].value)
            same = [n for n in code.all(ast.Attribute) if n.attr == old and code.text(n.value) == owner]
            edits = [(code.span(n), old if builtin else f"{owner}.{new}") for n in same]
            says = f"`{owner}.{old}` is `{edits[0][1]}` in the installed {module.partition('.')[0]}."
            yield Fix(rule=self.code, says=says, changes=(replaced(place.cell, code.with_edits(edits)),))
            return


class RenamedEstimatorAttribute(Rule):
    """Gives methods and attributes of scikit-learn's estimators their name of today: `get_feature_names_out`."""

    code = "SKL001"
    name = "renamed-estimator-attribute"
    confidence = "likely"
    source = "https://scikit-learn.org/stable/whats_new/v1.0.html"

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        """Rename it where it failed."""
        matched = _OBJECT.search(case.evalue)
        if case.ename != "AttributeError" or matched is None or matched[2] not in METHODS:
            return
        old, new = matched[2], METHODS[matched[2]]
        for place in await places(case):
            code = Code.of(place.cell.source)
            nodes = [n for n in code.at(place, ast.Attribute) if n.attr == old] if code else []
            if code is None or not nodes:
                continue
            (classes,) = await kinds(case, place, code.text(nodes[0].value))
            if classes and not any(name.startswith("sklearn.") for name in classes):
                continue
            edits = [((code.span(n)[1] - len(old), code.span(n)[1]), new) for n in nodes]
            says = f"`.{old}` of {matched[1]} is `.{new}` in the installed scikit-learn."
            yield Fix(rule=self.code, says=says, changes=(replaced(place.cell, code.with_edits(edits)),))
            return


class RenamedPlotKeyword(Rule):
    """Gives keywords of matplotlib's functions their name of today: `normed` is `density`, `axisbg` is `facecolor`."""

    code = "MPL002"
    name = "renamed-plot-keyword"
    source = "https://matplotlib.org/stable/api/prev_api_changes/api_changes_3.1.0.html"
    examples = (
        Example(
            before="plt.hist([1, 2, 3], normed=True)",
            after="plt.hist([1, 2, 3], density=True)",
            ename="AttributeError",
            evalue="Rectangle.set() got an unexpected keyword argument 'normed'",
            setup="import matplotlib.pyplot as plt",
            needs=("matplotlib",),
        ),
    )

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        """Rename the keyword in the call that failed."""
        matched = _KEYWORD.search(case.evalue)
        if matched is None or matched[1] not in KEYWORDS:
            return
        old, new = matched[1], KEYWORDS[matched[1]]
        for place in await places(case):
            code = Code.of(place.cell.source)
            for call in code.at(place, ast.Call) if code else ():
                keyword = next((k for k in call.keywords if k.arg == old), None)
                if code is None or keyword is None or any(k.arg == new for k in call.keywords):
                    continue
                start = code.span(keyword)[0]
                edited = code.with_edits([((start, start + len(old)), new)])
                says = f"The keyword `{old}` is `{new}` in the installed matplotlib."
                yield Fix(rule=self.code, says=says, changes=(replaced(place.cell, edited),))
                return
