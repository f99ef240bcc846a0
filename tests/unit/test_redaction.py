"""What of a receiver's words is kept."""

import pytest

from adapters.redaction import LONGEST_REASON, quotable
from tests.dispatching import a_request


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Bearer abc.def is bad", "Bearer *** is bad"),
        ("token eyJhbGciOi.eyJzdWIi.c2ln refused", "token *** refused"),
        ("secret whsec_AAAA= here", "secret *** here"),
        ("postgresql://me:pass@db/x is away", "postgresql://***@db/x is away"),
        (
            "a [type=int, input_value={'x': 'yy...z'}, input_type=dict]",
            "a [type=int, input_value=***, input_type=dict]",
        ),
        ("two\nlines\x00and\u2028more", "two lines and more"),
        ("half a \ud800 character", "half a character"),
    ],
)
def test_what_looks_like_a_secret_is_masked_and_the_line_is_printable(text: str, expected: str) -> None:
    """Tokens, passwords and values that pydantic shows are masked whoever they belong to."""
    assert quotable(text, a_request()) == expected


def test_values_are_masked_in_every_spelling() -> None:
    """Plain, escaped, nested, shortened and numeric values are found; keys and short values stay."""
    request = a_request(
        inputs={
            "field": ['it\'s "so"\n'],
            "deep": {"n": 98765, "short": "ab", "on": True, "none": None},
            "x": "L" * 60,
        }
    )
    text = "field " + repr('it\'s "so"\n') + " 98765 ab True None " + "L" * 40 + "..."
    assert quotable(text, request) == "field '***' *** ab True None ***..."


def test_longer_values_are_masked_before_their_parts() -> None:
    """A value inside another does not leave the rest of it readable."""
    request = a_request(inputs={"a": "secret", "b": "secret-and-more"})
    assert quotable("secret-and-more and secret", request) == "*** and ***"


def test_mask_itself_as_an_input_does_no_harm() -> None:
    """Masking ends even where a value looks like the mask."""
    assert quotable("it was ****", a_request(inputs={"a": "****", "b": "*****"})) == "it was ***"


def test_text_too_long_to_search_is_not_quoted() -> None:
    """Neither a huge text nor one with too many inputs to look for is kept."""
    assert quotable("x" * 30_000, a_request()) == "(a text of 30000 characters, not quoted)"
    many = a_request(inputs={str(n): f"value {n}" for n in range(3000)})
    assert quotable("value 17", many) == "(not quoted, since there are too many inputs to mask)"


def test_long_text_is_cut() -> None:
    """What is kept has a bound."""
    kept = quotable("word " * 1000, a_request())
    assert len(kept) == LONGEST_REASON
    assert kept.endswith("...")
