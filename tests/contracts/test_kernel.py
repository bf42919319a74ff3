"""What `ports.Kernel` promises: accepted cells change the live variables, and trials start with those."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import pytest

from nbagent.core.outputs import Output, Result, StreamText
from nbagent.hosts.headless import BranchKernel
from nbagent.ports import Kernel, Sandbox
from nbagent.sandbox.access import Access, Limits
from nbagent.sandbox.branch import BaseSandbox
from nbagent.testing import NamespaceKernel


class Both(Kernel, Sandbox, Protocol):
    """A kernel and the sandbox whose branches start with its variables."""


@pytest.fixture(params=["namespace", "branches"])
async def kernel(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Both]:
    if request.param == "namespace":
        yield NamespaceKernel()
        return
    (tmp_path / "workspace").mkdir()
    access = Access(workspace=tmp_path / "workspace", scratch=tmp_path / "scratch", limits=Limits(wall_seconds=60))
    made = BranchKernel(BaseSandbox(Path(sys.executable), access, preload=False, watch=True))
    yield made
    await made.close()


async def value(kernel: Both, source: str) -> str:
    done = await kernel.run("asked", source)
    return "".join(str(o.data["text/plain"]) for o in done.outputs if isinstance(o, Result))


async def test_what_a_cell_made_is_there_for_the_next_and_is_described(kernel: Both) -> None:
    shown: list[Output] = []
    done = await kernel.run("a", "x = [1]\nprint('hello')", show=shown.append)
    assert done.status == "ok"
    assert "".join(o.text for o in shown if isinstance(o, StreamText)) == "hello\n"
    assert await value(kernel, "x") == "[1]"
    assert "list" in dict(await kernel.variables())["x"]


async def test_a_cell_that_raises_is_an_outcome_and_keeps_what_it_did_before(kernel: Both) -> None:
    done = await kernel.run("a", "x = 1\n1 / 0")
    assert (done.status, done.error and done.error.ename) == ("raised", "ZeroDivisionError")
    assert await value(kernel, "x") == "1"


async def test_a_trial_starts_with_the_live_variables_and_changes_none(kernel: Both) -> None:
    await kernel.run("a", "x = [1]")
    branch = await kernel.open()
    done = await branch.run("x.append(2); y = 3; x")
    assert [o.data["text/plain"] for o in done.outputs if isinstance(o, Result)] == ["[1, 2]"]
    await branch.close()
    assert await value(kernel, "x, 'y' in dir()") == "([1], False)"


async def test_cancelling_a_cell_ends_it(kernel: Both) -> None:
    await kernel.run("a", "import asyncio\nasync def forever():\n    await asyncio.Event().wait()")
    running = asyncio.create_task(kernel.run("b", "await forever()"))
    await asyncio.sleep(0)
    running.cancel()
    async with asyncio.timeout(20):
        await asyncio.wait((running,))
    assert running.cancelled()
