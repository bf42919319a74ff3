"""A notebook that is open in a running Jupyter server is noticed."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from nbagent.hosts.jupyter import notice


class Sessions(BaseHTTPRequestHandler):
    """Answers as jupyter_server does: a list of sessions to who knows the token."""

    def do_GET(self) -> None:
        allowed = (self.path, self.headers["Authorization"]) == ("/base/api/sessions", "token right")
        self.send_response(200 if allowed else 403)
        self.end_headers()
        self.wfile.write(json.dumps([{"path": "sub/n.ipynb", "kernel": {}}]).encode() if allowed else b"no")

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, object]]:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    listening = HTTPServer(("127.0.0.1", 0), Sessions)
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{listening.server_port}/base/"
    yield {"url": url, "pid": os.getpid(), "root_dir": str(tmp_path / "root"), "token": "right"}
    listening.shutdown()
    listening.server_close()


def tell(tmp_path: Path, server: dict[str, object], **other: object) -> None:
    (tmp_path / "jpserver-1.json").write_text(json.dumps({**server, **other}))


def test_an_open_notebook_is_noticed_and_another_one_is_not(tmp_path: Path, server: dict[str, object]) -> None:
    tell(tmp_path, server)
    said = notice(tmp_path / "root" / "sub" / "n.ipynb")
    assert said is not None
    assert f"is open in Jupyter at {server['url']}" in said
    assert notice(tmp_path / "root" / "other.ipynb") is None


@pytest.mark.parametrize("other", [{"token": "wrong"}, {"pid": 2**22 + 1}, {"url": "http://198.51.100.1/"}, {"url": 3}])
def test_a_server_that_cannot_be_asked_is_passed_over(
    tmp_path: Path, server: dict[str, object], other: dict[str, object]
) -> None:
    tell(tmp_path, server, **other)
    assert notice(tmp_path / "root" / "sub" / "n.ipynb") is None
