"""What a trial sends, read by the kernel without blocking: frames bounded in length, text decoded, nothing trusted."""

from __future__ import annotations

import codecs
import json
import os
import socket
from typing import Any, NamedTuple, Optional

from .frames import HEAD, MOST_DESCRIPTORS

_MOST_HEAD = 64 << 20
_MOST_BODY = 64 << 20
_MOST_PARTS = 4_000_000
"""JSON values in one head: a megabyte of `[],[],` becomes 30 MB of Python lists."""
_PIECE = 1 << 18


class Garbled(Exception):
    """The other end sent something that is not a frame; whatever it says is worth nothing any more."""


class Frame(NamedTuple):
    """One message: `content` and `metadata` are what JSON holds, with no promise on what is in them."""

    kind: str
    content: "dict[str, Any]"
    metadata: "dict[str, Any]"
    size: int


class Reader:
    """Takes bytes from a socket as they come. `ended` says that the other end is gone."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._data = bytearray()
        self._descriptors: "list[int]" = []
        self.ended = False

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._socket.fileno()

    def send(self, kind: str, content: "dict[str, Any]") -> None:
        """Send a command. Raises OSError when the other end is gone or takes nothing."""
        head = json.dumps({"type": kind, "content": content, "metadata": {}, "sizes": []}).encode()
        self._socket.settimeout(10.0)
        try:
            self._socket.sendall(HEAD.pack(len(head), 0) + head)
        finally:
            self._socket.setblocking(False)

    def read(self) -> None:
        """Take what is there, at most one piece."""
        try:
            data, descriptors, _, _ = socket.recv_fds(self._socket, _PIECE, MOST_DESCRIPTORS)
        except BlockingIOError:
            return
        except OSError:
            data, descriptors = b"", []
        for descriptor in descriptors:
            if len(self._descriptors) < MOST_DESCRIPTORS:
                os.set_inheritable(descriptor, False)
                self._descriptors.append(descriptor)
            else:
                os.close(descriptor)
        self.ended = self.ended or not data
        self._data += data

    def frame(self) -> "Optional[Frame]":
        """Return the next whole frame of what was read, or None. Raises `Garbled`."""
        if len(self._data) < HEAD.size:
            return None
        head_size, body_size = HEAD.unpack_from(self._data)
        if head_size > _MOST_HEAD or body_size > _MOST_BODY:
            raise Garbled
        size = HEAD.size + head_size + body_size
        if len(self._data) < size:
            return None
        head = bytes(self._data[HEAD.size : HEAD.size + head_size])
        del self._data[:size]
        return _parsed(head, size)

    def descriptor(self) -> "Optional[int]":
        """Return the oldest descriptor that came along, which is then the caller's."""
        return self._descriptors.pop(0) if self._descriptors else None

    def close(self) -> None:
        """Close this end and what was not taken."""
        self._socket.close()
        while self._descriptors:
            os.close(self._descriptors.pop())


def _parsed(head: bytes, size: int) -> Frame:
    if head.count(b",") + head.count(b"[") + head.count(b"{") > _MOST_PARTS:
        raise Garbled
    try:
        told = json.loads(head)
    except (ValueError, RecursionError):
        raise Garbled from None
    told = told if isinstance(told, dict) else {}
    kind, content, metadata = told.get("type"), told.get("content"), told.get("metadata")
    if not isinstance(kind, str) or not isinstance(content, dict) or not isinstance(metadata, dict):
        raise Garbled
    return Frame(kind, content, metadata, size)


class Text:
    """What C code and subprocesses write to one of the two pipes."""

    def __init__(self, descriptor: int, name: str) -> None:
        os.set_blocking(descriptor, False)
        self.name = name
        self._descriptor = descriptor
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.ended = False

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._descriptor

    def read(self) -> str:
        """Return what is there, at most one piece."""
        try:
            data = os.read(self._descriptor, _PIECE)
        except BlockingIOError:
            return ""
        except OSError:
            data = b""
        self.ended = self.ended or not data
        return self._decoder.decode(data)

    def close(self) -> None:
        """Close this end."""
        os.close(self._descriptor)
