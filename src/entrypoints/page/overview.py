"""The overview: is it well, what needs a person, what is coming, what happened."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

from litestar import get
from litestar.di import NamedDependency
from litestar.response.template import Template

from domain.lookout.coming import ComingLoad
from domain.lookout.figures import Kept
from domain.lookout.lookout import MAX_LEFT_ALONE, Lookout, Standing
from domain.lookout.recent import Recent, Slot
from entrypoints.page import charts
from entrypoints.page.access import Visitor
from entrypoints.page.answers import page
from entrypoints.page.here import Here
from entrypoints.page.state import Line, Wellness
from entrypoints.page.words import grouped, link
from ports.firings import FiringState
from ports.jobs import UnreadableReason

_NEEDS_A_PERSON = (
    (FiringState.DEAD, "Retried until the deadline"),
    (FiringState.FAILED, "Refused by the receiver"),
    (FiringState.HELD, "The receiver seems to be the wrong one"),
)


@get("/")
async def show_overview(
    visitor: NamedDependency[Visitor],
    lookout: NamedDependency[Lookout],
    wellness: NamedDependency[Wellness],
    here: NamedDependency[Here],
) -> Template:
    """Show whether all is well, and what is coming."""
    lines, coming, recent, standing = await asyncio.gather(
        wellness.lines(), lookout.coming.look(), lookout.recent.look(), lookout.standing.look()
    )
    return page(
        "overview",
        visitor,
        lines=[*lines, _replicas(standing, recent)],
        shares=_shares(standing, recent),
        numbers=_numbers(standing, coming),
        coming=None if coming is None else _coming(coming, here.zone),
        plots=[] if recent is None else _plots(recent.value, here.zone),
        recent_at=None if recent is None else recent.at,
        zone=here.zone,
        lag_marks=charts.LAG_MARKS,
        all_there=None not in (coming, recent, standing),
    )


def _replicas(standing: Kept[Standing] | None, recent: Kept[Recent] | None) -> Line:
    if standing is None:
        return Line("Replicas", None, "not known yet")
    count = len(standing.value.replicas)
    fired = 0 if recent is None else sum(recent.value.shares.values())
    said = f"{count} at work; {grouped(fired)} firings in the last hour"
    return Line("Replicas", count > 0, said)


@dataclass(frozen=True, slots=True)
class Share:
    """A replica's part of the last hour's firings; `seen_at` is None for one that is gone."""

    name: str
    firings: int
    percent: int
    seen_at: datetime | None


def _shares(standing: Kept[Standing] | None, recent: Kept[Recent] | None) -> list[Share]:
    """Return what each replica did, the living ones first."""
    counts = {} if recent is None else dict(recent.value.shares)
    living = {} if standing is None else {replica.name: replica.seen_at for replica in standing.value.replicas}
    total = sum(counts.values()) or 1
    names = sorted(living.keys() | counts.keys(), key=lambda name: (name not in living, name))
    return [
        Share(name, counts.get(name, 0), round(100 * counts.get(name, 0) / total), living.get(name))
        for name in names
    ]


def _numbers(standing: Kept[Standing] | None, coming: Kept[ComingLoad] | None) -> list[dict[str, Any]]:
    """Return what needs a person: a name, a number, what it means, where it leads, and whether it is bad."""
    numbers: list[dict[str, Any]] = []

    def add(name: str, count: int | None, why: str, href: str, *, bad: bool = True, more: bool = False) -> None:
        numbers.append({"name": name, "count": count, "why": why, "href": href, "bad": bad, "more": more})

    firings = None if standing is None else standing.value.firings
    for state, why in _NEEDS_A_PERSON:
        add(state.value, None if firings is None else firings[state], why, link("/ui/firings", state=state.value))
    left_alone = None if standing is None else standing.value.left_alone
    for reason, why in (
        (UnreadableReason.QUARANTINED, "Rows that can't be read"),
        (UnreadableReason.FOREIGN, "Rows of somebody else's function"),
    ):
        count = None if left_alone is None else left_alone[reason]
        href = link("/ui/left-alone", reason=reason.value)
        add(
            reason.value, count, why, href, bad=reason is UnreadableReason.QUARANTINED, more=count == MAX_LEFT_ALONE
        )
    waiting = None if firings is None else firings[FiringState.WAITING]
    add("waiting", waiting, "To be tried again", link("/ui/firings", state="waiting"), bad=False)
    paused = None if coming is None else coming.value.paused
    add("paused", paused, "Schedules that rest", link("/ui/schedules", activity="paused"), bad=False)
    return numbers


def _coming(kept: Kept[ComingLoad], zone: tzinfo) -> dict[str, Any]:
    load = kept.value
    last = load.first_minute + timedelta(minutes=60)
    return {
        "at": kept.at,
        "load": load,
        "rows": charts.heat_map(load, zone),
        "bars": charts.minute_bars(load, zone),
        "marks": charts.hour_marks(load.first_minute, last, zone, every=timedelta(minutes=15)),
        "most": max(load.minutes),
        "busiest": max(load.hours),
    }


def _plots(recent: Recent, zone: tzinfo) -> list[dict[str, Any]]:
    return [
        _plot("hour", recent.hour, zone, width=timedelta(minutes=1), every=timedelta(minutes=15)),
        _plot("day", recent.day, zone, width=timedelta(minutes=15), every=timedelta(hours=6)),
    ]


def _plot(name: str, slots: Sequence[Slot], zone: tzinfo, *, width: timedelta, every: timedelta) -> dict[str, Any]:
    outcomes = {state: sum(slot.outcomes[state] for slot in slots) for state in FiringState}
    return {
        "name": name,
        "bars": charts.outcome_bars(slots, zone),
        "most": max(slot.total for slot in slots),
        "lags": charts.lag_lines(slots),
        "marks": charts.hour_marks(slots[0].begins_at, slots[-1].begins_at + width, zone, every=every),
        "outcomes": {state: count for state, count in outcomes.items() if count},
        "total": sum(outcomes.values()),
        "slots": [slot for slot in slots if slot.total],
    }


HANDLERS = [show_overview]
