"""Modules of Python 2's standard library that have another name in Python 3."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from functools import lru_cache

from nbagent.core.cells import Cell, ReplaceSource
from nbagent.repair.code import replaced
from nbagent.repair.live import places
from nbagent.repair.python2 import rewritten
from nbagent.repair.rule import Case, Example, Fix, Rule

_NO_MODULE = re.compile(r"No module named '?([\w.]+)'?")
_NO_NAME = re.compile(r"cannot import name '(\w+)' from '([\w.]+)'")
_NO_ATTRIBUTE = re.compile(r"module 'urllib' has no attribute '(\w+)'")
Rewrite = Callable[[Cell], str | None]
_FIXERS = ("imports", "urllib", "itertools_imports", "itertools")
_SELF_ALIAS = re.compile(r"\bimport (\w+) as \1(?=\s*(?:$|[,;#]))", re.M)


@lru_cache(maxsize=1)
def moved() -> Mapping[str, str]:
    """Return the new name of each module that was only renamed; the table is that of 2to3 (PEP 3108)."""
    from fissix.fixes.fix_imports import MAPPING

    return {old: new for old, new in MAPPING.items() if old != new}


@lru_cache(maxsize=1)
def urllib_members() -> Mapping[str, str]:
    """Return the module that each function of Python 2's urllib and urllib2 is in now."""
    from fissix.fixes.fix_urllib import MAPPING

    return {name: module for old in ("urllib", "urllib2") for module, names in MAPPING[old] for name in names}


class Python2Module(Rule):
    """Imports modules of Python 2's standard library by their Python 3 names: urllib2, StringIO, cPickle, Queue.

    Uses of the module in all cells follow; `itertools.izip` and its kin become the builtins that they are now.
    """

    code = "PYT020"
    name = "python2-module"
    source = "https://peps.python.org/pep-3108/"
    examples = (
        Example(
            before="import cPickle as pickle\ndata = pickle.dumps([1])",
            after="import pickle\ndata = pickle.dumps([1])",
            ename="ModuleNotFoundError",
            evalue="No module named 'cPickle'",
        ),
        Example(
            before="from StringIO import StringIO\nbuffer = StringIO('a')",
            after="from io import StringIO\nbuffer = StringIO('a')",
            ename="ModuleNotFoundError",
            evalue="No module named 'StringIO'",
        ),
        Example(
            before="import urllib2\nask = urllib2.Request('http://localhost')",
            after="import urllib.request\nask = urllib.request.Request('http://localhost')",
            ename="ModuleNotFoundError",
            evalue="No module named 'urllib2'",
        ),
        Example(
            before="from itertools import izip, count\nlist(izip([1], [2]))",
            after="from itertools import count\nlist(zip([1], [2]))",
            ename="ImportError",
            evalue="cannot import name 'izip' from 'itertools' (unknown location)",
        ),
        Example(
            setup="import urllib",
            before="urllib.urlencode({'a': 1})",
            after="import urllib.parse\nurllib.parse.urlencode({'a': 1})",
            ename="AttributeError",
            evalue="module 'urllib' has no attribute 'urlencode'",
        ),
    )

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        """Rewrite the import, and the uses in every cell."""
        changes = await _changes(case)
        if changes:
            says = "A module of Python 2's standard library is imported by its Python 3 name; its uses follow."
            yield Fix(rule=self.code, says=says, changes=tuple(changes))


async def _changes(case: Case) -> list[ReplaceSource]:
    if case.ename in ("ModuleNotFoundError", "ImportError"):
        if missing := _NO_MODULE.search(case.evalue):
            return _module(case, missing[1])
        name = _NO_NAME.search(case.evalue)
        if name and name[2] in ("itertools", "urllib"):
            return _in_every_cell(case, lambda cell: _fixed(cell, name[1]), name[1])
    if case.ename == "AttributeError" and (attribute := _NO_ATTRIBUTE.search(case.evalue)):
        module = urllib_members().get(attribute[1])
        if module:
            cell = (await places(case))[0].cell
            text = _with_members(cell.source, "urllib")
            return [replaced(cell, f"import {module}\n{text}")] if text != cell.source else []
    return []


def _module(case: Case, name: str) -> list[ReplaceSource]:
    if name == "urllib2":
        return _urllib2(case)
    if name in ("urlparse", *moved()):
        return _in_every_cell(case, lambda cell: _renamed(cell, name), name)
    return []


def _in_every_cell(case: Case, rewrite: Rewrite, word: str) -> list[ReplaceSource]:
    cells = [c for c in case.notebook.cells if c.kind == "code" and re.search(rf"\b{re.escape(word)}\b", c.source)]
    done = [(cell, rewrite(cell)) for cell in cells]
    changes = [replaced(cell, text) for cell, text in done if text and text != cell.source]
    return changes if any(change.cell_id == case.cell.id for change in changes) else []


def _fixed(cell: Cell, name: str) -> str | None:
    text = rewritten(cell.source, _FIXERS)
    new = {"izip": "zip", "imap": "map", "ifilter": "filter"}.get(name)
    return re.sub(rf"(?<![\w.]){name}\b", new, text) if text and new else text


def _renamed(cell: Cell, name: str) -> str | None:
    new = "urllib.parse" if name == "urlparse" else moved()[name]
    text = rewritten(cell.source, ("imports",)) or cell.source
    if re.search(rf"^\s*import\s+.*\b{name}\s+as\s+\w+", cell.source, re.M):
        return _SELF_ALIAS.sub(r"import \1", text)
    return re.sub(rf"(?<![\w.'\"]){name}(?=\.\w)", new, text)


def _urllib2(case: Case) -> list[ReplaceSource]:
    whole = "\n".join(cell.source for cell in case.notebook.cells if cell.kind == "code")
    used = {urllib_members().get(name) for name in re.findall(r"\burllib2\.(\w+)", whole)}
    modules = ", ".join(sorted(module for module in used if module)) or "urllib.request"

    def rewrite(cell: Cell) -> str | None:
        if re.search(r"^\s*(?:from urllib2 import|import .*\burllib2 as)", cell.source, re.M):
            return re.sub(r"\burllib2\b", "urllib.request", cell.source)
        text = _with_members(cell.source, "urllib2")
        return re.sub(r"^(\s*import\s.*?)\burllib2\b", lambda m: m[1] + modules, text, flags=re.M)

    return _in_every_cell(case, rewrite, "urllib2")


def _with_members(source: str, old: str) -> str:
    def member(matched: re.Match[str]) -> str:
        module = urllib_members().get(matched[1])
        return f"{module}.{matched[1]}" if module else matched[0]

    return re.sub(rf"(?<![\w.]){old}\.(\w+)", member, source)
