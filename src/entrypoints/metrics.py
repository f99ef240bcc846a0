"""What Prometheus sees of one replica."""

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from domain.firing.engine import FiringEngine
from ports.firings import Firing, FiringState, Outcome

_LAG_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)
_DISPATCH_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """Counters and gauges in a registry of their own; labels never hold anybody's ids."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._outcomes = Counter(
            "scheduler_firings",
            "Attempts at firings, by what they came to",
            ["kind", "outcome"],
            registry=self.registry,
        )
        self._lag = Histogram(
            "scheduler_due_lag_seconds",
            "From a firing's due time to its first dispatch",
            buckets=_LAG_BUCKETS,
            registry=self.registry,
        )
        self._dispatch = Histogram(
            "scheduler_dispatch_seconds",
            "How long receivers took to answer",
            buckets=_DISPATCH_BUCKETS,
            registry=self.registry,
        )
        self._retries = Counter("scheduler_retries", "Attempts after the first", registry=self.registry)
        self._ledger = Gauge(
            "scheduler_ledger_firings", "Firings in the ledger, by state", ["state"], registry=self.registry
        )
        self._coalesced = Counter(
            "scheduler_coalesced", "Due times that were folded into a later one", registry=self.registry
        )

    def observe(self, firing: Firing, outcome: Outcome) -> None:
        """Count one attempt."""
        self._outcomes.labels(firing.kind, outcome.state).inc()
        if outcome.dispatched_at is not None:
            self._dispatch.observe((outcome.finished_at - outcome.dispatched_at).total_seconds())
            if firing.attempts == 0:
                self._lag.observe(max(0.0, (outcome.dispatched_at - firing.scheduled_at).total_seconds()))
        if firing.attempts:
            self._retries.inc()
        elif firing.coalesced:
            self._coalesced.inc(firing.coalesced)

    def watch_engine(self, engine: FiringEngine) -> None:
        """Show the engine's state at every scrape."""
        gauges: Mapping[str, tuple[str, Callable[[], float]]] = {
            "scheduler_in_flight": ("Dispatches under way", lambda: engine.dispatching.in_flight),
            "scheduler_waiting_for_slot": (
                "Claimed firings that wait for a slot",
                lambda: engine.dispatching.waiting,
            ),
            "scheduler_held": ("Claimed firings not yet settled", lambda: engine.held),
            "scheduler_claimed_total": ("Firings claimed by this replica", lambda: engine.state.claimed),
            "scheduler_taken_over_total": (
                "Firings freed from replicas that stopped",
                lambda: engine.state.taken_over,
            ),
            "scheduler_loop_ticks_total": ("Rounds of the claim loop", lambda: engine.state.ticks),
            "scheduler_unreadable_due_total": (
                "Due rows that were left alone",
                lambda: engine.state.unreadable_due,
            ),
            "scheduler_database_up": (
                "Whether the claim loop reaches the database",
                lambda: float(engine.state.store_error is None),
            ),
        }
        self._show(gauges)

    def watch_pool(self, in_use: Callable[[], int], size: int) -> None:
        """Show how much of the database pool is in use."""
        self._show(
            {
                "scheduler_pool_in_use": ("Database connections in use", in_use),
                "scheduler_pool_size": ("Database connections at the most", lambda: size),
            }
        )

    def show_ledger(self, counts: Mapping[FiringState, int]) -> None:
        """Take what the ledger counted last."""
        for state, count in counts.items():
            self._ledger.labels(state).set(count)

    def _show(self, gauges: Mapping[str, tuple[str, Callable[[], float]]]) -> None:
        for name, (text, read) in gauges.items():
            Gauge(name, text, registry=self.registry).set_function(read)

    def render(self) -> tuple[bytes, str]:
        """Return the exposition text and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST
