"""What became of the firings of the last hour, by minute, and of the last day, by quarter of an hour."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ports.firings import FiringState
from ports.overview import LAG_STEPS, FiringTally, Overview

_MINUTE = timedelta(minutes=1)
_QUARTER = timedelta(minutes=15)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_BATCH = 20_000


@dataclass(slots=True)
class Slot:
    """Firings that were claimed within a stretch of time."""

    begins_at: datetime
    outcomes: Counter[FiringState] = field(default_factory=Counter)
    lags: Counter[int] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """How many there were."""
        return self.outcomes.total()

    def lag(self, share: float) -> float | None:
        """Return what `share` of the first dispatches were not later than, in seconds; None where there were none.

        A step's upper end stands for all in it; the last step, which has none, for its lower one.
        """
        rest = share * self.lags.total()
        for step in sorted(self.lags):
            rest -= self.lags[step]
            if rest <= 0:
                return LAG_STEPS[min(step, len(LAG_STEPS) - 1)]
        return None


@dataclass(frozen=True, slots=True)
class Recent:
    """The last hour and the last day, oldest first, and how many firings of that hour each replica had."""

    hour: Sequence[Slot]
    day: Sequence[Slot]
    shares: Mapping[str, int]


async def recent(overview: Overview, now: datetime) -> Recent:
    """Look at the firings of the last day, batch by batch. Raises StoreUnavailable."""
    now = now.astimezone(UTC)
    this_minute = now.replace(second=0, microsecond=0)
    this_quarter = this_minute.replace(minute=this_minute.minute // 15 * 15)
    hour = _Slots(this_minute - _HOUR + _MINUTE, _MINUTE, 60)
    day = _Slots(this_quarter - _DAY + _QUARTER, _QUARTER, 96)
    shares: Counter[str] = Counter()
    before_id: int | None = None
    while True:
        batch = await overview.firings(before_id=before_id, limit=_BATCH)
        for tally in batch.tallies:
            day.add(tally)
            if hour.add(tally) and tally.owner is not None:
                shares[tally.owner] += tally.count
        before_id = batch.end
        # Ids are in the order of claims, but for clocks that differ by less than a batch takes.
        if before_id is None or max(tally.minute for tally in batch.tallies) < day.begin:
            return Recent(hour.slots, day.slots, shares)


class _Slots:
    def __init__(self, begin: datetime, width: timedelta, count: int) -> None:
        self.begin = begin
        self._width = width
        self.slots = [Slot(begin + number * width) for number in range(count)]

    def add(self, tally: FiringTally) -> bool:
        """Count a tally that falls into a slot; say whether it does. A clock ahead of ours counts as now."""
        index = (tally.minute - self.begin) // self._width
        if index < 0:
            return False
        slot = self.slots[min(index, len(self.slots) - 1)]
        slot.outcomes[tally.state] += tally.count
        if tally.lag_step is not None:
            slot.lags[tally.lag_step] += tally.count
        return True
