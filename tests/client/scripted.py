"""A server that answers connection by connection as it was told, on real sockets."""

import json
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

Act = Callable[[socket.socket], None]
"""What becomes of one request that was read."""


@dataclass
class Request:
    """What came in."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class ScriptedServer:
    """Plays `acts` one after the other, a request each; the last one again and again."""

    acts: Sequence[Act]
    requests: list[Request] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(10)
                self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        """Play one act; what follows comes on another connection."""
        request = _read(connection)
        if request is not None:
            act = self.acts[min(len(self.requests), len(self.acts) - 1)]
            self.requests.append(request)
            act(connection)


def _read(connection: socket.socket) -> Request | None:
    data = b""
    while b"\r\n\r\n" not in data:
        if not (chunk := connection.recv(65536)):
            return None
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65536)
    return Request(first.split()[1], headers, body)


def answer(status: int, document: Any, **headers: str) -> Act:
    """Answer JSON, or bytes as they are, and close."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())

    def act(connection: socket.socket) -> None:
        head = f"HTTP/1.1 {status} Something\r\ncontent-length: {len(body)}\r\nconnection: close\r\n{more}\r\n"
        connection.sendall(head.encode() + body)

    return act


def reset(connection: socket.socket) -> None:
    """Break the connection off, as a process that is killed does."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hang_up(connection: socket.socket) -> None:
    """Close the connection without a word."""
    connection.shutdown(socket.SHUT_RDWR)


def half_an_answer(connection: socket.socket) -> None:
    """Stop in the middle of the body."""
    connection.sendall(b'HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n[{"id":')


def no_http(connection: socket.socket) -> None:
    """Speak another protocol."""
    connection.sendall(b"SSH-2.0-OpenSSH_9.9\r\n")


def silence(connection: socket.socket) -> None:
    """Say nothing until the caller gives up."""
    connection.recv(1)


def unused_url() -> str:
    """Return an address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"http://127.0.0.1:{taken.getsockname()[1]}"
