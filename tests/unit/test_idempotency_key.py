"""The key by which a receiver tells a repeat."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from ports.firings import idempotency_key

MOMENT = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize("zone", [UTC, ZoneInfo("Europe/London"), ZoneInfo("Asia/Kathmandu")])
def test_key_is_the_same_for_a_moment_in_any_zone(zone: ZoneInfo) -> None:
    """Job id and due time, in UTC as RFC 3339 writes it."""
    assert idempotency_key("j", MOMENT.astimezone(zone)) == "j:2026-03-29T01:30:00Z"


def test_key_tells_the_two_hours_of_a_clock_change_apart() -> None:
    """The same wall time, twice."""
    autumn = datetime(2026, 10, 25, 1, 30, tzinfo=ZoneInfo("Europe/London"))
    keys = {idempotency_key("j", autumn.replace(fold=fold)) for fold in (0, 1)}
    assert keys == {"j:2026-10-25T00:30:00Z", "j:2026-10-25T01:30:00Z"}
