"""JSON that others wrote: read as Python's json reads it, whatever they wrote."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.json_text import read_json

ODD = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    '"',
    "\\",
    "\\u",
    "d800",
    "\\udc00",
    "-",
    "1e5",
    "0",
    "NaN",
    "null",
    " ",
    "\x00",
]
values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
documents = st.builds(
    lambda value, plain: json.dumps(value, ensure_ascii=plain).encode("utf-8", "surrogatepass"),
    values,
    st.booleans(),
)
scribbles = st.lists(st.sampled_from([*ODD, "é", "\ufeff", '"a"']), max_size=12).map(
    lambda odd: "".join(odd).encode()
)
numbers = st.from_regex(r"\A-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,4})?\Z").map(str.encode)


def read(text: bytes, by: Any) -> Any:
    """Return what `by` makes of `text`, or the class of its refusal."""
    try:
        return by(text)
    except (ValueError, RecursionError) as error:
        return ValueError if isinstance(error, ValueError) else RecursionError


def same(one: Any, other: Any) -> bool:
    """Whether two values are alike to the last bit, their types and the order of keys included."""
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return repr(one) == repr(other)
    return type(one) is type(other) and bool(one == other)


@given(st.one_of(documents, scribbles, numbers, st.binary(max_size=12)))
def test_it_reads_what_json_reads(text: bytes) -> None:
    """Values, and what is no JSON."""
    assert same(read(text, read_json), read(text, json.loads))


@given(documents, st.integers(0, 200), st.binary(max_size=2))
def test_it_reads_damaged_documents_as_json_does(text: bytes, place: int, damage: bytes) -> None:
    """One place written over, or cut off there."""
    place %= len(text)
    for damaged in (text[:place] + damage + text[place + 1 :], text[:place]):
        assert same(read(damaged, read_json), read(damaged, json.loads))


@pytest.mark.parametrize(
    "text",
    [b"[" * 100_000, b'{"a":' * 100_000, b"1" * 5000, b"1e400", b"-1e400", b"NaN", b"-Infinity", b'"\\ud800"'],
)
def test_it_reads_the_extremes_as_json_does(text: bytes) -> None:
    """Depth, length, and numbers that are none."""
    assert same(read(text, read_json), read(text, json.loads))
