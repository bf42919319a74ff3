"""The fork happens when every other thread waits, and at no other moment."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from nbagent.inside.still import Unquiet, fork_when_still

np = pytest.importorskip("numpy", reason="needs the examples extra")


@contextmanager
def beside(work: object) -> Iterator[None]:
    started, stop = threading.Event(), threading.Event()
    thread = threading.Thread(target=work, args=(started, stop), name="background")
    thread.start()
    started.wait(30)
    try:
        yield
    finally:
        stop.set()
        thread.join(30)


def forked() -> int:
    """Fork a child that leaves at once; return its exit status."""
    pid = fork_when_still()
    if pid == 0:
        os._exit(5)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_process_at_rest_is_forked() -> None:
    assert forked() == 5


def test_waiting_threads_do_not_hinder() -> None:
    def wait(started: threading.Event, stop: threading.Event) -> None:
        started.set()
        stop.wait()

    with beside(wait):
        assert forked() == 5


def test_a_thread_that_multiplies_matrices_does() -> None:
    def multiply(started: threading.Event, stop: threading.Event) -> None:
        matrix = np.random.default_rng(0).random((1200, 1200))
        started.set()
        while not stop.is_set():
            matrix @ matrix

    with beside(multiply), pytest.raises(Unquiet, match="may be computing in native code"):
        forked()


def test_a_lock_that_the_fork_would_wait_for_does() -> None:
    def hold(started: threading.Event, stop: threading.Event) -> None:
        with logging._lock:  # type: ignore[attr-defined]  # what logging's own fork handler takes
            started.set()
            stop.wait()

    with beside(hold), pytest.raises(Unquiet, match="another thread is writing to a log"):
        forked()
    assert forked() == 5
