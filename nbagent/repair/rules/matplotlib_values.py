"""Names of styles and colormaps that matplotlib has renamed."""

from __future__ import annotations

import ast
import re
from collections.abc import AsyncIterator
from typing import ClassVar

from nbagent.repair.code import Code, replaced
from nbagent.repair.live import places
from nbagent.repair.renamed import RenamedValues
from nbagent.repair.rule import Case, Example, Fix, Rule
from nbagent.repair.rules.matplotlib_names import COLORMAPS

_NO_STYLE = re.compile(r"'([^']+)' (?:is not a valid package style|not found in the style library)")


_NO_MAP = re.compile(r"'(\w+)' is not a (?:valid value for (?:name|cmap)|known colormap name)")


class RenamedStyle(Rule):
    """Gives matplotlib's seaborn styles their name of today: `seaborn-whitegrid` is `seaborn-v0_8-whitegrid`."""

    code = "MPL020"
    name = "renamed-style"
    source = "https://matplotlib.org/stable/api/prev_api_changes/api_changes_3.6.0.html"
    examples = (
        Example(
            before="import matplotlib.pyplot as plt\nplt.style.use('seaborn-white')",
            after="import matplotlib.pyplot as plt\nplt.style.use('seaborn-v0_8-white')",
            ename="OSError",
            evalue="'seaborn-white' is not a valid package style, path of style file, URL of style file, or library "
            "style name (library styles are listed in `style.available`)",
            needs=("matplotlib",),
        ),
    )

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        """Replace the style's name where the cell writes it, once the installed matplotlib knows the new one."""
        found = _NO_STYLE.search(case.evalue)
        old = found[1] if found else ""
        if not old.startswith("seaborn") or old.startswith("seaborn-v0_8"):
            return
        new = old.replace("seaborn", "seaborn-v0_8", 1)
        if not await case.ask(f"{new!r} in __import__('matplotlib.style').style.available"):
            return
        for place in await places(case):
            code = Code.of(place.cell.source)
            texts = [n for n in code.all(ast.Constant) if n.value == old] if code else []
            if code and texts:
                edits = [(code.span(n), code.text(n).replace(old, new)) for n in texts]
                says = f"The style {old!r} is {new!r} now."
                yield Fix(rule=self.code, says=says, changes=(replaced(place.cell, code.with_edits(edits)),))
                return


class RenamedColormap(RenamedValues):
    """Gives matplotlib's colormaps their name of today: `spectral` is `nipy_spectral`, `Vega20` is `tab20`."""

    code = "MPL021"
    name = "renamed-colormap"
    source = "https://matplotlib.org/stable/api/prev_api_changes/api_changes_3.0.0.html"
    texts: ClassVar = {("*", old): repr(new) for old, new in COLORMAPS.items()}
    examples = (
        Example(
            before="import matplotlib.pyplot as plt\ncolors = plt.get_cmap('spectral')",
            after="import matplotlib.pyplot as plt\ncolors = plt.get_cmap('nipy_spectral')",
            ename="ValueError",
            evalue="'spectral' is not a valid value for name. Did you mean one of: 'Spectral', 'nipy_spectral'?",
            needs=("matplotlib",),
        ),
    )

    def refused(self, case: Case) -> str | None:
        """Return the colormap that matplotlib does not know."""
        found = _NO_MAP.search(case.evalue)
        return found[1] if found and case.ename in ("ValueError", "KeyError") else None
