"""Which cell uses what another one made, read from the sources alone.

Names count at a cell's top level and inside its functions (a function reads its globals when it is called). What is
reached through attributes, strings or magics is not seen, so the answers are a help to order work, never a proof.
"""

from __future__ import annotations

import ast
import re
import symtable
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from nbagent.core.cells import Cell

LINE_MAGIC = re.compile(r"^(\s*)(?:[%!?]|[\w.]+\s*=\s*[%!]).*$|^(\s*)[\w.]+\?{1,2}\s*$", re.MULTILINE)
FOREIGN_CELL = re.compile(r"^\s*%%(?!time\b|timeit\b|capture\b|prun\b)")


@dataclass(frozen=True)
class Flow:
    """The global names that a cell reads before it sets them itself, those it sets, those it changes in place."""

    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()
    mutates: frozenset[str] = frozenset()

    @property
    def makes(self) -> frozenset[str]:
        """Names whose value is another one after the cell."""
        return self.writes | self.mutates


@lru_cache(maxsize=4096)
def flow(source: str) -> Flow:
    """Return what a cell reads and sets; nothing for a cell of another language or one that does not parse."""
    if FOREIGN_CELL.match(source):
        return Flow()
    text = LINE_MAGIC.sub(lambda line: (line[1] or line[2] or "") + "pass", re.sub(r"\A\s*%%.*", "pass", source))
    try:
        tree, table = ast.parse(text), symtable.symtable(text, "cell", "exec")
    except (SyntaxError, ValueError, RecursionError):
        return Flow()
    walker = _Names()
    walker.visit(tree)
    deferred = frozenset(_used_inside(table))
    return Flow(
        reads=frozenset(walker.reads) | (deferred - walker.writes),
        writes=frozenset(walker.writes),
        mutates=frozenset(walker.mutates),
    )


class _Names(ast.NodeVisitor):
    """Names in order of evaluation at top level; bodies of functions are left to the symbol table."""

    def __init__(self) -> None:
        self.reads: set[str] = set()
        self.writes: set[str] = set()
        self.mutates: set[str] = set()

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.reads |= {node.id} - self.writes
        else:
            self.writes.add(node.id)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        for target in node.targets:
            self._target(target)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.visit(node.value)
        if isinstance(node.target, ast.Name):
            self.reads |= {node.target.id} - self.writes
        self._target(node.target)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)
            self._target(node.target)

    def visit_For(self, node: ast.For) -> None:
        self.visit(node.iter)
        self._target(node.target)
        for statement in (*node.body, *node.orelse):
            self.visit(statement)

    def visit_Delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            self._target(target)

    def visit_Import(self, node: ast.Import) -> None:
        self.writes |= {alias.asname or alias.name.split(".")[0] for alias in node.names}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self.writes |= {alias.asname or alias.name for alias in node.names}

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for part in (*node.decorator_list, *node.args.defaults, *[d for d in node.args.kw_defaults if d]):
            self.visit(part)
        self.writes.add(node.name)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for part in (*node.decorator_list, *node.bases):
            self.visit(part)
        self.writes.add(node.name)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        """Its body runs later: the symbol table knows its globals."""

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._comprehension(node.generators)

    def visit_SetComp(self, node: ast.SetComp) -> None:
        self._comprehension(node.generators)

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self._comprehension(node.generators)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self._comprehension(node.generators)

    def _comprehension(self, generators: list[ast.comprehension]) -> None:
        self.visit(generators[0].iter)  # the rest is a scope of its own: the symbol table knows its globals

    def visit_Expr(self, node: ast.Expr) -> None:
        self.visit(node.value)
        call = node.value
        if isinstance(call, ast.Call) and isinstance(
            call.func, ast.Attribute
        ):  # `df.sort_values(...)`: perhaps in place
            self._mutated(call.func.value)

    def _target(self, target: ast.expr) -> None:
        match target:
            case ast.Attribute(value=value) | ast.Subscript(value=value):
                self.visit(target)
                self._mutated(value)
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                for part in parts:
                    self._target(part)
            case ast.Starred(value=value):
                self._target(value)
            case _:
                self.visit(target)

    def _mutated(self, value: ast.expr) -> None:
        while isinstance(value, ast.Attribute | ast.Subscript):
            value = value.value
        if isinstance(value, ast.Name):
            self.mutates.add(value.id)


def _used_inside(table: symtable.SymbolTable) -> set[str]:
    """Global names that functions, classes and comprehensions of a cell read."""
    used: set[str] = set()
    for child in table.get_children():
        used |= {s.get_name() for s in child.get_symbols() if s.is_global() and s.is_referenced()}
        used |= _used_inside(child)
    return used


def dependents(cells: Sequence[Cell], changed: frozenset[str]) -> tuple[str, ...]:
    """Return the ids of later code cells that use, perhaps through others, what the changed cells make, in order."""
    dirty: set[str] = set()
    found: list[str] = []
    for cell in cells:
        if cell.kind != "code":
            continue
        names = flow(cell.source)
        if cell.id in changed:
            dirty |= names.makes
        elif names.reads & dirty:
            found.append(cell.id)
            dirty |= names.makes
        else:
            dirty -= names.writes
    return tuple(found)


def stale(cells: Sequence[Cell]) -> dict[str, str]:
    """Return the cells whose stored outputs are older than something they use: id -> the id of that other cell."""
    made_by: dict[str, Cell] = {}
    found: dict[str, str] = {}
    for cell in cells:
        if cell.kind != "code":
            continue
        names = flow(cell.source)
        for name in sorted(names.reads & made_by.keys()):
            source = made_by[name]
            newer = (source.execution_count or 0) > (cell.execution_count or 0)
            if cell.execution_count is not None and (newer or source.id in found):
                found.setdefault(cell.id, source.id)
        made_by |= dict.fromkeys(names.makes, cell)
    return found
