"""Cross-validation iterators of scikit-learn that were given the data's size, and were iterated over themselves."""

from __future__ import annotations

import ast
import re
from collections.abc import AsyncIterator, Iterator

from nbagent.core.cells import Cell
from nbagent.repair.calls import Edit, RewrittenCalls, keyword
from nbagent.repair.code import Code
from nbagent.repair.imports import Edits
from nbagent.repair.live import places
from nbagent.repair.renamed import called, without
from nbagent.repair.rule import Case, Example, Fix, Rule

_OF_SIZE = {"KFold": "n_splits", "ShuffleSplit": "n_splits", "LeaveOneOut": "", "LeavePOut": "p"}
_OF_CLASSES = {"StratifiedKFold": "n_splits", "StratifiedShuffleSplit": "n_splits"}
_OLD_NAMES = {"n_folds": "n_splits", "n_iter": "n_splits", "n_iterations": "n_splits", "k": "n_splits"}
_SPLITTERS = {**_OF_SIZE, **_OF_CLASSES}


class OldSplitter(Rule):
    """Writes `KFold(n, n_folds=3)` and its kin as they are since scikit-learn 0.18: `KFold(n_splits=3)`.

    Where the notebook iterates over one, it iterates over `.split(range(n))`, which gives the same indices.
    """

    code = "SKL030"
    name = "old-cross-validation-iterator"
    source = "https://scikit-learn.org/stable/whats_new/v0.18.html#model-selection-enhancements-and-api-changes"
    examples = (
        Example(
            setup="from sklearn.model_selection import KFold",
            before="cv = KFold(6, n_folds=3)\nfor train, test in cv:\n    print(test)",
            after="cv = KFold(n_splits=3)\nfor train, test in cv.split(range(6)):\n    print(test)",
            ename="TypeError",
            evalue="KFold.__init__() got an unexpected keyword argument 'n_folds'",
            needs=("sklearn",),
        ),
        Example(
            setup="from sklearn.model_selection import StratifiedKFold\ny = [0, 1, 0, 1]",
            before="for train, test in StratifiedKFold(y, 2):\n    print(test)",
            after="for train, test in StratifiedKFold(2).split(range(len(y)), y):\n    print(test)",
            ename="TypeError",
            evalue="StratifiedKFold.__init__() takes from 1 to 2 positional arguments but 3 were given",
            needs=("sklearn",),
        ),
    )

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        """Rewrite the constructors in the failing cell, and the loops over what they give in all cells."""
        failing = re.search(r"(\w+)\.__init__\(\)|(\w+)\(\) takes no arguments", case.evalue)
        kind = (failing[1] or failing[2]) if failing else None
        if case.ename != "TypeError" or kind not in _SPLITTERS:
            return
        for place in await places(case):
            code = Code.of(place.cell.source)
            calls = [c for c in code.all(ast.Call) if called(c) in _SPLITTERS] if code else []
            edits = Edits(tuple(c for c in case.notebook.cells if c.kind == "code"))
            for call in calls:
                if code and (size := _size(code, call)):
                    for span, text in _constructor(code, call):
                        edits.add(place.cell, span, text)
                    _loops(edits, code, call, size)
            if changes := edits.changes():
                says = f"`{kind}` takes no data any more; what is split is given to `.split()`."
                yield Fix(rule=self.code, says=says, changes=changes)
                return


def _size(code: Code, call: ast.Call) -> str | None:
    """Return the arguments of `.split()` that stand for what the old constructor was given; None for a new form."""
    kind = called(call) or ""
    first = code.text(call.args[0]) if call.args else None
    given = keyword(call, "y") or keyword(call, "n")
    old = [k for k in call.keywords if k.arg in _OLD_NAMES]
    if given:
        first = code.text(given.value)
    elif first is None or not (old or len(call.args) > 1 or not _SPLITTERS[kind] or _is_size(call.args[0])):
        return None
    return f"range(len({first})), {first}" if kind in _OF_CLASSES else f"range({first})"


def _is_size(node: ast.expr) -> bool:
    is_len = isinstance(node, ast.Call) and called(node) == "len"
    return is_len or (isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("shape"))


def _constructor(code: Code, call: ast.Call) -> Iterator[Edit]:
    given = keyword(call, "y") or keyword(call, "n")
    if given:
        yield without(code, given), ""
    elif call.args:
        start, end = code.span(call.args[0])
        rest = re.match(r"\s*,\s*", code.source[end:])
        yield (start, end + (rest.end() if rest else 0)), ""
    for old in call.keywords:
        if old.arg in _OLD_NAMES:
            yield (code.span(old)[0], code.span(old)[0] + len(old.arg)), _OLD_NAMES[old.arg]
        elif old.arg == "indices":
            yield without(code, old), ""


def _loops(edits: Edits, code: Code, call: ast.Call, size: str) -> None:
    parent = code.parents.get(call)
    if (isinstance(parent, ast.For | ast.comprehension) and parent.iter is call) or (
        isinstance(parent, ast.Call) and called(parent) in ("enumerate", "list", "zip")
    ):
        edits.add(_cell_of(edits, code), (code.span(call)[1],) * 2, f".split({size})")
    elif isinstance(parent, ast.Assign) and isinstance(parent.targets[0], ast.Name):
        _loops_over(edits, parent.targets[0].id, size)


def _loops_over(edits: Edits, name: str, size: str) -> None:
    for cell in edits.cells:
        code = Code.of(cell.source)
        for use in code.all(ast.Name) if code else ():
            parent = code.parents.get(use) if code else None
            if code is None or use.id != name or not isinstance(use.ctx, ast.Load):
                continue
            if (isinstance(parent, ast.For | ast.comprehension) and parent.iter is use) or (
                isinstance(parent, ast.Call) and called(parent) in ("enumerate", "list", "zip")
            ):
                edits.add(cell, code.span(use), f"{name}.split({size})")
            elif isinstance(parent, ast.Call) and called(parent) == "len":
                edits.add(cell, code.span(parent), f"{name}.get_n_splits({size})")


def _cell_of(edits: Edits, code: Code) -> Cell:
    return next(cell for cell in edits.cells if cell.source == code.source)


class SeedWithoutShuffle(RewrittenCalls):
    """Leaves out `random_state=` of `KFold` where nothing is shuffled: it never had an effect, and is refused now."""

    code = "SKL031"
    name = "seed-without-shuffle"
    source = "https://scikit-learn.org/stable/whats_new/v0.24.html"
    pattern = re.compile("Setting a random_state has no effect since shuffle is False")
    functions = frozenset({"KFold", "StratifiedKFold"})
    says = "`random_state` has no effect where nothing is shuffled, and is refused now; it is left out."
    examples = (
        Example(
            setup="from sklearn.model_selection import KFold",
            before="cv = KFold(n_splits=3, random_state=1)",
            after="cv = KFold(n_splits=3)",
            ename="ValueError",
            evalue="Setting a random_state has no effect since shuffle is False. You should leave random_state to its "
            "default (None), or set shuffle=True.",
            needs=("sklearn",),
        ),
    )

    def edits(self, code: Code, call: ast.Call) -> list[Edit]:
        """Drop the seed."""
        seed, shuffle = keyword(call, "random_state"), keyword(call, "shuffle")
        return [(without(code, seed), "")] if seed and (shuffle is None or code.text(shuffle.value) == "False") else []
