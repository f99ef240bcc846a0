"""What a scrape shows of what was counted."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from prometheus_client.parser import text_string_to_metric_families

from entrypoints.metrics import Metrics
from entrypoints.worker_metrics import merged
from ports.firings import Firing, FiringState, Outcome
from ports.jobs import UnreadableReason
from ports.tables import Census

DUE = datetime(2026, 11, 23, 9, tzinfo=UTC)
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def firing(*, attempts: int = 0, coalesced: int = 0) -> Firing:
    """Return a firing that was due at DUE."""
    return Firing(1, "execution", "job1", "execute_graph", DUE, DUE, {}, attempts, coalesced)


def outcome(state: FiringState, *, lag: float = 0.02, took: float = 0.003) -> Outcome:
    """Return an outcome of an attempt that began `lag` seconds after DUE."""
    started = DUE + timedelta(seconds=lag)
    return Outcome(1, state, started, started + timedelta(seconds=took), 1)


def samples(text: bytes) -> Samples:
    """Return every sample by its name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def buckets(found: Samples, name: str) -> Iterator[tuple[str, float]]:
    """Yield a histogram's buckets in order."""
    for (sample, labels), value in found.items():
        if sample == f"{name}_bucket":
            yield dict(labels)["le"], value


def test_attempts_are_counted_by_outcome_lag_and_duration() -> None:
    """The lag is the first attempt's; retries are counted besides."""
    metrics = Metrics()
    metrics.observe(firing(), outcome(FiringState.SUCCEEDED))
    metrics.observe(firing(coalesced=3), outcome(FiringState.WAITING, lag=0.025, took=100))
    metrics.observe(firing(attempts=1), outcome(FiringState.SUCCEEDED, lag=60))
    found = samples(metrics.render())
    by_outcome = {
        dict(labels)["outcome"]: value for (name, labels), value in found.items() if "firings_total" in name
    }
    assert by_outcome == {"succeeded": 2, "waiting": 1}
    assert found["scheduler_retries_total", ()] == 1
    assert found["scheduler_coalesced_total", ()] == 3
    lag, dispatch = (dict(buckets(found, f"scheduler_{name}_seconds")) for name in ("due_lag", "dispatch"))
    assert (lag["0.01"], lag["0.025"], lag["+Inf"]) == (0, 2, 2)
    assert (dispatch["0.005"], dispatch["60.0"], dispatch["+Inf"]) == (
        2,
        2,
        3,
    )
    assert found["scheduler_due_lag_seconds_count", ()] == 2
    assert round(found["scheduler_dispatch_seconds_sum", ()], 3) == 100.006


def test_a_dispatch_before_its_due_time_is_no_negative_lag() -> None:
    """Clocks of two machines differ, and a wall clock may step back."""
    metrics = Metrics()
    metrics.observe(firing(), outcome(FiringState.SUCCEEDED, lag=-5))
    assert samples(metrics.render())["scheduler_due_lag_seconds_sum", ()] == 0


def test_what_was_dropped_without_a_dispatch_has_no_duration() -> None:
    """It is counted by its outcome alone."""
    metrics = Metrics()
    metrics.observe(firing(), Outcome(1, FiringState.DROPPED, None, DUE, 0))
    assert samples(metrics.render())["scheduler_dispatch_seconds_count", ()] == 0


def test_tables_and_gauges_are_shown_as_they_were_last_read() -> None:
    """Schedules, quarantined rows, the ledger, replicas, the pool."""
    metrics = Metrics()
    metrics.watch_pool(lambda: 2, 3)
    census = Census(
        scheduled=7,
        paused=1,
        unreadable={UnreadableReason.QUARANTINED: 2, UnreadableReason.FOREIGN: 0},
        replicas=2,
        overdue_secs=1.5,
    )
    metrics.show_tables(census, {FiringState.DEAD: 4})
    found = samples(metrics.render())
    assert found["scheduler_schedules", (("state", "scheduled"),)] == 7
    assert found["scheduler_schedules", (("state", "paused"),)] == 1
    assert found["scheduler_quarantined", (("reason", "quarantined"),)] == 2
    assert found["scheduler_ledger_firings", (("state", "dead"),)] == 4
    assert found["scheduler_replicas", ()] == 2
    assert found["scheduler_overdue_seconds", ()] == 1.5
    assert (found["scheduler_pool_in_use", ()], found["scheduler_pool_size", ()]) == (2, 3)


def test_workers_are_told_apart_in_one_text() -> None:
    """Every sample has its worker; families are named once."""
    one, two = Metrics(), Metrics()
    one.observe(firing(), outcome(FiringState.SUCCEEDED))
    two.observe(firing(), outcome(FiringState.SUCCEEDED))
    two.observe(firing(), outcome(FiringState.SUCCEEDED))
    text = merged({1: one.render(), 2: two.render()})
    found = samples(text)
    succeeded = {
        dict(labels)["worker"]: value
        for (name, labels), value in found.items()
        if name == "scheduler_firings_total"
    }
    assert succeeded == {"1": 1, "2": 2}
    assert text.count(b"# TYPE scheduler_firings_total counter") == 1
    assert all("worker" in dict(labels) for _, labels in found)
    assert found["scheduler_due_lag_seconds_bucket", (("le", "+Inf"), ("worker", "2"))] == 2
