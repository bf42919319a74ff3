"""Moved names of sympy."""

from __future__ import annotations

from nbagent.repair.imports import MovedNames
from nbagent.repair.moved import Moves
from nbagent.repair.rule import Example


class MovedSympyName(MovedNames):
    """Imports what was in sympy from where it is now: `sympy.mpmath` is mpmath."""

    code = "SYM001"
    name = "moved-sympy-name"
    source = "https://github.com/sympy/sympy/wiki/Release-Notes-for-1.0"
    roots = ("sympy",)
    moves = Moves({"sympy.mpmath": "mpmath", "sympy.statistics": "sympy.stats"}, {"sympy.mpmath": "mpmath"})
    examples = (
        Example(
            before="from sympy.mpmath import mp",
            after="from mpmath import mp",
            ename="ModuleNotFoundError",
            evalue="No module named 'sympy.mpmath'",
            needs=("sympy", "mpmath"),
        ),
    )
