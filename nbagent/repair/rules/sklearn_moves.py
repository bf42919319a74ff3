"""Moved and renamed names of scikit-learn."""

from __future__ import annotations

from nbagent.repair.imports import MovedNames
from nbagent.repair.moved import Moves
from nbagent.repair.rule import Example

MODULES = {
    "sklearn.cross_validation": "sklearn.model_selection",
    "sklearn.grid_search": "sklearn.model_selection",
    "sklearn.learning_curve": "sklearn.model_selection",
    "sklearn.externals.joblib": "joblib",
    "sklearn.externals.six.moves.cPickle": "pickle",
    "sklearn.externals.six.moves.urllib": "urllib",
    "sklearn.externals.six": "six",
    "sklearn.metrics.scorer": "sklearn.metrics",
    "sklearn.lda": "sklearn.discriminant_analysis",
    "sklearn.qda": "sklearn.discriminant_analysis",
    "sklearn.hmm": "hmmlearn.hmm",
    "sklearn.utils.testing": "sklearn.utils._testing",
}
"""Whole modules; https://scikit-learn.org/stable/whats_new/v0.18.html, v0.20 to v0.23 for externals."""
NAMES = {
    "sklearn.lda.LDA": "sklearn.discriminant_analysis.LinearDiscriminantAnalysis",
    "sklearn.qda.QDA": "sklearn.discriminant_analysis.QuadraticDiscriminantAnalysis",
    "sklearn.discriminant_analysis.LDA": "sklearn.discriminant_analysis.LinearDiscriminantAnalysis",
    "sklearn.discriminant_analysis.QDA": "sklearn.discriminant_analysis.QuadraticDiscriminantAnalysis",
    "sklearn.mixture.GMM": "sklearn.mixture.GaussianMixture",
    "sklearn.mixture.VBGMM": "sklearn.mixture.BayesianGaussianMixture",
    "sklearn.mixture.DPGMM": "sklearn.mixture.BayesianGaussianMixture",
    "sklearn.decomposition.RandomizedPCA": "sklearn.decomposition.PCA",
    "sklearn.covariance.GraphLasso": "sklearn.covariance.GraphicalLasso",
    "sklearn.covariance.GraphLassoCV": "sklearn.covariance.GraphicalLassoCV",
    "sklearn.covariance.graph_lasso": "sklearn.covariance.graphical_lasso",
    "sklearn.preprocessing.Imputer": "sklearn.impute.SimpleImputer",
    "sklearn.preprocessing.imputation.Imputer": "sklearn.impute.SimpleImputer",
    "sklearn.preprocessing.CategoricalEncoder": "sklearn.preprocessing.OneHotEncoder",
    "sklearn.metrics.jaccard_similarity_score": "sklearn.metrics.accuracy_score",
    "sklearn.metrics.calinski_harabaz_score": "sklearn.metrics.calinski_harabasz_score",
    "sklearn.metrics.auc_score": "sklearn.metrics.roc_auc_score",
    "sklearn.metrics.plot_confusion_matrix": "sklearn.metrics:ConfusionMatrixDisplay.from_estimator",
    "sklearn.metrics.plot_roc_curve": "sklearn.metrics:RocCurveDisplay.from_estimator",
    "sklearn.metrics.plot_precision_recall_curve": "sklearn.metrics:PrecisionRecallDisplay.from_estimator",
    "sklearn.metrics.plot_det_curve": "sklearn.metrics:DetCurveDisplay.from_estimator",
    "sklearn.inspection.plot_partial_dependence": "sklearn.inspection:PartialDependenceDisplay.from_estimator",
    "sklearn.ensemble.partial_dependence.plot_partial_dependence": (
        "sklearn.inspection:PartialDependenceDisplay.from_estimator"
    ),
    "sklearn.cross_validation.LeaveOneLabelOut": "sklearn.model_selection.LeaveOneGroupOut",
    "sklearn.cross_validation.LeavePLabelOut": "sklearn.model_selection.LeavePGroupsOut",
    "sklearn.cross_validation.LabelKFold": "sklearn.model_selection.GroupKFold",
    "sklearn.cross_validation.LabelShuffleSplit": "sklearn.model_selection.GroupShuffleSplit",
    "sklearn.grid_search.IterGrid": "sklearn.model_selection.ParameterGrid",
    "sklearn.externals.joblib": "joblib",
    "sklearn.externals.six": "six",
    "sklearn.externals.six.StringIO": "io.StringIO",
    "sklearn.externals.six.BytesIO": "io.BytesIO",
    "sklearn.externals.six.moves.StringIO": "io.StringIO",
    "sklearn.externals.six.moves.cStringIO": "io.StringIO",
    "sklearn.externals.six.moves.zip": "builtins.zip",
    "sklearn.externals.six.moves.map": "builtins.map",
    "sklearn.externals.six.moves.range": "builtins.range",
    "sklearn.externals.six.moves.xrange": "builtins.range",
    "sklearn.externals.six.moves.input": "builtins.input",
    "sklearn.externals.six.moves.reduce": "functools.reduce",
    "sklearn.utils.extmath.logsumexp": "scipy.special.logsumexp",
    "sklearn.utils.extmath.norm": "numpy.linalg.norm",
    "sklearn.feature_extraction.stop_words.ENGLISH_STOP_WORDS": "sklearn.feature_extraction.text.ENGLISH_STOP_WORDS",
    "sklearn.datasets.base.Bunch": "sklearn.utils.Bunch",
    "sklearn.metrics.classification.UndefinedMetricWarning": "sklearn.exceptions.UndefinedMetricWarning",
    "sklearn.utils.validation.DataConversionWarning": "sklearn.exceptions.DataConversionWarning",
    "sklearn.utils.ConvergenceWarning": "sklearn.exceptions.ConvergenceWarning",
    "sklearn.cluster.bicluster.SpectralCoclustering": "sklearn.cluster.SpectralCoclustering",
}
"""Single names; the "What's new" pages from v0.15 to v1.2 at https://scikit-learn.org/stable/whats_new.html."""


class MovedSklearnName(MovedNames):
    """Imports names of scikit-learn from where they are now: `sklearn.cross_validation`, `sklearn.externals.joblib`.

    Renamed classes and functions are renamed where they are used (`GMM`, `Imputer`, `plot_confusion_matrix`). A name
    that was imported from a private module is looked up in the public modules of the installed scikit-learn.
    """

    code = "SKL001"
    name = "moved-sklearn-name"
    source = "https://scikit-learn.org/stable/whats_new.html"
    roots = ("sklearn",)
    moves = Moves(MODULES, NAMES)
    examples = (
        Example(
            before="from sklearn.cross_validation import train_test_split, cross_val_score",
            after="from sklearn.model_selection import train_test_split, cross_val_score",
            ename="ModuleNotFoundError",
            evalue="No module named 'sklearn.cross_validation'",
            needs=("sklearn",),
        ),
        Example(
            before="from sklearn import cross_validation, svm\ncv = cross_validation.KFold(3)",
            after="from sklearn import model_selection, svm\ncv = model_selection.KFold(3)",
            ename="ImportError",
            evalue="cannot import name 'cross_validation' from 'sklearn' (sklearn/__init__.py)",
            needs=("sklearn",),
        ),
        Example(
            before="from sklearn.datasets.samples_generator import make_blobs",
            after="from sklearn.datasets import make_blobs",
            ename="ModuleNotFoundError",
            evalue="No module named 'sklearn.datasets.samples_generator'",
            needs=("sklearn",),
        ),
        Example(
            before="from sklearn.mixture import GMM  # clusters\nmodel = GMM(2)",
            after="from sklearn.mixture import GaussianMixture  # clusters\nmodel = GaussianMixture(2)",
            ename="ImportError",
            evalue="cannot import name 'GMM' from 'sklearn.mixture' (sklearn/mixture/__init__.py)",
            needs=("sklearn",),
        ),
        Example(
            before="from sklearn.externals import joblib\njoblib.hash(1)",
            after="import joblib\njoblib.hash(1)",
            ename="ImportError",
            evalue="cannot import name 'joblib' from 'sklearn.externals' (sklearn/externals/__init__.py)",
            needs=("sklearn", "joblib"),
        ),
    )
