"""Firings, the replicas that lease them, the index beside the job table, and the rows that are left alone."""

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
# Dead versions pile up at the rate of firings: the default of a fifth of the table would come too late.
VACUUM_SOON = "autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02"
STATE = "coalesce(rare_state, CASE WHEN finished_at IS NULL THEN 'leased' ELSE 'succeeded' END)"
TABLES = (
    "scheduler_job_marks",
    "scheduler_job_index_state",
    "scheduler_job_index",
    "scheduler_quarantine",
    "scheduler_replicas",
    "scheduler_firings",
)

# Notes rows of the platform's table that somebody else writes, so that the index catches up, and wakes replicas.
# It never raises, whatever became of our tables, and it costs this service's own writes one comparison.
MARK = """
CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO {marks} (job_id) VALUES (NEW.id);
    PERFORM pg_notify('{channel}', '');
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    """Create the tables."""
    schema = op.get_context().version_table_schema
    _create_firings(schema)
    op.create_table(
        "scheduler_replicas",
        sa.Column("replica", sa.Text, primary_key=True),
        sa.Column("beat", sa.BigInteger, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.Column("holds_from", sa.BigInteger, nullable=False, comment="what it leases first has this id or later"),
        schema=schema,
        # Beats change no index, so with room on the page they leave nothing behind to vacuum.
        postgresql_with={"fillfactor": "50"},
        comment="Living replicas; a beat that stands still for a lease means that the replica is dead",
    )
    op.create_table(
        "scheduler_quarantine",
        sa.Column("store", sa.Text, primary_key=True),
        sa.Column("job_id", sa.Text, primary_key=True),
        sa.Column("row_version", sa.Text, nullable=False, comment="xmin of the row as it was looked at"),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("first_seen_at", MOMENT, nullable=False),
        sa.Column("checked_at", MOMENT, nullable=False),
        schema=schema,
        comment="Due rows of the job tables that can't be read or belong to others; claims step around them",
    )
    _create_index_of_jobs(schema)


def _create_firings(schema: str | None) -> None:
    op.create_table(
        "scheduler_firings",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("job_key", sa.Uuid, nullable=False, comment="half of sha256('store:job_id')"),
        sa.Column("user_key", sa.BigInteger, comment="eight bytes of sha256(user_id)"),
        sa.Column("scheduled_at", MOMENT, nullable=False),
        sa.Column("claimed_at", MOMENT, nullable=False),
        sa.Column("dispatched_at", MOMENT),
        sa.Column("finished_at", MOMENT),
        sa.Column("attempt_at", MOMENT, comment="when to try again; only waiting and held firings have one"),
        sa.Column("coalesced", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("cancelled", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column(
            "rare_state",
            sa.Text,
            comment="the state, but for the usual two: leased for the first time, and then (finished_at) succeeded",
        ),
        sa.Column("state", sa.Text, sa.Computed(STATE, persisted=True), comment="for reading; in no index"),
        sa.Column("owner", sa.Text, comment="the replica that is or was at it last"),
        sa.Column("store", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("job_id", sa.Text, nullable=False),
        # Text of outside origin keeps JSON's escapes, since PostgreSQL's own can hold no NUL.
        sa.Column("user_id", sa.Text),
        sa.Column("graph_id", sa.Text),
        sa.Column("execution_id", sa.Text),
        sa.Column("code", sa.Text),
        sa.Column("error", sa.Text),
        sa.Column("payload", sa.LargeBinary, comment="JSON as Python writes it, NaN and long integers included"),
        schema=schema,
        # A success changes no indexed column and finds room on its page, so it touches no index at all (HOT).
        postgresql_with={"fillfactor": "55"},
        comment="Every due time that was claimed, once",
    )
    # The identity of a firing; also finds a job's history and what a removed job leaves waiting.
    _index("scheduler_firings_due_time", ["job_key", "scheduled_at"], schema, unique=True)
    _index("scheduler_firings_user", ["user_key", "id"], schema, where="user_key IS NOT NULL")
    _index("scheduler_firings_open", ["attempt_at"], schema, where="attempt_at IS NOT NULL")
    _index("scheduler_firings_rare", ["rare_state", "id"], schema, where="rare_state IS NOT NULL")
    op.execute(f"ALTER TABLE {_quoted(schema, 'scheduler_firings')} SET ({VACUUM_SOON})")


def _create_index_of_jobs(schema: str | None) -> None:
    op.create_table(
        "scheduler_job_index",
        sa.Column("job_id", sa.String(191), primary_key=True),
        sa.Column("digest", sa.Uuid, nullable=False, comment="md5 of the pickle with the next run's bytes zero"),
        sa.Column("next_run_offset", sa.Integer, comment="where those ten bytes are; NULL: decode to claim"),
        sa.Column("trigger_key", sa.Uuid, nullable=False, comment="same key, same trigger"),
        sa.Column("job_key", sa.Uuid, nullable=False, comment="as in scheduler_firings"),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("user_key", sa.BigInteger, comment="eight bytes of sha256(user_id)"),
        sa.Column("graph_key", sa.BigInteger, comment="eight bytes of sha256(graph_id)"),
        sa.Column("user_id", sa.Text),
        sa.Column("graph_id", sa.Text),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("options", sa.Text, nullable=False, comment="APScheduler's own, as JSON"),
        sa.Column("payload", sa.LargeBinary, comment="the job's kwargs; NULL where they are long: decode the row"),
        schema=schema,
        comment="What lists and claims need of apscheduler_jobs; never an authority, and made anew from it",
    )
    for name in ("user_key", "graph_key"):
        op.create_index(f"scheduler_job_index_{name}", "scheduler_job_index", [name], schema=schema)
    op.create_table(
        "scheduler_job_marks",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("job_id", sa.String(191), nullable=False),
        schema=schema,
        comment="Rows of apscheduler_jobs that somebody else wrote and the index has yet to look at",
    )
    op.create_table(
        "scheduler_job_index_state",
        sa.Column("position", sa.Text, nullable=False, comment="the index is right up to this job id"),
        sa.Column("complete", sa.Boolean, nullable=False),
        sa.Column("swept_at", MOMENT, comment="when all rows were looked at last"),
        schema=schema,
        comment="How far the first look at all of apscheduler_jobs has come; one row",
    )
    op.execute(f"INSERT INTO {_quoted(schema, 'scheduler_job_index_state')} VALUES ('', false)")  # noqa: S608  names of ours
    names = {
        "function": _quoted(schema, "scheduler_mark_job"),
        "marks": _quoted(schema, "scheduler_job_marks"),
        "channel": f"agpt_scheduler_{hashlib.sha256((schema or '').encode()).hexdigest()[:16]}",
    }
    op.execute(sa.text(MARK.format_map(names).replace(":", "\\:")))


def _index(
    name: str, columns: list[str], schema: str | None, *, unique: bool = False, where: str | None = None
) -> None:
    op.create_index(
        name,
        "scheduler_firings",
        columns,
        schema=schema,
        unique=unique,
        postgresql_where=None if where is None else sa.text(where),
    )


def _quoted(schema: str | None, name: str) -> str:
    preparer = op.get_bind().dialect.identifier_preparer
    return f"{preparer.quote_identifier(schema or 'public')}.{preparer.quote_identifier(name)}"


def downgrade() -> None:
    """Drop them."""
    schema = op.get_context().version_table_schema
    op.execute(sa.text(f"DROP TRIGGER IF EXISTS scheduler_mark_job ON {_quoted(schema, 'apscheduler_jobs')}"))
    op.execute(sa.text(f"DROP FUNCTION IF EXISTS {_quoted(schema, 'scheduler_mark_job')}()"))
    for table in TABLES:
        op.drop_table(table, schema=schema)
