"""What a server tells of itself: its models, and how much they can read."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pydantic import JsonValue

from nbagent.core.errors import UsageError
from nbagent.models.catalog import HOW_TO_GET_ONE, PROVIDERS, Choice, ModelProfile, chosen, local_choices, named
from nbagent.models.fields import Json, count, mapping, sequence, text
from nbagent.models.http import Endpoint, HttpModel, fetched
from nbagent.models.windows import known_window

_WINDOW_FIELDS = (
    "max_input_tokens",  # Anthropic
    "max_model_len",  # vLLM
    "context_length",  # OpenRouter, Together
    "context_window",  # Groq
    "max_context_length",  # Mistral, LM Studio
    "loaded_context_length",  # LM Studio
)


@dataclass(frozen=True, slots=True)
class Listed:
    """A model that can be asked now."""

    provider: str
    name: str
    window: int | None = None


async def listed(choice: Choice, environment: Mapping[str, str], *, timeout: float = 5.0) -> list[Listed] | None:
    """Return the models that a server offers, or None when it does not answer. Raises `UsageError` without a key."""
    headers = choice.headers(environment)
    body = await fetched(f"{choice.base_url.rstrip('/')}/models", headers, timeout)
    if body is None:
        return None
    rows = [mapping(row) for row in sequence(body.get("data")) or sequence(body.get("models"))]
    found = [Listed(choice.provider, text(row.get("id")) or text(row.get("name")), _window(row)) for row in rows]
    return [one for one in found if one.name]


async def opened(model: str | None, profiles: Mapping[str, ModelProfile], environment: Mapping[str, str]) -> HttpModel:
    """Return the model to ask. Raises `UsageError` with what to do when there is none."""
    choice = chosen(model, profiles, environment)
    if choice == "local":
        choice = await _local(profiles, environment)
    elif not choice.model:
        choice = _first(choice, await listed(choice, environment) or [])
    window = choice.profile.window or await _told(choice, environment) or known_window(choice.model)
    return HttpModel(Endpoint(choice.target, choice.base_url, choice.headers(environment), window))


async def reachable(
    provider: str | None, profiles: Mapping[str, ModelProfile], environment: Mapping[str, str]
) -> tuple[list[Listed], list[str]]:
    """Return the models that can be asked now, and the providers that have a key or a profile but do not answer."""
    names = [provider] if provider else [*profiles, *(name for name in PROVIDERS if name not in profiles)]
    choices = [named(name, profiles) for name in names if provider or name in profiles or PROVIDERS[name].base_url]
    asked = [one for one in choices if provider or one.local or environment.get(one.key_variable, "").strip()]
    answers = await asyncio.gather(*(listed(one, environment, timeout=1.0 if one.local else 10.0) for one in asked))
    found, silent = list[Listed](), list[str]()
    for choice, models in zip(asked, answers, strict=True):
        if models is None and not choice.local:
            silent.append(choice.provider)
        for one in models or []:
            found.append(replace(one, window=choice.profile.window or one.window or known_window(one.name)))
    return found, silent


async def _local(profiles: Mapping[str, ModelProfile], environment: Mapping[str, str]) -> Choice:
    choices = local_choices(profiles)
    answers = await asyncio.gather(*(listed(choice, environment, timeout=1.0) for choice in choices))
    for choice, models in zip(choices, answers, strict=True):
        if choice.model and models is not None:
            return choice
        if models:
            return _first(choice, models)
    raise UsageError(HOW_TO_GET_ONE)


def _first(choice: Choice, models: list[Listed]) -> Choice:
    """Take the first model that is not one for embeddings."""
    chatting = [one for one in models if "embed" not in one.name.lower()]
    if not chatting:
        raise UsageError(f"{choice.provider} names no model to ask. Name one: --model {choice.provider}/NAME.")
    return replace(choice, model=chatting[0].name)


async def _told(choice: Choice, environment: Mapping[str, str]) -> int | None:
    """Return the window that the server tells; only servers whose list of models tells it are asked."""
    if not choice.local and choice.target.dialect not in ("anthropic", "openrouter", "groq", "mistral"):
        return None
    if choice.local and (size := await _loaded(choice, environment)):
        return size
    models = await listed(choice, environment) or []
    return next((one.window for one in models if one.name == choice.model), None)


async def _loaded(choice: Choice, environment: Mapping[str, str]) -> int | None:
    """llama.cpp tells the size it really allots in /props; Ollama tells what the loaded model has in /api/ps."""
    root, headers = choice.base_url.rstrip("/").removesuffix("/v1"), choice.headers(environment)
    props = await fetched(f"{root}/props", headers, 2.0) or {}
    if size := count(mapping(props.get("default_generation_settings")).get("n_ctx")):
        return size
    running = await fetched(f"{root}/api/ps", headers, 2.0) or {}
    rows = [mapping(row) for row in sequence(running.get("models"))]
    return next((count(row.get("context_length")) or None for row in rows if row.get("name") == choice.model), None)


def _window(row: Json) -> int | None:
    meta: JsonValue = row.get("meta")
    sizes = [count(row.get(key)) for key in _WINDOW_FIELDS]
    sizes.append(count(mapping(meta).get("n_ctx")))
    return next((size for size in sizes if size), None)
