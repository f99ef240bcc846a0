"""Looking at who fires, and at what did not get through."""

from collections.abc import Sequence
from datetime import timedelta

from entrypoints.container import Container
from entrypoints.doctor.findings import Finding, Level, well
from ports.firings import FiringRecord, FiringState
from ports.tables import Inspection

_OVERDUE_SECS = 60.0
_NEWS = timedelta(days=1)
_MOST_FIRINGS = 1000


async def look_at_firing(container: Container, seen: Inspection, *, service_runs: bool) -> list[Finding]:
    """Look at who fires, and at what did not get through. Raises StoreUnavailable."""
    lease = container.settings().scheduler_lease_secs
    alive = [replica for replica, silent in seen.replicas if silent < lease]
    found = []
    if alive:
        found.append(well("replicas", f"Alive: {', '.join(alive)}"))
    elif service_runs:
        found.append(
            Finding("replicas", Level.NOTE, "The service answers, and no replica fires yet", "Look again.")
        )
    else:
        advice = "Start `agpt-scheduler serve`; what comes due meanwhile fires once, late."
        found.append(Finding("replicas", Level.WRONG, "No replica is alive: nothing fires", advice))
    due = await container.executions_store().next_due()
    overdue = 0.0 if due is None else (seen.now - due).total_seconds()
    if overdue > _OVERDUE_SECS and alive:
        says = f"The first schedule has been due for {overdue:.0f} s"
        advice = "See the service's log; if its receiver is slow, raise SCHEDULER_MAX_IN_FLIGHT or add replicas."
        found.append(Finding("replicas", Level.WRONG, says, advice))
    return found + await _undelivered(container)


async def _undelivered(container: Container) -> list[Finding]:
    ledger, now = container.ledger(), container.clock().now()
    held = await ledger.history(states=frozenset({FiringState.HELD}), limit=_MOST_FIRINGS)
    dead = await ledger.history(states=frozenset({FiringState.DEAD}), limit=_MOST_FIRINGS)
    fresh = [record for record in dead if record.finished_at is not None and now - record.finished_at < _NEWS]
    found = []
    if held:
        says = f"Runs that are held, for the receiver answers as if it were the wrong one: {_many(held)}"
        advice = "Set SCHEDULER_DISPATCH and its host and port right; what is held then goes out by itself."
        found.append(Finding("firings", Level.WRONG, says, advice, _shown(held)))
    if fresh:
        says = f"Runs that were given up within a day, after retries to the deadline: {_many(fresh)}"
        advice = "See that the receiver is well; `agpt-scheduler run-now ID` runs a schedule again."
        found.append(Finding("firings", Level.WRONG, says, advice, _shown(fresh)))
    elif dead:
        says = f"Runs that were given up more than a day ago: {_many(dead)}"
        found.append(Finding("firings", Level.NOTE, says, "See `agpt-scheduler runs --state dead`.", _shown(dead)))
    return found or [well("firings", "None is held, and none was given up")]


def _many(records: Sequence[FiringRecord]) -> str:
    return f"{len(records)}{' or more' if len(records) == _MOST_FIRINGS else ''}"


def _shown(records: Sequence[FiringRecord]) -> tuple[str, ...]:
    return tuple(f"{record.job_id} due {record.scheduled_at.isoformat()}: {record.error}" for record in records)
