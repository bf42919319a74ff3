"""The published schemas are those of the code, and what is printed fits them."""

from __future__ import annotations

import io
import json

import pytest
from jsonschema import Draft202012Validator  # comes with nbformat

from nbagent.core.cells import Cell, Snapshot
from nbagent.core.events import SessionStarted, Terms, UserSpoke
from nbagent.core.session import Session
from nbagent.hosts.headless import Nobody
from nbagent.hosts.run_view import JsonLines
from nbagent.hosts.schemas import FOLDER, published
from nbagent.loop import run
from nbagent.ports import Ports
from nbagent.testing import MemoryJournal, MemoryNotebook, NamespaceKernel, ScriptedModel, calls, says


@pytest.mark.parametrize("name", published())
def test_a_published_schema_is_current(name: str) -> None:
    assert (FOLDER / name).read_text() == published()[name], "run python -m nbagent.hosts.schemas"


async def test_the_lines_of_a_turn_fit_the_schema() -> None:
    printed = io.StringIO()
    user, kernel = Nobody(JsonLines(printed)), NamespaceKernel()
    model = ScriptedModel(calls(("try_code", '{"code": "1 + 1"}'), ("no_such_tool", "{}")), says("Two."))
    notebook = MemoryNotebook(Snapshot(path="n.ipynb", cells=(Cell(id="a", kind="code", source="x = 1"),)))
    ports = Ports(model, notebook, kernel, kernel, user, MemoryJournal())
    started = SessionStarted(session="s", notebook="n.ipynb", terms=Terms(model=model.facts, approve="all"))
    await run(Session.of((started, UserSpoke(text="What is 1 + 1?"))), ports)
    lines = printed.getvalue().splitlines()
    kinds = [json.loads(line)["kind"] for line in lines]
    assert {"model answered", "code tried", "call answered", "turn ended"} <= set(kinds)
    validator = Draft202012Validator(json.loads(published()["events.schema.json"]))
    assert [error.message for line in lines for error in validator.iter_errors(json.loads(line))] == []
    assert not validator.is_valid({"kind": "something else"})
