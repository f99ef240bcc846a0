"""What callers send and get back: the specification's data models, with the names that its errors show."""

from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Field

from domain.notes import Pause, pause_of
from domain.timing import end_of, start_of, zone_name_of
from ports.firings import FiringRecord, FiringState, idempotency_key
from ports.jobs import Job
from ports.triggers import DateTrigger, Trigger


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

    `next_run_time` is ISO 8601 in the schedule's zone, empty when the schedule is paused; `cron` is empty when it
    runs once, at `run_at`. What follows `next_run_time` is ours and stands last, so that the original's fields
    keep their places. Times are ISO 8601; what does not apply is null.
    """

    id: str
    name: str
    next_run_time: str
    timezone: str = Field(description="Zone that the schedule reckons in", examples=["Europe/Berlin"])
    paused: bool = False
    paused_reason: str | None = Field(default=None, examples=["Holidays"])
    paused_by: str | None = Field(default=None, examples=["user-1"])
    paused_at: str | None = Field(default=None, examples=["2026-11-24T12:00:00+00:00"])
    run_at: str | None = Field(default=None, description="When it runs, for one that runs once")
    start_at: str | None = Field(default=None, description="It does not run before")
    end_at: str | None = Field(default=None, description="It does not run after, but for its jitter")
    jitter_secs: int | None = Field(default=None, description="Its runs come late by a fixed part of this")

    @classmethod
    def from_job(cls, args: GraphExecutionJobArgs, job: Job, **more: Any) -> Self:
        """Put a job and its validated kwargs together, and `more` where a subclass has more to say."""
        pause = pause_of(job)
        why = pause or Pause()
        trigger = job.trigger
        fields = {
            "user_id": args.user_id,
            "graph_id": args.graph_id,
            "graph_version": args.graph_version,
            "cron": args.cron,
            "input_data": args.input_data,
            "input_credentials": args.input_credentials,
            "id": job.id,
            "name": job.name,
            "next_run_time": _iso(job.next_run_at) or "",
            "timezone": zone_name_of(trigger),
            "paused": pause is not None,
            "paused_reason": why.reason,
            "paused_by": why.by,
            "paused_at": why.at,
            "run_at": _iso(trigger.run_at) if isinstance(trigger, DateTrigger) else None,
            "start_at": _iso(start_of(trigger)),
            "end_at": _iso(end_of(trigger)),
            "jitter_secs": _jitter(trigger),
            **more,
        }
        # Everything is of its type already, and to copy a blank one takes a third of what `model_construct` does,
        # which a list of many feels.
        return cls._blank().model_copy(update=fields)

    @classmethod
    @cache
    def _blank(cls) -> Self:
        nothing: dict[str, Any] = dict.fromkeys(cls.model_fields)  # in the order in which they are shown
        return cast("Self", cls.model_construct(**nothing))


class ChangedSchedule(GraphExecutionJobInfo):
    """A schedule after a call that may have changed it: of two that ask for the same at once, one did."""

    changed: bool = Field(description="Whether this call changed anything", examples=[True])


class FiredSchedule(GraphExecutionJobInfo):
    """A schedule that was run outside its cadence."""

    scheduled_at: str = Field(
        description="By which the run is known in the history", examples=["2026-11-24T12:00:00.123456+00:00"]
    )
    idempotency_key: str = Field(
        description="What the receiver is sent with it",
        examples=["0f8fad5bd9cb469fa165708867284e9a:2026-11-24T12:00:00.123456Z"],
    )


class BackfilledSchedule(GraphExecutionJobInfo):
    """A schedule whose due times in the past were run."""

    due: int = Field(description="Due times in the window", examples=[24])
    added: int = Field(description="Those that had no firing yet, and have one now", examples=[3])


class ScheduleChanges(BaseModel):
    """What is to be different about a schedule. What is left out, or null, stays as it is.

    Only `start_at`, `end_at` and `jitter_secs` can be taken away, by a null.
    """

    cron: str | None = Field(default=None, description="New crontab fields, or an alias", examples=["0 10 * * 1-5"])
    run_at: str | None = Field(
        default=None, description="Instead of cron: run once, then (ISO 8601)", examples=["2027-01-01T09:00:00"]
    )
    user_timezone: str | None = Field(
        default=None,
        description="New IANA zone; without a new cron the same wall-clock times in it",
        examples=["Asia/Tokyo"],
    )
    start_at: str | None = Field(
        default=None,
        description="Don't run before (ISO 8601); null for no such bound",
        examples=["2027-01-01T00:00:00"],
    )
    end_at: str | None = Field(
        default=None,
        description="Don't run after (ISO 8601); null for no such bound",
        examples=["2037-12-31T23:59:59"],
    )
    jitter_secs: int | None = Field(
        default=None, description="Spread runs over this many seconds; null for none", examples=[60]
    )
    input_data: dict[str, Any] | None = Field(default=None, examples=[{"topic": "sports"}])
    input_credentials: dict[str, CredentialsMetaInput] | None = Field(
        default=None,
        examples=[{"github": {"id": "credential-1", "provider": "github", "type": "api_key", "title": "My key"}}],
    )
    name: str | None = Field(default=None, examples=["Sports digest"])
    graph_version: int | None = Field(default=None, examples=[2])


class FiringInfo(BaseModel):
    """A firing as history shows it, without its payload. Times are ISO 8601 in UTC; null for not yet."""

    id: int = Field(description="Where the next page begins: pass the last one as before_id", examples=[4711])
    schedule_id: str
    graph_id: str | None
    scheduled_at: str
    claimed_at: str
    dispatched_at: str | None
    finished_at: str | None
    state: FiringState
    attempts: int
    coalesced: int = Field(description="Earlier due times that this one stands for besides")
    execution_id: str | None
    code: str | None
    error: str | None
    attempt_at: str | None = Field(description="When it is tried again")
    idempotency_key: str

    @staticmethod
    def from_record(record: FiringRecord) -> "FiringInfo":
        """Show a record."""
        return FiringInfo(
            id=record.id,
            schedule_id=record.job_id,
            graph_id=record.graph_id,
            scheduled_at=record.scheduled_at.isoformat(),
            claimed_at=record.claimed_at.isoformat(),
            dispatched_at=_iso(record.dispatched_at),
            finished_at=_iso(record.finished_at),
            state=record.state,
            attempts=record.attempts,
            coalesced=record.coalesced,
            execution_id=record.execution_id,
            code=record.code,
            error=record.error,
            attempt_at=_iso(record.attempt_at),
            idempotency_key=idempotency_key(record.job_id, record.scheduled_at),
        )


class SchedulePreview(BaseModel):
    """When a schedule would run."""

    times: list[str] = Field(description="ISO 8601 in the zone", examples=[["2026-11-24T09:00:00+01:00"]])
    description: str = Field(examples=["At 09:00, from Monday to Friday"])
    timezone: str = Field(examples=["Europe/Berlin"])
    notes: list[str] = Field(description="What may surprise, such as daylight saving")


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


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _jitter(trigger: Trigger) -> int | None:
    return None if isinstance(trigger, DateTrigger) else trigger.jitter
