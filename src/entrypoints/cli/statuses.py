"""Exit statuses, and which error ends in which."""

from enum import IntEnum


class Status(IntEnum):
    """What scripts go by (`agpt-scheduler --help` says it in words)."""

    DONE = 0
    WRONG = 1
    BAD_INPUT = 2
    UNREACHABLE = 3
    NOT_FOUND = 4
    NOT_ALLOWED = 5
    INTERRUPTED = 130


def explained(error: Exception) -> tuple[str, Status]:
    """Return an error in words, and the status that it ends in."""
    # Only now: a command that goes well needs none of these.
    from domain.errors import DomainError  # noqa: PLC0415
    from entrypoints.client import errors as client  # noqa: PLC0415
    from entrypoints.errors import StartError  # noqa: PLC0415
    from ports.errors import StoreUnavailable  # noqa: PLC0415

    table: tuple[tuple[type[Exception], Status], ...] = (
        (client.NotFoundError, Status.NOT_FOUND),
        (client.NotAuthorizedError, Status.NOT_ALLOWED),
        (client.InvalidRequestError, Status.BAD_INPUT),
        (client.ServiceUnavailableError, Status.UNREACHABLE),
        (client.ServiceUnreachableError, Status.UNREACHABLE),
        (client.SchedulerClientError, Status.WRONG),
        (DomainError, Status.BAD_INPUT),
        (StartError, Status.BAD_INPUT),
        (StoreUnavailable, Status.UNREACHABLE),
    )
    for kind, status in table:
        if isinstance(error, kind):
            return str(error), status
    return f"{type(error).__name__}: {error} (a mistake of ours; LOG_LEVEL=DEBUG shows where)", Status.WRONG
