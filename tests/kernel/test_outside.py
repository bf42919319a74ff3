"""A program outside asks a real kernel for branches: it needs no nbagent in it, and stays as it is."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from jupyter_client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

from nbagent.core.errors import SandboxError
from nbagent.core.outputs import Output, Result, StreamText
from nbagent.sandbox.access import Access, Limits
from nbagent.sandbox.live import KernelBusy, LiveKernel, LiveSandbox, NotForkable
from nbagent.sandbox.probe import probe

VARIABLES = "import os, numpy as np\nitems, big = [1], np.ones(20_000_000)"


class Outside:
    """A kernel without nbagent, and the folder of its notebook."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manager: KernelManager
        self.client: BlockingKernelClient
        self.manager, self.client = start_new_kernel(cwd=str(folder))
        self.run(VARIABLES)

    def run(self, code: str) -> str:
        """Return what a cell prints in the kernel itself."""
        said: list[str] = []
        self.client.execute_interactive(
            code, timeout=60, output_hook=lambda message: said.append(str(message["content"].get("text", "")))
        )
        return "".join(said).strip()


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    if probe().layers is None:
        pytest.skip("this machine cannot confine code")
    made = Outside(tmp_path_factory.mktemp("outside"))
    yield made
    made.client.stop_channels()
    made.manager.shutdown_kernel(now=True)


@pytest.fixture
async def kernel(outside: Outside) -> AsyncIterator[LiveKernel]:
    async with LiveKernel(Path(outside.manager.connection_file)) as reached:
        yield reached


@pytest.fixture
async def sandbox(kernel: LiveKernel, outside: Outside, tmp_path: Path) -> AsyncIterator[LiveSandbox]:
    limits = Limits(memory_mb=300, output_mb=1, wall_seconds=60)
    made = LiveSandbox(kernel, Access(workspace=outside.folder, scratch=tmp_path / "scratch", limits=limits))
    yield made
    await made.close()


def value(outputs: tuple[Output, ...]) -> str:
    return next(str(output.data["text/plain"]) for output in outputs if isinstance(output, Result))


async def test_several_pieces_run_in_one_branch_with_the_kernels_variables(
    sandbox: LiveSandbox, outside: Outside
) -> None:
    branch = await sandbox.open()
    shown: list[Output] = []
    first = await branch.run("items.append(2)\nprint('seen')\nmade = big[:3] * 2", show=shown.append)
    assert first.status == "ok"
    assert shown == [StreamText(name="stdout", text="seen\n")]
    assert first.state is not None
    assert {(change.name, change.change) for change in first.state.names} == {("items", "in place"), ("made", "new")}
    assert value((await branch.run("items, made.sum()")).outputs) == "([1, 2], np.float64(6.0))"
    assert outside.run("print(items, 'made' in dir(), 'nbagent' in __import__('sys').modules)") == "[1] False False"


async def test_alternatives_run_side_by_side_and_a_branch_is_branched_again(sandbox: LiveSandbox) -> None:
    branch = await sandbox.open()
    await branch.run("items.append(2); open('left.txt', 'w').write('from the trunk')")
    checkpoint = await branch.checkpoint()
    assert checkpoint.tainted is None
    again = await checkpoint.resume()
    assert value((await again.run("items.append(3); items, open('left.txt').read()")).outputs) == (
        "([1, 2, 3], 'from the trunk')"
    )
    others = [await sandbox.open() for _ in range(2)]
    rendezvous = "import time; begun = time.monotonic(); time.sleep(0.5); begun, time.monotonic()"
    done = await asyncio.gather(*(other.run(rendezvous) for other in others))
    (first_begun, first_ended), (second_begun, second_ended) = (eval(value(each.outputs)) for each in done)
    assert max(first_begun, second_begun) < min(first_ended, second_ended)
    assert value((await others[0].run("items, os.path.exists('left.txt')")).outputs) == "([1], False)"


async def test_memory_that_is_the_kernels_own_is_not_counted_and_the_branchs_is(sandbox: LiveSandbox) -> None:
    branch = await sandbox.open()
    assert (await branch.run("more = np.ones(12_000_000); import time; time.sleep(0.5)")).status == "ok"
    large = await branch.run("big[:] = 2; even_more = np.ones(20_000_000); time.sleep(30)")
    assert (large.status, large.detail) == ("limited", "it used more than 300 MB of memory")


async def test_cancelling_ends_the_branch_and_closing_leaves_no_process(sandbox: LiveSandbox, outside: Outside) -> None:
    branch = await sandbox.open()
    running = asyncio.create_task(branch.run("print('begun')\nwhile True: pass", show=lambda _: running.cancel()))
    with pytest.raises(asyncio.CancelledError):
        await running
    with pytest.raises(SandboxError):
        await branch.run("1")
    await sandbox.close()
    look = "import psutil; print(psutil.Process().children(recursive=True))"
    end = time.monotonic() + 20
    while (left := await asyncio.to_thread(outside.run, look)) != "[]":
        assert time.monotonic() < end, left


async def test_a_busy_kernel_says_so_at_once_and_is_asked_again_between_cells(
    sandbox: LiveSandbox, kernel: LiveKernel, outside: Outside
) -> None:
    assert (await kernel.about()).busy is False
    wait = (
        "import pathlib, time, asyncio\npathlib.Path('begun').touch()\n"
        "while not pathlib.Path('go').exists(): {}\npathlib.Path('go').unlink(); pathlib.Path('begun').unlink()"
    )
    for pause in ("time.sleep(0.02)", "await asyncio.sleep(0.02)"):  # one that awaits lets the event loop run
        cell = asyncio.create_task(asyncio.to_thread(outside.run, wait.format(pause)))
        while not (outside.folder / "begun").exists():  # noqa: ASYNC110  # what says so is another process
            await asyncio.sleep(0.01)
        began = time.monotonic()
        with pytest.raises(KernelBusy):
            await sandbox.open()
        assert time.monotonic() - began < 1.0
        with pytest.raises(KernelBusy):
            await kernel.fork({})
        (outside.folder / "go").touch()
        await cell
    assert value((await (await sandbox.open()).run("items")).outputs) == "[1]"


async def test_a_kernel_that_must_not_be_forked_gives_the_reason(sandbox: LiveSandbox, outside: Outside) -> None:
    outside.run(
        "import threading\nstop = threading.Event(); matrix = np.random.default_rng(0).random((1500, 1500))\n"
        "def work():\n    while not stop.is_set(): matrix @ matrix\n"
        "worker = threading.Thread(target=work, name='busy'); worker.start()"
    )
    try:
        with pytest.raises(NotForkable, match="the thread 'busy' may be computing in native code"):
            await sandbox.open()
    finally:
        outside.run("stop.set(); worker.join()")
    assert (await (await sandbox.open()).run("1")).status == "ok"


async def test_the_branch_reaches_neither_network_nor_the_kernel(sandbox: LiveSandbox, outside: Outside) -> None:
    branch = await sandbox.open()
    port, pid = outside.client.shell_port, outside.run("print(os.getpid())")
    done = await branch.run(
        "import socket\n"
        f"try:\n    socket.create_connection(('127.0.0.1', {port}), 2)\n"
        "except OSError:\n    print('refused')\n"
        f"print(os.path.exists('/proc/{pid}/mem'))\n"
        f"try:\n    open({str(outside.manager.connection_file)!r})\nexcept OSError:\n    print('hidden')"
    )
    text = "".join(output.text for output in done.outputs if isinstance(output, StreamText))
    assert text == "refused\nFalse\nhidden\n"


def test_another_interpreter_is_served_where_one_is_named(tmp_path: Path) -> None:
    """NBAGENT_OTHER_PYTHON names interpreters with ipykernel and NumPy but without nbagent, separated by colons."""
    named = [path for path in os.environ.get("NBAGENT_OTHER_PYTHON", "").split(":") if path]
    if not named:
        pytest.skip("no other interpreter is named in NBAGENT_OTHER_PYTHON")
    for python in named:
        assert python != sys.executable
        asyncio.run(_served(python, tmp_path))


async def _served(python: str, folder: Path) -> None:
    manager = KernelManager()
    assert manager.kernel_spec is not None
    manager.kernel_spec.argv = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    manager.start_kernel(cwd=str(folder), env=environment)
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        client.execute_interactive(VARIABLES, timeout=60)
        async with LiveKernel(Path(manager.connection_file)) as kernel:
            sandbox = LiveSandbox(kernel, Access(workspace=folder, scratch=folder / "scratch"))
            branch = await sandbox.open()
            done = await branch.run("items.append(int(big[:3].sum())); items")
            assert value(done.outputs) == "[1, 3]"
            assert value((await branch.run("await __import__('asyncio').sleep(0, items)")).outputs) == "[1, 3]"
            await sandbox.close()
        reply = client.execute_interactive("assert items == [1]", timeout=60)
        assert reply["content"]["status"] == "ok"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
