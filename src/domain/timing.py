"""When a schedule runs, as callers say it: ISO 8601 times, bounds and a spread, to and from triggers."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo

from domain.cron import validate_timezone
from domain.cron_fields import zone_of
from domain.errors import InvalidScheduleError
from ports.triggers import CombinedTrigger, CronTrigger, DateTrigger, Trigger

MAX_JITTER_SECS = 86_400
_SHOWN = 64
_YEARS = range(1900, 9998)  # with room around them to reckon in
_SECOND = timedelta(seconds=1)
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
"""Where `start_at` stands for a schedule that has none but needs its microseconds (`fire_times.phase_of`)."""


def parse_moment(text: str, *, field: str, zone: tzinfo) -> datetime:
    """Return an ISO 8601 time in a zone, in which one without an offset is read.

    Of a time that comes twice the first is meant. Raises InvalidScheduleError.
    """
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            found = found.replace(tzinfo=zone)
        # By way of UTC, so that a time that the clock skips becomes one that it shows.
        found = found.astimezone(UTC).astimezone(zone)
    except (ValueError, OverflowError):
        raise InvalidScheduleError(f"{field} is not an ISO 8601 time: {text[:_SHOWN]!r}", field=field) from None
    if found.year not in _YEARS:
        raise InvalidScheduleError(f"{field} is in a year that nobody means: {found.year}", field=field)
    return found


def once(run_at: str, *, timezone: str, now: datetime) -> DateTrigger:
    """Return the trigger of a schedule that runs once. Raises InvalidScheduleError when that is in the past."""
    moment = parse_moment(run_at, field="run_at", zone=zone_of(timezone))
    if moment.astimezone(UTC) <= now:
        raise InvalidScheduleError(f"run_at is in the past: {moment.isoformat()}", field="run_at")
    return DateTrigger(run_at=moment)


def bounded(
    trigger: CronTrigger,
    *,
    schedule_id: str,
    start_at: datetime | None,
    end_at: datetime | None,
    jitter_secs: int | None,
) -> CronTrigger:
    """Return `trigger` from `start_at` until `end_at` (both may run), each run up to `jitter_secs` late.

    How late is the schedule's own, by its id, and the same every time; so a run may come after `end_at` by as
    much. Raises InvalidScheduleError.
    """
    if start_at is not None and end_at is not None and end_at < start_at:
        raise InvalidScheduleError("end_at is before start_at", field="end_at")
    if jitter_secs is not None and not 0 <= jitter_secs <= MAX_JITTER_SECS:
        raise InvalidScheduleError(f"jitter_secs must be from 0 to {MAX_JITTER_SECS}", field="jitter_secs")
    if {start_at, end_at, jitter_secs, trigger.start_at, trigger.end_at, trigger.jitter} == {None}:
        return trigger
    if not jitter_secs:
        return replace(trigger, start_at=start_at, end_at=end_at, jitter=None)
    # One second early, since the times that the microseconds exclude are those of a whole second.
    start = _LONG_AGO if start_at is None else max(_LONG_AGO, _whole_second(start_at) - _SECOND)
    start = start.replace(microsecond=_share(schedule_id))
    return replace(trigger, start_at=start.astimezone(zone_of(trigger.timezone)), end_at=end_at, jitter=jitter_secs)


def start_of(trigger: Trigger) -> datetime | None:
    """Return a cron trigger's `start_at` as it was given."""
    start = trigger.start_at if isinstance(trigger, CronTrigger) else None
    if start is None or not isinstance(trigger, CronTrigger) or not trigger.jitter:
        return start
    return None if start.astimezone(UTC) < _LONG_AGO + _SECOND else _whole_second(start).astimezone(start.tzinfo)


def end_of(trigger: Trigger) -> datetime | None:
    """Return a trigger's `end_at`."""
    return None if isinstance(trigger, DateTrigger | CombinedTrigger) else trigger.end_at


def zone_name_of(trigger: Trigger) -> str:
    """Return the zone that a trigger reckons in; a single date may have only its offset."""
    if isinstance(trigger, CombinedTrigger):
        return zone_name_of(trigger.triggers[0]) if trigger.triggers else "UTC"
    if isinstance(trigger, DateTrigger):
        return str(trigger.run_at.tzinfo)
    return trigger.timezone


def tzinfo_of(trigger: Trigger) -> tzinfo:
    """Return the zone that a trigger reckons in."""
    if isinstance(trigger, DateTrigger):
        return trigger.run_at.tzinfo or UTC
    return zone_of(zone_name_of(trigger))


def iana_zone_of(trigger: Trigger) -> str:
    """Return a trigger's zone for new times to be read in.

    Raises InvalidScheduleError for one that is no more than an offset, which others' rows may have.
    """
    name = zone_name_of(trigger)
    try:
        return validate_timezone(name)
    except InvalidScheduleError:
        message = f"This schedule's zone is the offset {name}: name one in user_timezone"
        raise InvalidScheduleError(message, field="user_timezone") from None


def _whole_second(moment: datetime) -> datetime:
    """Return the first whole second that is not before `moment`, in UTC."""
    at = moment.astimezone(UTC)
    return at if not at.microsecond else at.replace(microsecond=0) + _SECOND


def _share(schedule_id: str) -> int:
    """Return a schedule's own share of its jitter, in millionths; never none, which would move its start."""
    digest = hashlib.sha256(schedule_id.encode()).digest()
    return 1 + int.from_bytes(digest[:8], "big") % 999_999
