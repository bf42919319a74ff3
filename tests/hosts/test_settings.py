"""Settings come from files, environment and flags, in that order, and a project can only narrow them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nbagent.core.errors import UsageError
from nbagent.hosts.settings import load


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "settings.toml"
    monkeypatch.setenv("NBAGENT_CONFIG_FILE", str(path))
    (tmp_path / "pyproject.toml").write_text("")
    return path


def test_each_source_beats_the_one_before_and_is_named(user: Path, tmp_path: Path) -> None:
    user.write_text('model = "ollama/a"\neffort = "low"\nprivacy = "outputs"\nmax_tokens = 9\n')
    (tmp_path / "pyproject.toml").write_text('[tool.nbagent]\nprivacy = "schema"\n')
    found = load(tmp_path, {"max_tokens": 5, "approve": None}, {"NBAGENT_EFFORT": "high"})
    got = found.settings
    assert (got.model, got.effort, got.privacy, got.max_tokens, got.approve) == ("ollama/a", "high", "schema", 5, "all")
    assert found.origins == {
        "model": str(user),
        "effort": "environment",
        "privacy": f"{tmp_path / 'pyproject.toml'} [tool.nbagent]",
        "max_tokens": "command line",
    }


@pytest.mark.parametrize(
    "line", ['readable = ["/srv"]', 'model = "openai/x"', 'privacy = "outputs"', "max_tokens = 10"]
)
def test_a_project_cannot_widen_access(user: Path, tmp_path: Path, line: str) -> None:
    user.write_text('privacy = "schema"\nmax_tokens = 9\n')
    (tmp_path / "pyproject.toml").write_text(f"[tool.nbagent]\n{line}\n")
    with pytest.raises(UsageError, match=r"cannot widen access|more than your own"):
        load(tmp_path, {}, {})


@pytest.mark.parametrize("text", ["model = ", "colour = 1", 'approve = "maybe"', '[profiles.a]\nkey = "s3cret"'])
def test_a_bad_file_is_one_sentence_without_the_value_and_exit_code_2(user: Path, tmp_path: Path, text: str) -> None:
    user.write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "nbagent", "models", "ollama"],
        capture_output=True, text=True, timeout=60, cwd=tmp_path, env=dict(os.environ),
    )  # fmt: skip
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert str(user) in done.stderr
    assert "s3cret" not in done.stderr


def test_run_takes_a_profile_by_name_and_refuses_an_unknown_one(user: Path, tmp_path: Path) -> None:
    user.write_text('[profiles.away]\nbase_url = "http://127.0.0.1:9/v1"\nmodel = "m"\n')
    notebook = tmp_path / "n.ipynb"
    notebook.write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    codes = {}
    for name in ("away", "other"):
        done = subprocess.run(
            [sys.executable, "-m", "nbagent", "run", str(notebook), "say hello", "--profile", name],
            capture_output=True, text=True, timeout=60, cwd=tmp_path,
            env={**os.environ, "NBAGENT_DATA_DIR": str(tmp_path / "data")},
        )  # fmt: skip
        codes[name] = (done.returncode, "no profile 'other'" in done.stderr)
    assert codes == {"away": (4, False), "other": (2, True)}
