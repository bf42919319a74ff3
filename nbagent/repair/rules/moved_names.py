"""Names that a library exports from another of its modules now."""

from __future__ import annotations

import ast
import re
from collections.abc import AsyncIterator

from nbagent.repair.code import Code, replaced
from nbagent.repair.live import strings
from nbagent.repair.rule import Case, Example, Fix, Rule

_FAILURES = frozenset({"ModuleNotFoundError", "ImportError", "AttributeError"})
RENAMED_MODULES = {
    "sklearn.cross_validation": "sklearn.model_selection",
    "sklearn.grid_search": "sklearn.model_selection",
    "sklearn.learning_curve": "sklearn.model_selection",
    "sklearn.externals.joblib": "joblib",
    "pandas.tools.plotting": "pandas.plotting",
}
"""https://scikit-learn.org/stable/whats_new/v0.18.html and v0.21; pandas' notes of 0.20."""


class MovedName(Rule):
    """Imports a name from where its library exports it now: `from sklearn.cross_validation import train_test_split`.

    The installed library is searched for a public module that has the name; nothing else changes.
    """

    code = "MOV001"
    name = "moved-name"
    source = "decided in the live process"
    examples = (
        Example(
            before="from sklearn.cross_validation import train_test_split",
            after="from sklearn.model_selection import train_test_split",
            ename="ModuleNotFoundError",
            evalue="No module named 'sklearn.cross_validation'",
            needs=("sklearn",),
        ),
    )

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        """Rewrite the failing `from ... import`, name by name, where one home is found for each."""
        code = Code.of(case.cell.source)
        if case.ename not in _FAILURES or code is None:
            return
        edits, says = [], ""
        for node in code.all(ast.ImportFrom):
            if not case.lines or not node.lineno <= case.lines[-1] <= (node.end_lineno or node.lineno):
                continue
            if node.level or not node.module or any(a.name == "*" for a in node.names):
                continue
            homes = [await _home(case, node.module, alias.name) for alias in node.names]
            if not all(homes) or all(home == node.module for home in homes):
                continue
            edits.append((code.span(node), _statements(node, [home or "" for home in homes])))
            listed = ", ".join(sorted({home for home in homes if home}))
            says = f"`{node.module}` no longer has what is imported from it; it comes from {listed}."
        if edits:
            yield Fix(rule=self.code, says=says, changes=(replaced(case.cell, code.with_edits(edits)),))


async def _home(case: Case, module: str, name: str) -> str | None:
    if await strings(case, "exporters", name, [module]):
        return module
    known = RENAMED_MODULES.get(module)
    if known and await strings(case, "exporters", name, [known]):
        return known
    root = module.partition(".")[0]
    found = await strings(case, "submodules_exporting", name, [root])
    public = [m for m in found if "._" not in m]
    parent = module.rpartition(".")[0]
    public.sort(key=lambda m: (not (parent and m.startswith(parent)), m.count("."), m))
    return public[0] if public else None


def _statements(node: ast.ImportFrom, homes: list[str]) -> str:
    lines = []
    for home in dict.fromkeys(homes):
        names = [a for a, h in zip(node.names, homes, strict=True) if h == home]
        listed = ", ".join(a.name + (f" as {a.asname}" if a.asname else "") for a in names)
        lines.append(f"from {home} import {listed}")
    return ("\n" + " " * node.col_offset).join(lines)
