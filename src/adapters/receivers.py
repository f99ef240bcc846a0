"""What receivers tell in any form: an execution's id, or one of the platform's exceptions."""

import builtins
import re
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from adapters.redaction import quotable
from ports.dispatch import DispatchRequest
from ports.errors import DispatchRefused

_PLATFORM_VALUE_ERRORS = frozenset(
    {
        "NotFoundError",
        "NotAuthorizedError",
        "InsufficientBalanceError",
        "ValidationError",
        "RequestValidationError",
        "GraphValidationError",
        "ModerationError",
    }
)
_PLATFORM_OTHER_ERRORS = frozenset({"MissingConfigError", "NeedConfirmation"})
_LONGEST_ID = 200
_CODES = {
    "InsufficientBalanceError": "insufficient_balance",
    "NotFoundError": "not_found",
    "NotAuthorizedError": "not_authorized",
}
_GRAPH = re.compile(r"\b(graph|agent)", re.IGNORECASE)
_OTHER_THING = re.compile(r"\b(credential|preset|block|node|webhook|provider|integration|file)", re.IGNORECASE)


def readable_id(value: Any) -> str | None:
    """Return `value` as an execution's id; None for what can't be shown or stored (a NUL, a surrogate, a novel)."""
    if isinstance(value, int | UUID) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str) and 0 < len(value) <= _LONGEST_ID and value.isprintable():
        return str(value)  # of a class derived from it, say
    return None


def is_value_error(type_name: str) -> bool | None:
    """Whether exceptions of this name are ValueErrors, which no repetition cures; None for a name not known.

    Source: the platform's exceptions, and Python's own (compat/outgoing.md, "The convention").
    """
    if type_name in _PLATFORM_VALUE_ERRORS:
        return True
    if type_name in _PLATFORM_OTHER_ERRORS:
        return False
    known = getattr(builtins, type_name, None)
    if isinstance(known, type) and issubclass(known, Exception):
        return issubclass(known, ValueError)
    return None


def refusal(type_names: Sequence[str], message: str, request: DispatchRequest) -> DispatchRefused:
    """Return the refusal that a ValueError stands for, given its class's name and those of its bases, if known."""
    code = next((_CODES[name] for name in type_names if name in _CODES), "refused")
    gone = code in {"not_found", "not_authorized"} and is_about_graph(message, request)
    return DispatchRefused(quotable(f"{type_names[0]}: {message}", request), code=code, target_gone=gone)


def is_about_graph(message: str, request: DispatchRequest) -> bool:
    """Whether "not found" or "not yours" speaks of the graph itself, and not of something that it needs.

    The graph is what the call is about, so it is meant unless the message names only another thing.
    """
    if _GRAPH.search(message) or (request.graph_id and request.graph_id in message):
        return True
    return _OTHER_THING.search(message) is None
