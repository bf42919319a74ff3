"""`%%trial` in a plain IPython, without a kernel around it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nbagent.sandbox.probe import probe

SESSION = """\
%load_ext nbagent
x, gone = 1, 2
get_ipython().run_cell_magic("trial", "", "print('tried')\\n!echo shell\\nx = [5]\\ndel gone\\nx")
get_ipython().run_cell_magic("trial", "", "1 / 0")
get_ipython().run_cell_magic("trial", "", "import os; os._exit(4)")
print("still", x, gone)
get_ipython().run_cell_magic("trial", "", "x = [6]")
%adopt
print("now", x)
"""


def test_a_trial_in_a_terminal_shows_everything_and_changes_nothing(tmp_path: Path) -> None:
    if probe().layers is None:
        pytest.skip("this machine cannot confine code")
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "session.ipy").write_text(SESSION)
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--no-banner", "--colors=NoColor", "--no-confirm-exit", "session.ipy"],
        cwd=folder,
        env={**os.environ, "IPYTHONDIR": str(tmp_path / "ipython")},
        capture_output=True,
        text=True,
        timeout=90,
        stdin=subprocess.DEVNULL,
    )
    for text in (
        "tried\nshell\n",
        "[5]",
        "rebound  x     1 → list of 1",
        "ZeroDivisionError: division by zero",
        "raised ZeroDivisionError; your kernel is as before",
        "it left with exit status 4",
        "still 1 2\n",
        "Adopted x.\n",
        "now [6]\n",
    ):
        assert text in done.stdout, done.stdout + done.stderr
