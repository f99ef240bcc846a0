"""What a call of the scheduler may raise.

SchedulerClientError
├── NotFoundError           (ValueError)       no such schedule
├── NotAuthorizedError      (ValueError)       another user's schedule, or the token is missing or wrong
├── InvalidRequestError     (ValueError)       the service refuses what it was asked: cron, zone, a missing argument
├── RemoteCallError                            anything else that the service answered
│   └── ServiceUnavailableError                it is there but can't work now: its database is away or busy
└── ServiceUnreachableError (ConnectionError)  no answer: refused, reset, cut short
    └── CallTimeoutError    (TimeoutError)     no answer in time; the call may have been carried out

The first three are ValueErrors, as the platform's own client raises them.
"""

from collections.abc import Mapping, Sequence
from typing import Any


class SchedulerClientError(Exception):
    """A call did not do what it was to do."""


class NotFoundError(SchedulerClientError, ValueError):
    """There is no such schedule."""


class NotAuthorizedError(SchedulerClientError, ValueError):
    """The schedule is another user's, or the service wants a token that it was not given."""


class InvalidRequestError(SchedulerClientError, ValueError):
    """The service refuses the request; repeating it can't help.

    `details` lists what is wrong with which argument, where the service says so (422): `type`, `loc`, `msg`.
    """

    def __init__(self, message: str, *, details: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(message)
        self.details = list(details)


class RemoteCallError(SchedulerClientError):
    """The service answered with an error of its own, or with what is no answer of the scheduler's.

    `type_name` is the class that it named, empty when it named none; `remote_args` are that exception's.
    """

    def __init__(self, message: str, *, status: int, type_name: str = "", remote_args: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.type_name = type_name
        self.remote_args = list(remote_args)


class ServiceUnavailableError(RemoteCallError):
    """The service can't reach its database, or is too busy: worth another try later."""


class ServiceUnreachableError(SchedulerClientError, ConnectionError):
    """The service gave no whole answer."""


class CallTimeoutError(ServiceUnreachableError, TimeoutError):
    """The service did not answer in time."""
