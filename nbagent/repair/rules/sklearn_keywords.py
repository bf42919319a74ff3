"""Keywords and values of scikit-learn's estimators that have another name, or no effect, now."""

from __future__ import annotations

import re
from collections.abc import Mapping

from nbagent.repair.renamed import Keyword, RenamedKeywords, RenamedValues
from nbagent.repair.rule import Case, Example

_GOT = re.compile(r"Got '(\w+)' instead|'(\w+)' is not a valid scoring value")
_GONE = Keyword(None)
_NONE = Keyword(None, when=("None", "False", "'deprecated'", "'auto'", '"auto"', "'warn'"))
KEYWORDS = {
    ("*", "base_estimator"): Keyword("estimator"),
    ("*", "n_folds"): Keyword("n_splits"),
    ("*", "n_topics"): Keyword("n_components"),
    ("*", "min_impurity_split"): _NONE,
    ("*", "presort"): _GONE,
    ("*", "iid"): _GONE,
    ("*", "precompute_distances"): _GONE,
    ("*", "warn_on_dtype"): _GONE,
    ("*", "n_values"): _NONE,
    ("*", "normalize"): Keyword(None, when=("False", "'deprecated'")),
    ("*", "multi_class"): Keyword(None, when=("'multinomial'", '"multinomial"', "'auto'", '"auto"')),
    ("*", "squared"): Keyword(None, when=("True",)),
    ("*", "thresh"): Keyword("tol"),
    ("AdaBoostClassifier", "algorithm"): _GONE,
    ("KMeans", "n_jobs"): _GONE,
    ("MiniBatchKMeans", "n_jobs"): _GONE,
    ("OneHotEncoder", "sparse"): Keyword("sparse_output"),
    ("LabelBinarizer", "sparse"): Keyword("sparse_output"),
    ("TSNE", "n_iter"): Keyword("max_iter"),
    ("GaussianMixture", "n_iter"): Keyword("max_iter"),
    ("AgglomerativeClustering", "affinity"): Keyword("metric"),
    ("FeatureAgglomeration", "affinity"): Keyword("metric"),
    ("SimpleImputer", "axis"): Keyword(None, when=("0",)),
    ("SimpleImputer", "verbose"): _GONE,
    ("IsolationForest", "behaviour"): _GONE,
    ("Ridge", "max_iters"): Keyword("max_iter"),
    ("IncrementalPCA", "svd_solver"): _GONE,
    ("NMF", "sparseness"): _NONE,
    ("NMF", "eta"): _GONE,
    ("NMF", "beta"): _GONE,
    ("Lasso", "precompute"): _NONE,
    ("cross_val_score", "fit_params"): Keyword("params"),
    ("cross_validate", "fit_params"): Keyword("params"),
    ("cross_val_predict", "fit_params"): Keyword("params"),
    ("silhouette_score", "sample"): Keyword("sample_size"),
    ("classification_report", "sample"): Keyword("sample_weight"),
    ("make_blobs", "n_feature"): Keyword("n_features"),
    ("CountVectorizer", "charset"): Keyword("encoding"),
    ("TfidfVectorizer", "charset"): Keyword("encoding"),
    ("CountVectorizer", "charset_error"): Keyword("decode_error"),
    ("TfidfVectorizer", "charset_error"): Keyword("decode_error"),
    ("SVC", "scale_C"): _GONE,
    ("PartialDependenceDisplay.from_estimator", "fig"): _GONE,
    **{
        (name, "n_iter"): Keyword("max_iter")
        for name in ("SGDClassifier", "SGDRegressor", "Perceptron", "PassiveAggressiveClassifier")
    },
    ("PassiveAggressiveRegressor", "n_iter"): Keyword("max_iter"),
    **{
        (name, "n_iter"): Keyword("n_splits")
        for name in ("ShuffleSplit", "StratifiedShuffleSplit", "GroupShuffleSplit")
    },
}
"""https://scikit-learn.org/stable/whats_new.html: 0.18 n_folds, n_iter of splitters; 0.19 n_iter, n_topics; 0.24 iid,
presort; 1.0 min_impurity_split; 1.2 base_estimator, affinity, sparse; 1.5 and 1.8 multi_class; 1.8 algorithm, n_iter
of TSNE."""


class RenamedSklearnKeyword(RenamedKeywords):
    """Renames keywords of scikit-learn: `base_estimator=`, `sparse=`, `n_folds=`, `n_iter=`.

    A keyword that has no effect any more (`iid=`, `presort=`, `multi_class="auto"`) is left out.
    """

    code = "SKL010"
    name = "renamed-sklearn-keyword"
    source = "https://scikit-learn.org/stable/whats_new.html"
    owners = ("sklearn",)
    keywords = KEYWORDS
    examples = (
        Example(
            setup="from sklearn.preprocessing import OneHotEncoder",
            before="OneHotEncoder(sparse=False)",
            after="OneHotEncoder(sparse_output=False)",
            ename="TypeError",
            evalue="OneHotEncoder.__init__() got an unexpected keyword argument 'sparse'",
            needs=("sklearn",),
        ),
        Example(
            setup="from sklearn.linear_model import LogisticRegression",
            before="LogisticRegression(solver='lbfgs', multi_class='multinomial', C=10)",
            after="LogisticRegression(solver='lbfgs', C=10)",
            ename="TypeError",
            evalue="LogisticRegression.__init__() got an unexpected keyword argument 'multi_class'",
            needs=("sklearn",),
        ),
    )


TEXTS = {
    ("loss", "ls"): "'squared_error'",
    ("loss", "lad"): "'absolute_error'",
    ("loss", "deviance"): "'log_loss'",
    ("loss", "log"): "'log_loss'",
    ("loss", "squared_loss"): "'squared_error'",
    ("loss", "least_squares"): "'squared_error'",
    ("loss", "least_absolute_deviation"): "'absolute_error'",
    ("criterion", "mse"): "'squared_error'",
    ("criterion", "mae"): "'absolute_error'",
    ("class_weight", "auto"): "'balanced'",
    ("class_weight", "subsample"): "'balanced_subsample'",
    ("penalty", "none"): "None",
    ("max_features", "auto"): "'sqrt'",
    ("algorithm", "full"): "'lloyd'",
    ("algorithm", "auto"): "'lloyd'",
    ("scoring", "mean_squared_error"): "'neg_mean_squared_error'",
    ("scoring", "mean_absolute_error"): "'neg_mean_absolute_error'",
    ("scoring", "median_absolute_error"): "'neg_median_absolute_error'",
    ("scoring", "log_loss"): "'neg_log_loss'",
    ("covariance_type", "covar"): "'full'",
    ("init", "nndsvdr"): "'nndsvdar'",
    ("missing_values", "NaN"): "np.nan",
}
"""https://scikit-learn.org/stable/whats_new.html: 0.17 class_weight, 0.18 scoring (the sign was the same before), 1.0
losses and criteria, 1.1 max_features of classifiers, 1.2 penalty, 1.1 algorithm."""


class RenamedSklearnValue(RenamedValues):
    """Gives options of scikit-learn their new name: `loss="ls"`, `criterion="mse"`, `scoring="mean_squared_error"`."""

    code = "SKL011"
    name = "renamed-sklearn-value"
    source = "https://scikit-learn.org/stable/whats_new.html"
    texts = TEXTS
    examples = (
        Example(
            setup="from sklearn.ensemble import GradientBoostingRegressor",
            before="GradientBoostingRegressor(loss='ls', n_estimators=2).fit([[1], [2]], [1, 2])",
            after="GradientBoostingRegressor(loss='squared_error', n_estimators=2).fit([[1], [2]], [1, 2])",
            ename="InvalidParameterError",
            evalue="The 'loss' parameter of GradientBoostingRegressor must be a str among {'huber', 'squared_error'}. "
            "Got 'ls' instead.",
            needs=("sklearn",),
        ),
    )

    def table(self, case: Case) -> Mapping[tuple[str, str], str]:
        """Return what the options are now; `auto` of a regressor's features was all of them."""
        features = "1.0" if re.search(r"Regressor|TreesEmbedding", case.evalue) else "'sqrt'"
        return {**TEXTS, ("max_features", "auto"): features}

    def refused(self, case: Case) -> str | None:
        """Return the option that scikit-learn refused."""
        if case.ename not in ("InvalidParameterError", "ValueError", "KeyError"):
            return None
        found = _GOT.search(case.evalue)
        return (found[1] or found[2]) if found else None
