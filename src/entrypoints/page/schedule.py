"""One schedule: what it is, what comes next, what was; and what may be done to it, each after a confirmation."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from litestar import get, post
from litestar.connection import Request
from litestar.di import NamedDependency
from litestar.response import Response
from litestar.response.template import Template

from domain.errors import InvalidScheduleError
from domain.lookout.cron_bench import marked_runs
from domain.lookout.lookout import Lookout
from domain.models import GraphExecutionJobInfo
from domain.runs import ScheduleRuns
from domain.schedules import Schedules
from entrypoints.page import charts
from entrypoints.page.access import Access, Visitor
from entrypoints.page.answers import page, redirect
from entrypoints.page.forms import actors_form, text_query
from entrypoints.page.words import link, pretty

_AnyRequest = Request[Any, Any, Any]
_NEXT_RUNS = 10
_STRIP = 60
_LISTED = 15
BY = "an operator, on the page"
"""Who pauses a schedule here, as its owner is told."""


@dataclass(frozen=True, slots=True)
class Action:
    """What may be done: how its button and its heading read, and whether something is lost by it."""

    do: str
    danger: bool = False


ACTIONS: Mapping[str, Action] = {
    "pause": Action("Pause"),
    "resume": Action("Resume"),
    "run": Action("Run now"),
    "backfill": Action("Back-fill"),
    "delete": Action("Delete", danger=True),
}
_DONE = {
    "pause": "Paused. It does not run until it is resumed.",
    "resume": "Resumed. It runs again from its next due time on.",
    "run": "Sent. The run is in the list of firings in a moment.",
}


@get("/schedule")
async def show_schedule(
    request: _AnyRequest, visitor: NamedDependency[Visitor], lookout: NamedDependency[Lookout]
) -> Template:
    """Show one schedule."""
    query = text_query(request)
    outlook = await lookout.outlook(query.get("id", ""), runs=_NEXT_RUNS, past=_STRIP)
    info = outlook.seen.info
    return page(
        "schedule",
        visitor,
        info=info,
        seen=outlook.seen,
        runs=marked_runs(outlook.next_runs),
        notes=outlook.notes,
        strip=charts.history_strip(outlook.past),
        whose=False,
        records=outlook.past[:_LISTED],
        past=len(outlook.past),
        credentials=[(name, meta.provider, meta.title) for name, meta in info.input_credentials.items()],
        inputs=len(info.input_data),
        done=_done(query),
    )


def _done(query: Mapping[str, str]) -> str:
    done = query.get("done", "")
    if done == "backfill":
        due, added = query.get("due", ""), query.get("added", "")
        if due.isdecimal() and added.isdecimal():
            return f"{added} of {due} due times had not run and are sent now."
    return _DONE.get(done, "")


@get("/schedule/input")
async def show_input(
    request: _AnyRequest, visitor: NamedDependency[Visitor], lookout: NamedDependency[Lookout]
) -> Template:
    """Show a schedule's input data, for whoever asks for it."""
    info = await lookout.owned(text_query(request).get("id", ""))
    text, cut = pretty(info.input_data)
    return page("input", visitor, info=info, text=text, cut=cut)


@get("/schedule/act")
async def ask(
    request: _AnyRequest, visitor: NamedDependency[Visitor], lookout: NamedDependency[Lookout]
) -> Template:
    """Say what an action will do, and ask."""
    query = text_query(request)
    name = query.get("action", "")
    action = _action(name)
    info = await lookout.owned(query.get("id", ""))
    window = {field: query.get(field, "") for field in ("from", "to")} if name == "backfill" else {}
    due = await lookout.due_between(info.id, window["from"], window["to"]) if window else 0
    return page(
        "confirm",
        visitor,
        title=f"{action.do}: {info.name}",
        said=_consequences(name, info, window, due),
        do=action.do,
        danger=action.danger,
        target="/ui/schedule/act",
        fields={"id": info.id, "action": name, **window},
        ask_reason=name == "pause",
        back=link("/ui/schedule", id=info.id),
        back_to="Back to the schedule",
    )


def _consequences(name: str, info: GraphExecutionJobInfo, window: Mapping[str, str], due: int) -> list[str]:
    """Say what an action will do."""
    whose = f"It is {info.user_id}'s, and runs graph {info.graph_id}, version {info.graph_version}."
    match name:
        case "pause":
            return [whose, "It stops running until it is resumed. Its firings that wait to be sent are cancelled."]
        case "resume":
            return [whose, "It runs again from its next due time on. What it missed meanwhile does not run."]
        case "run":
            return [whose, "The graph is run once more, at once, in the user's name. Its cadence stays as it is."]
        case "backfill":
            times = "once" if due == 1 else f"{due} times"
            return [
                whose,
                f"From {window['from']} until {window['to']} ({info.timezone}) it was due {times}.",
                "Those that have no firing yet are run now, in the user's name; those that ran do not run again.",
            ]
        case _:
            return [
                whose,
                "It is removed, and can't be brought back. Its firings that wait to be sent are cancelled.",
                "Its history is kept for a while.",
            ]


@post("/schedule/act", status_code=HTTPStatus.OK)
async def act(  # noqa: PLR0917  Litestar passes them by name
    request: _AnyRequest,
    access: NamedDependency[Access],
    visitor: NamedDependency[Visitor],
    lookout: NamedDependency[Lookout],
    schedules: NamedDependency[Schedules],
    runs: NamedDependency[ScheduleRuns],
) -> Response[None]:
    """Do it, in the name of the schedule's owner, by the same rules as over RPC."""
    form = await actors_form(request, access, visitor)
    name = form.get("action", "")
    _action(name)
    info = await lookout.owned(form.get("id", ""))
    schedule_id, user_id = info.id, info.user_id
    if name == "backfill":
        filled = await runs.backfill(
            schedule_id, user_id=user_id, begin=form.get("from", ""), end=form.get("to", "")
        )
        return redirect(link("/ui/schedule", id=schedule_id, done=name, due=filled.due, added=filled.added))
    reason = form.get("reason", "").strip() or None
    doing: Mapping[str, Callable[[], Awaitable[object]]] = {
        "pause": lambda: schedules.pause(schedule_id, user_id=user_id, reason=reason, by=BY),
        "resume": lambda: schedules.resume(schedule_id, user_id=user_id),
        "run": lambda: runs.run_now(schedule_id, user_id=user_id),
        "delete": lambda: schedules.delete(schedule_id, user_id=user_id),
    }
    await doing[name]()
    if name == "delete":
        return redirect(link("/ui/schedules", deleted="yes"))
    return redirect(link("/ui/schedule", id=schedule_id, done=name))


def _action(name: str) -> Action:
    if name not in ACTIONS:
        raise InvalidScheduleError("There is no such action.")
    return ACTIONS[name]


HANDLERS = [show_schedule, show_input, ask, act]
