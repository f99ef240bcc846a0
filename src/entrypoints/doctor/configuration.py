"""Looking at the settings."""

from dependency_injector import providers

from entrypoints.container import Container
from entrypoints.doctor.findings import Finding, Level, well
from entrypoints.errors import SettingsError
from entrypoints.settings import Settings

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def look_at_settings(settings: Settings) -> list[Finding]:
    """Look at what would keep the service from starting, and at what is legal but seldom meant."""
    found: list[Finding] = []
    container = Container(settings=providers.Object(settings))
    for attempt in (settings.receiver, settings.default_timezone, container.dispatch, container.system_tasks):
        try:
            attempt()
        except SettingsError as error:
            found.append(Finding("settings", Level.WRONG, str(error), f"Set {error.variable} as it says."))
            break
    if settings.pyro_host not in _LOOPBACK and settings.scheduler_rpc_token is None:
        found.append(
            Finding(
                "settings",
                Level.NOTE,
                f"The RPC is open to whoever reaches {settings.pyro_host}:{settings.execution_scheduler_port}",
                "Keep it inside a private network, or set SCHEDULER_RPC_TOKEN.",
            )
        )
    if settings.scheduler_db_pool_size < 2:  # noqa: PLR2004
        says = "SCHEDULER_DB_POOL_SIZE is 1: RPC and firing wait for each other"
        found.append(Finding("settings", Level.NOTE, says, "Give it at least 2."))
    return found or [well("settings", "They would let the service start")]
