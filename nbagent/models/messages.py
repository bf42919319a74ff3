"""Anthropic Messages: a stream of blocks becomes an answer.

Blocks are keyed by their index, as llama.cpp interleaves them. Requests are written in `messages_request`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

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
from nbagent.models.fields import Json, arguments_of, count, healed, mapping, sequence, text, whole
from nbagent.models.fold import AnswerItem, cut_off, distinct

_STOP: dict[str, Stop] = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "paused",
    "compaction": "paused",
    "refusal": "refused",
}
_GROWING = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}


@dataclass(slots=True)
class _Block:
    start: dict[str, JsonValue]
    grown: dict[str, list[str]] = field(default_factory=dict)
    partial: list[str] = field(default_factory=list)
    citations: list[JsonValue] = field(default_factory=list)

    def whole(self) -> dict[str, JsonValue]:
        """Return the block as it would have come without streaming."""
        block = dict(self.start)
        for key, pieces in self.grown.items():
            block[key] = whole(text(block.get(key)) + "".join(pieces))
        if self.citations:
            block["citations"] = [*sequence(block.get("citations")), *self.citations]
        return mapping(healed(block))


class MessagesFold:
    """Collects the blocks of one answer."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._blocks: dict[int, _Block] = {}
        self._usage: dict[str, JsonValue] = {}
        self._model = self._reason = ""
        self._begun = self._stopped = False

    @property
    def ended(self) -> bool:
        return self._stopped

    def done_marker(self) -> None:
        """Some gateways send it after the message's own end, which alone counts."""

    def add(self, event: Json, name: str = "") -> Iterable[ModelProgress]:
        kind = text(event.get("type")) or ("error" if event.get("error") else name)
        match kind:
            case "error":
                raise from_error(dict(event))
            case "message_start":
                if self._begun:
                    raise Fault("broken", "The server began a second answer inside the first.")
                self._begun = True
                message = mapping(event.get("message"))
                self._model = text(message.get("model"))
                self._usage |= mapping(message.get("usage"))
            case "content_block_start":
                return self._started(event)
            case "content_block_delta":
                return self._grown(count(event.get("index")), mapping(event.get("delta")))
            case "message_delta":
                self._reason = text(mapping(event.get("delta")).get("stop_reason")) or self._reason
                given = mapping(event.get("usage"))
                self._usage |= {key: value for key, value in given.items() if value is not None}
            case "message_stop":
                self._stopped = True
        return ()

    def answer(self) -> ModelAnswer:
        if not self._stopped:
            raise cut_off()
        cut = _STOP.get(self._reason) == "length"
        last = max(self._blocks, default=0)
        items = distinct(self._item(block, cut=cut and n == last) for n, block in sorted(self._blocks.items()))
        stop = _STOP.get(self._reason)
        if stop is None:
            stop = "tools" if any(isinstance(item, ToolCall) for item in items) else "done"
        return ModelAnswer(items=items, stop=stop, usage=usage_of(self._usage), model=self._model)

    def _started(self, event: Json) -> Iterable[ModelProgress]:
        index = count(event.get("index"))
        if index in self._blocks:
            raise Fault("broken", "The server began a second answer inside the first.")
        block = mapping(event.get("content_block"))
        self._blocks[index] = _Block(block)
        if block.get("type") == "tool_use":
            return (CallArriving(name=text(block.get("name"))),)
        return (TextArrived(text=text(block["text"])),) if text(block.get("text")) else ()

    def _grown(self, index: int, delta: Json) -> Iterable[ModelProgress]:
        if index not in self._blocks:
            raise Fault("broken", "The server went on with a part of the answer that it had not begun.")
        block, kind = self._blocks[index], text(delta.get("type"))
        if key := _GROWING.get(kind):
            piece = text(delta.get(key))
            block.grown.setdefault(key, []).append(piece)
            if key == "text":
                return (TextArrived(text=piece),)
            return (ReasoningArrived(text=piece),) if key == "thinking" else ()
        if kind == "input_json_delta":
            block.partial.append(text(delta.get("partial_json")))
        elif kind == "citations_delta":
            block.citations.append(delta.get("citation"))
        elif kind == "compaction_delta":
            block.start |= {key: value for key, value in delta.items() if key != "type"}
        return ()

    def _item(self, block: _Block, *, cut: bool) -> AnswerItem:
        item, raw = block.whole(), whole("".join(block.partial))
        kind = item.get("type")
        if kind == "tool_use":
            return self._call(item, raw, cut=cut)
        if raw.strip():
            item["input"] = _input(raw)
        native = Native(protocol="messages", provider=self._provider, item=item)
        if kind == "text":
            plain = not {key for key, value in item.items() if value} - {"type", "text"}
            return AssistantMessage(text=text(item.get("text")), native=None if plain else native)
        return Reasoning(text=text(item.get("thinking")), native=native)

    def _call(self, item: Json, raw: str, *, cut: bool) -> ToolCall:
        given = mapping(item.get("input"))
        raw, invalid = arguments_of(raw or (json.dumps(given, ensure_ascii=False) if given else ""), cut=cut)
        return ToolCall(id=text(item.get("id")), name=text(item.get("name")), arguments=raw, invalid=invalid)


def _input(raw: str) -> JsonValue:
    try:
        return mapping(json.loads(raw))
    except ValueError:
        return {}


def usage_of(usage: Json) -> Usage:
    """Read the counts: what was read from the cache and written to it is not in the provider's `input_tokens`."""
    cached = count(usage.get("cache_read_input_tokens"))
    return Usage(
        input=count(usage.get("input_tokens")) + cached + count(usage.get("cache_creation_input_tokens")),
        cached=cached,
        output=count(usage.get("output_tokens")),
        reasoning=count(mapping(usage.get("output_tokens_details")).get("thinking_tokens")),
    )
