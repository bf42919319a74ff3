"""Keywords of pandas, scikit-learn and seaborn that have another name now."""

from __future__ import annotations

import ast
import re
from collections.abc import AsyncIterator

from nbagent.repair.code import Code, replaced
from nbagent.repair.live import Signature, places, signature
from nbagent.repair.rule import Case, Example, Fix, Rule

_UNEXPECTED = re.compile(r"got an unexpected keyword argument '(\w+)'")
RENAMED: dict[str, dict[str, tuple[str, ...]]] = {
    "pandas": {
        "cols": ("columns", "subset"), "rows": ("index",), "sheetname": ("sheet_name",), "parse_cols": ("usecols",),
        "skip_footer": ("skipfooter",), "line_terminator": ("lineterminator",), "null_counts": ("show_counts",),
        "columns": ("by",), "labels": ("codes",), "closed": ("inclusive",),
    },
    "sklearn": {
        "n_folds": ("n_splits",), "n_iter": ("max_iter",), "base_estimator": ("estimator",), "affinity": ("metric",),
        "sparse": ("sparse_output",), "n_topics": ("n_components",), "probas_pred": ("y_score",),
    },
    "seaborn": {"size": ("height",), "scale": ("density_norm",), "bw": ("bw_method",), "shade": ("fill",)},
}  # fmt: skip
"""Old keyword -> names that took its place, the first that the live signature has is used. Release notes of pandas
0.17 to 3.0, scikit-learn 0.18 to 1.4, seaborn 0.9 to 0.13."""


class RenamedKeyword(Rule):
    """Gives keyword arguments their name of today: `sheetname` is `sheet_name`, `n_folds` is `n_splits`.

    The new name is one that the installed function's signature has, and that the call does not give already.
    """

    code = "ARG002"
    name = "renamed-keyword"
    source = "release notes; checked against the live signature"
    examples = (
        Example(
            setup="from sklearn.model_selection import KFold",
            before="folds = KFold(n_folds=3)",
            after="folds = KFold(n_splits=3)",
            ename="TypeError",
            evalue="KFold.__init__() got an unexpected keyword argument 'n_folds'",
            needs=("sklearn",),
        ),
    )

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        """Rename the keyword in the call that fails."""
        matched = _UNEXPECTED.search(case.evalue)
        if case.ename != "TypeError" or not matched:
            return
        for place in await places(case):
            code = Code.of(place.cell.source)
            for call in code.at(place, ast.Call) if code else ():
                keyword = next((k for k in call.keywords if k.arg == matched[1]), None)
                taken = await signature(case, place, code.text(call.func)) if code and keyword else None
                new = _new_name(taken, call, matched[1]) if taken else None
                if code and keyword and taken and new:
                    start = code.span(keyword)[0]
                    done = code.source[:start] + new + code.source[start + len(matched[1]) :]
                    says = f"The keyword `{matched[1]}` of `{taken.name}` is `{new}` now."
                    yield Fix(rule=self.code, says=says, changes=(replaced(place.cell, done),))


def _new_name(taken: Signature, call: ast.Call, old: str) -> str | None:
    given = {k.arg for k in call.keywords}
    names = RENAMED.get(taken.module.partition(".")[0], {}).get(old, ())
    return next((name for name in names if taken.takes(name) and name not in given), None)
