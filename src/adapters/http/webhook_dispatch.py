"""Graph executions announced to any URL, signed as Standard Webhooks says."""

from collections.abc import Mapping

from standardwebhooks import Webhook

from adapters.http.answers import Convention, execution_id
from adapters.http.bodies import compact_json, header_text
from adapters.http.session import HttpSession, authority, receiver_url
from ports.clock import Clock
from ports.dispatch import DispatchRequest

EVENT_TYPE = "graph.execution.due"


class WebhookExecutionDispatch:
    """POSTs `{"type", "timestamp", "data"}` to `url`, where `timestamp` is the due time and `data` the execution.

    `secret` is base64, with or without `whsec_` before it. `webhook-id` is the idempotency key, the same in every
    attempt. Receivers may be written in any language, so inputs with NaN or infinities are refused.
    """

    def __init__(self, *, url: str, secret: str, timeout_secs: float, connections: int, clock: Clock) -> None:
        self._url = receiver_url(url)
        self._clock = clock
        self._signer = _signer(secret)
        self._convention = Convention(
            receiver=f"the webhook at {authority(self._url)}",
            id_keys=("id", "graph_exec_id"),
            json_only=False,
        )
        self._session = HttpSession(timeout_secs=timeout_secs, connections=connections)

    async def dispatch(self, request: DispatchRequest) -> str | None:
        """Announce the execution; return the `id` of a JSON answer that has one. Any 2xx is a success."""
        body = _event(request)
        answer = await self._session.post(self._url, body=body, headers=self._headers(request, body))
        return execution_id(answer, request, convention=self._convention, clock=self._clock)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._session.aclose()

    def _headers(self, request: DispatchRequest, body: bytes) -> Mapping[str, str]:
        message_id = header_text(request.idempotency_key)
        now = self._clock.now()
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(message_id, now, body.decode("ascii")),
            "Idempotency-Key": message_id,
        }


def _event(request: DispatchRequest) -> bytes:
    scheduled_at = request.scheduled_at.isoformat()
    data = {
        "user_id": request.user_id,
        "graph_id": request.graph_id,
        "graph_version": request.graph_version,
        "inputs": dict(request.inputs),
        "graph_credentials_inputs": dict(request.credentials),
        "idempotency_key": request.idempotency_key,
        "scheduled_at": scheduled_at,
        "attempt": request.attempt,
    }
    return compact_json({"type": EVENT_TYPE, "timestamp": scheduled_at, "data": data}, strict=True)


def _signer(secret: str) -> Webhook:
    try:
        return Webhook(secret)
    except Exception:  # noqa: BLE001  the package has a bare Exception for an empty secret
        raise ValueError("the webhook's secret must be base64, with or without whsec_ before it") from None
