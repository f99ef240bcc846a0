"""The coming load: how many schedules fire in each hour of a week, and in each minute of the next hour."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from domain.fire_times import next_fire_time
from ports.overview import Overview, ScheduledTriggers
from ports.triggers import IntervalTrigger, Trigger

HOURS = 7 * 24
MINUTES = 60
_HOUR = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)
_BATCH = 500
_STEPS_AT_ONCE = 100
_REST_SECS = 0.002  # after about as long a time of work: the engine runs in this loop too
_MOST_GROUPS = 50_000

_Counts = tuple[dict[int, int], dict[int, int]]
"""Fires by hour and by minute, sparse."""


@dataclass(frozen=True, slots=True)
class ComingLoad:
    """Fires of all schedules by hour from `first_hour` on, and by minute from `first_minute` on (UTC).

    What is overdue counts to the first hour and minute.
    """

    first_hour: datetime
    hours: Sequence[int]
    first_minute: datetime
    minutes: Sequence[int]
    active: int
    paused: int

    @property
    def total(self) -> int:
        """How many schedules there are."""
        return self.active + self.paused


async def coming_load(overview: Overview, now: datetime) -> ComingLoad:
    """Look at every schedule's trigger, batch by batch. Raises StoreUnavailable."""
    now = now.astimezone(UTC)
    tally = _Tally(now)
    async for groups in _batches(overview):
        await tally.add(groups)
    await tally.reckon()
    return ComingLoad(tally.first_hour, tally.hours, tally.first_minute, tally.minutes, tally.active, tally.paused)


async def _batches(overview: Overview) -> AsyncIterator[Sequence[ScheduledTriggers]]:
    after: str | None = ""
    while after is not None:
        batch = await overview.scheduled(after=after, limit=_BATCH)
        yield batch.groups
        after = batch.end


class _Tally:
    """Adds up groups of schedules, so that what a trigger comes to is reckoned once for all that share it."""

    def __init__(self, now: datetime) -> None:
        self.first_hour = now.replace(minute=0, second=0, microsecond=0)
        self.first_minute = now.replace(second=0, microsecond=0)
        self.hours = [0] * HOURS
        self.minutes = [0] * MINUTES
        self.active = self.paused = 0
        self._now = now
        self._end = self.first_hour + HOURS * _HOUR
        self._groups: Counter[tuple[Trigger, datetime]] = Counter()
        self._steps = 0

    async def add(self, groups: Sequence[ScheduledTriggers]) -> None:
        """Count some groups."""
        for group in groups:
            if group.next_run_at is None:
                self.paused += group.count
            else:
                self.active += group.count
                self._groups[group.trigger, group.next_run_at] += group.count
        if len(self._groups) > _MOST_GROUPS:
            await self.reckon()

    async def reckon(self) -> None:
        """Add what the groups come to, and forget them."""
        for (trigger, first), schedules in self._groups.items():
            counts = await self._count(trigger, first.astimezone(UTC))
            for sums, found in zip((self.hours, self.minutes), counts, strict=True):
                for index, fires in found.items():
                    sums[index] += fires * schedules
            await self._breathe(1)
        self._groups.clear()

    async def _breathe(self, steps: int) -> None:
        self._steps += steps
        if self._steps >= _STEPS_AT_ONCE:
            self._steps = 0
            await asyncio.sleep(_REST_SECS)

    async def _count(self, trigger: Trigger, first: datetime) -> _Counts:
        counts: _Counts = ({}, {})
        moment: datetime | None = first
        while moment is not None and moment < self._end:
            at = max(moment.astimezone(UTC), self._now)
            hour = (at - self.first_hour) // _HOUR
            minute = (at - self.first_minute) // _MINUTE
            counts[0][hour] = counts[0].get(hour, 0) + 1
            if minute < MINUTES:
                counts[1][minute] = counts[1].get(minute, 0) + 1
            # What it missed is folded into the one that is overdue.
            moment = _next(trigger, at)
            await self._breathe(1)
        return counts


def _next(trigger: Trigger, after: datetime) -> datetime | None:
    if isinstance(trigger, IntervalTrigger) and trigger.end_at is None and after >= trigger.start_at:
        # The same as below, in a tenth of the time: a schedule for every second has 600,000 runs a week.
        passed = (after - trigger.start_at.astimezone(UTC)) // trigger.interval
        return trigger.start_at.astimezone(UTC) + (passed + 1) * trigger.interval
    return next_fire_time(trigger, after)
