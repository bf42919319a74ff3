"""Attributes and methods of scikit-learn's estimators that have another name now."""

from __future__ import annotations

from typing import ClassVar

from nbagent.repair.renamed import RenamedAttributes
from nbagent.repair.rule import Example


class RenamedSklearnAttribute(RenamedAttributes):
    """Renames attributes of fitted estimators: `get_feature_names()`, `n_features_`, `grid_scores_`, `covars_`."""

    code = "SKL020"
    name = "renamed-sklearn-attribute"
    source = "https://scikit-learn.org/stable/whats_new.html: 0.18 cv_results_, 1.0 feature names, 1.2 removals"
    owners = ("sklearn",)
    attributes: ClassVar = {
        "get_feature_names": "get_feature_names_out",
        "n_features_": "n_features_in_",
        "covars_": "covariances_",
        "base_estimator_": "estimator_",
        "base_estimator": "estimator",
        "affinity": "metric",
        "grid_scores_": (
            "list(zip({0}.cv_results_['params'], {0}.cv_results_['mean_test_score'], "
            "zip(*({0}.cv_results_[f'split{{i}}_test_score'] for i in range({0}.n_splits_)))))"
        ).replace("{0}", "{}"),
    }
    examples = (
        Example(
            setup="from sklearn.feature_extraction.text import CountVectorizer\nv = CountVectorizer().fit(['a word'])",
            before="names = v.get_feature_names()",
            after="names = v.get_feature_names_out()",
            ename="AttributeError",
            evalue="'CountVectorizer' object has no attribute 'get_feature_names'",
            needs=("sklearn",),
        ),
    )
