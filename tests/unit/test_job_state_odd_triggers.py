"""Trigger states that APScheduler could not have made, and would fail on or misread."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from apscheduler.triggers.cron import CronTrigger

from adapters.apscheduler.job_state import decode, encode
from ports.jobs import Job
from tests.unit.job_state_rows import Call, Global, New, due, refused, row


@pytest.mark.parametrize(
    ("expression", "attributes"),
    [
        ("RangeExpression", {"step": None, "first": 60, "last": 60}),
        ("RangeExpression", {"step": None, "first": -1, "last": 5}),
        ("RangeExpression", {"step": None, "first": 5, "last": 1}),
        ("RangeExpression", {"step": None, "first": 5, "last": None}),
        ("RangeExpression", {"step": 0, "first": 5, "last": None}),
        ("RangeExpression", {"step": 99, "first": 5, "last": 9}),
        ("RangeExpression", {"step": True, "first": 5, "last": 9}),
        ("RangeExpression", {"step": None, "first": "5", "last": "5"}),
        ("RangeExpression", {"step": None, "first": 5}),
        ("AllExpression", {"step": 10**30}),
        ("AllExpression", {"step": 60}),
        ("AllExpression", {}),
        ("AllExpression", None),
        ("MonthRangeExpression", {"step": None, "first": 1, "last": 2}),
        ("MonthRangeExpression", {"step": None, "first": 0, "last": 13}),
        ("WeekdayRangeExpression", {"step": 2, "first": 1, "last": 5}),
        ("WeekdayPositionExpression", {"step": None, "option_num": 6, "weekday": 0}),
        ("LastDayOfMonthExpression", {"step": None}),
    ],
)
def test_an_expression_that_does_not_fit_its_field_is_quarantined(
    expression: str, attributes: dict[str, object] | None
) -> None:
    """What is read must be writable, and must mean the same to the library."""
    trigger = CronTrigger(timezone="UTC")
    trigger.fields[6].expressions = [New(Global("apscheduler.triggers.cron.expressions", expression), attributes)]
    refused(row(trigger=trigger))


@pytest.mark.parametrize(
    "odd",
    [
        {"fields": []},
        {"fields": CronTrigger(timezone="UTC").fields[::-1]},
        {"fields": [None] * 8},
        {"timezone": "UTC"},
        {"timezone": None},
        {"start_date": "now"},
        {"jitter": 2.5},
        {"jitter": -1},
        {"jitter": 10**20},
    ],
    ids=repr,
)
def test_a_cron_trigger_of_odd_parts_is_quarantined(odd: dict[str, object]) -> None:
    """Nothing of another type gets through to the rules of the domain."""
    attributes = {**CronTrigger(timezone="UTC").__getstate__(), **odd}
    refused(row(trigger=New(Global("apscheduler.triggers.cron", "CronTrigger"), attributes)))


@pytest.mark.parametrize("span", [(0, 0, 0), (-1, 0, 0), (10**10, 0, 0), (0, 10**400, 0), (0.5, 0, 0)], ids=repr)
def test_an_interval_that_leads_nowhere_is_quarantined(span: tuple[object, ...]) -> None:
    """The domain divides by it."""
    start = datetime(2026, 11, 24, tzinfo=ZoneInfo("UTC"))
    attributes = {
        "version": 2,
        "timezone": start.tzinfo,
        "start_date": start,
        "end_date": None,
        "interval": Call(Global("datetime", "timedelta"), *span),
        "jitter": None,
    }
    refused(row(trigger=New(Global("apscheduler.triggers.interval", "IntervalTrigger"), attributes)))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x07\xea\x0b\x18\x09\x00\x00\x00\x00",
        b"\x07\xea\x0d\x18\x09\x00\x00\x00\x00\x00",
        b"\x07\xea\x0b\x1f\x09\x00\x00\x00\x00\x00",
        b"\x07\xea\x0b\x18\x18\x00\x00\x00\x00\x00",
        b"\x07\xea\x0b\x18\x09\x3c\x00\x00\x00\x00",
        b"\x07\xea\x0b\x18\x09\x00\x3c\x00\x00\x00",
        b"\x07\xea\x0b\x18\x09\x00\x00\xff\xff\xff",
        b"\x00\x00\x0b\x18\x09\x00\x00\x00\x00\x00",
        bytes(10),
        b"\xff" * 10,
    ],
    ids=bytes.hex,
)
def test_a_date_of_impossible_bytes_is_quarantined(raw: bytes) -> None:
    """Python's own way in looks at the month alone, so that 24:00 on the 31st of November would pass."""
    zone = Call(Global("pytz", "_UTC"))
    refused(row(next_run_time=Call(Global("datetime", "datetime"), raw, zone)))


@pytest.mark.parametrize("span", [(1, 0, 0), (-1, 0, 0), (0, 0, 1), (10**12, 0, 0)], ids=repr)
def test_an_offset_of_impossible_size_is_quarantined(span: tuple[int, int, int]) -> None:
    """Offsets are whole seconds, less than a day."""
    trigger = CronTrigger(timezone="UTC")
    trigger.timezone = Call(Global("datetime", "timezone"), Call(Global("datetime", "timedelta"), *span))
    refused(row(trigger=trigger))


def test_a_date_at_the_edge_of_the_calendar_is_quarantined_or_kept() -> None:
    """In another zone there may be no such day."""
    for when in (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)):
        for zone in ("UTC", "Asia/Kolkata", "America/New_York"):
            trigger = CronTrigger(timezone="Asia/Kolkata", start_date=when.replace(tzinfo=ZoneInfo(zone)))
            found = decode("a-job", row(trigger=trigger), due())
            if isinstance(found, Job):
                assert decode("a-job", encode(found), due()) == found
