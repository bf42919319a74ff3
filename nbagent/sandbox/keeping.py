"""Which checkpoints are worth their memory: the latest, the last faithful one, and those that slow cells led to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nbagent.sandbox.base import Pipes

LATEST = 8
SLOW_SECONDS = 1.0


@dataclass(eq=False)
class Kept:
    """A sleeping node. seconds: what the cells took since the checkpoint before it, so what losing it costs."""

    pipes: Pipes
    pid: int
    key: int
    seconds: float
    tainted: str | None = None
    dropped: bool = False


def surplus(kept: Sequence[Kept]) -> list[Kept]:
    """Return those to drop for their number; `kept` is in the order of last use, the latest last.

    Older than the latest eight stay: the last untainted one, and of those that slow cells led to one in each stretch
    of twice the age of the one before.
    """
    old = list(kept[:-LATEST])
    stay = {id(one) for one in _thinned(old)}
    if all(one.tainted for one in kept[-LATEST:]):
        stay |= {id(one) for one in [one for one in old if one.tainted is None][-1:]}
    return [one for one in old if id(one) not in stay]


def cheapest(held: Sequence[tuple[Kept, int]]) -> list[Kept]:
    """Return checkpoints in the order in which to drop them for their memory: least seconds saved for a byte first.

    held: with the bytes that each alone holds. The one used last is not among them, nor is the last untainted one.
    """
    safe = {id(one) for one, _ in held[-1:]}
    safe |= {id(one) for one in [one for one, _ in held if one.tainted is None][-1:]}
    ranked = sorted(held, key=lambda pair: pair[0].seconds / max(pair[1], 1))
    return [one for one, _ in ranked if id(one) not in safe]


def _thinned(old: Sequence[Kept]) -> Iterator[Kept]:
    stretch = 0
    for age, one in enumerate(reversed(old), LATEST):
        if one.seconds >= SLOW_SECONDS and age.bit_length() > stretch:
            stretch = age.bit_length()
            yield one
