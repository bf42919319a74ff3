"""Chat Completions, in the dialects of its many servers: a stream of chunks becomes an answer.

The first choice alone is read, and not the `function_call` of 2023, which only comes when asked for. Requests are
written in `chat_request`.
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
    Usage,
)
from nbagent.models.chat_calls import Calls
from nbagent.models.failures import Fault, from_error
from nbagent.models.fields import Json, count, healed, mapping, sequence, text, whole
from nbagent.models.fold import AnswerItem, cut_off, distinct

_FINISH: dict[str, Stop] = {
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "content_filter": "filtered",
    "refusal": "refused",
}


class ChatFold:
    """Collects the chunks of one answer."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._said: list[str] = []
        self._refused: list[str] = []
        self._thought: list[str] = []
        self._thought_key = "reasoning_content"
        self._details: list[dict[str, JsonValue]] = []
        self._calls = Calls()
        self._id = self._model = self._finish = ""
        self._done = False
        self._usage: dict[str, JsonValue] = {}

    @property
    def ended(self) -> bool:
        return self._done

    def done_marker(self) -> None:
        self._done = True

    def add(self, event: Json, name: str = "") -> Iterable[ModelProgress]:
        if event.get("error") or name == "error":
            raise from_error(dict(event))
        identity = text(event.get("id"))
        if self._finish and self._id and identity not in ("", self._id) and _says(event):
            raise Fault("broken", "The server began a second answer inside the first.")
        self._id = self._id or identity
        self._model = text(event.get("model")) or self._model
        self._usage = mapping(event.get("usage")) or mapping(mapping(event.get("x_groq")).get("usage")) or self._usage
        shown: list[ModelProgress] = []
        for choice in map(mapping, sequence(event.get("choices"))):
            if choice.get("index") in (0, None):
                shown += self._choice(choice)
        return shown

    def answer(self) -> ModelAnswer:
        if not self._finish and not self._done:
            raise cut_off()
        cut = _FINISH.get(self._finish) == "length"
        calls = self._calls.finished(self._provider, self._id or "0", cut=cut)
        items: list[AnswerItem] = [*self._reasoning()]
        said = whole("".join(self._said)) or whole("".join(self._refused))
        if said:
            items.append(AssistantMessage(text=said))
        return ModelAnswer(
            items=distinct([*items, *calls]), stop=self._stop(), usage=usage_of(self._usage), model=self._model
        )

    def _choice(self, choice: Json) -> Iterable[ModelProgress]:
        if choice.get("error"):
            raise from_error(dict(choice))
        self._finish = text(choice.get("finish_reason")) or self._finish
        if self._finish == "error":
            raise Fault("broken", "The provider behind the server failed.")
        delta = mapping(choice.get("delta"))
        if thought := self._thinking(delta):
            yield ReasoningArrived(text=thought)
        if said := self._saying(delta):
            yield TextArrived(text=said)
        calls = [mapping(each) for each in sequence(delta.get("tool_calls"))]
        for call in calls:
            if began := self._calls.add(call):
                yield CallArriving(name=began)

    def _saying(self, delta: Json) -> str:
        content = delta.get("content")
        parts = [mapping(part) for part in sequence(content)]
        said = text(content) + "".join(text(part.get("text")) for part in parts if part.get("type") == "text")
        refused = text(delta.get("refusal"))
        self._said.append(said)
        self._refused.append(refused)
        return said or refused

    def _thinking(self, delta: Json) -> str:
        """Collect the reasoning under whatever name it comes; it goes back under the same name."""
        details = [mapping(detail) for detail in sequence(delta.get("reasoning_details"))]
        for detail in details:
            self._detail(detail)
        thought = ""
        for key in ("reasoning_content", "reasoning"):
            if not thought and (thought := text(delta.get(key))):
                self._thought_key = key
        for part in map(mapping, sequence(delta.get("content"))):
            if part.get("type") == "thinking":
                inner = part.get("thinking")
                thought += text(inner) + "".join(text(mapping(each).get("text")) for each in sequence(inner))
                self._thought_key = "thinking"
        if not thought:
            thought = "".join(text(detail.get("text")) or text(detail.get("summary")) for detail in details)
        self._thought.append(thought)
        return thought

    def _detail(self, detail: dict[str, JsonValue]) -> None:
        last = self._details[-1] if self._details else {}
        if not last or any(last.get(key) != detail.get(key) for key in ("type", "index")):
            self._details.append(dict(detail))
            return
        for key, value in detail.items():
            if key in ("text", "summary", "data") and isinstance(value, str):
                last[key] = text(last.get(key)) + value
            elif value is not None:
                last[key] = value

    def _reasoning(self) -> list[Reasoning]:
        thought = whole("".join(self._thought))
        item: dict[str, JsonValue] = {}
        if self._details:
            item["reasoning_details"] = healed([*self._details])
        elif thought:
            item[self._thought_key] = thought
        if not item:
            return []
        return [Reasoning(text=thought, native=Native(protocol="chat", provider=self._provider, item=item))]

    def _stop(self) -> Stop:
        if self._finish in _FINISH:
            return _FINISH[self._finish]
        if self._calls:
            return "tools"
        return "refused" if "".join(self._refused) and not "".join(self._said) else "done"


def _says(event: Json) -> bool:
    deltas = [mapping(mapping(choice).get("delta")) for choice in sequence(event.get("choices"))]
    return any(delta.get("content") or delta.get("tool_calls") for delta in deltas)


def usage_of(usage: Json) -> Usage:
    """Read the counts, the last that came; DeepSeek names what was cached in its own way."""
    details = mapping(usage.get("prompt_tokens_details"))
    return Usage(
        input=count(usage.get("prompt_tokens")),
        cached=count(details.get("cached_tokens")) or count(usage.get("prompt_cache_hit_tokens")),
        output=count(usage.get("completion_tokens")),
        reasoning=count(mapping(usage.get("completion_tokens_details")).get("reasoning_tokens")),
    )
