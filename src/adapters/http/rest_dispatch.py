"""Graph executions started through the platform's own REST API, as the user they belong to."""

from urllib.parse import quote

from yarl import URL

from adapters.http.answers import Convention, execution_id
from adapters.http.bodies import compact_json, header_text
from adapters.http.session import HttpSession, authority, receiver_url
from adapters.http.user_tokens import UserTokens
from ports.clock import Clock
from ports.dispatch import DispatchRequest
from ports.errors import DispatchRefused

_NO_PATH_SEGMENT = frozenset({"", ".", ".."})
"""No quoting keeps these from being read as a way through the path."""


class RestExecutionDispatch:
    """POSTs to `{base_url}/api/graphs/{graph_id}/execute/{graph_version}` (compat/outgoing.md).

    `secret` is the platform's SUPABASE_JWT_SECRET, with which a short-lived token for each user is signed.
    """

    def __init__(self, *, base_url: str, secret: str, timeout_secs: float, connections: int, clock: Clock) -> None:
        base = receiver_url(base_url)
        self._graphs = str(base.with_query(None)).rstrip("/") + "/api/graphs"
        self._clock = clock
        self._tokens = UserTokens(secret=secret, clock=clock)
        self._convention = Convention(
            receiver=f"the REST API at {authority(base)}", id_keys=("graph_exec_id", "id")
        )
        self._session = HttpSession(timeout_secs=timeout_secs, connections=connections)

    async def dispatch(self, request: DispatchRequest) -> str | None:
        """Start the graph as its user; return the `graph_exec_id` of the answer, None for an answer without one."""
        if request.graph_id in _NO_PATH_SEGMENT:
            raise DispatchRefused("no graph can have this id", code="refused")
        segment = quote(request.graph_id, safe="", errors="surrogatepass")
        url = URL(f"{self._graphs}/{segment}/execute/{request.graph_version:d}", encoded=True)
        body = compact_json({"inputs": dict(request.inputs), "credentials_inputs": dict(request.credentials)})
        headers = {
            "Authorization": f"Bearer {self._tokens.token(request.user_id)}",
            "Idempotency-Key": header_text(request.idempotency_key),
        }
        answer = await self._session.post(url, body=body, headers=headers)
        return execution_id(answer, request, convention=self._convention, clock=self._clock)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._session.aclose()
