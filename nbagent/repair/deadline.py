"""The one limit on the time for a notebook: first run, search, repair of modules and proof share it."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, replace

_SHORTEST = 0.01
"""Seconds that a cell gets which is started just before the end, and by which a timer may be early."""


@dataclass(frozen=True)
class Deadline:
    """at: when all must be done, on the event loop's clock; `seconds` is what was allowed from the start.

    cell_seconds: what one cell may take, while that much is left.
    """

    at: float = math.inf
    seconds: float = math.inf
    cell_seconds: float | None = None

    @classmethod
    def after(cls, seconds: float, cell_seconds: float | None = None) -> Deadline:
        """Return the deadline for work that begins now."""
        return cls(asyncio.get_running_loop().time() + seconds, seconds, cell_seconds)

    @property
    def passed(self) -> bool:
        """Whether nothing more may be begun."""
        return asyncio.get_running_loop().time() >= self.at - _SHORTEST

    def for_cell(self) -> float | None:
        """Return how long a cell that starts now may take."""
        left = self.at - asyncio.get_running_loop().time()
        most = left if self.cell_seconds is None else min(left, self.cell_seconds)
        return None if math.isinf(most) else max(most, _SHORTEST)

    def earlier(self, seconds: float) -> Deadline:
        """Return a deadline that leaves time for what comes afterwards."""
        return replace(self, at=self.at - seconds)
