"""How many attempts may be under way at once."""

from domain.firing.throttle import Throttle


class Process:
    """A process that is as busy as told."""

    def __init__(self) -> None:
        self.load = 0.0
        self.asked = 0

    def __call__(self) -> float:
        """Return how busy it is."""
        self.asked += 1
        return self.load


def allowed(throttle: Throttle, looks: int) -> list[int]:
    """Look so many times; return what was allowed after each."""
    found = []
    for _ in range(looks):
        throttle.look()
        found.append(throttle.allowed)
    return found


def test_a_process_that_waits_for_receivers_opens_up_to_the_limit() -> None:
    """Slow receivers are called as many at once as the operator allows."""
    throttle = Throttle(few=25, most=90, load=Process())
    assert throttle.allowed == 25
    assert allowed(throttle, 4) == [50, 75, 90, 90]


def test_a_busy_process_closes_down_to_the_few() -> None:
    """More attempts would finish no sooner."""
    process = Process()
    throttle = Throttle(few=25, most=100, load=process)
    allowed(throttle, 3)
    process.load = 1.0
    assert allowed(throttle, 4) == [75, 50, 25, 25]


def test_between_idle_and_busy_it_stays() -> None:
    """It does not swing."""
    process = Process()
    throttle = Throttle(few=10, most=100, load=process)
    throttle.look()
    process.load = 0.8
    assert allowed(throttle, 3) == [20, 20, 20]


def test_reset_begins_with_the_few_and_counts_from_then_on() -> None:
    """What the process did before a rush says nothing about it."""
    process = Process()
    throttle = Throttle(few=10, most=100, load=process)
    throttle.look()
    throttle.reset()
    assert throttle.allowed == 10
    assert process.asked == 2


def test_the_few_are_never_more_than_the_limit() -> None:
    """An operator's smaller limit holds."""
    throttle = Throttle(few=25, most=4, load=Process())
    assert [throttle.allowed, *allowed(throttle, 2)] == [4, 4, 4]
