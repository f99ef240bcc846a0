"""What callers may send: the bodies, and how a body is read as the original's framework (FastAPI) reads it."""

import json
from email.message import Message
from typing import Any

from litestar.connection import Request
from litestar.datastructures import State
from litestar.exceptions import ClientException
from litestar.types import Empty
from pydantic import BaseModel, ConfigDict, Field, model_validator

from domain.errors import UnstorableInputError
from domain.models import CredentialsMetaInput, GraphExecutionJobArgs, ScheduleChanges
from entrypoints.rpc.errors import InvalidBodyError
from ports.firings import FiringState

MAX_PAGE = 1000

_LIKE_FASTAPI = ConfigDict(from_attributes=True)
"""Makes pydantic name a body of the wrong type as recorded ("add array body")."""


class AddGraphExecutionSchedule(GraphExecutionJobArgs):
    """A new schedule. What follows `name` is ours."""

    model_config = _LIKE_FASTAPI

    cron: str = Field(
        description="Five crontab fields, or an alias such as @daily; left out where run_at is given",
        examples=["0 9 * * 1-5"],
    )

    # Required here, unlike in the stored arguments ("add without input_credentials").
    input_credentials: dict[str, CredentialsMetaInput] = Field(
        description="Which credentials each input takes",
        examples=[{"github": {"id": "credential-1", "provider": "github", "type": "api_key", "title": "My key"}}],
    )
    name: str | None = Field(default=None, description="Shown to the user", examples=["Weekday digest"])
    user_timezone: str | None = Field(
        default=None,
        description="IANA zone in which cron and times without an offset are read; default the service's",
        examples=["Europe/Berlin"],
    )
    run_at: str | None = Field(
        default=None,
        description="Instead of cron: run once, at this time (ISO 8601)",
        examples=["2027-01-01T09:00:00"],
    )
    schedule_id: str | None = Field(
        default=None,
        description="An id of your own, up to 191 characters: adding again under it replaces your schedule",
        examples=["weekday-digest-1"],
    )
    start_at: str | None = Field(
        default=None, description="Don't run before (ISO 8601)", examples=["2027-01-01T00:00:00"]
    )
    end_at: str | None = Field(
        default=None, description="Don't run after (ISO 8601)", examples=["2037-12-31T23:59:59"]
    )
    jitter_secs: int | None = Field(
        default=None,
        description="Run up to so many seconds late, always by the same part of it, so that schedules spread",
        examples=[60],
    )

    @model_validator(mode="before")
    @classmethod
    def _once_needs_no_cron(cls, value: Any) -> Any:
        """Take an absent `cron` for an empty one beside `run_at`; else it is missing, as recorded."""
        if isinstance(value, dict) and value.get("run_at") is not None and "cron" not in value:
            return {**value, "cron": ""}
        return value


class DeleteGraphExecutionSchedule(BaseModel):
    """Which schedule to delete, and who asks."""

    model_config = _LIKE_FASTAPI

    schedule_id: str = Field(examples=["weekday-digest-1"])
    user_id: str = Field(examples=["user-1"])


class GetGraphExecutionSchedules(BaseModel):
    """Which schedules to list; what is left out matches all."""

    model_config = _LIKE_FASTAPI

    graph_id: str | None = Field(default=None, examples=["graph-1"])
    user_id: str | None = Field(default=None, examples=["user-1"])
    include_paused: bool = Field(default=False, description="List paused schedules too, last", examples=[True])
    limit: int | None = Field(
        default=None, ge=1, le=MAX_PAGE, description="List so many at the most; default all", examples=[50]
    )
    cursor: str | None = Field(
        default=None,
        description="Go on behind an earlier page: what its header X-Next-Cursor held",
        examples=["WyIyMDI3LTAxLTAxVDA5OjAwOjAwKzAwOjAwIiwiYSJd"],
    )


class _OwnSchedule(BaseModel):
    """A schedule, and who asks."""

    model_config = _LIKE_FASTAPI

    schedule_id: str = Field(examples=["weekday-digest-1"])
    user_id: str = Field(description="Whose schedule it is to be", examples=["user-1"])


class GetGraphExecutionSchedule(_OwnSchedule):
    """Which schedule to show, and who asks."""


class UpdateGraphExecutionSchedule(ScheduleChanges, _OwnSchedule):
    """Which schedule to change, who asks, and what is to be different; what is left out stays as it is."""


class PauseGraphExecutionSchedule(_OwnSchedule):
    """Which schedule to pause, who asks, and why."""

    reason: str | None = Field(default=None, description="Shown with the schedule", examples=["Holidays"])
    by: str | None = Field(default=None, description="Who pauses it; default the user", examples=["support"])


class ResumeGraphExecutionSchedule(_OwnSchedule):
    """Which schedule to resume, and who asks."""


class RunGraphExecutionScheduleNow(_OwnSchedule):
    """Which schedule to run, and who asks."""


class BackfillGraphExecutionSchedule(_OwnSchedule):
    """Which schedule to run for what it missed, who asks, and the window."""

    begin: str = Field(
        alias="from",
        description="First due time to run (ISO 8601; without an offset, in the schedule's zone)",
        examples=["2026-11-23T00:00:00"],
    )
    end: str = Field(
        alias="to", description="Run none from here on; not in the future", examples=["2026-11-24T00:00:00"]
    )


class PreviewSchedule(BaseModel):
    """A cron expression, or a schedule and its owner, and how far to look."""

    model_config = _LIKE_FASTAPI

    cron: str | None = Field(
        default=None, description="Five crontab fields, or an alias such as @daily", examples=["0 9 * * 1-5"]
    )
    schedule_id: str | None = Field(
        default=None, description="Instead of cron: a schedule", examples=["weekday-digest-1"]
    )
    user_id: str | None = Field(
        default=None, description="Instead of cron, with schedule_id: its owner", examples=["user-1"]
    )
    user_timezone: str | None = Field(
        default=None,
        description="With cron: IANA zone in which it is read; default the service's",
        examples=["Europe/Berlin"],
    )
    count: int = Field(default=5, description="How many runs, up to 1000", examples=[3])
    after: str | None = Field(
        default=None,
        description="Look at runs after this time (ISO 8601); default now",
        examples=["2027-01-01T00:00:00"],
    )


class GetScheduleFirings(BaseModel):
    """Whose firings to show, and which."""

    model_config = _LIKE_FASTAPI

    user_id: str = Field(examples=["user-1"])
    schedule_id: str | None = Field(
        default=None,
        description="Of one schedule, which may be gone; default all of the user's",
        examples=["weekday-digest-1"],
    )
    states: frozenset[FiringState] | None = Field(
        default=None, description="In these states only; default any", examples=[["failed", "dead"]]
    )
    limit: int = Field(default=100, description="How many, up to 1000", examples=[20])
    before_id: int | None = Field(
        default=None, description="Older than this one: the last id of the page before", examples=[4711]
    )


class ResendScheduleFiring(BaseModel):
    """Which firing to send again, and who asks."""

    model_config = _LIKE_FASTAPI

    firing_id: int = Field(description="As get_schedule_firings shows it", examples=[4711])
    user_id: str = Field(description="Whose firing it is to be", examples=["user-1"])


# mypy's plugin calls the catch-all of the constructor that it makes up "kwargs" too.
class ExecuteProcessExistingBatches(BaseModel):  # type: ignore[no-redef]
    """Arguments of the batch job: `notification_types` and `cron`."""

    model_config = _LIKE_FASTAPI

    kwargs: dict[str, Any] = Field(examples=[{"notification_types": ["AGENT_RUN"], "cron": "0 * * * *"}])


class NoArguments(BaseModel):
    """An object, whatever is in it."""

    model_config = _LIKE_FASTAPI


class RpcRequest(Request[Any, Any, State]):
    """A request whose JSON is read by the standard library."""

    async def json(self) -> Any:
        """Return the body's value; a body that does not claim to be JSON is its text.

        Empty stands for null, which FastAPI takes for no body at all ("get null body").
        Raises InvalidBodyError with the place of a mistake, ClientException for bytes that are no text and numbers
        that are too long, UnstorableInputError for what is nested beyond reading.
        """
        body = await self.body()
        if not _claims_json(self.headers.get("content-type")):
            return body.decode(errors="replace")
        try:
            value = json.loads(body)
        except json.JSONDecodeError as error:
            mistake = {
                "type": "json_invalid",
                "loc": ["body", error.pos],
                "msg": "JSON decode error",
                "input": {},
                "ctx": {"error": error.msg},
            }
            raise InvalidBodyError([mistake]) from error
        except RecursionError as error:
            raise UnstorableInputError("The body is nested too deeply") from error
        except ValueError as error:
            raise ClientException("There was an error parsing the body") from error
        return Empty if value is None else value


def _claims_json(content_type: str | None) -> bool:
    """Tell whether a content type is JSON's by FastAPI's rule: absent or empty, or `application/[*+]json`."""
    if not content_type or content_type == "application/json":
        return True
    message = Message()
    message["content-type"] = content_type
    subtype = message.get_content_subtype()
    return message.get_content_maintype() == "application" and (subtype == "json" or subtype.endswith("+json"))
