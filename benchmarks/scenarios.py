"""The scenarios by name: each runs what it measures and returns its tables."""

import os
import signal
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks import arrivals, clients, rows, scale
from benchmarks.bench import Bench, Section, compared
from benchmarks.contenders import LENIENT, OURS, Contender, Ours
from benchmarks.measured import Measured, measure, median
from benchmarks.rush import await_end, prepare, receiver, rush, wait_until
from benchmarks.server import Server
from benchmarks.usage import Meter

_STOCK_NOTE = (
    "Stock is APScheduler 3.11 with SQLAlchemyJobStore and ten threads, once as it comes and once with"
    " misfire_grace_time=None. Lag is from the due time to the call of the receiver."
)
TWO_WORKERS = Ours(name="one service with --workers 2", options=("--no-system-tasks", "--workers", "2"))
_IDLE_SCHEDULES = 100_000
_ONCE_FROM = 100_000


def rushes(bench: Bench) -> list[Section]:
    """Many schedules due at one moment; the receiver does nothing, in the process."""
    sections = []
    for size in bench.sizes:
        runs = 1 if size >= _ONCE_FROM else None  # stock takes minutes
        groups = [
            bench.repeat(
                f"rush of {size:,}: {who.name}",
                lambda who=who, size=size: rush(bench.server, who, size),  # type: ignore[misc]
                runs=runs,
            )
            for who in bench.contenders
        ]
        for group in groups:
            bench.keep(f"Rush of {size:,}", group)
        sections.append(compared(f"Rush: {size:,} schedules due at once", groups, note=_STOCK_NOTE))
    return sections


def http(bench: Bench) -> list[Section]:
    """A rush into an HTTP receiver in another process, beside what bare clients reach against it."""
    size = min(10_000, max(bench.sizes))
    everybody: Sequence[Contender] = (OURS, TWO_WORKERS) if bench.ours_only else (OURS, TWO_WORKERS, LENIENT)
    groups: list[list[Measured]] = [[] for _ in everybody]
    reached: list[list[float]] = [[] for _ in clients.CLIENTS]
    for number in range(1, bench.runs + 1):  # side by side, since the machine is not as fast all the time
        for who, group in zip(everybody, groups, strict=True):
            with bench.step(f"rush of {size:,} into HTTP: {who.name} ({number} of {bench.runs})"):
                group.append(rush(bench.server, who, size, http=True))
        for (client, connections), rates in zip(clients.CLIENTS, reached, strict=True):
            with bench.step(f"bare {client}, {connections} connections ({number} of {bench.runs})"):
                rates.append(_bare(client, connections))
    beside = []
    for (client, connections), rates in zip(clients.CLIENTS, reached, strict=True):
        shares = (
            statistics.median(run.per_second / rate for run, rate in zip(group, rates, strict=True))
            for group in groups[:2]
        )
        row = (client, f"{connections}", f"{statistics.median(rates):,.0f}", *(f"{share:.2f}" for share in shares))
        beside.append(row)
    return [
        compared(f"Rush into HTTP: {size:,} schedules due at once, SCHEDULER_DISPATCH=rpc", groups),
        Section(
            "The same receiver, bare clients",
            ("client", "connections", "requests/s", "ours / it", "ours with --workers 2 / it"),
            beside,
            f"Ours has up to {clients.AS_MANY_AS_OURS} connections. Medians of runs side by side.",
        ),
    ]


def _bare(client: str, connections: int) -> float:
    with tempfile.TemporaryDirectory() as folder, receiver(Path(folder)) as port:
        assert port is not None
        return clients.measured_apart(client, port, connections=connections)


def sparse(bench: Bench) -> list[Section]:
    """One firing a second: what is between the due time and the call."""
    seconds = 15 if bench.quick else 60
    two = Ours(name="agpt-scheduler, two replicas", replicas=2)
    groups = [
        bench.repeat(f"one a second: {who.name}", lambda who=who: _sparse(bench.server, who, seconds), runs=1)  # type: ignore[misc]
        for who in (*bench.contenders, two)
    ]
    for group in groups:
        bench.keep("One a second", group)
    return [compared(f"Sparse: one firing a second for {seconds} s", groups)]


def _sparse(server: Server, who: Contender, seconds: int) -> Measured:
    with tempfile.TemporaryDirectory(prefix="agpt-sparse-") as name, server.database() as url:
        folder = Path(name)
        rows.create_tables(url)
        first = float(int(time.time() + who.lead_secs(seconds)) + 1)
        rows.fill_every_second(url, seconds, datetime.fromtimestamp(first, UTC))
        running = who.start(url, folder)
        try:
            with Meter(running.pids, server.postmaster) as meter:
                time.sleep(max(0.0, first + seconds - 0.1 - time.time()))
                usage = meter.read()
        finally:
            running.stop()
        return measure(
            who.name,
            arrivals.read(folder),
            due=lambda arrival: first + arrival.number,
            start=first,
            expected=seconds,
            usage=usage,
        )


def idle(bench: Bench) -> list[Section]:
    """Many schedules, none due: what waiting costs."""
    seconds = 15 if bench.quick else 30
    found = []
    for who in bench.contenders[:2]:
        with bench.step(f"idle with {_IDLE_SCHEDULES:,}: {who.name}"):
            found.append([who.name, *_idle(bench.server, who, seconds)])
    columns = ("contender", "CPU, share of a core", "PostgreSQL's CPU", "resident MiB")
    return [Section(f"Idle: {_IDLE_SCHEDULES:,} schedules, none due, over {seconds} s", columns, found)]


def _idle(server: Server, who: Contender, seconds: int) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="agpt-idle-") as name, server.database() as url:
        rows.create_tables(url)
        rows.fill(url, _IDLE_SCHEDULES, datetime.now(UTC) + timedelta(days=200))
        running = who.start(url, Path(name))
        try:
            time.sleep(5)  # what the start still does is not idling
            with Meter(running.pids, server.postmaster) as meter:
                time.sleep(seconds)
                usage = meter.read()
        finally:
            running.stop()
    shares = (100 * usage.cpu_secs / seconds, 100 * usage.postgres_cpu_secs / seconds)
    return [f"{shares[0]:.2f} %", f"{shares[1]:.2f} %", f"{usage.peak_mib:.0f}"]


def replicas(bench: Bench) -> list[Section]:
    """Two replicas against one, on the same cores."""
    size = min(10_000, max(bench.sizes))
    one = bench.repeat(f"rush of {size:,}: one replica", lambda: rush(bench.server, OURS, size))
    groups = [one]
    shares = []
    for who in (
        Ours(name="two replicas", replicas=2),
        TWO_WORKERS,
    ):
        found = bench.repeat(f"rush of {size:,}: {who.name}", lambda who=who: rush(bench.server, who, size))  # type: ignore[misc]
        groups.append(found)
        shares += [[who.name, f"{run.per_second:,.0f}", ", ".join(_shares(run))] for run in found]
    ratio = median(groups[1], lambda run: run.per_second) / median(one, lambda run: run.per_second)
    return [
        compared(
            f"Replicas: {size:,} schedules due at once",
            groups,
            note=f"Two replicas reach {ratio:.2f} of what one does.",
        ),
        Section("What each process took, run by run", ("contender", "fired/s", "shares"), shares),
    ]


def _shares(run: Measured) -> list[str]:
    return [f"{share:.0%}" for share in sorted(run.shares, reverse=True)]


def kill(bench: Bench) -> list[Section]:
    """Kill -9 in mid-rush: one of two replicas of ours, and stock, started again at once."""
    size = min(10_000, max(bench.sizes))
    two = Ours(name="agpt-scheduler, one of two replicas", replicas=2)
    everybody: Sequence[Contender] = (two,) if bench.ours_only else (two, LENIENT)
    found = []
    for who in everybody:
        for _ in range(bench.runs):
            with bench.step(f"kill -9 in mid-rush: {who.name}"):
                found.append([who.name, *_tried(lambda who=who: _kill(bench.server, who, size))])  # type: ignore[misc]
    columns = ("killed", "lost", "repeated", "done before the kill", "in the 14 s after it", "last, s after it")
    return [Section(f"kill -9 in mid-rush of {size:,}", columns, found, note="The lease is 15 s.")]


def _kill(server: Server, who: Contender, size: int) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="agpt-kill-") as name, server.database() as url:
        folder = Path(name)
        due = prepare(url, who, size)
        running = who.start(url, folder)
        again = None
        try:
            wait_until(due)
            _await_quarter(folder, who, size)
            killed_at = time.time()
            os.kill(running.pids[0], signal.SIGKILL)
            if not isinstance(who, Ours):
                running.stop()
                again = who.start(url, folder)
            await_end(url, folder, who, size, due, still_secs=20 if isinstance(who, Ours) else 2)
        finally:
            running.stop()
            if again is not None:
                again.stop()
        found = arrivals.read(folder)
    calls = Counter(arrival.number for arrival in found)
    before = sum(arrival.at <= killed_at for arrival in found)
    soon = sum(killed_at < arrival.at <= killed_at + 14 for arrival in found)
    last = f"{found[-1].at - killed_at:.1f}"
    return [f"{size - len(calls)}", f"{calls.total() - len(calls)}", f"{before:,}", f"{soon:,}", last]


def outage(bench: Bench) -> list[Section]:
    """PostgreSQL away for twelve seconds in mid-rush; the process goes on."""
    size = min(10_000, max(bench.sizes))
    everybody: Sequence[Contender] = (OURS, TWO_WORKERS) if bench.ours_only else (OURS, TWO_WORKERS, LENIENT)
    found = []
    for who in everybody:
        with bench.step(f"PostgreSQL away in mid-rush: {who.name}"):
            found.append([who.name, *_tried(lambda who=who: _outage(bench.server, who, size))])  # type: ignore[misc]
    columns = ("contender", "lost", "repeated", "before", "while it was away", "last, s after its return")
    return [Section(f"PostgreSQL away for {_AWAY_SECS:.0f} s in mid-rush of {size:,}", columns, found)]


def _tried(measured: Callable[[], list[str]]) -> list[str]:
    """Return a row's figures, or why there are none: who does not fire at all must not end the whole run."""
    try:
        return measured()
    except TimeoutError as error:
        return [str(error), "", "", "", ""]


def _await_quarter(folder: Path, who: Contender, size: int) -> None:
    until = time.monotonic() + _BEGIN_WITHIN_SECS
    while arrivals.count(folder) < size / 4:
        if time.monotonic() > until:
            raise TimeoutError(f"{who.name} does not fire: {arrivals.count(folder)} in {_BEGIN_WITHIN_SECS:.0f} s")
        time.sleep(0.001)


_AWAY_SECS = 12.0
_BEGIN_WITHIN_SECS = 60.0


def _outage(server: Server, who: Contender, size: int) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="agpt-outage-") as name, server.database() as url:
        folder = Path(name)
        due = prepare(url, who, size)
        running = who.start(url, folder)
        try:
            wait_until(due)
            _await_quarter(folder, who, size)
            server.stop()
            left_at = time.time()
            time.sleep(_AWAY_SECS)
            server.start()
            back_at = time.time()
            await_end(url, folder, who, size, due, still_secs=10, give_up_secs=30)
        finally:
            running.stop()
        found = arrivals.read(folder)
    calls = Counter(arrival.number for arrival in found)
    before = sum(arrival.at <= left_at for arrival in found)
    meanwhile = sum(left_at < arrival.at <= back_at for arrival in found)
    last = f"{found[-1].at - back_at:.1f}" if found[-1].at > back_at else "none came"
    return [f"{size - len(calls):,}", f"{calls.total() - len(calls)}", f"{before:,}", f"{meanwhile:,}", last]


SCENARIOS: Mapping[str, Callable[[Bench], list[Section]]] = {
    "rush": rushes,
    "http": http,
    "sparse": sparse,
    "idle": idle,
    "replicas": replicas,
    "kill": kill,
    "outage": outage,
    "lists": scale.lists,
    "writes": scale.writes,
    "million": scale.million,
}
