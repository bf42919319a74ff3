"""Where a request goes, as far as its words depend on it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from pydantic import JsonValue

from nbagent.core.model import AssistantMessage, Reasoning, ToolCall

Protocol = Literal["responses", "chat", "messages"]
Dialect = Literal["openai", "azure", "anthropic", "openrouter", "mistral", "xai", "deepseek", "groq", "other"]

_HOSTS: tuple[tuple[str, Dialect], ...] = (
    ("api.openai.com", "openai"),
    (".openai.azure.com", "azure"),
    (".cognitiveservices.azure.com", "azure"),
    (".services.ai.azure.com", "azure"),
    ("api.anthropic.com", "anthropic"),
    ("openrouter.ai", "openrouter"),
    ("api.mistral.ai", "mistral"),
    ("api.x.ai", "xai"),
    ("api.deepseek.com", "deepseek"),
    ("api.groq.com", "groq"),
)


@dataclass(frozen=True, slots=True)
class Target:
    """A model of a provider behind a protocol. `provider` is the profile's name: native items are bound to it."""

    provider: str
    model: str
    protocol: Protocol
    dialect: Dialect = "other"
    images: bool = True

    @property
    def reasons(self) -> bool:
        """Whether the model is one of OpenAI's that think: others refuse to be asked for encrypted reasoning."""
        return re.match(r"(o\d|gpt-(?:[5-9]|\d\d)|codex)", self.model) is not None

    def native(self, item: AssistantMessage | Reasoning | ToolCall, protocol: Protocol) -> dict[str, JsonValue] | None:
        """Return the provider's own form of an item if it came from this provider by this protocol."""
        own = item.native
        if own is None or own.protocol != protocol or own.provider != self.provider:
            return None
        return dict(own.item)


def dialect_of(url: str) -> Dialect:
    """Tell a vendor by its host."""
    host = (urlsplit(url).hostname or "").lower()
    return next((dialect for end, dialect in _HOSTS if host == end or host.endswith(end)), "other")


def is_local(url: str) -> bool:
    """Whether a server is on this machine: it is asked without a key, and never through a proxy."""
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or re.fullmatch(r"127(\.\d+){3}", host) is not None
