"""A receiver that fails for a while, in mid-rush."""

import pytest

from tests.chaos.conftest import Start
from tests.chaos.ledger import add_up, await_settled, eventually, firings
from tests.chaos.receiver import Behaviour, ChaosReceiver
from tests.chaos.schedules import rush


def test_a_receiver_that_refuses_connections(start: Start, database: str, receiver: ChaosReceiver) -> None:
    """What could not be delivered is tried again until it can; what was cut in mid-call too, under its own key."""
    service = start(database)
    receiver.delay_secs = 0.02
    planned = rush(database, 600)
    receiver.wait_for_calls(200)
    receiver.refuse()
    eventually(lambda: sum(row.state == "waiting" for row in firings(database)) >= 100)
    receiver.accept()
    await_settled(database)
    add_up(database, planned, receiver)
    assert service.stop() == 0


@pytest.mark.parametrize("behaviour", [Behaviour.HANG, Behaviour.HALF, Behaviour.ERROR])
def test_a_receiver_that_answers_badly(
    start: Start, database: str, receiver: ChaosReceiver, behaviour: Behaviour
) -> None:
    """No answer, half an answer, 500: each such call is a recorded attempt, and one that follows succeeds."""
    service = start(database, SCHEDULER_DISPATCH_TIMEOUT_SECS="1")
    planned = rush(database, 600)
    receiver.wait_for_calls(200)
    receiver.behaviour = behaviour
    receiver.wait_for(lambda: sum(call.behaviour is behaviour for call in receiver.calls) >= 150)
    receiver.behaviour = Behaviour.ANSWER
    await_settled(database)
    add_up(database, planned, receiver)
    assert max(row.attempts for row in firings(database)) > 1
    acted = [call.key for call in receiver.calls if call.behaviour is Behaviour.ANSWER]
    assert len(acted) == len(set(acted)), "answered well, and yet tried again"
    assert service.stop() == 0


def test_a_user_whose_graphs_hang_does_not_hold_up_the_others(
    start: Start, database: str, receiver: ChaosReceiver
) -> None:
    """One user's calls that hang fill their share of the slots, and the rest is delivered meanwhile."""
    service = start(database, SCHEDULER_DISPATCH_TIMEOUT_SECS="3", SCHEDULER_MAX_IN_FLIGHT="10")
    receiver.behaviour = Behaviour.HANG
    hanging = rush(database, 20, user="one")
    receiver.wait_for_calls(5)
    receiver.behaviour = Behaviour.ANSWER
    others = rush(database, 200, user="another")
    receiver.wait_for(
        lambda: len({call.key.split(":")[0] for call in receiver.calls} & others.due_times.keys()) == 200
    )
    assert (
        len(
            {call.key for call in receiver.calls}
            - {row.key for row in firings(database) if row.state == "succeeded"}
        )
        >= 5
    )
    await_settled(database)
    add_up(database, hanging | others, receiver)
    assert service.stop() == 0
