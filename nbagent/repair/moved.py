"""Finds where a library's name went: by the library's table of moves, by its own error message, or by looking."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from nbagent.repair.live import look, strings
from nbagent.repair.rule import Case

_NO_MODULE = re.compile(r"No module named '?([\w.]+)'?")
_NO_NAME = re.compile(r"cannot import name '?(\w+)'? from '([\w.]+)'")
_NO_ATTRIBUTE = re.compile(r"[mM]odule '?([\w.]+)'? has no attribute '?(\w+)'?")
_USE_INSTEAD = re.compile(r"[Uu]se `(?:np\.|numpy\.)?([\w.]+)`[^.]* instead|instead use `(?:np\.|numpy\.)?([\w.]+)`")
_REMOVED = re.compile(r"`np\.(\w+)` was removed in the NumPy 2\.0 release")


@dataclass(frozen=True)
class Missing:
    """What a failure misses: a module, or a name in one. `attribute`: it was `module.name`, not an import."""

    module: str
    name: str | None = None
    attribute: bool = False

    @property
    def full(self) -> str:
        """The dotted name of what is missing."""
        return f"{self.module}.{self.name}" if self.name else self.module

    @property
    def root(self) -> str:
        """The top-level package."""
        return self.module.partition(".")[0]


def missing(case: Case) -> Missing | None:
    """Return what an ImportError or an AttributeError of a module misses."""
    if case.ename in ("ImportError", "ModuleNotFoundError"):
        if found := _NO_NAME.search(case.evalue):
            return Missing(found[2], found[1])
        if found := _NO_MODULE.search(case.evalue):
            return Missing(found[1])
    if case.ename == "AttributeError":
        if found := _NO_ATTRIBUTE.search(case.evalue):
            return Missing(found[1], found[2], attribute=True)
        if found := _REMOVED.search(case.evalue):
            return Missing("numpy", found[1], attribute=True)
    return None


@dataclass(frozen=True)
class Moves:
    """What is known of one library.

    modules: old module to new; names: old dotted name to new, with a colon after the module where what follows it is
    more than a name (`scipy.stats:norm.pdf`). Names of a module that is only in `modules` keep theirs.
    search: whether a name that no table has may be looked up among the installed library's public modules.
    """

    modules: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    search: bool = True


class Finder:
    """Answers where dotted names are today, asking the failed process whether they exist there."""

    def __init__(self, case: Case, moves: Moves) -> None:
        self._case = case
        self.moves = moves

    async def exists(self, full: str) -> bool:
        """Whether a dotted name can be imported or reached."""
        return bool(await look(self._case, "existing", [full]))

    async def new(self, full: str) -> str | None:
        """Return the dotted name that replaces another, or None; `builtins.float` for a builtin."""
        known = self.moves.names.get(full)
        if known:
            return known if await self.exists(known.replace(":", ".").removesuffix("()")) else None
        module, _, name = full.rpartition(".")
        parts = module.split(".")
        for end in range(len(parts), 0, -1):
            target = self.moves.modules.get(".".join(parts[:end]))
            if target and await self.exists(guess := ".".join([target, *parts[end:], name])):
                return guess
        return self._said(full) or (await self._found(module, name) if self.moves.search else None)

    def _said(self, full: str) -> str | None:
        """Return what the error message itself tells to use."""
        found = _USE_INSTEAD.search(self._case.evalue)
        if found is None or not full.startswith("numpy.") or full.rpartition(".")[2] not in self._case.evalue:
            return None
        return f"numpy.{found[1] or found[2]}"

    async def _found(self, module: str, name: str) -> str | None:
        if not module or name.startswith("__") or (name.islower() and len(name) < 4):
            return None
        parts = module.split(".")
        for end in range(len(parts) - 1, 0, -1):
            if await self.exists(above := ".".join([*parts[:end], name])):
                return above
        exporting = await strings(self._case, "submodules_exporting", name, [module.partition(".")[0]])
        usable = [m for m in exporting if "._" not in m and not m.endswith((".tests", ".testing", ".externals"))]
        return f"{_closest(usable, module)}.{name}" if usable and usable != [module] else None

    async def module(self, full: str, names: list[str]) -> str | None:
        """Return the module that replaces another, judged by the names that are used of it if no table has it."""
        known = self.moves.modules.get(full) or self.moves.names.get(full)
        if known:
            return known
        homes = {await self.new(f"{full}.{name}") for name in names}
        found = homes.pop() if len(homes) == 1 else None
        return found.rpartition(".")[0] if found else None


def split(new: str) -> tuple[str, str]:
    """Return the module and the name, or the expression of a name, of a place that a name has moved to."""
    module, colon, name = new.partition(":")
    if colon:
        return module, name
    module, _, name = new.rpartition(".")
    return module, name


def _closest(modules: list[str], old: str) -> str:
    """Prefer modules that share a prefix or a word with the old one, then shallow ones."""
    words = set(re.split(r"[._]", old))

    def rank(module: str) -> tuple[int, int, int, str]:
        is_above = old.startswith(module + ".") and "." in module
        return (0 if is_above else 1, -len(words & set(re.split(r"[._]", module))), module.count("."), module)

    return min(modules, key=rank)
