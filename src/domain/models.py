"""What callers send and get back: the specification's data models, with the names that its errors show."""

from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ports.jobs import Job
from ports.triggers import CombinedTrigger, DateTrigger, Trigger


class CredentialsMetaInput(BaseModel):
    """Which of a user's credentials an input takes; never the secret itself.

    `provider` is any text: the platform's users bring providers of their own.
    """

    model_config = ConfigDict(from_attributes=True)

    id: str
    title: str | None = None
    provider: str
    type: Literal["api_key", "oauth2", "user_password", "host_scoped"]


class GraphExecutionJobArgs(BaseModel):
    """What a schedule runs: the kwargs of its job (spec.md, "Data Models")."""

    user_id: str = Field(description="Whose schedule this is", examples=["user-1"])
    graph_id: str = Field(description="The graph to run", examples=["graph-1"])
    graph_version: int = Field(examples=[1])
    cron: str = Field(description="Five crontab fields, or an alias such as @daily", examples=["0 9 * * 1-5"])
    input_data: dict[str, Any] = Field(description="The graph's inputs", examples=[{"topic": "news"}])
    input_credentials: dict[str, CredentialsMetaInput] = Field(default_factory=dict)


class GraphExecutionJobInfo(GraphExecutionJobArgs):
    """A schedule as callers see it.

    `next_run_time` is ISO 8601 in the schedule's zone, empty when the schedule is paused. `timezone` is ours and
    stands last, so that the original's fields keep their places.
    """

    id: str
    name: str
    next_run_time: str
    timezone: str

    @staticmethod
    def from_job(args: GraphExecutionJobArgs, job: Job) -> "GraphExecutionJobInfo":
        """Put a job and its validated kwargs together."""
        return GraphExecutionJobInfo.model_construct(
            user_id=args.user_id,
            graph_id=args.graph_id,
            graph_version=args.graph_version,
            cron=args.cron,
            input_data=args.input_data,
            input_credentials=args.input_credentials,
            id=job.id,
            name=job.name,
            next_run_time=job.next_run_at.isoformat() if job.next_run_at is not None else "",
            timezone=_timezone(job.trigger),
        )


class NotificationType(StrEnum):
    """Batches that the notification service keeps (compat/outgoing.md)."""

    AGENT_RUN = "AGENT_RUN"
    ZERO_BALANCE = "ZERO_BALANCE"
    LOW_BALANCE = "LOW_BALANCE"
    BLOCK_EXECUTION_FAILED = "BLOCK_EXECUTION_FAILED"
    CONTINUOUS_AGENT_ERROR = "CONTINUOUS_AGENT_ERROR"
    DAILY_SUMMARY = "DAILY_SUMMARY"
    WEEKLY_SUMMARY = "WEEKLY_SUMMARY"
    MONTHLY_SUMMARY = "MONTHLY_SUMMARY"
    REFUND_REQUEST = "REFUND_REQUEST"
    REFUND_PROCESSED = "REFUND_PROCESSED"


class NotificationJobArgs(BaseModel):
    """What a batch job runs: the kwargs of `process_existing_batches`."""

    notification_types: list[NotificationType]
    cron: str


def _timezone(trigger: Trigger) -> str:
    """Return the zone that a trigger reckons in; a single date has only its offset."""
    if isinstance(trigger, CombinedTrigger):
        return _timezone(trigger.triggers[0]) if trigger.triggers else "UTC"
    if isinstance(trigger, DateTrigger):
        return str(trigger.run_at.tzinfo)
    return trigger.timezone
