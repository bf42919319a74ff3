"""A confined branch of the base process until it has run its first cell, against starting a plain kernel.

Both end with pandas imported: the base process has it loaded, a fresh kernel imports it.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measured import report
from benchmarks.repair_retry import by_kernel
from nbagent.sandbox.access import Access
from nbagent.sandbox.branch import BaseSandbox

ROUNDS = 10


async def branches(folder: Path, rounds: int) -> tuple[list[float], list[float]]:
    """Return the seconds until a branch is open, and until it has imported pandas too."""
    opened, ready = [], []
    sandbox = BaseSandbox(Path(sys.executable), Access(workspace=folder, scratch=folder.parent / "scratch"))
    try:
        await sandbox.start()
        for _ in range(rounds):
            begun = time.perf_counter()
            branch = await sandbox.open()
            opened.append(time.perf_counter() - begun)
            assert (await branch.run("import pandas as pd")).status == "ok"
            ready.append(time.perf_counter() - begun)
            await branch.close()
    finally:
        await sandbox.close()
    return opened, ready


def main(rounds: int = ROUNDS) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "notebooks"
        folder.mkdir()
        opened, ready = asyncio.run(branches(folder, rounds))
    kernels = [by_kernel("pass", "pass") for _ in range(rounds)]
    loaded = [by_kernel("import pandas as pd", "pass") for _ in range(rounds)]
    report({"a confined branch is open": opened, "a plain kernel has run a cell": kernels})
    report({"a confined branch has imported pandas": ready, "a plain kernel has imported pandas": loaded})


if __name__ == "__main__":
    main()
