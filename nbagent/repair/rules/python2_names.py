"""Names and methods that Python 2 had and Python 3 calls otherwise."""

from __future__ import annotations

import ast
import re
from collections.abc import AsyncIterator, Callable

from nbagent.repair.code import Code, dotted, in_parentheses, replaced
from nbagent.repair.live import places
from nbagent.repair.rule import Case, Example, Fix, Rule

_SOURCE = "https://docs.python.org/3.0/whatsnew/3.0.html"
_NAME = re.compile(r"name '(\w+)' is not defined")
_ATTRIBUTE = re.compile(r"'([\w.]+)' object has no attribute '(\w+)'")

RENAMED = {
    "xrange": "range",
    "raw_input": "input",
    "unicode": "str",
    "basestring": "str",
    "long": "int",
    "unichr": "chr",
    "file": "open",
}
IMPORTED = {
    "reduce": "from functools import reduce",
    "reload": "from importlib import reload",
    "intern": "from sys import intern",
}


class Python2Builtin(Rule):
    """Gives a Python 2 builtin its Python 3 name: xrange, raw_input, unicode, basestring, long, unichr, file.

    `reduce`, `reload` and `intern` are imported from where they are now; `execfile(f)` becomes `exec(open(f).read())`,
    `cmp(a, b)` the comparison it stands for.
    """

    code = "PYT010"
    name = "python2-builtin"
    source = _SOURCE
    examples = (
        Example(
            before="total = 0\nfor i in xrange(3):\n    total += i",
            after="total = 0\nfor i in range(3):\n    total += i",
            ename="NameError",
            evalue="name 'xrange' is not defined",
        ),
        Example(
            before="print(reduce(lambda a, b: a * b, [1, 2, 3]))",
            after="from functools import reduce\nprint(reduce(lambda a, b: a * b, [1, 2, 3]))",
            ename="NameError",
            evalue="name 'reduce' is not defined",
        ),
        Example(before="cmp(1, 2)", after="((1 > 2) - (1 < 2))", ename="NameError", evalue="name 'cmp' is not defined"),
    )

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        """Rename every use in the cell that uses the name, which may stand above the failing one."""
        matched = _NAME.search(case.evalue)
        if case.ename != "NameError" or not matched:
            return
        name = matched[1]
        for place in await places(case):
            code = Code.of(place.cell.source)
            uses = [n for n in code.all(ast.Name) if n.id == name and isinstance(n.ctx, ast.Load)] if code else []
            if code is None or not uses:
                continue
            done = _without(code, name, uses)
            if done and done != code.source:
                says = f"`{name}` is Python 2; the cell uses what Python 3 has instead."
                yield Fix(rule=self.code, says=says, changes=(replaced(place.cell, done),))
            return


def _without(code: Code, name: str, uses: list[ast.Name]) -> str | None:
    if name in RENAMED:
        return code.with_edits([(code.span(use), RENAMED[name]) for use in uses])
    if IMPORTED.get(name):
        return code.with_import(IMPORTED[name])
    calls = [n for n in code.all(ast.Call) if n.func in uses and not n.keywords]
    edits = [(code.span(call), text) for call in calls if (text := _call(code, name, call))]
    return code.with_edits(edits) if edits else None


def _call(code: Code, name: str, call: ast.Call) -> str | None:
    arguments = [code.text(a) for a in call.args]
    match name, arguments:
        case "execfile", [path]:
            return f"exec(open({path}).read())"
        case "cmp", [a, b]:
            return f"(({a} > {b}) - ({a} < {b}))"
        case "apply", [function, positional]:
            return f"{function}(*{positional})"
        case "apply", [function, positional, named]:
            return f"{function}(*{positional}, **{named})"
    return None


Write = Callable[[Code, ast.Attribute, ast.Call], str | None]
"""Returns the text in place of a call of a method."""


def _renamed(new: str) -> Write:
    def write(code: Code, method: ast.Attribute, call: ast.Call) -> str | None:
        arguments = code.source[code.span(method)[1] : code.span(call)[1]]
        return f"{code.text(method.value)}.{new}{arguments}"

    return write


def _has_key(code: Code, method: ast.Attribute, call: ast.Call) -> str | None:
    if len(call.args) != 1:
        return None
    parent = code.parents.get(call)
    inner = f"{code.text(call.args[0])} in {code.text(method.value)}"
    if isinstance(parent, ast.If | ast.While | ast.Assign | ast.Expr | ast.BoolOp):
        return inner
    return f"({inner})"


def _next(code: Code, method: ast.Attribute, call: ast.Call) -> str | None:
    return None if call.args else f"next({code.text(method.value)})"


METHODS: dict[tuple[str, str], Write] = {
    **{("dict", f"iter{what}"): _renamed(what) for what in ("items", "keys", "values")},
    **{("dict", f"view{what}"): _renamed(what) for what in ("items", "keys", "values")},
    ("dict", "has_key"): _has_key,
    ("*", "next"): _next,
}
_MAPPINGS = ("dict", "defaultdict", "OrderedDict", "Counter", "mappingproxy", "ChainMap")


class Python2Method(Rule):
    """Gives methods that Python 2 had their Python 3 form: `d.iteritems()`, `d.has_key(k)`, `iterator.next()`.

    Also functions of the string module that became methods, and `sys.maxint`.
    """

    code = "PYT011"
    name = "python2-method"
    source = _SOURCE
    examples = (
        Example(
            before="for k, v in {'a': 1}.iteritems():\n    print(k, v)",
            after="for k, v in {'a': 1}.items():\n    print(k, v)",
            ename="AttributeError",
            evalue="'dict' object has no attribute 'iteritems'",
        ),
        Example(
            before="d = {'a': 1}\nif d.has_key('a'):\n    print(1)",
            after="d = {'a': 1}\nif 'a' in d:\n    print(1)",
            ename="AttributeError",
            evalue="'dict' object has no attribute 'has_key'",
        ),
        Example(
            before="rows = iter([1, 2])\nfirst = rows.next()",
            after="rows = iter([1, 2])\nfirst = next(rows)",
            ename="AttributeError",
            evalue="'list_iterator' object has no attribute 'next'",
        ),
    )

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        """Rewrite every call of the method in the cell that calls it."""
        matched = _ATTRIBUTE.search(case.evalue)
        if case.ename != "AttributeError" or not matched:
            return
        owner = "dict" if matched[1].rpartition(".")[2] in _MAPPINGS else "*"
        write = METHODS.get((owner, matched[2])) or METHODS.get(("*", matched[2]))
        if write is None:
            return
        for place in await places(case):
            code = Code.of(place.cell.source)
            if code is None:
                continue
            calls = [(c, c.func) for c in code.all(ast.Call) if isinstance(c.func, ast.Attribute)]
            edits = [
                (code.span(call), text)
                for call, method in calls
                if method.attr == matched[2] and (text := write(code, method, call))
            ]
            if edits:
                says = f"`.{matched[2]}()` is Python 2; the cell uses the form of Python 3."
                yield Fix(rule=self.code, says=says, changes=(replaced(place.cell, code.with_edits(edits)),))
                return


CONSTANTS = {
    "sys.maxint": "sys.maxsize",
    "string.letters": "string.ascii_letters",
    "string.lowercase": "string.ascii_lowercase",
    "string.uppercase": "string.ascii_uppercase",
    "string.maketrans": "str.maketrans",
    "os.getcwdu": "os.getcwd",
    "itertools.izip": "zip",
    "itertools.imap": "map",
    "itertools.ifilter": "filter",
    "itertools.izip_longest": "itertools.zip_longest",
    "itertools.ifilterfalse": "itertools.filterfalse",
    "time.clock": "time.perf_counter",
}
"""Names of the standard library by module; https://docs.python.org/3/whatsnew/ of 3.0, and 3.8 for time.clock."""
STRING_METHODS = re.compile(
    r"upper|lower|strip|lstrip|rstrip|split|replace|find|rfind|count|startswith|endswith|zfill|ljust|rjust"
    r"|center|capitalize|title|index"
)
_MODULE = re.compile(r"module '([\w.]+)' has no attribute '(\w+)'")


class Python2ModuleName(Rule):
    """Gives names of the standard library that Python 2 had their Python 3 name: `string.letters`, `sys.maxint`.

    Functions of the string module become the methods they were made into: `string.join(words, "-")` is
    `"-".join(words)`.
    """

    code = "PYT012"
    name = "python2-module-name"
    source = _SOURCE
    examples = (
        Example(
            setup="import string",
            before="print(string.letters)",
            after="print(string.ascii_letters)",
            ename="AttributeError",
            evalue="module 'string' has no attribute 'letters'",
        ),
        Example(
            setup="import string",
            before="print(string.join(['a', 'b'], '-'))",
            after="print('-'.join(['a', 'b']))",
            ename="AttributeError",
            evalue="module 'string' has no attribute 'join'",
        ),
    )

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        """Rewrite every use in the cell that uses the name."""
        matched = _MODULE.search(case.evalue)
        if case.ename != "AttributeError" or not matched:
            return
        module, name = matched.groups()
        for place in await places(case):
            code = Code.of(place.cell.source)
            uses = [a for a in code.all(ast.Attribute) if a.attr == name and dotted(a)] if code else []
            if code is None or not uses:
                continue
            edits = [(code.span(node), text) for node, text in _uses(code, module, uses)]
            if edits:
                says = f"`{module}.{name}` is Python 2; the cell uses what Python 3 has instead."
                yield Fix(rule=self.code, says=says, changes=(replaced(place.cell, code.with_edits(edits)),))
            return


def _uses(code: Code, module: str, uses: list[ast.Attribute]) -> list[tuple[ast.expr, str]]:
    found: list[tuple[ast.expr, str]] = []
    for use in uses:
        new = CONSTANTS.get(f"{module}.{use.attr}")
        call = code.parents.get(use)
        if new:
            owner, _, last = new.rpartition(".")
            found.append((use, f"{dotted(use.value)}.{last}" if owner == module else new))
        elif module == "string" and isinstance(call, ast.Call) and call.func is use and call.args:
            found.append((call, _method(code, use.attr, call)))
    return [(node, text) for node, text in found if text]


def _method(code: Code, name: str, call: ast.Call) -> str:
    first, rest = call.args[0], [code.text(a) for a in call.args[1:]]
    if name in ("join", "joinfields"):
        return f"{in_parentheses(code, call.args[1]) if rest else repr(' ')}.join({code.text(first)})"
    if name in ("atoi", "atol", "atof"):
        return f"{'float' if name == 'atof' else 'int'}({', '.join([code.text(first), *rest])})"
    return f"{in_parentheses(code, first)}.{name}({', '.join(rest)})" if STRING_METHODS.fullmatch(name) else ""
