"""Real kernels under lock-down, of a kernelspec or of an interpreter."""

from __future__ import annotations

import json
import sys
import venv
from pathlib import Path

import pytest

from nbagent.core.errors import SandboxError
from nbagent.sandbox.access import Access, Layers, Limits
from nbagent.sandbox.kernel import RestrictedKernel
from nbagent.sandbox.kernelspec import NoSuchKernelspec, find_kernel
from nbagent.sandbox.probe import attempt, probe

PYTHON = Path(sys.executable)


def access(folder: Path, limits: Limits = Limits()) -> Access:  # noqa: B008 (frozen)
    (folder / "ws").mkdir(exist_ok=True)
    return Access(workspace=folder / "ws", scratch=folder / "scratch", limits=limits)


async def test_cells_run_in_a_real_kernel_and_errors_are_seen_in_reply_or_output(tmp_path: Path) -> None:
    async with RestrictedKernel(find_kernel(PYTHON), access(tmp_path)) as kernel:
        assert (await kernel.run("x = 20; x + 1")).outputs[0].model_dump()["data"] == {"text/plain": "21"}
        failed = await kernel.run("class A:\n    def _repr_html_(self): raise ValueError('bad')\nA()")
        missing = await kernel.run("%nomagic")
        exited = await kernel.run("import os; os._exit(0)")
    assert (failed.status, failed.error and failed.error.ename) == ("raised", "ValueError")
    assert (missing.status, missing.error and missing.error.ename) == ("raised", "UsageError")
    assert exited.status == "exited"


async def test_files_of_a_kernel_are_thrown_away_and_secrets_closed(tmp_path: Path) -> None:
    layers = probe().layers
    if layers is None or not layers.namespaces:
        pytest.skip("without namespaces the workspace is read-only")
    rules = access(tmp_path)
    (tmp_path / "ws" / ".env").write_text("TOKEN=honey")
    async with RestrictedKernel(find_kernel(PYTHON), rules) as kernel:
        wrote = await kernel.run("open('out.txt', 'w').write('x'); open('out.txt').read()")
        read = await kernel.run("open('.env').read()")
    assert wrote.status == "ok"
    assert read.error is not None
    assert read.error.ename == "PermissionError"
    assert sorted(path.name for path in (tmp_path / "ws").iterdir()) == [".env"]


async def test_time_and_output_are_bounded_and_end_the_kernel(tmp_path: Path) -> None:
    rules = access(tmp_path, Limits(output_mb=1))
    async with RestrictedKernel(find_kernel(PYTHON), rules) as kernel:
        assert (await kernel.run("import time; time.sleep(60)", timeout=0.5)).status == "timed_out"
        with pytest.raises(SandboxError):
            await kernel.run("1")
    async with RestrictedKernel(find_kernel(PYTHON), rules) as kernel:
        flood = await kernel.run("print('x' * (3 << 20))")
    assert flood.status == "limited"


async def test_a_kernel_starts_without_namespaces(tmp_path: Path) -> None:
    best = probe().layers
    layers = Layers(namespaces=False, pid=False, landlock=best.landlock if best else 0)
    if attempt(layers) is not None:
        pytest.skip("this machine has no Landlock")
    async with RestrictedKernel(find_kernel(PYTHON), access(tmp_path), layers=layers) as kernel:
        done = await kernel.run("import socket\nsocket.socket()")
    assert done.error is not None
    assert done.error.ename == "PermissionError"


def test_an_unknown_kernel_is_refused_with_what_exists() -> None:
    with pytest.raises(NoSuchKernelspec, match="no kernel 'nope' here"):
        find_kernel("nope")


def test_an_interpreter_without_ipykernel_says_how_to_install_it(tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", symlinks=True, with_pip=False)
    with pytest.raises(SandboxError, match="-m pip install ipykernel"):
        find_kernel(tmp_path / "bare" / "bin" / "python")


async def test_a_kernel_that_is_not_ours_runs_wrapped_and_confined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = probe().layers
    if layers is None or not layers.namespaces:
        pytest.skip("a kernel that makes its own sockets needs namespaces")
    start = "from ipykernel.kernelapp import launch_new_instance; launch_new_instance()"
    folder = tmp_path / "jupyter" / "kernels" / "foreign"
    folder.mkdir(parents=True)
    argv = [sys.executable, "-c", start, "-f", "{connection_file}"]
    (folder / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "Foreign", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    spec = find_kernel("foreign")
    rules = access(tmp_path)
    (tmp_path / "ws" / ".env").write_text("TOKEN=honey")
    async with RestrictedKernel(spec, rules) as kernel:
        read = await kernel.run("open('.env').read()")
    assert spec.interpreter is None
    assert read.error is not None
    assert read.error.ename == "PermissionError"
