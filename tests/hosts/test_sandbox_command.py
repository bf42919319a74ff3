"""`nbagent sandbox` as a person uses it: outputs, exit codes, and what becomes of the files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from nbagent.hosts.cli import main


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "data.csv").write_text("a\n1\n")
    (folder / "old.csv").write_text("old")
    return folder


def sandbox(workspace: Path, source: str, *options: str) -> int:
    file = workspace.parent / "cell.py"
    file.write_text(source)
    return main(["sandbox", "--workspace", str(workspace), *options, "--", str(file)])


def test_outputs_are_printed_and_nothing_that_a_terminal_obeys(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = """
import os, sys
from IPython.display import display
print("\\x1b]52;c;evil\\x07", "é")
os.system("echo from a shell")
display({"text/plain": "<Figure>", "image/png": "iVBORw0KGgo="}, raw=True)
print("aside", file=sys.stderr)
6 * 7
"""
    assert sandbox(workspace, source) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines() == [
        "\N{SYMBOL FOR ESCAPE}]52;c;evil\\x07 é", "from a shell", "<Figure>", "[image/png, 9 bytes]", "42"
    ]  # fmt: skip
    assert shown.err == "aside\n"


def test_an_exception_is_shown_and_told_from_success(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outside = workspace.parent / "outside" / "secret.txt"
    outside.parent.mkdir()
    outside.write_text("private")
    assert sandbox(workspace, f"open({str(outside)!r})") == 1
    err = capsys.readouterr().err
    assert "PermissionError" in err
    assert f"The sandbox did not let the code read {outside}. Allow it with --readable {outside.parent}." in err
    assert "\x1b" not in err
    assert sandbox(workspace, f"print(open({str(outside)!r}).read())", "--readable", str(outside.parent)) == 0
    assert capsys.readouterr().out == "private\n"


@pytest.mark.parametrize(
    ("source", "options", "code"),
    [
        ("import os; os._exit(0)", (), 125),
        ("while True: pass", ("--timeout", "1"), 124),
        ("import os\nos.fork()\nx = b'x' * (300 << 20)\nimport time; time.sleep(60)", ("--memory", "400"), 125),
        ("import os\nwhile True: os.write(1, b'x' * 65536)", ("--output", "1"), 125),
    ],
)
def test_what_does_not_end_well_has_its_own_exit_code(
    workspace: Path, source: str, options: tuple[str, ...], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sandbox(workspace, source, *options) == code
    shown = capsys.readouterr()
    assert "The code was ended: " in shown.err
    assert len(shown.out) + len(shown.err) <= 1 << 20, "with its own words it stays within the limit on output"


def test_wrong_usage_runs_nothing(workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "x").touch()
    for options in (("--scratch", str(full)), ("--readable", str(tmp_path / "absent")), ("--memory", "0")):
        assert sandbox(workspace, "print('ran')", *options) == 2
    assert sandbox(tmp_path / "absent", "print('ran')") == 2
    assert sandbox(Path("/tmp"), "print('ran')") == 2
    assert "ran\n" not in capsys.readouterr().out


CHANGES = """
import os
open("new.csv", "w").write("new"); open("data.csv", "a").write("2\\n"); os.remove("old.csv")
os.makedirs(".vscode"); open(".vscode/tasks.json", "w").write("evil"); open("n.ipynb", "w").write("evil")
os.symlink("/etc/passwd", "link")
"""


def test_read_only_leaves_the_workspace_as_it_was(workspace: Path) -> None:
    assert sandbox(workspace, CHANGES) == 0
    assert {path.name: path.read_text() for path in workspace.iterdir()} == {"data.csv": "a\n1\n", "old.csv": "old"}


def test_workspace_write_carries_changes_over_once_the_code_ran(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sandbox(workspace, CHANGES + "1 / 0", "--mode", "workspace-write") == 1
    assert sorted(os.listdir(workspace)) == ["data.csv", "old.csv"]
    assert f"changed files were not written to {workspace}, because the code failed" in capsys.readouterr().err
    assert sandbox(workspace, CHANGES, "--mode", "workspace-write") == 0
    assert {path.name: path.read_text() for path in workspace.iterdir()} == {"data.csv": "a\n1\n2\n", "new.csv": "new"}
    said = capsys.readouterr().err
    assert "Written to the workspace: data.csv, new.csv." in said
    assert "Removed from the workspace: old.csv." in said
    assert "n.ipynb (never written by restricted code)" in said


def test_the_scratch_shows_what_was_written_whatever_the_end(workspace: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    source = f"""
import os
os.chdir({str(scratch)!r})
open("kept", "w").write("x"); os.symlink("/etc/passwd", "out"); os.symlink("kept", "in")
1 / 0
"""
    assert sandbox(workspace, source, "--scratch", str(scratch)) == 1
    assert sorted(os.listdir(scratch)) == ["in", "kept"]


def test_full_is_not_confined(
    workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_TOKEN", "mine")
    outside = workspace.parent / "outside.txt"
    source = f"import os; open({str(outside)!r}, 'w').write('x'); print(os.environ['SOME_TOKEN'])"
    assert sandbox(workspace, source, "--mode", "full") == 0
    assert capsys.readouterr().out == "mine\n"
    assert outside.exists()


def test_json_lines_hold_outputs_and_the_end(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sandbox(workspace, "print('\\x9b é')\n1 + 1", "--json") == 0
    out = capsys.readouterr().out
    assert out.isascii()
    *outputs, end = [json.loads(line) for line in out.splitlines()]
    assert [output["kind"] for output in outputs] == ["stream", "result"]
    assert outputs[1]["metadata"] == {"untrusted": True}
    assert (end["kind"], end["status"], end["exit_code"]) == ("ended", "ok", 0)
