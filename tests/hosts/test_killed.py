"""A real process is killed in the middle of its work: nothing is half, nothing is done twice, all can be taken back."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

from nbagent.core import events as e
from nbagent.core.errors import NotebookError
from nbagent.core.model import ToolCall, ToolResult
from nbagent.core.session import Session, resumption
from nbagent.hosts.journal import read
from nbagent.hosts.sessions import kept_sessions
from nbagent.hosts.undo import undo
from tests.models.serving import Reply, serving

DRIVER = Path(__file__).with_name("killed.py")
EDIT = {"op": "replace", "cell": "a", "source": "a = 2\nprint(a)"}


def streamed(delta: dict[str, Any], why: str) -> Reply:
    chunks = [
        {"choices": [{"index": 0, "delta": delta}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": why}]},
    ]
    return [*(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks), b"data: [DONE]\n\n"], {}


def called(name: str, number: int, **arguments: Any) -> Reply:
    function = {"name": name, "arguments": json.dumps(arguments)}
    call = {"index": 0, "id": f"call-{number}", "type": "function", "function": function}
    return streamed({"role": "assistant", "tool_calls": [call]}, "tool_calls")


SAID = streamed({"role": "assistant", "content": "Done."}, "stop")
SCRIPT = (
    called("try_code", 1, code="a = 2\nprint(a)"),
    called("propose_changes", 2, summary="Two.", edits=[EDIT]),
    SAID,
)


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NBAGENT_DATA_DIR", str(tmp_path / "data"))
    folder = tmp_path / "work"
    folder.mkdir()
    path = folder / "n.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("a = 1", id="a")]), path)
    return path


def content(path: Path) -> bytes:
    return path.read_bytes()


def unknown(session: Session) -> bool:
    """Whether it was killed between an effect, or what may have had one, and its event."""
    return session.events[-1].kind in ("call started", "cell started")


async def program(*words: str) -> tuple[int, str]:
    """Run a Python program and return how it ended and what it said."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, stdout=pipe, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(60):
        said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


async def killed(notebook: Path, kind: str, number: int) -> Session:
    async with serving(*SCRIPT) as server:
        code, said = await program(str(DRIVER), str(notebook), server.url, kind, str(number))
    assert code == -signal.SIGKILL, said
    return read(next(kept_sessions()).session)


def results(session: Session) -> dict[str, str]:
    """The results of calls, each call exactly one."""
    items = session.state.history
    calls = [item.id for item in items if isinstance(item, ToolCall)]
    found = [(item.call_id, item.model_dump_json()) for item in items if isinstance(item, ToolResult)]
    assert sorted(calls) == sorted(call_id for call_id, _ in found)
    return dict(found)


MOMENTS = [
    ("user spoke", 1),
    ("notebook seen", 1),
    ("model asked", 1),
    ("model answered", 1),
    ("call started", 1),
    ("stream", 1),
    ("code tried", 1),
    ("call answered", 1),
    ("proposed", 1),
    ("judged", 1),
    ("call started", 2),
    ("file written", 1),
    ("applied", 1),
    ("cell started", 1),
    ("cell ran", 1),
    ("text arrived", 1),
    ("turn ended", 1),
]


@pytest.mark.parametrize(("kind", "number"), MOMENTS)
async def test_a_kill_at_any_moment_leaves_all_whole_and_can_be_taken_back(
    notebook: Path, kind: str, number: int
) -> None:
    before = content(notebook)
    session = await killed(notebook, kind, number)
    now = nbformat.read(notebook, 4)
    assert now.cells[0].source in ("a = 1", EDIT["source"])
    again = Session.of((*session.events, *resumption(session)))
    told = results(again)
    assert again.state.working is False
    assert unknown(session) == any("utcome unknown" in text for text in told.values())
    if kind in ("call started", "stream", "cell started"):
        assert unknown(session)
    if content(notebook) == before:
        with pytest.raises(NotebookError, match="nothing is kept"):
            undo(notebook)
    else:
        undo(notebook)
    assert content(notebook) == before


@pytest.mark.parametrize(("kind", "number"), [("call started", 1), ("file written", 1), ("cell started", 1)])
async def test_a_killed_session_goes_on_and_repeats_nothing_by_itself(notebook: Path, kind: str, number: int) -> None:
    session = await killed(notebook, kind, number)
    there = content(notebook)
    name = next(kept_sessions()).session
    async with serving(SAID) as server:
        given = ("--model", "mine/tiny", "--base-url", server.url, "--protocol", "chat")
        code, said = await program("-m", "nbagent", "sessions", "resume", name, "And now?", *given)
    assert code == 0, said
    after = read(name)
    assert after.events[: len(session.events)] == session.events
    assert [event.kind for event in after.events[len(session.events) :]][:2] == ["resumed", "turn ended"]
    assert after.events[-1] == e.TurnEnded(how="done")
    assert ("utcome unknown" in server.requests[-1].decode()) == unknown(session)
    assert content(notebook) == there
