"""When to ask again, and after how long. Pure: the clock and the dice are the caller's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from nbagent.models.failures import Fault


@dataclass(frozen=True, slots=True)
class Patience:
    """How often to ask again, how long to wait for it, and how long a server may be silent. Times are in seconds.

    Before the first event a slow local model reads its prompt, so it is given longer; xAI recommends 900 s and more.
    `bytes_idle` ends a dead connection, `events_idle` one that only sends pings.
    """

    tries: int = 4
    first_wait: float = 0.5
    longest_wait: float = 8.0
    longest_asked: float = 60.0
    connect: float = 10.0
    first_event: float = 900.0
    bytes_idle: float = 300.0
    events_idle: float = 300.0


def wait_before(attempt: int, fault: Fault, patience: Patience, dice: float) -> float | None:
    """Return the seconds to wait before asking again, or None to give up.

    attempt: how many tries have failed; dice: a number from 0 to 1, so that many clients do not come back at once.
    A server that asks for more than `longest_asked` is believed: the user is told instead of made to wait.
    """
    if not fault.retried or attempt >= patience.tries:
        return None
    if fault.wait is not None and fault.wait > 0:
        return None if fault.wait > patience.longest_asked else fault.wait * (1 + 0.1 * dice)
    steps = min(patience.longest_wait, patience.first_wait * 2 ** (attempt - 1))
    return float(steps * (0.75 + 0.5 * dice))


def asked_wait(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return how long the server's headers ask to wait; zero counts as not asked (Azure sends `retry-after-ms: 0`)."""
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds:
        return milliseconds / 1000
    value = headers.get("retry-after", "").strip()
    if seconds := _number(value):
        return seconds
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - now).total_seconds()) or None


def asked_again(headers: Mapping[str, str]) -> bool | None:
    """Return what `x-should-retry` says, if it is there."""
    return {"true": True, "false": False}.get(headers.get("x-should-retry", "").lower())


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if 0 < number < 1e9 else None
