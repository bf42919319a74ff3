"""Requests of the three protocols: what they say, and that a longer history only adds at the end."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from nbagent.core.model import (
    AssistantMessage,
    Image,
    Item,
    ModelRequest,
    Native,
    Notice,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
    ToolSpec,
    UserMessage,
)
from nbagent.models.fields import encoded
from nbagent.models.http import encode
from nbagent.models.target import Protocol, Target

PROTOCOLS: tuple[Protocol, ...] = ("responses", "chat", "messages")
PICTURE = Image(media_type="image/png", data="aGk=", alt="a plot")
TOOLS = tuple(ToolSpec(name=name, description=name, parameters={"type": "object"}) for name in ("try", "ask", "read"))

words = some.text(min_size=1, max_size=12)
parts = some.lists(words.map(lambda text: Text(text=text)) | some.just(PICTURE), min_size=1, max_size=3).map(tuple)
NATIVES: dict[str, dict[str, Any]] = {
    "responses": {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"},
    "chat": {"reasoning_content": "hm"},
    "messages": {"type": "thinking", "thinking": "hm", "signature": "s"},
}


@some.composite
def turns(draw: some.DrawFn) -> list[tuple[Item, ...]]:
    """Histories grow by whole turns: what the user says, an answer with its calls, and their results."""
    result: list[tuple[Item, ...]] = []
    for number in range(draw(some.integers(1, 5))):
        turn: list[Item] = [draw(some.builds(UserMessage, parts=parts) | some.builds(Notice, text=words))]
        if draw(some.booleans()):
            protocol = draw(some.sampled_from(PROTOCOLS))
            native = Native(protocol=protocol, provider="p", item=NATIVES[protocol])
            turn.append(Reasoning(text="hm", native=native))
        if draw(some.booleans()):
            turn.append(AssistantMessage(text=draw(words)))
        names = [f"{number}-{n}" for n in range(draw(some.integers(0, 3)))]
        turn += [ToolCall(id=name, name="try", arguments='{"code": "1"}') for name in names]
        turn += [ToolResult(call_id=name, parts=draw(parts)) for name in names]
        result.append(tuple(turn))
    return result


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(turns=turns())
@settings(max_examples=60, deadline=None)
def test_a_longer_request_begins_with_the_shorter(protocol: Protocol, turns: list[tuple[Item, ...]]) -> None:
    target, history, before = Target("p", "gpt-5.6", protocol), (), b""
    for turn in turns:
        history = (*history, *turn)
        request = ModelRequest(instructions="i", history=history, tools=TOOLS, cache_key="k")
        bytes_now = encoded(encode(request, target))
        assert bytes_now.startswith(before)
        before = bytes_now.rstrip(b"]}")


def body(protocol: Protocol, *history: Item, url: str = "other", **settings: Any) -> dict[str, Any]:
    target = Target("p", "gpt-5.6", protocol, url)  # type: ignore[arg-type]  # a dialect's name
    request = ModelRequest(instructions="i", history=history, tools=TOOLS, **settings)
    return json.loads(encoded(encode(request, target)))


CALL = ToolCall(id="c1", name="try", arguments='{"code":"1"}')
BROKEN = ToolCall(id="c1", name="try", arguments='{"code":', invalid="cut off")
SEEN = ToolResult(call_id="c1", parts=(Text(text="1"), PICTURE))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_tools_are_sorted_and_nothing_is_forced_or_sampled(protocol: Protocol) -> None:
    sent = body(protocol, UserMessage(parts=(Text(text="hi"),)))
    assert [tool.get("name") or tool["function"]["name"] for tool in sent["tools"]] == ["ask", "read", "try"]
    assert not {"temperature", "top_p", "tool_choice"} & set(sent)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_native_items_go_back_verbatim_to_their_own_provider_alone(protocol: Protocol) -> None:
    own = Reasoning(native=Native(protocol=protocol, provider="p", item=NATIVES[protocol]))
    other = Reasoning(native=Native(protocol=protocol, provider="q", item=NATIVES[protocol]))
    marker = json.dumps(NATIVES[protocol])[1:-1]
    assert marker in json.dumps(body(protocol, own, CALL, SEEN))
    assert marker not in json.dumps(body(protocol, other, CALL, SEEN))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_broken_arguments_go_back_as_an_object_that_says_so(protocol: Protocol) -> None:
    sent = json.dumps(body(protocol, BROKEN, SEEN))
    assert "INVALID_JSON" in sent


def test_pictures_in_results_are_native_where_the_protocol_has_them() -> None:
    output = body("responses", CALL, SEEN)["input"][1]["output"]
    assert [part["type"] for part in output] == ["input_text", "input_image"]
    result = body("messages", CALL, SEEN)["messages"][1]["content"][0]
    assert [part["type"] for part in result["content"]] == ["text", "image"]


def test_chat_shows_pictures_after_the_last_result() -> None:
    second = CALL.model_copy(update={"id": "c2"})
    sent = body("chat", CALL, second, SEEN, SEEN.model_copy(update={"call_id": "c2"}))["messages"]
    assert [message["role"] for message in sent] == ["system", "assistant", "tool", "tool", "user"]
    assert [part["type"] for part in sent[-1]["content"]] == ["text", "image_url", "image_url"]


def test_a_model_that_cannot_see_is_told_what_the_picture_shows() -> None:
    for protocol in PROTOCOLS:
        request = ModelRequest(instructions="i", history=(UserMessage(parts=(PICTURE,)),))
        sent = json.dumps(encode(request, Target("p", "m", protocol, images=False)))
        assert "a plot" in sent
        assert "aGk=" not in sent


def test_results_of_one_answer_share_a_message_that_begins_with_them() -> None:
    second = CALL.model_copy(update={"id": "c2"})
    sent = body("messages", CALL, second, SEEN, SEEN.model_copy(update={"call_id": "c2"}), Notice(text="news"))
    assert [block["type"] for block in sent["messages"][1]["content"]] == ["tool_result", "tool_result", "text"]


def test_caches_are_asked_for_where_a_provider_has_them() -> None:
    assert body("responses", url="openai", cache_key="k")["prompt_cache_key"] == "k"
    assert "prompt_cache_key" not in body("responses", cache_key="k")
    anthropic = body("messages", url="anthropic")
    assert anthropic["cache_control"] == anthropic["system"][0]["cache_control"] == {"type": "ephemeral"}


def test_reasoning_that_was_not_stored_is_left_out_for_openai() -> None:
    bare = Reasoning(native=Native(protocol="responses", provider="p", item={"type": "reasoning", "id": "rs_1"}))
    assert body("responses", bare, url="openai")["input"] == []
    assert body("responses", bare, url="openai")["include"] == ["reasoning.encrypted_content"]
