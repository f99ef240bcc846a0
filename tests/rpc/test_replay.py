"""Every recorded request, in order, against the application behind a real server (compat/http.jsonl)."""

import base64
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx

from domain.cron import parse_cron
from domain.errors import InvalidScheduleError
from domain.fire_times import next_fire_time
from ports.errors import RemoteCallError
from ports.jobs import Job, JobKind
from ports.triggers import IntervalTrigger
from tests.rpc.serving import NOW, ON_EACH_STORE, World, served
from tests.shared import SHARED

Recording = dict[str, Any]

RECORDINGS: list[Recording] = [
    json.loads(line) for line in (SHARED / "compat" / "http.jsonl").read_bytes().splitlines()
]
RECORDED_HOST = {"host": "127.0.0.1:8003"}
LISTING = "/get_graph_execution_schedules"
_DOC_VERSION = re.compile(r"errors\.pydantic\.dev/[\d.]+/")
_RAISED = re.compile(r"raise '(\w+)(?::(.*))?'$")


BUILTIN: dict[str, type[Exception]] = {
    kind.__name__: kind
    for kind in (
        Exception,
        ConnectionError,
        KeyError,
        LookupError,
        RuntimeError,
        TimeoutError,
        UnicodeError,
        ValueError,
    )
}
PLATFORM: dict[str, type[Exception]] = {
    "MissingConfigError": Exception,
    "NotAuthorizedError": ValueError,
    "NotFoundError": ValueError,
}
"""The platform's own exceptions and their bases."""


@dataclass
class Replay:
    """Replays recordings and keeps score. `ids` maps recorded ids of exact adds to ours."""

    client: httpx.AsyncClient
    world: World
    ids: dict[str, str] = field(default_factory=dict)
    matched: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    async def play(self, recording: Recording) -> None:
        """Send one recorded request and compare."""
        self.world.system_tasks.outcome = neighbours_outcome(recording)
        answer = await self._send(recording["request"])
        compare = getattr(self, f"_compare_{recording['class']}")
        difference = compare(recording, answer)
        self.matched[recording["class"]] += difference is None
        if difference is not None:
            self.wrong.append(f"{recording['n']} {recording['name']}: {difference}\n  {answer.text[:300]}")

    async def _send(self, request: dict[str, Any]) -> httpx.Response:
        body = request["body"]
        if isinstance(body, dict):
            content: bytes | None = base64.b64decode(body["base64"])
        else:
            content = None if body is None else self._with_our_ids(body).encode("utf-8", "surrogatepass")
        headers = {**request["headers"], **RECORDED_HOST}
        return await self.client.request(request["method"], request["path"], headers=headers, content=content)

    def _with_our_ids(self, body: str) -> str:
        for recorded, ours in self.ids.items():
            body = body.replace(recorded, ours)
        return body

    def _compare_exact(self, recording: Recording, answer: httpx.Response) -> str | None:
        recorded = recording["response"]
        for name in ("content_type", "allow", "location"):
            if answer.headers.get(name.replace("_", "-")) != recorded[name]:
                return f"{name} is {answer.headers.get(name.replace('_', '-'))}, not {recorded[name]}"
        if answer.status_code != recorded["status"]:
            return f"status is {answer.status_code}, not {recorded['status']}"
        if recording["request"]["path"] == LISTING and recorded["status"] == 200:
            return self._compare_lists(json.loads(recorded["body"]), answer.json())
        if '"next_run_time"' in recorded["body"]:
            return self._compare_infos(json.loads(recorded["body"]), answer)
        body = self._with_our_ids(recorded["body"])
        if _DOC_VERSION.sub("", answer.text) != _DOC_VERSION.sub("", body):
            return f"body is not {body[:300]}"
        return None

    def _compare_infos(self, recorded: dict[str, Any], answer: httpx.Response) -> str | None:
        ours = answer.json()
        self.ids.setdefault(recorded["id"], ours["id"])
        if answer.text != compact(ours):
            return "JSON is written otherwise"
        return None if masked(recorded, len(recorded)) == masked(ours, len(recorded)) else f"is not {recorded}"

    def _compare_lists(self, recorded: list[dict[str, Any]], ours: list[dict[str, Any]]) -> str | None:
        """Compare the entries whose adds were exact, id by id; the order is by next run, then id."""
        known = {entry["id"]: entry for entry in recorded if entry["id"] in self.ids}
        found = {entry["id"]: entry for entry in ours}
        for recorded_id, entry in known.items():
            mine = found.get(self.ids[recorded_id])
            if mine is None or masked(mine, len(entry)) != masked(entry, len(entry)):
                return f"{recorded_id} is {mine}"
        extra = set(found) & set(self.ids.values()) - {self.ids[recorded_id] for recorded_id in known}
        order = [(entry["next_run_time"], entry["id"]) for entry in ours]
        return f"not recorded: {extra}" if extra else None if order == sorted(order) else "out of order"

    def _compare_cron(self, recording: Recording, answer: httpx.Response) -> str | None:
        """Compare with what the domain makes of the text: the standard's reading, not the original's."""
        cron = json.loads(recording["request"]["body"])["cron"]
        try:
            due = next_fire_time(parse_cron(cron, timezone="UTC"), NOW)
        except InvalidScheduleError:
            due = None
        ours = answer.json()
        if due is None:
            refused = answer.status_code == 400 and list(ours) == ["type", "args"] and ours["type"] == "ValueError"
            return None if refused else "should be refused"
        accepted = (answer.status_code, ours.get("cron"), ours.get("next_run_time")) == (200, cron, due.isoformat())
        return None if accepted else f"should be accepted, due {due}"

    def _compare_better(self, recording: Recording, answer: httpx.Response) -> str | None:
        ours = answer.json()
        if recording["request"]["path"] == LISTING and answer.status_code == 200:
            return None if isinstance(ours, list) else "is no list"  # what it failed on was never stored
        typed = answer.status_code == 400 and list(ours) == ["type", "args"]
        return None if typed or (answer.status_code == 422 and "detail" in ours) else "should be refused"

    def _compare_free(self, recording: Recording, answer: httpx.Response) -> str | None:
        return None if answer.status_code == recording["response"]["status"] else f"status is {answer.status_code}"


def masked(info: dict[str, Any], fields: int) -> list[tuple[str, Any]]:
    """Return the first `fields` fields in order, what differs from run to run masked."""
    hidden = {"id", "next_run_time"}
    return [(name, None if name in hidden else value) for name, value in list(info.items())[:fields]]


def compact(value: Any) -> str:
    """Write JSON as the original's framework does."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def neighbours_outcome(recording: Recording) -> Any:
    """Return what the task behind an `execute_*` recording did: its result, or the exception that it raised."""
    if raised := _RAISED.search(recording["name"]):
        kind, message = raised.group(1), raised.group(2) or ""
        return (BUILTIN[kind] if kind in BUILTIN else type(kind, (PLATFORM[kind],), {}))(message)
    body = recording["response"]["body"]
    if not recording["name"].startswith("execute ") or not body:
        return None
    answer = json.loads(body)
    if isinstance(answer, dict) and "type" in answer:
        return RemoteCallError(answer["type"], answer["args"])
    return answer


async def put_system_tasks(world: World) -> None:
    """Store the system tasks that stand in the execution store."""
    for kind in (JobKind.REPORT_LATE_EXECUTIONS, JobKind.REPORT_BLOCK_ERROR_RATES, JobKind.CLEANUP_EXPIRED_FILES):
        trigger = IntervalTrigger(interval=timedelta(minutes=5), start_at=NOW, timezone="UTC")
        await world.jobs.put(Job(kind, kind, kind, trigger, {}, NOW))


@ON_EACH_STORE
async def test_every_recorded_request_is_answered_as_its_class_demands(world: World) -> None:
    """All of http.jsonl in order: exact answers are equal, cron follows the standard, failures are refusals."""
    await put_system_tasks(world)
    async with served(world.app()) as client:
        replay = Replay(client, world)
        for recording in RECORDINGS:
            await replay.play(recording)
    assert replay.wrong == []
    assert replay.matched == Counter(recording["class"] for recording in RECORDINGS)
