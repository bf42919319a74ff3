"""`nbagent doctor` says what the machine can do, in words and as JSON, and shows no secret."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nbagent.sandbox.probe import probe


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_the_report_tells_layers_kernels_and_settings_and_shows_no_secret(tmp_path: Path, options: list[str]) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text('effort = "low"\n[profiles.a]\nheaders = {x-api-key = "s3cret"}\n')
    done = subprocess.run(
        [sys.executable, "-m", "nbagent", "doctor", *options],
        capture_output=True, text=True, timeout=100, cwd=tmp_path,
        env={**os.environ, "NBAGENT_CONFIG_FILE": str(settings), "OPENAI_API_KEY": "s3cret"},
    )  # fmt: skip
    assert done.returncode == (0 if probe().layers else 3), done.stderr
    assert "s3cret" not in done.stdout + done.stderr
    assert all(word in done.stdout for word in ("Landlock", "python3", "ipykernel", "low", str(settings)))
    if options:
        assert json.loads(done.stdout)["machine"]["layers"] == (probe().layers and probe().layers.model_dump())
