"""Which names a cell would bind or change, read from its source: enough to see that one failure follows from another.

Works on what notebooks hold: magics, shell lines and, when Python 3 cannot parse it, Python 2 by its lines.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

_SHELL_OR_MAGIC = re.compile(r"^(\s*)(?:(\w+)\s*=\s*)?[%!?].*$")
_RUNS_PYTHON = re.compile(r"^%%(time|timeit|capture|prun|skip)\b")
_BINDS_UNSEEN = re.compile(r"^\s*(%run\b|%pylab\b|%load\b|from\s+\S+\s+import\s+\*)", re.M)
_BY_LINE = re.compile(
    r"^\s*(?:(?:def|class)\s+(?P<defined>\w+)|for\s+(?P<loop>[\w\s,()]+?)\s+in\b"
    r"|(?:from\s+\S+\s+)?import\s+(?P<imported>[^#\n]+)|(?P<assigned>[A-Za-z_]\w*(?:\s*,\s*[A-Za-z_]\w*)*)\s*=(?!=))",
    re.M,
)
_WORD = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True)
class Names:
    """binds: names that would be new or rebound; changes: names whose object would be written to or called on.

    unseen: the cell also binds names that its source does not show (`%run`, a star import).
    """

    binds: frozenset[str] = frozenset()
    changes: frozenset[str] = frozenset()
    reads: frozenset[str] = frozenset()
    unseen: bool = False


def python_of(source: str) -> str:
    """Return the source with magics and shell lines replaced by Python that binds the same names, line for line."""
    lines = source.split("\n")
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    if lines[first].startswith("%%"):
        if not _RUNS_PYTHON.match(lines[first]):
            return "\n" * source.count("\n")
        lines[first] = ""
    return "\n".join(_plain(line) for line in lines)


def _plain(line: str) -> str:
    matched = _SHELL_OR_MAGIC.match(line)
    if matched:
        return f"{matched[1]}{matched[2]} = None" if matched[2] else f"{matched[1]}pass"
    return line


def tree_of(source: str) -> ast.Module | None:
    """Return the syntax tree of a cell, or None when it is not Python 3."""
    try:
        return ast.parse(python_of(source))
    except (SyntaxError, ValueError, RecursionError):
        return None


def names_of(source: str, *, from_line: int = 1) -> Names:
    """Return the names of the statements that end at or below `from_line`: those a failure there kept from running."""
    unseen = bool(_BINDS_UNSEEN.search(source))
    tree = tree_of(source)
    if tree is None:
        return Names(binds=_bound_by_line(source), reads=frozenset(_WORD.findall(source)), unseen=unseen)
    visitor = _Collector()
    for statement in tree.body:
        if (statement.end_lineno or statement.lineno) >= from_line:
            visitor.visit(statement)
    return Names(frozenset(visitor.binds), frozenset(visitor.changes), frozenset(visitor.reads), unseen)


def _bound_by_line(source: str) -> frozenset[str]:
    found: set[str] = set()
    for matched in _BY_LINE.finditer(source):
        found.update(_WORD.findall(matched["defined"] or matched["loop"] or matched["assigned"] or ""))
        for part in (matched["imported"] or "").strip("() ").split(","):
            words = _WORD.findall(part)
            found.update(words[-1:] if "as" in words else words[:1])
    return frozenset(found)


class _Collector(ast.NodeVisitor):
    def __init__(self) -> None:
        self.binds: set[str] = set()
        self.changes: set[str] = set()
        self.reads: set[str] = set()

    def visit_Name(self, node: ast.Name) -> None:
        (self.reads if isinstance(node.ctx, ast.Load) else self.binds).add(node.id)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        self.binds.add(node.name)
        inner = _Collector()
        inner.generic_visit(node)
        own = {a.arg for a in ast.walk(node) if isinstance(a, ast.arg)}
        self.reads |= inner.reads - inner.binds - own

    visit_AsyncFunctionDef = visit_FunctionDef
    visit_ClassDef = visit_FunctionDef

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        self.binds.update(alias.asname or alias.name.partition(".")[0] for alias in node.names)

    visit_ImportFrom = visit_Import

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self._written(node, node.ctx)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self._written(node, node.ctx)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self.reads.add(node.target.id)
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Attribute):
            self._written(node.value.func, ast.Store())
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        if isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Attribute):
            self._written(node.value.func, ast.Store())
        self.generic_visit(node)

    def _written(self, node: ast.Attribute | ast.Subscript, context: ast.expr_context) -> None:
        if not isinstance(context, ast.Load):
            root: ast.expr = node
            while isinstance(root, ast.Attribute | ast.Subscript):
                root = root.value
            if isinstance(root, ast.Name):
                self.changes.add(root.id)
        self.generic_visit(node)
