"""Names whose import is missing: well-known aliases first, then what the notebook's own libraries export."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import AsyncIterator

from nbagent.core.cells import Cell, ReplaceSource
from nbagent.repair.code import Code, replaced
from nbagent.repair.live import strings
from nbagent.repair.names import names_of
from nbagent.repair.rule import Case, Example, Fix, Rule

_NAME = re.compile(r"name '(\w+)' is not defined")

ALIASES = {
    "np": "import numpy as np",
    "pd": "import pandas as pd",
    "plt": "import matplotlib.pyplot as plt",
    "mpl": "import matplotlib as mpl",
    "sns": "import seaborn as sns",
    "sp": "import scipy as sp",
    "sm": "import statsmodels.api as sm",
    "smf": "import statsmodels.formula.api as smf",
    "nx": "import networkx as nx",
    "tf": "import tensorflow as tf",
    "stats": "from scipy import stats",
    "dt": "import datetime as dt",
    "pickle": "import pickle",
    "nltk": "import nltk",
    "sklearn": "import sklearn",
    "scipy": "import scipy",
    "numpy": "import numpy",
    "pandas": "import pandas",
    "matplotlib": "import matplotlib",
    "Image": "from IPython.display import Image",
    "display": "from IPython.display import display",
    "HTML": "from IPython.display import HTML",
    "defaultdict": "from collections import defaultdict",
    "Counter": "from collections import Counter",
    "OrderedDict": "from collections import OrderedDict",
    "namedtuple": "from collections import namedtuple",
    "deque": "from collections import deque",
    "datetime": "from datetime import datetime",
    "timedelta": "from datetime import timedelta",
    "date": "from datetime import date",
    "partial": "from functools import partial",
    "reduce": "from functools import reduce",
    "glob": "from glob import glob",
    "urlopen": "from urllib.request import urlopen",
    "pprint": "from pprint import pprint",
    "sleep": "from time import sleep",
    "Path": "from pathlib import Path",
    "deepcopy": "from copy import deepcopy",
    "StringIO": "from io import StringIO",
    "BytesIO": "from io import BytesIO",
    "Axes3D": "from mpl_toolkits.mplot3d import Axes3D",
    "DataFrame": "from pandas import DataFrame",
    "Series": "from pandas import Series",
    "randn": "from numpy.random import randn",
    "interact": "from ipywidgets import interact",
}
"""What these names are by convention; each library's own documentation imports it so."""
STANDARD = re.compile(
    r"os|sys|re|json|csv|math|random|time|itertools|collections|functools|operator|string|copy|glob|io|gzip"
    r"|zipfile|shutil|subprocess|urllib|logging|warnings|textwrap|types|datetime|calendar|tempfile|pathlib"
    r"|hashlib|inspect|timeit|statistics|fractions|decimal|bisect|heapq|struct|socket|threading|platform|codecs"
    r"|unicodedata|html"
)
AS_MODULE = {"datetime": "import datetime", "glob": "import glob", "pprint": "import pprint"}
"""Names that are a module as well as something in it: which one is meant shows in `name.attribute`."""
SOLID = ("numpy", "pandas", "scipy", "matplotlib", "sklearn", "seaborn", "statsmodels", "sympy", "networkx")
_PYLAB = ("matplotlib.pyplot", "numpy", "numpy.random", "numpy.linalg", "numpy.fft")


class LostImport(Rule):
    """Imports a well-known name that the notebook uses but never imports: `np`, `pd`, `plt`, `os`, `train_test_split`.

    The name is looked up by convention, then in the libraries that the notebook imports, as they are installed.
    """

    code = "NAM001"
    name = "lost-import"
    source = "decided in the live process"
    examples = (
        Example(
            before="print(math.floor(1.5))",
            after="import math\nprint(math.floor(1.5))",
            ename="NameError",
            evalue="name 'math' is not defined",
        ),
        Example(
            before="np.arange(3)",
            after="import numpy as np\nnp.arange(3)",
            ename="NameError",
            evalue="name 'np' is not defined",
            needs=("numpy",),
        ),
        Example(
            setup="import numpy",
            before="counts = Counter('abc')",
            after="from collections import Counter\ncounts = Counter('abc')",
            ename="NameError",
            evalue="name 'Counter' is not defined",
        ),
    )

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        """Add the import where it was lost, as far as the notebook shows that, else in the failing cell."""
        name = missing(case)
        if name is None:
            return
        for line in await self._lines(case, name):
            if change := placed(case, line):
                says = f"`{name}` is used but never imported; `{line}` is added."
                yield Fix(rule=self.code, says=says, changes=(change,))

    async def _lines(self, case: Case, name: str) -> list[str]:
        found: list[str] = []
        later = imports_of(name, case.after())
        dotted_use = re.search(rf"(?<![\w.]){name}\.\w", case.cell.source)
        if name in AS_MODULE and dotted_use:
            found += _by_attribute(case, name)
        elif name in ALIASES:
            found.append(ALIASES[name])
        elif STANDARD.fullmatch(name) and dotted_use:
            found.append(f"import {name}")
        roots = [r for r in _roots(case) if r not in ("IPython",)]
        if not found and not later:
            modules = await strings(case, "submodules_exporting", name, roots)
            found += [f"from {module} import {name}" for module in _preferred(modules)]
        return [*later[:1], *found][:3]


def missing(case: Case) -> str | None:
    """Return the name that the failure misses, when no cell below defines it and it is nobody's builtin."""
    matched = _NAME.search(case.evalue)
    if case.ename != "NameError" or not matched:
        return None
    name = matched[1]
    defined = any(name in names_of(cell.source).binds for cell in case.after())
    return None if defined and not imports_of(name, case.after()) else name


def imports_of(name: str, cells: tuple[Cell, ...]) -> list[str]:
    """Return the import statements of one name in these cells, each alone on a line."""
    found: list[str] = []
    for cell in cells:
        code = Code.of(cell.source)
        for node in code.all(ast.Import) if code else ():
            found += [f"import {_alias(a)}" for a in node.names if (a.asname or a.name) == name]
        for origin in code.all(ast.ImportFrom) if code else ():
            start = "." * origin.level + (origin.module or "")
            found += [f"from {start} import {_alias(a)}" for a in origin.names if (a.asname or a.name) == name]
    return found


def _alias(alias: ast.alias) -> str:
    return f"{alias.name} as {alias.asname}" if alias.asname else alias.name


def _by_attribute(case: Case, name: str) -> list[str]:
    used = set(re.findall(rf"(?<![\w.]){name}\.(\w+)", case.cell.source))
    in_module = {"datetime": {"datetime", "timedelta", "date", "time", "timezone"}, "glob": {"glob", "iglob"}}
    module = used & in_module.get(name, {"pprint", "pformat"})
    return [AS_MODULE[name]] if module else [ALIASES[name]]


def _roots(case: Case) -> list[str]:
    """Return the libraries that the notebook imports, nearest first."""
    cells = [*reversed(case.before()), case.cell, *case.after()]
    found = re.findall(r"^\s*(?:from|import)\s+(\w+)", "\n".join(cell.source for cell in cells), re.M)
    usual = [root for root in SOLID if root in found]
    return list(dict.fromkeys([*usual, *found]))[:10]


def _preferred(modules: list[str]) -> list[str]:
    """Leave out modules that merely import the name: the shortest public path of each library comes first."""
    usable = [m for m in modules if not m.startswith(("sklearn.externals", "numpy.ma", "numpy.matlib"))]
    return sorted(usable, key=lambda m: (m.partition(".")[0] not in SOLID, m.count("."), modules.index(m)))[:3]


def placed(case: Case, line: str) -> ReplaceSource | None:
    """Return the change that adds an import: to the cell of imports above, else on top of the failing cell."""
    for cell in case.before():
        code = Code.of(cell.source)
        imports = [s for s in code.tree.body if isinstance(s, ast.Import | ast.ImportFrom)] if code else []
        if code and len(imports) >= 2 and len(imports) * 2 >= len(code.tree.body):
            last = max(s.end_lineno or s.lineno for s in imports)
            lines = cell.source.split("\n")
            return replaced(cell, "\n".join([*lines[:last], line, *lines[last:]]))
    code = Code.of(case.cell.source)
    return replaced(case.cell, code.with_import(line)) if code else None


class PylabNames(Rule):
    """Imports the names that `%pylab` or `ipython --pylab` used to define, from numpy and matplotlib, one by one.

    Notebooks of that time used `linspace`, `figure` or `randn` without an import. All such names of the notebook are
    imported at once.
    """

    code = "NAM002"
    name = "pylab-names"
    source = "https://ipython.readthedocs.io/en/stable/interactive/magics.html#magic-pylab"
    confidence = "likely"
    examples = (
        Example(
            before="x = linspace(0, 1, 5)\ny = sin(x)",
            after="from numpy import linspace, sin\nx = linspace(0, 1, 5)\ny = sin(x)",
            ename="NameError",
            evalue="name 'linspace' is not defined",
            needs=("numpy", "matplotlib"),
        ),
    )

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        """Import what the notebook takes from pylab's namespace and defines nowhere."""
        name = missing(case)
        if name is None or name in ALIASES or len(name) < 2:
            return
        free = [name, *sorted(_free(case) - {name})]
        origin: dict[str, list[str]] = {}
        for wanted in free[:60]:
            modules = await strings(case, "exporters", wanted, list(_PYLAB))
            if not modules:
                if wanted == name:
                    return
                continue
            origin.setdefault(_home(modules), []).append(wanted)
        lines = [f"from {module} import {', '.join(sorted(names))}" for module, names in sorted(origin.items())]
        code = Code.of(case.cell.source)
        if code is None:
            return
        says = f"`{name}` and its like came from %pylab; they are imported from where they live."
        yield Fix(rule=self.code, says=says, changes=(replaced(case.cell, code.with_import("\n".join(lines))),))


def _home(modules: list[str]) -> str:
    numeric = [m for m in modules if m.startswith("numpy")]
    return numeric[0] if numeric else modules[0]


def _free(case: Case) -> set[str]:
    """Return names that the cell and those below read and that nothing in the notebook binds."""
    cells = [c for c in case.notebook.cells if c.kind == "code"]
    bound = {n for cell in cells for n in names_of(cell.source).binds} | set(dir(builtins))
    return {n for cell in (case.cell, *case.after()) for n in _reads(cell)} - bound - ALIASES.keys()


def _reads(cell: Cell) -> frozenset[str]:
    return names_of(cell.source).reads if Code.of(cell.source) else frozenset()
