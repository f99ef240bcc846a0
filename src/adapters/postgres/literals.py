"""Values as PostgreSQL array literals: one constant a column, parsed far faster than `ARRAY[...]`."""

from collections.abc import Callable, Iterable
from datetime import datetime
from uuid import UUID


def array(values: Iterable[object]) -> str:
    """Return a literal such as `{1,NULL,"a"}`, to be passed as a parameter and cast to the array's type."""
    return "{" + ",".join([_WRITERS[type(value)](value) for value in values]) + "}"


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
