"""Cells in Python 2 syntax."""

from __future__ import annotations

import ast
import re
from collections.abc import AsyncIterator
from typing import ClassVar

from nbagent.repair.code import Code, replaced
from nbagent.repair.python2 import as_python3
from nbagent.repair.rule import Case, Example, Fix, Rule

SYNTAX_ERRORS = ("SyntaxError", "IndentationError", "TabError")
_TRUE_DIVISION = re.compile(r"^\s*from\s+__future__\s+import\s+.*\bdivision\b", re.M)
_SOURCE = "https://docs.python.org/3.0/whatsnew/3.0.html"


class Python2Syntax(Rule):
    """Writes a Python 2 cell as Python 3: print and exec statements, `except X, e`, `raise E, "m"`, backticks, `<>`.

    Octal and long literals, ur'' strings, tuple parameters and tabs mixed with spaces too. Magics, comments and
    formatting stay. Names are a matter of other rules. A cell that divides is left to PYT002.
    """

    code = "PYT001"
    name = "python2-syntax"
    source = _SOURCE
    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            before='print "a", 1',
            after='print("a", 1)',
            ename="SyntaxError",
            evalue="Missing parentheses in call to 'print'. Did you mean print(...)?",
        ),
        Example(
            before="try:\n    int('x')\nexcept ValueError, e:\n    print e",
            after="try:\n    int('x')\nexcept ValueError as e:\n    print(e)",
            ename="SyntaxError",
            evalue="multiple exception types must be parenthesized",
        ),
        Example(
            before="x = 0777 + 10L\nassert x <> 0",
            after="x = 0o777 + 10\nassert x != 0",
            ename="SyntaxError",
            evalue="leading zeros in decimal integer literals are not permitted",
        ),
    )
    divides: ClassVar[bool] = False

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        """Offer the whole cell in Python 3 syntax."""
        if case.ename not in SYNTAX_ERRORS:
            return
        done = as_python3(case.cell.source)
        if done is None:
            return
        if not any(_TRUE_DIVISION.search(cell.source) for cell in (*case.before(), case.cell)):
            done = _with_floor_division(done)
            if _divides(done) is not self.divides:
                return
        elif self.divides:
            return
        says = "The cell is written in Python 2; it is now the same in Python 3 syntax."
        if self.divides:
            says += " It divides: in Python 2, `/` between two integers cut off the fraction, so look at the results."
        yield Fix(rule=self.code, says=says, changes=(replaced(case.cell, done),))


class Python2SyntaxWithDivision(Python2Syntax):
    """Writes a Python 2 cell as Python 3 where it also divides by values that are not known.

    Between integers Python 2 cut off the fraction. Only between two integers that are written out is that certain;
    there `/` becomes `//`. Elsewhere `/` stays, and a person should look.
    """

    code = "PYT002"
    name = "python2-syntax-with-division"
    source = "https://peps.python.org/pep-0238/"
    confidence = "likely"
    examples = (
        Example(
            before="a, b = 6.0, 4.0\nprint a / b",
            after="a, b = 6.0, 4.0\nprint(a / b)",
            ename="SyntaxError",
            evalue="Missing parentheses in call to 'print'. Did you mean print(...)?",
        ),
    )
    divides = True


def _with_floor_division(source: str) -> str:
    """Return the source with `//` between two integers that are written out."""
    code = Code.of(source)
    if code is None:
        return source
    edits = []
    for node in _divisions(code):
        if _is_integer(node.left) and _is_integer(node.right):
            start, end = code.span(node.left)[1], code.span(node.right)[0]
            edits.append(((start, end), code.source[start:end].replace("/", "//", 1)))
    return code.with_edits(edits)


def _divides(source: str) -> bool:
    code = Code.of(source)
    if code is None:
        return False
    return any(not (_not_integer(node.left) or _not_integer(node.right)) for node in _divisions(code))


def _divisions(code: Code) -> list[ast.BinOp]:
    return [node for node in code.all(ast.BinOp) if isinstance(node.op, ast.Div)]


def _is_integer(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int


def _not_integer(node: ast.expr) -> bool:
    """Whether a value is a fraction as far as the source shows: a float literal, or a sum or product with one."""
    match node:
        case ast.Constant(value=value):
            return isinstance(value, float | complex)
        case ast.BinOp(left=left, right=right):
            return _not_integer(left) or _not_integer(right)
        case ast.UnaryOp(operand=operand):
            return _not_integer(operand)
        case ast.Call(func=ast.Name(id="float")):
            return True
        case ast.Attribute(attr="pi" | "e"):
            return True
    return False
