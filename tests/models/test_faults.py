"""Every fault of a stream or a server has its right outcome: the same answer, another try, or one clear sentence."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from nbagent.core.errors import ContextTooLong, ModelError
from nbagent.core.model import ModelAnswer, ModelProgress, ModelRequest, Text, UserMessage
from nbagent.models.http import Clock, Endpoint, HttpModel
from nbagent.models.retry import Patience
from nbagent.models.target import Target
from tests.models.recorded import FAULTS, MISSING, body_of, entries, fault_module, read, target_of
from tests.models.serving import Server, serving

pytestmark = pytest.mark.skipif(not FAULTS.exists(), reason=MISSING)

HASTY = Patience(tries=3, bytes_idle=0.3, events_idle=0.3, first_event=0.5)
KEY = "sk-very-secret-0123456789"
ASKED = ModelRequest(instructions="Be brief.", history=(UserMessage(parts=(Text(text="Hello"),)),))
SAMPLES = {
    "responses": "openai/pydantic-ai__test_openai_responses_streaming_usage__0",
    "chat": "openai/pydantic-ai__test_complex_agent_run_in_flow__1",
    "messages": "anthropic/llm-anthropic__test_tools__0",
}
READABLE = [entry for entry in entries() if not entry["expected"]["error"]]
MODULE = fault_module() if FAULTS.exists() else None
SAME = MODULE.SAME if MODULE else []


def sample(kind: str) -> dict[str, Any]:
    return next(entry for entry in entries() if entry["id"] == SAMPLES[kind])


async def asked(server: Server, kind: str, waits: list[float]) -> ModelAnswer:
    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    shown: list[ModelProgress] = []
    clock = Clock(sleep=sleep, now=lambda: datetime(2026, 11, 24, tzinfo=UTC), dice=lambda: 0.5)
    target = Target("vendor", "model", kind)  # type: ignore[arg-type]  # the kinds are the protocols' names
    model = HttpModel(Endpoint(target, server.url, {"authorization": f"Bearer {KEY}"}), patience=HASTY, clock=clock)
    try:
        async with asyncio.timeout(5):  # a server that only sends pings must not be waited for
            return await model.ask(ASKED, shown.append)
    finally:
        await model.close()


def test_a_fault_that_loses_nothing_changes_nothing() -> None:
    for entry in READABLE:
        target, body = target_of(entry), body_of(entry)
        clean = read(target, [body])
        for name in SAME:
            assert read(target, MODULE.FAULTS[name](body)[0]) == clean, (entry["id"], name)


RETRIED = [
    *[(fault, kind) for kind in SAMPLES for fault in ("cut_mid_event", "cut_between", "eof_between", "reset")],
    *[(fault, kind) for kind in SAMPLES for fault in ("hang", "hang_with_pings", "bad_json_event", "err_openai")],
    *[(fault, kind) for kind in SAMPLES for fault in ("err_anthropic", "err_first_anthropic", "h529", "h500_empty")],
    *[(fault, kind) for kind in SAMPLES for fault in ("h429_seconds", "h429_ms", "h503_html", "h504_text")],
    *[(fault, kind) for kind in SAMPLES for fault in ("h200_error_json", "err_responses_failed")],
    ("no_terminal", "responses"),
    ("no_terminal", "messages"),
    ("err_openrouter", "chat"),
    ("err_responses_error", "responses"),
]


@pytest.mark.parametrize(("fault", "kind"), RETRIED)
async def test_a_passing_fault_is_tried_again(fault: str, kind: str) -> None:
    body, waits = body_of(sample(kind)), []
    async with serving(MODULE.FAULTS[fault](body), ([body], {})) as server:
        answer = await asked(server, kind, waits)
        assert answer == read(Target("vendor", "model", kind), [body])  # type: ignore[arg-type]  # as above
        assert len(server.requests) == 2
        assert server.requests[0] == server.requests[1]


@pytest.mark.parametrize("kind", SAMPLES)
async def test_a_lasting_fault_ends_in_one_sentence(kind: str) -> None:
    waits: list[float] = []
    async with serving(MODULE.FAULTS["cut_between"](body_of(sample(kind)))) as server:
        with pytest.raises(ModelError, match="Nothing was lost"):
            await asked(server, kind, waits)
        assert len(server.requests) == 3
        assert waits == [0.5, 1.0]


@pytest.mark.parametrize("fault", ["no_done", "after_done", "no_terminal"])
async def test_chat_ends_by_its_finish_reason(fault: str) -> None:
    body = body_of(sample("chat"))
    async with serving(MODULE.FAULTS[fault](body)) as server:
        assert await asked(server, "chat", []) == read(Target("vendor", "model", "chat"), [body])


TOLD = {
    "h429_date": (ModelError, "overloaded"),
    "h429_long": (ModelError, "overloaded"),
    "h429_quota": (ModelError, "quota or credit"),
    "h429_no_retry": (ModelError, "overloaded"),
    "h200_html": (ModelError, "web page"),
    "h400_ctx": (ContextTooLong, "conversation this long"),
    "h400_ctx_llamacpp": (ContextTooLong, "conversation this long"),
    "h400_ctx_anthropic": (ContextTooLong, "conversation this long"),
    "h401_string": (ModelError, "API key"),
    "h413": (ContextTooLong, "conversation this long"),
    "err_responses_ctx": (ContextTooLong, "conversation this long"),
}


@pytest.mark.parametrize("fault", TOLD)
async def test_a_fault_that_stays_is_told_at_once(fault: str) -> None:
    error, words = TOLD[fault]
    async with serving(MODULE.FAULTS[fault](body_of(sample("responses")))) as server:
        with pytest.raises(ModelError, match=words) as caught:
            await asked(server, "responses", [])
        assert type(caught.value) is error
        assert len(server.requests) == 1


async def test_a_server_that_says_how_long_is_waited_for() -> None:
    body, waits = body_of(sample("responses")), []
    replies = [MODULE.FAULTS[fault](body) for fault in ("h429_ms", "err_responses_failed")]
    async with serving(*replies, ([body], {})) as server:
        await asked(server, "responses", waits)
    assert waits == pytest.approx([0.12 * 1.05, 1.898 * 1.05])


async def test_the_key_is_in_no_error_and_no_repr() -> None:
    said = (b'{"error":{"message":"Incorrect API key provided: %s"}}' % KEY.encode(),)
    async with serving((said, {"status": 401, "headers": {"content-type": "application/json"}})) as server:
        with pytest.raises(ModelError, match="API key") as caught:
            await asked(server, "responses", [])
        assert KEY in server.heads[0]
        endpoint = Endpoint(Target("vendor", "model", "chat"), server.url, {"authorization": KEY})
    assert KEY not in str(caught.value) + repr(caught.value) + repr(endpoint)


async def test_a_server_that_is_not_there_is_told_and_no_proxy_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(([b"<html>proxy</html>"], {"headers": {"content-type": "text/html"}})) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.removesuffix("/v1"))
        with pytest.raises(ModelError, match="cannot be reached"):
            await asked(Server([], url="http://127.0.0.1:9/v1"), "chat", [])
        assert proxy.requests == []
