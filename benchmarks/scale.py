"""Many schedules: what lists, writes, a start and a claim cost when there are up to a million of them."""

import asyncio
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psutil
import psycopg2
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore

from adapters.memory.clock import SystemClock
from adapters.postgres.database import Database
from adapters.postgres.index_keeper import IndexKeeper
from adapters.postgres.jobs import PostgresJobStore
from adapters.postgres.leases import PostgresLeases
from adapters.postgres.maintenance import migrate
from benchmarks import callers, rows
from benchmarks.bench import Bench, Section
from benchmarks.callers import Called
from benchmarks.contenders import OURS, RunningReplicas
from domain.firing.plan import firing_plan
from domain.firing.settings import FiringSettings
from ports.jobs import StoreName
from tests.running import RunningService

_FAR = timedelta(days=200)
_SOMEONE = "someone"
_OWN = 10
_CALLS = 200
_CLIENTS = 32
_MIB = 2**20


def lists(bench: Bench) -> list[Section]:
    """List one user's ten schedules among few and among many, and all of them, beside stock's scan."""
    sizes = (100, 50_000) if bench.quick else (100, 50_000, 100_000, 1_000_000)
    one, everything = [], []
    first = 0.0
    for size in sizes:
        with bench.step(f"lists among {size:,}"), _filled(bench, size) as url:
            mine = asyncio.run(_median_list(url))
            first = first or mine
            with _service(url) as running:
                http = _http_list(running.services[0])
                scan = _stock_scan(url) if size <= 100_000 else None
                beside = ["", ""] if scan is None else [f"{1000 * scan:,.0f}", f"{scan / mine:,.0f}"]
                one.append(
                    [f"{size:,}", f"{1000 * mine:.2f}", f"{mine / first:.2f}", f"{1000 * http:.2f}", *beside]
                )
                if scan is not None and size > 100:
                    took, grown = _list_everything(running)
                    everything.append(
                        [f"{size:,}", f"{took:.2f}", f"{scan:.2f}", f"{took / scan:.2f}", f"{grown:.0f}"]
                    )
    return [
        Section(
            f"List one user's {_OWN} schedules (medians of {_CALLS})",
            ("among", "ms", "times the first", "over HTTP, ms", "stock: scan and filter, ms", "stock / ours"),
            one,
        ),
        Section(
            "List all over HTTP, beside stock's get_all_jobs in process",
            ("schedules", "s", "stock, s", "ours / stock", "the service's memory grew by, MiB"),
            everything,
        ),
    ]


def writes(bench: Bench) -> list[Section]:
    """Add and delete over HTTP at 32 and 256 clients, beside commits of single rows and stock's job store."""
    count = 2000 if bench.quick else 6000
    calls: dict[str, list[tuple[Called, float]]] = defaultdict(list)
    commits = []
    with bench.step("writes"), _filled(bench, 10_000) as url, _service(url) as running:
        base = running.services[0].url
        for _ in range(bench.runs):
            for clients in (_CLIENTS, 256):
                commits.append(_commits(url))  # each time anew, since the machine is not as fast all the time
                for kind, result in callers.add_and_delete(base, clients=clients, count=count).items():
                    calls[f"{kind}, {clients} clients"].append((result, result.per_second / commits[-1]))
        added, removed = _stock_writes(url, 1000)
    found = [
        [
            name,
            f"{statistics.median(result.per_second for result, _ in results):,.0f}",
            f"{statistics.median(share for _, share in results):.2f}",
            f"{1000 * statistics.median(result.p50 for result, _ in results):.1f}",
            f"{1000 * statistics.median(result.p99 for result, _ in results):.1f}",
            f"{sum(result.refused for result, _ in results)}",
        ]
        for name, results in calls.items()
    ]
    found += [
        [f"stock {name}, in process", f"{rate:,.0f}", f"{rate / commits[-1]:.2f}", "", "", ""]
        for name, rate in (("add_job", added), ("remove_job", removed))
    ]
    columns = ("what", "a second", "of single-row commits", "p50 ms", "p99 ms", "refused with 503")
    note = (
        f"One connection commits {statistics.median(commits):,.0f} single-row UPDATEs a second on this server: the"
        " median of what was measured just before each."
    )
    return [Section("Add and delete over HTTP", columns, found, note)]


def million(bench: Bench) -> list[Section]:
    """Start on many rows of the original's, for the first time and again; claim what is due among them."""
    size = 100_000 if bench.quick else 1_000_000
    with bench.step(f"a start on {size:,} rows"), bench.server.database() as url:
        rows.create_tables(url)
        rows.fill_many(url, size, datetime.now(UTC) + _FAR)
        began = time.monotonic()
        with _service(url, indexed=False) as running:
            ready = time.monotonic() - began
            _await_backfill(running.services[0])
            backfill = time.monotonic() - began - ready
        began = time.monotonic()
        with _service(url, indexed=False) as running:
            again = time.monotonic() - began
            time.sleep(3)
            resident = sum(psutil.Process(pid).memory_info().rss for pid in running.pids) / _MIB
        claims = asyncio.run(_claims(url))
    found = [
        ["ready, first start, s", f"{ready:.1f}"],
        ["backfill, rows a second", f"{size / backfill:,.0f}"],
        ["ready, later starts, s", f"{again:.1f}"],
        ["resident memory, MiB", f"{resident:.0f}"],
        *([f"claim of {count} due, ms (median)", f"{1000 * secs:.1f}"] for count, secs in claims.items()),
    ]
    return [Section(f"{size:,} schedules", ("figure", "measured"), found)]


@contextmanager
def _filled(bench: Bench, size: int) -> Iterator[str]:
    """Yield a database with `size` schedules of the original's, indexed, ten of them somebody's own."""
    with bench.server.database() as url:
        rows.create_tables(url)
        due = datetime.now(UTC) + _FAR
        rows.fill_many(url, size - _OWN, due)
        rows.copy(url, rows.schedules_of(_SOMEONE, _OWN, due))
        migrate(rows.sqlalchemy_url(url), schema="public")
        asyncio.run(_index(url))
        yield url


@contextmanager
def _service(url: str, *, indexed: bool = True) -> Iterator[RunningReplicas]:
    with tempfile.TemporaryDirectory(prefix="agpt-scale-") as name:
        settings = {"DIRECT_URL": url, "SCHEDULER_DISPATCH": "record"}
        running = RunningReplicas([RunningService(Path(name), settings, *OURS.options).wait_until_ready()])
        try:
            if indexed:
                _await_backfill(running.services[0])
            yield running
        finally:
            running.stop()


def _await_backfill(service: RunningService) -> None:
    while service.client.get("/ready").json()["backfill"] != "complete":
        time.sleep(0.05)


@asynccontextmanager
async def _adapters(url: str) -> AsyncIterator[Database]:
    database = Database(rows.sqlalchemy_url(url), schema="public")
    try:
        yield database
    finally:
        await database.aclose()


async def _index(url: str) -> None:
    async with _adapters(url) as database:
        await IndexKeeper(database).backfill_all()


def _store(database: Database) -> PostgresJobStore:
    return PostgresJobStore(StoreName.EXECUTION, database=database, clock=SystemClock())


async def _median_list(url: str) -> float:
    async with _adapters(url) as database:
        jobs = _store(database)

        async def once() -> None:
            found = [job async for job in jobs.list(user_id=_SOMEONE)]
            assert len(found) == _OWN

        return statistics.median([await _timed(once) for _ in range(_CALLS)])


async def _timed(call: Callable[[], Awaitable[None]]) -> float:
    began = time.perf_counter()
    await call()
    return time.perf_counter() - began


def _http_list(service: RunningService) -> float:
    took = []
    for _ in range(_CALLS):
        began = time.perf_counter()
        assert len(service.schedules(user_id=_SOMEONE)) == _OWN
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def _stock_scan(url: str) -> float:
    """Time what the original does to list one user's schedules: read and unpickle all, then filter."""
    with _stock_store(url) as store:
        began = time.perf_counter()
        found = [job for job in store.get_all_jobs() if job.kwargs["user_id"] == _SOMEONE]
        took = time.perf_counter() - began
    assert len(found) == _OWN
    return took


def _list_everything(running: RunningReplicas) -> tuple[float, float]:
    """Return how long it takes, and by how many MiB the service grew at the most while it did."""
    process = psutil.Process(running.pids[0])
    before = peak = process.memory_info().rss
    began = time.perf_counter()
    with httpx.stream(
        "POST", f"{running.services[0].url}/get_graph_execution_schedules", json={}, timeout=300
    ) as answer:
        for _ in answer.iter_raw():
            peak = max(peak, process.memory_info().rss)
    return time.perf_counter() - began, (peak - before) / _MIB


def _commits(url: str, seconds: float = 3.0) -> float:
    """Return how many single-row UPDATEs one connection commits a second."""
    connection = psycopg2.connect(url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS single; CREATE TABLE single (id int PRIMARY KEY, n int)")
        cursor.execute("INSERT INTO single VALUES (1, 0)")
        count, end = 0, time.perf_counter() + seconds
        while time.perf_counter() < end:
            cursor.execute("UPDATE single SET n = n + 1 WHERE id = 1")
            count += 1
    connection.close()
    return count / seconds


@contextmanager
def _stock_store(url: str) -> Iterator[SQLAlchemyJobStore]:
    scheduler = rows.original_scheduler()
    store = SQLAlchemyJobStore(url=rows.sqlalchemy_url(url))
    store.start(scheduler, "execution")
    try:
        yield store
    finally:
        store.shutdown()


def _stock_writes(url: str, count: int) -> tuple[float, float]:
    jobs = rows.stock_jobs(count, datetime.now(UTC) + _FAR)
    with _stock_store(url) as store:
        began = time.perf_counter()
        for job in jobs:
            store.add_job(job)
        added = time.perf_counter() - began
        began = time.perf_counter()
        for job in jobs:
            store.remove_job(job.id)
        removed = time.perf_counter() - began
    return count / added, count / removed


async def _claims(url: str) -> dict[int, float]:
    """Return the median seconds that the first claim and a full one take, each of rows that are due now."""
    plan, settings = firing_plan(None), FiringSettings()
    took: dict[int, float] = {}
    async with _adapters(url) as database:
        await PostgresLeases(database, clock=SystemClock()).register("bench")
        jobs = _store(database)
        for size in (settings.first_batch, settings.full_batch):
            found = []
            for _ in range(7):
                rows.make_due(url, size)
                began = time.perf_counter()
                claim = await jobs.claim_due(now=datetime.now(UTC), limit=size, owner="bench", plan=plan)
                found.append(time.perf_counter() - began)
                assert len(claim.firings) == size
            took[size] = statistics.median(found)
    return took
