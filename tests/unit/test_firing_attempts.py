"""What an attempt comes to."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from domain.firing.attempts import failed_dispatch, failed_task, retry_delay, succeeded
from ports.errors import DispatchFailed, DispatchMisdirected, DispatchRefused, DispatchTransient
from ports.firings import Firing, FiringState, Outcome

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def firing(*, attempts: int = 0) -> Firing:
    """Return a firing that was claimed at noon."""
    return Firing(
        id=1,
        store="execution",
        job_id="j",
        kind="execute_graph",
        scheduled_at=NOON,
        claimed_at=NOON,
        payload={},
        attempts=attempts,
    )


def fail(error: DispatchFailed, *, after: timedelta = timedelta(0), attempts: int = 0) -> Outcome:
    """Return the outcome of an attempt that failed so long after the claim."""
    return failed_dispatch(
        firing(attempts=attempts),
        error,
        started=NOON + after,
        finished=NOON + after,
        deadline=HOUR,
        jitter=random.Random(1),
    )


def test_a_success_records_the_execution_and_counts_the_attempt() -> None:
    """What the receiver took is final and carries the execution's id."""
    outcome = succeeded(firing(attempts=2), started=NOON, finished=NOON, execution_id="e1")
    assert (outcome.state, outcome.execution_id, outcome.attempts) == (FiringState.SUCCEEDED, "e1", 3)


def test_a_transient_failure_waits_for_another_try() -> None:
    """A receiver that is down is asked again soon."""
    outcome = fail(DispatchTransient("refused", code="connect"))
    assert outcome.state is FiringState.WAITING
    assert outcome.attempt_at is not None
    assert NOON < outcome.attempt_at <= NOON + timedelta(seconds=1)


def test_a_transient_failure_past_the_deadline_is_dead() -> None:
    """Retries end when the next one would come after the deadline, which counts from the claim."""
    outcome = fail(DispatchTransient("refused", code="connect"), after=HOUR, attempts=70)
    assert (outcome.state, outcome.attempt_at) == (FiringState.DEAD, None)


def test_a_refusal_is_final_at_once() -> None:
    """Nothing is repeated that the receiver refused by a typed answer."""
    outcome = fail(DispatchRefused("no such graph", code="NotFoundError"))
    assert (outcome.state, outcome.code, outcome.error) == (FiringState.FAILED, "NotFoundError", "no such graph")


def test_a_wrong_deployment_holds_the_firing_however_late() -> None:
    """Nothing is ever marked failed or dead because the service points at the wrong place."""
    outcome = fail(DispatchMisdirected("405", code="http_405"), after=10 * HOUR, attempts=1000)
    assert outcome.state is FiringState.HELD
    assert outcome.attempt_at is not None


def test_the_receivers_own_wish_is_respected() -> None:
    """Retry-After is a lower bound."""
    outcome = fail(DispatchTransient("busy", code="http_429", retry_after_secs=120))
    assert outcome.attempt_at == NOON + timedelta(seconds=120)


def test_error_text_is_cut() -> None:
    """History is not a place for pages of text."""
    outcome = fail(DispatchTransient("x" * 10_000, code="http_500"))
    assert outcome.error == "x" * 500


def test_a_failed_system_task_is_recorded_with_its_class() -> None:
    """The counterpart of the original's EVENT_JOB_ERROR listener."""
    outcome = failed_task(firing(), KeyError("k"), started=NOON, finished=NOON)
    assert (outcome.state, outcome.code, outcome.attempts) == (FiringState.FAILED, "KeyError", 1)


@pytest.mark.parametrize("attempts", [1, 2, 5, 50, 5000])
def test_delays_double_up_to_a_minute(attempts: int) -> None:
    """Backoff is exponential, bounded, and jittered by up to half."""
    full = min(60.0, 2.0 ** min(attempts - 1, 10))
    delays = {retry_delay(attempts, jitter=random.Random(seed)).total_seconds() for seed in range(50)}
    assert all(full / 2 <= delay <= full for delay in delays)
    assert len(delays) > 25
