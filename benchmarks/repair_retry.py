"""A candidate fix tried from the checkpoint before the failed cell, against running the notebook again from the top.

The notebook's set-up takes five seconds. Again from the top is measured in the same base process, where the usual
libraries are imported already, and in a fresh kernel, which is what `nbconvert --execute` would do.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from jupyter_client.manager import start_new_kernel

from benchmarks.measured import report
from nbagent.sandbox.access import Access
from nbagent.sandbox.branch import BaseSandbox

SETUP_SECONDS = 5.0
SETUP = "import time, pandas as pd\ntime.sleep({seconds})\nframe = pd.DataFrame({{'a': range(100_000)}})"
CANDIDATES = tuple(f"frame.a.sum() + {number}" for number in range(5))


async def by_branches(folder: Path, setup: str) -> tuple[list[float], list[float]]:
    """Return the seconds per candidate from the checkpoint, and from the top."""
    checkpointed, again = [], []
    sandbox = BaseSandbox(Path(sys.executable), Access(workspace=folder, scratch=folder.parent / "scratch"))
    try:
        await sandbox.start()
        branch = await sandbox.open()
        assert (await branch.run(setup)).status == "ok"
        checkpoint = await branch.checkpoint()
        for source in CANDIDATES:
            begun = time.perf_counter()
            tried = await checkpoint.resume()
            assert (await tried.run(source)).status == "ok"
            await tried.close()
            checkpointed.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            other = await sandbox.open()
            assert (await other.run(setup)).status == "ok"
            assert (await other.run(source)).status == "ok"
            await other.close()
            again.append(time.perf_counter() - begun)
    finally:
        await sandbox.close()
    return checkpointed, again


def by_kernel(setup: str, source: str) -> float:
    """Return the seconds that one candidate takes in a fresh kernel."""
    begun = time.perf_counter()
    manager, client = start_new_kernel(stderr=subprocess.DEVNULL)
    try:
        for code in (setup, source):
            reply = client.execute_interactive(code, timeout=60, output_hook=lambda message: None)
            assert reply["content"]["status"] == "ok", reply["content"]
        return time.perf_counter() - begun
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def main(setup_seconds: float = SETUP_SECONDS) -> None:
    """Measure and print."""
    setup = SETUP.format(seconds=setup_seconds)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "notebooks"
        folder.mkdir()
        checkpointed, again = asyncio.run(by_branches(folder, setup))
    kernels = [by_kernel(setup, source) for source in CANDIDATES]
    report(
        {
            "from the checkpoint before the cell": checkpointed,
            "from the top, in a new branch": again,
            "from the top, in a fresh kernel": kernels,
        }
    )


if __name__ == "__main__":
    main()
