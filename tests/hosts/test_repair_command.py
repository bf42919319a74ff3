"""`nbagent repair` as a person runs it: real processes, real kernel, real files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "example-notebooks"


def nbagent(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nbagent", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "NBAGENT_DATA_DIR": str(folder / "data-of-nbagent"), "NO_COLOR": "1"},
    )


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "pendulum.ipynb"
    path.write_bytes((EXAMPLES / "pendulum-python2.ipynb").read_bytes())
    return path


def test_a_notebook_is_repaired_proved_written_and_can_be_put_back(old: Path) -> None:
    before = old.read_bytes()
    shown = nbagent("repair", "--diff", old.name, folder=old.parent)
    assert shown.returncode == 0, shown.stderr
    assert "+    for i in range(int(seconds / dt)):" in shown.stdout
    assert old.read_bytes() == before
    assert nbagent("repair", "--check", old.name, folder=old.parent).returncode == 1
    done = nbagent("repair", "--json", old.name, folder=old.parent)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["state"], report["proof"]["clean"], report["written"]) == ("repaired", True, old.name)
    assert nbagent("repair", "--check", old.name, folder=old.parent).returncode == 0
    assert nbagent("undo", old.name, folder=old.parent).returncode == 0
    assert old.read_bytes() == before


def test_bad_input_is_a_sentence_and_the_other_notebooks_are_still_done(old: Path) -> None:
    (old.parent / "cut.ipynb").write_bytes(old.read_bytes()[:300])
    (old.parent / "r.ipynb").write_text(
        json.dumps({"cells": [], "metadata": {"kernelspec": {"name": "ir", "language": "R"}}, "nbformat": 4})
    )
    names = ["missing.ipynb", "cut.ipynb", "r.ipynb", old.name]
    done = nbagent("repair", "--diff", *names, folder=old.parent)
    assert done.returncode == 2
    assert "there is no such file" in done.stderr
    assert "cut short" in done.stderr
    assert "notebook of r" in done.stderr
    assert "Traceback" not in done.stderr
    assert "+print(" in done.stdout


def test_a_cell_that_ends_its_process_is_reported_and_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "ends.ipynb"
    cell = {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": [],
        "source": "import os; os._exit(0)",
    }
    path.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}))
    before = path.read_bytes()
    done = nbagent("repair", path.name, folder=tmp_path)
    assert done.returncode == 1
    assert "crash" in done.stdout
    assert path.read_bytes() == before


def test_a_module_beside_the_notebook_is_repaired_with_it_and_shown_and_can_be_put_back(tmp_path: Path) -> None:
    module = tmp_path / "helper.py"
    old = "from sklearn.externals.six import StringIO\nimport numpy as np\n\n\ndef one():\n    return np.float(1)\n"
    module.write_text(old)
    cell = {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": [],
        "source": "import helper\nhelper.one()",
    }
    path = tmp_path / "uses.ipynb"
    path.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}))
    left = nbagent("repair", "--no-modules", path.name, folder=tmp_path)
    assert (left.returncode, module.read_text()) == (1, old)
    shown = nbagent("repair", "--diff", path.name, folder=tmp_path)
    assert "+from io import StringIO" in shown.stdout
    assert module.read_text() == old
    done = nbagent("repair", path.name, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert module.read_text() == old.replace("sklearn.externals.six", "io").replace("np.float(", "float(")
    assert nbagent("repair", "--check", path.name, folder=tmp_path).returncode == 0
    assert nbagent("undo", module.name, folder=tmp_path).returncode == 0
    assert module.read_text() == old


def test_an_old_file_format_becomes_a_fix_that_is_shown(tmp_path: Path) -> None:
    cell = {"cell_type": "code", "collapsed": False, "input": ["1 + 1"], "language": "python", "metadata": {}}
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": [{"metadata": {}}]}
    old["worksheets"][0]["cells"] = [{**cell, "prompt_number": 1, "outputs": []}]  # type: ignore[index]
    (tmp_path / "old.ipynb").write_text(json.dumps(old))
    shown = nbagent("repair", "--diff", "old.ipynb", folder=tmp_path)
    assert "--- nbformat: 3\n+++ nbformat: 4\n" in shown.stdout
    done = nbagent("repair", "old.ipynb", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "repaired, 1 fix\n" in done.stdout
    assert "The file is now nbformat 4" in done.stdout
    assert json.loads((tmp_path / "old.ipynb").read_text())["nbformat"] == 4


def test_an_interpreter_or_a_kernel_that_is_not_there_is_wrong_usage(old: Path) -> None:
    for option in (("--python", "/nonexistent/python"), ("--kernel", "nope")):
        told = nbagent("repair", *option, old.name, folder=old.parent)
        assert told.returncode == 2
        assert "There is no" in told.stderr
