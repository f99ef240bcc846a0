"""Firings: the list, followed live; one of them; sending it again; and the rows that are left alone."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from litestar import get, post
from litestar.connection import Request
from litestar.di import NamedDependency
from litestar.response import Response, ServerSentEvent
from litestar.response.template import Template

from domain.errors import DomainError
from domain.lookout.lookout import Lookout
from entrypoints.page.access import Access, Visitor
from entrypoints.page.answers import page, redirect
from entrypoints.page.forms import actors_form, number, text_query
from entrypoints.page.live import LiveFirings
from entrypoints.page.words import RESENDABLE, STATE_MEANINGS, STATE_WORDS, clock, link
from ports.firings import FiringRecord, FiringState, idempotency_key
from ports.jobs import UnreadableReason

_AnyRequest = Request[Any, Any, Any]
_PAGE = 50
_FILTERS = ("user", "schedule", "state")
# Few firings are under way at a time, and no index leads to them; they stand at the head of the list anyway.
_FILTERABLE = [state for state in FiringState if state is not FiringState.LEASED]


class UnknownFiringError(DomainError, ValueError):
    """The history has no such firing."""

    def __init__(self) -> None:
        super().__init__("There is no such firing (any more): the history keeps them for a while only.")


@get("/firings")
async def list_firings(
    request: _AnyRequest, visitor: NamedDependency[Visitor], lookout: NamedDependency[Lookout]
) -> Template:
    """Show firings, newest first."""
    query = text_query(request)
    chosen = {name: query.get(name, "") for name in _FILTERS}
    before = number(query.get("before"))
    records = await _read(lookout, chosen, before, _PAGE + 1)
    older = None
    if len(records) > _PAGE:
        records = records[:_PAGE]
        older = link("/ui/firings", **chosen, before=records[-1].id)
    return page(
        "firings",
        visitor,
        records=records,
        whose=True,
        chosen=chosen,
        older=older,
        first_page=before is None,
        events=link("/ui/firings/events", **chosen),
        states=[(state.value, STATE_WORDS[state]) for state in _FILTERABLE],
    )


@get("/firings/events")
async def follow_firings(
    request: _AnyRequest,
    visitor: NamedDependency[Visitor],  # noqa: ARG001  asked for, so that nobody else follows
    lookout: NamedDependency[Lookout],
    live: NamedDependency[LiveFirings],
) -> ServerSentEvent:
    """Send the newest firings whenever they change."""
    query = text_query(request)
    chosen = {name: query.get(name, "") for name in _FILTERS}

    async def read() -> Sequence[FiringRecord]:
        return await _read(lookout, chosen, None, _PAGE)

    return live.follow(read)


async def _read(
    lookout: Lookout, chosen: dict[str, str], before_id: int | None, limit: int
) -> Sequence[FiringRecord]:
    states = frozenset(state for state in _FILTERABLE if state.value == chosen["state"]) or None
    return await lookout.firings(
        user_id=chosen["user"], schedule_id=chosen["schedule"], states=states, before_id=before_id, limit=limit
    )


@get("/firing")
async def show_firing(
    request: _AnyRequest, visitor: NamedDependency[Visitor], lookout: NamedDependency[Lookout]
) -> Template:
    """Show one firing."""
    query = text_query(request)
    record = await _one(lookout, number(query.get("id")))
    return page(
        "firing",
        visitor,
        record=record,
        meaning=STATE_MEANINGS[record.state],
        key=idempotency_key(record.job_id, record.scheduled_at),
        resendable=record.state in RESENDABLE,
        sent="resent" in query,
    )


@get("/firing/resend")
async def ask_to_resend(
    request: _AnyRequest, visitor: NamedDependency[Visitor], lookout: NamedDependency[Lookout]
) -> Template:
    """Say what sending it again will do."""
    record = await _one(lookout, number(text_query(request).get("id")))
    return page(
        "confirm",
        visitor,
        title="Send it again",
        said=[
            f"The firing of {record.job_id} that was due at {clock(record.scheduled_at)} is sent once more, now.",
            "Its idempotency key is the same as before: a receiver that honours it does not act twice.",
        ],
        do="Send it again",
        danger=False,
        target="/ui/firing/resend",
        fields={"id": record.id},
        back=link("/ui/firing", id=record.id),
        back_to="Back to the firing",
    )


@post("/firing/resend", status_code=HTTPStatus.OK)
async def resend(
    request: _AnyRequest,
    access: NamedDependency[Access],
    visitor: NamedDependency[Visitor],
    lookout: NamedDependency[Lookout],
) -> Response[None]:
    """Send a firing again."""
    form = await actors_form(request, access, visitor)
    record = await _one(lookout, number(form.get("id")))
    if not await lookout.resend(record.id):
        raise ValueError(f"It is {STATE_WORDS[record.state]} by now, and is not sent again.")
    return redirect(link("/ui/firing", id=record.id, resent="yes"))


async def _one(lookout: Lookout, firing_id: int | None) -> FiringRecord:
    record = None if firing_id is None else await lookout.firing(firing_id)
    if record is None:
        raise UnknownFiringError
    return record


@get("/left-alone")
async def show_left_alone(
    request: _AnyRequest, visitor: NamedDependency[Visitor], lookout: NamedDependency[Lookout]
) -> Template:
    """Show rows that are neither fired nor changed."""
    wanted = text_query(request).get("reason")
    reason = UnreadableReason.FOREIGN if wanted == UnreadableReason.FOREIGN else UnreadableReason.QUARANTINED
    return page("left_alone", visitor, reason=reason.value, rows=await lookout.left_alone(reason))


HANDLERS = [list_firings, follow_firings, show_firing, ask_to_resend, resend, show_left_alone]
