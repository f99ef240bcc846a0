"""When a call is made again, and after how long."""

import pytest

from entrypoints.client import ServiceUnreachableError
from entrypoints.client.answers import Again, Failure, pause_before
from entrypoints.client.calls import delete_schedule, get_execution_schedules

LIST = get_execution_schedules()
DELETE = delete_schedule("some-id", "u1")


def failure(again: Again, wish_secs: float = 0.0) -> Failure:
    """Return a failure after which so much may be tried again."""
    return Failure(ServiceUnreachableError("gone"), again, wish_secs)


@pytest.mark.parametrize(
    ("again", "listed", "deleted"),
    [(Again.NONE, False, False), (Again.REPEATABLE, True, False), (Again.ANY, True, True)],
)
def test_what_is_safe_is_repeated(again: Again, listed: bool, deleted: bool) -> None:  # noqa: FBT001
    """A list always is; a deletion only if it did not arrive."""
    for call, expected in ((LIST, listed), (DELETE, deleted)):
        assert (pause_before(1, call, failure(again), retries=3, backoff_secs=1) is not None) is expected


def test_pauses_double_with_jitter_up_to_a_limit() -> None:
    """Half a second to one, one to two, two to four; never more than thirty."""
    for attempt, longest in ((1, 1.0), (2, 2.0), (3, 4.0), (20, 30.0)):
        pause = pause_before(attempt, LIST, failure(Again.ANY), retries=99, backoff_secs=1)
        assert pause is not None
        assert longest / 2 <= pause <= longest


def test_the_last_try_is_the_last() -> None:
    """Three retries are four tries."""
    assert pause_before(3, LIST, failure(Again.ANY), retries=3, backoff_secs=1) is not None
    assert pause_before(4, LIST, failure(Again.ANY), retries=3, backoff_secs=1) is None
    assert pause_before(1, LIST, failure(Again.ANY), retries=0, backoff_secs=1) is None


def test_the_services_wish_counts_within_reason() -> None:
    """At least what Retry-After says, unless that is absurd."""
    assert pause_before(1, LIST, failure(Again.ANY, 7.0), retries=3, backoff_secs=1) == 7.0
    assert pause_before(1, LIST, failure(Again.ANY, 86_400.0), retries=3, backoff_secs=1) == 30.0
