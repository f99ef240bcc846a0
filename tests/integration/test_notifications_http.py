"""HttpNotifications: the recorded calls, made again."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.http.neighbour import Neighbour
from adapters.http.notifications import HttpNotifications
from ports.errors import RemoteCallError
from tests.integration.loopback import Loopback, answer, loopback
from tests.integration.outgoing import Call, recorded_calls

CALLS = recorded_calls("NotificationManager")


@pytest.fixture
async def service() -> AsyncIterator[Loopback]:
    """A notification service."""
    async with loopback(answer(200, None)) as service:
        yield service


@pytest.fixture
async def notifications(service: Loopback) -> AsyncIterator[HttpNotifications]:
    """The adapter, pointed at the service."""
    neighbour = Neighbour(host="127.0.0.1", port=service.port, timeout_secs=2.0)
    yield HttpNotifications(neighbour)
    await neighbour.aclose()


async def _make(notifications: HttpNotifications, call: Call) -> None:
    match call.method, call.arguments:
        case "discord_system_alert", {"content": content}:
            await notifications.discord_system_alert(content)
        case "queue_weekly_summary", _:
            await notifications.queue_weekly_summary()
        case "process_existing_batches", {"notification_types": types}:
            await notifications.process_existing_batches(tuple(types))
        case method, _:
            pytest.fail(f"{method} is not made by this adapter")


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.method)
async def test_call_is_sent_as_recorded(notifications: HttpNotifications, service: Loopback, call: Call) -> None:
    """To the byte."""
    await _make(notifications, call)
    [received] = service.received
    assert (received.target, received.body.decode()) == (f"/{call.method}", call.body)


def test_recordings_hold_every_method() -> None:
    """So that none goes untested."""
    assert {call.method for call in CALLS} == {
        "discord_system_alert",
        "queue_weekly_summary",
        "process_existing_batches",
    }


@pytest.mark.parametrize("result", [None, "queued", {"sent": 3}])
async def test_result_is_not_read(notifications: HttpNotifications, service: Loopback, result: Any) -> None:
    """Any success is one."""
    service.reply = answer(200, result)
    await notifications.queue_weekly_summary()
    assert len(service.received) == 1


async def test_services_error_comes_out(notifications: HttpNotifications, service: Loopback) -> None:
    """Recorded as "execute late alert fails"."""
    service.reply = answer(500, {"type": "KeyError", "args": ["k"]})
    with pytest.raises(RemoteCallError, match="k") as caught:
        await notifications.discord_system_alert("x")
    assert (caught.value.type_name, caught.value.remote_args) == ("Exception", ["k"])
