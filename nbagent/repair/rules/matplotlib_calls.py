"""Calls of matplotlib and seaborn whose form changed."""

from __future__ import annotations

import ast
import re
from collections.abc import AsyncIterator

from nbagent.repair.calls import Edit, RewrittenCalls, added, keyword, name_span
from nbagent.repair.code import Code, replaced
from nbagent.repair.live import places
from nbagent.repair.renamed import called
from nbagent.repair.rule import Case, Example, Fix, Rule

_PLOT = "import matplotlib\nmatplotlib.use('agg')\nimport matplotlib.pyplot as plt"
_LINES = "\n".join(f"line{n} = plt.plot([{n}, 2])" for n in range(8))


class Hold(Rule):
    """Leaves out `plt.hold(True)`: what it asked for is what matplotlib always does now."""

    code = "MPL030"
    name = "hold"
    source = "https://matplotlib.org/stable/api/prev_api_changes/api_changes_3.0.0.html"
    examples = (
        Example(
            setup=_PLOT,
            before=f"{_LINES}\nplt.hold(True)\nmore = plt.plot([2, 1])",
            after=f"{_LINES}\nmore = plt.plot([2, 1])",
            ename="AttributeError",
            evalue="module 'matplotlib.pyplot' has no attribute 'hold'",
            needs=("matplotlib",),
        ),
    )

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        """Take the whole statements out."""
        if case.ename != "AttributeError" or "has no attribute 'hold'" not in case.evalue:
            return
        for place in await places(case):
            code = Code.of(place.cell.source)
            calls = [s for s in code.all(ast.Expr) if _holds(s)] if code else []
            lines = place.cell.source.split("\n")
            gone = {s.lineno for s in calls if lines[s.lineno - 1].strip().startswith(code.text(s) if code else "")}
            if code and gone:
                kept = [line for number, line in enumerate(lines, 1) if number not in gone]
                drops = tuple(lines[number - 1].strip() for number in sorted(gone))
                says = "`hold` is gone: plots always add to what is there."
                changes = (replaced(place.cell, "\n".join(kept)),)
                yield Fix(rule=self.code, says=says, changes=changes, drops=drops)
                return


def _holds(statement: ast.Expr) -> bool:
    call = statement.value
    if not isinstance(call, ast.Call) or called(call) != "hold" or call.keywords:
        return False
    return not call.args or (isinstance(call.args[0], ast.Constant) and call.args[0].value in (True, "on"))


class AxesWithProjection(RewrittenCalls):
    """Writes `fig.gca(projection="3d")` as `fig.add_subplot(projection="3d")`, and `plt.gca` as `plt.axes`."""

    code = "MPL031"
    name = "gca-projection"
    source = "https://matplotlib.org/stable/api/prev_api_changes/api_changes_3.6.0.html"
    pattern = re.compile(r"gca\(\) got an unexpected keyword argument")
    functions = frozenset({"gca"})
    says = "`gca` only finds axes; new ones are added."
    examples = (
        Example(
            setup=_PLOT + "\nfig = plt.figure()",
            before="ax = fig.gca(projection='3d')",
            after="ax = fig.add_subplot(projection='3d')",
            ename="TypeError",
            evalue="FigureBase.gca() got an unexpected keyword argument 'projection'",
            needs=("matplotlib",),
        ),
    )

    def edits(self, code: Code, call: ast.Call) -> list[Edit]:
        """Rename the call, if it asks for something."""
        owner = ast.unparse(call.func).rpartition(".")[0]
        new = "axes" if owner in ("plt", "pyplot", "pylab", "pl", "") else "add_subplot"
        return [(name_span(code, call), new)] if call.keywords else []


class ColorCycle(Rule):
    """Writes the colours that `axes.color_cycle` held as `axes.prop_cycle` holds them."""

    code = "MPL032"
    name = "color-cycle"
    source = "https://matplotlib.org/stable/api/prev_api_changes/api_changes_1.5.0.html"
    examples = (
        Example(
            setup=_PLOT,
            before="colors = plt.rcParams['axes.color_cycle']",
            after="colors = plt.rcParams['axes.prop_cycle'].by_key()['color']",
            ename="KeyError",
            evalue="'axes.color_cycle'",
            needs=("matplotlib",),
        ),
        Example(
            setup=_PLOT,
            before="plt.rcParams['axes.color_cycle'] = ['r', 'g']",
            after="plt.rcParams['axes.prop_cycle'] = plt.cycler(color=['r', 'g'])",
            ename="KeyError",
            evalue="\"'axes.color_cycle' is not a valid value for rcParam.\"",
            needs=("matplotlib",),
        ),
    )

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        """Rewrite every reading and setting in the cell."""
        if case.ename != "KeyError" or "color_cycle" not in case.evalue:
            return
        for place in await places(case):
            code = Code.of(place.cell.source)
            edits = [edit for node in code.all(ast.Subscript) for edit in _cycle(code, node)] if code else []
            if code and edits:
                says = "Colours are part of `axes.prop_cycle`."
                yield Fix(rule=self.code, says=says, changes=(replaced(place.cell, code.with_edits(edits)),))
                return


def _cycle(code: Code, node: ast.Subscript) -> list[Edit]:
    if not (isinstance(node.slice, ast.Constant) and node.slice.value == "axes.color_cycle"):
        return []
    parent = code.parents.get(node)
    key = (code.span(node.slice), "'axes.prop_cycle'")
    if isinstance(parent, ast.Assign) and node in parent.targets:
        return [key, (code.span(parent.value), f"plt.cycler(color={code.text(parent.value)})")]
    end = code.span(node)[1]
    return [key, ((end, end), ".by_key()['color']")]


class SmallerMesh(RewrittenCalls):
    """Gives `pcolormesh` values that fit its corners: it used to drop the last row and column itself."""

    code = "MPL033"
    name = "mesh-corners"
    source = "https://matplotlib.org/stable/api/prev_api_changes/api_changes_3.5.0.html"
    pattern = re.compile(r"must be one larger than the number of columns in C|should be one smaller than X")
    functions = frozenset({"pcolormesh", "pcolor"})
    says = "The last row and column, which were never drawn, are left out."
    examples = (
        Example(
            setup=_PLOT + "\nimport numpy as np\nx, y = np.meshgrid(range(3), range(3))\nz = x * y",
            before="mesh = plt.pcolormesh(x, y, z, shading='flat')",
            after="mesh = plt.pcolormesh(x, y, z[:-1, :-1], shading='flat')",
            ename="TypeError",
            evalue="Dimensions of C (3, 3) should be one smaller than X(3) and Y(3) while using shading='flat'",
            needs=("matplotlib", "numpy"),
        ),
    )

    def edits(self, code: Code, call: ast.Call) -> list[Edit]:
        """Cut the third argument."""
        if len(call.args) < 3:
            return []
        simple = isinstance(call.args[2], ast.Name | ast.Attribute | ast.Call | ast.Subscript)
        text = code.text(call.args[2])
        return [(code.span(call.args[2]), f"{text if simple else f'({text})'}[:-1, :-1]")]


class LimitsOfNorm(RewrittenCalls):
    """Moves `vmin` and `vmax` into the norm that is given beside them."""

    code = "MPL034"
    name = "limits-of-norm"
    source = "https://matplotlib.org/stable/api/prev_api_changes/api_changes_3.5.0.html"
    pattern = re.compile("Passing a Normalize instance simultaneously with vmin/vmax")
    functions = frozenset({"imshow", "pcolormesh", "pcolor", "scatter", "matshow", "contourf", "contour", "hexbin"})
    says = "The limits belong to the norm."
    examples = (
        Example(
            setup=_PLOT + "\nfrom matplotlib.colors import LogNorm",
            before="image = plt.imshow([[1, 2]], norm=LogNorm(), vmin=1, vmax=5)",
            after="image = plt.imshow([[1, 2]], norm=LogNorm(vmin=1, vmax=5))",
            ename="ValueError",
            evalue="Passing a Normalize instance simultaneously with vmin/vmax is not supported.",
            needs=("matplotlib",),
        ),
    )

    def edits(self, code: Code, call: ast.Call) -> list[Edit]:
        """Move the keywords where the norm is made in the call."""
        norm = keyword(call, "norm")
        limits = [k for k in call.keywords if k.arg in ("vmin", "vmax")]
        if norm is None or not isinstance(norm.value, ast.Call) or not limits or norm.value.args:
            return []
        texts = [code.text(k) for k in limits]
        return [added(code, norm.value, ", ".join(texts)), *((_gone(code, k), "") for k in limits)]


def _gone(code: Code, argument: ast.keyword) -> tuple[int, int]:
    start, end = code.span(argument)
    before = code.source[:start].rstrip()
    return (len(before) - 1 if before.endswith(",") else start), end


class Factorplot(RewrittenCalls):
    """Writes seaborn's `factorplot` as `catplot(kind="point")`, and its `size=` as `height=`."""

    code = "SNS020"
    name = "factorplot"
    source = "https://seaborn.pydata.org/whatsnew/v0.9.0.html"
    pattern = re.compile(r"module 'seaborn' has no attribute 'factorplot'")
    functions = frozenset({"factorplot"})
    says = "`factorplot` is `catplot` now; points, which it drew by default, are asked for."
    examples = (
        Example(
            setup="import seaborn as sns, pandas as pd\nd = pd.DataFrame({'a': ['x', 'y'], 'b': [1, 2]})",
            before="g = sns.factorplot(x='a', y='b', data=d, size=3)",
            after="g = sns.catplot(x='a', y='b', data=d, height=3, kind='point')",
            ename="AttributeError",
            evalue="module 'seaborn' has no attribute 'factorplot'",
            needs=("seaborn", "pandas"),
        ),
    )

    def edits(self, code: Code, call: ast.Call) -> list[Edit]:
        """Rename, name the first arguments, and ask for points."""
        found = [(name_span(code, call), "catplot")]
        for name, argument in zip(("x", "y", "hue", "data"), call.args, strict=False):
            found.append(((code.span(argument)[0],) * 2, f"{name}="))
        size = keyword(call, "size")
        if size:
            found.append(((code.span(size)[0], code.span(size)[0] + len("size")), "height"))
        return found if keyword(call, "kind") else [*found, added(code, call, "kind='point'")]
