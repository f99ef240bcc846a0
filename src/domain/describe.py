"""What a trigger means, in plain English, from its fields: nothing is said that the fields don't say."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from domain.cron_fields import MONTHS, POSITIONS, WEEKDAYS, DayField, compile_cron, day_field, field_values
from domain.timing import start_of
from domain.wall_clock import SECOND, spans_of
from ports.triggers import CombinedTrigger, CronTrigger, DateTrigger, IntervalTrigger, Trigger

_WEEKDAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTH_NAMES = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_SHORTEST_RUN = 3
_MOST_TIMES = 6
_EVERY_POSITION = frozenset(range(5))
_LOOK_AHEAD_DAYS = 366
_MOST_CHANGES = 2
_UNITS = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))


def describe(trigger: Trigger) -> str:
    """Return one sentence without a full stop, such as "At 09:00, from Monday to Friday"."""
    if isinstance(trigger, DateTrigger):
        return f"Once, at {trigger.run_at.isoformat()}"
    if isinstance(trigger, CombinedTrigger):
        when = "one of these is due" if trigger.kind == "or" else "all of these are due at once"
        return f"Whenever {when}: {'; '.join(map(describe, trigger.triggers))}"
    if isinstance(trigger, IntervalTrigger):
        said = [f"Every {_duration(trigger.interval)}, counted from {trigger.start_at.isoformat()}"]
    else:
        said = [*_cron(trigger)]
        start = start_of(trigger)
        if start is not None:
            said.append(f"not before {start.isoformat()}")
    if trigger.end_at is not None:
        said.append(f"not after {trigger.end_at.isoformat()}")
    if trigger.jitter:
        said.append(f"each up to {_duration(timedelta(seconds=trigger.jitter))} late")
    return ", ".join(said)


def _cron(trigger: CronTrigger) -> Iterable[str]:
    times = _times(trigger)
    yield times
    days = _days(trigger)
    if days:
        yield days
    elif not times.startswith("Every "):
        yield "every day"
    months = field_values(trigger.month, 1, 12, MONTHS)
    if len(months) < len(MONTHS):
        yield _named(
            [_MONTH_NAMES[month - 1] for month in months], [month - 1 for month in months], _MONTH_NAMES, "in"
        )
    if trigger.week != "*":
        yield f"in the ISO weeks {_numbers(field_values(trigger.week, 1, 53))}"
    if trigger.year != "*":
        yield f"in the years {_numbers(field_values(trigger.year, 1970, 9999))}"


def _times(trigger: CronTrigger) -> str:
    """Say which times of a day."""
    seconds = field_values(trigger.second, 0, 59)
    minutes = field_values(trigger.minute, 0, 59)
    hours = field_values(trigger.hour, 0, 23)
    if seconds != (0,):
        which = ((seconds, 60, "second"), (minutes, 60, "minute"), (hours, 24, "hour"))
        return f"At {', '.join(_every_or(values, size, noun) for values, size, noun in which)}"
    if len(minutes) * len(hours) <= _MOST_TIMES:
        return f"At {_joined([_clock(hour, minute) for hour in hours for minute in minutes])}"
    if len(minutes) == 1:
        return _hourly(minutes[0], hours)
    step = _even_step(minutes, 60)
    if step is None:
        return f"At the minutes {_numbers(minutes)} of {_every_or(hours, 24, 'hour')}"
    every = "Every minute" if step == 1 else f"Every {step} minutes"
    if len(hours) == 24:  # noqa: PLR2004  a day
        return every if minutes[0] == 0 else f"{every}, beginning {minutes[0]} past the hour"
    spans = [f"from {_clock(run[0], minutes[0])} to {_clock(run[-1], minutes[-1])}" for run in _runs(hours)]
    return f"{every} {_joined(spans)}"


def _hourly(minute: int, hours: Sequence[int]) -> str:
    """Say which hours, of more than a few, at one and the same minute."""
    steps = {late - early for early, late in pairwise(hours)}
    if len(steps) > 1:
        return f"At minute {minute} of {_every_or(hours, 24, 'hour')}"
    step = steps.pop()
    every = "Every hour" if step == 1 else f"Every {step} hours"
    if len(hours) == 24:  # noqa: PLR2004  a day
        return f"{every}, on the hour" if minute == 0 else f"{every}, {minute} past the hour"
    return f"{every} from {_clock(hours[0], minute)} to {_clock(hours[-1], minute)}"


def _days(trigger: CronTrigger) -> str:
    """Say which days, nothing for all; both fields must match, and the day field may name weekdays itself."""
    weekdays = field_values(trigger.day_of_week, 0, 6, WEEKDAYS)
    field = day_field(trigger.day)
    every_day, every_weekday = len(field.numbers) == 31, len(weekdays) == len(WEEKDAYS)  # noqa: PLR2004  a month
    if every_day:
        if every_weekday:
            return ""
        names = [f"{_WEEKDAY_NAMES[weekday]}s" for weekday in weekdays]
        return _named(names, weekdays, _WEEKDAY_NAMES, "on")
    days = f"on {' as well as '.join(_month_days(field))}"
    if every_weekday:
        return days
    return f"{days}, but only on a {_joined([_WEEKDAY_NAMES[weekday] for weekday in weekdays], 'or')}"


def _month_days(field: DayField) -> Iterable[str]:
    if field.numbers:
        numbers = sorted(field.numbers)
        yield f"day{'s' if len(numbers) > 1 else ''} {_numbers(numbers)} of the month"
    if field.last:
        yield "the last day of the month"
    every: list[str] = []
    for weekday in sorted({weekday for _, weekday in field.positions}):
        positions = sorted({position for position, found in field.positions if found == weekday})
        if _EVERY_POSITION.issubset(positions):
            every.append(_WEEKDAY_NAMES[weekday])
        else:
            which = _joined([POSITIONS[position] for position in positions])
            yield f"the {which} {_WEEKDAY_NAMES[weekday]} of the month"
    if every:
        yield f"every {_joined(every)}"


def clock_changes(trigger: Trigger, after: datetime) -> list[str]:
    """Say what the changes of the clock within a year, two at most, do to a cron trigger's runs, if anything."""
    if not isinstance(trigger, CronTrigger):
        return []
    cron = compile_cron(trigger)
    first = after.astimezone(cron.zone).date()
    said: list[str] = []
    for number in range(_LOOK_AHEAD_DAYS):
        day = first + timedelta(days=number)
        spans = spans_of(cron.zone, day, follows_clock=cron.follows_clock)
        if len(spans) == 1 or day.day not in cron.days_of(day.year, day.month) or day.month not in cron.months:
            continue
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        leaves = spans[0].end
        enters = leaves + (spans[0].origin - spans[-1].origin) // SECOND
        low, high = min(leaves, enters), max(leaves, enters)
        if spans[0].skipped or not any(low <= time < high for time in cron.times):
            continue
        until = f"{midnight + low * SECOND:%H:%M} to {midnight + high * SECOND:%H:%M}"
        if enters < leaves:
            effect = "run both times" if cron.follows_clock else "run once, the first time"
            said.append(f"On {day} the clock shows {until} twice: runs within that {effect}")
        else:
            caught_up = any(span.skipped for span in spans)
            effect = "come once, right after it" if caught_up else "do not come that day"
            said.append(f"On {day} the clock skips {until}: runs within that {effect}")
        if len(said) == _MOST_CHANGES:
            break
    return said


def _even_step(values: Sequence[int], size: int) -> int | None:
    """Return the step of values that are evenly spread over a cycle of `size`, round its end; None for others."""
    step, rest = divmod(size, len(values))
    even = rest == 0 and values[0] < step and all(v == values[0] + n * step for n, v in enumerate(values))
    return step if even else None


def _every_or(values: Sequence[int], size: int, noun: str) -> str:
    if len(values) == size:
        return f"every {noun}"
    return f"the {noun}{'s' if len(values) > 1 else ''} {_numbers(values)}"


def _named(said: Sequence[str], indexes: Sequence[int], names: Sequence[str], word: str) -> str:
    """Say a list of names, or from the first to the last where at least three come in a row and no other."""
    if len(indexes) >= _SHORTEST_RUN and indexes[-1] - indexes[0] == len(indexes) - 1:
        return f"from {names[indexes[0]]} to {names[indexes[-1]]}"
    return f"{word} {_joined(said)}"


def _numbers(values: Sequence[int]) -> str:
    """Write numbers as a list in which three or more in a row are a range."""
    said: list[str] = []
    for run in _runs(values):
        said += [f"{run[0]} to {run[-1]}"] if len(run) >= _SHORTEST_RUN else map(str, run)
    return _joined(said)


def _runs(values: Sequence[int]) -> list[list[int]]:
    runs: list[list[int]] = []
    for value in values:
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    return runs


def _joined(said: Sequence[str], word: str = "and") -> str:
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} {word} {said[-1]}"


def _clock(hour: int, minute: int) -> str:
    return f"{hour:02}:{minute:02}"


def _duration(span: timedelta) -> str:
    rest = span.days * 86_400 + span.seconds
    said: list[str] = []
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        if unit == "second" and span.microseconds:
            said.append(f"{count + span.microseconds / 1e6} seconds")
        elif count:
            said.append(f"{count} {unit}{'s' if count > 1 else ''}")
    return _joined(said)
