"""Firings, the replicas that lease them, and the rows that are left alone."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
# Dead versions pile up at the rate of firings: the default of a fifth of the table would come too late.
VACUUM_SOON = "autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02"


def upgrade() -> None:
    """Create the tables."""
    schema = op.get_context().version_table_schema
    _create_firings(schema)
    op.create_table(
        "scheduler_replicas",
        sa.Column("replica", sa.Text, primary_key=True),
        sa.Column("beat", sa.BigInteger, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
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
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, comment="the replica that is at it; only leased firings have one"),
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
        comment="Every due time that was claimed, once",
    )
    # The identity of a firing; also finds a job's history and what a removed job leaves waiting.
    _index("scheduler_firings_due_time", ["job_key", "scheduled_at"], schema, unique=True)
    _index("scheduler_firings_user", ["user_key", "id"], schema, where="user_key IS NOT NULL")
    _index("scheduler_firings_leased", ["owner"], schema, where="owner IS NOT NULL")
    _index("scheduler_firings_open", ["attempt_at"], schema, where="attempt_at IS NOT NULL")
    # For pruning and for lists by state, in which the many successes have no part.
    _index("scheduler_firings_succeeded", ["finished_at"], schema, where="state = 'succeeded'")
    unsuccessful = "state IN ('failed', 'dead', 'cancelled', 'dropped')"
    _index("scheduler_firings_unsuccessful", ["finished_at"], schema, where=unsuccessful)
    rare = "state IN ('waiting', 'held', 'failed', 'dead', 'cancelled', 'dropped')"
    _index("scheduler_firings_rare", ["state", "id"], schema, where=rare)
    table = sa.Table("scheduler_firings", sa.MetaData(), schema=schema)
    op.execute(f"ALTER TABLE {op.get_bind().dialect.identifier_preparer.format_table(table)} SET ({VACUUM_SOON})")


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


def downgrade() -> None:
    """Drop them."""
    schema = op.get_context().version_table_schema
    for table in ("scheduler_quarantine", "scheduler_replicas", "scheduler_firings"):
        op.drop_table(table, schema=schema)
