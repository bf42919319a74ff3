"""Many trials in one kernel, with threads at work beside them: nothing is leaked, and the kernel is alive after each.

NBAGENT_SOAK=500 makes it as many as that.
"""

from __future__ import annotations

import os
from pathlib import Path

from .live import Kernel

TRIALS = int(os.environ.get("NBAGENT_SOAK", "24"))
CELLS = (
    "print(table.groupby('k').v.mean().sum())",
    "print(np.linalg.inv(matrix).sum())",
    "matrix[:] = 0; made = matrix + 1",
    "import scipy.linalg; print(scipy.linalg.lu(matrix)[1].sum())",
    "from sklearn.cluster import KMeans; print(KMeans(2, n_init=1).fit(matrix[:200, :4]).inertia_)",
    "import matplotlib.pyplot as plt; _ = plt.plot([1, 2])",
    "1 / 0",
    "import os; os._exit(3)",
    "import subprocess; subprocess.Popen(['sleep', '300'], start_new_session=True)",
    "open('left.bin', 'wb').write(bytes(1 << 20))",
    "print('x' * 100_000)",
    "kept = {'n': list(range(1000))}",
)
BESIDE = """
import threading, logging, importlib, json, time
stop = threading.Event()
def log():
    while not stop.wait(0.002):
        logging.getLogger('beside').debug('x' * 1000)
def imports():
    while not stop.wait(0.01):
        importlib.reload(json)
def blas():
    while not stop.wait(0.5):
        matrix @ matrix
for work in (log, imports, blas):
    threading.Thread(target=work, daemon=True).start()
"""
LOOK = (
    "min((time.sleep(0.01), len(os.listdir('/proc/self/fd')))[1] for _ in range(20)), "
    "len(psutil.Process().children(recursive=True)), "
    "psutil.Process().memory_info().rss >> 20, threading.active_count()"
)


def test_many_trials_leak_nothing_and_the_kernel_lives(kernel: Kernel, folder: Path) -> None:
    kernel.run(
        "import psutil\nmatrix = np.random.default_rng(0).random((300, 300))\n"
        "table = pd.DataFrame({'k': np.arange(10_000) % 7, 'v': np.arange(10_000.0)})" + BESIDE
    )
    for cell in CELLS:
        kernel.run("%%trial\n" + cell)
    before = [int(number) for number in kernel.value(LOOK).split()]
    refused: list[str] = []
    for number in range(TRIALS):
        reply = kernel.run("%%trial --timeout 60\n" + CELLS[number % len(CELLS)])
        refused += [why for name, why in reply.errors if name == "NotTried"]
        assert reply.displays or reply.errors
        assert kernel.value("matrix[0, 0] > 0, 'made' in dir()") == "True False"
    kernel.until("len(psutil.Process().children(recursive=True)) == 1")
    kernel.until("not any(thread.name == 'nbagent-reaper' for thread in threading.enumerate())")
    after = [int(number) for number in kernel.value(LOOK).split()]
    kernel.run("stop.set()")
    assert after[0] <= before[0]
    assert after[1] == before[1]
    assert after[2] - before[2] < 40  # MB; outputs and history of the cells themselves take some
    assert after[3] == before[3]
    assert len(refused) <= TRIALS // 4, refused
    assert not (folder / "left.bin").exists()
