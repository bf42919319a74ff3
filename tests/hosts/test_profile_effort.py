"""A profile's effort is sent to its server."""

from __future__ import annotations

import json
import os
import sys
from asyncio import create_subprocess_exec, subprocess
from pathlib import Path

from tests.models.serving import serving


async def test_the_effort_of_a_profile_reaches_the_request_unless_a_flag_names_another(tmp_path: Path) -> None:
    notebook = tmp_path / "n.ipynb"
    notebook.write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    settings = tmp_path / "settings.toml"
    environment = {**os.environ, "NBAGENT_CONFIG_FILE": str(settings), "NBAGENT_DATA_DIR": str(tmp_path / "data")}
    refused = ((b'{"error": {"message": "no"}}',), {"status": 400, "headers": {"content-type": "application/json"}})
    async with serving(refused) as server:
        settings.write_text(
            f'[profiles.p]\nbase_url = "{server.url}"\nprotocol = "responses"\nmodel = "m"\neffort = "high"\n'
        )
        for more in ((), ("--effort", "low")):
            done = await create_subprocess_exec(
                sys.executable, "-m", "nbagent", "run", str(notebook), "hello", "--profile", "p", *more,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment,
            )  # fmt: skip
            await done.wait()
        bodies = [json.loads(body) for body in server.requests if body]
    assert [body["reasoning"]["effort"] for body in bodies] == ["high", "low"]
