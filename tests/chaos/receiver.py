"""A receiver that notes every call and misbehaves on demand."""

import asyncio
import re
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_KEY = re.compile(rb"idempotency-key: *([^\r]*)", re.IGNORECASE)
_END = b"\r\n\r\n"


class Behaviour(StrEnum):
    """What it does with a call, once it has noted it."""

    ANSWER = "answer"
    ERROR = "error"  # 500
    HALF = "half"  # the head of an answer and some of its body, then the connection is cut
    HANG = "hang"  # no answer at all


@dataclass(frozen=True, slots=True)
class Call:
    """A call that came. `execution_id` is what it was answered, if it was."""

    path: str
    key: str
    behaviour: Behaviour
    execution_id: str


class ChaosReceiver:
    """Listens on loopback in a thread of its own. Each call gets an execution id of its own."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.behaviour = Behaviour.ANSWER
        self.delay_secs = 0.0
        self.port = 0
        self._news = threading.Condition()
        self._open: set[_Connection] = set()
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.accept()

    def accept(self) -> None:
        """Listen, on the port that it always had."""
        asyncio.run_coroutine_threadsafe(self._accept(), self._loop).result(10)

    def refuse(self) -> None:
        """Cut every connection and listen no more."""
        asyncio.run_coroutine_threadsafe(self._refuse(), self._loop).result(10)

    def close(self) -> None:
        """End it."""
        self.refuse()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def wait_for(self, condition: Callable[[], bool], seconds: float = 30) -> None:
        """Return once `condition` holds; it is looked at after every call that comes."""
        with self._news:
            assert self._news.wait_for(condition, seconds), f"{len(self.calls)} calls, and it does not hold"

    def wait_for_calls(self, number: int, seconds: float = 30) -> None:
        """Return once so many calls have come."""
        self.wait_for(lambda: len(self.calls) >= number, seconds)

    def deliveries(self) -> Counter[str]:
        """Return how often each idempotency key came."""
        return Counter(call.key for call in list(self.calls))

    async def _accept(self) -> None:
        self._server = await self._loop.create_server(lambda: _Connection(self), "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self._open):
            connection.transport.abort()
        while self._open:  # noqa: ASYNC110  the loop tells them one by one; an event would be one more state
            await asyncio.sleep(0)

    def note(self, request: bytes) -> Call:
        """Note a call and say what becomes of it."""
        key = _KEY.search(request)
        with self._news:
            call = Call(
                path=request.split(b" ", 2)[1].decode(),
                key=key[1].decode() if key else "",
                behaviour=self.behaviour,
                execution_id=f"execution-{len(self.calls) + 1}",
            )
            self.calls.append(call)
            self._news.notify_all()
        return call


class _Connection(asyncio.Protocol):
    """A kept-alive connection."""

    transport: asyncio.Transport

    def __init__(self, receiver: ChaosReceiver) -> None:
        self._receiver = receiver
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._receiver._open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._receiver._open.discard(self)

    def data_received(self, data: bytes) -> None:
        self._read += data
        while (head := self._read.find(_END)) >= 0:
            length = _LENGTH.search(self._read, 0, head)
            end = head + len(_END) + (int(length[1]) if length else 0)
            if len(self._read) < end:
                return
            request, self._read = self._read[:end], self._read[end:]
            call = self._receiver.note(request)
            asyncio.get_running_loop().call_later(self._receiver.delay_secs, self._answer, call)

    def _answer(self, call: Call) -> None:
        if self.transport.is_closing() or call.behaviour is Behaviour.HANG:
            return
        body = f'{{"id":"{call.execution_id}"}}'
        status = "500 Internal Server Error" if call.behaviour is Behaviour.ERROR else "200 OK"
        head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        if call.behaviour is Behaviour.HALF:
            self.transport.write((head + body[:5]).encode())
            self.transport.close()
        else:
            self.transport.write((head + body).encode())
