"""Rewrites imports of names that moved, and the uses that follow from them, in all cells."""

from __future__ import annotations

import ast
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from nbagent.core.cells import Cell, ReplaceSource
from nbagent.repair.code import Code, dotted, replaced
from nbagent.repair.live import places, values
from nbagent.repair.moved import Finder, Missing, Moves, missing, split
from nbagent.repair.rule import Case, Fix, Rule

_CONVENTION = {"numpy": "np", "pandas": "pd", "matplotlib.pyplot": "plt"}
"""The names under which everybody imports these modules."""


@dataclass
class Edits:
    """Edits of several cells that belong together."""

    cells: tuple[Cell, ...]
    made: dict[str, list[tuple[tuple[int, int], str]]] = field(default_factory=dict)
    lines: dict[str, list[str]] = field(default_factory=dict)

    def add(self, cell: Cell, span: tuple[int, int], text: str) -> None:
        """Replace a span of one cell."""
        self.made.setdefault(cell.id, []).append((span, text))

    def changes(self) -> tuple[ReplaceSource, ...]:
        """Return one change for each cell whose source is another now."""
        found = []
        for cell in self.cells:
            code = Code.of(cell.source)
            if code is None or (cell.id not in self.made and cell.id not in self.lines):
                continue
            source = code.with_edits(self.made.get(cell.id, []))
            for line in dict.fromkeys(self.lines.get(cell.id, [])):
                after = Code.of(source)
                source = after.with_import(line) if after and line not in source.split("\n") else source
            if source != cell.source:
                found.append(replaced(cell, source))
        return tuple(found)


class MovedNames(Rule):
    """Base of the rules for one library's moved and renamed names; a subclass gives `roots` and `moves`."""

    roots: ClassVar[tuple[str, ...]] = ()
    moves: ClassVar[Moves] = Moves()

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        """Yield one fix that imports, or reaches, every moved name of the failing cell where it is today."""
        lost = missing(case)
        if lost is None or lost.root not in self.roots:
            return
        finder = Finder(case, self.moves)
        for place in await places(case):
            if Code.of(place.cell.source) is None:
                continue
            work = _Rewriting(case, place.cell, lost, finder)
            if lost.attribute:
                await work.attribute()
            else:
                await work.imports()
            changes = work.edits.changes()
            if changes:
                moved = ", ".join(
                    f"`{old}` is `{new.removeprefix('builtins.')}` now" for old, new in work.moved.items()
                )
                yield Fix(rule=self.code, says=f"{moved}.", changes=changes)
                return


class _Rewriting:
    def __init__(self, case: Case, cell: Cell, lost: Missing, finder: Finder) -> None:
        self.case, self.cell, self.lost, self.finder = case, cell, lost, finder
        code_cells = tuple(c for c in case.notebook.cells if c.kind == "code")
        self.edits = Edits(code_cells)
        self.moved: dict[str, str] = {}

    async def imports(self) -> None:
        code = Code.of(self.cell.source)
        assert code is not None
        for node in code.all(ast.ImportFrom):
            if node.module and node.level == 0 and node.module.partition(".")[0] == self.lost.root:
                await self._import_from(code, node)
        for plain in code.all(ast.Import):
            for alias in plain.names:
                if alias.name.partition(".")[0] == self.lost.root and not await self.finder.exists(alias.name):
                    await self._import(code, plain, alias)

    async def _import_from(self, code: Code, node: ast.ImportFrom) -> None:
        found: list[tuple[ast.alias, str | None]] = []
        for alias in node.names:
            full = f"{node.module}.{alias.name}"
            if alias.name == "*":
                new = self.finder.moves.modules.get(node.module or "")
                found.append((alias, f"{new}.*" if new else None))
            elif await self.finder.exists(full):
                found.append((alias, full))
            elif await self._is_module(full, alias):
                await self._module(code, node, alias, full)
                return
            else:
                found.append((alias, await self.finder.new(full)))
        broken = [(a, new) for a, new in found if new and new != f"{node.module}.{a.name}"]
        if not broken or any(new is None for _, new in found):
            return
        targets = await self._together(node, [(a, new or "") for a, new in found], broken)
        self.edits.add(self.cell, code.span(node), _from_text(code, node, targets))
        for alias, new in broken:
            self.moved[f"{node.module}.{alias.name}"] = new
            last = split(new)[1]
            if last != alias.name and (alias.asname is None or not last.isidentifier()):
                self._rename(alias.asname or alias.name, last)

    async def _together(
        self, node: ast.ImportFrom, targets: list[tuple[ast.alias, str]], broken: list[tuple[ast.alias, str]]
    ) -> list[tuple[ast.alias, str]]:
        """Import names that did not move from the new module too, where it has them, so that one line stays one."""
        homes = {split(new)[0] for _, new in broken}
        home = homes.pop()
        rest = [a for a, new in targets if new == f"{node.module}.{a.name}"]
        if homes or not all([await self.finder.exists(f"{home}.{a.name}") for a in rest]):
            return targets
        return [(a, f"{home}.{a.name}" if a in rest else new) for a, new in targets]

    async def _is_module(self, full: str, alias: ast.alias) -> bool:
        if full in self.finder.moves.modules:
            return True
        name = alias.asname or alias.name
        return full not in self.finder.moves.names and name.islower() and bool(self._used_of(name))

    def _used_of(self, name: str) -> list[str]:
        return sorted({use.attr for _, _, use in self._uses(name)})

    def _uses(self, name: str) -> Iterator[tuple[Cell, Code, ast.Attribute]]:
        for cell in self.edits.cells:
            code = Code.of(cell.source)
            for node in code.all(ast.Attribute) if code else ():
                if code is not None and dotted(node.value) == name:
                    yield cell, code, node

    async def _module(self, code: Code, node: ast.ImportFrom, alias: ast.alias, full: str) -> None:
        """`from sklearn import cross_validation`: the module's uses say where the names are today."""
        bound = alias.asname or alias.name
        homes = await self._follow(bound, full)
        if not homes:
            return
        keep = [a for a in node.names if a is not alias]
        texts = [f"from {node.module} import {', '.join(_alias(a) for a in keep)}"] if keep else []
        named = [_import_of(home, alias.asname if len(homes) == 1 else None) for home in homes]
        parent = f"from {node.module} import "
        same = [text.removeprefix(parent) for text in named if text.startswith(parent)]
        if keep and len(same) == len(named):
            names = [*(_alias(a) for a in node.names[: node.names.index(alias)]), *same]
            texts = [parent + ", ".join([*names, *(_alias(a) for a in node.names[node.names.index(alias) + 1 :])])]
        elif len(same) == len(named):
            texts = [parent + ", ".join(same)]
        else:
            texts += named
        self.edits.add(self.cell, code.span(node), _joined(code, node, texts))

    async def _import(self, code: Code, node: ast.Import, alias: ast.alias) -> None:
        homes = await self._follow(alias.asname or alias.name, alias.name, whole=alias.asname is None)
        if homes:
            texts = [f"{home} as {alias.asname}" if alias.asname and len(homes) == 1 else home for home in homes]
            self.edits.add(self.cell, code.span(alias), ", ".join(texts))

    async def _follow(self, bound: str, full: str, *, whole: bool = False) -> list[str]:
        """Rewrite `bound.name` in all cells; return the modules that must be imported instead."""
        used = self._used_of(bound)
        whole_module = await self.finder.module(full, used)
        homes: dict[str, None] = {whole_module: None} if whole_module and not used else {}
        texts: dict[str, str] = {}
        for name in used:
            new = await self.finder.new(f"{full}.{name}")
            if new is None and whole_module is None:
                return []
            texts[name] = new or f"{whole_module}.{name}"
            homes[split(texts[name])[0]] = None
            self.moved[f"{full}.{name}"] = texts[name].replace(":", ".")
        self.moved = self.moved if used else {**self.moved, **dict.fromkeys([full], whole_module or "")}
        aliased = "." not in bound and bound != full.rpartition(".")[2] and len(homes) == 1
        for cell, code, use in self._uses(bound):
            home, last = split(texts[use.attr])
            left = bound if aliased else home if whole else home.rpartition(".")[2]
            self.edits.add(cell, code.span(use), last if home == "builtins" else f"{left}.{last}")
        homes.pop("builtins", None)
        return list(homes)

    def _rename(self, old: str, new: str) -> None:
        for cell in self.edits.cells:
            code = Code.of(cell.source)
            names = [n for n in code.all(ast.Name) if n.id == old] if code else []
            if code is None or any(not isinstance(n.ctx, ast.Load) for n in names):
                continue
            for name in names:
                self.edits.add(cell, code.span(name), new)

    async def attribute(self) -> None:
        """`np.float`: every use in the cell, by whatever name the module goes there."""
        code = Code.of(self.cell.source)
        assert code is not None
        new = await self.finder.new(self.lost.full)
        uses = [n for n in code.all(ast.Attribute) if n.attr == self.lost.name and dotted(n.value)]
        if new is None or not uses:
            return
        home, last = split(new)
        module = bool(home) and new in _CONVENTION
        for use in uses:
            owner = dotted(use.value) or ""
            if not await self._is(owner):
                continue
            if home == self.lost.module:
                text = f"{owner}.{last}"
            elif home == "builtins":
                text = last
            elif module or not home:
                text = self._reach(new, owner)
            else:
                text = f"{self._reach(home, owner)}.{last}"
            self.edits.add(self.cell, code.span(use), text)
            self.moved[self.lost.full] = new.replace(":", ".")

    async def _is(self, owner: str) -> bool:
        place = (await places(self.case))[0]
        found = await values(self.case, place, f"{owner}.__name__")
        return found[0] in (None, self.lost.module) and (
            found[0] is not None or owner.split(".")[-1] == self.lost.module.split(".")[-1]
        )

    def _reach(self, module: str, owner: str) -> str:
        """Return how the cell can write a module: by a name that it has already, else by an import that is added."""
        cells = [*self.case.before(), self.cell]
        if name := bound_module(module, cells):
            return name
        name = _CONVENTION.get(module)
        if name:
            self.edits.lines.setdefault(self.cell.id, []).append(f"import {module} as {name}")
            return name
        self.edits.lines.setdefault(self.cell.id, []).append(_import_of(module, None))
        return module.rpartition(".")[2] if "." in module else module


def bound_module(module: str, cells: Iterable[Cell]) -> str | None:
    """Return the name under which some cell imports a module."""
    parent, _, last = module.rpartition(".")
    for cell in cells:
        code = Code.of(cell.source)
        for node in code.all(ast.Import) if code else ():
            for alias in node.names:
                if alias.name == module:
                    return alias.asname or module
        for origin in code.all(ast.ImportFrom) if code else ():
            for alias in origin.names if origin.module == parent else ():
                if alias.name == last:
                    return alias.asname or last
    return None


def _import_of(module: str, asname: str | None) -> str:
    parent, _, last = module.rpartition(".")
    end = f" as {asname}" if asname and asname != last else ""
    return f"from {parent} import {last}{end}" if parent else f"import {last}{end}"


def _alias(alias: ast.alias) -> str:
    return f"{alias.name} as {alias.asname}" if alias.asname else alias.name


def _from_text(code: Code, node: ast.ImportFrom, targets: list[tuple[ast.alias, str]]) -> str:
    homes = {split(new)[0] for _, new in targets}
    if len(homes) == 1 and homes != {"builtins"} and "" not in homes:
        text = code.text(node)
        text = re.sub(r"^from(\s+)[\w.]+", lambda m: f"from{m[1]}{homes.copy().pop()}", text)
        head, _, tail = text.partition("import")
        for alias, new in targets:
            last = _first(new)
            if last != alias.name:
                tail = re.sub(rf"(?<![\w.])(?<!as ){alias.name}\b", last, tail, count=1)
        return f"{head}import{tail}"
    grouped: dict[str, list[str]] = {}
    for alias, new in targets:
        home, last = split(new)
        end = f" as {alias.asname}" if alias.asname and alias.asname != last and last.isidentifier() else ""
        if home != "builtins":
            grouped.setdefault(home, []).append(_first(new) + end)
    texts = [
        f"from {h} import {', '.join(names)}" if h else f"import {', '.join(names)}" for h, names in grouped.items()
    ]
    return _joined(code, node, texts)


def _first(new: str) -> str:
    return re.split(r"\W", split(new)[1])[0]


def _joined(code: Code, node: ast.stmt, texts: list[str]) -> str:
    start = code.span(node)[0]
    line = code.source[code.source.rfind("\n", 0, start) + 1 : start]
    return ("\n" + line if not line.strip() else "; ").join(texts)
