"""Renamed functions and keywords of seaborn."""

from __future__ import annotations

from typing import ClassVar

from nbagent.repair.imports import MovedNames
from nbagent.repair.moved import Moves
from nbagent.repair.renamed import Keyword, RenamedKeywords
from nbagent.repair.rule import Example

_HEIGHT = Keyword("height")
_FUNCTIONS = ("catplot", "factorplot", "lmplot", "pairplot", "jointplot", "relplot", "clustermap", "displot")
_CLASSES = ("FacetGrid", "PairGrid", "JointGrid")


class MovedSeabornName(MovedNames):
    """Reaches names of seaborn where they are now: `sns.plt`, `seaborn.apionly`, `sns.linearmodels`."""

    code = "SNS001"
    name = "moved-seaborn-name"
    source = "https://seaborn.pydata.org/whatsnew/"
    roots = ("seaborn",)
    moves = Moves(
        {"seaborn.apionly": "seaborn", "seaborn.linearmodels": "seaborn", "seaborn.timeseries": "seaborn"},
        {
            "seaborn.plt": "matplotlib.pyplot",
            "seaborn.apionly": "seaborn",
            "seaborn.np": "numpy",
            "seaborn.pd": "pandas",
        },
    )
    examples = (
        Example(
            setup="import seaborn as sns",
            before="sns.plt.title('a')",
            after="import matplotlib.pyplot as plt\nplt.title('a')",
            ename="AttributeError",
            evalue="module 'seaborn' has no attribute 'plt'",
            needs=("seaborn",),
        ),
    )


class RenamedSeabornKeyword(RenamedKeywords):
    """Renames keywords of seaborn: `size=` is `height=`, `split=` of point plots is `dodge=`.

    `stat_func=`, which only annotated the plot, has no successor and is left out.
    """

    code = "SNS010"
    name = "renamed-seaborn-keyword"
    source = "https://seaborn.pydata.org/whatsnew/v0.9.0.html"
    confidence = "likely"
    owners = ("seaborn",)
    keywords: ClassVar = {
        **{(name, "size"): _HEIGHT for name in (*_FUNCTIONS, *_CLASSES)},
        ("*", "stat_func"): Keyword(None),
        ("stripplot", "split"): Keyword("dodge"),
        ("swarmplot", "split"): Keyword("dodge"),
        ("heatmap", "squre"): Keyword("square"),
        ("*", "shade"): Keyword("fill"),
        ("*", "legend_out"): Keyword(None),
    }
    examples = (
        Example(
            setup="import seaborn as sns, pandas as pd\nimport matplotlib\nmatplotlib.use('agg')\n"
            "d = pd.DataFrame({'a': [1, 2], 'b': [1, 2]})",
            before="g = sns.FacetGrid(d, size=3)",
            after="g = sns.FacetGrid(d, height=3)",
            ename="TypeError",
            evalue="FacetGrid.__init__() got an unexpected keyword argument 'size'",
            needs=("seaborn", "pandas"),
        ),
    )
