"""What is masked in error texts, and that no text takes long."""

import re
import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.monitoring.masking import mask

MEGABYTE = 1_000_000
LETTERS = st.text(string.ascii_lowercase, min_size=1, max_size=12)
ANYTHING = st.text(max_size=300) | st.text("ab.@-_|%+ é/:AZ1\n\\", max_size=300)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("", ""),
        ("  padded\n", "padded"),
        ("failed after 30 s, code 404", "failed after X s, code X"),
        ("١٢٣ items", "X items"),
        ("ERROR in API at ID", "MASKED in MASKED at ID"),
        ("HTTPError", "HTTPError"),
        ("user_id and _private and __", "MASKED and MASKED and MASKED"),
        ("MY_KEY=secret", "MASKED=secret"),
        ("key abcdefab-abcd-abcd-abcd-abcdefabcdef", "key UUID"),
        ("key 550e8400-e29b-41d4-a716-446655440000", "key XeX-eXb-XdX-aX-X"),
        ("sha abcdefabcdefabcdefab", "sha HASH"),
        ("sha abcdefabcdefabcdefa", "sha abcdefabcdefabcdefa"),
        ("open /var/lib/x.db failed", "open /MASKED/path failed"),
        ("and/or", "and/MASKED/path"),
        ("a / b // c", "a / b // c"),
        ("get https://example.com/a?b=c#d failed", "get URL failed"),
        ("see http://localhost:8005", "see URL"),
        ("mail joe.bloggs+x@mail.example.com now", "mail EMAIL now"),
        ("a@b.co.uk,c@d.org", "EMAIL,EMAIL"),
        ("a@b.cc.d@e.ff", "EMAILEMAIL"),
        ("a@b and @c.org and d@.e", "a@b and @c.org and d@.e"),
        ("...@x.com@y.org", "...@EMAIL"),
        ("éabc.def@x.yz", "éabcEMAIL"),
        ("x" * 100, "x" * 100),
        ("x" * 101, "x" * 97 + "..."),
        ("y" * 90 + " " * 20, "y" * 90 + " " * 7 + "..."),
    ],
)
def test_a_text_is_masked(text: str, masked: str) -> None:
    """Each kind of detail is replaced by its word, in the original's order."""
    assert mask(text) == masked


@given(text=ANYTHING)
def test_whatever_the_text_the_sample_is_short_and_has_no_digits_or_names(text: str) -> None:
    """A sample has at most 100 characters, no digit, no underscore, and no space around it."""
    masked = mask(text)
    assert len(masked) <= 100
    assert masked == masked.strip()
    assert not re.search(r"[\d_]", masked)


@given(user=LETTERS, host=LETTERS, tail=LETTERS, words=st.lists(LETTERS, max_size=3))
def test_an_address_never_shows(user: str, host: str, tail: str, words: list[str]) -> None:
    """Whatever words stand around it, an e-mail address and a URL are replaced whole."""
    around = " ".join(words)
    assert "@" not in mask(f"{around} {user}@{host}.{tail}x {around}")
    assert mask(f"https://{host}.{tail}/{user}?q={words}".replace(" ", "")) == "URL"


@given(first=st.integers(min_value=0), second=st.integers(min_value=0), words=LETTERS)
def test_errors_that_differ_in_numbers_only_are_equal(first: int, second: int, words: str) -> None:
    """Numbers don't keep two errors from being counted together."""
    assert mask(f"{words} {first} after {second}s") == mask(f"{words} {second} after {first}s")


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "a.",
        "a@",
        "@",
        "a@b.",
        "A",
        "_",
        "a_",
        "/",
        "/a",
        "a-",
        "ab ",
        "http://",
        "1",
        "abcdefab-abcd-",
        "é.",
        " ",
    ],
)
@pytest.mark.parametrize("end", ["", "-", "@b.c"])
def test_a_hostile_megabyte_is_masked_in_linear_time(unit: str, end: str) -> None:
    """Text made to be backtracked over takes well under a second where quadratic time would be hours."""
    text = unit * (MEGABYTE // len(unit)) + end
    before = time.process_time()
    mask(text)
    assert time.process_time() - before < 5
