"""What `ports.Model` promises: what is shown is returned, no answer is an error, cancelling ends the request."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import pytest

from nbagent.core.errors import ContextTooLong, ModelError
from nbagent.core.model import (
    AssistantMessage,
    ModelProgress,
    ModelRequest,
    Text,
    TextArrived,
    ToolCall,
    Usage,
    UserMessage,
)
from nbagent.models.http import Endpoint, HttpModel
from nbagent.models.retry import Patience
from nbagent.models.target import Target
from nbagent.ports import Model
from nbagent.testing import ScriptedModel, WaitingModel, calls, says
from tests.models.serving import serving

ASKED = ModelRequest(instructions="Be brief.", history=(UserMessage(parts=(Text(text="Hello"),)),))
SPENT = Usage(input=12, output=3)
PROTOCOLS = ("responses", "chat", "messages")
MESSAGE = {"type": "message", "id": "m1", "role": "assistant", "content": [{"type": "output_text", "text": "Good day"}]}
ORDER = {"type": "function_call", "id": "f1", "call_id": "call-1", "name": "read_cells", "arguments": '{"all": true}'}
COUNTED = {"input_tokens": 12, "output_tokens": 3}
RESPONSES = {
    "words": (
        {
            "type": "response.output_text.delta",
            "output_index": 0,
            "content_index": 0,
            "item_id": "m1",
            "delta": "Good ",
        },
        {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "item_id": "m1", "delta": "day"},
        {"type": "response.output_item.done", "output_index": 0, "item": MESSAGE},
        {"type": "response.completed", "response": {"status": "completed", "output": [MESSAGE], "usage": COUNTED}},
    ),
    "order": (
        {"type": "response.output_item.done", "output_index": 0, "item": ORDER},
        {"type": "response.completed", "response": {"status": "completed", "output": [ORDER], "usage": COUNTED}},
    ),
}
CHAT = {
    "words": (
        {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Good "}}]},
        {"choices": [{"index": 0, "delta": {"content": "day"}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {"choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": 3}},
    ),
    "order": (
        {
            "choices": [
                {
                    "index": 0,
                    "delta": {
                        "tool_calls": [
                            {
                                "index": 0,
                                "id": "call-1",
                                "type": "function",
                                "function": {"name": "read_cells", "arguments": '{"all": '},
                            }
                        ]
                    },
                }
            ]
        },
        {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": "true}"}}]}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
        {"choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": 3}},
    ),
}
START = {"type": "message_start", "message": {"id": "m1", "role": "assistant", "content": [], "usage": COUNTED}}
MESSAGES = {
    "words": (
        START,
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Good "}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "day"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}},
        {"type": "message_stop"},
    ),
    "order": (
        START,
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "tool_use", "id": "call-1", "name": "read_cells", "input": {}},
        },
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "input_json_delta", "partial_json": '{"all": true}'},
        },
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 3}},
        {"type": "message_stop"},
    ),
}
STREAMS = {"responses": RESPONSES, "chat": CHAT, "messages": MESSAGES}

Playing = Callable[[str], AbstractAsyncContextManager[Model]]


def body(protocol: str, what: str) -> bytes:
    events = STREAMS[protocol][what]
    lines = "".join(f"event: {event.get('type', 'message')}\ndata: {json.dumps(event)}\n\n" for event in events)
    return (lines + ("data: [DONE]\n\n" if protocol == "chat" else "")).encode()


def scripted(what: str) -> AbstractAsyncContextManager[Model]:
    too_long = ContextTooLong("The request is longer than the model can read. Compact the session.")
    models = {
        "words": lambda: ScriptedModel(says("Good day", SPENT)),
        "order": lambda: ScriptedModel(calls(("read_cells", '{"all": true}'), usage=SPENT)),
        "refused": lambda: ScriptedModel(ModelError("The key is refused. Set another one.")),
        "too long": lambda: ScriptedModel(too_long),
        "silent": WaitingModel,
    }
    return contextlib.nullcontext(models[what]())


def over_http(protocol: str) -> Playing:
    @contextlib.asynccontextmanager
    async def playing(what: str) -> AsyncIterator[Model]:
        too_long = {"error": {"code": "context_length_exceeded", "type": "invalid_request_error", "message": "long"}}
        if protocol == "messages":
            too_long = {
                "error": {"type": "invalid_request_error", "message": "prompt is too long: 9 tokens > 8 maximum"}
            }
        json_answer = {"content-type": "application/json"}
        replies = {
            "refused": ([b'{"error": {"message": "no such key"}}'], {"status": 401, "headers": json_answer}),
            "too long": ([json.dumps(too_long).encode()], {"status": 400, "headers": json_answer}),
            "silent": ([b": alive\n\n"], {"close": "hang"}),
        }
        reply = replies[what] if what in replies else ([body(protocol, what)], {})
        async with serving(reply) as server:
            target = Target("vendor", "model", protocol)  # type: ignore[arg-type]  # the names are the protocols'
            model = HttpModel(Endpoint(target, server.url), patience=Patience(tries=1))
            try:
                yield model
            finally:
                await model.close()

    return playing


@pytest.fixture(params=["scripted", *PROTOCOLS])
def play(request: pytest.FixtureRequest) -> Playing:
    return scripted if request.param == "scripted" else over_http(request.param)


async def test_what_was_shown_is_what_is_returned(play: Playing) -> None:
    shown: list[ModelProgress] = []
    async with play("words") as model:
        answer = await model.ask(ASKED, shown.append)
    assert "".join(news.text for news in shown if isinstance(news, TextArrived)) == "Good day"
    assert [item.text for item in answer.items if isinstance(item, AssistantMessage)] == ["Good day"]
    assert (answer.stop, answer.usage) == ("done", SPENT)


async def test_a_tool_is_called_by_name_with_whole_arguments(play: Playing) -> None:
    async with play("order") as model:
        answer = await model.ask(ASKED, lambda _: None)
    (call,) = answer.items
    assert isinstance(call, ToolCall)
    assert (call.id, call.name, json.loads(call.arguments), call.invalid) == (
        "call-1",
        "read_cells",
        {"all": True},
        None,
    )
    assert answer.stop == "tools"


@pytest.mark.parametrize(("what", "error"), [("refused", ModelError), ("too long", ContextTooLong)])
async def test_no_answer_is_a_sentence_that_says_what_to_do(play: Playing, what: str, error: type[ModelError]) -> None:
    async with play(what) as model:
        with pytest.raises(error) as raised:
            await model.ask(ASKED, lambda _: None)
    assert len(str(raised.value).splitlines()) == 1
    assert isinstance(raised.value, ContextTooLong) == (what == "too long")


async def test_cancelling_ends_the_request(play: Playing) -> None:
    async with asyncio.timeout(10), play("silent") as model:
        asking = asyncio.create_task(model.ask(ASKED, lambda _: None))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait((asking,))
        assert asking.cancelled()


async def test_a_model_names_itself(play: Playing) -> None:
    async with play("words") as model:
        assert model.facts.provider
        assert model.facts.name
