"""The benchmarks run, in a small size: what they measure is for a person on a quiet machine."""

from __future__ import annotations

import pytest

from benchmarks import branch_ready, repair_retry
from benchmarks.__main__ import main
from nbagent.sandbox.probe import probe


@pytest.mark.skipif(probe().layers is None, reason="this machine cannot confine code")
def test_a_retry_and_a_branch_are_measured_against_kernels(capsys: pytest.CaptureFixture[str]) -> None:
    repair_retry.main(setup_seconds=0.01)
    branch_ready.main(rounds=1)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines[:3]] == [
        "from the checkpoint before the cell",
        "from the top, in a new branch",
        "from the top, in a fresh kernel",
    ]
    assert all(line.endswith("x") for line in lines)
    assert len(lines) == 7


def test_an_unknown_benchmark_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nothing"]) == 2
    assert "nothing" in capsys.readouterr().err
