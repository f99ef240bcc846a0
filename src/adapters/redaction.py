"""What of a receiver's own words may stand in an error: never inputs, credentials or tokens."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ports.dispatch import DispatchRequest

LONGEST_REASON = 500
"""Characters of an error that are kept (history has a column for it, not a library)."""

_MASK = "***"
_LONGEST_QUOTED = 20_000
_MOST_VALUES = 2_000
_SHORTEST_MASKED = 4
"""Shorter values ("a", "no", "42") occur in any sentence: masking them hides nothing and ruins the text."""
_HEAD = 32
"""A longer value counts as quoted when its head is: errors tend to shorten what they quote."""

_SECRETS = re.compile(
    r"(?<=input_value=).*?(?=, input_type=)"  # pydantic shows, and shortens, the value that it refused
    r"|(?<=://)[^/\s@]+(?=@)"  # user and password in a URL
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]*"  # a JWT
    r"|(?<=\bBearer )\S+"
    r"|\bwhsec_\S+",
    re.DOTALL | re.IGNORECASE,
)


def quotable(text: str, request: DispatchRequest) -> str:
    """Return `text` fit for history and logs: one printable line of at most LONGEST_REASON characters.

    Values of the request's inputs and credentials are masked (their keys are not), and so is what looks like a
    token. A text too long to be searched is not quoted at all.
    """
    if len(text) > _LONGEST_QUOTED:
        return f"(a text of {len(text)} characters, not quoted)"
    values: set[str] = set()
    for value in _values((request.inputs, request.credentials)):
        values.add(value)
        if len(values) > _MOST_VALUES:
            return "(not quoted, since there are too many inputs to mask)"
    text = _SECRETS.sub(_MASK, text)
    for value in sorted(values, key=len, reverse=True):
        text = _without(text, value)
    return one_line(text)


def one_line(text: str) -> str:
    """Return `text` as one printable line of at most LONGEST_REASON characters."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= LONGEST_REASON else line[: LONGEST_REASON - 3] + "..."


def _without(text: str, value: str) -> str:
    head = value[:_HEAD]
    at = text.find(head)
    while at >= 0:
        rest = text[at : at + len(value)]
        quoted = next((n for n, pair in enumerate(zip(rest, value, strict=False)) if pair[0] != pair[1]), len(rest))
        text = text[:at] + _MASK + text[at + quoted :]
        at = text.find(head, at + len(_MASK))
    return text


def _values(root: Any) -> Iterator[str]:
    """Yield every scalar in `root` as errors would spell it: plain, and with escapes as JSON and repr write it."""
    waiting = [root]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Mapping):
            waiting.extend(item.values())
        elif isinstance(item, list | tuple):
            waiting.extend(item)
        elif item is not None and not isinstance(item, bool):
            plain = str(item)
            if len(plain) >= _SHORTEST_MASKED:
                yield plain
                escaped = repr(plain)[1:-1]
                if escaped != plain:
                    yield escaped
