"""A notebook's text changes exactly where a change means it to, whatever the file's style."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbagent.core.cells import DeleteCell, InsertCell, MoveCell, ReplaceSource, SetKernel
from nbagent.core.errors import NotebookError, StaleCell
from nbagent.core.outputs import Display, Execution, Raised, Result, StreamText
from nbagent.notebooks import scan
from nbagent.notebooks.document import Document
from nbagent.notebooks.file import FileChanged, FileNotebook, write

SOURCES = st.lists(
    st.text(alphabet=st.sampled_from('ab "\\\n\t{}[],:éΩ\u2028😀#'), max_size=30), min_size=1, max_size=5
)


def notebook(sources: list[str], *, ids: bool = True) -> dict[str, Any]:
    cells: list[dict[str, Any]] = []
    for number, source in enumerate(sources):
        cell: dict[str, Any] = {
            "cell_type": "code",
            "execution_count": number,
            "metadata": {"collapsed": False, "tags": ["kept"]},
            "outputs": [{"name": "stdout", "output_type": "stream", "text": ["é {[\n"]}],
            "source": source.splitlines(keepends=True),
        }
        if ids:
            cell["id"] = f"id{number}"
        cells.append(cell)
    return {
        "cells": cells,
        "metadata": {"kernelspec": {"display_name": "Python 2", "language": "python", "name": "python2"}},
        "nbformat": 4,
        "nbformat_minor": 5 if ids else 4,
    }


STYLES: list[dict[str, Any]] = [
    {"indent": 1, "ensure_ascii": False, "sort_keys": True},
    {"indent": 2, "ensure_ascii": True},
    {"indent": "\t", "ensure_ascii": False},
    {"indent": None, "ensure_ascii": False},
    {"indent": None, "separators": (",", ":")},
]


def document(sources: list[str], style: dict[str, Any], *, crlf: bool = False, bom: bool = False) -> Document:
    text = json.dumps(notebook(sources), **style) + "\n"
    text = ("\ufeff" if bom else "") + (text.replace("\n", "\r\n") if crlf else text)
    return Document.of_bytes(Path("n.ipynb"), text.encode())


def cell_texts(text: str) -> list[str]:
    root = scan.value_at(text, 1 if text.startswith("\ufeff") else 0)
    cells = scan.find(text, root, "cells")
    assert cells is not None
    return [span.of(text) for span in scan.items(text, cells.value)]


@settings(deadline=None)
@given(SOURCES, st.sampled_from(STYLES), st.booleans(), st.booleans(), st.data())
def test_changing_one_cell_leaves_every_other_byte(
    sources: list[str], style: dict[str, Any], crlf: bool, bom: bool, data: st.DataObject
) -> None:
    read = document(sources, style, crlf=crlf, bom=bom)
    at = data.draw(st.integers(0, len(sources) - 1))
    cell = read.snapshot.cells[at]
    new = cell.source + "\nmore = 'é'"
    text = read.changed([ReplaceSource(cell_id=cell.id, expects=cell.digest, source=new)])
    before, after = cell_texts(read.text), cell_texts(text)
    assert [b for i, b in enumerate(before) if i != at] == [a for i, a in enumerate(after) if i != at]
    start = read.text.index(before[at]) if before.count(before[at]) == 1 else 0
    assert text[:start] == read.text[:start]
    expected = notebook(sources)
    expected["cells"][at] |= {"source": new.splitlines(keepends=True), "outputs": [], "execution_count": None}
    assert json.loads(text.removeprefix("\ufeff")) == expected
    assert text.endswith("\r\n" if crlf else "\n")
    assert ("\r\n" in text) == crlf or style["indent"] is None


@given(SOURCES, st.sampled_from(STYLES))
def test_no_change_is_the_same_text(sources: list[str], style: dict[str, Any]) -> None:
    read = document(sources, style)
    assert read.changed([]) == read.text


@pytest.mark.parametrize("style", STYLES)
def test_cells_are_inserted_deleted_and_moved_without_touching_the_rest(style: dict[str, Any]) -> None:
    read = document(["a", "b", "c"], style)
    a, b, c = read.snapshot.cells
    text = read.changed(
        [
            MoveCell(cell_id=c.id, expects=c.digest, after=None),
            DeleteCell(cell_id=b.id, expects=b.digest),
            InsertCell(after=a.id, new_id="new", source="x = 1\ny = 2"),
        ]
    )
    old = cell_texts(read.text)
    new = cell_texts(text)
    assert new[:2] == [old[2], old[0]]
    nbformat.validate(nbformat.reads(text, as_version=4))
    assert json.loads(new[2])["source"] == ["x = 1\n", "y = 2"]
    assert json.loads(new[2])["id"] == "new"


def test_a_file_in_the_style_of_nbformat_stays_in_it() -> None:
    text = nbformat.writes(nbformat.from_dict(notebook(["a = 1", "b = 'é'"]))) + "\n"
    read = Document.of_bytes(Path("n.ipynb"), text.encode())
    cell = read.snapshot.cells[0]
    execution = Execution(
        status="ok",
        execution_count=7,
        outputs=(
            StreamText(name="stdout", text="one\ntwo"),
            Result(data={"text/plain": "1\n2", "image/png": "aWk=\n"}, execution_count=7),
            Display(data={"application/json": {"a": [1]}}, display_id="d"),
            Raised(ename="E", evalue="v", traceback=("t",)),
        ),
    )
    changed = read.changed(
        [ReplaceSource(cell_id=cell.id, expects=cell.digest, source="a = 2\nb")], {cell.id: execution}
    )
    assert changed == nbformat.writes(nbformat.reads(changed, as_version=4)) + "\n"
    again = Document.of_bytes(Path("n.ipynb"), changed.encode()).snapshot.cells[0]
    assert again.outputs == tuple(
        o.model_copy(update={"display_id": None}) if isinstance(o, Display) else o for o in execution.outputs
    )


def test_ids_are_derived_for_old_notebooks_and_never_written() -> None:
    text = json.dumps(notebook(["a", "b"], ids=False), indent=1)
    read = Document.of_bytes(Path("n.ipynb"), text.encode())
    assert [cell.id for cell in read.snapshot.cells] == ["cell-1", "cell-2"]
    first = read.snapshot.cells[0]
    changed = read.changed([InsertCell(after=None, new_id="x", source="1")])
    assert '"id"' not in changed
    assert '"id"' not in read.changed([ReplaceSource(cell_id=first.id, expects=first.digest, source="z")])


@pytest.mark.parametrize("metadata", [{}, {"other": 1}, {"kernelspec": {"name": "python2", "display_name": "P"}}])
@pytest.mark.parametrize("indent", [1, None])
def test_the_kernelspec_is_set_wherever_the_metadata_left_it(metadata: dict[str, Any], indent: int | None) -> None:
    text = json.dumps({**notebook(["a"]), "metadata": metadata}, indent=indent)
    read = Document.of_bytes(Path("n.ipynb"), text.encode())
    change = SetKernel(expects=read.snapshot.kernel, name="python3", display_name="Python 3")
    changed = json.loads(read.changed([change]))
    expected = {"display_name": "Python 3", "language": "python", "name": "python3"}
    assert changed["metadata"] == {**metadata, "kernelspec": expected}


def test_a_stale_edit_is_refused() -> None:
    read = document(["a"], STYLES[0])
    with pytest.raises(StaleCell):
        read.changed([ReplaceSource(cell_id="id0", expects="0" * 16, source="b")])


def test_format_3_becomes_4_without_ids() -> None:
    old = {
        "metadata": {"name": ""},
        "nbformat": 3,
        "nbformat_minor": 0,
        "worksheets": [
            {"cells": [{"cell_type": "code", "input": ["print 1\n", "2"], "outputs": [], "language": "python"}]}
        ],
    }
    read = Document.of_bytes(Path("n.ipynb"), json.dumps(old).encode()).upgraded()
    assert read.upgraded_from == 3
    assert [cell.source for cell in read.snapshot.cells] == ["print 1\n2"]
    assert '"id"' not in read.text
    nbformat.validate(nbformat.reads(read.text, as_version=4))


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "the file is empty"),
        (b"  \n", "the file is empty"),
        (b"not json", "it is not JSON (line 1)"),
        (json.dumps(notebook(["a"])).encode()[:-20], "cut short"),
        (json.dumps(notebook(["a"]), indent=1).encode()[:40], "cut short"),
        (b"[1, 2]", "it is JSON, but not a notebook"),
        (b'{"a": 1}', "it is JSON, but not a notebook"),
        (b'{"nbformat": 2}', "notebook format 2"),
        (b'{"nbformat": 4}', "no list of cells"),
        (b'{"nbformat": 4, "cells": [{"source": 5}]}', "neither text nor a list"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_bad_input_is_one_sentence(raw: bytes, sentence: str) -> None:
    with pytest.raises(NotebookError, match=r"Nothing was changed\.$") as raised:
        Document.of_bytes(Path("n.ipynb"), raw)
    assert sentence in str(raised.value)


def test_a_missing_file_and_a_folder_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(NotebookError, match="there is no such file"):
        Document.read(tmp_path / "no.ipynb")
    with pytest.raises(NotebookError, match="this is a folder"):
        Document.read(tmp_path)


async def test_a_file_written_by_somebody_else_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "n.ipynb"
    path.write_text(json.dumps(notebook(["a"])))
    open_notebook = FileNotebook(path)
    cell = (await open_notebook.read()).cells[0]
    theirs = json.dumps(notebook(["theirs"]))
    path.write_text(theirs)
    with pytest.raises(FileChanged):
        await open_notebook.change([ReplaceSource(cell_id=cell.id, expects=cell.digest, source="mine")])
    assert path.read_text() == theirs
    assert os.listdir(tmp_path) == ["n.ipynb"]


def test_writing_keeps_permissions_and_follows_links(tmp_path: Path) -> None:
    real = tmp_path / "real.ipynb"
    real.write_text("old")
    real.chmod(0o640)
    link = tmp_path / "link.ipynb"
    link.symlink_to(real)
    write(link, b"new", None)
    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    assert real.stat().st_mode & 0o777 == 0o640


def test_a_folder_that_cannot_be_written_is_one_sentence() -> None:
    with pytest.raises(NotebookError, match="could not be written"):
        write(Path("/proc/no-such.ipynb"), b"new", None)


def test_a_pipe_or_a_device_is_told_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.ipynb")
    (tmp_path / "zeros.ipynb").symlink_to("/dev/zero")
    for name in ("pipe.ipynb", "zeros.ipynb"):
        with pytest.raises(NotebookError, match="a pipe or a device"):
            Document.read(tmp_path / name)
