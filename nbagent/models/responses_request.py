"""OpenAI Responses: the request. `input` comes last, so that a longer history only adds bytes at the end."""

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
    ToolSpec,
    UserMessage,
)
from nbagent.models.fields import sent_arguments, sequence
from nbagent.models.target import Target


def encode(request: ModelRequest, target: Target) -> dict[str, JsonValue]:
    """Return the request's body.

    Nothing is stored at the provider; reasoning comes back encrypted and is replayed. Servers other than OpenAI's are
    sent only what every server knows.
    """
    body: dict[str, JsonValue] = {"model": target.model, "stream": True, "store": False}
    if target.dialect in ("openai", "azure") and target.reasons:
        body["include"] = ["reasoning.encrypted_content"]
    if request.cache_key and target.dialect in ("openai", "azure"):
        body["prompt_cache_key"] = request.cache_key
    if request.effort:
        body["reasoning"] = {"effort": request.effort, "summary": "auto"}
    if request.max_output_tokens:
        body["max_output_tokens"] = request.max_output_tokens
    if request.output_schema:
        schema = dict(request.output_schema)
        body["text"] = {"format": {"type": "json_schema", "name": "answer", "schema": schema, "strict": False}}
    body["instructions"] = request.instructions
    if request.tools:
        body["tools"] = [_tool(tool) for tool in sorted(request.tools, key=lambda tool: tool.name)]
    body["input"] = [sent for item in request.history for sent in _sent(item, target)]
    return body


def _tool(tool: ToolSpec) -> JsonValue:
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": dict(tool.parameters),
        "strict": False,
    }


def _sent(item: Item, target: Target) -> list[JsonValue]:
    if isinstance(item, AssistantMessage | Reasoning | ToolCall) and (native := target.native(item, "responses")):
        return [native] if _replayable(native, target) else []
    match item:
        case UserMessage():
            return [{"type": "message", "role": "user", "content": _parts(item.parts, target)}]
        case Notice():
            role = "developer" if target.dialect in ("openai", "azure") else "user"
            return [{"type": "message", "role": role, "content": [{"type": "input_text", "text": item.text}]}]
        case AssistantMessage():
            content: list[JsonValue] = [{"type": "output_text", "text": item.text, "annotations": []}]
            return [{"type": "message", "role": "assistant", "content": content}] if item.text else []
        case ToolCall():
            arguments = sent_arguments(item.arguments, invalid=item.invalid is not None)
            return [{"type": "function_call", "call_id": item.id, "name": item.name, "arguments": arguments}]
        case ToolResult():
            return [{"type": "function_call_output", "call_id": item.call_id, "output": _output(item, target)}]
        case _:
            return []


def _replayable(native: dict[str, JsonValue], target: Target) -> bool:
    """Reasoning that is neither encrypted nor in plain text refers to what the provider has not stored."""
    if native.get("type") != "reasoning" or native.get("encrypted_content"):
        return True
    return target.dialect not in ("openai", "azure") and bool(sequence(native.get("content")))


def _parts(parts: tuple[Part, ...], target: Target) -> list[JsonValue]:
    return [_part(part, target) for part in parts]


def _part(part: Part, target: Target) -> JsonValue:
    if isinstance(part, Text):
        return {"type": "input_text", "text": part.text}
    if not target.images:
        return {"type": "input_text", "text": described(part)}
    return {"type": "input_image", "detail": "auto", "image_url": f"data:{part.media_type};base64,{part.data}"}


def _output(item: ToolResult, target: Target) -> JsonValue:
    if target.images and any(isinstance(part, Image) for part in item.parts):
        return _parts(item.parts, target)
    return plain(item.parts)


def described(image: Image) -> str:
    """Return what stands for a picture where a model cannot see."""
    return image.alt or f"[a picture, {image.media_type}, which this model cannot see]"


def plain(parts: tuple[Part, ...]) -> str:
    """Return parts as text alone."""
    return "\n".join(part.text if isinstance(part, Text) else described(part) for part in parts)
