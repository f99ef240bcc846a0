"""Values as PostgreSQL array literals: one constant a column, parsed far faster than `ARRAY[...]`."""

from collections.abc import Callable, Iterable
from datetime import datetime
from uuid import UUID


def array(values: Iterable[object]) -> str:
    """Return a literal such as `{1,NULL,"a"}`, to be passed as a parameter and cast to the array's type."""
    return joined([_WRITERS[type(value)](value) for value in values])


def element(value: object) -> str:
    """Return how a value reads within an array literal."""
    return _WRITERS[type(value)](value)


def joined(elements: Iterable[str]) -> str:
    """Return the array literal of elements that are written already."""
    return "{" + ",".join(elements) + "}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


_WRITERS: dict[type, Callable[..., str]] = {
    type(None): lambda _: "NULL",
    bool: lambda value: "t" if value else "f",
    int: str,
    float: repr,
    str: _quoted,
    bytes: lambda value: '"\\\\x' + value.hex() + '"',
    datetime: lambda value: f'"{value.isoformat()}"',
    UUID: str,
}
