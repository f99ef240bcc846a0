"""How many attempts may be under way at once."""

from domain.firing.throttle import Throttle


def allowed(throttle: Throttle, *finished: int) -> list[int]:
    """Look once for each number of finished attempts; return what was allowed after each."""
    found = []
    for number in finished:
        throttle.look(number)
        found.append(throttle.allowed)
    return found


def test_slow_receivers_are_called_as_many_at_once_as_may_be() -> None:
    """None finished, and so on."""
    throttle = Throttle(few=25, most=90)
    assert throttle.allowed == 25
    assert allowed(throttle, 0, 5, 1, 20) == [50, 70, 90, 90]


def test_fast_receivers_are_called_few_at_once() -> None:
    """More would finish no sooner."""
    throttle = Throttle(few=25, most=100)
    allowed(throttle, 0, 0, 0)
    assert allowed(throttle, 40, 60, 80, 25) == [85, 50, 25, 25]


def test_reset_begins_with_the_few() -> None:
    """For the next rush."""
    throttle = Throttle(few=10, most=100)
    allowed(throttle, 0, 0)
    throttle.reset()
    assert throttle.allowed == 10


def test_the_few_are_never_more_than_the_limit() -> None:
    """An operator's smaller limit holds."""
    throttle = Throttle(few=25, most=4)
    assert [throttle.allowed, *allowed(throttle, 0, 9)] == [4, 4, 4]
