"""A real kernel that a test speaks to as a front-end does."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client.manager import start_new_kernel

SECONDS = 90


@dataclass
class Reply:
    """What a cell showed: texts of the streams, data of displays in order, errors, and the kinds of all messages."""

    status: str = ""
    stdout: str = ""
    stderr: str = ""
    displays: list[dict[str, Any]] = field(default_factory=list)
    errors: list[tuple[str, str]] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    ids: list[str | None] = field(default_factory=list)

    @property
    def account(self) -> str:
        """What was told of a trial at its end."""
        return str(self.displays[-1]["text/plain"])

    @property
    def shown(self) -> list[str]:
        """The texts of the displays before the account."""
        return [str(data.get("text/plain")) for data in self.displays[:-1]]


class Kernel:
    """Started in `folder` with `%load_ext nbagent` done. `run` may be interrupted by `interrupt_when`."""

    def __init__(self, folder: Path) -> None:
        variables = {**os.environ, "IPYTHONDIR": str(folder.parent / "ipython"), "SECRET_TOKEN": "s3cr3t"}
        self.manager, self.client = start_new_kernel(cwd=str(folder), env=variables)
        assert self.run("%load_ext nbagent").status == "ok"

    def run(self, code: str, *, interrupt_when: str | None = None) -> Reply:
        """Run a cell; `interrupt_when` interrupts the kernel once its stdout holds that text."""
        reply = Reply()
        asked = False

        def take(message: Any) -> None:
            nonlocal asked
            content, kind = message["content"], message["header"]["msg_type"]
            reply.kinds.append(kind)
            if kind == "stream":
                setattr(reply, content["name"], getattr(reply, content["name"]) + content["text"])
            elif kind in ("display_data", "execute_result", "update_display_data"):
                reply.displays.append(content["data"])
                reply.ids.append((content.get("transient") or {}).get("display_id"))
            elif kind == "error":
                reply.errors.append((content["ename"], content["evalue"]))
            if interrupt_when is not None and interrupt_when in reply.stdout and not asked:
                asked = True
                threading.Thread(target=self.manager.interrupt_kernel).start()

        done = self.client.execute_interactive(code, timeout=SECONDS, output_hook=take, store_history=True)
        reply.status = done["content"]["status"]
        return reply

    def value(self, expression: str) -> str:
        """Return what an expression prints in the kernel itself."""
        return self.run(f"print({expression})").stdout.strip()

    def until(self, expression: str) -> None:
        """Wait until an expression is true in the kernel."""
        end = time.monotonic() + SECONDS
        while self.value(expression) != "True":
            assert time.monotonic() < end, expression

    def close(self) -> None:
        """End it."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
