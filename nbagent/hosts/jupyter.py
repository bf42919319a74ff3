"""Running Jupyter servers that have a notebook open: they do not see what is written to its file."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ValidationError

from nbagent.models.target import is_local

_SECONDS = 1.0
_LARGEST = 4 << 20


class _Server(BaseModel, frozen=True):
    """What jupyter_server writes to `jpserver-PID.json` in its runtime folder (serverapp.py, `server_info`)."""

    url: str
    pid: int
    root_dir: str
    token: str = ""


class _Session(BaseModel, frozen=True):
    """What is needed of an entry of `GET /api/sessions`; `path` is below the server's root folder."""

    path: str = ""


def opened_in(notebook: Path) -> str | None:
    """Return the address of a server of this user that runs a kernel for the notebook, or None.

    A server that asks for a password, or has the notebook open without a kernel, cannot be seen.
    """
    for server in _servers():
        for session in _sessions(server):
            if os.path.realpath(Path(server.root_dir, session.path)) == os.path.realpath(notebook):
                return server.url
    return None


def notice(notebook: Path) -> str | None:
    """Return one sentence for the user when a server has the notebook open."""
    url = opened_in(notebook)
    if url is None:
        return None
    return (
        f"{notebook} is open in Jupyter at {url}. What is written here shows there after File > Reload Notebook from "
        "Disk; do not save it there before."
    )


def _servers() -> Iterator[_Server]:
    from jupyter_core.paths import jupyter_runtime_dir  # late: only few commands need it

    for path in sorted(Path(jupyter_runtime_dir()).glob("jpserver-*.json")):
        try:
            server = _Server.model_validate_json(path.read_bytes())
            os.kill(server.pid, 0)
        except (OSError, ValidationError):  # gone, and its file was left behind
            continue
        if is_local(server.url):
            yield server


def _sessions(server: _Server) -> list[_Session]:
    request = urllib.request.Request(
        f"{server.url.rstrip('/')}/api/sessions", headers={"Authorization": f"token {server.token}"}
    )
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=_SECONDS) as answer:
            found = json.loads(answer.read(_LARGEST))
        return [_Session.model_validate(one) for one in found]
    except (OSError, ValueError, ValidationError, TypeError):  # asks for a password, or is something else
        return []
