"""Results that were lists in Python 2 and are not now, and fractions where integers are needed."""

from __future__ import annotations

import ast
import re
from collections.abc import AsyncIterator

from nbagent.core.cells import Cell
from nbagent.repair.code import Code, replaced
from nbagent.repair.live import kinds, places
from nbagent.repair.rule import Case, Example, Fix, Rule

_LAZY = re.compile(r"\b(?:'?(zip|map|filter|range|dict_keys|dict_values|dict_items)'?)\b")
_METHODS = {"dict_keys": "keys", "dict_values": "values", "dict_items": "items"}
_INTEGER = re.compile(
    r"'(?:numpy\.)?float(?:64)?' object cannot be interpreted as an integer|slice indices must be integers"
    r"|only integers, slices|list indices must be integers|can't multiply sequence by non-int|must be an integer"
    r"|integer argument expected, got float|expected a sequence of integers or a single integer"
    r"|tuple indices must be integers"
)


class ListWasExpected(Rule):
    """Wraps `zip`, `map`, `filter`, `range` and a dictionary's keys in `list(...)` where the code needs a list.

    In Python 2 they were lists: they had a length, could be indexed, sorted and added.
    """

    code = "PYT030"
    name = "list-was-expected"
    source = "https://docs.python.org/3.0/whatsnew/3.0.html#views-and-iterators-instead-of-lists"
    examples = (
        Example(
            before="pairs = zip([1], [2])\nfirst = pairs[0]",
            after="pairs = list(zip([1], [2]))\nfirst = pairs[0]",
            ename="TypeError",
            evalue="'zip' object is not subscriptable",
        ),
        Example(
            before="first = {'a': 1}.keys()[0]",
            after="first = list({'a': 1}.keys())[0]",
            ename="TypeError",
            evalue="'dict_keys' object is not subscriptable",
        ),
    )

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        """Wrap the calls on the failing line, else those that the failing line's variables come from."""
        lazy = _LAZY.search(case.evalue)
        if case.ename not in ("TypeError", "AttributeError", "ValueError") or not lazy:
            return
        says = f"In Python 2 this was a list; `list(...)` makes it one of the {lazy[1]} object."
        for place in await places(case):
            code = Code.of(place.cell.source)
            if code is None:
                continue
            here = [c for c in _calls(code, lazy[1]) if c.lineno <= place.line <= (c.end_lineno or c.lineno)]
            if here:
                yield Fix(rule=self.code, says=says, changes=(replaced(place.cell, _wrapped(code, here)),))
            names = {n.id for n in code.all(ast.Name) if n.lineno <= place.line <= (n.end_lineno or n.lineno)}
            for cell in (place.cell, *reversed(case.before())):
                if done := _at_origin(cell, lazy[1], names):
                    yield Fix(rule=self.code, says=says, changes=(replaced(cell, done),))
                    return


def _calls(code: Code, kind: str) -> list[ast.Call]:
    method = _METHODS.get(kind)
    found = []
    for call in code.all(ast.Call):
        is_method = isinstance(call.func, ast.Attribute) and call.func.attr == method
        if is_method or (isinstance(call.func, ast.Name) and call.func.id == kind):
            parent = code.parents.get(call)
            listed = isinstance(parent, ast.Call) and isinstance(parent.func, ast.Name) and parent.func.id == "list"
            if not listed:
                found.append(call)
    return found


def _wrapped(code: Code, calls: list[ast.Call]) -> str:
    return code.with_edits([(code.span(c), f"list({code.text(c)})") for c in calls])


def _at_origin(cell: Cell, kind: str, names: set[str]) -> str | None:
    code = Code.of(cell.source)
    if code is None:
        return None
    made = set(_calls(code, kind))
    calls = [
        a.value
        for a in code.all(ast.Assign)
        if a.value in made and any(isinstance(n, ast.Name) and n.id in names for t in a.targets for n in ast.walk(t))
    ]
    return _wrapped(code, [c for c in calls if isinstance(c, ast.Call)]) if calls else None


class IntegerNeeded(Rule):
    """Makes a whole number of what Python or NumPy needs as one: `np.zeros(n / 2)`, `np.linspace(0, 1, 1e3)`.

    A division of two integers becomes `//`, as it was in Python 2; another value is wrapped in `int(...)`, which is
    how NumPy once cut it. The live values decide.
    """

    code = "PYT031"
    name = "integer-needed"
    source = "https://peps.python.org/pep-0238/, https://numpy.org/doc/stable/release/1.12.0-notes.html"
    examples = (
        Example(
            before="n = 6\nrows = list(range(n / 2))",
            after="n = 6\nrows = list(range(n // 2))",
            ename="TypeError",
            evalue="'float' object cannot be interpreted as an integer",
        ),
    )

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        """Rewrite the fractions in the failing call or subscript, else where its variables are assigned."""
        if case.ename not in ("TypeError", "IndexError", "ValueError") or not _INTEGER.search(case.evalue):
            return
        for place in await places(case):
            code = Code.of(place.cell.source)
            if code is None:
                continue
            asked: list[ast.expr] = [*code.at(place, ast.Call), *code.at(place, ast.Subscript)]
            parts = [p for node in asked for p in _parts(node)]
            found = await kinds(case, place, *[code.text(p) for p in parts])
            floats = [p for p, kind in zip(parts, found, strict=True) if "builtins.float" in kind]
            edits = []
            for part in floats:
                text = code.text(part)
                if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Div):
                    left, right = code.text(part.left), code.text(part.right)
                    integers = await kinds(case, place, left, right)
                    if all(kind and kind[0] == "builtins.int" for kind in integers):
                        edits.append((code.span(part), f"{left} // {right}"))
                        continue
                edits.append((code.span(part), f"int({text})"))
            if edits:
                says = "A whole number is needed here; the fraction is cut off, as it once was."
                yield Fix(rule=self.code, says=says, changes=(replaced(place.cell, code.with_edits(edits)),))
                return


def _parts(node: ast.expr) -> list[ast.expr]:
    """Return the arguments or indices of a call or subscript, and the parts of slices and tuples among them."""
    given = [*node.args, *[k.value for k in node.keywords]] if isinstance(node, ast.Call) else []
    if isinstance(node, ast.Subscript):
        given = [node.slice]
    found: list[ast.expr] = []
    for entry in given:
        if isinstance(entry, ast.Tuple | ast.List):
            found += entry.elts
        elif isinstance(entry, ast.Slice):
            found += [p for p in (entry.lower, entry.upper, entry.step) if p]
        else:
            found.append(entry)
    return [p for e in found for p in (_parts(ast.Subscript(e, e, ast.Load())) if isinstance(e, ast.Slice) else [e])]
