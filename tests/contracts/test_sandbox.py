"""What `ports.Sandbox` promises of branches and checkpoints: outcomes are values, and each is a world of its own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from jupyter_client.manager import start_new_kernel

from nbagent.core.errors import SandboxError
from nbagent.core.outputs import Output, Result, StreamText
from nbagent.ports import Branch, Sandbox
from nbagent.sandbox.access import Access, Limits
from nbagent.sandbox.branch import BaseSandbox
from nbagent.sandbox.live import LiveKernel, LiveSandbox
from nbagent.testing import NamespaceKernel


@pytest.fixture(params=["namespace", "base process", "live kernel"])
async def sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Sandbox]:
    if request.param == "namespace":
        yield NamespaceKernel()
        return
    (tmp_path / "workspace").mkdir()
    access = Access(workspace=tmp_path / "workspace", scratch=tmp_path / "scratch", limits=Limits(wall_seconds=60))
    if request.param == "live kernel":
        manager, client = await asyncio.to_thread(start_new_kernel, cwd=str(tmp_path / "workspace"))
        try:
            async with LiveKernel(Path(manager.connection_file)) as kernel:
                live = LiveSandbox(kernel, access)
                yield live
                await live.close()
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
        return
    made = BaseSandbox(Path(sys.executable), access, preload=False)
    yield made
    await made.close()


async def value(branch: Branch, source: str) -> str:
    done = await branch.run(source)
    assert done.status == "ok", done
    return "".join(str(o.data["text/plain"]) for o in done.outputs if isinstance(o, Result))


async def test_outputs_are_shown_as_they_come_and_returned(sandbox: Sandbox) -> None:
    shown: list[Output] = []
    branch = await sandbox.open()
    done = await branch.run("print('hello')\n6 * 7", show=shown.append)
    for outputs in (shown, done.outputs):
        assert "".join(o.text for o in outputs if isinstance(o, StreamText)) == "hello\n"
        assert [o.data["text/plain"] for o in outputs if isinstance(o, Result)] == ["42"]
    assert (done.status, done.execution_count) == ("ok", 1)


async def test_an_exception_is_an_outcome_and_the_branch_goes_on(sandbox: Sandbox) -> None:
    branch = await sandbox.open()
    done = await branch.run("x = 1\n1 / 0")
    assert done.status == "raised"
    assert done.error is not None
    assert done.error.ename == "ZeroDivisionError"
    assert (await branch.run("raise SystemExit")).status == "raised"
    assert await value(branch, "x") == "1"


async def test_code_that_exits_or_hangs_is_an_outcome_and_ends_the_branch(sandbox: Sandbox) -> None:
    for source, limit, status in (("os._exit(0)", None, "exited"), ("await forever()", 0.5, "timed_out")):
        branch = await sandbox.open()
        await branch.run("import asyncio, os\nasync def forever():\n    await asyncio.Event().wait()")
        assert (await branch.run(source, timeout=limit)).status == status
        with pytest.raises(SandboxError):
            await branch.run("1")


async def test_a_cancelled_run_ends_its_branch_alone(sandbox: Sandbox) -> None:
    branch, other = await sandbox.open(), await sandbox.open()
    started = asyncio.Event()
    await branch.run("import asyncio, os\nasync def forever():\n    await asyncio.Event().wait()")
    running = asyncio.create_task(branch.run("await forever()", show=lambda _: started.set()))
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait((running,))
    assert running.cancelled()
    with pytest.raises(SandboxError):
        await branch.run("1")
    assert await value(other, "1 + 1") == "2"


async def test_branches_share_no_variables(sandbox: Sandbox) -> None:
    one, two = await sandbox.open(), await sandbox.open()
    await one.run("x = [1]")
    assert (await two.run("x")).status == "raised"


async def test_each_resumed_branch_starts_where_the_checkpoint_was(sandbox: Sandbox) -> None:
    trunk = await sandbox.open()
    await trunk.run("x = [1]")
    checkpoint = await trunk.checkpoint()
    assert await value(trunk, "x.append(2); x") == "[1, 2]"
    for _ in range(2):
        branch = await checkpoint.resume()
        assert await value(branch, "x.append(3); x") == "[1, 3]"
        await branch.close()
    await checkpoint.drop()
    await checkpoint.drop()
    with pytest.raises(SandboxError):
        await checkpoint.resume()


async def test_a_branch_may_be_closed_twice_and_runs_no_more(sandbox: Sandbox) -> None:
    branch = await sandbox.open()
    await branch.close()
    await branch.close()
    with pytest.raises(SandboxError):
        await branch.run("1")
