"""The running service: one process that answers RPC and fires."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import uvicorn
import uvloop
from dependency_injector import providers
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from adapters.postgres import maintenance
from adapters.postgres.index_keeper import Backfill
from domain.lookout.lookout import Lookout
from domain.runs import ScheduleRuns
from domain.schedules import Schedules
from domain.system_tasks import SystemTasks, reconcile, system_jobs
from entrypoints import logs
from entrypoints.container import Container, monitoring_settings
from entrypoints.database_url import DatabaseUrl
from entrypoints.databases import opened
from entrypoints.greeting import say_where
from entrypoints.listening import bind
from entrypoints.page.access import Access
from entrypoints.page.app import create_page
from entrypoints.page.here import Here
from entrypoints.page.state import Wellness
from entrypoints.rpc.app import Page, create_app
from entrypoints.settings import Settings
from entrypoints.worker_metrics import WorkerMetrics
from entrypoints.workers import Supervisor
from ports.errors import PortError
from ports.jobs import JobStore

logger = logging.getLogger(__name__)

_STUCK_SECS = 90.0
_FIRST_BACKOFF_SECS = 0.5
_LONGEST_BACKOFF_SECS = 10.0
_SWITCH_SECS = 0.0001
_COLLECT_AFTER = (20_000, 50, 100)
_ORPHANS_EVERY_SECS = 3600.0
_COUNT_EVERY_SECS = 15.0
_CLOSING_SECS = 10.0  # what a worker may take beyond the grace, to give its lease back and close


def serve(settings: Settings, *, system_tasks: bool = True, workers: int = 1) -> int:
    """Serve until SIGTERM or SIGINT; return the exit status. Raises StartError for what keeps it from starting.

    More than one of `workers` are processes under this one, each a replica, that share its port.
    """
    logs.configure(settings.log_level)
    # So long a database thread waits for its turn after each answer, while the event loop is busy.
    sys.setswitchinterval(_SWITCH_SECS)
    container = _checked_container(settings)
    sockets = bind(settings.pyro_host, settings.execution_scheduler_port)
    with opened(settings) as database_url:
        say_where(settings, sockets[0].getsockname()[1], database_url)

        if workers == 1:
            return uvloop.run(Service(container, database_url, system_tasks=system_tasks).run(sockets))
        with tempfile.TemporaryDirectory(prefix="agpt-scheduler-") as folder:

            def work(number: int, lifeline: int) -> int:
                shared = WorkerMetrics(Path(folder), number=number, count=workers)
                service = Service(container, database_url, system_tasks=system_tasks, worker_metrics=shared)
                return uvloop.run(service.run(sockets, lifeline=lifeline))

            grace = settings.scheduler_shutdown_grace_secs + _CLOSING_SECS
            return Supervisor(workers, work, grace_secs=grace).run()


def _spare_the_collector() -> None:
    """Keep the garbage collector from what lives as long as the process, and from looking after every few firings.

    Left as it comes, it takes a third of the time of a rush: each claim makes thousands of objects that live for a
    moment, which has it go through all modules' again and again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)


def _checked_container(settings: Settings) -> Container:
    """Return the parts, after making those that a wrong setting would break: before anything is started or said."""
    if not settings.embedded:
        settings.database_url()
    settings.receiver()
    settings.default_timezone()
    container = Container(settings=providers.Object(settings))
    container.dispatch()
    container.system_tasks()
    container.page_key()  # before workers are forked, so that they take each other's forms
    return container


class Service:
    """One replica: the engine and the RPC over one container, from start to stop."""

    def __init__(
        self,
        container: Container,
        database_url: DatabaseUrl,
        *,
        system_tasks: bool,
        worker_metrics: WorkerMetrics | None = None,
    ) -> None:
        self.container = container
        self.container.database_url.override(providers.Object(database_url))
        self.settings: Settings = container.settings()
        self._database_url = database_url
        self._with_system_tasks = system_tasks
        self._worker_metrics = worker_metrics
        self._stopping = asyncio.Event()
        self._prepared = False
        self._trouble: str | None = None

    async def run(self, sockets: list[socket.socket], *, lifeline: int | None = None) -> int:
        """Serve until a signal comes. The RPC answers at once; firing begins when the database is there.

        With a `lifeline`, a descriptor, the end of what can be read from it ends the service too.
        """
        container = self.container
        container.metrics().watch_pool(lambda: container.database().in_use, self.settings.scheduler_db_pool_size)
        shared = self._worker_metrics
        async with contextlib.nullcontext() if shared is None else shared.shared(container.metrics()):
            with _signals(self.stop, lifeline):
                server = _Server(self._uvicorn_config())
                answering = asyncio.create_task(server.serve(sockets=sockets))
                firing = asyncio.create_task(self._fire())
                counting = asyncio.create_task(self._count())
                stopping = asyncio.create_task(self._stopping.wait())
                await asyncio.wait({answering, firing, stopping}, return_when=asyncio.FIRST_COMPLETED)
                self.stop()
                server.should_exit = True
                counting.cancel()
                results = await asyncio.gather(answering, firing, return_exceptions=True)
                stopping.cancel()
        await self._close()
        broken = [result for result in results if isinstance(result, BaseException)]
        for error in broken:
            logger.critical("the service broke down", exc_info=error)
        return 1 if broken else 0

    def stop(self) -> None:
        """Begin a graceful stop."""
        if not self._stopping.is_set():
            logger.info("stopping")
            self._stopping.set()
            self.container.engine().stop()

    def _uvicorn_config(self) -> uvicorn.Config:
        container, settings = self.container, self.settings
        token = settings.scheduler_rpc_token

        # Litestar reads signatures, and a provider of dependency-injector has none.
        def schedules() -> Schedules:
            return container.schedules()

        def runs() -> ScheduleRuns:
            return container.runs()

        def system_tasks() -> SystemTasks:
            return container.system_tasks()

        app = create_app(
            schedules=schedules,
            runs=runs,
            system_tasks=system_tasks,
            health=self.health,
            ready=self.ready,
            metrics=self.metrics,
            rpc_token=None if token is None else token.get_secret_value(),
            max_body_bytes=settings.scheduler_max_body_bytes,
            page=self._page() if settings.shows_page else None,
        )
        return uvicorn.Config(
            app,
            access_log=False,
            log_config=None,
            timeout_graceful_shutdown=max(1, round(settings.scheduler_shutdown_grace_secs)),
            http="httptools",
            ws="none",
        )

    def _page(self) -> Page:
        container, settings = self.container, self.settings
        token = settings.scheduler_rpc_token

        def lookout() -> Lookout:
            return container.lookout()

        return create_page(
            lookout=lookout,
            access=Access(
                token=None if token is None else token.get_secret_value(),
                open_without_token=settings.embedded,
                key=container.page_key(),
            ),
            wellness=Wellness(health=self.health, ready=self.ready),
            here=Here(settings.default_timezone(), settings.scheduler_cron_dialect, container.clock().now),
            stopping=self._stopping.is_set,
        )

    async def _fire(self) -> None:
        if await self._prepare():
            container = self.container
            wakeups = container.wakeups()
            await wakeups.open()
            _spare_the_collector()
            keeping = [
                asyncio.create_task(container.index_keeper().run()),
                asyncio.create_task(self._free_orphans()),
            ]
            try:
                await container.engine().run()
            finally:
                for task in keeping:
                    task.cancel()
                await asyncio.gather(*keeping, return_exceptions=True)
                await wakeups.aclose()

    async def _free_orphans(self) -> None:
        """Free what nobody who is known holds, now and every hour; it takes a hand in our tables to make such."""
        while True:
            with contextlib.suppress(PortError):
                if freed := await self.container.leases().free_orphans():
                    logger.warning("%d firings belonged to no known replica and wait for dispatch again", freed)
            await asyncio.sleep(_ORPHANS_EVERY_SECS)

    async def _prepare(self) -> bool:
        """Migrate and register the system tasks, for as long as it takes; say whether that came about."""
        backoff = _FIRST_BACKOFF_SECS
        while not self._stopping.is_set():
            try:
                url, schema = self._database_url.url, self._database_url.schema
                await asyncio.to_thread(maintenance.migrate, url, schema=schema)
                if self._with_system_tasks:
                    await self._register_system_tasks()
            except PortError as error:
                if self._trouble != str(error):
                    logger.error("the database is not ready, trying again: %s", error)  # noqa: TRY400  one line
                self._trouble = str(error)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), backoff)
                backoff = min(2 * backoff, _LONGEST_BACKOFF_SECS)
            else:
                self._trouble, self._prepared = None, True
                logger.info("ready; firing")
                return True
        return False

    async def _register_system_tasks(self) -> None:
        container = self.container
        now = container.clock().now()
        wanted = system_jobs(monitoring_settings(self.settings), now=now, timezone=self.settings.default_timezone())
        stores: list[JobStore] = [container.executions_store(), container.batches_store(), container.weekly_store()]
        for store in stores:
            for job in wanted.get(store.name, ()):
                change = reconcile(await store.get(job.id), job, now=now)
                if change is not None and not await store.put(change):
                    logger.error("a row that can't be read has the id of a system task", extra={"job_id": job.id})

    async def _count(self) -> None:
        while True:
            if self._prepared:
                with contextlib.suppress(PortError):
                    census = await self.container.tables().census()
                    self.container.metrics().show_tables(census, await self.container.ledger().counts())
            await asyncio.sleep(_COUNT_EVERY_SECS if self._prepared else 1)

    async def metrics(self) -> tuple[bytes, str]:
        """Return the exposition text of this process, or of all its fellow workers, and its content type."""
        own = self.container.metrics()
        if self._worker_metrics is None:
            return own.render(), CONTENT_TYPE_LATEST
        return await self._worker_metrics.render(own), CONTENT_TYPE_LATEST

    def health(self) -> str | None:
        """Return None while the claim loop goes round; a database that is away does not stop it."""
        if self._prepared and not self._stopping.is_set():
            silent = self.container.engine().seconds_since_tick()
            if silent > _STUCK_SECS and self.container.engine().state.ticks:
                return f"the claim loop has been stuck for {silent:.0f} seconds"
        return None

    async def ready(self) -> Mapping[str, Any]:
        """Return what is there and what is not."""
        status = await maintenance.status(self.container.database())
        misdirected = self.container.engine().dispatching.state.misdirected
        return {
            "ready": status.migrated and self._prepared,
            "database": "ok" if status.reachable else "unavailable",
            "migrations": "current" if status.migrated else "unknown" if not status.reachable else "pending",
            "backfill": "complete" if self.container.index_keeper().backfill is Backfill.COMPLETE else "running",
            "dispatch": str(self.settings.receiver().kind),
            "receiver": misdirected or "ok",
        }

    async def _close(self) -> None:
        container = self.container
        await container.lookout().aclose()
        for part in (container.dispatch(), container.database_manager(), container.notification_manager()):
            close = getattr(part, "aclose", None)  # no port asks for it: not every adapter holds something open
            if close is not None:
                with contextlib.suppress(Exception):
                    await close()
        await container.database().aclose()


class _Server(uvicorn.Server):
    """uvicorn, without its own signal handling: the service stops both halves together."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.contextmanager
def _signals(stop: Callable[[], None], lifeline: int | None) -> Iterator[None]:
    """Stop gracefully at the first SIGTERM or SIGINT, at once at the second.

    At once but under a supervisor: it knows of a second one, and what comes here may be the same one twice.
    """
    loop = asyncio.get_running_loop()
    seen = 0

    def handle(number: int) -> None:
        nonlocal seen
        seen += 1
        if seen > 1 and lifeline is None:
            os._exit(128 + number)
        stop()

    def cut() -> None:
        assert lifeline is not None
        loop.remove_reader(lifeline)
        stop()

    if lifeline is not None:
        loop.add_reader(lifeline, cut)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, handle, number)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        if lifeline is not None:
            loop.remove_reader(lifeline)
