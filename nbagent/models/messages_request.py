"""Anthropic Messages: the request. `messages` comes last, so that a longer history only adds bytes at the end.

Two cache breakpoints: one after the instructions, which every session shares, and the provider's own moving one
(`cache_control` of the whole request), as a marker inside the history would have to move and so change its bytes.
"""

from __future__ import annotations

import json

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
from nbagent.models.fields import mapping
from nbagent.models.responses_request import described
from nbagent.models.target import Target

MOST_OUTPUT = 32_000
"""Tokens of one answer where nobody says: the protocol requires a number, and every current model allows this one."""
_EPHEMERAL: JsonValue = {"type": "ephemeral"}


def encode(request: ModelRequest, target: Target) -> dict[str, JsonValue]:
    """Return the request's body."""
    body: dict[str, JsonValue] = {
        "model": target.model,
        "stream": True,
        "max_tokens": request.max_output_tokens or MOST_OUTPUT,
    }
    if target.dialect == "anthropic":
        body["cache_control"] = _EPHEMERAL
    output: dict[str, JsonValue] = {}
    if request.effort and request.effort not in ("none", "minimal"):
        output["effort"] = request.effort
    if request.output_schema:
        output["format"] = {"type": "json_schema", "schema": dict(request.output_schema)}
    if output:
        body["output_config"] = output
    if request.tools:
        body["tools"] = [
            {"name": tool.name, "description": tool.description, "input_schema": dict(tool.parameters)}
            for tool in sorted(request.tools, key=lambda tool: tool.name)
        ]
    if request.instructions:
        body["system"] = [{"type": "text", "text": request.instructions, "cache_control": _EPHEMERAL}]
    body["messages"] = _messages(request.history, target)
    return body


def _messages(history: tuple[Item, ...], target: Target) -> list[JsonValue]:
    """Items of one side in a row become one message; all results of an answer come first in theirs."""
    messages: list[JsonValue] = []
    role, content = "", list[JsonValue]()
    for item in history:
        blocks = _blocks(item, target)
        own = "assistant" if isinstance(item, AssistantMessage | Reasoning | ToolCall) else "user"
        if not blocks:
            continue
        if own != role:
            role, content = own, []
            messages.append({"role": role, "content": content})
        content += blocks
    return messages


def _blocks(item: Item, target: Target) -> list[JsonValue]:
    if isinstance(item, AssistantMessage | Reasoning | ToolCall) and (native := target.native(item, "messages")):
        return [native]
    match item:
        case UserMessage():
            return _parts(item.parts, target)
        case Notice():
            return [{"type": "text", "text": item.text}] if item.text.strip() else []
        case AssistantMessage():
            return [{"type": "text", "text": item.text}] if item.text.strip() else []
        case ToolCall():
            return [{"type": "tool_use", "id": item.id, "name": item.name, "input": _input(item)}]
        case ToolResult():
            result: dict[str, JsonValue] = {
                "type": "tool_result",
                "tool_use_id": item.call_id,
                "content": _parts(item.parts, target),
            }
            return [result | ({"is_error": True} if item.is_error else {})]
        case _:
            return []


def _input(call: ToolCall) -> JsonValue:
    return {"INVALID_JSON": call.arguments} if call.invalid else mapping(json.loads(call.arguments, strict=False))


def _parts(parts: tuple[Part, ...], target: Target) -> list[JsonValue]:
    """Empty text is refused by the provider, so it is left out."""
    return [_part(part, target) for part in parts if isinstance(part, Image) or part.text.strip()]


def _part(part: Part, target: Target) -> JsonValue:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    if not target.images:
        return {"type": "text", "text": described(part)}
    return {"type": "image", "source": {"type": "base64", "media_type": part.media_type, "data": part.data}}
