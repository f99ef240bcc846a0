"""DIRECT_URL: what it means to SQLAlchemy, and the schema that it names."""

from dataclasses import dataclass

from psycopg2 import ProgrammingError
from psycopg2.extensions import make_dsn
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from entrypoints.errors import SettingsError

_SCHEMES = frozenset({"postgres", "postgresql", "postgresql+psycopg2"})
# Prisma's own, which libpq would refuse.
_PRISMA_ONLY = frozenset(
    {
        "schema",
        "pgbouncer",
        "connection_limit",
        "pool_timeout",
        "socket_timeout",
        "statement_cache_size",
        "sslaccept",
        "sslidentity",
        "sslpassword",
        "max_connection_lifetime",
        "max_idle_connection_lifetime",
        "single_use_connections",
    }
)


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """A database: the URL for SQLAlchemy on psycopg2, the schema, and text that may be shown to anybody."""

    url: str
    schema: str
    display: str


def parse_direct_url(text: str) -> DatabaseUrl:
    """Read a DIRECT_URL as the original does (compat/notes.md, `_extract_schema_from_url`).

    The first `schema` counts, an empty one means `public`; parameters that only Prisma knows, and those without
    a value, are dropped. Raises SettingsError, whose text never holds the password.
    """
    try:
        url = make_url(text.strip())
    except (ArgumentError, ValueError):
        raise SettingsError(
            "DIRECT_URL", "is not a URL; expected postgresql://user:password@host:5432/name"
        ) from None
    if url.drivername not in _SCHEMES:
        raise SettingsError(
            "DIRECT_URL", f"has the scheme {url.drivername!r}; expected postgresql:// or postgres://"
        )
    if not url.database:
        raise SettingsError("DIRECT_URL", "names no database; expected postgresql://user:password@host:5432/name")
    schema = _first(url, "schema") or "public"
    query = {key: value for key, value in url.query.items() if key not in _PRISMA_ONLY and value not in ("", ())}
    url = url.set(drivername="postgresql+psycopg2", query=query)
    try:
        make_dsn(None, **{key: str(value) for key, value in query.items()})
    except ProgrammingError as error:  # libpq names the first option that it does not know
        raise SettingsError(
            "DIRECT_URL", f"can't be used: {str(error).strip().removeprefix('invalid dsn: ')}"
        ) from None
    host = url.host or _first(url, "host") or "a local socket"
    port = f":{url.port}" if url.port else ""
    return DatabaseUrl(
        url=url.render_as_string(hide_password=False),
        schema=schema,
        display=f"{host}{port}/{url.database} (schema {schema})",
    )


def _first(url: URL, key: str) -> str:
    value = url.query.get(key, "")
    return value if isinstance(value, str) else value[0]
