"""The list of schedules: searched, paged."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from litestar import get
from litestar.connection import Request
from litestar.di import NamedDependency
from litestar.response.template import Template

from domain.lookout.lookout import Activity, Lookout, Search
from entrypoints.page.access import Visitor
from entrypoints.page.answers import page
from entrypoints.page.forms import text_query
from entrypoints.page.words import link
from ports.jobs import Position

_AnyRequest = Request[Any, Any, Any]
_PAGE = 50
_FIELDS = {"user": "user_id", "graph": "graph_id", "id": "schedule_id", "name": "text"}
_PAUSED = "paused"


@get("/schedules")
async def list_schedules(
    request: _AnyRequest, visitor: NamedDependency[Visitor], lookout: NamedDependency[Lookout]
) -> Template:
    """Show schedules, soonest first."""
    query = text_query(request)
    chosen = {name: query.get(name, "") for name in _FIELDS}
    activity = query.get("activity", "")
    activity = activity if activity in set(Activity) else Activity.ANY.value
    search = Search(**{_FIELDS[name]: text for name, text in chosen.items()}, activity=Activity(activity))
    found = await lookout.search(search, after=_position(query), limit=_PAGE)
    more = None
    if found.after is not None:
        at = found.after.next_run_at
        more = link(
            "/ui/schedules",
            **chosen,
            activity=activity,
            at=_PAUSED if at is None else at.isoformat(),
            after=found.after.id,
        )
    return page(
        "schedules",
        visitor,
        items=found.items,
        chosen=chosen,
        activity=activity,
        activities=[item.value for item in Activity],
        more=more,
        partial=found.partial,
        first_page="at" not in query,
        searching=asdict(search) != asdict(Search()),
        deleted="deleted" in query,
    )


def _position(query: dict[str, str]) -> Position | None:
    """Return where the page begins. Raises ValueError for what was not made here."""
    at = query.get("at", "")
    if not at:
        return None
    moment = None if at == _PAUSED else datetime.fromisoformat(at)
    if moment is not None and moment.tzinfo is None:
        raise ValueError("That is no place in the list.")
    return Position(moment, query.get("after", ""))


HANDLERS = [list_schedules]
