"""Recorded traffic of real providers, where this machine has it: what to replay and what must be read from it."""

from __future__ import annotations

import importlib.util
import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from nbagent.core.model import AssistantMessage, ModelAnswer, Reasoning, ToolCall
from nbagent.models.reading import Reading
from nbagent.models.target import Target

SHARED = Path(__file__).parents[3] / "shared"
RECORDINGS = SHARED / "recordings"
FAULTS = SHARED / "tools" / "faults.py"
MISSING = "the recorded traffic of model providers is not on this machine"


def entries() -> list[dict[str, Any]]:
    manifest = RECORDINGS / "manifest.json"
    return json.loads(manifest.read_text())["entries"] if manifest.exists() else []


def fault_module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("faults", FAULTS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def body_of(entry: dict[str, Any]) -> bytes:
    return (RECORDINGS / entry["body"]).read_bytes()


def target_of(entry: dict[str, Any]) -> Target:
    return Target(provider=entry["provider"], model="m", protocol=entry["kind"])


def read(target: Target, chunks: list[bytes]) -> ModelAnswer:
    reading = Reading(target, lambda progress: None)
    for chunk in chunks:
        reading.feed(chunk)
    return reading.answer()


def bytewise(body: bytes) -> list[bytes]:
    return [body[i : i + 1] for i in range(len(body))]


def randomly(body: bytes) -> list[bytes]:
    dice, chunks, at = random.Random(len(body)), [], 0
    while at < len(body):
        size = dice.choice((1, 2, 3, 7, 64, 1500))
        chunks.append(body[at : at + size])
        at += size
    return chunks


def crlf(body: bytes) -> list[bytes]:
    return randomly(re.sub(rb"\r?\n", b"\r\n", body))


FRAMINGS: dict[str, Callable[[bytes], list[bytes]]] = {
    "whole": lambda body: [body],
    "bytewise": bytewise,
    "randomly": randomly,
    "crlf": crlf,
}


def differences(entry: dict[str, Any], answer: ModelAnswer) -> list[str]:
    """Compare an answer with what an independent reader read."""
    wanted, kind = entry["expected"], entry["kind"]
    said = "".join(item.text for item in answer.items if isinstance(item, AssistantMessage))
    calls = [item for item in answer.items if isinstance(item, ToolCall)]
    thought = [item.text for item in answer.items if isinstance(item, Reasoning) and item.text]
    pairs: list[tuple[str, Any, Any]] = [
        ("text", said, wanted["text"] or wanted.get("refusal", "")),
        ("calls", [_call(call) for call in calls], [_expected_call(call) for call in wanted["tool_calls"]]),
    ]
    if kind != "responses":
        pairs.append(("reasoning", "".join(thought), wanted["reasoning" if kind == "chat" else "thinking"]))
    else:
        texts = [r["content"] or "\n\n".join(r["summary"]) for r in wanted["reasoning"]]
        pairs.append(("reasoning", thought, [text for text in texts if text]))
    usage = wanted["usage"] or {}
    for ours, theirs in (("input", "input"), ("output", "output"), ("cached", "cached_input"), ("reasoning",) * 2):
        pairs.append((ours, getattr(answer.usage, ours), usage.get(theirs) or 0))
    return [f"{name}: {got!r} is not {want!r}" for name, got, want in pairs if got != want]


def _call(call: ToolCall) -> tuple[str, str, Any]:
    return call.id, call.name, None if call.invalid else json.loads(call.arguments, strict=False)


def _expected_call(call: dict[str, Any]) -> tuple[str, str, Any]:
    identity = call.get("call_id") or call["id"]
    if call.get("type") == "custom_tool_call":
        return identity, call["name"], None
    try:
        value = json.loads(call.get("arguments", call.get("raw_json")) or "{}", strict=False)
    except ValueError:
        value = None
    return identity, call["name"], value
