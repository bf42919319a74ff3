"""Calls are told apart however a server numbers them."""

from __future__ import annotations

from typing import Any

import pytest

from nbagent.models.chat_calls import Calls


def delta(index: int | None = None, id: str | None = None, name: str | None = None, arguments: Any = "") -> Any:
    return {"index": index, "id": id, "function": {"name": name, "arguments": arguments}}


TWO = [("a", "f", '{"x":1}'), ("b", "f", '{"x":2}')]
STREAMS = {
    "fragments by index": [
        delta(0, "a", "f"),
        delta(0, arguments='{"x"'),
        delta(1, "b", "f"),
        delta(0, arguments=":1}"),
        delta(1, arguments='{"x":2}'),
    ],
    "whole, all with index 0": [delta(0, "a", "f", '{"x":1}'), delta(0, "b", "f", '{"x":2}')],
    "no index": [delta(None, "a", "f", '{"x":1}'), delta(None, "b", "f", '{"x":2}')],
    "id and name in each chunk": [
        delta(0, "a", "f", '{"x"'),
        delta(0, "a", "f", ":1}"),
        delta(1, "b", "f", '{"x"'),
        delta(1, "b", "f", ":2}"),
    ],
    "objects": [delta(0, "a", "f", {"x": 1}), delta(1, "b", "f", {"x": 2})],
}


@pytest.mark.parametrize("stream", STREAMS)
def test_two_calls_are_two_calls(stream: str) -> None:
    calls = Calls()
    for each in STREAMS[stream]:
        calls.add(each)
    got = [(call.id, call.name, call.arguments.replace(" ", "")) for call in calls.finished("p", "1", cut=False)]
    assert got == TWO


def test_calls_without_ids_get_some() -> None:
    calls = Calls()
    calls.add(delta(0, None, "f", '{"x":1}'))
    calls.add(delta(0, None, "f", '{"x":2}'))
    assert [call.id for call in calls.finished("p", "r1", cut=False)] == ["call_r1_1", "call_r1_2"]


@pytest.mark.parametrize(("raw", "cut"), [('{"x":', False), ('{"x":', True), ("", True), ("[1]", False)])
def test_what_is_no_whole_object_is_never_run(raw: str, cut: bool) -> None:
    calls = Calls()
    calls.add(delta(0, "a", "f", raw))
    (call,) = calls.finished("p", "1", cut=cut)
    assert call.invalid
    assert call.arguments == raw


def test_no_arguments_are_an_empty_object() -> None:
    calls = Calls()
    calls.add(delta(0, "a", "f"))
    (call,) = calls.finished("p", "1", cut=False)
    assert (call.arguments, call.invalid) == ("{}", None)
