"""A receiver on loopback that answers, or misbehaves, as a test tells it to."""

import asyncio
import json
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

Reply = Callable[[asyncio.StreamWriter], Awaitable[bool]]
"""Answers one request; returns whether the connection stays open."""


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came in."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read as Python reads JSON."""
        return json.loads(self.body)


def answer(
    status: int, content: Any = None, *, kind: str = "application/json", headers: Mapping[str, str] | None = None
) -> Reply:
    """Answer `status`, with bytes as they are and anything else as JSON; no `kind` sends no content type."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    lines = [f"HTTP/1.1 {status} Reason", *(f"{name}: {value}" for name, value in (headers or {}).items())]
    lines += [f"Content-Type: {kind}"] if kind else []
    lines += [] if status == 204 else [f"Content-Length: {len(body)}"]
    head = "\r\n".join(lines).encode() + b"\r\n\r\n"
    return raw(head if status == 204 else head + body, keep=True)


def raw(data: bytes, *, keep: bool = False) -> Reply:
    """Write `data` as it is, then hang up unless `keep`."""

    async def reply(writer: asyncio.StreamWriter) -> bool:
        writer.write(data)
        await writer.drain()
        return keep

    return reply


async def reset(writer: asyncio.StreamWriter) -> bool:
    """Tear the connection down with a TCP reset."""
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    return False


async def silence(writer: asyncio.StreamWriter) -> bool:
    """Never answer; end with the connection."""
    await writer.wait_closed()
    return False


@dataclass(slots=True)
class Loopback:
    """Plays `script` first, then `reply` for every further request."""

    reply: Reply = field(default_factory=lambda: answer(200, {"id": "exec-1", "graph_exec_id": "exec-1"}))
    script: deque[Reply] = field(default_factory=deque)
    port: int = 0
    connections: int = 0
    reset_on_connect: bool = False
    received: list[Received] = field(default_factory=list)
    arrival: asyncio.Event = field(default_factory=asyncio.Event)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        """The receiver's base."""
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Listen until the block ends, on the port of the time before if there was one; then drop every caller."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            for writer in self._writers:
                writer.transport.abort()
            await server.wait_closed()
            await asyncio.sleep(0)  # lets the aborted connections' handlers end

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            if self.reset_on_connect:
                await reset(writer)
                return
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.received.append(Received(method, target, headers, body))
        self.arrival.set()
        return await (self.script.popleft() if self.script else self.reply)(writer)


@asynccontextmanager
async def loopback(reply: Reply | None = None) -> AsyncIterator[Loopback]:
    """Run a receiver."""
    receiver = Loopback() if reply is None else Loopback(reply=reply)
    async with receiver.listening():
        yield receiver


async def free_port() -> int:
    """Return a port on which nobody listens."""
    server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port
