"""End to end against a real llama.cpp server: its words are nonsense, its wire protocol is real."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from nbagent.core.errors import ContextTooLong
from nbagent.core.model import Item, ModelProgress, ModelRequest, Text, TextArrived, ToolCall, ToolResult, ToolSpec
from nbagent.core.model import UserMessage as Said
from nbagent.models.catalog import ModelProfile
from nbagent.models.discovery import opened
from nbagent.models.http import HttpModel
from nbagent.models.target import Protocol
from tests.models.recorded import SHARED

SCRIPT = SHARED / "tools" / "tiny_server.sh"
PROTOCOLS: tuple[Protocol, ...] = ("responses", "chat", "messages")
CODE = ToolSpec(
    name="run_cell",
    description="Run code.",
    parameters={
        "type": "object",
        "properties": {"code": {"type": "string"}, "timeout": {"type": "integer"}},
        "required": ["code"],
    },
)
LIST = ToolSpec(name="list_files", description="List files.", parameters={"type": "object", "properties": {}})


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    if not SCRIPT.exists():
        pytest.skip("the real model server's script is not on this machine")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = Path(os.environ.get("TINY_SERVER_FOLDER", Path.home() / ".cache" / "tiny_llm"))
    command = ["bash", str(SCRIPT), str(port), str(folder)]
    try:
        started = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=120, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("a real model server could not be installed in two minutes")
    if started.returncode:
        pytest.skip("a real model server cannot be installed on this machine")
    pid = int((folder / "server.pid").read_text())
    yield f"http://127.0.0.1:{port}/v1"
    os.kill(pid, signal.SIGTERM)


async def model_of(address: str, protocol: Protocol) -> HttpModel:
    return await opened("tiny", {"tiny": ModelProfile(base_url=address, protocol=protocol, images=False)}, {})


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_conversation_with_tools_goes_on_over_several_requests(address: str, protocol: Protocol) -> None:
    model = await model_of(address, protocol)
    assert model.facts.window
    history: tuple[Item, ...] = ()
    calls: list[ToolCall] = []
    for number in range(6):
        shown: list[ModelProgress] = []
        history = (*history, Said(parts=(Text(text=f"Run cell {number}."),)))
        request = ModelRequest(
            instructions="You may call tools.", history=history, tools=(CODE, LIST), max_output_tokens=200
        )
        answer = await model.ask(request, shown.append)
        assert answer.usage.output > 0
        assert answer.usage.input > 0
        texts = "".join(item.text for item in answer.items if item.kind == "assistant")
        assert "".join(each.text for each in shown if isinstance(each, TextArrived)) == texts
        asked = [item for item in answer.items if isinstance(item, ToolCall)]
        calls += asked
        results = [ToolResult(call_id=call.id, parts=(Text(text=call.invalid or "ok"),)) for call in asked]
        history = (*history, *answer.items, *results)
    await model.close()
    assert calls
    assert {call.name for call in calls} <= {"run_cell", "list_files"}


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_request_that_does_not_fit_says_so(address: str, protocol: Protocol) -> None:
    model = await model_of(address, protocol)
    request = ModelRequest(instructions="i", history=(Said(parts=(Text(text="word " * 40_000),)),))
    with pytest.raises(ContextTooLong, match="conversation this long"):
        await model.ask(request, lambda progress: None)
    await model.close()
