"""What an attempt comes to: success, another try later, or an end."""

import random
from datetime import datetime, timedelta

from ports.errors import DispatchFailed, DispatchMisdirected, DispatchRefused
from ports.firings import Firing, FiringState, Outcome

FIRST_RETRY_SECS = 1.0
LONGEST_RETRY_SECS = 60.0
LONGEST_WISH_SECS = 600.0
HOLD_SECS = 30.0
_ERROR_LENGTH = 500

TARGET_GONE = "target_gone"
"""The code of a firing whose graph does not exist or is not the user's any more, in history and metrics."""


def retry_delay(attempts: int, *, jitter: random.Random, wish_secs: float | None = None) -> timedelta:
    """Return how long to wait after the `attempts`-th failure: doubling, jittered, at least the receiver's wish.

    A wish counts for ten minutes at the most, so that one odd header can't put a firing past its deadline.

    The jitter takes up to half, so that firings which failed together don't come back together.
    """
    backoff = min(LONGEST_RETRY_SECS, FIRST_RETRY_SECS * 2.0 ** min(attempts - 1, 16))
    return timedelta(seconds=max(backoff * (0.5 + jitter.random() / 2), min(wish_secs or 0.0, LONGEST_WISH_SECS)))


def succeeded(firing: Firing, *, started: datetime, finished: datetime, execution_id: str | None) -> Outcome:
    """Return the outcome of an attempt that the receiver took."""
    return Outcome(
        firing_id=firing.id,
        state=FiringState.SUCCEEDED,
        dispatched_at=started,
        finished_at=finished,
        attempts=firing.attempts + 1,
        execution_id=execution_id,
    )


def failed_dispatch(
    firing: Firing,
    error: DispatchFailed,
    *,
    started: datetime,
    finished: datetime,
    deadline: timedelta,
    jitter: random.Random,
) -> Outcome:
    """Return the outcome of an attempt that failed, by the kind of failure (design.md section 6, "Dispatch").

    Refused is final. Misdirected is held, for nothing may be marked failed because of a wrong deployment.
    Anything else waits for another try until `deadline` after the claim, then it is dead.
    """
    attempts = firing.attempts + 1
    attempt_at: datetime | None = None
    code, gone = error.code, None
    if isinstance(error, DispatchRefused):
        state = FiringState.FAILED
        if error.target_gone:
            code, gone = TARGET_GONE, firing.job_id
    elif isinstance(error, DispatchMisdirected):
        state = FiringState.HELD
        attempt_at = finished + timedelta(seconds=HOLD_SECS * (0.75 + jitter.random() / 2))
    else:
        state = FiringState.WAITING
        attempt_at = finished + retry_delay(attempts, jitter=jitter, wish_secs=error.retry_after_secs)
        if attempt_at > firing.claimed_at + deadline:
            state, attempt_at = FiringState.DEAD, None
    return Outcome(
        firing_id=firing.id,
        state=state,
        dispatched_at=started,
        finished_at=finished,
        attempts=attempts,
        code=code,
        error=str(error)[:_ERROR_LENGTH],
        attempt_at=attempt_at,
        gone=gone,
    )


def failed_task(firing: Firing, error: BaseException, *, started: datetime, finished: datetime) -> Outcome:
    """Return the outcome of a system task that raised: failed at once, since its next run is soon enough."""
    return Outcome(
        firing_id=firing.id,
        state=FiringState.FAILED,
        dispatched_at=started,
        finished_at=finished,
        attempts=firing.attempts + 1,
        code=type(error).__name__,
        error=str(error)[:_ERROR_LENGTH],
    )
