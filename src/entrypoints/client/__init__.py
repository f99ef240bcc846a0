"""The scheduler's client for any Python service: needs httpx and pydantic, and nothing else of this package's.

    from entrypoints.client import SchedulerClient

    async with SchedulerClient() as scheduler:  # SCHEDULER_HOST, EXECUTION_SCHEDULER_PORT, SCHEDULER_RPC_TOKEN
        schedule = await scheduler.add_execution_schedule(
            user_id="me", graph_id="digest", graph_version=1, cron="0 9 * * 1-5", input_data={"topic": "news"}
        )
        await scheduler.pause_schedule(schedule.id, user_id="me", reason="Holidays")

`SyncSchedulerClient` has the same methods without `await`.
"""

from entrypoints.client.calls import UNSET, SchedulePage, Unset
from entrypoints.client.clients import SchedulerClient, SyncSchedulerClient
from entrypoints.client.errors import (
    CallTimeoutError,
    InvalidRequestError,
    NotAuthorizedError,
    NotFoundError,
    RemoteCallError,
    SchedulerClientError,
    ServiceUnavailableError,
    ServiceUnreachableError,
)
from entrypoints.client.settings import ClientSettings

__all__ = [
    "UNSET",
    "CallTimeoutError",
    "ClientSettings",
    "InvalidRequestError",
    "NotAuthorizedError",
    "NotFoundError",
    "RemoteCallError",
    "SchedulePage",
    "SchedulerClient",
    "SchedulerClientError",
    "ServiceUnavailableError",
    "ServiceUnreachableError",
    "SyncSchedulerClient",
    "Unset",
]
