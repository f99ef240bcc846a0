"""Binding the port before anything else starts: two services on one port must not both fire."""

import errno
import socket

from entrypoints.errors import StartError

_SKIPPED = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
_BACKLOG = 2048


def bind(host: str, port: int) -> list[socket.socket]:
    """Return listening sockets for every address of `host`. Port 0 picks a free one. Raises StartError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise StartError(f"PYRO_HOST {host!r} can't be resolved: {error.strerror}") from None
    sockets: list[socket.socket] = []
    for family, kind, protocol, _, address in dict.fromkeys(found):
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            listener.bind((address[0], port, *address[2:]))
            listener.listen(_BACKLOG)
        except OSError as error:
            listener.close()
            if error.errno in _SKIPPED:
                continue
            for other in sockets:
                other.close()
            hint = "; is the original still running?" if error.errno == errno.EADDRINUSE else ""
            raise StartError(f"can't listen on {host}:{port}: {error.strerror}{hint}") from None
        listener.setblocking(False)  # noqa: FBT003  the socket module takes no keyword
        port = port or listener.getsockname()[1]
        sockets.append(listener)
    if not sockets:
        raise StartError(f"can't listen on {host}:{port}: no usable address")
    return sockets
