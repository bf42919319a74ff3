"""What nbagent has written can be taken back, step by step, and nothing that a user wrote since is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbagent.core.errors import NotebookError
from nbagent.hosts.undo import Originals, keep, undo
from nbagent.notebooks.file import write


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NBAGENT_DATA_DIR", str(tmp_path / "data"))
    path = tmp_path / "n.ipynb"
    path.write_bytes(b"first")
    return path


def rewrite(path: Path, content: bytes) -> None:
    before = path.read_bytes()
    keep(path, before, content)
    write(path, content, None)


def test_each_undo_takes_one_write_back(notebook: Path) -> None:
    rewrite(notebook, b"second")
    rewrite(notebook, b"third")
    undo(notebook)
    assert notebook.read_bytes() == b"second"
    undo(notebook)
    assert notebook.read_bytes() == b"first"
    with pytest.raises(NotebookError, match="nothing is kept"):
        undo(notebook)


def test_an_edited_notebook_is_left_alone_unless_forced_and_then_nothing_is_lost(notebook: Path) -> None:
    rewrite(notebook, b"second")
    notebook.write_bytes(b"edited by hand")
    with pytest.raises(NotebookError, match="was left alone"):
        undo(notebook)
    assert notebook.read_bytes() == b"edited by hand"
    undo(notebook, force=True)
    assert notebook.read_bytes() == b"first"
    undo(notebook)
    assert notebook.read_bytes() == b"edited by hand"


def test_originals_are_private_and_bounded(notebook: Path, tmp_path: Path) -> None:
    for number in range(30):
        rewrite(notebook, b"%d" % number)
    kept = sorted((tmp_path / "data").rglob("*.ipynb"))
    assert len(kept) == 20
    assert {file.stat().st_mode & 0o777 for file in kept} == {0o600}
    assert {file.parent.stat().st_mode & 0o777 for file in kept} == {0o700}


def test_one_undo_takes_back_all_writes_of_a_turn(notebook: Path) -> None:
    originals = Originals(notebook)
    for content in (b"second", b"third", b"fourth"):
        originals.before_write(notebook.read_bytes(), content)
        write(notebook, content, None)
    undo(notebook)
    assert notebook.read_bytes() == b"first"
    with pytest.raises(NotebookError, match="nothing is kept"):
        undo(notebook)


@pytest.mark.parametrize("written", [1, 2])
def test_a_turn_that_ended_before_its_last_write_is_taken_back_whole(notebook: Path, written: int) -> None:
    originals = Originals(notebook)
    for number, content in enumerate((b"second", b"third", b"fourth")):
        originals.before_write(notebook.read_bytes(), content)
        if number == written:
            break
        write(notebook, content, None)
    undo(notebook)
    assert notebook.read_bytes() == b"first"


def test_a_first_write_that_never_happened_needs_no_undo(notebook: Path) -> None:
    rewrite(notebook, b"second")
    Originals(notebook).before_write(b"second", b"third")
    undo(notebook)
    assert notebook.read_bytes() == b"first"


def test_what_was_written_by_hand_during_a_turn_is_an_original_of_its_own(notebook: Path) -> None:
    originals = Originals(notebook)
    originals.before_write(b"first", b"second")
    notebook.write_bytes(b"second, and mine")
    originals.before_write(b"second, and mine", b"third")
    notebook.write_bytes(b"third")
    undo(notebook)
    assert notebook.read_bytes() == b"second, and mine"
