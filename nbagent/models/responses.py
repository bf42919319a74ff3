"""OpenAI Responses: a stream of typed events becomes an answer.

History is built from `output_item.done`: gateways send the terminal event's `output` empty or in part. Items are keyed
by `output_index`, as ids change between added and done on llama.cpp and GitHub Copilot, and by order where a server
sends no index. Requests are written in `responses_request`.
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import JsonValue

from nbagent.core.model import (
    AssistantMessage,
    CallArriving,
    ModelAnswer,
    ModelProgress,
    Native,
    Reasoning,
    ReasoningArrived,
    Stop,
    TextArrived,
    ToolCall,
    Usage,
)
from nbagent.models.failures import Fault, from_error
from nbagent.models.fields import Json, arguments_of, count, healed, mapping, sequence, text
from nbagent.models.fold import AnswerItem, cut_off, distinct

_TERMINAL = {"response.completed", "response.incomplete", "response.failed", "response.cancelled", "response.done"}
_TEXT = {"response.output_text.delta", "response.refusal.delta"}
_REASONING = {"response.reasoning_text.delta", "response.reasoning_summary_text.delta"}


class ResponsesFold:
    """Collects the items of one answer."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._items: list[dict[str, JsonValue]] = []
        self._places: list[JsonValue] = []
        self._response: dict[str, JsonValue] = {}
        self._last = ""
        self._begun = ""

    @property
    def ended(self) -> bool:
        return bool(self._last)

    def done_marker(self) -> None:
        """OpenRouter sends it after the terminal event, which alone counts."""

    def add(self, event: Json, name: str = "") -> Iterable[ModelProgress]:
        kind = text(event.get("type")) or name
        if kind == "error" or (not text(event.get("type")) and event.get("error")):
            raise from_error(dict(event))
        if kind in ("response.failed", "response.cancelled"):
            raise from_error(dict(event))
        if kind == "response.created":
            self._restarted(text(mapping(event.get("response")).get("id")))
        elif kind in _TERMINAL:
            self._last = kind
            self._response = mapping(event.get("response"))
        elif kind == "response.output_item.done":
            self._items.append(mapping(healed(event.get("item"))))
            self._places.append(event.get("output_index"))
        return self._shown(kind, event)

    def answer(self) -> ModelAnswer:
        if not self._last:
            raise cut_off()
        status = text(self._response.get("status"))
        if status in ("failed", "cancelled"):
            raise from_error({"response": self._response})
        reason = text(mapping(self._response.get("incomplete_details")).get("reason"))
        cut = self._last == "response.incomplete" or status == "incomplete"
        sources = self._ordered() or [mapping(healed(item)) for item in sequence(self._response.get("output"))]
        items = distinct(self._item(item, cut=cut, last=n == len(sources)) for n, item in enumerate(sources, 1) if item)
        return ModelAnswer(
            items=items,
            stop=self._stop(items, cut=cut, reason=reason),
            usage=usage_of(mapping(self._response.get("usage"))),
            model=text(self._response.get("model")),
        )

    def _ordered(self) -> list[dict[str, JsonValue]]:
        """Return the items in the order of their places, where the server tells them, else as they came."""
        places = [place for place in self._places if isinstance(place, int)]
        if len(places) != len(self._items):
            return self._items
        return [self._items[n] for n in sorted(range(len(places)), key=places.__getitem__)]

    def _restarted(self, response: str) -> None:
        if self._begun and response != self._begun:
            raise Fault("broken", "The server began a second answer inside the first.")
        self._begun = response or "?"

    def _shown(self, kind: str, event: Json) -> Iterable[ModelProgress]:
        if kind in _TEXT:
            yield TextArrived(text=text(event.get("delta")))
        elif kind in _REASONING:
            yield ReasoningArrived(text=text(event.get("delta")))
        elif kind == "response.output_item.added":
            item = mapping(event.get("item"))
            if item.get("type") in ("function_call", "custom_tool_call"):
                yield CallArriving(name=text(item.get("name")))

    def _item(self, item: dict[str, JsonValue], *, cut: bool, last: bool) -> AnswerItem:
        native = Native(protocol="responses", provider=self._provider, item=item)
        match item.get("type"):
            case "message":
                parts = [mapping(part) for part in sequence(item.get("content"))]
                said = "".join(text(part.get("text")) or text(part.get("refusal")) for part in parts)
                return AssistantMessage(text=said, native=native)
            case "function_call":
                return self._call(item, native, cut=cut and last)
            case "custom_tool_call":
                call = text(item.get("call_id")) or text(item.get("id"))
                free = text(item.get("input"))
                reason = "This tool takes a JSON object, not free text."
                return ToolCall(id=call, name=text(item.get("name")), arguments=free, invalid=reason, native=native)
            case _:
                return Reasoning(text=reasoning_text(item), native=native)

    def _call(self, item: dict[str, JsonValue], native: Native, *, cut: bool) -> ToolCall:
        raw, invalid = arguments_of(text(item.get("arguments")), cut=cut or item.get("status") == "incomplete")
        return ToolCall(
            id=text(item.get("call_id")) or text(item.get("id")) or f"call_{len(self._items)}",
            name=text(item.get("name")),
            arguments=raw,
            invalid=invalid,
            native=None if invalid else native,
        )

    def _stop(self, items: tuple[AnswerItem, ...], *, cut: bool, reason: str) -> Stop:
        if cut:
            return "filtered" if reason == "content_filter" else "length"
        if any(isinstance(item, ToolCall) for item in items):
            return "tools"
        parts = [mapping(part) for item in self._items for part in sequence(item.get("content"))]
        return "refused" if any(part.get("type") == "refusal" for part in parts) else "done"


def reasoning_text(item: Json) -> str:
    """Return what a reasoning item shows: its content, else its summary."""
    if item.get("type") != "reasoning":
        return ""
    content = "".join(text(mapping(part).get("text")) for part in sequence(item.get("content")))
    return content or "\n\n".join(text(mapping(part).get("text")) for part in sequence(item.get("summary")))


def usage_of(usage: Json) -> Usage:
    """Read the counts; llama.cpp omits the details."""
    return Usage(
        input=count(usage.get("input_tokens")),
        cached=count(mapping(usage.get("input_tokens_details")).get("cached_tokens")),
        output=count(usage.get("output_tokens")),
        reasoning=count(mapping(usage.get("output_tokens_details")).get("reasoning_tokens")),
    )
