"""Outputs of code leave as frames that carry Jupyter message contents, instead of by ipykernel's sockets."""

from __future__ import annotations

import builtins
import getpass
import sys
from collections.abc import Callable, Iterable
from typing import Any

from jupyter_client.session import Session

from .frames import Channel

_FLUSH_AFTER = 200
_MOST_TEXT = 1 << 20  # characters of one message
_MOST_DATA = 32 << 20  # characters of one representation in a display
_NO_INPUT = "raw_input was called, but this frontend does not support input requests."


class Stream:
    """stdout or stderr: text is sent at each end of line, and at the latest when the cell ends."""

    encoding = "utf-8"
    errors = "strict"
    closed = False
    newlines = None

    def __init__(self, name: str, channel: Callable[[], Channel]) -> None:
        self.name = "<%s>" % name
        self._name, self._channel = name, channel
        self._parts: "list[str]" = []

    def write(self, text: str) -> int:
        """Take text."""
        if not isinstance(text, str):
            raise TypeError("write() argument must be str, not %s" % type(text).__name__)
        self._parts.append(text)
        if "\n" in text or len(self._parts) > _FLUSH_AFTER:
            self.flush()
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Take several texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Send what is waiting."""
        if self._parts:
            text = "".join(self._parts)
            self._parts.clear()
            for start in range(0, len(text), _MOST_TEXT):
                self._channel().send("stream", {"name": self._name, "text": text[start : start + _MOST_TEXT]})

    def isatty(self) -> bool:
        """Notebooks have no terminal."""
        return False

    def writable(self) -> bool:
        """It can be written."""
        return True

    def readable(self) -> bool:
        """It cannot be read."""
        return False

    def seekable(self) -> bool:
        """It has no position."""
        return False

    def fileno(self) -> int:
        """The descriptor that C code writes the same stream to."""
        return 1 if self._name == "stdout" else 2


class FrameSession(Session):  # type: ignore[misc]  # jupyter_client has no types here
    """A Jupyter session whose messages leave as frames; no socket is touched."""

    nbagent_channel: Any = None

    def send(self, stream: Any, msg_or_type: Any, content: Any = None, parent: Any = None, **more: Any) -> Any:
        """Send a message's content."""
        metadata, buffers = more.get("metadata"), more.get("buffers")
        kind = msg_or_type
        if isinstance(msg_or_type, dict):
            kind, content = msg_or_type["msg_type"], msg_or_type["content"]
            metadata, buffers = msg_or_type.get("metadata"), buffers or msg_or_type.get("buffers")
        sys.stdout.flush()
        sys.stderr.flush()
        self.nbagent_channel().send(kind, _bounded(content or {}), metadata, list(buffers or ()))
        return {"msg_type": kind, "content": content}


def _bounded(content: "dict[str, Any]") -> "dict[str, Any]":
    """Leave out what is too large to show, and say so, instead of having the whole message refused."""
    data = content.get("data")
    if not isinstance(data, dict):
        return content
    large = {kind: len(value) for kind, value in data.items() if isinstance(value, str) and len(value) > _MOST_DATA}
    if not large:
        return content
    kept = {kind: value for kind, value in data.items() if kind not in large}
    told = ", ".join("%d MB of %s" % (size >> 20, kind) for kind, size in large.items())
    kept.setdefault("text/plain", "[nbagent: %s are too much to show]" % told)
    return {**content, "data": kept}


def wire(shell: Any, channel: Callable[[], Channel]) -> None:
    """Send everything that code shows through `channel()`, and refuse questions to the user as a kernel would."""
    session = FrameSession(key=b"unused")  # nothing is signed; without a key it would warn of that
    session.nbagent_channel = channel
    sys.stdout, sys.stderr = Stream("stdout", channel), Stream("stderr", channel)
    for publisher in (shell.display_pub, shell.displayhook):
        publisher.session = session
        publisher.pub_socket = None
    shell.system = shell.system_piped  # as in a kernel: what a command writes comes in order with what is printed
    builtins.input = getpass.getpass = refuse_input


def refuse_input(*_: Any, **__: Any) -> str:
    """Raise what ipykernel raises when nobody can be asked."""
    from IPython.core.error import StdinNotImplementedError

    raise StdinNotImplementedError(_NO_INPUT)
