"""The guard that keeps a fork from endangering the user's kernel, against real threads."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from nbagent.inside.guard import busy_threads, reasons_not_to_fork

np = pytest.importorskip("numpy", reason="needs the examples extra")


Work = Callable[[threading.Event, threading.Event], None]


@contextmanager
def thread(work: Work) -> Iterator[None]:
    """A background thread that sets its first event when it is at work and ends when the second is set."""
    started, stop = threading.Event(), threading.Event()
    worker = threading.Thread(target=work, args=(started, stop), name="background")
    worker.start()
    started.wait(30)
    try:
        yield
    finally:
        stop.set()
        worker.join(30)


def multiply(started: threading.Event, stop: threading.Event) -> None:
    a = np.random.default_rng(0).random((1200, 1200))
    started.set()
    while not stop.is_set():
        a @ a


def wait_on_a_queue(started: threading.Event, stop: threading.Event) -> None:
    box: queue.Queue[int] = queue.Queue()
    started.set()
    while not stop.is_set():
        try:
            box.get(timeout=0.05)
        except queue.Empty:
            continue


def sleep(started: threading.Event, stop: threading.Event) -> None:
    started.set()
    while not stop.is_set():
        time.sleep(0.02)


def test_a_quiet_process_may_be_forked() -> None:
    assert reasons_not_to_fork() == []


def test_a_thread_in_openblas_is_always_seen() -> None:
    with thread(multiply):
        seen = [busy_threads() for _ in range(10)]
    assert all(seen), f"{seen.count([])} of 10 looks would have forked"
    assert "'background'" in " ".join(seen[0])


@pytest.mark.parametrize("work", [wait_on_a_queue, sleep])
def test_a_thread_that_waits_does_not_keep_from_forking(
    work: Callable[[threading.Event, threading.Event], None],
) -> None:
    with thread(work):
        assert busy_threads() == []


def test_only_the_main_thread_may_fork() -> None:
    found: list[str] = []
    worker = threading.Thread(target=lambda: found.extend(reasons_not_to_fork()))
    worker.start()
    worker.join()
    assert found == ["only the main thread may fork, and another one asked"]


def test_a_rust_pool_is_named() -> None:
    code = (
        "import threading, sys; from nbagent.inside.guard import reasons_not_to_fork\n"
        "stop = threading.Event(); ready = threading.Event()\n"
        "def work():\n"
        "    open('/proc/thread-self/comm', 'w').write('polars-3'); ready.set(); stop.wait()\n"
        "t = threading.Thread(target=work); t.start(); ready.wait()\n"
        "print(reasons_not_to_fork()); stop.set(); t.join()\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True).stdout
    assert answer.strip() == "['the thread pool of polars does not survive a fork']"
