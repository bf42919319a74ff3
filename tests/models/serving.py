"""A real server on loopback that answers as a test says."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

Reply = tuple[Sequence[bytes], dict[str, Any]]


@dataclass
class Server:
    """Gives its replies one after the other, the last one again and again."""

    replies: list[Reply]
    requests: list[bytes] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    url: str = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            lengths = [line for line in head.lower().split("\r\n") if line.startswith("content-length:")]
            self.requests.append(await reader.readexactly(int(lengths[0].partition(":")[2])) if lengths else b"")
            self.heads.append(head)
            chunks, options = self.replies[min(len(self.requests), len(self.replies)) - 1]
            await self._reply(writer, chunks, options)
        writer.close()

    async def _reply(self, writer: asyncio.StreamWriter, chunks: Sequence[bytes], options: dict[str, Any]) -> None:
        headers = {"content-type": "text/event-stream", **options.get("headers", {})}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        status = options.get("status", 200)
        writer.write(f"HTTP/1.1 {status} X\r\n{lines}transfer-encoding: chunked\r\nconnection: close\r\n\r\n".encode())
        for chunk in chunks:
            if chunk:
                writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
                await writer.drain()
                if options.get("delay"):
                    await asyncio.sleep(options["delay"])
        match options.get("close", "clean"):
            case "clean":
                writer.write(b"0\r\n\r\n")
                await writer.drain()
            case "hang":
                await asyncio.sleep(30)
            case "rst":
                connection = writer.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@contextlib.asynccontextmanager
async def serving(*replies: Reply) -> AsyncIterator[Server]:
    server = Server(list(replies))
    listener = await asyncio.start_server(server.handle, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1"
    try:
        yield server
    finally:
        listener.close()
