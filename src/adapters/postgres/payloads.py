"""Payloads of firings, read from JSON when somebody looks into them."""

from collections.abc import Iterator, Mapping
from typing import Any

from adapters.json_text import read_json


class JsonPayload(Mapping[str, Any]):
    """What a JSON object in UTF-8 holds.

    A claim hands out a thousand at once, and the transaction should not wait until each has been read.
    """

    __slots__ = ("_json", "_values")

    def __init__(self, text: bytes) -> None:
        self._json = text
        self._values: dict[str, Any] | None = None

    def _read(self) -> dict[str, Any]:
        if self._values is None:
            self._values = read_json(self._json)
            self._json = b""
        return self._values

    def __getitem__(self, key: str) -> Any:
        return self._read()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __repr__(self) -> str:
        return "JsonPayload(...)"  # what users put in is shown nowhere

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value, as a dict does; the inherited way is several times as slow."""
        values = self._values
        return (self._read() if values is None else values).get(key, default)
