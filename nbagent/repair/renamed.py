"""Renames attributes, keywords and values of calls by a library's table, where the failure says that they are old."""

from __future__ import annotations

import ast
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from nbagent.repair.code import Code, dotted, in_parentheses, replaced
from nbagent.repair.live import Place, kinds, places, values
from nbagent.repair.rule import Case, Fix, Rule

_NO_ATTRIBUTE = re.compile(r"'([\w.]+)' object has no attribute '(\w+)'")


class RenamedAttributes(Rule):
    """Base of the rules for renamed attributes and methods; `attributes` says what replaces each.

    A template with `{}` is written around the owner: with `nx.add_path({}`, `G.add_path(x)` is `nx.add_path(G, x)`.
    """

    owners: ClassVar[tuple[str, ...]] = ()
    """Top-level packages that the owner's class, or a base of it, may come from."""
    attributes: ClassVar[Mapping[str, str]] = {}

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        """Rename every use in the cell whose owner is of that library."""
        found = _NO_ATTRIBUTE.search(case.evalue)
        if case.ename != "AttributeError" or not found or found[2] not in self.attributes:
            return
        old, new = found[2], self.attributes[found[2]]
        for place in await places(case):
            code = Code.of(place.cell.source)
            uses = [n for n in code.all(ast.Attribute) if n.attr == old] if code else []
            if code is None or not uses:
                continue
            texts = [code.text(use.value) for use in uses]
            owners = await kinds(case, place, *texts)
            edits = [
                (span, text)
                for use, classes in zip(uses, owners, strict=True)
                if not classes or any(name.partition(".")[0] in self.owners for name in classes)
                for span, text in [_use(code, use, new)]
            ]
            if (edits and any(classes for classes in owners)) or len(uses) == len(edits) == 1:
                says = f"`.{old}` of {found[1]} is `{new.replace('{}', 'it')}` now."
                yield Fix(rule=self.code, says=says, changes=(replaced(place.cell, code.with_edits(edits)),))
            return


def _use(code: Code, use: ast.Attribute, new: str) -> tuple[tuple[int, int], str]:
    if "{}" not in new:
        end = code.span(use)[1]
        return (end - len(use.attr), end), new
    text = new.replace("{}", in_parentheses(code, use.value))
    call = code.parents.get(use)
    if not isinstance(call, ast.Call) or call.func is not use:
        return code.span(use), text
    opening = code.source.index("(", code.span(use)[1]) + 1
    if new.endswith(("({}", "=")):
        more = ", " if new.endswith("({}") and (call.args or call.keywords) else ""
        return (code.span(use)[0], opening), text + more
    if new.endswith(")") and not call.args and not call.keywords:
        return code.span(call), text
    return code.span(use), text


@dataclass(frozen=True)
class Keyword:
    """What becomes of a keyword: its new name (None: it goes, it has no effect any more), and of its values.

    when: values, as they are written, for which this holds; empty for any.
    """

    new: str | None
    values: Mapping[str, str] = field(default_factory=dict)
    when: tuple[str, ...] = ()


class RenamedKeywords(Rule):
    """Base of the rules for renamed keywords: `keywords` by function and keyword; `*` stands for any function."""

    owners: ClassVar[tuple[str, ...]] = ()
    keywords: ClassVar[Mapping[tuple[str, str], Keyword]] = {}

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        """Rename or drop the keyword that the error names in every call of the same function in the cell."""
        if case.ename not in ("TypeError", "AttributeError", "ValueError", "RuntimeError", "NotImplementedError"):
            return
        lacking = re.search(r"missing \d+ required positional arguments?: '(\w+)'", case.evalue)
        named = {k for _, k in self.keywords if re.search(rf"(?<![A-Za-z0-9]){re.escape(k)}\b", case.evalue)}
        if lacking:
            named |= {word for (_, word), what in self.keywords.items() if what.new == lacking[1]}
        for place in await places(case):
            code = Code.of(place.cell.source)
            if code is None or not named:
                continue
            failed = [call for call in code.at(place, ast.Call) if await self._ours(case, place, code, call)]
            for word in sorted(named):
                functions = {name for call in failed if (name := called(call)) and _has(code, call, word)}
                edits = [
                    edit
                    for call in code.all(ast.Call)
                    if called(call) in functions
                    for edit in self._edits(code, call, word)
                ]
                if edits:
                    says = f"`{word}=` of {', '.join(sorted(functions))} is not known any more."
                    yield Fix(rule=self.code, says=says, changes=(replaced(place.cell, code.with_edits(edits)),))

    async def _ours(self, case: Case, place: Place, code: Code, call: ast.Call) -> bool:
        name = dotted(call.func)
        if name is None:
            return True
        module = (await values(case, place, f"{name}.__module__"))[0]
        return module is None or str(module).partition(".")[0] in self.owners

    def _edits(self, code: Code, call: ast.Call, word: str) -> list[tuple[tuple[int, int], str]]:
        rule = self.keywords.get((called(call) or "", word)) or self.keywords.get(("*", word))
        if rule is None:
            return []
        found: list[tuple[tuple[int, int], str]] = []
        for keyword in _keywords(code, call, word):
            value = code.text(keyword.value)
            if rule.when and value not in rule.when:
                continue
            if rule.new is None:
                found.append((without(code, keyword), ""))
            else:
                found.append((code.span(keyword), f"{rule.new}={rule.values.get(value, value)}"))
        if rule.new is not None:
            found += [(code.span(key), repr(rule.new)) for key in _keys(call, word)]
        return found


def called(call: ast.Call) -> str | None:
    """Return the last name of what is called."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else None


def _has(code: Code, call: ast.Call, word: str) -> bool:
    return bool(_keywords(code, call, word) or _keys(call, word))


def _keywords(code: Code, call: ast.Call, word: str) -> list[ast.keyword]:
    inner = [v for v in (k.value for k in call.keywords) if isinstance(v, ast.Call) and called(v) == "dict"]
    return [k for c in (call, *inner) for k in c.keywords if k.arg == word]


def _keys(call: ast.Call, word: str) -> list[ast.Constant]:
    dicts = [k.value for k in call.keywords if isinstance(k.value, ast.Dict)]
    return [key for d in dicts for key in d.keys if isinstance(key, ast.Constant) and key.value == word]


def without(code: Code, keyword: ast.keyword) -> tuple[int, int]:
    """Return the span of a keyword argument and of the comma that goes with it."""
    start, end = code.span(keyword)
    before = code.source[:start].rstrip()
    if before.endswith(","):
        return len(before) - 1, end
    after = re.match(r"\s*,\s*", code.source[end:])
    return start, end + (after.end() if after else 0)


class RenamedValues(Rule):
    """Base of the rules for renamed string values: `texts` by the parameter's name and the old value.

    The failure must name the old value, and the new one must be what the table says; positional values count when the
    parameter is `*`.
    """

    texts: ClassVar[Mapping[tuple[str, str], str]] = {}
    """New value as it is written, by parameter (`*`: any string in the failing line) and old value."""

    def refused(self, case: Case) -> str | None:
        """Return the value that the failure says is not known."""
        raise NotImplementedError  # an abstract method: every rule has its own

    def table(self, case: Case) -> Mapping[tuple[str, str], str]:
        """Return the new values, where the failure decides about them."""
        return self.texts

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        """Replace the old value that the error names, where the cell writes it."""
        old = self.refused(case)
        known = {key: new for key, new in self.table(case).items() if key[1] == old}
        for place in await places(case) if known else ():
            code = Code.of(place.cell.source)
            edits = list(_value_edits(code, known)) if code else []
            if code and edits:
                says = ", ".join(sorted({f"{old!r} is {new} now" for (_, old), new in known.items()}))
                yield Fix(rule=self.code, says=f"{says}.", changes=(replaced(place.cell, code.with_edits(edits)),))
                return


def _value_edits(code: Code, known: Mapping[tuple[str, str], str]) -> list[tuple[tuple[int, int], str]]:
    found: list[tuple[tuple[int, int], str]] = []
    for node in code.all(ast.Constant):
        if not isinstance(node.value, str):
            continue
        parent = code.parents.get(node)
        name = parent.arg if isinstance(parent, ast.keyword) else None
        new = known.get((name or "", node.value)) or known.get(("*", node.value))
        if new and not (isinstance(parent, ast.Expr)):
            quote = code.text(node)[0]
            found.append((code.span(node), new.replace("'", quote) if quote in "'\"" else new))
    return found
