"""Every setting: the original's under its own names, ours under `SCHEDULER_`.

Sources in their order: environment, `.env` of the working directory, defaults. Names are read in any case,
unknown ones ignored (compat/notes.md).
"""

import importlib.util
import os
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from tzlocal import get_localzone_name

from domain.cron import CronDialect, parse_cron, validate_timezone
from domain.errors import InvalidScheduleError
from entrypoints.database_url import DatabaseUrl, parse_direct_url
from entrypoints.errors import SettingsError

Port = Annotated[int, Field(ge=1, le=65535)]
ListenPort = Annotated[int, Field(ge=0, le=65535)]
_LONGEST_SECS = 10 * 365 * 86400
Seconds = Annotated[float, Field(gt=0, le=_LONGEST_SECS)]
WholeSeconds = Annotated[int, Field(ge=1, le=_LONGEST_SECS)]
Days = Annotated[float, Field(gt=0, le=36_500)]
Count = Annotated[int, Field(ge=1, le=2**31 - 1)]

_PLATFORM_RECEIVER = "backend.executor.utils:add_graph_execution"
_SERVICE = "SCHEDULER"
_HOST = re.compile(r"[\w.-]+|[0-9A-Fa-f:.]+")
_ZONE_FILES = "/usr/share/zoneinfo/"


class ReceiverKind(StrEnum):
    """How graph executions are handed over (design.md section 7)."""

    RPC = "rpc"
    REST = "rest"
    PYTHON = "python"
    WEBHOOK = "webhook"
    RECORD = "record"


@dataclass(frozen=True, slots=True)
class Receiver:
    """A receiver and, for `python:` and `webhook:`, its target."""

    kind: ReceiverKind
    target: str = ""


class LogLevel(StrEnum):
    """How much is logged."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"


class Settings(BaseSettings):
    """What an operator may set. `load_settings` reads it with errors of one line each."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", case_sensitive=False, frozen=True, env_ignore_empty=True
    )

    # The original's.
    direct_url: SecretStr | None = Field(
        None, description="PostgreSQL of the platform; without it a private one is started in SCHEDULER_DATA_DIR"
    )
    pyro_host: str = Field("localhost", description="Address to bind, and default host of the neighbours")
    execution_scheduler_port: ListenPort = Field(8003, description="Port of this service")
    scheduler_db_pool_size: Count = Field(3, description="Database connections of each process (one more listens)")
    execution_late_notification_threshold_secs: WholeSeconds = Field(
        300, description="Executions queued for longer are late; also how often that is looked at"
    )
    execution_late_notification_checkrange_secs: WholeSeconds = Field(
        3600, description="How far back late ones are looked for"
    )
    block_error_rate_threshold: float = Field(0.5, ge=0, le=1, description="Share of failures that is critical")
    block_error_rate_check_interval_secs: WholeSeconds = Field(
        86400, description="How often error rates are looked at"
    )
    block_error_include_top_blocks: int = Field(
        3, ge=0, description="Blocks in the daily summary when none is critical; 0 for no summary"
    )
    cloud_storage_cleanup_interval_hours: int = Field(
        6, ge=1, le=24, description="Between cleanups of expired files"
    )
    media_gcs_bucket_name: str = Field("", description="Bucket with expiring uploads")
    pyro_client_comm_timeout: Seconds = Field(15.0, description="Ignored, as by the original")
    pyro_client_comm_retry: int = Field(
        3, ge=0, description="For clients of this service, which itself repeats on its own terms"
    )
    rpc_client_call_timeout: Seconds = Field(300, description="Seconds until a neighbour's answer is given up")
    database_api_port: Port = Field(8005, description="Port of DatabaseManager")
    notification_service_port: Port = Field(8007, description="Port of NotificationManager")
    execution_manager_port: Port = Field(8002, description="Port of ExecutionManager")
    agent_api_port: Port = Field(8006, description="Port of the REST API")
    supabase_jwt_secret: SecretStr | None = Field(None, description="Signs the `rest` receiver's tokens")
    log_level: LogLevel = Field(LogLevel.INFO, description="DEBUG, INFO, WARNING, ERROR or CRITICAL")

    # Ours.
    scheduler_dispatch: str | None = Field(
        None, description="rpc, rest, python:module:callable, webhook:URL or record; needed with DIRECT_URL"
    )
    scheduler_rpc_service: str = Field("ExecutionManager", description="Service of the `rpc` receiver")
    scheduler_rpc_port: Port | None = Field(None, description="Its port; default EXECUTION_MANAGER_PORT")
    scheduler_rpc_method: str = Field("add_graph_execution", description="Its method")
    scheduler_webhook_secret: SecretStr | None = Field(
        None, description="Signs the webhook: base64, with or without whsec_ before it"
    )
    scheduler_dispatch_timeout_secs: Seconds = Field(30, description="Until a receiver's answer is given up")
    scheduler_dispatch_deadline_secs: Seconds = Field(3600, description="Until retries end and a firing is dead")
    scheduler_max_in_flight: Count = Field(100, description="Dispatches under way at once, at the most")
    scheduler_user_share: float = Field(0.5, gt=0, le=1, description="Share of those that one user may fill")
    scheduler_system_slots: Count = Field(4, description="System tasks under way at once")
    scheduler_lease_secs: Annotated[float, Field(ge=1, le=_LONGEST_SECS)] = Field(
        15, description="Until a silent replica is dead"
    )
    scheduler_misfire_grace_secs: Seconds | None = Field(
        None, description="Firings later than this are dropped and recorded; unset, none is"
    )
    scheduler_shutdown_grace_secs: Annotated[float, Field(ge=0, le=_LONGEST_SECS)] = Field(
        10, description="How long a stop waits for what is in flight"
    )
    scheduler_history_success_days: Days = Field(3, description="How long successes are kept")
    scheduler_history_failure_days: Days = Field(30, description="How long everything else is kept")
    scheduler_timezone: str | None = Field(
        None, description="Zone of schedules that name none; default this machine's"
    )
    scheduler_cron_dialect: CronDialect = Field(
        CronDialect.STANDARD, description="standard, or apscheduler for the original's reading of new schedules"
    )
    scheduler_weekly_summary_cron: str = Field("0 * * * *", description="When weekly summaries are queued")
    scheduler_pause_after_gone: Annotated[int, Field(ge=0)] = Field(
        5, description="Pause a schedule whose graph is gone after so many refusals in a row; 0 for never"
    )
    scheduler_max_schedules_per_user: Annotated[int, Field(ge=0)] = Field(
        0, description="Schedules that one user may have; 0 for any number"
    )
    scheduler_min_interval_secs: Annotated[int, Field(ge=0)] = Field(
        0, description="Shortest time between two runs of a schedule; 0 for any"
    )
    scheduler_repeat_late_alerts: bool = Field(
        False,  # noqa: FBT003  pydantic's own way
        description="Alert about the same late executions at every look, as the original does",
    )
    scheduler_rpc_token: SecretStr | None = Field(None, description="Bearer token that callers must bring")
    scheduler_page: bool | None = Field(
        None,
        description="Serve the page for people at /ui: on or off; unset, on with the private PostgreSQL only",
    )
    scheduler_max_body_bytes: Count = Field(10 * 1024 * 1024, description="Longest request body")
    scheduler_block_names: Path | None = Field(None, description="JSON file, block id to name, for reports")
    scheduler_files_dir: Path | None = Field(
        None, description="Directory with expiring uploads, instead of a bucket"
    )
    scheduler_data_dir: Path = Field(Path("data"), description="Where the private PostgreSQL keeps its data")

    @field_validator("log_level", "scheduler_cron_dialect", mode="before")
    @classmethod
    def _in_any_case(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, str):
            return value
        return value.strip().upper() if info.field_name == "log_level" else value.strip().lower()

    @field_validator("scheduler_timezone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        return None if value is None else validate_timezone(value)

    @field_validator("scheduler_weekly_summary_cron")
    @classmethod
    def _readable_cron(cls, value: str) -> str:
        parse_cron(value, timezone="UTC")
        return value

    @property
    def embedded(self) -> bool:
        """Whether a private PostgreSQL is to be started."""
        return self.direct_url is None

    @property
    def shows_page(self) -> bool:
        """Whether the page is served: with a platform's database not unless the operator says so."""
        return self.embedded if self.scheduler_page is None else self.scheduler_page

    def database_url(self) -> DatabaseUrl:
        """Return the platform's database. Raises SettingsError."""
        assert self.direct_url is not None
        return parse_direct_url(self.direct_url.get_secret_value())

    def default_timezone(self) -> str:
        """Return the zone of schedules that name none: the machine's own, as the original does."""
        if self.scheduler_timezone is not None:
            return self.scheduler_timezone
        if stated := os.environ.get("TZ", "").removeprefix(":"):
            # tzlocal passes over a name that it does not know.
            try:
                return validate_timezone(stated.removeprefix(_ZONE_FILES))
            except InvalidScheduleError:
                raise SettingsError("TZ", f"is {stated[:100]!r}: no IANA time zone") from None
        try:
            return validate_timezone(get_localzone_name())
        except (InvalidScheduleError, LookupError, ValueError, OSError):
            raise SettingsError("SCHEDULER_TIMEZONE", "must be set, for this machine's zone is not known") from None

    def receiver(self) -> Receiver:
        """Return who receives graph executions; none runs without one by accident. Raises SettingsError."""
        text = self.scheduler_dispatch
        if text is None:
            if self.embedded:
                return Receiver(ReceiverKind.RECORD)
            if _importable(_PLATFORM_RECEIVER.partition(":")[0]):
                return Receiver(ReceiverKind.PYTHON, _PLATFORM_RECEIVER)
            raise SettingsError(
                "SCHEDULER_DISPATCH",
                "must be set with DIRECT_URL: rpc, rest, python:module:callable, webhook:URL or record",
            )
        kind, _, target = text.strip().partition(":")
        needs_target = kind in (ReceiverKind.PYTHON, ReceiverKind.WEBHOOK)
        if kind not in list(ReceiverKind) or needs_target != bool(target):
            raise SettingsError(
                "SCHEDULER_DISPATCH",
                f"is {text!r}; expected rpc, rest, python:module:callable, webhook:URL or record",
            )
        if kind == ReceiverKind.REST and self.supabase_jwt_secret is None:
            raise SettingsError("SUPABASE_JWT_SECRET", "must be set for SCHEDULER_DISPATCH=rest")
        if kind == ReceiverKind.WEBHOOK and self.scheduler_webhook_secret is None:
            raise SettingsError("SCHEDULER_WEBHOOK_SECRET", "must be set for SCHEDULER_DISPATCH=webhook:URL")
        return Receiver(ReceiverKind(kind), target)

    def rpc_receiver_url(self) -> str:
        """Return what the `rpc` receiver calls."""
        host = self.service_host(self.scheduler_rpc_service)
        port = self.scheduler_rpc_port or self.execution_manager_port
        return f"http://{_in_url(host)}:{port}/{self.scheduler_rpc_method}"

    def rest_receiver_url(self) -> str:
        """Return where the `rest` receiver finds the platform's REST API."""
        return f"http://{_in_url(self.service_host('AgentServer'))}:{self.agent_api_port}"

    def service_host(self, service: str) -> str:
        """Return the host of a neighbour, named by its class (`DatabaseManager`).

        `{SERVICE}_HOST` in upper case exactly, else PYRO_HOST; and PYRO_HOST where the neighbour's equals this
        service's own, as the original does (compat/notes.md, "Host / port"). Raises SettingsError.
        """
        hosts = {**dotenv_values(".env"), **os.environ}
        host = hosts.get(f"{service.upper()}_HOST") or self.pyro_host
        own = hosts.get(f"{_SERVICE}_HOST") or self.pyro_host
        host = self.pyro_host if host == own else host
        if not _HOST.fullmatch(host):
            raise SettingsError(
                f"{service.upper()}_HOST",
                f"is {host[:100]!r}: expected a host's name or address, nothing around it",
            )
        return host

    @classmethod
    def load(cls) -> Self:
        """Read the settings. Raises SettingsError for the first that is wrong."""
        try:
            return cls()
        except ValidationError as error:
            raise _explained(error) from None
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(".env", f"can't be read: {error}") from None


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _explained(error: ValidationError) -> SettingsError:
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0])
    secret = "secret" in name or "token" in name or "url" in name
    problem = first["msg"].removeprefix("Value error, ")
    shown = "" if secret else f"is {str(first['input'])[:100]!r}: "
    return SettingsError(name.upper(), f"{shown}{problem[:1].lower()}{problem[1:]}")


def _importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
