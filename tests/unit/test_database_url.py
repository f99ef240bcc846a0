"""DIRECT_URL."""

import pytest

from entrypoints.database_url import parse_direct_url
from entrypoints.errors import SettingsError


@pytest.mark.parametrize(
    ("text", "schema", "query"),
    [
        ("postgresql://u:p@h:5432/db", "public", ""),
        ("postgresql://u:p@h:5432/db?schema=platform&connect_timeout=60", "platform", "?connect_timeout=60"),
        ("postgres://u:p@h:5432/db?schema=a&schema=b", "a", ""),
        ("postgresql://u:p@h:5432/db?schema=", "public", ""),
        ("postgresql://u:p@h:5432/db?schema=my%20s", "my s", ""),
        (
            "postgresql://u:p@h:5432/db?pgbouncer=true&connection_limit=1&sslmode=require",
            "public",
            "?sslmode=require",
        ),
    ],
)
def test_schema_and_query_are_read_as_the_original_does(text: str, schema: str, query: str) -> None:
    """compat/notes.md, `_extract_schema_from_url`, and what only Prisma knows is dropped."""
    found = parse_direct_url(text)
    assert found.schema == schema
    assert found.url == f"postgresql+psycopg2://u:p@h:5432/db{query}"


def test_a_socket_may_stand_in_the_query() -> None:
    """The way in which libpq itself names one works."""
    found = parse_direct_url("postgresql://postgres:@/postgres?host=/run/pg")
    assert found.url == "postgresql+psycopg2://postgres:@/postgres?host=%2Frun%2Fpg"
    assert found.display == "/run/pg/postgres (schema public)"


@pytest.mark.parametrize(
    "text", ["", "nonsense", "mysql://u:p@h/db", "postgresql://u:hush@h", "postgresql://u:hush@h:x/d"]
)
def test_a_wrong_url_is_one_line_without_its_password(text: str) -> None:
    """Whatever is wrong, the password stays out of it."""
    with pytest.raises(SettingsError) as raised:
        parse_direct_url(text)
    assert str(raised.value).startswith("DIRECT_URL ")
    assert "hush" not in str(raised.value)


def test_an_option_that_postgresql_does_not_know_is_named() -> None:
    """Waiting for the database would not make it known."""
    with pytest.raises(SettingsError, match=r"^DIRECT_URL can't be used: .*option .colour.$"):
        parse_direct_url("postgresql://u:hush@h/db?colour=red")
