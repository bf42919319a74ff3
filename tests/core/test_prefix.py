"""Requests only grow at their end, until a compaction: a provider's cache finds all that it has seen before."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from nbagent.core import events as e
from nbagent.core.cells import Cell, Snapshot
from nbagent.core.model import (
    AssistantMessage,
    ModelAnswer,
    ModelFacts,
    ModelRequest,
    Native,
    Reasoning,
    ToolCall,
    Usage,
)
from nbagent.core.session import Session
from nbagent.loop import run
from nbagent.models.fields import encoded
from nbagent.models.http import encode
from nbagent.models.target import Protocol, Target
from nbagent.ports import Ports
from nbagent.testing import MemoryJournal, MemoryNotebook, NamespaceKernel, Reply, ScriptedModel, ScriptedUser, says

PROTOCOLS: tuple[Protocol, ...] = ("responses", "chat", "messages")
NOTEBOOK = Snapshot(
    path="n.ipynb",
    cells=(
        Cell(id="a", kind="code", source="a = 1"),
        Cell(id="b", kind="code", source="b = a + 1\nb"),
        Cell(id="t", kind="markdown", source="# Text"),
    ),
)
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("read_cells", {}),
    ("read_cells", {"cells": ["a", "b"]}),
    ("read_cells", {"cells": ["gone"]}),
    ("try_code", {"code": "a + 1", "after": "a"}),
    ("try_code", {"code": "os._exit(0)"}),
    ("try_code", {"code": "1/0", "alternatives": ["2", "print(3)"]}),
    ("propose_changes", {"summary": "s", "edits": [{"op": "replace", "cell": "a", "source": "a = 2"}]}),
    ("propose_changes", {"summary": "s", "edits": [{"op": "insert", "after": None, "source": "x = 1/0"}]}),
    ("propose_changes", {"summary": "s", "edits": [{"op": "delete", "cell": "b"}]}),
    ("update_plan", {"steps": [{"text": "t", "status": "doing"}]}),
    ("ask_user", {"question": "?"}),
    ("shell", {}),
    ("try_code", {"cod": 1}),
]
THOUGHTS = [
    Native(protocol="responses", provider="p", item={"type": "reasoning", "id": "r", "encrypted_content": "x"}),
    Native(protocol="chat", provider="p", item={"reasoning_content": "hm"}),
    Native(protocol="messages", provider="p", item={"type": "thinking", "thinking": "hm", "signature": "s"}),
]


@some.composite
def answers(draw: some.DrawFn) -> ModelAnswer:
    items: list[Any] = []
    if draw(some.booleans()):
        items.append(Reasoning(text="hm", native=draw(some.sampled_from(THOUGHTS))))
    if draw(some.booleans()):
        items.append(AssistantMessage(text=draw(some.text(min_size=1, max_size=8))))
    for name, arguments in draw(some.lists(some.sampled_from(CALLS), max_size=3)):
        items.append(ToolCall(id=f"c{draw(some.uuids())}", name=name, arguments=json.dumps(arguments)))
    stop = draw(some.sampled_from(("done", "length")))
    called = any(isinstance(item, ToolCall) for item in items)
    return ModelAnswer(items=tuple(items), stop="tools" if called else stop, usage=Usage(input=10, output=10))


def words(number: int) -> some.SearchStrategy[list[Reply]]:
    return some.lists(answers(), min_size=1, max_size=number).map(list)


class Conversation:
    """Turns of a session with changing conditions, and what was asked in them."""

    def __init__(self, turns: list[list[Reply]], facts: ModelFacts) -> None:
        self.turns = turns
        self.model = ScriptedModel(facts=facts)
        kernel = NamespaceKernel()
        self.ports = Ports(
            model=self.model,
            notebook=MemoryNotebook(NOTEBOOK),
            sandbox=kernel,
            kernel=kernel,
            user=ScriptedUser(replies=["2025"] * 100),
            journal=MemoryJournal(),
        )

    async def held(self) -> Session:
        terms = e.Terms(model=self.model.facts, approve="all", starts_empty=True)
        session = Session.of((e.SessionStarted(session="s", notebook="n.ipynb", terms=terms, guidance="Be kind."),))
        for number, replies in enumerate(self.turns):
            if number % 2:
                session = session.apply(e.TermsChanged(terms=terms.model_copy(update={"approve": "cells"})))
            self.model.answers(*replies, *([says("Done.")] * 20))
            session = await run(session.apply(e.UserSpoke(text=f"Task {number}.")), self.ports)
        return session


def grows(longer: bytes, shorter: bytes) -> bool:
    """Whether a body begins with all of another, but for the brackets that close it."""
    closing = len(shorter) - len(shorter.rstrip(b"]}"))
    return longer.startswith(shorter[: len(shorter) - closing])


def assert_grows(requests: list[ModelRequest], *protocols: Protocol) -> None:
    for before, after in pairwise(requests):
        assert after.history[: len(before.history)] == before.history
        assert (after.instructions, after.tools, after.cache_key) == (
            before.instructions,
            before.tools,
            before.cache_key,
        )
        for protocol in protocols or PROTOCOLS:
            target = Target("p", "gpt-5.6", protocol, "openai")
            assert grows(encoded(encode(after, target)), encoded(encode(before, target)))


@given(turns=some.lists(words(4), min_size=1, max_size=3))
@settings(max_examples=50, deadline=None)
def test_the_request_of_a_longer_session_begins_with_that_of_the_shorter(turns: list[list[Reply]]) -> None:
    conversation = Conversation(turns, ModelFacts(provider="p", name="m"))
    asyncio.run(conversation.held())
    assert len(conversation.model.requests) >= len(turns)
    assert_grows(conversation.model.requests)


def test_an_answer_that_was_paused_goes_on_where_it_was() -> None:
    paused = ModelAnswer(items=(AssistantMessage(text="Let me"),), stop="paused")
    conversation = Conversation([[paused, says(" see.")]], ModelFacts(provider="p", name="m"))
    asyncio.run(conversation.held())
    assert conversation.model.requests[1].history[-1] == AssistantMessage(text="Let me")
    assert_grows(conversation.model.requests, "messages")  # the one protocol whose answers pause


def test_only_a_compaction_begins_anew() -> None:
    full = ModelAnswer(items=(AssistantMessage(text="S."),), stop="paused", usage=Usage(input=90_000, output=1))
    turns: list[list[Reply]] = [[full, says("It is 3."), says("One.")], [says("Two.")]]
    conversation = Conversation(turns, ModelFacts(provider="p", name="m", window=100_000))
    session = asyncio.run(conversation.held())
    assert sum(isinstance(event, e.Compacted) for event in session.events) == 1
    first, summary, *anew = conversation.model.requests
    assert_grows([first, summary], "messages")
    assert_grows(anew)
    assert anew[0].history[0] == first.history[0]
    assert anew[0].history[: len(first.history)] != first.history


@given(events=some.integers(min_value=0))
@settings(max_examples=10, deadline=None)
def test_a_session_that_is_read_back_asks_with_the_same_bytes(events: int) -> None:
    conversation = Conversation([[says("One.")], [says("Two.")]], ModelFacts(provider="p", name="m"))
    session = asyncio.run(conversation.held())
    kept = [e.EVENTS.validate_json(e.EVENTS.dump_json(event)) for event in session.events]
    assert Session.of(kept) == session
    assert Session.of(kept[: events % len(kept)]) == Session.of(session.events[: events % len(kept)])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_changed_beginning_is_noticed(protocol: Protocol) -> None:
    target = Target("p", "m", protocol)
    one, other = (encoded(encode(ModelRequest(instructions=words, history=()), target)) for words in ("a", "b"))
    assert not grows(other, one)
