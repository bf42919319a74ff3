"""A trial on a copy of the live kernel, against bringing the variables into a fresh kernel by cloudpickle or dill.

For 0, 1 and 4 GB of arrays, and 1 GB of Python objects: how long the user's kernel stands still for a fork, how long
until a confined branch is ready, and until it shows `df.describe()`; the same by each pickle through a file into a
fresh kernel (which is not confined), and by running the cell again that made the state. Run it on a quiet machine:

    python -m benchmarks.live_trials [GIGABYTES ...]
"""

from __future__ import annotations

import asyncio
import importlib.util
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from jupyter_client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

from nbagent.sandbox.access import Access
from nbagent.sandbox.live import LiveKernel, LiveSandbox

ROUNDS = 5
FRAME = "import numpy as np, pandas as pd\ndf = pd.DataFrame(np.random.default_rng(0).random((100_000, 10)))\n"
ARRAYS = "state = [np.random.default_rng(i).random(2**24) for i in range({count})]"
OBJECTS = "state = [{{'id': i, 'name': 'n%d' % i}} for i in range({count} * 500_000)]"
PICKLES = ("cloudpickle", "dill")


def timed(client: BlockingKernelClient, code: str) -> float:
    """Return the seconds that a cell takes, as its user sees it."""
    begun = time.perf_counter()
    reply = client.execute_interactive(code, timeout=600, output_hook=lambda message: None)
    assert reply["content"]["status"] == "ok", reply["content"]
    return time.perf_counter() - begun


async def forked(manager: KernelManager, folder: Path) -> tuple[float, float]:
    """Return the median seconds until a branch is ready, and until it has described the frame."""
    ready, shown = [], []
    async with LiveKernel(Path(manager.connection_file)) as kernel:
        await kernel.about()
        for number in range(ROUNDS):
            sandbox = LiveSandbox(kernel, Access(workspace=folder, scratch=folder.parent / f"scratch{number}"))
            begun = time.perf_counter()
            branch = await sandbox.open()
            ready.append(time.perf_counter() - begun)
            done = await branch.run("df.describe()")
            shown.append(time.perf_counter() - begun)
            assert done.status == "ok", done
            await sandbox.close()
    return statistics.median(ready), statistics.median(shown)


def pickled(client: BlockingKernelClient, library: str, file: Path) -> float:
    """Return the seconds until a fresh kernel that read the pickle has described the frame."""
    begun = time.perf_counter()
    timed(client, f"import {library}\nwith open({str(file)!r}, 'wb') as f: {library}.dump((df, state), f, protocol=5)")
    manager, other = start_new_kernel()
    try:
        timed(other, f"import {library}\nwith open({str(file)!r}, 'rb') as f: df, state = {library}.load(f)")
        timed(other, "df.describe()")
        return time.perf_counter() - begun
    finally:
        other.stop_channels()
        manager.shutdown_kernel(now=True)
        file.unlink()


def again(source: str) -> float:
    """Return the seconds until a fresh kernel that ran the cell again has described the frame."""
    begun = time.perf_counter()
    manager, other = start_new_kernel()
    try:
        timed(other, source)
        timed(other, "df.describe()")
        return time.perf_counter() - begun
    finally:
        other.stop_channels()
        manager.shutdown_kernel(now=True)


def stall(client: BlockingKernelClient) -> float:
    """Return the median seconds that `os.fork` takes in the kernel: for that long nothing else of it runs."""
    said: list[str] = []
    code = (
        "import os, statistics, time\ndef fork():\n    begun = time.perf_counter(); pid = os.fork()\n"
        "    if pid == 0: os._exit(0)\n    took = time.perf_counter() - begun; os.waitpid(pid, 0); return took\n"
        f"print(statistics.median(fork() for _ in range({ROUNDS})))"
    )
    client.execute_interactive(
        code, timeout=120, output_hook=lambda message: said.append(message["content"].get("text", ""))
    )
    return float("".join(said).split()[-1])


def measured(name: str, state: str, folder: Path) -> str:
    """Return one line of the table."""
    manager, client = start_new_kernel(cwd=str(folder))
    try:
        timed(client, FRAME + state)
        ready, shown = asyncio.run(forked(manager, folder))
        others = {
            library: pickled(client, library, folder.parent / "state")
            for library in PICKLES
            if importlib.util.find_spec(library) is not None
        }
        others["run again"] = again(FRAME + state)
        best = min(others, key=lambda key: others[key])
        told = ", ".join(f"{key} {seconds:.2f} s" for key, seconds in others.items())
        return (
            f"{name}: stall {stall(client) * 1000:.1f} ms, ready {ready * 1000:.0f} ms, "
            f"described {shown * 1000:.0f} ms; {told}; {others[best] / shown:.0f}x faster than {best}"
        )
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def main(sizes: Sequence[int] = (0, 1, 4)) -> None:
    """Print the table, for so many gigabytes of arrays."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "notebooks"
        folder.mkdir()
        for gigabytes in sizes:
            print(measured(f"{gigabytes} GB of arrays", ARRAYS.format(count=8 * gigabytes), folder), flush=True)
        print(measured("1.5 million dicts", OBJECTS.format(count=3), folder), flush=True)


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or (0, 1, 4))
