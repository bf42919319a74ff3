"""Frames over a socket: a length, a JSON head, then raw buffers; commands may carry descriptors.

A frame is `<u32 head length><u64 body length><head><body>`; the head is {"type", "content", "metadata", "sizes"}, the
body is the buffers one after another. Types and contents of outputs are those of the Jupyter messaging protocol.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Sequence
from typing import Any

HEAD = struct.Struct("<IQ")
MOST_DESCRIPTORS = 8


class Channel:
    """One end of a socketpair, for blocking use inside. Sending is safe from several threads."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._sending = threading.Lock()

    def fileno(self) -> int:
        """The descriptor."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close this end."""
        self._socket.close()

    def send(
        self,
        kind: str,
        content: "dict[str, Any]",
        metadata: "dict[str, Any] | None" = None,
        buffers: Sequence[Any] = (),
        descriptors: Sequence[int] = (),
    ) -> None:
        """Send one frame; what JSON cannot hold is sent as its type's name."""
        views = [memoryview(buffer).cast("B") for buffer in buffers]
        head = json.dumps(
            {"type": kind, "content": content, "metadata": metadata or {}, "sizes": [view.nbytes for view in views]},
            default=_named,
            ensure_ascii=False,  # so that "replace" below gets at lone surrogates, which JSON readers refuse
        ).encode("utf-8", "replace")
        start = HEAD.pack(len(head), sum(view.nbytes for view in views)) + head
        with self._sending:
            if descriptors:
                sent = socket.send_fds(self._socket, [start], list(descriptors))
                start = start[sent:]
            self._socket.sendall(start)
            for view in views:
                self._socket.sendall(view)

    def receive(self) -> "tuple[str, dict[str, Any], list[int]]":
        """Return the next command's type, content and descriptors; raise EOFError when the other end is gone."""
        start, descriptors, _, _ = socket.recv_fds(self._socket, HEAD.size, MOST_DESCRIPTORS)
        if not start:
            raise EOFError
        start += self._exactly(HEAD.size - len(start))
        head_size, body_size = HEAD.unpack(start)
        head = json.loads(self._exactly(head_size))
        self._exactly(body_size)
        return head["type"], head["content"], list(descriptors)

    def _exactly(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            piece = self._socket.recv(min(count - len(data), 1 << 20))
            if not piece:
                raise EOFError
            data += piece
        return bytes(data)


def _named(value: Any) -> str:
    return "<%s>" % type(value).__name__
