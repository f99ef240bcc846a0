"""Values as PostgreSQL array literals: one constant a column, parsed far faster than `ARRAY[...]`."""

from collections.abc import Callable, Iterable
from datetime import datetime
from uuid import UUID


def array(values: Iterable[object]) -> str:
    """Return a literal such as `{1,NULL,"a"}`, to be passed as a parameter and cast to the array's type."""
    values = list(values)
    kinds = set(map(type, values))
    if len(kinds) == 1:
        return joined(map(_WRITERS[kinds.pop()], values))
    return joined([_WRITERS[type(value)](value) for value in values])


def element(value: object) -> str:
    """Return how a value reads within an array literal."""
    return _WRITERS[type(value)](value)


def joined(elements: Iterable[str]) -> str:
    """Return the array literal of elements that are written already."""
    return "{" + ",".join(elements) + "}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


class _Writers(dict[type, Callable[..., str]]):
    """Writers by the exact class, and learnt for subclasses when they are met."""

    def __missing__(self, kind: type) -> Callable[..., str]:
        writer = next((self[base] for base in kind.__mro__[1:] if base in self), None)
        if writer is None:
            raise TypeError(f"no array holds a {kind.__name__}")
        self[kind] = writer
        return writer


_WRITERS = _Writers(
    {
        type(None): lambda _: "NULL",
        bool: lambda value: "t" if value else "f",
        int: str,
        float: repr,
        str: _quoted,
        bytes: lambda value: '"\\\\x' + value.hex() + '"',
        datetime: datetime.isoformat,
        UUID: str,
    }
)
