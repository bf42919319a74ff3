"""Every rule has a code, a docstring for users, and examples that are repaired for real in restricted processes."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from nbagent.core.cells import Cell, Snapshot
from nbagent.repair.proof import Runner
from nbagent.repair.registry import all_rules
from nbagent.repair.rule import Example, Rule
from nbagent.repair.work import Bench, repair
from nbagent.sandbox.access import Access
from nbagent.sandbox.branch import BaseSandbox

RULES = all_rules()
EXAMPLES = [
    pytest.param(rule, example, id=f"{rule.code}-{number}")
    for rule in RULES
    for number, example in enumerate(rule.examples)
    if all(importlib.util.find_spec(name) for name in example.needs)
]


class BranchProver:
    """Stands in for a real kernel, which the tests of the command use: a fresh branch."""

    kernel = "python3"

    def __init__(self, sandbox: BaseSandbox) -> None:
        self._sandbox = sandbox

    async def open(self) -> Runner:
        return await self._sandbox.open()


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[BaseSandbox]:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    made = BaseSandbox(Path(sys.executable), Access(workspace=workspace, scratch=tmp_path / "scratch"), preload=False)
    yield made
    await made.close()


def test_codes_and_names_are_unique_and_every_rule_explains_itself() -> None:
    assert len({rule.code for rule in RULES}) == len({rule.name for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert len((type(rule).__doc__ or "").splitlines()[0]) > 30, rule.code


@pytest.mark.parametrize(("rule", "example"), EXAMPLES)
async def test_each_example_fails_and_its_rule_repairs_it(rule: Rule, example: Example, sandbox: BaseSandbox) -> None:
    cells = [Cell(id="setup", kind="code", source=example.setup)] if example.setup else []
    cells.append(Cell(id="cell", kind="code", source=example.before))
    notebook = Snapshot(path="example.ipynb", cells=tuple(cells))
    bench = Bench(sandbox=sandbox, prover=BranchProver(sandbox), rules=(rule,), tell=lambda _: None)
    done = await repair(notebook, bench)
    sources = [cell.source for cell in done.after.cells]
    assert "\n".join(sources[len(cells) - 1 :]) == example.after or example.after in "\n".join(sources)
    assert done.report.fixes, "the example did not fail"
    assert {fix.rule for fix in done.report.fixes} == {rule.code}
