"""RestExecutionDispatch against a real server on loopback."""

from collections.abc import AsyncIterator

import jwt
import pytest

from adapters.http.rest_dispatch import RestExecutionDispatch
from adapters.memory.clock import SystemClock
from ports.errors import DispatchFailed, DispatchMisdirected, DispatchRefused, DispatchTransient
from tests.dispatching import CREDENTIALS, a_request
from tests.integration.loopback import Loopback, Reply, answer, loopback

SECRET = "a-secret-of-the-length-that-hs256-asks-for"


@pytest.fixture
async def receiver() -> AsyncIterator[Loopback]:
    """A REST API that starts every graph."""
    async with loopback(answer(200, {"graph_exec_id": "exec-7"})) as receiver:
        yield receiver


@pytest.fixture
async def dispatch(receiver: Loopback) -> AsyncIterator[RestExecutionDispatch]:
    """The adapter, pointed at it."""
    adapter = RestExecutionDispatch(
        base_url=receiver.url, secret=SECRET, timeout_secs=2, connections=5, clock=SystemClock()
    )
    yield adapter
    await adapter.aclose()


async def test_call_is_the_platforms_own(dispatch: RestExecutionDispatch, receiver: Loopback) -> None:
    """Path, body and a bearer token in the user's name are those of the platform's REST API."""
    assert await dispatch.dispatch(a_request()) == "exec-7"
    [received] = receiver.received
    assert (received.method, received.target) == ("POST", "/api/graphs/graph-1/execute/3")
    assert received.json == {
        "inputs": {"name": "a value to hide", "count": 12345},
        "credentials_inputs": CREDENTIALS,
    }
    assert received.headers["idempotency-key"] == "job-1:2026-03-09T04:30:00Z"
    token = received.headers["authorization"].removeprefix("Bearer ")
    claims = jwt.decode(token, SECRET, algorithms=["HS256"], audience="authenticated")
    assert (claims["sub"], claims["role"]) == ("user-1", "authenticated")


async def test_each_user_calls_with_a_token_of_his_own(dispatch: RestExecutionDispatch, receiver: Loopback) -> None:
    """Nobody's graph is started in somebody else's name."""
    for user in ("user-1", "user-2", "user-1"):
        await dispatch.dispatch(a_request(user_id=user))
    tokens = [received.headers["authorization"].removeprefix("Bearer ") for received in receiver.received]
    subjects = [jwt.decode(token, options={"verify_signature": False})["sub"] for token in tokens]
    assert subjects == ["user-1", "user-2", "user-1"]


@pytest.mark.parametrize(
    ("graph_id", "segment"),
    [
        ("a/b", "a%2Fb"),
        ("../../admin", "..%2F..%2Fadmin"),
        ("a?x=1#y", "a%3Fx%3D1%23y"),
        ("a%2Fb", "a%252Fb"),
        ("ü \r\n", "%C3%BC%20%0D%0A"),
        ("...", "..."),
    ],
)
async def test_graph_id_stays_one_segment_of_the_path(
    dispatch: RestExecutionDispatch, receiver: Loopback, graph_id: str, segment: str
) -> None:
    """No id leads to another route, ends the path or breaks the request line."""
    await dispatch.dispatch(a_request(graph_id=graph_id))
    assert receiver.received[0].target == f"/api/graphs/{segment}/execute/3"


@pytest.mark.parametrize("graph_id", ["", ".", ".."])
async def test_graph_id_that_is_no_segment_is_refused(
    dispatch: RestExecutionDispatch, receiver: Loopback, graph_id: str
) -> None:
    """What any proxy would read as a way through the path is never sent."""
    with pytest.raises(DispatchRefused):
        await dispatch.dispatch(a_request(graph_id=graph_id))
    assert receiver.received == []


@pytest.mark.parametrize(
    ("reply", "kind", "code", "gone"),
    [
        (answer(402, {"detail": "Insufficient balance for graph"}), DispatchRefused, "insufficient_balance", False),
        (answer(404, {"detail": "Graph #graph-1 not found."}), DispatchRefused, "not_found", True),
        (answer(404, {"detail": "Not Found"}), DispatchMisdirected, "wrong_path", None),
        (answer(401, {"detail": "Invalid token"}), DispatchMisdirected, "unauthorized", None),
        (answer(400, {"detail": {"message": "no"}}), DispatchRefused, "refused", False),
        (answer(500, {"detail": "oops"}), DispatchTransient, "server_error", None),
    ],
)
async def test_answer_is_classified(
    dispatch: RestExecutionDispatch,
    receiver: Loopback,
    reply: Reply,
    kind: type[DispatchFailed],
    code: str,
    *,
    gone: bool | None,
) -> None:
    """Only words about this graph or user are final; credits never mean that the graph is gone."""
    receiver.reply = reply
    with pytest.raises(kind) as caught:
        await dispatch.dispatch(a_request())
    assert caught.value.code == code
    assert getattr(caught.value, "target_gone", None) is gone


async def test_echoed_token_does_not_reach_the_error(dispatch: RestExecutionDispatch, receiver: Loopback) -> None:
    """A receiver that quotes the token it refused does not spread it."""
    await dispatch.dispatch(a_request())
    token = receiver.received[0].headers["authorization"]
    receiver.reply = answer(401, {"detail": f"bad {token}"})
    with pytest.raises(DispatchMisdirected) as caught:
        await dispatch.dispatch(a_request())
    assert str(caught.value).endswith("answered 401: bad Bearer ***")


async def test_base_url_may_have_a_path(receiver: Loopback) -> None:
    """A gateway's prefix is kept, with or without a slash at its end."""
    for base in ("/platform", "/platform/"):
        dispatch = RestExecutionDispatch(
            base_url=receiver.url + base, secret=SECRET, timeout_secs=2, connections=1, clock=SystemClock()
        )
        await dispatch.dispatch(a_request())
        await dispatch.aclose()
    assert {received.target for received in receiver.received} == {"/platform/api/graphs/graph-1/execute/3"}
