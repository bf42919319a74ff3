"""Branches of a real base process: cells run as in a kernel, confined, from checkpoints of memory and files."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from nbagent.core.errors import SandboxError
from nbagent.core.outputs import Display, Result, StreamText
from nbagent.sandbox.access import Access, Limits
from nbagent.sandbox.branch import BaseSandbox, ProcessBranch
from nbagent.sandbox.processes import tree


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    (folder / "data.csv").write_text("a,b\n1,2\n")
    return folder


@pytest.fixture
async def sandbox(tmp_path: Path, workspace: Path) -> AsyncIterator[BaseSandbox]:
    limits = Limits(memory_mb=1024, output_mb=1, wall_seconds=60)
    access = Access(workspace=workspace, scratch=tmp_path / "scratch", limits=limits)
    made = BaseSandbox(Path(sys.executable), access, preload=False, watch=True)
    yield made
    await made.close()


@pytest.fixture
async def branch(sandbox: BaseSandbox) -> ProcessBranch:
    return await sandbox.open()


def text_of(outputs: tuple[object, ...]) -> str:
    return "".join(output.text for output in outputs if isinstance(output, StreamText))


async def test_a_cell_shows_what_a_kernel_would_show(branch: ProcessBranch) -> None:
    done = await branch.run("print('out')\n!echo shell\nfrom IPython.display import display\ndisplay('shown')\n6 * 7")
    assert done.status == "ok"
    assert done.execution_count == 1
    assert text_of(done.outputs).split() == ["out", "shell"]
    assert [o.data["text/plain"] for o in done.outputs if isinstance(o, Display | Result)] == ["'shown'", "42"]
    assert (await branch.run("_ + 1; import asyncio; await asyncio.sleep(0)\nIn[1][:5]")).status == "ok"


async def test_an_exception_and_a_missing_magic_are_raised(branch: ProcessBranch) -> None:
    done = await branch.run("1 / 0")
    assert (done.status, done.error and done.error.ename) == ("raised", "ZeroDivisionError")
    done = await branch.run("%no_such_magic")
    assert (done.status, done.error and done.error.ename) == ("raised", "UsageError")
    assert (await branch.run("input('?')")).status == "raised"


async def test_what_changed_is_told(branch: ProcessBranch) -> None:
    await branch.run("a = [1]")
    done = await branch.run("a.append(2); b = 3")
    assert done.state is not None
    assert [(c.name, c.change) for c in done.state.names] == [("a", "in place"), ("b", "new")]


async def test_a_checkpoint_brings_back_variables_and_files(branch: ProcessBranch, workspace: Path) -> None:
    await branch.run("x = 1; open('kept.txt', 'w').write('before')")
    checkpoint = await branch.checkpoint()
    await branch.run(
        "x = 2; open('kept.txt', 'w').write('spoilt'); open('new.txt', 'w').close()\n"
        "import os; os.remove('data.csv'); open('/tmp/left', 'w').close()"
    )
    again = await checkpoint.resume()
    done = await again.run(
        "import os\nx, open('kept.txt').read(), sorted(os.listdir('.')), os.path.exists('/tmp/left')"
    )
    (result,) = done.outputs
    assert isinstance(result, Result)
    assert result.data["text/plain"] == "(1, 'before', ['data.csv', 'kept.txt'], False)"
    assert sorted(os.listdir(workspace)) == ["data.csv"], "the user's own files are never touched"


async def test_a_killed_branch_leaves_its_checkpoint_alone_and_nothing_behind(branch: ProcessBranch) -> None:
    await branch.run("x = 5")
    checkpoint = await branch.checkpoint()
    hung = await checkpoint.resume()
    done = await hung.run(
        "import subprocess, time\nsubprocess.Popen(['sleep', '300'], start_new_session=True)\nwhile True: pass",
        timeout=1.0,
    )
    assert done.status == "timed_out"
    with pytest.raises(SandboxError):
        await hung.run("1")
    survivor = await checkpoint.resume()
    listed = await survivor.run(
        "import subprocess; print(subprocess.run(['ps', '-eo', 'args'], capture_output=True).stdout)"
    )
    assert "sleep 300" not in text_of(listed.outputs)
    assert (await survivor.run("x")).status == "ok"


@pytest.mark.parametrize("ending", ["import os; os._exit(0)", "import os; os.kill(os.getpid(), 9)", "exit()"])
async def test_a_process_that_ends_is_never_a_success(branch: ProcessBranch, ending: str) -> None:
    assert (await branch.run(ending)).status == "exited"


async def test_a_flood_of_output_is_cut_and_a_memory_bomb_is_stopped(branch: ProcessBranch) -> None:
    checkpoint = await branch.checkpoint()
    cut = await branch.run("print('x' * (3 << 20))")
    assert cut.status == "ok"
    assert text_of(cut.outputs).endswith("[nbagent: output was cut after 1 MB]\n")
    flood = await (await checkpoint.resume()).run("while True: print('x' * 100_000)")
    assert (flood.status, flood.detail) == ("limited", "it wrote far more output than is kept")
    bomb = await (await checkpoint.resume()).run(
        "import os\nfor _ in range(4):\n    if os.fork() == 0:\n        break\n"
        "hold = bytearray(os.urandom(1)) * (500 << 20)\nimport time; time.sleep(30)"
    )
    assert (bomb.status, bomb.detail) == ("limited", "it used more than 1024 MB of memory")


async def test_code_reaches_no_network_no_secret_and_no_other_file(branch: ProcessBranch, tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("private")
    for attempt in (
        "import socket; socket.create_connection(('127.0.0.1', 9), timeout=2)",
        f"open({str(outside)!r}).read()",
        "open('/etc/shadow').read()",
    ):
        assert (await branch.run(attempt)).status == "raised", attempt
    await branch.run(f"open({str(outside)!r}, 'w').write('spoilt')")  # /tmp is the branch's own
    assert outside.read_text() == "private"
    done = await branch.run("import os; sorted(k for k in os.environ if 'KEY' in k or 'TOKEN' in k)")
    assert [o.data["text/plain"] for o in done.outputs if isinstance(o, Result)] == ["[]"]


def ended(descriptors: list[int]) -> bool:
    """Wait until all of these processes have ended, at most ten seconds each."""
    return all(select.select([descriptor], [], [], 10)[0] for descriptor in descriptors)


async def test_closing_ends_every_process(sandbox: BaseSandbox) -> None:
    branch = await sandbox.open()
    await branch.checkpoint()
    process = sandbox._base._process
    assert process is not None
    processes = [os.pidfd_open(pid) for pid in tree(process.pid)]
    assert len(processes) > 3
    await sandbox.close()
    assert ended(processes)
