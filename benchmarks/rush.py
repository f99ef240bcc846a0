"""The rush: many schedules due in one second."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import arrivals, rows
from benchmarks.contenders import Contender, Ours
from benchmarks.measured import Measured, measure
from benchmarks.server import Server, query
from benchmarks.usage import Meter
from tests.running import ROOT

_LOOK_SECS = 0.02
_STILL_SECS = 2.0
_LONGEST_SECS = 60.0


def rush(server: Server, contender: Contender, count: int, *, http: bool = False) -> Measured:
    """Let `count` schedules come due at one moment; return when each reached its receiver."""
    with (
        tempfile.TemporaryDirectory(prefix="agpt-rush-") as name,
        server.database() as url,
        receiver(Path(name), wanted=http) as port,
    ):
        folder = Path(name)
        due = prepare(url, contender, count)
        running = contender.start(url, folder, port)
        try:
            with Meter(running.pids, server.postmaster) as meter:
                wait_until(due)
                settled_at = await_end(url, folder, contender, count, due)
                usage = meter.read()
        finally:
            running.stop()
        return measure(
            contender.name,
            arrivals.read(folder),
            due=lambda _: due,
            start=due,
            expected=count,
            usage=usage,
            settled_at=settled_at,
        )


def prepare(url: str, contender: Contender, count: int) -> float:
    """Write the rows; return the moment when they come due, with time for `contender` to be ready for it."""
    rows.prepare(count)
    rows.create_tables(url)
    due = float(round(time.time() + contender.lead_secs(count)) + 1)
    rows.fill(url, count, datetime.fromtimestamp(due, UTC))
    return due


def wait_until(due: float) -> None:
    """Wait for the moment when the rush begins; it must lie ahead."""
    assert time.time() < due, "the start took too long: the rush began without the contender"
    time.sleep(max(0.0, due - time.time()))


def await_end(
    url: str,
    folder: Path,
    contender: Contender,
    count: int,
    due: float,
    *,
    still_secs: float = _STILL_SECS,
    give_up_secs: float = _LONGEST_SECS,
) -> float | None:
    """Return once nothing more will be fired, with the moment when the last outcome was recorded.

    That is once every schedule was called, or nothing is due any more and no call has come for `still_secs`, or
    none has come for `give_up_secs`.
    """
    seen, changed = 0, time.time()
    while (now := time.time()) - changed < give_up_secs:
        time.sleep(_LOOK_SECS)
        called = arrivals.count(folder)
        if called != seen:
            seen, changed = called, now
        if (called >= count and _all_called(folder, count)) or (
            now - changed > still_secs and not _still_due(url, due)
        ):
            break
    return _settled_at(url) if isinstance(contender, Ours) else None


def _all_called(folder: Path, count: int) -> bool:
    return len({arrival.number for arrival in arrivals.read(folder)}) >= count


def _still_due(url: str, due: float) -> int:
    statement = "SELECT count(*) FROM apscheduler_jobs WHERE next_run_time <= %(due)s"
    return int(query(url, statement, due=due)[0][0])


def _settled_at(url: str) -> float | None:
    statement = (
        "SELECT count(*) FILTER (WHERE state <> 'succeeded'), extract(epoch FROM max(finished_at))"
        " FROM scheduler_firings"
    )
    end = time.time() + 30
    while time.time() < end:
        left, last = query(url, statement)[0]
        if not left:
            return max(float(last), time.time() - _LOOK_SECS) if last else None
        time.sleep(_LOOK_SECS)
    return None


@contextmanager
def receiver(folder: Path, *, wanted: bool = True) -> Iterator[int | None]:
    """Run the HTTP receiver as a process of its own; yield its port."""
    if not wanted:
        yield None
        return
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.http_receiver"],
        env={"PYTHONPATH": str(ROOT), arrivals.FOLDER_VARIABLE: str(folder)},
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
