"""Style names of matplotlib."""

from __future__ import annotations

import ast
import re
from collections.abc import AsyncIterator

from nbagent.repair.code import Code, replaced
from nbagent.repair.rule import Case, Example, Fix, Rule

_STYLE = re.compile(r"'(seaborn[\w-]*)' is not a valid package style")


class SeabornStyle(Rule):
    """Gives matplotlib's seaborn styles their name since matplotlib 3.6: `seaborn-white` is `seaborn-v0_8-white`."""

    code = "MPL001"
    name = "seaborn-style"
    source = "https://matplotlib.org/stable/api/prev_api_changes/api_changes_3.6.0.html"
    examples = (
        Example(
            before="plt.style.use('seaborn-white')",
            after="plt.style.use('seaborn-v0_8-white')",
            ename="OSError",
            evalue="'seaborn-white' is not a valid package style, path of style file, URL of style file, or library "
            "style name (library styles are listed in `style.available`)",
            setup="import matplotlib.pyplot as plt",
            needs=("matplotlib",),
        ),
    )

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        """Rename every seaborn style that the cell spells out."""
        code = Code.of(case.cell.source)
        if not _STYLE.search(case.evalue) or code is None:
            return
        available = await case.ask("__import__('matplotlib.style').style.available")
        edits = []
        for node in code.all(ast.Constant):
            if not isinstance(node.value, str) or not node.value.startswith("seaborn"):
                continue
            new = node.value.replace("seaborn", "seaborn-v0_8", 1)
            if node.value.startswith("seaborn-v0_8") or (isinstance(available, list) and new not in available):
                continue
            edits.append((code.span(node), code.text(node).replace(node.value, new)))
        if edits:
            says = "matplotlib's seaborn styles carry the version of seaborn that they are from: `seaborn-v0_8...`."
            yield Fix(rule=self.code, says=says, changes=(replaced(case.cell, code.with_edits(edits)),))
