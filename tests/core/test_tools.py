"""The tools as a model is told of them, and calls as they come back."""

from __future__ import annotations

import json

import pytest

from nbagent.core.model import ToolCall
from nbagent.core.tools import (
    AskUser,
    Insert,
    Order,
    ProposeChanges,
    ReadCells,
    Step,
    TryCode,
    UpdatePlan,
    order,
    specs,
)


def test_tools_are_sorted_described_and_without_what_small_servers_do_not_read() -> None:
    told = specs()
    assert [tool.name for tool in told] == ["ask_user", "propose_changes", "read_cells", "try_code", "update_plan"]
    assert all(tool.description for tool in told)
    words = json.dumps([dict(tool.parameters) for tool in told])
    assert not [key for key in ("$ref", "$defs", "title", "discriminator", "oneOf", '"default"') if key in words]
    assert {tool.parameters["type"] for tool in told} == {"object"}


def called(name: str, arguments: str) -> Order | str:
    return order(ToolCall(id="c", name=name, arguments=arguments))


@pytest.mark.parametrize(
    ("name", "arguments", "meant"),
    [
        ("read_cells", {}, ReadCells()),
        ("read_cells", {"cells": ["a"], "outputs": False}, ReadCells(cells=("a",), outputs=False)),
        ("try_code", {"code": "1", "after": "a"}, TryCode(code="1", after="a")),
        ("ask_user", {"question": "?", "options": ["y"]}, AskUser(question="?", options=("y",))),
        (
            "update_plan",
            {"steps": [{"text": "t", "status": "done"}]},
            UpdatePlan(steps=(Step(text="t", status="done"),)),
        ),
        (
            "propose_changes",
            {"summary": "s", "edits": [{"op": "insert", "after": None, "source": "x"}]},
            ProposeChanges(summary="s", edits=(Insert(op="insert", after=None, source="x"),)),
        ),
    ],
)
def test_arguments_become_an_order(name: str, arguments: dict[str, object], meant: Order) -> None:
    assert called(name, json.dumps(arguments)) == meant


def test_a_raw_line_break_in_a_string_is_meant_as_one() -> None:
    assert called("try_code", '{"code": "a\nb"}') == TryCode(code="a\nb")


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("shell", "{}", "There is no tool 'shell'. The tools are ask_user, propose_changes"),
        ("try_code", "{", "not JSON"),
        ("try_code", "[]", "do not fit try_code"),
        ("try_code", '{"code": 1, "x": 2}', "code: Input should be a valid string; x: Extra inputs"),
        ("propose_changes", '{"summary": "s", "edits": [{"op": "paint"}]}', "edits"),
        ("propose_changes", '{"summary": "s", "edits": [{"op": "insert", "id": "a b"}]}', "edits.0.insert.id: String"),
    ],
)
def test_what_does_not_fit_is_said_so_that_the_call_can_be_made_again(name: str, arguments: str, words: str) -> None:
    said = called(name, arguments)
    assert isinstance(said, str)
    assert words in said


def test_arguments_that_came_broken_are_never_used() -> None:
    said = order(ToolCall(id="c", name="read_cells", arguments="{}", invalid="The answer was cut off."))
    assert isinstance(said, str)
    assert "The answer was cut off." in said
