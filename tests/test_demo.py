"""The demo repairs the broken notebooks that are beside it, all of them and nothing else."""

from __future__ import annotations

import runpy
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "example-notebooks"
RUNNING = {"trials.ipynb"}
"""Notebooks that are to be opened, not repaired."""


def test_each_example_is_either_broken_and_in_the_demo_or_runs() -> None:
    demo = runpy.run_path(str(EXAMPLES / "demo.py"))
    assert {path.name for path in EXAMPLES.glob("*.ipynb")} == {*demo["BROKEN"], *RUNNING}
