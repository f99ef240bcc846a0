"""Job rows for tests: the recorded ones, and pickles of anything, also of what is not installed here."""

import base64
import io
import json
import pickle
from collections.abc import Iterator
from datetime import UTC, datetime
from time import process_time
from typing import Any, ClassVar, NamedTuple, Never
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

from adapters.apscheduler.job_state import decode, decode_to_patch
from adapters.apscheduler.opcodes import RefusedPickleError
from adapters.apscheduler.unpickler import load
from ports.jobs import UnreadableReason, UnreadableRow
from tests.shared import SHARED

DUE = datetime(2026, 11, 24, 9, tzinfo=ZoneInfo("UTC"))
PATIENCE_SECS = 20.0
EXECUTE_GRAPH = "backend.executor.scheduler:execute_graph"


class Recorded(NamedTuple):
    """A row as the original wrote it, and what was seen of it through its API and through pickle."""

    id: str
    next_run_time: float | None
    job_state: bytes
    response: dict[str, Any] | None
    decoded: dict[str, Any]


def recorded() -> Iterator[Recorded]:
    """Yield every row of compat/jobs.jsonl."""
    with (SHARED / "compat" / "jobs.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            state = base64.b64decode(row["job_state"])
            yield Recorded(row["id"], row["next_run_time"], state, row["response"], row["decoded"])


class Global:
    """A name that is pickled as a global, whether or not there is such a thing."""

    def __init__(self, module: str, name: str) -> None:
        self.module = module
        self.name = name

    def __call__(self, *args: object) -> Never:
        """Exist for the pickler, which wants a callable."""
        raise NotImplementedError


class Call:
    """A call, pickled with REDUCE; `state` is brought by BUILD."""

    def __init__(self, what: "Global | Call", *args: object, state: object = None) -> None:
        self.what = what
        self.args = args
        self.state = state

    def __call__(self, *args: object) -> Never:
        """Exist for the pickler, which wants a callable."""
        raise NotImplementedError

    def __reduce__(self) -> tuple[Any, ...]:
        return (self.what, self.args) if self.state is None else (self.what, self.args, self.state)


class New:
    """An object of a class, pickled with NEWOBJ and BUILD."""

    def __init__(self, what: Global, state: object) -> None:
        self.what = what
        self.state = state


_PythonPickler: Any = vars(pickle)["_Pickler"]  # only the one written in Python can be extended


class _Pickler(_PythonPickler):  # type: ignore[misc]  # its types say nothing of what is extended here
    dispatch: ClassVar = dict(_PythonPickler.dispatch)

    def _save_global(self, what: Global) -> None:
        self.save(what.module)
        self.save(what.name)
        self.write(pickle.STACK_GLOBAL)
        self.memoize(what)

    def _save_new(self, new: New) -> None:
        self.save(new.what)
        self.write(pickle.EMPTY_TUPLE + pickle.NEWOBJ)
        self.memoize(new)
        self.save(new.state)
        self.write(pickle.BUILD)

    dispatch[Global] = _save_global
    dispatch[New] = _save_new


def dumps(value: object) -> bytes:
    """Pickle `value` as a job row is pickled."""
    file = io.BytesIO()
    _Pickler(file, 5).dump(value)
    return file.getvalue()


def state(**changes: object) -> dict[str, Any]:
    """Return the job state of a schedule, as APScheduler pickles it, with `changes`."""
    return {
        "version": 1,
        "id": "a-job",
        "func": EXECUTE_GRAPH,
        "trigger": CronTrigger.from_crontab("0 9 * * *", ZoneInfo("UTC")),
        "executor": "default",
        "args": (),
        "kwargs": {"user_id": "u1", "graph_id": "g", "graph_version": 1, "cron": "0 9 * * *", "input_data": {}},
        "name": "execute_graph",
        "misfire_grace_time": 1,
        "coalesce": True,
        "max_instances": 1,
        "next_run_time": DUE,
        **changes,
    }


def row(**changes: object) -> bytes:
    """Return the pickle of `state(**changes)`."""
    return dumps(state(**changes))


def next_run_offset(job_state: bytes) -> int | None:
    """Return where a row's next run can be patched, None where it can't or there is no row."""
    try:
        row_id = load(job_state)[0]["id"]
    except (RefusedPickleError, TypeError, LookupError):
        return None
    found = decode_to_patch(row_id, job_state, due())
    return None if isinstance(found, UnreadableRow) else found[1]


def due(when: datetime = DUE) -> float:
    """Return what the column says for `when`."""
    return when.astimezone(UTC).timestamp()


def refused(job_state: bytes) -> UnreadableRow:
    """Return why a row was quarantined, which must not take long."""
    began = process_time()
    found = decode("a-job", job_state, due())
    assert process_time() - began < PATIENCE_SECS
    assert isinstance(found, UnreadableRow)
    assert found.reason is UnreadableReason.QUARANTINED
    return found
