"""Which cell uses what another one made, read from the sources alone.

Names count at a cell's top level and inside its functions (a function reads its globals when it is called). What is
reached through attributes, strings or magics is not seen, so the answers are a help to order work, never a proof.
"""

from __future__ import annotations

import ast
import re
import symtable
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from nbagent.core.cells import Cell

TIMED = re.compile(r"^(\s*)%(?:time|timeit|prun)\s+(?:-\w+(?:\s+\d+)?\s+)*", re.MULTILINE)
SHELL_VALUE = re.compile(r"^(\s*[\w.]+\s*=\s*)[%!].*$", re.MULTILINE)
LINE_MAGIC = re.compile(r"^(\s*)[%!?].*$|^(\s*)[\w.]+\?{1,2}\s*$", re.MULTILINE)
FOREIGN_CELL = re.compile(r"^\s*%%(?!time\b|timeit\b|capture\b|prun\b)")


@dataclass(frozen=True)
class Flow:
    """The global names that a cell reads before it sets them itself, those it sets, those it changes in place.

    imports: those of the names it sets that an import sets. What is done to a module counts as no change of it.
    """

    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()
    mutates: frozenset[str] = frozenset()
    imports: frozenset[str] = frozenset()


@lru_cache(maxsize=4096)
def flow(source: str) -> Flow:
    """Return what a cell reads and sets; nothing for a cell of another language or one that does not parse."""
    tree, table = _python(source)
    walker = _Names()
    walker.visit(tree)
    inside = tuple(_inside(table)) if table else ()
    read_later = {symbol.get_name() for symbol in inside if symbol.is_referenced()}
    set_later = {symbol.get_name() for symbol in inside if symbol.is_assigned()}
    return Flow(
        reads=frozenset(walker.reads | (read_later - walker.writes)),
        writes=frozenset(walker.writes),
        mutates=frozenset(walker.mutates | set_later),
        imports=frozenset(walker.imports),
    )


def _python(source: str) -> tuple[ast.Module, symtable.SymbolTable | None]:
    """The cell as Python with its magics blanked out; an empty module where there is none."""
    empty = ast.Module(body=[], type_ignores=[])
    if FOREIGN_CELL.match(source):
        return empty, None
    text = re.sub(r"\A\s*%%.*", "pass", source)
    blanked = LINE_MAGIC.sub(
        lambda line: (line[1] or line[2] or "") + "pass", SHELL_VALUE.sub(r"\1None", TIMED.sub(r"\1", text))
    )
    for candidate in (text, blanked):
        try:
            return ast.parse(candidate), symtable.symtable(candidate, "cell", "exec")
        except (SyntaxError, ValueError, RecursionError):
            continue
    return empty, None


class _Names(ast.NodeVisitor):
    """Names in order of evaluation at top level; bodies of functions are left to the symbol table."""

    def __init__(self) -> None:
        self.reads: set[str] = set()
        self.writes: set[str] = set()
        self.mutates: set[str] = set()
        self.imports: set[str] = set()

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

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self.visit(node.iter)
        self._target(node.target)
        for statement in (*node.body, *node.orelse):
            self.visit(statement)

    visit_AsyncFor = visit_For

    def visit_Delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            self._target(target)

    def visit_Import(self, node: ast.Import) -> None:
        self._imported({alias.asname or alias.name.split(".")[0] for alias in node.names})

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self._imported({alias.asname or alias.name for alias in node.names})

    def _imported(self, names: set[str]) -> None:
        self.imports |= names
        self.writes |= names

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for part in (*node.decorator_list, node.args):
            self.visit(part)
        self.writes.add(node.name)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for part in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(part)
        self.writes.add(node.name)

    def visit_MatchAs(self, node: ast.MatchAs | ast.MatchStar | ast.ExceptHandler) -> None:
        self.writes |= {node.name} if node.name else set()
        self.generic_visit(node)

    visit_MatchStar = visit_ExceptHandler = visit_MatchAs

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        self.writes |= {node.rest} if node.rest else set()
        self.generic_visit(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.visit(node.args)  # its body runs later

    def visit_ListComp(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> None:
        self.visit(node.generators[0].iter)  # the rest is a scope of its own: the symbol table knows its globals

    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_ListComp

    def visit_Expr(self, node: ast.Expr) -> None:
        self.visit(node.value)
        match node.value:
            case ast.Call(func=ast.Attribute(value=value)):  # `df.sort_values(...)`: perhaps in place
                self._mutated(value)
            case _:
                pass

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


def _inside(table: symtable.SymbolTable) -> Iterator[symtable.Symbol]:
    """The global names that functions, classes and comprehensions of a cell speak of."""
    for child in table.get_children():
        yield from (symbol for symbol in child.get_symbols() if symbol.is_global())
        yield from _inside(child)


def dependents(
    cells: Sequence[Cell], changed: frozenset[str], before: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """Return the ids of later code cells that use, perhaps through others, what the changed cells make, in order.

    before: the sources that changed cells had; what a cell still imports and defines in the same words is not changed.
    """
    modules = _modules(cells)
    dirty: set[str] = set()
    found: list[str] = []
    for cell in cells:
        if cell.kind != "code":
            continue
        names = flow(cell.source)
        made = names.writes | (names.mutates - modules)
        if cell.id in changed:
            dirty |= made - same_definitions((before or {}).get(cell.id, ""), cell.source)
        elif names.reads & dirty:
            found.append(cell.id)
            dirty |= made
        else:
            dirty -= names.writes
    return tuple(found)


def same_definitions(old: str, new: str) -> frozenset[str]:
    """Return the names that both sources bind by the same import, function or class, and by nothing else."""
    once, again = _definitions(old), _definitions(new)
    return frozenset(name for name in once.keys() & again.keys() if once[name] == again[name])


def _definitions(source: str) -> dict[str, str]:
    found: dict[str, str] = {}
    rest: list[ast.stmt] = []
    for statement in _python(source)[0].body:
        match statement:
            case ast.Import() | ast.ImportFrom():
                where = ast.unparse(statement).partition(" import ")[0] if isinstance(statement, ast.ImportFrom) else ""
                for alias in statement.names:
                    found[alias.asname or alias.name.split(".")[0]] = f"{where} {alias.name}"
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found[name] = ast.unparse(statement)
            case _:
                rest.append(statement)
    walker = _Names()
    for statement in rest:
        walker.visit(statement)
    return {name: words for name, words in found.items() if name not in walker.writes | walker.mutates}


def stale(cells: Sequence[Cell]) -> dict[str, str]:
    """Return the cells whose stored outputs are older than something they use: id -> the id of that other cell.

    A cell that was never run, or changed since, counts as newer than all that were.
    """
    code = [cell for cell in cells if cell.kind == "code"]
    if _in_order(code):
        return {}
    modules = _modules(cells)
    made_by: dict[str, Cell] = {}
    found: dict[str, str] = {}
    for cell in code:
        names = flow(cell.source)
        for name in sorted((names.reads & made_by.keys()) - modules):
            source = made_by[name]
            if cell.execution_count is not None and (_newer(source, cell) or source.id in found):
                found.setdefault(cell.id, source.id)
        made_by |= dict.fromkeys(names.writes | (names.mutates - modules), cell)
    return found


def _newer(source: Cell, cell: Cell) -> bool:
    return source.execution_count is None or source.execution_count > (cell.execution_count or 0)


def _in_order(code: Sequence[Cell]) -> bool:
    """Whether the cells that have run did so from top to bottom, below no cell that has not: most notebooks."""
    counts = [cell.execution_count for cell in code]
    ran = [count for count in counts if count is not None]
    return counts[: len(ran)] == ran and ran == sorted(ran)


def _modules(cells: Sequence[Cell]) -> frozenset[str]:
    return frozenset[str]().union(*(flow(cell.source).imports for cell in cells if cell.kind == "code"))
