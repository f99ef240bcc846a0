"""Tokens in a user's name."""

from datetime import UTC, datetime, timedelta

import jwt
import pytest

from adapters.http.user_tokens import UserTokens
from adapters.memory.clock import SettableClock

SECRET = "a-secret-of-the-length-that-hs256-asks-for"
NOW = datetime(2026, 3, 9, 4, 30, tzinfo=UTC)


def test_token_names_the_user_and_expires_soon() -> None:
    """The claims are those that the platform's REST API checks, good for five minutes."""
    token = UserTokens(secret=SECRET, clock=SettableClock(NOW)).token("user-1")
    claims = jwt.decode(
        token, SECRET, algorithms=["HS256"], audience="authenticated", options={"verify_exp": False}
    )
    assert claims == {
        "aud": "authenticated",
        "sub": "user-1",
        "role": "authenticated",
        "exp": int((NOW + timedelta(minutes=5)).timestamp()),
    }


@pytest.mark.parametrize(("passed", "same"), [(0, True), (119, True), (120, False), (600, False), (-3600, False)])
def test_token_is_kept_for_two_minutes(passed: int, *, same: bool) -> None:
    """A user's calls within two minutes share a token; a clock that stepped back brings a new one."""
    clock = SettableClock(NOW)
    tokens = UserTokens(secret=SECRET, clock=clock)
    first = tokens.token("user-1")
    clock.advance(timedelta(seconds=passed))
    assert (tokens.token("user-1") == first) is same


def test_users_never_share_a_token() -> None:
    """Each user's token names that user."""
    tokens = UserTokens(secret=SECRET, clock=SettableClock(NOW))
    subjects = [
        jwt.decode(tokens.token(user), options={"verify_signature": False})["sub"] for user in ("a", "b", "a")
    ]
    assert subjects == ["a", "b", "a"]


def test_number_of_kept_tokens_is_bounded() -> None:
    """Memory does not grow with the number of users; the oldest token goes first."""
    tokens = UserTokens(secret=SECRET, clock=SettableClock(NOW), most_kept=3)
    for user in "abcde":
        tokens.token(user)
    assert list(tokens._kept) == ["c", "d", "e"]


def test_missing_secret_is_a_clear_error() -> None:
    """Without the secret the start stops, and the setting is named."""
    with pytest.raises(ValueError, match="SUPABASE_JWT_SECRET"):
        UserTokens(secret="", clock=SettableClock(NOW))
