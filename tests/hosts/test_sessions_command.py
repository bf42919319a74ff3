"""`nbagent sessions`: what was done and sent can be seen, exported and taken back."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import nbformat
import pytest

from nbagent.core import events as e
from nbagent.core.cells import ReplaceSource, digest
from nbagent.core.model import AssistantMessage, ModelAnswer, ModelFacts
from nbagent.hosts.cli import main
from nbagent.hosts.journal import FileJournal, read, session_folder
from nbagent.hosts.sent import SentRequests, requests

TERMS = e.Terms(model=ModelFacts(provider="p", name="m"))


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A notebook that session s has changed."""
    monkeypatch.setenv("NBAGENT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("NO_COLOR", "1")
    path = tmp_path / "n.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("a = 2", id="a")]), path)
    there = ReplaceSource(cell_id="a", expects=digest("a = 1"), source="a = 2")
    back = ReplaceSource(cell_id="a", expects=digest("a = 2"), source="a = 1")
    keep(
        e.SessionStarted(session="s", notebook=str(path), terms=TERMS),
        e.UserSpoke(text="Make it two.\x1b[31m"),
        e.ModelAsked(),
        e.Applied(call_id="1", changes=(there,), undo=(back,), cells={"a": digest("a = 2")}),
        e.ModelAnswered(answer=ModelAnswer(items=(AssistantMessage(text="It is two."),), stop="done")),
        e.TurnEnded(how="done"),
    )
    return path


def keep(*events: e.Event) -> None:
    async def kept() -> None:
        journal = FileJournal("s")
        for event in events:
            await journal.keep(event)
        journal.close()

    asyncio.run(kept())


def source(path: Path) -> str:
    text: str = nbformat.read(path, 4).cells[0].source
    return text


@pytest.mark.usefixtures("notebook")
def test_sessions_are_listed_in_words_and_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sessions", "list"]) == 0
    words = capsys.readouterr().out
    assert words.startswith("s  ")
    assert "1 turn, done  n.ipynb" in words
    assert "\x1b" not in words
    assert main(["sessions", "list", "--json"]) == 0
    (one,) = json.loads(capsys.readouterr().out)
    assert (one["session"], one["turns"], one["state"]) == ("s", 1, "done")


@pytest.mark.usefixtures("notebook")
def test_a_session_is_shown_and_exported(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["sessions", "show", "latest"]) == 0
    words = capsys.readouterr().out
    assert "It is two." in words
    assert "\x1b" not in words
    assert main(["sessions", "export", "s", "--output", str(tmp_path / "s.jsonl")]) == 0
    lines = (tmp_path / "s.jsonl").read_text().splitlines()
    assert tuple(e.EVENTS.validate_json(line) for line in lines) == read("s").events
    assert main(["sessions", "export", "s", "--format", "markdown"]) == 0
    assert "**Changed cell a**\n\n```\na = 2\n```" in capsys.readouterr().out


def test_a_sessions_changes_are_taken_back_once(notebook: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sessions", "undo", "s"]) == 0
    assert source(notebook) == "a = 1"
    assert isinstance(read("s").events[-1], e.Undone)
    assert main(["sessions", "undo", "s"]) == 1
    assert "no changes that could be taken back" in capsys.readouterr().err
    assert main(["undo", str(notebook)]) == 0
    assert source(notebook) == "a = 2"


def test_a_cell_that_was_edited_since_is_not_taken_back(notebook: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notebook.write_text(notebook.read_text().replace("a = 2", "a = 3"))
    assert main(["sessions", "undo", "s"]) == 1
    assert source(notebook) == "a = 3"
    assert "is as it was" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["show", "nope"], ["export", "nope"], ["undo", "nope"], ["resume", "nope", "x"]])
@pytest.mark.usefixtures("notebook")
def test_a_mistyped_session_is_told(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sessions", *words]) == 2
    assert "There is no session 'nope'" in capsys.readouterr().err


@pytest.mark.usefixtures("notebook")
def test_a_turn_that_ended_has_nothing_to_go_on_with(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sessions", "resume", "s"]) == 2
    assert "nothing to go on with" in capsys.readouterr().err


@pytest.mark.usefixtures("notebook")
def test_what_was_sent_is_shown_byte_for_byte(capsys: pytest.CaptureFixture[str]) -> None:
    sent = SentRequests(session_folder("s"))
    bodies = [{"model": "m", "messages": [{"role": "user", "content": f"word {n}"} for n in range(k)]} for k in (1, 3)]
    for body in bodies:
        sent.keep("http://h/v1?key=hidden", json.dumps(body).encode())
    assert [json.loads(one.body) for one in requests(session_folder("s"))] == bodies
    assert main(["sessions", "show", "s", "--requests"]) == 0
    words = capsys.readouterr().out
    assert words.count("word 0") == words.count("word 2") == 1
    assert "hidden" not in words
    assert main(["sessions", "show", "s", "--requests", "--json"]) == 0
    assert [json.loads(line)["body"] for line in capsys.readouterr().out.splitlines()] == bodies
