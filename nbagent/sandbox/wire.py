"""The host's end of a channel to confined code: frames are bounded in length, validated by type, and never trusted."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
from collections.abc import Sequence

from pydantic import BaseModel, JsonValue, TypeAdapter, ValidationError

from nbagent.core.errors import SandboxError
from nbagent.inside.frames import HEAD

_MOST_HEAD = 64 << 20
_MOST_BODY = 256 << 20
_MOST_PARTS = 4_000_000
"""JSON values in one head. A megabyte of `[],[],` becomes 30 MB of Python lists; of this many it is some 400 MB."""
_PIECE = 1 << 18
TOO_BIG = "too big"
"""The kind of a frame that was read past because it is larger than asked for; `size` says how large."""
_HEADS = TypeAdapter(dict[str, JsonValue])


class Gone(SandboxError):
    """The other end is closed, or its word is worth nothing any more."""


class Garbled(Gone):
    """The other end sent something that is not a frame."""


class Frame(BaseModel, frozen=True):
    """One message: `content` and `metadata` as the Jupyter protocol has them for `kind`."""

    kind: str
    content: dict[str, JsonValue]
    metadata: dict[str, JsonValue]
    size: int


class Wire:
    """One end of a socketpair; `pair()` also returns the descriptor for the other process."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._socket = sock

    @classmethod
    def pair(cls) -> tuple[Wire, int]:
        """Return a wire and the other end's descriptor, which the caller hands over and closes."""
        ours, theirs = socket.socketpair()
        return cls(ours), theirs.detach()

    def close(self) -> None:
        """Close this end; closing twice is fine."""
        self._socket.close()

    async def send(self, kind: str, content: dict[str, JsonValue], descriptors: Sequence[int] = ()) -> None:
        """Send a command, handing descriptors over (they are closed here, whatever happens). Raises `Gone`."""
        head = json.dumps({"type": kind, "content": content, "metadata": {}, "sizes": []}).encode()
        data = HEAD.pack(len(head), 0) + head
        try:
            if descriptors:
                sent = socket.send_fds(self._socket, [data], list(descriptors))
                data = data[sent:]
            await asyncio.get_running_loop().sock_sendall(self._socket, data)
        except (OSError, ValueError) as error:
            raise Gone("The restricted process is gone.") from error
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    async def receive(self, most: int = _MOST_HEAD) -> Frame:
        """Return the next frame; one of more than `most` bytes is read past, and comes as `TOO_BIG`.

        Raises `Gone` at the end, and `Garbled` for anything that is not a frame.
        """
        head_size, body_size = HEAD.unpack(await self._exactly(HEAD.size))
        if head_size > _MOST_HEAD or body_size > _MOST_BODY:
            raise Garbled("it sent more than a message may hold")
        if head_size + body_size > most:
            await self._past(head_size + body_size)
            return Frame(kind=TOO_BIG, content={}, metadata={}, size=head_size + body_size)
        head, body = await self._exactly(head_size), await self._exactly(body_size)
        if head.count(b",") + head.count(b"[") + head.count(b"{") > _MOST_PARTS:
            return Frame(kind=TOO_BIG, content={}, metadata={}, size=head_size + body_size)
        try:
            parsed = _HEADS.validate_json(head)
            frame = Frame.model_validate(
                {
                    "kind": parsed.get("type"),
                    "content": parsed.get("content"),
                    "metadata": parsed.get("metadata"),
                    "size": head_size + body_size,
                }
            )
        except (ValidationError, RecursionError) as error:
            raise Garbled("it sent something that is not a message") from error
        if body and not _attach(frame, body, parsed.get("sizes")):
            raise Garbled("it sent something that is not a message")
        return frame

    async def expect(self, kind: str) -> Frame:
        """Return the next frame, which must be of this kind; a refusal is raised with its reason as `Gone`."""
        frame = await self.receive()
        if frame.kind != kind:
            raise Gone(str(frame.content.get("why", f"The restricted process answered {frame.kind!r}."))[:500])
        return frame

    async def _past(self, count: int) -> None:
        while count > 0:
            count -= len(await self._piece(count))

    async def _exactly(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            data += await self._piece(count - len(data))
        return bytes(data)

    async def _piece(self, most: int) -> bytes:
        try:
            piece = await asyncio.get_running_loop().sock_recv(self._socket, min(most, _PIECE))
        except (OSError, ValueError) as error:
            raise Gone("The restricted process is gone.") from error
        if not piece:
            raise Gone("The restricted process is gone.")
        return piece


def _attach(frame: Frame, body: bytes, sizes: JsonValue) -> bool:
    """Put binary parts into a display's data as base64, as nbformat stores images; tell whether they fit."""
    if not isinstance(sizes, list) or sum(s for s in sizes if isinstance(s, int)) != len(body):
        return False
    data = frame.content.get("data")
    if not isinstance(data, dict):
        return True  # widget buffers: dropped, no front-end would show them
    data.setdefault("application/octet-stream", base64.b64encode(body).decode())
    return True
