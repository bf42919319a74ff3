"""What the folds of the three protocols share: they are fed one event's JSON after the other and then asked for the
answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from nbagent.core.model import AssistantMessage, ModelAnswer, ModelProgress, Reasoning, ToolCall
from nbagent.models.failures import Fault
from nbagent.models.fields import Json

AnswerItem = AssistantMessage | Reasoning | ToolCall


class Fold(Protocol):
    """Collects one streamed answer."""

    @property
    def ended(self) -> bool:
        """Whether the event that ends the answer has come: what follows is not read."""
        ...

    def add(self, event: Json, name: str = "") -> Iterable[ModelProgress]:
        """Take one event and return what to show. Raises `Fault` for an error that the server sends in the stream."""
        ...

    def done_marker(self) -> None:
        """Take the `[DONE]` that some servers send at the end."""
        ...

    def answer(self) -> ModelAnswer:
        """Return the whole answer. Raises `Fault` when the stream ended before the answer did."""
        ...


def cut_off() -> Fault:
    """The fault of a stream that ends early: nothing of it may be used."""
    return Fault("broken", "The stream ended before the answer was whole.")


def distinct(items: Iterable[AnswerItem]) -> tuple[AnswerItem, ...]:
    """Give each call of one answer an id of its own: some servers give all the same."""
    seen: set[str] = set()
    result: list[AnswerItem] = []
    for item in items:
        if isinstance(item, ToolCall):
            unique, number = item.id, 2
            while unique in seen:
                unique, number = f"{item.id}-{number}", number + 1
            seen.add(unique)
            if unique != item.id:
                item = item.model_copy(update={"id": unique, "native": None})
        result.append(item)
    return tuple(result)
