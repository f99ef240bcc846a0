"""The queue that is fair between users."""

from datetime import UTC, datetime

from domain.firing.slots import FairQueue
from ports.firings import Firing


def firing(number: int, user: str | None) -> Firing:
    """Return a firing of a user's."""
    moment = datetime(2026, 11, 24, tzinfo=UTC)
    return Firing(
        id=number,
        store="execution",
        job_id=str(number),
        kind="execute_graph",
        scheduled_at=moment,
        claimed_at=moment,
        payload={} if user is None else {"user_id": user},
    )


def take_all(queue: FairQueue) -> list[Firing]:
    """Take until nothing has a slot."""
    taken = []
    while (got := queue.take()) is not None:
        taken.append(got[0])
    return taken


def test_one_user_does_not_keep_another_waiting() -> None:
    """Users take turns, whoever came first with however many."""
    queue = FairQueue(slots=4, user_slots=4)
    for number in range(10):
        queue.push(firing(number, "many"))
    queue.push(firing(99, "one"))
    assert [got.id for got in take_all(queue)] == [0, 99, 1, 2]


def test_a_user_fills_no_more_than_its_share() -> None:
    """The rest of the slots stays free for others, and a freed slot goes on with the same user's next."""
    queue = FairQueue(slots=4, user_slots=2)
    firings = [firing(number, "u") for number in range(5)]
    for each in firings:
        queue.push(each)
    taken = take_all(queue)
    assert [got.id for got in taken] == [0, 1]
    queue.push(firing(99, "other"))
    assert [got.id for got in take_all(queue)] == [99]
    queue.give_back("u")
    assert [got.id for got in take_all(queue)] == [2]
    assert (len(queue), queue.in_flight) == (2, 3)


def test_a_user_at_the_limit_with_nothing_waiting_stays_limited() -> None:
    """What is pushed later counts what is in flight already."""
    queue = FairQueue(slots=4, user_slots=1)
    queue.push(firing(1, "u"))
    take_all(queue)
    queue.push(firing(2, "u"))
    assert take_all(queue) == []
    queue.give_back("u")
    assert [got.id for got in take_all(queue)] == [2]


def test_drop_takes_waiting_firings_of_every_user() -> None:
    """Dropping reaches those that wait for a slot and those whose user is at the limit."""
    queue = FairQueue(slots=2, user_slots=1)
    for number in range(4):
        queue.push(firing(number, "a" if number % 2 else "b"))
    take_all(queue)
    assert sorted(got.id for got in queue.drop(lambda _: True)) == [2, 3]
    assert len(queue) == 0


def test_a_user_that_is_read_only_later_frees_its_slot() -> None:
    """Whoever the slot was taken for has it back, whatever the payload says by then."""
    queue = FairQueue(slots=1, user_slots=1)
    late = firing(1, None)
    queue.push(late)
    taken = queue.take()
    assert taken is not None
    late.payload = {"user_id": "u"}
    queue.give_back(taken[1])
    queue.push(firing(2, None))
    assert [got.id for got in take_all(queue)] == [2]
    assert queue.left == 1


def test_fewer_slots_leave_those_that_are_taken() -> None:
    """The next is taken once there are fewer than that."""
    queue = FairQueue(slots=3, user_slots=3)
    for number in range(5):
        queue.push(firing(number, "u"))
    take_all(queue)
    queue.slots = 2
    queue.give_back("u")
    assert take_all(queue) == []
    queue.give_back("u")
    assert [got.id for got in take_all(queue)] == [3]
    assert (len(queue), queue.in_flight, queue.left) == (1, 2, 3)
