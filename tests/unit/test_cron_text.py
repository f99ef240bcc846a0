"""What becomes of crontab text: the stored fields, and what is said about text that is refused."""

import pytest

from domain.cron import CronDialect, parse_cron, validate_timezone
from domain.errors import InvalidScheduleError

STOCK = CronDialect.APSCHEDULER


def stored(text: str, dialect: CronDialect = CronDialect.STANDARD) -> str:
    """Return the five stored fields of an expression, joined by ` | `."""
    trigger = parse_cron(text, timezone="UTC", dialect=dialect)
    return f"{trigger.minute} | {trigger.hour} | {trigger.day} | {trigger.month} | {trigger.day_of_week}"


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("0 9 * * 1-5", "0 | 9 | * | * | mon,tue,wed,thu,fri"),
        ("0 9 * * 0", "0 | 9 | * | * | sun"),
        ("0 9 * * 7", "0 | 9 | * | * | sun"),
        ("0 9 * * */2", "0 | 9 | * | * | tue,thu,sat,sun"),
        ("0 9 * JAN-mar Mon", "0 | 9 | * | 1-3 | mon"),
        ("\t 0   9 * *\t* ", "0 | 9 | * | * | *"),
        ("@Weekly", "0 | 0 | * | * | sun"),
        ("@hourly", "0 | * | * | * | *"),
        ("5/15 * * * *", "5,20,35,50 | * | * | * | *"),
    ],
)
def test_standard_text_is_stored_as_canonical_fields(text: str, fields: str) -> None:
    """Weekdays are stored by name, so that both ways to number them mean the same."""
    assert stored(text) == fields


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("0 0 13 * 5", "0 | 0 | 13,1st fri,2nd fri,3rd fri,4th fri,5th fri | * | *"),
        ("0 0 */2 * 5", "0 | 0 | 1,3,5,7,9,11,13,15,17,19,21,23,25,27,29,31 | * | fri"),
        ("0 0 13 * */3", "0 | 0 | 13 | * | wed,sat,sun"),
        ("0 0 1-31 * 5", "0 | 0 | * | * | *"),
        ("0 0 1,* * 5", "0 | 0 | * | * | *"),
        ("0 0 *,1 * 5", "0 | 0 | * | * | fri"),
    ],
)
def test_either_day_may_match_unless_one_starts_with_a_star(text: str, fields: str) -> None:
    """The text decides, as in Debian's cron: `*/2` and `*,1` start with a star, `1,*` does not."""
    assert stored(text) == fields


@pytest.mark.parametrize(
    ("text", "minute"),
    [
        ("* 1 * * *", "*"),
        ("*/1 1 * * *", "*"),
        ("*,5 1 * * *", "*"),
        ("5,* 1 * * *", "0-59"),
        ("0-59 1 * * *", "0-59"),
        ("*/15 1 * * *", "*/15"),
        ("0,15,30,45 1 * * *", "0,15,30,45"),
        ("*/20,13 1 * * *", "*/20,13"),
        ("*/70 1 * * *", "0,0"),
        ("*/70,1,2 1 * * *", "0,0,1,2"),
    ],
)
def test_a_leading_star_stays_recognisable_in_the_stored_minute(text: str, minute: str) -> None:
    """Daylight saving treats it differently, so no list becomes a star and no star a list."""
    assert parse_cron(text, timezone="UTC").minute == minute


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("0 9 * * 0-4", "0 | 9 | * | * | 0-4"),
        ("0 9 13 * 4", "0 | 9 | 13 | * | 4"),
        ("0 9 last jan-mar mon-fri", "0 | 9 | last | jan-mar | mon-fri"),
        ("5/15 9 * * *", "5/15 | 9 | * | * | *"),
    ],
)
def test_the_originals_dialect_keeps_its_text(text: str, fields: str) -> None:
    """Stock fields are stored as str() of the original's fields gives them, 0 being Monday."""
    assert stored(text, STOCK) == fields


@pytest.mark.parametrize("text", ["@daily", "0 9 * * 7", "0 9 * * fri-mon", "*/60 * * * *", "0 9 * * mon-fri/2"])
def test_the_originals_dialect_refuses_what_it_refused_or_misread(text: str) -> None:
    """Aliases, 7 and steps past the range never worked; a step after names was ignored silently."""
    with pytest.raises(InvalidScheduleError):
        parse_cron(text, timezone="UTC", dialect=STOCK)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("60 * * * *", "minute"),
        ("* 24 * * *", "hour"),
        ("* * 0 * *", "day"),
        ("* * * foo *", "month"),
        ("* * * * 8", "day_of_week"),
        ("* * * * 5-1", "day_of_week"),
        ("*/0 * * * *", "minute"),
        ("* * * *", None),
        ("0 0 30 2 *", None),
        ("@reboot", None),
        ("1," * 256 + "1 * * * *", None),
    ],
)
def test_a_refusal_names_the_column_at_fault(text: str, field: str | None) -> None:
    """A column's own fault carries its name; one of the whole carries none."""
    with pytest.raises(InvalidScheduleError) as refused:
        parse_cron(text, timezone="UTC")
    assert refused.value.field == field


@pytest.mark.parametrize("name", ["UTC", "Europe/London", "America/Port-au-Prince", "Etc/GMT+5", "EST5EDT"])
def test_known_zones_are_returned_as_given(name: str) -> None:
    """IANA names pass."""
    assert validate_timezone(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Mars/Olympus",
        "Europe",
        "../UTC",
        "/etc/localtime",
        "UTC\0",
        "UTC ",
        "\u00e9",
        "right/UTC",
        "posix/UTC",
        "localtime",
        "zone.tab",
        "+05:30",
        "A" * 100000,
    ],
)
def test_odd_zone_names_are_refused(name: str) -> None:
    """Paths, folders, blanks, leap-second zones and files that are no zone are no zone names."""
    with pytest.raises(InvalidScheduleError) as refused:
        validate_timezone(name)
    assert refused.value.field == "timezone"
