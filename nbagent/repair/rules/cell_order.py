"""Cells in the wrong order: what a cell needs is made by a cell that stands below it."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import AsyncIterator

from nbagent.core.cells import Cell, MoveCell, Snapshot
from nbagent.repair.code import Code, dotted
from nbagent.repair.names import names_of
from nbagent.repair.rule import Case, Fix, Rule

_NAME = re.compile(r"name '(\w+)' is not defined")
_KEY = re.compile(r"^'([^']+)'$|^\"([^\"]+)\"$|None of \[.*?\['([^']+)'|\['([^']+)'\] not (?:in|found)")
_ATTRIBUTE = re.compile(r"object has no attribute '(\w+)'")
_BUILTINS = frozenset(dir(builtins)) | {"get_ipython", "display", "In", "Out", "_", "__"}


class DefinedLater(Rule):
    """Moves the cell that defines a name above the cell that uses it, with the cells that it needs itself.

    Also a cell that makes a column (`df["x"] = ...`) or fits a model that an earlier cell uses. Where the stored
    execution counts show in which order the cells once ran, the move that agrees with them comes first.
    """

    code = "ORD001"
    name = "defined-later"
    source = "decided by the notebook's own cells"
    confidence = "likely"
    examples = ()

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        """Offer to move the defining cells up, or the failing cell down, the one that fits the counts first."""
        what, makers = _makers(case)
        plans: list[tuple[int, int, tuple[MoveCell, ...]]] = []
        for rank, maker in enumerate(makers[:3]):
            for up, moves in enumerate(_plans(case, maker)):
                after = case.notebook.apply(moves)
                plans.append((_inversions(after), rank * 2 + up, moves))
        for _, _, moves in sorted(plans, key=lambda plan: plan[:2]):
            cells = "a cell moves" if len(moves) == 1 else f"{len(moves)} cells move"
            yield Fix(rule=self.code, says=f"{what} is made in a cell below its first use; {cells}.", changes=moves)


def _makers(case: Case) -> tuple[str, list[Cell]]:
    """Return what is missing, in words, and the cells below that make it, nearest first."""
    if case.ename == "NameError" and (name := _NAME.search(case.evalue)):
        return f"`{name[1]}`", [c for c in case.after() if name[1] in _binds(c)]
    if case.ename == "KeyError" and (key := _KEY.search(case.evalue)):
        found = next(group for group in key.groups() if group)
        return f"The column {found!r}", [c for c in case.after() if _stores_key(c, found)]
    if case.ename == "AttributeError" and (attribute := _ATTRIBUTE.search(case.evalue)):
        name_ = attribute[1]
        makers = [c for c in case.after() if _stores_attribute(c, name_) or _stores_key(c, name_)]
        return f"`.{name_}`", makers
    if case.ename == "NotFittedError":
        methods = [c.func for c in _method_calls(case.cell)]
        roots = {dotted(method.value) for method in methods if isinstance(method, ast.Attribute)}
        return "A fitted model", [c for c in case.after() if roots & _fits(c)]
    return "", []


def _binds(cell: Cell) -> frozenset[str]:
    code = Code.of(cell.source)
    if code is None:
        return names_of(cell.source).binds
    inner = {
        n.id
        for d in code.tree.body
        if isinstance(d, ast.Expr | ast.Assign)
        for n in ast.walk(d)
        if isinstance(n, ast.comprehension)
        for n in ast.walk(n.target)
        if isinstance(n, ast.Name)
    }
    return names_of(cell.source).binds - inner


def _stores_key(cell: Cell, key: str) -> bool:
    code = Code.of(cell.source)
    stores = (n for n in code.all(ast.Subscript) if isinstance(n.ctx, ast.Store)) if code else ()
    return any(isinstance(n, ast.Constant) and n.value == key for store in stores for n in ast.walk(store.slice))


def _stores_attribute(cell: Cell, name: str) -> bool:
    code = Code.of(cell.source)
    return code is not None and any(n.attr == name and isinstance(n.ctx, ast.Store) for n in code.all(ast.Attribute))


def _method_calls(cell: Cell) -> list[ast.Call]:
    code = Code.of(cell.source)
    return [c for c in code.all(ast.Call) if isinstance(c.func, ast.Attribute)] if code else []


def _fits(cell: Cell) -> set[str | None]:
    methods = [c.func for c in _method_calls(cell) if isinstance(c.func, ast.Attribute)]
    return {dotted(method.value) for method in methods if method.attr.startswith(("fit", "partial_fit"))}


def _plans(case: Case, maker: Cell) -> list[tuple[MoveCell, ...]]:
    """Return the two ways: the maker and what it needs go up, or the failing cell goes below the maker."""
    code_cells = [c for c in case.notebook.cells if c.kind == "code"]
    above = list(case.before())
    needed = _with_needs(maker, above, [c for c in case.after() if c.id != maker.id])
    needed.sort(key=lambda cell: case.notebook.index(cell.id))
    position = case.notebook.index(case.cell.id)
    anchor = _above_heading(case.notebook, position)
    up: list[MoveCell] = []
    for cell in needed:
        up.append(MoveCell(cell_id=cell.id, expects=cell.digest, after=anchor))
        anchor = cell.id
    down = (MoveCell(cell_id=case.cell.id, expects=case.cell.digest, after=maker.id),)
    between = code_cells[code_cells.index(case.cell) + 1 : code_cells.index(maker) + 1]
    uses = names_of(case.cell.source).binds - _BUILTINS
    blocked = any(uses & names_of(c.source).reads for c in between)
    plans = [tuple(up)] if len(needed) <= 6 else []
    return plans if blocked else [*plans, down]


def _with_needs(maker: Cell, above: list[Cell], below: list[Cell]) -> list[Cell]:
    """Return the maker with the cells below that make what it reads, and what those read."""
    known = {n for c in above for n in names_of(c.source).binds} | _BUILTINS
    wanted = [maker]
    queue = [maker]
    while queue:
        cell = queue.pop()
        own = _binds(cell)
        for name in names_of(cell.source).reads - known - own:
            source = next((c for c in below if name in _binds(c)), None)
            if source is not None and source not in wanted:
                wanted.append(source)
                queue.append(source)
    return wanted


def _above_heading(notebook: Snapshot, position: int) -> str | None:
    """Return the cell to move below, so that text right above the failing cell stays with it."""
    while position > 0 and notebook.cells[position - 1].kind != "code":
        position -= 1
    return notebook.cells[position - 1].id if position else None


def _inversions(notebook: Snapshot) -> int:
    counts = [c.execution_count for c in notebook.cells if c.kind == "code" and c.execution_count]
    return sum(a > b for n, a in enumerate(counts) for b in counts[n + 1 :])
