"""What `ports.Journal` promises: events are kept, in order, when the call returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nbagent.core.events import Event, Stopped, UserSpoke
from nbagent.hosts.journal import FileJournal, read
from nbagent.ports import Journal
from nbagent.testing import MemoryJournal

Kept = tuple[Journal, Callable[[], tuple[Event, ...]]]


@pytest.fixture(params=["memory", "file"])
def journal(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    if request.param == "memory":
        memory = MemoryJournal()
        yield memory, lambda: tuple(memory.events)
        return
    monkeypatch.setenv("NBAGENT_DATA_DIR", str(tmp_path))
    file = FileJournal("s")
    yield file, lambda: read("s").events
    file.close()


async def test_each_event_is_kept_in_order_when_the_call_returns(journal: Kept) -> None:
    port, kept = journal
    events: tuple[Event, ...] = (UserSpoke(text="one"), UserSpoke(text="lång\n" * 2000 + "\ud800"), Stopped(by="user"))
    for number, event in enumerate(events, 1):
        await port.keep(event)
        assert kept() == events[:number]
