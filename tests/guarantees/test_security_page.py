"""Every promise on the security page names a test, and that test exists."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()


def _promises() -> list[str]:
    section = PAGE.split("## What is promised")[1].split("\n## ")[0]
    return [" ".join(item.split()) for item in re.split(r"^- ", section, flags=re.MULTILINE)[1:]]


def test_every_promise_is_tied_to_a_test_that_exists() -> None:
    tests = {
        name for file in (ROOT / "tests").rglob("test_*.py") for name in re.findall(r"def (test_\w+)", file.read_text())
    }
    promises = _promises()
    assert len(promises) > 10
    for promise in promises:
        named = re.findall(r"\[test: (\w+)\]", promise)
        assert named, f"no test is named by: {promise}"
        assert set(named) <= tests, f"a test is gone: {promise}"
