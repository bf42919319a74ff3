"""Ctrl-C ends a turn cleanly: every call has its one result, and the exit code says so."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

from nbagent.core import events as e
from nbagent.core.model import ToolCall, ToolResult
from nbagent.hosts.journal import read
from nbagent.hosts.sessions import kept_sessions
from tests.models.serving import Reply, serving


def chunk(delta: dict[str, Any], why: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": why}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


def call(number: int, code: str) -> dict[str, Any]:
    function = {"name": "try_code", "arguments": json.dumps({"code": code})}
    return {"index": number, "id": f"call-{number}", "type": "function", "function": function}


STREAMING: Reply = ([chunk({"role": "assistant", "content": "Well"})], {"close": "hang"})
TRYING: Reply = (
    [
        chunk({"role": "assistant", "tool_calls": [call(0, "import time; time.sleep(100)"), call(1, "2")]}),
        chunk({}, "tool_calls"),
        b"data: [DONE]\n\n",
    ],
    {},
)


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NBAGENT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("NBAGENT_CONFIG_FILE", str(tmp_path / "settings.toml"))
    path = tmp_path / "n.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("a = 1", id="a")]), path)
    return path


async def interrupted(notebook: Path, moment: str) -> int:
    """Run, press Ctrl-C once the event is told, and return the exit code."""
    words = ("-m", "nbagent", "run", str(notebook), "Go.", "--model", "mine/tiny", "--json")
    process = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    async with asyncio.timeout(50):
        while json.loads(await process.stdout.readline())["kind"] != moment:
            pass
        os.kill(process.pid, signal.SIGINT)
        await process.stdout.read()
        return await process.wait()


@pytest.mark.parametrize(("reply", "moment"), [(STREAMING, "model asked"), (TRYING, "call started")])
async def test_one_interrupt_ends_the_turn_with_every_call_answered(
    notebook: Path, tmp_path: Path, reply: Reply, moment: str
) -> None:
    async with serving(reply) as server:
        profile = f'[profiles.mine]\nbase_url = "{server.url}"\nprotocol = "chat"\nwindow = 100000\n'
        (tmp_path / "settings.toml").write_text(profile)
        assert await interrupted(notebook, moment) == 130
    session = read(next(kept_sessions()).session)
    items = session.state.history
    calls = [item.id for item in items if isinstance(item, ToolCall)]
    assert calls == [item.call_id for item in items if isinstance(item, ToolResult)]
    assert [event.kind for event in session.events][-2:] == ["stopped", "turn ended"]
    assert isinstance(session.events[-1], e.TurnEnded)
    assert session.events[-1].how == "stopped"
