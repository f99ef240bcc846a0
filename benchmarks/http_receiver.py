"""An HTTP receiver that costs as little as can be, as a process: `python -m benchmarks.http_receiver`.

Prints its port, notes each call and answers an execution id. No framework: it must not be the bottleneck.
"""

import asyncio
import re
from typing import cast

import uvloop

from benchmarks.receivers import notebook

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_GRAPH = re.compile(rb'"graph_id": ?"(graph-\d+)"')
_END = b"\r\n\r\n"


class Receiver(asyncio.Protocol):
    """One kept-alive connection."""

    def __init__(self) -> None:
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is none by descent

    def data_received(self, data: bytes) -> None:
        """Answer every whole request."""
        self._read += data
        while (head := self._read.find(_END)) >= 0:
            length = _LENGTH.search(self._read, 0, head)
            end = head + len(_END) + (int(length[1]) if length else 0)
            if len(self._read) < end:
                return
            request, self._read = self._read[:end], self._read[end:]
            graph = _GRAPH.search(request, head)
            graph_id = graph[1].decode() if graph else "graph-0"
            notebook().note(graph_id)
            body = f'{{"id":"{graph_id}"}}'
            self._transport.write(
                f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                f"content-length: {len(body)}\r\n\r\n{body}".encode()
            )


async def main() -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Receiver, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
