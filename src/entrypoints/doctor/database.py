"""Looking at the database: its clock, its server, our tables."""

from datetime import datetime

from entrypoints.database_url import DatabaseUrl
from entrypoints.doctor.findings import Finding, Level, well
from ports.tables import Inspection

_CLOCK_SECS = 2.0
_FEW_CONNECTIONS = 5


def look_at_clock(there: datetime, before: datetime, after: datetime) -> Finding:
    """Compare the database's clock with this machine's just before and just after it was asked."""
    ahead = (there - (before + (after - before) / 2)).total_seconds()
    if abs(ahead) <= _CLOCK_SECS:
        return well("clock", f"Agrees with the database's, to {abs(ahead):.1f} s")
    says = f"The database's clock is {abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} this machine's"
    return Finding(
        "clock", Level.WRONG, says, "Let both keep time by NTP: schedules fire by each replica's own clock."
    )


def look_at_database(url: DatabaseUrl, seen: Inspection) -> list[Finding]:
    """Judge the server and our tables in it."""
    found = []
    if seen.read_only:
        advice = "Point DIRECT_URL at the primary."
        found.append(Finding("database", Level.WRONG, f"{url.display} only lets itself be read", advice))
    else:
        found.append(well("database", f"PostgreSQL {seen.version} at {url.display}"))
    if seen.connections_free < _FEW_CONNECTIONS:
        says = f"{seen.connections_free} connections are left on the server"
        advice = "Raise max_connections, or lower SCHEDULER_DB_POOL_SIZE or the number of replicas."
        found.append(Finding("database", Level.WRONG, says, advice))
    if seen.missing_tables:
        says = f"No table {', '.join(seen.missing_tables)} in schema {url.schema}"
        advice = (
            "If this is the platform's database, name its schema: DIRECT_URL=...?schema=platform."
            " Otherwise start `serve`, which makes them."
        )
        found.append(Finding("migrations", Level.WRONG, says, advice))
    elif not seen.migrated:
        says = "This service's own tables are missing, or of another release"
        found.append(
            Finding("migrations", Level.WRONG, says, "Start `serve` of this release: it brings them up to date.")
        )
    else:
        found.append(well("migrations", "Up to date"))
    return found
