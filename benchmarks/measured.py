"""How a measurement is kept and printed: medians with their spread, and ratios of medians taken in turns."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence


def report(seconds: Mapping[str, Sequence[float]]) -> None:
    """Print each way's median, least and most, and how many times as long as the first way it takes."""
    ours = statistics.median(next(iter(seconds.values())))
    for name, taken in seconds.items():
        middle = statistics.median(taken)
        spread = f"{min(taken):.3f} to {max(taken):.3f} s, {len(taken)} times"
        print(f"{name:<48} {middle:8.3f} s  ({spread})  {middle / ours:6.1f}x")
