"""Skips are declared: with NBAGENT_STRICT_SKIPS=1 each is printed, and one that no declaration covers is a failure."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

_DECLARED = Path(__file__).parent / "declared_skips.toml"


class _Skips:
    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._note(report)

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            self.found.append((report.nodeid, reason))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        declared = [entry["reason"] for entry in tomllib.loads(_DECLARED.read_text()).get("skip", [])]
        for test, reason in self.found:
            known = any(text in reason for text in declared)
            print(f"\nskipped: {test}: {reason}" + ("" if known else "  [NOT DECLARED]"))
            if not known:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_configure(config: pytest.Config) -> None:
    """Watch skips where that is asked for."""
    if os.environ.get("NBAGENT_STRICT_SKIPS"):
        config.pluginmanager.register(_Skips(), "nbagent-skips")
