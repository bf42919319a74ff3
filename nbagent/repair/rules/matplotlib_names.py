"""Moved and renamed names, methods and keywords of matplotlib."""

from __future__ import annotations

from typing import ClassVar

from nbagent.repair.imports import MovedNames
from nbagent.repair.moved import Moves
from nbagent.repair.renamed import Keyword, RenamedAttributes, RenamedKeywords
from nbagent.repair.rule import Example

_MAPS = {"spectral": "nipy_spectral", **{f"Vega{n}": f"tab{n}" for n in ("10", "20", "20b", "20c")}}
COLORMAPS = {**_MAPS, **{f"{old}_r": f"{new}_r" for old, new in _MAPS.items()}}
"""https://matplotlib.org/stable/api/prev_api_changes/api_changes_2.2.0.html and 3.0: Vega and spectral."""
NAMES = {
    "matplotlib.cm.get_cmap": "matplotlib.pyplot.get_cmap",
    "matplotlib.cm.cmap_d": "matplotlib.colormaps",
    "matplotlib.pyplot.plot_date": "matplotlib.pyplot.plot",
    "matplotlib.mlab.normpdf": "scipy.stats:norm.pdf",
    "matplotlib.mlab.griddata": "scipy.interpolate.griddata",
    "matplotlib.mlab.prctile": "numpy.percentile",
    "matplotlib.mlab.find": "numpy.flatnonzero",
    "matplotlib.mlab.frange": "numpy.arange",
    "pylab.normpdf": "scipy.stats:norm.pdf",
    "pylab.griddata": "scipy.interpolate.griddata",
    "pylab.find": "numpy.flatnonzero",
    "matplotlib.cbook.iterable": "numpy.iterable",
    "matplotlib.cbook.Bunch": "types.SimpleNamespace",
    "matplotlib.pyplot.spectral": "matplotlib.pyplot.nipy_spectral",
    "matplotlib.backends.backend_qt4agg": "matplotlib.backends.backend_qtagg",
    **{f"matplotlib.{where}.{old}": f"matplotlib.cm.{new}" for old, new in COLORMAPS.items() for where in ("cm",)},
}


class MovedMatplotlibName(MovedNames):
    """Reaches names of matplotlib where they are now: `cm.get_cmap`, `cm.spectral`, `mlab.normpdf`."""

    code = "MPL001"
    name = "moved-matplotlib-name"
    source = "https://matplotlib.org/stable/api/prev_api_changes/ (2.2, 3.1, 3.9)"
    roots = ("matplotlib", "pylab", "mpl_toolkits")
    moves = Moves({}, NAMES)
    examples = (
        Example(
            setup="import matplotlib.pyplot as plt",
            before="colors = plt.cm.get_cmap('jet', 10)",
            after="colors = plt.get_cmap('jet', 10)",
            ename="AttributeError",
            evalue="module 'matplotlib.cm' has no attribute 'get_cmap'",
            needs=("matplotlib",),
        ),
        Example(
            setup="from matplotlib import cm",
            before="map = cm.spectral",
            after="map = cm.nipy_spectral",
            ename="AttributeError",
            evalue="module 'matplotlib.cm' has no attribute 'spectral'",
            needs=("matplotlib",),
        ),
    )


class RenamedMatplotlibMethod(RenamedAttributes):
    """Renames methods and attributes of matplotlib's objects: `set_axis_bgcolor`, `legendHandles`, `w_xaxis`."""

    code = "MPL010"
    name = "renamed-matplotlib-method"
    source = "https://matplotlib.org/stable/api/prev_api_changes/ (2.2, 3.1, 3.4, 3.6, 3.8, 3.9)"
    owners = ("matplotlib", "mpl_toolkits")
    attributes: ClassVar = {
        "set_axis_bgcolor": "set_facecolor",
        "get_axis_bgcolor": "get_facecolor",
        "legendHandles": "legend_handles",
        "set_window_title": "manager.set_window_title",
        "w_xaxis": "xaxis",
        "w_yaxis": "yaxis",
        "w_zaxis": "zaxis",
        "get_axes": "{}.axes",
        "draggable": "set_draggable",
        "plot_date": "plot",
        "is_first_col": "get_subplotspec().is_first_col",
        "is_last_col": "get_subplotspec().is_last_col",
        "is_first_row": "get_subplotspec().is_first_row",
        "is_last_row": "get_subplotspec().is_last_row",
        "set_color_cycle": "{}.set_prop_cycle(color=",
        "set_smart_bounds": "set_bounds",
    }
    examples = (
        Example(
            setup="import matplotlib\nmatplotlib.use('agg')\nimport matplotlib.pyplot as plt\nax = plt.gca()",
            before="ax.set_axis_bgcolor('white')",
            after="ax.set_facecolor('white')",
            ename="AttributeError",
            evalue="'Axes' object has no attribute 'set_axis_bgcolor'",
            needs=("matplotlib",),
        ),
    )


class RenamedMatplotlibKeyword(RenamedKeywords):
    """Renames keywords of matplotlib: `axisbg=`, `normed=`, `grid(b=)`, `annotate(s=)`, `bar(left=)`, `basex=`.

    `hold=True`, which is what always happens now, is left out.
    """

    code = "MPL011"
    name = "renamed-matplotlib-keyword"
    source = "https://matplotlib.org/stable/api/prev_api_changes/ (2.0, 2.1, 3.1, 3.3, 3.6, 3.9)"
    owners = ("matplotlib", "mpl_toolkits", "pandas", "seaborn", "pylab", "numpy")
    keywords: ClassVar = {
        ("*", "axisbg"): Keyword("facecolor"),
        ("*", "axis_bgcolor"): Keyword("facecolor"),
        ("*", "normed"): Keyword("density"),
        ("*", "hold"): Keyword(None, when=("True", "1", "None")),
        ("*", "basex"): Keyword("base"),
        ("*", "basey"): Keyword("base"),
        ("*", "nonposx"): Keyword("nonpositive"),
        ("*", "nonposy"): Keyword("nonpositive"),
        ("*", "linthreshx"): Keyword("linthresh"),
        ("*", "linthreshy"): Keyword("linthresh"),
        ("*", "use_line_collection"): Keyword(None),
        ("grid", "b"): Keyword("visible"),
        ("annotate", "s"): Keyword("text"),
        ("bar", "left"): Keyword("x"),
        ("barh", "bottom"): Keyword("y"),
        ("boxplot", "labels"): Keyword("tick_labels"),
        ("use", "warn"): Keyword(None),
        ("switch_backend", "warn"): Keyword(None),
        ("savefig", "frameon"): Keyword(None),
        ("savefig", "papertype"): Keyword(None),
        ("savefig", "figsize"): Keyword(None),
    }
    examples = (
        Example(
            setup="import matplotlib\nmatplotlib.use('agg')\nimport matplotlib.pyplot as plt",
            before="counts = plt.hist([1, 2, 2], bins=2, normed=True)",
            after="counts = plt.hist([1, 2, 2], bins=2, density=True)",
            ename="AttributeError",
            evalue="Rectangle.set() got an unexpected keyword argument 'normed'",
            needs=("matplotlib",),
        ),
        Example(
            setup="import matplotlib\nmatplotlib.use('agg')\nimport matplotlib.pyplot as plt",
            before="ax = plt.axes(axisbg='#E6E6E6')",
            after="ax = plt.axes(facecolor='#E6E6E6')",
            ename="AttributeError",
            evalue="Axes.set() got an unexpected keyword argument 'axisbg'",
            needs=("matplotlib",),
        ),
    )
