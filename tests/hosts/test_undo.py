"""What nbagent has written can be taken back, step by step, and nothing that a user wrote since is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbagent.core.errors import NotebookError
from nbagent.hosts.undo import keep, undo
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
