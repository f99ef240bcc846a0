"""What callers may send: the bodies, and how a body is read as the original's framework (FastAPI) reads it."""

import json
from email.message import Message
from typing import Any

from litestar.connection import Request
from litestar.datastructures import State
from litestar.exceptions import ClientException
from litestar.types import Empty
from pydantic import BaseModel, ConfigDict, Field

from domain.errors import UnstorableInputError
from domain.models import CredentialsMetaInput, GraphExecutionJobArgs
from entrypoints.rpc.errors import InvalidBodyError

_LIKE_FASTAPI = ConfigDict(from_attributes=True)
"""Makes pydantic name a body of the wrong type as recorded ("add array body")."""


class AddGraphExecutionSchedule(GraphExecutionJobArgs):
    """A new schedule. `user_timezone` (IANA) is ours; without it the service's own zone counts."""

    model_config = _LIKE_FASTAPI

    # Required here, unlike in the stored arguments ("add without input_credentials").
    input_credentials: dict[str, CredentialsMetaInput] = Field(
        description="Which credentials each input takes",
        examples=[{"github": {"id": "credential-1", "provider": "github", "type": "api_key", "title": "My key"}}],
    )
    name: str | None = Field(default=None, description="Shown to the user", examples=["Weekday digest"])
    user_timezone: str | None = Field(
        default=None, description="IANA zone in which `cron` is read", examples=["Europe/Berlin"]
    )


class DeleteGraphExecutionSchedule(BaseModel):
    """Which schedule to delete, and who asks."""

    model_config = _LIKE_FASTAPI

    schedule_id: str = Field(examples=["0f8fad5bd9cb469fa165708867284e9a"])
    user_id: str = Field(examples=["user-1"])


class GetGraphExecutionSchedules(BaseModel):
    """Which schedules to list; what is left out matches all."""

    model_config = _LIKE_FASTAPI

    graph_id: str | None = Field(default=None, examples=["graph-1"])
    user_id: str | None = Field(default=None, examples=["user-1"])


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
