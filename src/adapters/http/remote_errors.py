"""How a neighbour's error answers are read (compat/outgoing.md, "The convention"; compat/client.json)."""

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from ports.errors import RemoteCallError

_RAISED_BY_TYPE = frozenset(
    {
        "ConnectionError",
        "InsufficientBalanceError",
        "MissingConfigError",
        "NeedConfirmation",
        "NotAuthorizedError",
        "NotFoundError",
        "TimeoutError",
        "ValueError",
    }
)
"""Recorded as EXCEPTION_MAPPING in client.json. Without RuntimeError, which outgoing.md names but no recording."""


class _ErrorBody(BaseModel):
    """`{"type", "args"}`. Any object is one, since both may be missing; nothing else is."""

    model_config = ConfigDict(title="RemoteCallError")  # the name that the recorded message has

    type: str = "RemoteCallError"
    args: tuple[Any, ...] | None = None


def remote_error(document: Any, *, status_text: str) -> RemoteCallError:
    """Return the error that an answer's JSON `document` stands for.

    A type that the platform's client does not know becomes "Exception", and one without arguments gets
    `status_text`, what the HTTP client says of such an answer.
    """
    try:
        body = _ErrorBody.model_validate(document)
    except ValidationError as error:
        return raised_here(error)
    name = body.type if body.type in _RAISED_BY_TYPE else "Exception"
    return RemoteCallError(name, body.args or [status_text])


def raised_here(error: Exception) -> RemoteCallError:
    """Return the port's error for one of a library, which keeps its name as it would in the original."""
    return RemoteCallError(type(error).__name__, [str(error)])
