"""Moved names and renamed keywords of statsmodels."""

from __future__ import annotations

from typing import ClassVar

from nbagent.repair.imports import MovedNames
from nbagent.repair.moved import Moves
from nbagent.repair.renamed import Keyword, RenamedKeywords
from nbagent.repair.rule import Example


class MovedStatsmodelsName(MovedNames):
    """Reaches models of statsmodels where they are now: `smf.OLS` is `sm.OLS`."""

    code = "STM001"
    name = "moved-statsmodels-name"
    source = "https://www.statsmodels.org/stable/release/"
    roots = ("statsmodels",)
    moves = Moves(
        {
            "statsmodels.formula.api": "statsmodels.api",
            "statsmodels.sandbox.regression.predstd": "statsmodels.sandbox.regression.predstd",
            "statsmodels.tsa.arima_model": "statsmodels.tsa.arima.model",
            "statsmodels.genmod.families.links": "statsmodels.genmod.families.links",
        },
        {"statsmodels.tsa.filters": "statsmodels.tsa.filters"},
    )
    examples = (
        Example(
            setup="import statsmodels.formula.api as smf\nimport statsmodels.api as sm",
            before="model = smf.Logit([0, 1], [1, 1])",
            after="model = sm.Logit([0, 1], [1, 1])",
            ename="AttributeError",
            evalue="module 'statsmodels.formula.api' has no attribute 'Logit'",
            needs=("statsmodels",),
        ),
    )


class RenamedStatsmodelsKeyword(RenamedKeywords):
    """Renames keywords of statsmodels: `freq=` of `seasonal_decompose` is `period=`."""

    code = "STM010"
    name = "renamed-statsmodels-keyword"
    source = "https://www.statsmodels.org/stable/release/version0.11.html"
    owners = ("statsmodels",)
    keywords: ClassVar = {
        ("seasonal_decompose", "freq"): Keyword("period"),
        ("acf", "unbiased"): Keyword("adjusted"),
        ("plot_acf", "unbiased"): Keyword("adjusted"),
        ("fit", "transparams"): Keyword(None),
        ("ExponentialSmoothing", "damped"): Keyword("damped_trend"),
        ("Holt", "damped"): Keyword("damped_trend"),
    }
    examples = (
        Example(
            setup="import statsmodels.api as sm\nx = list(range(8))",
            before="parts = sm.tsa.seasonal_decompose(x, freq=2)",
            after="parts = sm.tsa.seasonal_decompose(x, period=2)",
            ename="TypeError",
            evalue="seasonal_decompose() got an unexpected keyword argument 'freq'",
            needs=("statsmodels",),
        ),
    )
