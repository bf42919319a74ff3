"""Calls of scikit-learn whose form changed: single samples, scorers, root mean squared errors."""

from __future__ import annotations

import ast
import re

from nbagent.repair.calls import Edit, RewrittenCalls, keyword
from nbagent.repair.code import Code
from nbagent.repair.renamed import without
from nbagent.repair.rule import Example


class SingleSample(RewrittenCalls):
    """Gives one sample as a list of one: `clf.predict(x)` is `clf.predict([x])`, as scikit-learn asks since 0.19."""

    code = "SKL040"
    name = "single-sample"
    source = "https://scikit-learn.org/0.17/whats_new.html: 1d arrays as one sample are deprecated"
    confidence = "likely"
    pattern = re.compile(r"Expected 2D array, got (?:1D|scalar) array instead")
    functions = frozenset(
        [
            "predict",
            "predict_proba",
            "predict_log_proba",
            "decision_function",
            "transform",
            "inverse_transform",
            "kneighbors",
            "score_samples",
            "apply",
            "staged_predict",
        ]
    )
    says = "One sample is given as a list of one sample."
    examples = (
        Example(
            setup="from sklearn.neighbors import KNeighborsClassifier\n"
            "knn = KNeighborsClassifier(1).fit([[1, 2], [3, 4]], [0, 1])",
            before="knn.predict([3, 5])",
            after="knn.predict([[3, 5]])",
            ename="ValueError",
            evalue="Expected 2D array, got 1D array instead:\narray=[3 5].",
            needs=("sklearn",),
        ),
    )

    def edits(self, code: Code, call: ast.Call) -> list[Edit]:
        """Wrap the first argument, unless it already holds lists."""
        first = call.args[0] if call.args else None
        if first is None or (isinstance(first, ast.List) and first.elts and isinstance(first.elts[0], ast.List)):
            return []
        return [(code.span(first), f"[{code.text(first)}]")]


class OneFeature(RewrittenCalls):
    """Gives one feature as a column: `scaler.fit_transform(x)` becomes `scaler.fit_transform(x.reshape(-1, 1))`."""

    code = "SKL041"
    name = "one-feature"
    source = "https://scikit-learn.org/0.17/whats_new.html: 1d arrays are deprecated"
    confidence = "likely"
    pattern = re.compile(r"Expected 2D array, got 1D array instead|Expected a 2-dimensional container but got")
    functions = frozenset({"fit", "fit_transform", "fit_predict", "transform", "predict", "score", "partial_fit"})
    says = "One feature is given as a column."
    examples = (
        Example(
            setup="import numpy as np\nfrom sklearn.preprocessing import StandardScaler\nx = np.array([1.0, 2.0])",
            before="z = StandardScaler().fit_transform(x)",
            after="z = StandardScaler().fit_transform(np.asarray(x).reshape(-1, 1))",
            ename="ValueError",
            evalue="Expected 2D array, got 1D array instead:\narray=[1. 2.].",
            needs=("sklearn",),
        ),
    )

    def edits(self, code: Code, call: ast.Call) -> list[Edit]:
        """Reshape the first argument."""
        if not call.args or isinstance(call.args[0], ast.List) or "reshape" in code.text(call.args[0]):
            return []
        return [(code.span(call.args[0]), f"np.asarray({code.text(call.args[0])}).reshape(-1, 1)")]


class RootMeanSquaredError(RewrittenCalls):
    """Writes `mean_squared_error(..., squared=False)` as `root_mean_squared_error(...)`."""

    code = "SKL042"
    name = "root-mean-squared-error"
    source = "https://scikit-learn.org/stable/whats_new/v1.4.html"
    pattern = re.compile("unexpected keyword argument 'squared'")
    functions = frozenset({"mean_squared_error", "mean_squared_log_error"})
    says = "The root of the mean squared error has a function of its own."
    imports = "from sklearn.metrics import root_mean_squared_error"
    examples = (
        Example(
            setup="from sklearn.metrics import mean_squared_error",
            before="e = mean_squared_error([1, 2], [1, 3], squared=False)",
            after="from sklearn.metrics import root_mean_squared_error\ne = root_mean_squared_error([1, 2], [1, 3])",
            ename="TypeError",
            evalue="got an unexpected keyword argument 'squared'",
            needs=("sklearn",),
        ),
    )

    def edits(self, code: Code, call: ast.Call) -> list[Edit]:
        """Call the other function, by its plain name."""
        squared = keyword(call, "squared")
        if squared is None or code.text(squared.value) not in ("False", "0"):
            return []
        name = ast.unparse(call.func).rpartition(".")[2].replace("mean_", "root_mean_", 1)
        return [(code.span(call.func), name), (without(code, squared), "")]


class OneVersusRest(RewrittenCalls):
    """Wraps `LogisticRegression(multi_class="ovr")` into `OneVsRestClassifier(...)`, as scikit-learn's notes say."""

    code = "SKL043"
    name = "one-versus-rest"
    source = "https://scikit-learn.org/stable/whats_new/v1.5.html"
    confidence = "likely"
    pattern = re.compile(
        "unexpected keyword argument 'multi_class'|liblinear' solver does not support multiclass classification"
    )
    functions = frozenset({"LogisticRegression", "LogisticRegressionCV"})
    says = "One model per class is made by OneVsRestClassifier now."
    imports = "from sklearn.multiclass import OneVsRestClassifier"
    examples = (
        Example(
            setup="from sklearn.linear_model import LogisticRegression",
            before="clf = LogisticRegression(multi_class='ovr', C=1.0)",
            after="from sklearn.multiclass import OneVsRestClassifier\n"
            "clf = OneVsRestClassifier(LogisticRegression(C=1.0))",
            ename="TypeError",
            evalue="LogisticRegression.__init__() got an unexpected keyword argument 'multi_class'",
            needs=("sklearn",),
        ),
    )

    def edits(self, code: Code, call: ast.Call) -> list[Edit]:
        """Wrap the estimator and leave the keyword out."""
        many, solver = keyword(call, "multi_class"), keyword(call, "solver")
        parent = code.parents.get(call)
        wrapped = isinstance(parent, ast.Call) and "OneVsRest" in ast.unparse(parent.func)
        one = many is not None and code.text(many.value).strip("'\"") == "ovr"
        liblinear = many is None and solver is not None and code.text(solver.value).strip("'\"") == "liblinear"
        if wrapped or not (one or liblinear):
            return []
        start, end = code.span(call)
        gone = [(without(code, many), "")] if many else []
        return [((start, start), "OneVsRestClassifier("), ((end, end), ")"), *gone]


class OldScorers(RewrittenCalls):
    """Writes the keys of the old dictionary `SCORERS` as `get_scorer_names()`."""

    code = "SKL044"
    name = "scorer-names"
    source = "https://scikit-learn.org/stable/whats_new/v1.0.html"
    pattern = re.compile(r"'SCORERS'|sklearn\.metrics\.scorer")
    functions = frozenset({"keys"})
    says = "The names of all scorers are given by a function."
    imports = ""
    examples = (
        Example(
            before="from sklearn.metrics import SCORERS\nprint(sorted(SCORERS.keys()))",
            after="from sklearn.metrics import get_scorer_names\nprint(sorted(get_scorer_names()))",
            ename="ImportError",
            evalue="cannot import name 'SCORERS' from 'sklearn.metrics' (sklearn/metrics/__init__.py)",
            needs=("sklearn",),
        ),
    )

    def edits(self, code: Code, call: ast.Call) -> list[Edit]:
        """Replace `SCORERS.keys()` and the import."""
        if not (isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name)):
            return []
        if call.func.value.id != "SCORERS":
            return []
        imported = [a for n in code.all(ast.ImportFrom) for a in n.names if a.name == "SCORERS" and n.module]
        origin = [n for n in code.all(ast.ImportFrom) if any(a.name == "SCORERS" for a in n.names)]
        moved = [
            ((code.span(n)[0], code.span(n)[0] + len(f"from {n.module}")), "from sklearn.metrics")
            for n in origin
            if n.module and "scorer" in n.module and len(n.names) == 1
        ]
        return [
            (code.span(call), "get_scorer_names()"),
            *moved,
            *((code.span(a), "get_scorer_names") for a in imported),
        ]
