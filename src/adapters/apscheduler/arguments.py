"""What a job is called with: plain JSON types, within bounds that keep them readable."""

from typing import Any

from adapters.apscheduler.opcodes import MAX_BYTES, RefusedPickleError

MAX_DEPTH = 300
"""Levels of nesting. The original stores up to 256; Python fails to pickle some 450, to write as JSON some 900."""

_WIDE = 10**19
_TOO_WIDE = 10**4300  # what Python refuses to write as text


def require_json(value: object, *, at_most: int) -> None:
    """Refuse what is not plain JSON, with RefusedPickleError.

    `at_most` bounds the number of values, and MAX_BYTES the text in all, each counted as often as it is referred
    to: a list of references to a list of references, or to a long text, is small only as a pickle.
    """
    level, values, size = [value], 0, 0
    for _ in range(MAX_DEPTH):
        below: list[object] = []
        for each in level:
            size += _size(each, below)
            if values + len(below) > at_most or size > MAX_BYTES:
                raise RefusedPickleError("has larger arguments than any job row")
        if not below:
            return
        values += len(below)
        level = below
    raise RefusedPickleError("has more deeply nested arguments than any job row")


def _size(value: Any, below: list[object]) -> int:
    """Return how much text `value` has of its own, and add what it contains to `below`."""
    kind = type(value)
    if kind is str:
        return len(value)
    if kind is dict:
        below.extend(value.values())
        # Other keys would come out of JSON as something else, or as the same key twice.
        if not all(type(key) is str for key in value):
            raise RefusedPickleError("has arguments that are not JSON")
        return sum(map(len, value))
    if kind is list:
        below.extend(value)
    elif kind is int and not -_WIDE < value < _WIDE:
        if not -_TOO_WIDE < value < _TOO_WIDE:
            raise RefusedPickleError("has a longer integer than any job row")
        return int(value.bit_length()) // 3  # a digit takes a little more than three bits
    elif not (value is None or kind is int or kind is float or kind is bool):
        raise RefusedPickleError("has arguments that are not JSON")
    return 0
