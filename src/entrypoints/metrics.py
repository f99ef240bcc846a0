"""What Prometheus sees of one replica.

Counted in plain integers, and put into Prometheus' shape at a scrape: a firing costs a microsecond that way, where
the client library's own counters take a lock for each of the six that it touches. The event loop is the only
thread that counts and that shows.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from itertools import accumulate
from typing import TypeAlias

from prometheus_client import CollectorRegistry, Metric, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from domain.firing.engine import FiringEngine
from ports.firings import Firing, FiringState, Outcome
from ports.tables import Census

_LAG_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)
_DISPATCH_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

_Readings: TypeAlias = dict[str, tuple[str, Callable[[], float]]]
"""By name: what it is in words, and how to read it."""


class _Histogram:
    """Observations by bucket."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count one."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def family(self, name: str, text: str) -> Metric:
        """Return what there is so far."""
        bounds = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        buckets = list(zip(bounds, map(float, accumulate(self._counts)), strict=True))
        return HistogramMetricFamily(name, text, buckets=buckets, sum_value=self._sum)


class Metrics:
    """Counters and gauges of this process; labels never hold anybody's ids."""

    def __init__(self) -> None:
        self._outcomes: dict[tuple[str, FiringState], int] = defaultdict(int)
        self._lag = _Histogram(_LAG_BUCKETS)
        self._dispatch = _Histogram(_DISPATCH_BUCKETS)
        self._retries = 0
        self._coalesced = 0
        self._ledger: Mapping[FiringState, int] = {}
        self._census: Census | None = None
        self._gauges: _Readings = {}
        self._counters: _Readings = {}
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def observe(self, firing: Firing, outcome: Outcome) -> None:
        """Count one attempt. In the hot path: every firing comes by here."""
        self._outcomes[firing.kind, outcome.state] += 1
        dispatched_at = outcome.dispatched_at
        if dispatched_at is not None:
            self._dispatch.observe((outcome.finished_at - dispatched_at).total_seconds())
            if not firing.attempts:
                self._lag.observe(max(0.0, (dispatched_at - firing.scheduled_at).total_seconds()))
        if firing.attempts:
            self._retries += 1
        elif firing.coalesced:
            self._coalesced += firing.coalesced

    def watch_engine(self, engine: FiringEngine) -> None:
        """Show the engine's state at every scrape."""
        self._gauges |= {
            "scheduler_in_flight": ("Dispatches under way", lambda: engine.dispatching.in_flight),
            "scheduler_waiting_for_slot": (
                "Claimed firings that wait for a slot",
                lambda: engine.dispatching.waiting,
            ),
            "scheduler_held": ("Claimed firings not yet settled", lambda: engine.held),
            "scheduler_database_up": (
                "Whether the claim loop reaches the database",
                lambda: float(engine.state.store_error is None),
            ),
            "scheduler_receiver_misdirected": (
                "Whether the receiver seems to be the wrong one, and firings are held",
                lambda: float(engine.dispatching.state.misdirected is not None),
            ),
        }
        self._counters |= {
            "scheduler_claimed": ("Firings claimed by this replica", lambda: engine.state.claimed),
            "scheduler_leases_taken_over": (
                "Replicas that stopped and whose firings this one freed",
                lambda: engine.state.leases_taken_over,
            ),
            "scheduler_taken_over": ("Firings freed from replicas that stopped", lambda: engine.state.taken_over),
            "scheduler_loop_ticks": ("Rounds of the claim loop", lambda: engine.state.ticks),
            "scheduler_unreadable_due": ("Due rows that were left alone", lambda: engine.state.unreadable_due),
        }

    def watch_pool(self, in_use: Callable[[], int], size: int) -> None:
        """Show how much of the database pool is in use."""
        self._gauges |= {
            "scheduler_pool_in_use": ("Database connections in use", in_use),
            "scheduler_pool_size": ("Database connections at the most", lambda: size),
        }

    def show_tables(self, census: Census, ledger: Mapping[FiringState, int]) -> None:
        """Take what was counted in the database last; every replica shows the same."""
        self._census, self._ledger = census, ledger

    def collect(self) -> Iterator[Metric]:
        """Yield what there is, as Prometheus' library asks for it."""
        build = GaugeMetricFamily("scheduler_build_info", "Which release this is", labels=["version"])
        build.add_metric([version("agpt-scheduler")], 1)
        yield build
        outcomes = CounterMetricFamily(
            "scheduler_firings", "Attempts at firings, by what they came to", labels=["kind", "outcome"]
        )
        for (kind, state), count in self._outcomes.items():
            outcomes.add_metric([str(kind), str(state)], count)
        yield outcomes
        yield self._lag.family("scheduler_due_lag_seconds", "From a firing's due time to its first dispatch")
        yield self._dispatch.family("scheduler_dispatch_seconds", "How long receivers took to answer")
        yield CounterMetricFamily("scheduler_retries", "Attempts after the first", value=self._retries)
        yield CounterMetricFamily(
            "scheduler_coalesced", "Due times that were folded into a later one", value=self._coalesced
        )
        for name, (text, read) in self._counters.items():
            yield CounterMetricFamily(name, text, value=read())
        for name, (text, read) in self._gauges.items():
            yield GaugeMetricFamily(name, text, value=read())
        if self._census is not None:
            yield from _tables(self._census, self._ledger)

    def render(self) -> bytes:
        """Return the exposition text."""
        return generate_latest(self._registry)


def _tables(census: Census, ledger: Mapping[FiringState, int]) -> Iterator[Metric]:
    schedules = GaugeMetricFamily(
        "scheduler_schedules", "Schedules in the database, system tasks included", labels=["state"]
    )
    schedules.add_metric(["scheduled"], census.scheduled)
    schedules.add_metric(["paused"], census.paused)
    yield schedules
    unreadable = GaugeMetricFamily("scheduler_quarantined", "Due rows that are left alone", labels=["reason"])
    for reason, count in census.unreadable.items():
        unreadable.add_metric([str(reason)], count)
    yield unreadable
    firings = GaugeMetricFamily("scheduler_ledger_firings", "Firings in the ledger, by state", labels=["state"])
    for state, count in ledger.items():
        firings.add_metric([str(state)], count)
    yield firings
    yield GaugeMetricFamily("scheduler_replicas", "Replicas that are alive", value=census.replicas)
    yield GaugeMetricFamily(
        "scheduler_overdue_seconds", "For how long the first schedule has been due", value=census.overdue_secs
    )
