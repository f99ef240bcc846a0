"""Outgoing bodies and headers, in the form the platform's own client gives them."""

import json
from typing import Any
from urllib.parse import quote

from ports.errors import DispatchRefused

_SAFE_IN_HEADERS = "!\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~"
_write = json.JSONEncoder(separators=(",", ":")).encode
_write_strictly = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def compact_json(document: dict[str, Any], *, strict: bool = False) -> bytes:
    """Return `document` as compact ASCII JSON; raise DispatchRefused for what JSON can't hold.

    NaN and infinities are written as Python writes and reads them, since the platform's receivers are Python and
    the original hands floats over in its own process. `strict` refuses them: for receivers in any language.
    ASCII, so that a lone surrogate in an input survives as its escape.
    """
    write = _write_strictly if strict else _write
    try:
        return write(document).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        # Only the kind of error: its text may quote the value.
        reason = f"the inputs can't be written as JSON ({type(error).__name__})"
        raise DispatchRefused(reason, code="unserializable") from None


def header_text(value: str) -> str:
    """Return `value` for a header: as it is where it may stand there, else percent-encoded.

    Job ids are anybody's text, line breaks included. Two values never become the same one.
    """
    if value.isascii() and value.isprintable() and "%" not in value and value == value.strip():
        return value
    return quote(value, safe=_SAFE_IN_HEADERS, errors="surrogatepass")
