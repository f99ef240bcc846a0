"""The rules hold with many replicas."""

from tests.simulation.scale import fairness, run, shares_of_quick_rush


def test_ten_replicas_share_evenly_and_wake_cheaply() -> None:
    """A rush is shared, a new schedule costs each replica a handful of calls, and deaths lose nothing."""
    report = run(10)
    assert report.fairness > 0.95
    assert report.calls_per_firing < 0.5
    assert report.calls_per_new_schedule <= 10 * 10
    assert report.lag_ms < 50
    assert report.idle_calls_per_replica_minute < 60
    assert report.repeats_after_kills <= 5 * 100
    assert report.secs_after_kills < 15 + 5


def test_replicas_share_a_rush_of_quick_receivers() -> None:
    """None takes much more than it can do soon, however fast its first attempts finished."""
    for seed in range(3):
        assert fairness(shares_of_quick_rush(3, seed=seed)) > 0.95
