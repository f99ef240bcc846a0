"""What a run came to, and medians over runs."""

import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.arrivals import Arrival
from benchmarks.usage import Usage


@dataclass(frozen=True, slots=True)
class Measured:
    """One contender's run of one scenario. Lags in seconds, one for each call of the receiver, by time of call.

    `settled_secs` is from the due time until every outcome was recorded, None where nothing records them.
    `shares` are what each process that called the receiver took.
    """

    contender: str
    expected: int
    lags: Sequence[float]
    offsets: Sequence[float]
    lost: int
    doubled: int
    usage: Usage
    settled_secs: float | None = None
    shares: Sequence[float] = ()

    @property
    def per_second(self) -> float:
        """Return how many were fired a second, from the due time until the last."""
        return len(self.lags) / self.offsets[-1] if self.offsets and self.offsets[-1] > 0 else 0.0

    def lag(self, share: float) -> float:
        """Return the lag that `share` of the calls did not exceed."""
        ordered = sorted(self.lags)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def measure(
    contender: str,
    arrivals: Sequence[Arrival],
    *,
    due: Callable[[Arrival], float],
    start: float,
    expected: int,
    usage: Usage,
    settled_at: float | None = None,
) -> Measured:
    """Return what `arrivals` come to: each of `expected` numbers should be there once."""
    calls = Counter(arrival.number for arrival in arrivals)
    return Measured(
        contender=contender,
        expected=expected,
        lags=[arrival.at - due(arrival) for arrival in arrivals],
        offsets=[arrival.at - start for arrival in arrivals],
        lost=expected - len(calls),
        doubled=sum(calls.values()) - len(calls),
        usage=usage,
        settled_secs=None if settled_at is None else settled_at - start,
        shares=[share / len(arrivals) for share in Counter(arrival.process for arrival in arrivals).values()],
    )


def median(runs: Sequence[Measured], value: Callable[[Measured], float]) -> float:
    """Return the median of a figure over runs."""
    return statistics.median(map(value, runs))
