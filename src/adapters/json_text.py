"""JSON that others wrote, read fast."""

import json
from typing import Any

import msgspec

_decode = msgspec.json.Decoder().decode


def read_json(text: bytes) -> Any:
    """Return what json.loads does, in a tenth of the time for most texts; raise ValueError or RecursionError.

    What msgspec refuses is given to json.loads: numbers beyond a double and NaN, which Python's own JSON knows,
    lone surrogates, a byte order mark, or no JSON at all.
    """
    try:
        return _decode(text)
    except (msgspec.MsgspecError, ValueError):
        return json.loads(text)
