"""Which model is asked, and what is known of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nbagent.core.errors import UsageError
from nbagent.core.model import ModelFacts
from nbagent.models.catalog import ModelProfile, chosen, named
from nbagent.models.discovery import Listed, opened, reachable
from nbagent.models.windows import known_window
from tests.models.serving import Reply, serving

BOTH = {"OPENAI_API_KEY": "sk-1234567890", "ANTHROPIC_API_KEY": "sk-ant-1234567890"}


def told(body: Any) -> Reply:
    return [json.dumps(body).encode()], {"headers": {"content-type": "application/json"}}


def picked(model: str | None, environment: dict[str, str]) -> str:
    choice = chosen(model, {}, environment)
    return choice if choice == "local" else choice.provider


def test_a_named_model_goes_before_keys_and_keys_before_local_servers() -> None:
    assert picked("ollama/qwen3", BOTH) == "ollama"
    assert picked(None, BOTH) == "openai"
    assert picked(None, {"ANTHROPIC_API_KEY": "x"}) == "anthropic"
    assert picked(None, {"OPENAI_API_KEY": " "}) == "local"


def test_a_model_name_may_hold_slashes() -> None:
    choice = named("openrouter/meta/llama-4", {})
    assert (choice.provider, choice.model, choice.protocol) == ("openrouter", "meta/llama-4", "chat")


def test_a_key_that_is_missing_is_named() -> None:
    with pytest.raises(UsageError, match="OPENAI_API_KEY"):
        named("openai/gpt-5.6", {}).headers({})
    with pytest.raises(UsageError, match="known providers"):
        named("nobody/x", {})


def test_a_key_is_never_sent_to_an_address_that_a_profile_put_in_its_place() -> None:
    moved = {"openai": ModelProfile(base_url="https://elsewhere.example/v1")}
    assert named("openai/m", moved).headers(BOTH) == {}


def test_each_protocol_has_its_own_door() -> None:
    assert named("openai/m", {}).headers(BOTH) == {"authorization": "Bearer sk-1234567890"}
    assert named("anthropic/m", {}).headers(BOTH)["x-api-key"] == "sk-ant-1234567890"
    azure = {"azure": ModelProfile(base_url="https://r.openai.azure.com/openai/v1")}
    assert named("azure/m", azure).headers({"AZURE_OPENAI_API_KEY": "abcdefgh"}) == {"api-key": "abcdefgh"}


def test_secret_headers_are_in_no_repr() -> None:
    assert "secret" not in repr(ModelProfile(headers={"authorization": "secret"}))


def test_windows_go_by_the_longest_known_name() -> None:
    assert known_window("claude-haiku-4-5-20251001") == 200_000
    assert known_window("anthropic/claude-opus-5-5") == 1_000_000
    assert known_window("qwen3") is None


async def test_a_local_server_names_its_model_and_its_window() -> None:
    models = told({"data": [{"id": "text-embed-small"}, {"id": "tiny", "max_model_len": 4096}]})
    async with serving(models) as server:
        profiles = {"mine": ModelProfile(base_url=server.url)}
        model = await opened("mine", profiles, {})
        assert model.facts == ModelFacts(provider="mine", name="tiny", window=4096)
        await model.close()
        found, silent = await reachable("mine", profiles, {})
    assert found == [Listed("mine", "text-embed-small"), Listed("mine", "tiny", 4096)]
    assert silent == []


async def test_the_users_window_goes_before_the_servers() -> None:
    async with serving(told({"data": [{"id": "tiny", "max_model_len": 4096}]})) as server:
        model = await opened("mine/tiny", {"mine": ModelProfile(base_url=server.url, window=2048)}, {})
        assert model.facts.window == 2048
        await model.close()
