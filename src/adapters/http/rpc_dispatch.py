"""Graph executions handed to a service that speaks the platform's RPC."""

from adapters.http.answers import Convention, execution_id
from adapters.http.bodies import compact_json, header_text
from adapters.http.session import HttpSession, authority, receiver_url
from ports.clock import Clock
from ports.dispatch import DispatchRequest


class RpcExecutionDispatch:
    """POSTs the keywords of the platform's `add_graph_execution` (compat/outgoing.md) to `url`.

    The idempotency key goes into the header `Idempotency-Key`, since the platform's function takes no such keyword.
    """

    def __init__(self, *, url: str, timeout_secs: float, connections: int, clock: Clock) -> None:
        self._url = receiver_url(url)
        self._clock = clock
        self._convention = Convention(receiver=f"the RPC receiver at {authority(self._url)}", id_keys=("id",))
        self._session = HttpSession(timeout_secs=timeout_secs, connections=connections)

    async def dispatch(self, request: DispatchRequest) -> str | None:
        """Call the receiver; return the `id` of the object that it answers, None for an answer without one."""
        body = compact_json(
            {
                "user_id": request.user_id,
                "graph_id": request.graph_id,
                "graph_version": request.graph_version,
                "inputs": dict(request.inputs),
                "graph_credentials_inputs": dict(request.credentials),
            }
        )
        headers = {"Idempotency-Key": header_text(request.idempotency_key)}
        answer = await self._session.post(self._url, body=body, headers=headers)
        return execution_id(answer, request, convention=self._convention, clock=self._clock)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._session.aclose()
