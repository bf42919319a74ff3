"""Chat Completions: the request. `messages` comes last, so that a longer history only adds bytes at the end."""

from __future__ import annotations

from pydantic import JsonValue

from nbagent.core.model import (
    AssistantMessage,
    Image,
    Item,
    ModelRequest,
    Notice,
    Part,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
    UserMessage,
)
from nbagent.models.fields import sent_arguments, text
from nbagent.models.responses_request import described, plain
from nbagent.models.target import Target

_KNOWS_CACHE_KEY = ("openai", "mistral", "xai")


def encode(request: ModelRequest, target: Target) -> dict[str, JsonValue]:
    """Return the request's body. What a server may not know is left out."""
    body: dict[str, JsonValue] = {"model": target.model, "stream": True}
    if target.dialect != "mistral":  # it refuses unknown fields, and tells the usage unasked
        body["stream_options"] = {"include_usage": True}
    if request.cache_key and target.dialect in _KNOWS_CACHE_KEY:
        body["prompt_cache_key"] = request.cache_key
    if request.effort:
        if target.dialect == "openrouter":
            body["reasoning"] = {"effort": request.effort}
        else:
            body["reasoning_effort"] = request.effort
    if request.max_output_tokens:
        newer = target.dialect in ("openai", "azure")
        body["max_completion_tokens" if newer else "max_tokens"] = request.max_output_tokens
    if request.output_schema:
        schema: dict[str, JsonValue] = {"name": "answer", "schema": dict(request.output_schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    if request.tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": dict(tool.parameters),
                },
            }
            for tool in sorted(request.tools, key=lambda tool: tool.name)
        ]
    body["messages"] = [{"role": "system", "content": request.instructions}, *_messages(request.history, target)]
    return body


def _messages(history: tuple[Item, ...], target: Target) -> list[JsonValue]:
    """Items of one answer become one message; pictures in results follow the last result of that answer."""
    messages: list[JsonValue] = []
    answer: list[AssistantMessage | Reasoning | ToolCall] = []
    pictures: list[JsonValue] = []
    for item in history:
        if isinstance(item, AssistantMessage | Reasoning | ToolCall):
            messages += _seen(pictures)
            pictures = []
            answer.append(item)
            continue
        messages += _answer(answer, target)
        answer = []
        if isinstance(item, ToolResult):
            messages.append({"role": "tool", "tool_call_id": item.call_id, "content": plain(_described(item.parts))})
            if target.images:
                pictures += [_part(part, target) for part in item.parts if isinstance(part, Image)]
            continue
        messages += _seen(pictures)
        pictures = []
        messages.append({"role": "user", "content": _content(item, target)})
    return [*messages, *_answer(answer, target), *_seen(pictures)]


def _described(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    return tuple(Text(text=described(part)) if isinstance(part, Image) and part.alt else part for part in parts)


def _seen(pictures: list[JsonValue]) -> list[JsonValue]:
    """The protocol's tool messages are text alone, so pictures come in a message of their own."""
    if not pictures:
        return []
    told: JsonValue = {"type": "text", "text": "The pictures of the tool results above:"}
    return [{"role": "user", "content": [told, *pictures]}]


def _content(item: UserMessage | Notice, target: Target) -> JsonValue:
    if isinstance(item, Notice):
        return item.text
    if not any(isinstance(part, Image) for part in item.parts) or not target.images:
        return plain(item.parts)
    return [_part(part, target) for part in item.parts]


def _part(part: Part, target: Target) -> JsonValue:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    return {"type": "image_url", "image_url": {"url": f"data:{part.media_type};base64,{part.data}"}}


def _answer(items: list[AssistantMessage | Reasoning | ToolCall], target: Target) -> list[JsonValue]:
    said = "".join(item.text for item in items if isinstance(item, AssistantMessage))
    calls: list[JsonValue] = [_call(item, target) for item in items if isinstance(item, ToolCall)]
    if not said and not calls:
        return []
    message: dict[str, JsonValue] = {"role": "assistant", "content": said or None}
    for item in items:
        if isinstance(item, Reasoning) and (native := target.native(item, "chat")):
            if "thinking" in native:
                inner: JsonValue = [{"type": "text", "text": text(native["thinking"])}]
                message["content"] = [{"type": "thinking", "thinking": inner}, {"type": "text", "text": said}]
            else:
                message |= native
    if calls:
        message["tool_calls"] = calls
    return [message]


def _call(item: ToolCall, target: Target) -> JsonValue:
    arguments = sent_arguments(item.arguments, invalid=item.invalid is not None)
    call: dict[str, JsonValue] = {
        "id": item.id,
        "type": "function",
        "function": {"name": item.name, "arguments": arguments},
    }
    return call | (target.native(item, "chat") or {})
