"""An interrupt of the kernel while a trial runs: noted, so that it ends the trial and tears nothing in the kernel."""

from __future__ import annotations

import signal
from typing import Any


class Interrupts:
    """While entered, an interrupt of the kernel is noted in `asked` and raises nothing; a third one is let through."""

    def __init__(self) -> None:
        self.asked = 0
        self._before: Any = None

    def __enter__(self) -> "Interrupts":
        self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _note(self, number: int, frame: Any) -> None:
        self.asked += 1
        if self.asked > 2 and callable(self._before):
            self._before(number, frame)
