"""The cron bench: type an expression and see what comes of it."""

from typing import Any

from litestar import get
from litestar.connection import Request
from litestar.di import NamedDependency
from litestar.response.template import Template

from domain.cron import CronDialect
from domain.lookout.cron_bench import COLUMNS, Trial, try_cron
from entrypoints.page.access import Visitor
from entrypoints.page.answers import page
from entrypoints.page.forms import text_query
from entrypoints.page.here import Here

_AnyRequest = Request[Any, Any, Any]
_LABELS = ("minute", "hour", "day of month", "month", "day of week")
_EXAMPLES = (
    ("0 9 * * 1-5", "weekdays at nine"),
    ("*/15 * * * *", "every quarter of an hour"),
    ("30 2 * * *", "at night, when clocks change"),
    ("0 0 13 * 5", "the 13th, and Fridays"),
    ("@daily", "an alias"),
)


@get("/cron")
async def show_bench(
    request: _AnyRequest, visitor: NamedDependency[Visitor], here: NamedDependency[Here]
) -> Template:
    """Try a cron expression."""
    query = text_query(request)
    cron, zone = query.get("cron", ""), query.get("zone", "") or here.timezone
    trial = try_cron(cron, timezone=zone, now=here.now()) if cron else None
    return page(
        "cron",
        visitor,
        cron=cron,
        zone=zone,
        trial=trial,
        parts=_parts(cron, trial) if trial is not None else [],
        zone_refused=trial is not None and trial.ours.field == "timezone",
        examples=_EXAMPLES,
        standard=here.dialect is CronDialect.STANDARD,
    )


def _parts(cron: str, trial: Trial) -> list[tuple[str, str, bool]]:
    """Return each column with its label, and whether it is the one at fault; none where there are not five."""
    typed = cron.split()
    if len(typed) != len(COLUMNS):
        return []
    columns = zip(typed, _LABELS, COLUMNS, strict=True)
    return [(text, label, trial.ours.field == name) for text, label, name in columns]


HANDLERS = [show_bench]
