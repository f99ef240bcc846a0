"""The composition root: the one place that names concrete adapters."""

import json
import os
import random
import secrets
import socket
import uuid
from collections.abc import Mapping
from datetime import timedelta

from dependency_injector import containers, providers

from adapters.callable_dispatch import CallableExecutionDispatch, load_callable
from adapters.http.executions import HttpExecutions
from adapters.http.neighbour import Neighbour
from adapters.http.notifications import HttpNotifications
from adapters.http.rest_dispatch import RestExecutionDispatch
from adapters.http.rpc_dispatch import RpcExecutionDispatch
from adapters.http.webhook_dispatch import WebhookExecutionDispatch
from adapters.memory.clock import SystemClock
from adapters.memory.jobs import MemoryJobStore
from adapters.postgres.database import Database
from adapters.postgres.firings import PostgresFiringLedger
from adapters.postgres.index_keeper import IndexKeeper
from adapters.postgres.jobs import PostgresJobStore
from adapters.postgres.leases import PostgresLeases
from adapters.postgres.overview import PostgresOverview
from adapters.postgres.tables import PostgresTables
from adapters.postgres.wakeups import PostgresWakeUps
from adapters.record_dispatch import RecordingExecutionDispatch
from adapters.storage.gcs import GcsExpiringFiles
from adapters.storage.local import LocalExpiringFiles
from domain.firing.engine import FiringEngine
from domain.firing.handlers import graph_handler, task_handler
from domain.firing.settings import FiringSettings
from domain.lookout.lookout import Lookout
from domain.quotas import Quotas
from domain.runs import ScheduleRuns
from domain.schedules import Schedules
from domain.system_tasks import MonitoringSettings, SystemTasks
from entrypoints.database_url import DatabaseUrl
from entrypoints.errors import SettingsError
from entrypoints.firing_log import FiringLog
from entrypoints.metrics import Metrics
from entrypoints.settings import Receiver, ReceiverKind, Settings
from ports.clock import Clock
from ports.dispatch import ExecutionDispatch
from ports.executions import Executions
from ports.files import ExpiringFiles
from ports.firings import Firing, FiringLedger, Outcome, Retention
from ports.jobs import JobKind, JobStore, StoreName
from ports.leases import Leases
from ports.notifications import Notifications
from ports.overview import Overview
from ports.tables import Tables
from ports.wakeups import WakeUps


def _new_id() -> str:
    return uuid.uuid4().hex


def _new_replica_id() -> str:
    return f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"


def _neighbour(settings: Settings, service: str, port: int) -> Neighbour:
    return Neighbour(host=settings.service_host(service), port=port, timeout_secs=settings.rpc_client_call_timeout)


def _dispatch(settings: Settings, receiver: Receiver, clock: Clock) -> ExecutionDispatch:
    timeout, calls = settings.scheduler_dispatch_timeout_secs, settings.scheduler_max_in_flight
    try:
        match receiver.kind:
            case ReceiverKind.RPC:
                url = settings.rpc_receiver_url()
                return RpcExecutionDispatch(url=url, timeout_secs=timeout, connections=calls, clock=clock)
            case ReceiverKind.REST:
                assert settings.supabase_jwt_secret is not None
                url = settings.rest_receiver_url()
                secret = settings.supabase_jwt_secret.get_secret_value()
                return RestExecutionDispatch(
                    base_url=url, secret=secret, timeout_secs=timeout, connections=calls, clock=clock
                )
            case ReceiverKind.WEBHOOK:
                assert settings.scheduler_webhook_secret is not None
                secret = settings.scheduler_webhook_secret.get_secret_value()
                return WebhookExecutionDispatch(
                    url=receiver.target, secret=secret, timeout_secs=timeout, connections=calls, clock=clock
                )
            case ReceiverKind.PYTHON:
                return CallableExecutionDispatch(
                    function=load_callable(receiver.target), timeout_secs=timeout, threads=calls
                )
            case ReceiverKind.RECORD:
                return RecordingExecutionDispatch()
    except ValueError as error:
        raise SettingsError("SCHEDULER_DISPATCH", f"can't be used: {error}") from None


def _files(settings: Settings) -> ExpiringFiles:
    if settings.scheduler_files_dir is not None:
        return LocalExpiringFiles(settings.scheduler_files_dir)
    return GcsExpiringFiles(settings.media_gcs_bucket_name)


def _block_names(settings: Settings) -> Mapping[str, str]:
    path = settings.scheduler_block_names
    if path is None:
        return {}
    try:
        names = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise SettingsError("SCHEDULER_BLOCK_NAMES", f"can't be read: {error}") from None
    if not isinstance(names, dict):
        raise SettingsError("SCHEDULER_BLOCK_NAMES", "must hold a JSON object of block id to name")
    return {str(key): str(value) for key, value in names.items()}


def monitoring_settings(settings: Settings) -> MonitoringSettings:
    """Return the settings of the system tasks."""
    return MonitoringSettings(
        late_threshold_secs=settings.execution_late_notification_threshold_secs,
        late_checkrange_secs=settings.execution_late_notification_checkrange_secs,
        block_error_threshold=settings.block_error_rate_threshold,
        block_error_interval_secs=settings.block_error_rate_check_interval_secs,
        include_top_blocks=settings.block_error_include_top_blocks,
        cleanup_interval_hours=settings.cloud_storage_cleanup_interval_hours,
        weekly_cron=settings.scheduler_weekly_summary_cron,
        repeat_late_alerts=settings.scheduler_repeat_late_alerts,
    )


def _firing_settings(settings: Settings) -> FiringSettings:
    grace = settings.scheduler_misfire_grace_secs
    return FiringSettings(
        max_in_flight=settings.scheduler_max_in_flight,
        user_share=settings.scheduler_user_share,
        system_slots=settings.scheduler_system_slots,
        lease_secs=settings.scheduler_lease_secs,
        dispatch_deadline=timedelta(seconds=settings.scheduler_dispatch_deadline_secs),
        misfire_grace=None if grace is None else timedelta(seconds=grace),
        shutdown_grace_secs=settings.scheduler_shutdown_grace_secs,
        pause_after_gone=settings.scheduler_pause_after_gone,
        retention=Retention(
            successes=timedelta(days=settings.scheduler_history_success_days),
            failures=timedelta(days=settings.scheduler_history_failure_days),
        ),
    )


def _engine(
    *,
    stores: list[JobStore],
    ledger: FiringLedger,
    leases: Leases,
    wakeups: WakeUps,
    dispatch: ExecutionDispatch,
    tasks: SystemTasks,
    notifications: Notifications,
    clock: Clock,
    settings: FiringSettings,
    metrics: Metrics,
    receiver: Receiver,
) -> FiringEngine:
    observers = [metrics.observe]
    if receiver.kind is not ReceiverKind.RECORD:  # which logs what it records
        observers.append(FiringLog().observe)

    def observe(firing: Firing, outcome: Outcome) -> None:
        for observer in observers:
            observer(firing, outcome)

    engine = FiringEngine(
        stores=stores,
        ledger=ledger,
        leases=leases,
        wakeups=wakeups,
        handlers={
            JobKind.EXECUTE_GRAPH: graph_handler(dispatch),
            **{kind: task_handler(task) for kind, task in tasks.handlers().items()},
        },
        clock=clock,
        settings=settings,
        new_replica_id=_new_replica_id,
        jitter=random.Random(),  # noqa: S311  spreads retries, keeps no secret
        alert=notifications.discord_system_alert,
        observe=observe,
    )
    metrics.watch_engine(engine)
    return engine


class Container(containers.DeclarativeContainer):
    """Every part of a running service. Tests override providers."""

    settings = providers.Dependency(instance_of=Settings)
    database_url = providers.Dependency(instance_of=DatabaseUrl)

    clock: providers.Provider[Clock] = providers.Singleton(SystemClock)
    metrics = providers.Singleton(Metrics)
    receiver = providers.Callable(lambda settings: settings.receiver(), settings)

    database = providers.Singleton(
        Database,
        database_url.provided.url,
        schema=database_url.provided.schema,
        pool_size=settings.provided.scheduler_db_pool_size,
        idle_secs=settings.provided.scheduler_lease_secs,
    )
    ledger: providers.Provider[FiringLedger] = providers.Singleton(PostgresFiringLedger, database, clock=clock)
    leases: providers.Provider[PostgresLeases] = providers.Singleton(PostgresLeases, database, clock=clock)
    index_keeper = providers.Singleton(IndexKeeper, database)
    tables: providers.Provider[Tables] = providers.Singleton(PostgresTables, database, clock=clock)
    wakeups: providers.Provider[PostgresWakeUps] = providers.Singleton(
        PostgresWakeUps, database_url.provided.url, schema=database_url.provided.schema
    )
    executions_store: providers.Provider[JobStore] = providers.Singleton(
        PostgresJobStore, StoreName.EXECUTION, database=database, clock=clock
    )
    batches_store: providers.Provider[JobStore] = providers.Singleton(
        PostgresJobStore, StoreName.BATCHED_NOTIFICATIONS, database=database, clock=clock
    )
    weekly_store: providers.Provider[JobStore] = providers.Singleton(
        MemoryJobStore, StoreName.WEEKLY_NOTIFICATIONS, ledger=ledger
    )

    dispatch: providers.Provider[ExecutionDispatch] = providers.Singleton(_dispatch, settings, receiver, clock)
    database_manager = providers.Singleton(
        _neighbour, settings, "DatabaseManager", settings.provided.database_api_port
    )
    notification_manager = providers.Singleton(
        _neighbour, settings, "NotificationManager", settings.provided.notification_service_port
    )
    notifications: providers.Provider[Notifications] = providers.Singleton(HttpNotifications, notification_manager)
    executions: providers.Provider[Executions] = providers.Singleton(HttpExecutions, database_manager)
    files: providers.Provider[ExpiringFiles] = providers.Singleton(_files, settings)

    schedules = providers.Singleton(
        Schedules,
        jobs=executions_store,
        clock=clock,
        default_timezone=providers.Callable(lambda settings: settings.default_timezone(), settings),
        dialect=settings.provided.scheduler_cron_dialect,
        new_id=providers.Object(_new_id),
        quotas=providers.Singleton(
            Quotas,
            max_schedules_per_user=settings.provided.scheduler_max_schedules_per_user,
            min_interval_secs=settings.provided.scheduler_min_interval_secs,
        ),
    )
    runs = providers.Singleton(
        ScheduleRuns,
        jobs=executions_store,
        ledger=ledger,
        clock=clock,
        default_timezone=providers.Callable(lambda settings: settings.default_timezone(), settings),
        dialect=settings.provided.scheduler_cron_dialect,
    )
    overview: providers.Provider[Overview] = providers.Singleton(PostgresOverview, database)
    lookout = providers.Singleton(Lookout, jobs=executions_store, ledger=ledger, overview=overview, clock=clock)
    page_key = providers.Singleton(secrets.token_bytes, 32)
    system_tasks = providers.Singleton(
        SystemTasks,
        notifications=notifications,
        executions=executions,
        files=files,
        clock=clock,
        settings=providers.Singleton(monitoring_settings, settings),
        block_names=providers.Callable(_block_names, settings),
    )
    engine = providers.Singleton(
        _engine,
        stores=providers.List(executions_store, batches_store, weekly_store),
        ledger=ledger,
        leases=leases,
        wakeups=wakeups,
        dispatch=dispatch,
        tasks=system_tasks,
        notifications=notifications,
        clock=clock,
        settings=providers.Singleton(_firing_settings, settings),
        metrics=metrics,
        receiver=receiver,
    )
