"""Tool calls in Chat Completions, which every server streams in its own way.

Whole in one delta (Ollama, xAI, Groq, Mistral), all with index 0 (Ollama, Gemini), without an index (Mistral), with an
id only at first, never, or in every chunk, with the name repeated: neither index nor id alone tells calls apart.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from pydantic import JsonValue

from nbagent.core.model import Native, ToolCall
from nbagent.models.fields import Json, arguments_of, mapping, text, whole


@dataclass(slots=True)
class _Call:
    index: JsonValue
    id: str = ""
    name: str = ""
    raw: list[str] = field(default_factory=list)
    extra: dict[str, JsonValue] = field(default_factory=dict)

    def complete(self) -> bool:
        try:
            json.loads("".join(self.raw))
        except ValueError:
            return False
        return True


class Calls:
    """Puts the deltas of an answer's calls together."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []

    def __bool__(self) -> bool:
        return bool(self._calls)

    def add(self, delta: Json) -> str | None:
        """Take one delta; return the tool's name when a call begins with it."""
        function = mapping(delta.get("function"))
        identity, name = text(delta.get("id")), text(function.get("name"))
        call = self._known(delta.get("index"), identity, name)
        begun = call is None
        if call is None:
            call = _Call(delta.get("index"))
            self._calls.append(call)
        call.id = call.id or identity
        call.name = call.name or name
        arguments = function.get("arguments")
        if isinstance(arguments, dict):
            arguments = json.dumps(arguments, ensure_ascii=False)
        call.raw.append(text(arguments))
        call.extra |= mapping(delta.get("extra_content"))
        return call.name if begun else None

    def finished(self, provider: str, answer: str, *, cut: bool) -> list[ToolCall]:
        """Return the calls; `answer` makes ids where the server gave none, `cut` says that the answer was cut off."""
        result = []
        for number, call in enumerate(self._calls, 1):
            raw, invalid = arguments_of(whole("".join(call.raw)), cut=cut and number == len(self._calls))
            native = Native(protocol="chat", provider=provider, item={"extra_content": call.extra})
            result.append(
                ToolCall(
                    id=call.id or f"call_{answer}_{number}",
                    name=call.name,
                    arguments=raw,
                    invalid=invalid,
                    native=native if call.extra else None,
                )
            )
        return result

    def _known(self, index: JsonValue, identity: str, name: str) -> _Call | None:
        """Return the call that a delta continues, or None when it begins one."""
        if not self._calls:
            return None
        if identity and (same := [call for call in self._calls if call.id == identity]):
            return self._continued(same[-1], name, index)
        candidates = self._calls if index is None else [call for call in self._calls if call.index == index]
        if not candidates:
            return None
        last = candidates[-1]
        if identity and last.id and name:
            return None
        return self._continued(last, name, index)

    @staticmethod
    def _continued(call: _Call, name: str, index: JsonValue) -> _Call | None:
        if name and call.name and (name != call.name or call.complete()):
            return None
        return call if index is None or call.index is None or call.index == index else None
