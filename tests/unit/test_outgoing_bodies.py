"""Bodies and headers that receivers get."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.http.bodies import compact_json, header_text
from ports.errors import DispatchRefused

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(document=st.dictionaries(st.text(), JSON, max_size=5))
def test_body_means_what_was_given(document: dict[str, object]) -> None:
    """Whatever JSON can hold comes out as it went in, in any script and at any size of number."""
    assert json.loads(compact_json(document)) == document


def test_lone_surrogate_survives() -> None:
    """Half a character, a recorded input, arrives as its escape."""
    assert compact_json({"x": "\ud800\x00"}) == b'{"x":"\\ud800\\u0000"}'


def test_strict_json_has_no_nan() -> None:
    """What other languages can't parse is refused where they may be the receivers."""
    with pytest.raises(DispatchRefused):
        compact_json({"x": float("nan")}, strict=True)
    assert compact_json({"x": float("nan")}) == b'{"x":NaN}'


def test_endless_nesting_is_refused() -> None:
    """A document that contains itself, or is nested beyond reason, is refused and not a crash."""
    loop: dict[str, object] = {}
    loop["loop"] = loop
    deep: list[object] = []
    for _ in range(200_000):
        deep = [deep]
    for document in (loop, {"deep": deep}):
        with pytest.raises(DispatchRefused):
            compact_json(document)


@given(values=st.lists(st.text(), unique=True, max_size=6))
def test_header_text_is_safe_and_distinct(values: list[str]) -> None:
    """Every value becomes printable ASCII without blanks at its ends, and no two become the same."""
    texts = [header_text(value) for value in values]
    assert all(text.isascii() and text.isprintable() and text == text.strip() for text in texts)
    assert len(set(texts)) == len(values)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("4f0c:2026-03-09T04:30:00Z", "4f0c:2026-03-09T04:30:00Z"),
        ("a b", "a b"),
        ("a%20b", "a%2520b"),
        ("a\r\nb", "a%0D%0Ab"),
        (" a", "%20a"),
        ("ü", "%C3%BC"),
        ("\ud800", "%ED%A0%80"),
    ],
)
def test_header_text_changes_only_what_it_must(value: str, expected: str) -> None:
    """Usual keys stay as they are."""
    assert header_text(value) == expected
