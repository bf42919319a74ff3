"""Names and methods that NumPy 1.24 and 2 removed."""

from __future__ import annotations

from typing import ClassVar

from nbagent.repair.imports import MovedNames
from nbagent.repair.moved import Moves
from nbagent.repair.renamed import RenamedAttributes
from nbagent.repair.rule import Example

NAMES = {
    **{f"numpy.{name}": f"builtins.{name}" for name in ("float", "int", "bool", "complex", "object", "str")},
    "numpy.long": "builtins.int",
    "numpy.unicode": "builtins.str",
    "numpy.int0": "numpy.intp",
    "numpy.uint0": "numpy.uintp",
    "numpy.bool8": "numpy.bool_",
    "numpy.object0": "numpy.object_",
    "numpy.product": "numpy.prod",
    "numpy.cumproduct": "numpy.cumprod",
    "numpy.in1d": "numpy.isin",
    "numpy.trapz": "numpy.trapezoid",
    "numpy.alen": "builtins.len",
    "numpy.rank": "numpy.ndim",
    "numpy.row_stack": "numpy.vstack",
    "numpy.float_": "numpy.float64",
    "numpy.typeDict": "numpy.sctypeDict",
    "numpy.loads": "pickle.loads",
    "numpy.math": "math",
    "numpy.linalg.linalg": "numpy.linalg",
    "numpy.PINF": "numpy.inf",
    "numpy.VisibleDeprecationWarning": "numpy.exceptions.VisibleDeprecationWarning",
    "numpy.ComplexWarning": "numpy.exceptions.ComplexWarning",
    "numpy.RankWarning": "numpy.exceptions.RankWarning",
    "numpy.AxisError": "numpy.exceptions.AxisError",
    "numpy.lib.scimath": "numpy.emath",
}


class RemovedNumpyName(MovedNames):
    """Replaces names that NumPy removed: `np.float`, `np.int`, `np.NaN`, `np.product`, `np.in1d`.

    Where NumPy's own error says what to use instead, that is used.
    """

    code = "NPY001"
    name = "removed-numpy-name"
    source = "https://numpy.org/doc/stable/numpy_2_0_migration_guide.html"
    roots = ("numpy",)
    moves = Moves({}, NAMES)
    examples = (
        Example(
            setup="import numpy as np",
            before="x = np.zeros(3, dtype=np.float)",
            after="x = np.zeros(3, dtype=float)",
            ename="AttributeError",
            evalue="module 'numpy' has no attribute 'float'.\n`np.float` was a deprecated alias for `float`.",
            needs=("numpy",),
        ),
        Example(
            setup="import numpy as np",
            before="x = [np.NaN, np.NaN]",
            after="x = [np.nan, np.nan]",
            ename="AttributeError",
            evalue="`np.NaN` was removed in the NumPy 2.0 release. Use `np.nan` instead.",
            needs=("numpy",),
        ),
    )


class RemovedNumpyMethod(RenamedAttributes):
    """Replaces methods of arrays that NumPy removed: `tostring`, `ptp`, `itemset`."""

    code = "NPY002"
    name = "removed-numpy-method"
    source = "https://numpy.org/doc/stable/numpy_2_0_migration_guide.html"
    owners = ("numpy",)
    attributes: ClassVar = {"tostring": "tobytes", "ptp": "np.ptp({}"}
    examples = (
        Example(
            setup="import numpy as np\nx = np.arange(3)",
            before="raw = x.tostring()",
            after="raw = x.tobytes()",
            ename="AttributeError",
            evalue="'numpy.ndarray' object has no attribute 'tostring'",
            needs=("numpy",),
        ),
    )
