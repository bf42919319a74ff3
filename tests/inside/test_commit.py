"""What code wrote is carried into real folders without following a link, making anything special, or touching names
that it may never change."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from nbagent.inside.commit import Carrier
from nbagent.sandbox.secrets import NEVER_WRITTEN


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    return source, target


def carried(source: Path, target: Path) -> Carrier:
    carrier = Carrier(NEVER_WRITTEN)
    left, right = os.open(source, os.O_RDONLY), os.open(target, os.O_RDONLY)
    try:
        carrier.carry(left, right)
    finally:
        os.close(left)
        os.close(right)
    return carrier


def test_files_and_folders_arrive_with_content_and_time_but_no_bit_that_gives_rights(
    folders: tuple[Path, Path],
) -> None:
    source, target = folders
    (source / "a" / "b").mkdir(parents=True)
    (source / "a" / "b" / "tool").write_text("x")
    os.utime(source / "a" / "b" / "tool", (5, 7))
    (source / "a" / "b" / "tool").chmod(0o6755)
    (source / "a" / "link").symlink_to("b/tool")
    done = carried(source, target)
    made = target / "a" / "b" / "tool"
    assert made.read_text() == "x"
    assert (stat.S_IMODE(made.stat().st_mode), made.stat().st_mtime) == (0o755, 7)
    assert os.readlink(target / "a" / "link") == "b/tool"
    assert done.written == ["a/", "a/b/", "a/b/tool", "a/link"]


@pytest.mark.parametrize("leads", ["/etc/passwd", "../../etc", "a/../../x", "loop/..", "a/b/../../.."])
def test_a_link_that_could_lead_out_is_not_made(folders: tuple[Path, Path], leads: str) -> None:
    source, target = folders
    (source / "link").symlink_to(leads)
    assert carried(source, target).kept_back == [["link", "a link that leads out"]]
    assert not os.path.lexists(target / "link")


def test_pipes_and_sockets_are_not_made(folders: tuple[Path, Path]) -> None:
    source, target = folders
    os.mkfifo(source / "pipe")
    assert carried(source, target).kept_back == [["pipe", "neither a file nor a folder"]]
    assert os.listdir(target) == []


@pytest.mark.parametrize(
    "name",
    [
        ".git/hooks/pre-commit",
        ".GIT/config",
        "sub/.env.local",
        "x.ipynb",
        "sub/.ssh/authorized_keys",
        ".bashrc",
        ".vscode/tasks.json",
        ".ipynb_checkpoints/x",
        ".config/gh/hosts.yml",
        "sub/.envrc",
        "sitecustomize.py",
    ],
)
def test_names_that_other_programs_obey_are_kept_back(folders: tuple[Path, Path], name: str) -> None:
    source, target = folders
    (source / name).parent.mkdir(parents=True, exist_ok=True)
    (source / name).write_text("evil")
    assert carried(source, target).kept_back
    assert not (target / name).exists()


def test_no_link_of_the_target_is_followed(folders: tuple[Path, Path], tmp_path: Path) -> None:
    source, target = folders
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("precious")
    (target / "folder").symlink_to(outside)
    (target / "file").symlink_to(outside / "file")
    os.link(outside / "file", target / "shared")
    (source / "folder").mkdir()
    for name in ("folder/file", "file", "shared"):
        (source / name).write_text("new")
    carried(source, target)
    assert (outside / "file").read_text() == "precious"
    assert os.listdir(outside) == ["file"]
    assert {(target / name).read_text() for name in ("folder/file", "file", "shared")} == {"new"}
    assert not (target / "folder").is_symlink()


@pytest.mark.skipif(os.getuid() != 0, reason="root only: an ordinary user cannot make the mark of a removed file")
def test_what_was_removed_goes_but_never_a_secret_or_a_notebook_with_it(folders: tuple[Path, Path]) -> None:
    source, target = folders
    for name in ("gone.csv", "folder/x", "mixed/x", "mixed/kept.ipynb", ".env"):
        (target / name).parent.mkdir(exist_ok=True)
        (target / name).write_text("x")
    for name in ("gone.csv", "folder", "mixed", ".env"):
        os.mknod(source / name, stat.S_IFCHR, 0)
    done = carried(source, target)
    assert sorted(os.listdir(target)) == [".env", "mixed"]
    assert os.listdir(target / "mixed") == ["kept.ipynb"]
    assert done.removed == ["folder/x", "folder/", "gone.csv", "mixed/x"]


def test_a_hole_stays_a_hole(folders: tuple[Path, Path]) -> None:
    source, target = folders
    with (source / "sparse").open("wb") as file:
        file.write(b"start")
        file.truncate(1 << 30)
    carried(source, target)
    status = (target / "sparse").stat()
    assert status.st_size == 1 << 30
    assert status.st_blocks * 512 < 1 << 20
    assert (target / "sparse").open("rb").read(5) == b"start"


def test_a_tree_too_deep_to_walk_is_left(folders: tuple[Path, Path]) -> None:
    source, target = folders
    (source / "/".join("d" * 100)).mkdir(parents=True)
    done = carried(source, target)
    assert [why for _, why in done.kept_back] == ["too deep"]
