"""How many attempts may be under way at once."""

from domain.firing.throttle import Throttle


def test_slow_receivers_are_called_as_many_at_once_as_may_be() -> None:
    """None finished, and so on."""
    throttle = Throttle(few=25, most=90)
    assert throttle.begin(0) == 25
    assert [throttle.look(finished) for finished in (0, 5, 1, 20)] == [50, 70, 90, 90]


def test_fast_receivers_are_called_few_at_once() -> None:
    """More would finish no sooner."""
    throttle = Throttle(few=25, most=100)
    assert throttle.begin(75) == 100
    assert [throttle.look(finished) for finished in (40, 60, 80, 25)] == [85, 50, 25, 25]


def test_it_begins_with_few_more_than_are_under_way() -> None:
    """Those hang, perhaps, and what comes does not wait until they have been seen to."""
    throttle = Throttle(few=10, most=100)
    assert [throttle.begin(in_flight) for in_flight in (0, 50, 95)] == [10, 60, 100]


def test_the_few_are_never_more_than_the_limit() -> None:
    """An operator's smaller limit holds."""
    throttle = Throttle(few=25, most=4)
    assert [throttle.begin(0), throttle.look(0), throttle.look(9)] == [4, 4, 4]
