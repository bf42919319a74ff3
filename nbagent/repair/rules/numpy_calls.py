"""Calls of NumPy and the standard library whose form changed."""

from __future__ import annotations

import ast
import re

from nbagent.repair.calls import Edit, RewrittenCalls, added, keyword
from nbagent.repair.code import Code, in_parentheses
from nbagent.repair.rule import Example


class RaggedArray(RewrittenCalls):
    """Adds `dtype=object` where an array is made of lists of unequal length, as NumPy did by itself before 1.24."""

    code = "NPY010"
    name = "ragged-array"
    source = "https://numpy.org/doc/stable/release/1.24.0-notes.html"
    pattern = re.compile("setting an array element with a sequence. The requested array has an inhomogeneous shape")
    functions = frozenset({"array", "asarray"})
    says = "Lists of unequal length make an array of objects only when asked to."
    examples = (
        Example(
            setup="import numpy as np",
            before="rows = np.array([[1, 2], [3]])",
            after="rows = np.array([[1, 2], [3]], dtype=object)",
            ename="ValueError",
            evalue="setting an array element with a sequence. The requested array has an inhomogeneous shape after 1 "
            "dimensions. The detected shape was (2,) + inhomogeneous part.",
            needs=("numpy",),
        ),
    )

    def edits(self, code: Code, call: ast.Call) -> list[Edit]:
        """Ask for objects where no type is given."""
        if len(call.args) != 1 or keyword(call, "dtype"):
            return []
        return [added(code, call, "dtype=object")]


class ScalarOfArray(RewrittenCalls):
    """Takes the one number out of an array: `float(x)` is `float(x.item())` where `x` has one element in a list."""

    code = "NPY011"
    name = "scalar-of-array"
    source = "https://numpy.org/doc/stable/release/1.25.0-notes.html"
    pattern = re.compile("only (?:0-dimensional|length-1|size-1) arrays can be converted to Python scalars")
    functions = frozenset({"float", "int", "round"})
    says = "The one number is taken out of the array."
    examples = (
        Example(
            setup="import numpy as np\nx = np.array([1.5])",
            before="y = float(x)",
            after="y = float(x.item())",
            ename="TypeError",
            evalue="only 0-dimensional arrays can be converted to Python scalars",
            needs=("numpy",),
        ),
    )

    def edits(self, code: Code, call: ast.Call) -> list[Edit]:
        """Add `.item()` to what is converted."""
        if not isinstance(call.func, ast.Name) or not call.args or isinstance(call.args[0], ast.Constant):
            return []
        return [(code.span(call.args[0]), f"{in_parentheses(code, call.args[0])}.item()")]


class StackOfGenerator(RewrittenCalls):
    """Makes a list of the generator that is given to `np.vstack` and its kin."""

    code = "NPY012"
    name = "stack-of-generator"
    source = "https://numpy.org/doc/stable/release/1.16.0-notes.html"
    pattern = re.compile('arrays to stack must be passed as a "sequence" type')
    functions = frozenset({"vstack", "hstack", "dstack", "stack", "column_stack", "concatenate"})
    says = "What is stacked is a list."
    examples = (
        Example(
            setup="import numpy as np",
            before="rows = np.vstack(np.ones(2) for _ in range(3))",
            after="rows = np.vstack([np.ones(2) for _ in range(3)])",
            ename="TypeError",
            evalue='arrays to stack must be passed as a "sequence" type such as list or tuple.',
            needs=("numpy",),
        ),
    )

    def edits(self, code: Code, call: ast.Call) -> list[Edit]:
        """Write a list instead of a generator; other iterables are put into one."""
        if not call.args or isinstance(call.args[0], ast.List | ast.Tuple | ast.ListComp):
            return []
        text = code.text(call.args[0])
        if isinstance(call.args[0], ast.GeneratorExp):
            inner = text[1:-1] if text.startswith("(") else text
            bare = code.span(call.args[0])[0] == code.span(call.func)[1]
            return [(code.span(call.args[0]), f"([{inner}])" if bare else f"[{inner}]")]
        return [(code.span(call.args[0]), f"list({text})")]


class SampleOfSet(RewrittenCalls):
    """Sorts the set that `random.sample` draws from, as Python's own error says."""

    code = "STD010"
    name = "sample-of-set"
    source = "https://docs.python.org/3/whatsnew/3.11.html"
    confidence = "likely"
    pattern = re.compile("Population must be a sequence")
    functions = frozenset({"sample"})
    says = "Samples are drawn from a sorted list of the set."
    examples = (
        Example(
            setup="import random",
            before="picked = random.sample({1, 2, 3}, 2)",
            after="picked = random.sample(sorted({1, 2, 3}), 2)",
            ename="TypeError",
            evalue="Population must be a sequence.  For dicts or sets, use sorted(d).",
        ),
    )

    def edits(self, code: Code, call: ast.Call) -> list[Edit]:
        """Sort the population."""
        return [(code.span(call.args[0]), f"sorted({code.text(call.args[0])})")] if call.args else []


class UniversalNewlines(RewrittenCalls):
    """Opens files with mode `r` instead of `rU`, which meant what `r` means now."""

    code = "STD011"
    name = "universal-newlines"
    source = "https://docs.python.org/3/whatsnew/3.11.html"
    pattern = re.compile("ValueError: invalid mode: 'r?U")
    functions = frozenset({"open"})
    says = "Mode `rU` is plain `r` now."
    examples = (
        Example(
            setup="import os, tempfile\nname = os.path.join(tempfile.mkdtemp(), 'a')\nopen(name, 'w').close()",
            before="text = open(name, 'rU').read()",
            after="text = open(name, 'r').read()",
            ename="ValueError",
            evalue="invalid mode: 'rU'",
        ),
    )

    def edits(self, code: Code, call: ast.Call) -> list[Edit]:
        """Take the U out of the mode."""
        mode = [*call.args[1:2], *(k.value for k in call.keywords if k.arg == "mode")]
        return [
            (code.span(m), code.text(m).replace("U", "") if code.text(m)[1] != "U" else "'r'")
            for m in mode
            if isinstance(m, ast.Constant) and isinstance(m.value, str) and "U" in m.value
        ]
