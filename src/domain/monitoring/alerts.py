"""Alerts that fit into one message of the operators' channel."""

from collections.abc import Sequence

LONGEST_ALERT = 2000
"""Discord refuses messages of more characters."""

_CUT = "..."


def fit(head: str, items: Sequence[str], *, separator: str, noun: str) -> str:
    """Return `head` and `items` as one alert; when that is too long, as many items as fit and how many don't."""
    whole = head + separator.join(items)
    if len(whole) <= LONGEST_ALERT:
        return whole
    room = LONGEST_ALERT - len(head) - len(_more(len(items), noun))
    shown: list[str] = []
    for item in items:
        room -= len(item) + len(separator)
        if room < 0:
            break
        shown.append(item)
    return cut(head + separator.join([*shown, _more(len(items) - len(shown), noun)]))


def cut(text: str) -> str:
    """Return `text`, shortened to one alert."""
    return text if len(text) <= LONGEST_ALERT else text[: LONGEST_ALERT - len(_CUT)] + _CUT


def _more(count: int, noun: str) -> str:
    return f"... and {count} more {noun}"
