"""A session on disk: private, never half, in one process at a time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nbagent.core.errors import JournalError, UsageError
from nbagent.core.events import Event, ModelAsked, NotebookSeen, UserSpoke
from nbagent.hosts.journal import EVENTS_FILE, FileJournal, read


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NBAGENT_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


async def kept(session: str, *events: Event) -> None:
    journal = FileJournal(session)
    for event in events:
        await journal.keep(event)
    journal.close()


@pytest.mark.parametrize("name", ["mistyped", "../outside", "", "a b"])
def test_a_session_that_is_not_there_is_told_and_not_made(data: Path, name: str) -> None:
    with pytest.raises(UsageError, match="no session"):
        FileJournal(name, new=False)
    with pytest.raises(UsageError, match="no session"):
        read(name)
    assert [path for path in data.rglob("*") if path.is_file()] == []
    assert list((data / "sessions").iterdir() if (data / "sessions").exists() else ()) == []


def test_two_processes_do_not_share_a_session(data: Path) -> None:
    first = FileJournal("s")
    with pytest.raises(JournalError, match="open in another process"):
        FileJournal("s", new=False)
    first.close()
    FileJournal("s", new=False).close()


async def test_long_texts_lie_beside_the_events_once_and_all_is_private(data: Path) -> None:
    long = UserSpoke(text="x" * 100_000)
    old = os.umask(0)
    try:
        await kept("s", long, long)
    finally:
        os.umask(old)
    folder = data / "sessions" / "s"
    assert len(list(folder.iterdir())) == 2
    assert (folder / EVENTS_FILE).stat().st_size < 1000
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (folder, folder.parent, data)} == {0o700}
    assert read("s").events == (long, long)


async def test_a_line_that_a_crash_cut_off_is_no_event(data: Path) -> None:
    await kept("s", UserSpoke(text="one"))
    file = data / "sessions" / "s" / EVENTS_FILE
    file.write_bytes(file.read_bytes() + b'{"kind":"model as')
    assert read("s").events == (UserSpoke(text="one"),)
    await kept("s", ModelAsked())
    assert read("s").events == (UserSpoke(text="one"), ModelAsked())


async def test_text_that_looks_like_a_reference_is_kept_as_it_is() -> None:
    seen = NotebookSeen(text="", cells={"nbagent-kept": "0" * 64})
    await kept("s", seen)
    assert read("s").events == (seen,)


async def test_a_lost_file_is_told_with_where_the_rest_lies(data: Path) -> None:
    await kept("s", UserSpoke(text="x" * 5000))
    next(path for path in (data / "sessions" / "s").iterdir() if path.name != EVENTS_FILE).unlink()
    with pytest.raises(JournalError, match="cannot be read back"):
        read("s")
