"""Whether the services around this one can be reached, and whether this one runs."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus

import httpx
from yarl import URL

from entrypoints.errors import SettingsError
from entrypoints.settings import ReceiverKind, Settings

_PATIENCE_SECS = 3.0


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at a service found: whether it is `well`, and if not, whether it was `reached` at least.

    `receiver` says that it is who gets the executions.
    """

    what: str
    says: str
    well: bool
    reached: bool
    advice: str | None = None
    receiver: bool = False


@dataclass(frozen=True, slots=True)
class _Neighbour:
    """A service, and what comes of its absence. `has_health` ones answer `/health_check`, as the platform's do."""

    name: str
    url: URL
    without: str
    variable: str
    has_health: bool
    receiver: bool = False


async def look_at_service(url: str) -> list[Look]:
    """Ask this service itself whether it is ready."""
    try:
        async with httpx.AsyncClient(timeout=_PATIENCE_SECS, trust_env=False) as client:
            answer = await client.get(f"{url.rstrip('/')}/ready")
            state = answer.json()
            receiver = state["receiver"]
    except (httpx.HTTPError, httpx.InvalidURL):
        advice = "Start `agpt-scheduler serve`, or say where it is with --url."
        return [Look("service", f"Nothing answers at {url}", well=False, reached=False, advice=advice)]
    except (ValueError, KeyError, TypeError):
        advice = "Give this service a port of its own, or say where it is with --url."
        return [Look("service", f"Something else answers at {url}", well=False, reached=False, advice=advice)]
    found = []
    if not state.get("ready"):
        says = f"Not ready: database {state.get('database')}, migrations {state.get('migrations')}"
        advice = "See the service's log; it goes on by itself once its database is there."
        found.append(Look("service", says, well=False, reached=True, advice=advice))
    if receiver != "ok":
        advice = "Set SCHEDULER_DISPATCH and its host and port right; nothing is lost meanwhile."
        says = f"The receiver seems to be the wrong one: {receiver}"
        found.append(Look("service", says, well=False, reached=True, advice=advice))
    return found or [Look("service", f"Ready at {url}", well=True, reached=True)]


async def look_at_neighbours(settings: Settings) -> list[Look]:
    """Try every service that this one calls, all at once."""
    return await asyncio.gather(*(_look_at(neighbour) for neighbour in _neighbours(settings)))


def _neighbours(settings: Settings) -> Iterator[_Neighbour]:
    def at(service: str, port: int) -> URL:
        return URL.build(scheme="http", host=settings.service_host(service), port=port)

    yield _Neighbour(
        "DatabaseManager",
        at("DatabaseManager", settings.database_api_port),
        "late executions and block errors are not reported",
        "DATABASEMANAGER_HOST",
        has_health=True,
    )
    yield _Neighbour(
        "NotificationManager",
        at("NotificationManager", settings.notification_service_port),
        "summaries, batches and alerts are not sent",
        "NOTIFICATIONMANAGER_HOST",
        has_health=True,
    )
    without, variable = "runs wait until it is there", "SCHEDULER_DISPATCH"
    try:
        receiver = settings.receiver()
    except SettingsError:  # told by the look at the settings
        return
    if receiver.kind is ReceiverKind.RPC:
        variable = f"{settings.scheduler_rpc_service.upper()}_HOST"
        url = URL(settings.rpc_receiver_url()).origin()
        yield _Neighbour(settings.scheduler_rpc_service, url, without, variable, has_health=True, receiver=True)
    elif receiver.kind is ReceiverKind.REST:
        url, variable = URL(settings.rest_receiver_url()), "AGENTSERVER_HOST"
        yield _Neighbour("REST API", url, without, variable, has_health=False, receiver=True)
    elif receiver.kind is ReceiverKind.WEBHOOK:
        yield _Neighbour(
            "webhook", URL(receiver.target).origin(), without, variable, has_health=False, receiver=True
        )


async def _look_at(neighbour: _Neighbour) -> Look:
    name, url = neighbour.name, neighbour.url
    advice = f"Start it, or set {neighbour.variable} and its port; meanwhile {neighbour.without}."
    try:
        async with asyncio.timeout(_PATIENCE_SECS):
            _, writer = await asyncio.open_connection(url.host, url.port)
        writer.close()
    except (OSError, TimeoutError) as error:
        says = f"{url} can't be reached: {str(error) or 'no answer in time'}"
        return Look(name, says, well=False, reached=False, advice=advice, receiver=neighbour.receiver)
    if neighbour.has_health:
        try:
            async with httpx.AsyncClient(timeout=_PATIENCE_SECS, trust_env=False) as client:
                status = (await client.post(str(url / "health_check"), json={})).status_code
        except httpx.HTTPError as error:
            status = 0
            says = f"{url} does not answer /health_check: {error or type(error).__name__}"
        else:
            says = f"{url} answers {status} to /health_check"
        if status != HTTPStatus.OK:
            advice = f"See its log; meanwhile {neighbour.without}."
            return Look(name, says, well=False, reached=True, advice=advice, receiver=neighbour.receiver)
    return Look(name, f"Reached at {url}", well=True, reached=True)
