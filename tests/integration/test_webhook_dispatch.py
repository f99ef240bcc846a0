"""WebhookExecutionDispatch against a real server on loopback."""

import base64
from collections.abc import AsyncIterator

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from adapters.http.webhook_dispatch import WebhookExecutionDispatch
from adapters.memory.clock import SystemClock
from ports.errors import DispatchMisdirected, DispatchRefused, DispatchTransient
from tests.dispatching import CREDENTIALS, a_request
from tests.integration.loopback import Loopback, answer, loopback

SECRET = "whsec_" + base64.b64encode(b"a secret of twenty-four b").decode()


@pytest.fixture
async def receiver() -> AsyncIterator[Loopback]:
    """A webhook that says thanks."""
    async with loopback(answer(200, b"thanks", kind="text/plain")) as receiver:
        yield receiver


@pytest.fixture
async def dispatch(receiver: Loopback) -> AsyncIterator[WebhookExecutionDispatch]:
    """The adapter, pointed at it."""
    adapter = WebhookExecutionDispatch(
        url=f"{receiver.url}/hook/token-in-path?x=1",
        secret=SECRET,
        timeout_secs=2,
        connections=5,
        clock=SystemClock(),
    )
    yield adapter
    await adapter.aclose()


async def test_event_carries_the_execution(dispatch: WebhookExecutionDispatch, receiver: Loopback) -> None:
    """The body says what is due and since when."""
    assert await dispatch.dispatch(a_request(attempt=2)) is None
    [received] = receiver.received
    assert (received.method, received.target) == ("POST", "/hook/token-in-path?x=1")
    assert received.json == {
        "type": "graph.execution.due",
        "timestamp": "2026-03-09T04:30:00+00:00",
        "data": {
            "user_id": "user-1",
            "graph_id": "graph-1",
            "graph_version": 3,
            "inputs": {"name": "a value to hide", "count": 12345},
            "graph_credentials_inputs": CREDENTIALS,
            "idempotency_key": "job-1:2026-03-09T04:30:00Z",
            "scheduled_at": "2026-03-09T04:30:00+00:00",
            "attempt": 2,
        },
    }


async def test_signature_is_verified_by_any_standard_webhooks_library(
    dispatch: WebhookExecutionDispatch, receiver: Loopback
) -> None:
    """The bytes sent are the bytes signed, the message id is the idempotency key; a changed body is found out."""
    await dispatch.dispatch(a_request(inputs={"text": "ünïcode \x00"}))
    [received] = receiver.received
    assert received.headers["webhook-id"] == "job-1:2026-03-09T04:30:00Z"
    verifier = Webhook(SECRET)
    assert verifier.verify(received.body, dict(received.headers)) == received.json
    with pytest.raises(WebhookVerificationError):
        verifier.verify(received.body + b" ", dict(received.headers))


async def test_id_is_read_from_an_answer_that_has_one(
    dispatch: WebhookExecutionDispatch, receiver: Loopback
) -> None:
    """A receiver that starts something may say what."""
    receiver.script.extend([answer(201, {"id": "run-5"}), answer(204)])
    assert await dispatch.dispatch(a_request()) == "run-5"
    assert await dispatch.dispatch(a_request()) is None


async def test_input_that_only_python_can_read_is_refused(
    dispatch: WebhookExecutionDispatch, receiver: Loopback
) -> None:
    """A webhook's receiver may be written in any language, so NaN is not sent."""
    with pytest.raises(DispatchRefused) as caught:
        await dispatch.dispatch(a_request(inputs={"x": float("nan")}))
    assert caught.value.code == "unserializable"
    assert receiver.received == []


async def test_failures_are_told_by_status_and_never_show_the_path(
    dispatch: WebhookExecutionDispatch, receiver: Loopback
) -> None:
    """A webhook's path may be its secret, so errors name host and port only."""
    receiver.script.extend(answer(status, b"no", kind="text/plain") for status in (400, 410, 503))
    for kind in (DispatchRefused, DispatchMisdirected, DispatchTransient):
        with pytest.raises(kind) as caught:
            await dispatch.dispatch(a_request())
        assert str(caught.value).startswith(f"the webhook at 127.0.0.1:{receiver.port} answered ")
        assert "token-in-path" not in str(caught.value)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_a", "ü"])
def test_secret_that_is_none_is_a_clear_error(secret: str) -> None:
    """A wrong secret stops the start with one line that does not repeat it."""
    with pytest.raises(ValueError, match=r"^the webhook's secret must be base64"):
        WebhookExecutionDispatch(
            url="http://localhost/hook", secret=secret, timeout_secs=2, connections=1, clock=SystemClock()
        )
