"""What an adapter may raise through a port.

PortError
├── StoreUnavailable            the database is away, or too busy to answer in time
├── LeaseLost                   this replica was declared dead; it must register anew
├── RemoteCallError             a neighbour service answered with an error
└── DispatchFailed              a firing did not reach its receiver
    ├── DispatchRefused         for good: this firing will never succeed
    ├── DispatchTransient       not now: the same call may succeed later
    └── DispatchMisdirected     the deployment is wrong: nobody's firing is at fault
"""

from collections.abc import Sequence
from typing import Any


class PortError(Exception):
    """Something outside the process did not do what was asked of it."""


class StoreUnavailable(PortError):  # noqa: N818  the field's own word for it
    """The database can't be reached or has no connection free.

    Nothing was changed by the call, unless the connection broke while the commit was under way: then all of it
    may have been. So callers repeat what is safe to repeat, and ask `FiringLedger.stranded` after a lost claim.

    `retry_after_secs` is how long a caller should wait before the next try.
    `overloaded` tells a database that is there but busy from one that is away.
    """

    def __init__(self, reason: str, *, retry_after_secs: float = 1.0, overloaded: bool = False) -> None:
        super().__init__(reason)
        self.retry_after_secs = retry_after_secs
        self.overloaded = overloaded


class LeaseLost(PortError):  # noqa: N818
    """`replica` was declared dead and may claim nothing; what it held is somebody else's. Nothing was changed."""

    def __init__(self, replica: str) -> None:
        super().__init__(f"replica {replica} lost its lease")
        self.replica = replica


class RemoteCallError(PortError):
    """A neighbour answered `{"type", "args"}`, or not at all: `type_name` and `remote_args` say what it said.

    Source: compat/outgoing.md, "The convention". `str()` reads as the same exception raised locally would.
    """

    def __init__(self, type_name: str, remote_args: Sequence[Any]) -> None:
        super().__init__(*remote_args)
        self.type_name = type_name
        self.remote_args = list(remote_args)


class DispatchFailed(PortError):  # noqa: N818
    """A firing did not reach its receiver. `code` is a short stable word for history and metrics.

    `ambiguous` says that the receiver may have acted all the same (timeout or reset after sending, 5xx).
    `retry_after_secs` is the receiver's own wish, where it gave one.
    """

    def __init__(
        self,
        reason: str,
        *,
        code: str,
        ambiguous: bool = False,
        retry_after_secs: float | None = None,
    ) -> None:
        super().__init__(reason)
        self.code = code
        self.ambiguous = ambiguous
        self.retry_after_secs = retry_after_secs


class DispatchRefused(DispatchFailed):
    """The receiver refused this firing by a typed answer; repeating it can't help.

    `target_gone` says that the graph does not exist or is not the user's any more.
    """

    def __init__(self, reason: str, *, code: str, target_gone: bool = False) -> None:
        super().__init__(reason, code=code)
        self.target_gone = target_gone


class DispatchTransient(DispatchFailed):
    """Connection errors, timeouts, 5xx, 408, 425, 429: worth another try later."""


class DispatchMisdirected(DispatchFailed):
    """401, 403, 405 or an untyped 404: the service is pointed at the wrong place or lacks a right to it."""
