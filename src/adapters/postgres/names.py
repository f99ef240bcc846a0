"""Names of tables and texts of statements, and the hashes that stand for long identities."""

import hashlib
import json
import re

from ports.jobs import StoreName

STOCK_TABLES = {
    StoreName.EXECUTION: "apscheduler_jobs",
    StoreName.BATCHED_NOTIFICATIONS: "apscheduler_jobs_batched_notifications",
}
"""The platform's tables (compat/ddl.sql), by job store."""

FIRINGS = "scheduler_firings"
REPLICAS = "scheduler_replicas"
QUARANTINE = "scheduler_quarantine"
JOB_INDEX = "scheduler_job_index"
JOB_MARKS = "scheduler_job_marks"
MAX_ID_LENGTH = 191
MARKER = "scheduler_mark_job"
JOB_INDEX_STATE = "scheduler_job_index_state"
VERSION_TABLE = "scheduler_alembic_version"


class Names:
    """Writes qualified table names into statements.

    `{firings}`, `{replicas}`, `{quarantine}`, `{index}`, `{marks}`, `{index_state}`, and `{jobs}` of a store.
    """

    def __init__(self, schema: str) -> None:
        self._tables = {
            "firings": qualified(schema, FIRINGS),
            "replicas": qualified(schema, REPLICAS),
            "quarantine": qualified(schema, QUARANTINE),
            "index": qualified(schema, JOB_INDEX),
            "marks": qualified(schema, JOB_MARKS),
            "index_state": qualified(schema, JOB_INDEX_STATE),
        }
        self._schema = schema

    def sql(self, text: str, *, store: StoreName | None = None) -> str:
        """Return `text` with the names filled in; `{jobs}` is the table of `store`."""
        tables = dict(self._tables)
        if store is not None:
            tables["jobs"] = qualified(self._schema, STOCK_TABLES[store])
        return text.format_map(tables)


def qualified(schema: str, table: str) -> str:
    """Return a quoted `schema.table`, fit for a statement with `%(name)s` parameters."""
    quoted = schema.replace('"', '""').replace("%", "%%")
    return f'"{quoted}".{table}'


_PLAIN = re.compile(r"[ !#-\[\]-~]*", re.ASCII).fullmatch
"""Matches what JSON writes as it is."""


def job_key(store: str, job_id: str) -> str:
    """Return the 128 bits by which firings know their job, as a UUID's text.

    The first half of SHA-256 over `store:id`, so that SQL can compute the same.
    """
    return uuid_text(_digest(f"{store}:{job_id}"))


def uuid_text(digest: bytes) -> str:
    """Return the first 16 bytes as a UUID's text, as `uuid` does, which takes three times as long."""
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:32]}"


def hash_key(identity: str) -> int:
    """Return 64 bits of an id, which may be kilobytes long, for an index. Compare the id as well."""
    return int.from_bytes(_digest(identity)[:8], "big", signed=True)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def storable(job_id: str) -> bool:
    """Return whether a row can have this id: text in PostgreSQL has no NUL and no lone surrogates."""
    try:
        job_id.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in job_id


def escaped(text: str | None) -> str | None:
    r"""Return text of outside origin as PostgreSQL can hold it: as within JSON, `\u0000` and all."""
    if text is None or _PLAIN(text):
        return text
    return json.dumps(text, ensure_ascii=False)[1:-1].encode("utf-8", "backslashreplace").decode()


def unescaped(text: str | None) -> str | None:
    """Return what `escaped` was given."""
    return None if text is None else str(json.loads(f'"{text}"', strict=False))
