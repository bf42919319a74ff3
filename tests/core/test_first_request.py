"""The first request as a model reads it, kept as a text file: a change of the prompt is a diff that can be reviewed.

`NBAGENT_UPDATE_SNAPSHOTS=1 pytest tests/core/test_first_request.py` writes it anew.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

from nbagent.core import events as e
from nbagent.core.cells import Cell, Snapshot
from nbagent.core.model import Image, ModelFacts, ModelRequest, Text, ToolResult, UserMessage
from nbagent.core.outputs import Display, Result, StreamText
from nbagent.core.session import Session
from nbagent.loop import run
from nbagent.ports import Ports
from nbagent.testing import MemoryJournal, MemoryNotebook, NamespaceKernel, ScriptedModel, ScriptedUser, says

SNAPSHOT = Path(__file__).parent / "snapshots" / "first_request.txt"
NOTEBOOK = Snapshot(
    path="sales.ipynb",
    kernel="python3",
    language="python",
    cells=(
        Cell(id="title", kind="markdown", source="# Sales of 2025\n\nBy region."),
        Cell(id="imports", kind="code", source="import pandas as pd\nimport numpy as np", execution_count=1),
        Cell(
            id="load",
            kind="code",
            source='sales = pd.read_csv("sales.csv")\nsales',
            execution_count=5,
            outputs=(Result(data={"text/html": "<table>", "text/plain": "  region\n\n[120 rows x 4 columns]"}),),
        ),
        Cell(
            id="plot",
            kind="code",
            source="sales.plot()\nprint(len(sales))",
            execution_count=3,
            outputs=(StreamText(name="stdout", text="120\n"), Display(data={"image/png": "aGk="})),
        ),
        Cell(id="rest", kind="code", source="sales.groupby('region').sum()"),
    ),
)  # fmt: skip


def written(request: ModelRequest) -> str:
    """A request as text for a reader."""
    parts = ["=== instructions", request.instructions]
    for tool in request.tools:
        parts += [f"=== tool {tool.name}", tool.description, json.dumps(dict(tool.parameters), indent=1)]
    for item in request.history:
        parts.append(f"=== {item.kind}")
        if isinstance(item, UserMessage | ToolResult):
            parts += [f"[{p.media_type}]" if isinstance(p, Image) else p.text for p in item.parts]
        else:
            parts.append(getattr(item, "text", ""))
    return "\n".join(parts) + "\n"


def test_the_first_request_is_the_one_on_file() -> None:
    model, kernel = ScriptedModel(says("Hello."), facts=ModelFacts(provider="p", name="m")), NamespaceKernel()
    kernel.live["prices"] = [1, 2]
    ports = Ports(model, MemoryNotebook(NOTEBOOK), kernel, kernel, ScriptedUser(), MemoryJournal())
    skill = e.Skill(name="charts", description="How charts look here.", path=".agents/skills/charts/SKILL.md")
    opening = e.SessionStarted(
        session="s",
        notebook="sales.ipynb",
        terms=e.Terms(model=model.facts, starts_empty=True),
        guidance="--- AGENTS.md\nWrite euros, not dollars.",
        skills=(skill,),
    )
    asyncio.run(run(Session.of((opening, e.UserSpoke(text="Which region grew most?"))), ports))
    now = written(model.requests[0])
    if os.environ.get("NBAGENT_UPDATE_SNAPSHOTS"):
        SNAPSHOT.write_text(now, "utf-8")
    assert now == SNAPSHOT.read_text("utf-8")


def test_every_kind_of_item_can_be_written_down() -> None:
    seen = ToolResult(call_id="1", parts=(Text(text="a"), Image(media_type="image/png", data="aGk=")))
    assert (
        written(ModelRequest(instructions="i", history=(seen,))) == "=== instructions\ni\n=== result\na\n[image/png]\n"
    )
