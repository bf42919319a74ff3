"""Which model is asked: the named one, else what a key in the environment opens, else a local server that answers.

Nothing is sent anywhere without a key, a named profile, or a server on this machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, Field

from nbagent.core.errors import UsageError
from nbagent.core.model import Effort
from nbagent.models.target import Protocol, Target, dialect_of, is_local
from nbagent.models.windows import known_window

HOW_TO_GET_ONE = (
    "There is no model to ask. Set OPENAI_API_KEY or ANTHROPIC_API_KEY, start a local server (Ollama, LM Studio,"
    " llama.cpp or vLLM), or name a model: --model provider/name."
)


class ModelProfile(BaseModel, frozen=True, extra="forbid"):
    """A provider as the user's settings name it. What is left out comes from the provider of the same name.

    key_variable: the environment variable that holds the key; keys themselves are not kept in settings.
    headers: sent with each request; not shown, as they may hold secrets.
    """

    base_url: str = ""
    protocol: Protocol | None = None
    model: str = ""
    key_variable: str = ""
    headers: Mapping[str, str] = Field(default_factory=dict, repr=False)
    effort: Effort | None = None
    window: int | None = Field(default=None, gt=0)
    images: bool = True


@dataclass(frozen=True, slots=True)
class Provider:
    """A vendor or a local server: where it is, what it speaks, and the model asked when none is named."""

    base_url: str
    protocol: Protocol
    key_variable: str = ""
    model: str = ""
    local: bool = False


PROVIDERS: dict[str, Provider] = {
    "openai": Provider("https://api.openai.com/v1", "responses", "OPENAI_API_KEY", "gpt-5.6-terra"),
    "anthropic": Provider("https://api.anthropic.com/v1", "messages", "ANTHROPIC_API_KEY", "claude-sonnet-5-5"),
    "openrouter": Provider("https://openrouter.ai/api/v1", "chat", "OPENROUTER_API_KEY"),
    "mistral": Provider("https://api.mistral.ai/v1", "chat", "MISTRAL_API_KEY"),
    "deepseek": Provider("https://api.deepseek.com", "chat", "DEEPSEEK_API_KEY"),
    "groq": Provider("https://api.groq.com/openai/v1", "chat", "GROQ_API_KEY"),
    "xai": Provider("https://api.x.ai/v1", "responses", "XAI_API_KEY"),
    "together": Provider("https://api.together.xyz/v1", "chat", "TOGETHER_API_KEY"),
    "azure": Provider("", "responses", "AZURE_OPENAI_API_KEY"),
    "ollama": Provider("http://127.0.0.1:11434/v1", "chat", local=True),
    "lmstudio": Provider("http://127.0.0.1:1234/v1", "chat", local=True),
    "llamacpp": Provider("http://127.0.0.1:8080/v1", "chat", local=True),
    "vllm": Provider("http://127.0.0.1:8000/v1", "chat", local=True),
}
"""Local ports are each server's own default; the order is the order of asking."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A model as chosen, before its server was asked anything. `model` is empty when the server shall name one."""

    provider: str
    model: str
    profile: ModelProfile
    base_url: str
    protocol: Protocol
    key_variable: str
    local: bool

    @property
    def target(self) -> Target:
        """What a request needs to know."""
        return Target(self.provider, self.model, self.protocol, dialect_of(self.base_url), self.profile.images)

    @property
    def window(self) -> int | None:
        """The user's setting, else what the table knows."""
        return self.profile.window or known_window(self.model)

    def headers(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Return the headers that open the door. Raises `UsageError` when a vendor's key is not set."""
        key = environment.get(self.key_variable, "").strip() if self.key_variable else ""
        named = {name.lower() for name in self.profile.headers}
        opened = bool(named & {"authorization", "x-api-key", "api-key"})
        if not key and self.key_variable and not self.local and not opened:
            raise UsageError(f"{self.provider} needs a key. Set {self.key_variable} and try again.")
        if not (key.isascii() and key.isprintable()):
            raise UsageError(f"{self.key_variable} holds characters that no key has. Set it again.")
        return {**_door(self.protocol, self.target.dialect, key), **self.profile.headers}


def _door(protocol: Protocol, dialect: str, key: str) -> dict[str, str]:
    if protocol == "messages":
        return {"anthropic-version": "2023-06-01", **({"x-api-key": key} if key else {})}
    if not key:
        return {}
    return {"api-key": key} if dialect == "azure" else {"authorization": f"Bearer {key}"}


def named(model: str, profiles: Mapping[str, ModelProfile]) -> Choice:
    """Return the choice for `provider/name`, or for a profile's or provider's name alone. Raises `UsageError`."""
    provider, _, name = model.partition("/")
    if provider not in profiles and provider not in PROVIDERS:
        known = ", ".join(sorted({*profiles, *PROVIDERS}))
        raise UsageError(f"There is no provider {provider!r}. Name a model as provider/name; known providers: {known}.")
    choice = _choice(provider, name, profiles)
    if not choice.base_url:
        raise UsageError(f"The provider {provider!r} needs its base URL in a profile of your settings.")
    return choice


def chosen(
    model: str | None, profiles: Mapping[str, ModelProfile], environment: Mapping[str, str]
) -> Choice | Literal["local"]:
    """Return the choice, or `local` when the servers of this machine shall be looked for."""
    if model:
        return named(model, profiles)
    for provider in ("openai", "anthropic"):
        if environment.get(PROVIDERS[provider].key_variable, "").strip():
            return _choice(provider, "", profiles)
    return "local"


def local_choices(profiles: Mapping[str, ModelProfile]) -> list[Choice]:
    """Return the servers that this machine may run, in the order of asking."""
    return [_choice(name, "", profiles) for name, provider in PROVIDERS.items() if provider.local]


def _choice(provider: str, name: str, profiles: Mapping[str, ModelProfile]) -> Choice:
    """A vendor's key is not used where a profile put another address in the vendor's place, unless it says so."""
    profile, known = profiles.get(provider, ModelProfile()), PROVIDERS.get(provider)
    base = profile.base_url or (known.base_url if known else "")
    own = known.key_variable if known and (base == known.base_url or not known.base_url) else ""
    return Choice(
        provider=provider,
        model=name or profile.model or (known.model if known else ""),
        profile=profile,
        base_url=base,
        protocol=profile.protocol or (known.protocol if known else "chat"),
        key_variable=profile.key_variable or own,
        local=is_local(base),
    )
