"""What stock APScheduler can't express about a schedule, kept in its job's own kwargs.

One small JSON object under one key. Unknown kwargs survive every read and rewrite, the original ignores them, and
they are written together with what they are about. They are never sent to a receiver and never shown as they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ports.jobs import Job

NOTES = "scheduler_notes"
"""The key among a job's kwargs."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Why a schedule is paused, by whom, since when (ISO 8601, UTC). All None when somebody else paused it."""

    reason: str | None = None
    by: str | None = None
    at: str | None = None


def pause_of(job: Job) -> Pause | None:
    """Return the record of a paused job, None for one that is not paused, whatever was noted once."""
    if job.next_run_at is not None:
        return None
    noted = _notes(job.kwargs).get("paused")
    if not isinstance(noted, Mapping):
        return Pause()
    return Pause(*(_text(noted.get(key)) for key in ("reason", "by", "at")))


def resumed_at(job: Job) -> datetime | None:
    """Return when the job was resumed last, if it ever was."""
    try:
        found = datetime.fromisoformat(_text(_notes(job.kwargs).get("resumed_at")) or "")
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def with_pause(kwargs: Mapping[str, Any], pause: Pause) -> dict[str, Any]:
    """Return kwargs that note a pause."""
    paused = {"reason": pause.reason, "by": pause.by, "at": pause.at}
    return {**kwargs, NOTES: {**_notes(kwargs), "paused": paused}}


def with_resumption(kwargs: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """Return kwargs that note no pause, but when it ended."""
    notes = {key: value for key, value in _notes(kwargs).items() if key != "paused"}
    return {**kwargs, NOTES: {**notes, "resumed_at": at.isoformat()}}


@dataclass(frozen=True, slots=True)
class WeekdayNote:
    """A correction of numeric weekdays (`domain.weekdays`): the trigger's `day` and `day_of_week`, then and now."""

    cron: str
    before: tuple[str, str]
    after: tuple[str, str]
    at: str


def weekday_note(job: Job) -> WeekdayNote | None:
    """Return the note of a job's correction, None where there is none that can be read."""
    noted = _notes(job.kwargs).get("weekdays")
    if not isinstance(noted, Mapping):
        return None
    cron, at, before, after = (noted.get(key) for key in ("cron", "at", "before", "after"))
    if not (isinstance(cron, str) and isinstance(at, str) and isinstance(before, list) and isinstance(after, list)):
        return None
    if not all(isinstance(text, str) for text in (*before, *after)) or (len(before), len(after)) != (2, 2):
        return None
    return WeekdayNote(cron=cron, before=(before[0], before[1]), after=(after[0], after[1]), at=at)


def with_weekday_note(kwargs: Mapping[str, Any], note: WeekdayNote) -> dict[str, Any]:
    """Return kwargs that note a correction."""
    noted = {"cron": note.cron, "before": list(note.before), "after": list(note.after), "at": note.at}
    return {**kwargs, NOTES: {**_notes(kwargs), "weekdays": noted}}


def without_weekday_note(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return kwargs that note no correction; without any other note, as if there had never been one."""
    notes = {key: value for key, value in _notes(kwargs).items() if key != "weekdays"}
    return {**kwargs, NOTES: notes} if notes else without_notes(kwargs)


def without_notes(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return kwargs as a firing carries them."""
    return {key: value for key, value in kwargs.items() if key != NOTES}


def _notes(kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
    noted = kwargs.get(NOTES)
    return noted if isinstance(noted, Mapping) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
