"""Repairing a notebook, with rules written for the test and a sandbox in the test's own process."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import ClassVar, Literal

import pytest

from nbagent.core.cells import Cell, DeleteCell, InsertCell, MoveCell, ReplaceSource, Snapshot
from nbagent.core.outputs import Raised
from nbagent.repair.report import News
from nbagent.repair.rule import Case, Fix, Rule
from nbagent.repair.work import Bench, Limits, check, repair
from tests.repair.standin import LocalSandbox, hang, notebook


def replacing(case: Case, cell: Cell, source: str) -> Fix:
    change = ReplaceSource(cell_id=cell.id, expects=cell.digest, source=source)
    return Fix(rule="T001", says="test", changes=(change,))


class Rename(Rule):
    """Replaces text that the test names, on the failing line or in the cell that a frame names."""

    code: ClassVar[str] = "T001"
    name: ClassVar[str] = "rename"

    def __init__(self, *pairs: tuple[str, str], confidence: Literal["sure", "likely"] = "sure") -> None:
        self.pairs = pairs
        self.confidence = confidence  # type: ignore[misc]

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        for old, new in self.pairs:
            for cell in (case.cell, *(case.notebook.cell(f.cell_id) for f in case.frames if f.cell_id)):
                if old in cell.source:
                    yield replacing(case, cell, cell.source.replace(old, new, 1))


class Propose(Rule):
    """Proposes what the test gives it, for every failure."""

    code: ClassVar[str] = "T002"
    name: ClassVar[str] = "propose"

    def __init__(self, *fixes: Fix) -> None:
        self.fixes = fixes

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        for fix in self.fixes:
            yield fix


class Asks(Rule):
    """Takes the name that the live object has."""

    code: ClassVar[str] = "T003"
    name: ClassVar[str] = "asks"

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        lost = re.search(r"no attribute '(\w+)'", case.evalue)
        names = await case.ask("[n for n in dir(thing) if n.startswith('new')]")
        if lost and isinstance(names, list):
            yield replacing(case, case.cell, case.cell.source.replace(lost[1], str(names[0])))


def bench(*rules: Rule, sandbox: LocalSandbox | None = None, prover: LocalSandbox | None = None) -> Bench:
    said: list[News] = []
    return Bench(sandbox or LocalSandbox(), prover or LocalSandbox(), rules, said.append)


def sources(after: Snapshot) -> list[str]:
    return [cell.source for cell in after.cells]


def states(result: object) -> dict[str, str]:
    return {cell.cell: cell.state for cell in result.report.cells}  # type: ignore[attr-defined]


async def test_a_clean_notebook_costs_one_run_and_that_run_is_the_proof() -> None:
    sandbox, prover = LocalSandbox(), LocalSandbox()
    result = await repair(notebook("x = 1", "x"), bench(sandbox=sandbox, prover=prover))
    assert (result.report.state, result.report.proof and result.report.proof.clean) == ("clean", True)
    assert (sandbox.ran, prover.ran) == ([], ["x = 1", "x"])


async def test_several_failures_of_one_cell_are_repaired_one_after_the_other() -> None:
    rule = Rename(("old1", "1"), ("old2", "2"), ("old3", "3"))
    result = await repair(notebook("a = old1\nb = old2", "c = old3", "a + b + c"), bench(rule))
    assert result.report.state == "repaired"
    assert sources(result.after) == ["a = 1\nb = 2", "c = 3", "a + b + c"]
    assert [fix.cell for fix in result.report.fixes] == ["a", "a", "b"]
    assert result.report.proof is not None
    assert result.report.proof.clean


async def test_a_candidate_is_tried_from_the_checkpoint_before_its_cell_not_from_the_top() -> None:
    sandbox = LocalSandbox()
    await repair(notebook("slow = 1", "y = 2", "wrong", "slow"), bench(Rename(("wrong", "y")), sandbox=sandbox))
    assert sandbox.resumed == [2]
    assert sandbox.ran.count("slow = 1") == 1


async def test_a_tainted_checkpoint_is_replaced_by_running_again_from_the_last_clean_one() -> None:
    sandbox = LocalSandbox(taint=lambda done: "threads" if len(done) == 2 else None)
    result = await repair(notebook("a = 1", "b = 2", "wrong"), bench(Rename(("wrong", "b")), sandbox=sandbox))
    assert result.report.state == "repaired"
    assert sandbox.resumed == [1]


async def test_a_failure_that_follows_from_a_broken_cell_is_not_a_root() -> None:
    result = await repair(notebook("import nowhere\nx = 1", "y = x", "y + 1", "2 + bad"), bench(Rename(("bad", "2"))))
    assert states(result) == {"a": "broken", "b": "follows", "c": "follows"}
    assert sources(result.after)[3] == "2 + 2"
    assert result.report.state == "partly repaired"
    cause = result.report.cells[0].cause
    assert cause is not None
    assert (cause.kind, result.report.cells[1].after) == ("missing package", 1)


async def test_fixes_that_let_a_cell_get_further_are_kept_when_its_end_needs_something_else() -> None:
    result = await repair(notebook("x = old\nopen('/nowhere/data.csv')", "x"), bench(Rename(("old", "1"))))
    assert sources(result.after)[0] == "x = 1\nopen('/nowhere/data.csv')"
    assert states(result) == {"a": "broken"}
    assert result.report.cells[0].partly


async def test_another_error_on_the_same_line_alone_is_not_kept() -> None:
    result = await repair(notebook("x = old"), bench(Rename(("old", "1 / 0"))))
    assert sources(result.after) == ["x = old"]
    assert (result.report.state, states(result)) == ("broken", {"a": "broken"})


async def test_a_fix_may_go_to_the_earlier_cell_that_the_traceback_names() -> None:
    given = notebook("def f(x):\n    return x.old", "v = 3", "f(v)")
    result = await repair(given, bench(Rename((".old", ".real"))))
    assert sources(result.after) == ["def f(x):\n    return x.real", "v = 3", "f(v)"]


async def test_a_fix_that_breaks_a_cell_above_is_not_taken() -> None:
    given = notebook("n = 1", "assert n == 1", "assert n == 2")
    change = ReplaceSource(cell_id="a", expects=given.cells[0].digest, source="n = 2")
    result = await repair(given, bench(Propose(Fix(rule="T002", says="x", changes=(change,)))))
    assert result.report.state == "broken"
    assert result.report.cells[0].tried[0].result == "breaks another cell"


async def test_a_definition_below_can_be_moved_above_its_use() -> None:
    given = notebook("f(1)", "def f(x):\n    return x", "f(2)")
    move = MoveCell(cell_id="b", expects=given.cells[1].digest, after=None)
    result = await repair(given, bench(Propose(Fix(rule="T002", says="x", changes=(move,)))))
    assert [cell.id for cell in result.after.cells] == ["b", "a", "c"]
    assert result.report.state == "repaired"


async def test_rules_ask_the_failed_process_and_leave_no_trace_in_it() -> None:
    setup = "class T:\n    newer = 1\nthing = T()"
    sandbox = LocalSandbox()
    result = await repair(notebook(setup, "thing.older"), bench(Asks(), sandbox=sandbox))
    assert sources(result.after)[1] == "thing.newer"


@pytest.mark.parametrize(
    "source",
    [
        "try:\n    wrong\nexcept Exception:\n    pass",
        "pass",
        "# wrong",
        "",
        "import sys\nsys.modules['wrong'] = 1",
        "if False:\n    wrong",
    ],
)
async def test_what_removes_a_cells_work_is_refused_before_it_is_tried(source: str) -> None:
    given = notebook("wrong")
    result = await repair(given, bench(Propose(replacing(None, given.cells[0], source))))  # type: ignore[arg-type]
    assert sources(result.after) == ["wrong"]
    assert all(tried.result.startswith("refused") for tried in result.report.cells[0].tried)


async def test_deleting_a_cell_or_adding_one_that_patches_is_refused() -> None:
    given = notebook("wrong")
    delete = Fix(rule="T", says="x", changes=(DeleteCell(cell_id="a", expects=given.cells[0].digest),))
    shim = Fix(rule="T", says="x", changes=(InsertCell(after=None, new_id="n", source="wrong = 1"),))
    result = await repair(given, bench(Propose(delete, shim)))
    assert (sources(result.after), result.report.state) == (["wrong"], "broken")


async def test_a_cell_marked_as_raising_is_left_alone() -> None:
    given = notebook(Cell(id="", kind="code", source="wrong", tags=("raises-exception",)))
    result = await repair(given, bench(Rename(("wrong", "1"))))
    assert (result.report.state, sources(result.after)) == ("clean", ["wrong"])


async def test_a_stored_error_is_meant_unless_a_fix_is_proved() -> None:
    stored = Cell(id="", kind="code", source="{}['old']", outputs=(Raised(ename="KeyError", evalue="'old'"),))
    meant = await repair(notebook(stored, "wrong"), bench(Rename(("wrong", "1"))))
    assert (meant.report.state, states(meant)) == ("repaired", {"a": "intended"})
    both = await repair(notebook(stored, "wrong"), bench(Rename(("wrong", "1"), ("{}['old']", "{'old': 1}['old']"))))
    assert [fix.stored for fix in both.report.fixes] == [True, False]


async def test_a_cell_that_crashes_or_hangs_is_passed_over() -> None:
    prover = LocalSandbox()
    given = notebook("x = wrong", "ends()", "hangs()", "x")
    result = await repair(given, bench(Rename(("wrong", "1")), prover=prover))
    assert states(result) == {"b": "broken", "c": "broken"}
    assert [cell.cause and cell.cause.kind for cell in result.report.cells] == ["crash", "time limit"]
    assert prover.ran[-2:] == ["x = 1", "x"]


async def test_a_failure_that_only_a_real_kernel_shows_is_repaired_too() -> None:
    sandbox = LocalSandbox(preloaded={"hidden": 1})
    result = await repair(
        notebook("wrong", "x = hidden"), bench(Rename(("wrong", "2"), ("hidden", "3")), sandbox=sandbox)
    )
    assert (result.report.state, sources(result.after)) == ("repaired", ["2", "x = 3"])


async def test_checkpoints_of_failed_candidates_are_freed() -> None:
    sandbox = LocalSandbox()
    wrong = [("wrong", f"worse{n}") for n in range(5)]
    await repair(notebook("a = 1", "wrong", "a"), bench(Rename(*wrong, ("wrong", "a")), sandbox=sandbox))
    assert sandbox.live == 3


async def test_fixes_cannot_go_round_in_circles() -> None:
    result = await repair(notebook("x = ping"), bench(Rename(("ping", "pong"), ("pong", "ping"))))
    assert result.report.state == "broken"


async def test_check_runs_every_cell_once_and_changes_nothing() -> None:
    prover = LocalSandbox()
    result = await check(notebook("wrong", "1", "worse"), bench(prover=prover))
    assert (states(result), len(prover.ran)) == ({"a": "broken", "c": "broken"}, 3)


async def test_without_time_nothing_runs_and_the_notebook_stays() -> None:
    sandbox, prover = LocalSandbox(), LocalSandbox()
    made = replace(bench(Rename(("old", "1")), sandbox=sandbox, prover=prover), limits=Limits(seconds=0.001))
    result = await repair(notebook("x = old"), made)
    assert (sandbox.ran, prover.ran) == ([], [])
    assert (result.report.time_limit, result.report.state, sources(result.after)) == (0.001, "broken", ["x = old"])
    assert states(result) == {"a": "not run"}


async def test_search_and_proof_share_one_time_limit() -> None:
    sandbox, prover = LocalSandbox({"slow": lambda: None}), LocalSandbox({"slow": hang})
    made = replace(bench(Rename(("old", "1")), sandbox=sandbox, prover=prover), limits=Limits(seconds=0.5))
    started = asyncio.get_running_loop().time()
    result = await repair(notebook("x = old", "slow()"), made)
    assert asyncio.get_running_loop().time() - started < 5
    assert prover.ran == ["x = old", "x = 1", "slow()"]
    assert (result.report.state, result.report.time_limit) == ("not proved", 0.5)
    assert "ended during the proof run" in (result.report.problem or "")
    assert sources(result.after) == ["x = old", "slow()"]


async def test_a_cell_that_takes_too_long_by_itself_is_not_the_notebooks_limit() -> None:
    made = replace(bench(), limits=Limits(seconds=60, cell_seconds=0.1))
    result = await repair(notebook("x = 1", "hangs()"), made)
    assert result.report.time_limit is None
    assert states(result)["b"] == "broken"
