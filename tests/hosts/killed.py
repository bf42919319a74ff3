"""Works on a notebook as `nbagent run` does, and is killed when it is told of the n-th news of a kind.

An event is told right after it is on disk; output and text are told while code runs and while a model answers.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from pathlib import Path

from nbagent.core.events import Event, UserSpoke
from nbagent.hosts.agent import Wishes, work
from nbagent.hosts.headless import Nobody
from nbagent.models.catalog import ModelProfile
from nbagent.ports import Progress


class Doomed(Nobody):
    def __init__(self, kind: str, number: int) -> None:
        super().__init__()
        self._kind, self._left = kind, number

    def show(self, news: Event | Progress) -> None:
        self._left -= news.kind == self._kind
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def kill_when_written(notebook: Path) -> None:
    """Between an effect and its event: the file is another one, and nothing tells of it yet."""
    before = notebook.stat().st_ino
    while notebook.stat().st_ino == before:
        pass
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    path, url, kind, number = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
    if kind == "file written":
        threading.Thread(target=kill_when_written, args=(path,), daemon=True).start()
    profile = ModelProfile(base_url=url, protocol="chat", window=100_000)
    wishes = Wishes(notebook=path, model="mine/tiny", profiles={"mine": profile})
    asyncio.run(work(wishes, UserSpoke(text="Make a two."), Doomed(kind, number)))
