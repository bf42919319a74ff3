"""What a fix may never do, whatever a rule proposes: make a notebook run by removing what it does.

These guards look at the notebook before and after, not at the rule's intention.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections import Counter

from nbagent.core.cells import Cell, DeleteCell, InsertCell, Snapshot
from nbagent.repair.names import tree_of
from nbagent.repair.rule import Fix

_MAY_GO = re.compile(r"^\s*(?:%\w|import\s|from\s+\S+\s+import\b)")
_EXCEPT = re.compile(r"^\s*except\b", re.M)
_HIDES = re.compile(
    r"^\s*%%(?:script\s+(?:false|true|--)|capture|bash\s+--|writefile|skip)|^\s*[!%]\s*(?:pip|conda|mamba|uv)\b"
    r"|\bsuppress\s*\(|^\s*if\s+(?:False|0)\s*:|\b(?:sys\.exit|os\._exit|exit|quit)\s*\(\s*\d*\s*\)|raise\s+SystemExit",
    re.M,
)
_LIBRARY = r"(?:np|numpy|pd|pandas|sklearn|scipy|sp|mpl|matplotlib|plt|sns|seaborn|nx|networkx|sm|statsmodels|builtins)"
_SHIM = re.compile(
    rf"sys\.modules\s*\[|\bsetattr\s*\(\s*{_LIBRARY}\b"
    rf"|^\s*{_LIBRARY}(?:\.(?!rcParams|options|mode)\w+)+\s*=[^=]|types\.ModuleType|__class__\s*=|__builtins__",
    re.M,
)
LIVE_SHARE = 0.9
"""Share of a notebook's live code lines that must still be there after all fixes."""


def refusal(before: Snapshot, after: Snapshot, fix: Fix) -> str | None:
    """Return why this fix is not a repair, or None when it may be tried."""
    if any(isinstance(change, DeleteCell) for change in fix.changes):
        return "it deletes a cell"
    for change in fix.changes:
        if isinstance(change, InsertCell) and not _only_imports(change.source):
            return "it adds a cell that is more than imports"
    old = {cell.id: cell for cell in before.cells}
    for cell in after.cells:
        if cell.id in old and cell.source != old[cell.id].source:
            reason = _worse(old[cell.id], cell, fix.drops)
            if reason:
                return reason
    return _moves_nothing_into_text(before, after)


def loses_too_much(original: Snapshot, repaired: Snapshot) -> bool:
    """Whether all fixes together leave less live code than a repair should."""
    return _live_total(repaired) < LIVE_SHARE * _live_total(original)


def _live_total(notebook: Snapshot) -> int:
    return sum(len(live_lines(cell.source)) for cell in notebook.cells if cell.kind == "code")


def live_lines(source: str) -> list[str]:
    """Return the lines that are neither blank nor comments."""
    return [line for line in source.split("\n") if line.strip() and not line.lstrip().startswith("#")]


def _only_imports(source: str) -> bool:
    tree = tree_of(source)
    if tree is None or not tree.body:
        return False
    return all(isinstance(node, ast.Import | ast.ImportFrom) for node in tree.body)


def _moves_nothing_into_text(before: Snapshot, after: Snapshot) -> str | None:
    kinds = {cell.id: cell.kind for cell in after.cells}
    gone = [cell.id for cell in before.cells if kinds.get(cell.id) != cell.kind]
    return "a cell is gone or is no longer code" if gone else None


def _worse(old: Cell, new: Cell, drops: tuple[str, ...]) -> str | None:
    was, now = live_lines(old.source), live_lines(new.source)
    if was and not now:
        return "it empties a cell"
    if len(_EXCEPT.findall(new.source)) > len(_EXCEPT.findall(old.source)):
        return "it hides the failure behind try/except"
    for pattern, says in ((_HIDES, "it hides or skips code"), (_SHIM, "it patches a library instead of the code")):
        if len(pattern.findall(new.source)) > len(pattern.findall(old.source)):
            return says
    return _statements_lost(old.source, new.source, drops) or _calls_lost(old.source, new.source)


def _statements_lost(old: str, new: str, drops: tuple[str, ...]) -> str | None:
    declared = {_one_line(line) for line in drops}
    was, now = _statements(old), _statements(new)
    if was is None or now is None:
        was, now = [line.strip() for line in live_lines(old)], [line.strip() for line in live_lines(new)]
    gone = Counter(was) - Counter(now)
    for kind, start, end, _, _ in difflib.SequenceMatcher(None, was, now, False).get_opcodes():
        for line in was[start:end] if kind == "delete" else ():
            if gone[line] and not _MAY_GO.match(line) and line not in declared and line[0] not in ")]}":
                return f"it removes {line!r}"
    return None


def _statements(source: str) -> list[str] | None:
    """Return each statement's first line as Python would write it; magics and shell lines stay as they are."""
    tree = tree_of(source)
    if tree is None:
        return None
    found = [(node.lineno, _first_line(node)) for node in ast.walk(tree) if isinstance(node, ast.stmt)]
    magics = [(n, line.strip()) for n, line in enumerate(source.split("\n"), 1) if line.lstrip().startswith(("%", "!"))]
    replaced = {number for number, _ in magics}
    return [text for _, text in sorted([entry for entry in found if entry[0] not in replaced] + magics)]


def _first_line(node: ast.stmt) -> str:
    return ast.unparse(node).split("\n")[0]


def _one_line(line: str) -> str:
    tree = tree_of(line.strip())
    return (
        _first_line(tree.body[0]) if tree and tree.body and not line.lstrip().startswith(("%", "!")) else line.strip()
    )


def _calls_lost(old: str, new: str) -> str | None:
    before, after = tree_of(old), tree_of(new)
    if before is None or after is None:
        return None
    if _count(after, ast.Pass) > _count(before, ast.Pass):
        return "it replaces code by `pass`"
    lost = sum((_roles(before) - _roles(after)).values())
    total = sum(_roles(before).values())
    return "it removes most of what the cell does" if total and lost > max(3, total // 2) else None


def _count(tree: ast.AST, kind: type[ast.AST]) -> int:
    return sum(isinstance(node, kind) for node in ast.walk(tree))


def _roles(tree: ast.AST) -> Counter[str]:
    """Count what does something: statements by kind, and calls."""
    kinds = (ast.Call, ast.Assign, ast.AugAssign, ast.For, ast.While, ast.If, ast.With, ast.FunctionDef, ast.ClassDef)
    return Counter(type(node).__name__ for node in ast.walk(tree) if isinstance(node, kinds))
