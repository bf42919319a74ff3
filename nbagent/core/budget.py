"""What a turn and a session may cost, and what they cost so far. Time is what the events say, as core has no clock."""

from __future__ import annotations

from pydantic import BaseModel

from nbagent.core.model import Usage


class Prices(BaseModel, frozen=True):
    """The user's prices for a million tokens, in one currency."""

    input: float = 0.0
    cached: float = 0.0
    output: float = 0.0

    def cost(self, usage: Usage) -> float:
        """Return what this usage costs."""
        fresh = usage.input - usage.cached
        return (fresh * self.input + usage.cached * self.cached + usage.output * self.output) / 1_000_000


class Budget(BaseModel, frozen=True):
    """Limits; None is no limit. `money` counts only where prices are given."""

    requests: int | None = None
    tokens: int | None = None
    seconds: float | None = None
    money: float | None = None


class Spent(BaseModel, frozen=True):
    """What was used: requests to the model, their tokens, and seconds of model and code."""

    requests: int = 0
    usage: Usage = Usage()
    seconds: float = 0.0

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            requests=self.requests + other.requests,
            usage=self.usage + other.usage,
            seconds=self.seconds + other.seconds,
        )


def reached(limit: Budget, spent: Spent, prices: Prices | None) -> str | None:
    """Return which limit is reached, in words, or None."""
    used = spent.usage.input + spent.usage.output
    if limit.requests is not None and spent.requests >= limit.requests:
        return f"{limit.requests} requests to the model"
    if limit.tokens is not None and used >= limit.tokens:
        return f"{limit.tokens} tokens"
    if limit.seconds is not None and spent.seconds >= limit.seconds:
        return f"{limit.seconds:g} seconds"
    if limit.money is not None and prices is not None and prices.cost(spent.usage) >= limit.money:
        return f"a cost of {limit.money:g}"
    return None


def seconds_left(limit: Budget, spent: Spent) -> float | None:
    """Return how many seconds of model and code are left, never less than none, or None without a limit."""
    return None if limit.seconds is None else max(0.0, limit.seconds - spent.seconds)
