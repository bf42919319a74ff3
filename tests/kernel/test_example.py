"""The example notebook on trials runs as a notebook does, and shows what it says."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from nbagent.sandbox.probe import probe

NOTEBOOK = Path(__file__).parents[2] / "example-notebooks" / "trials.ipynb"


def test_the_notebook_on_trials_shows_what_it_says(tmp_path: Path) -> None:
    if probe().layers is None:
        pytest.skip("this machine cannot confine code")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=90, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = {cell.id: str([dict(output) for output in cell.outputs]) for cell in notebook.cells if "outputs" in cell}
    assert "by-shop.csv" in shown["clean"]
    assert "rebound" in shown["clean"]
    assert "(['shop', 'price', 'pieces'], False)" in shown["unchanged"]
    assert "Adopted by_shop, sales." in shown["adopt"]
    assert "south" in shown["adopted"]
    assert "it ran longer than 1 s" in shown["stopped"]
    assert "exit status 1" in shown["crash"]
    assert "network example.com" in shown["refused"]
    assert "(1960, True)" in shown["end"]
    assert list(tmp_path.iterdir()) == []
