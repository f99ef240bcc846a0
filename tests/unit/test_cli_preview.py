"""`agpt-scheduler preview`."""

import json

import pytest
from typer.testing import CliRunner

from entrypoints.cli import app

AFTER = ("--after", "2026-11-24T12:00:00+00:00")


def run(*arguments: str, stdin: str | None = None) -> tuple[int, str, str]:
    """Run the command; return its status and what it wrote."""
    result = CliRunner().invoke(app, ["preview", *arguments], input=stdin)
    return result.exit_code, result.stdout, result.stderr


def test_times_are_listed_a_line_each() -> None:
    """A person sees weekday and time."""
    assert run("0 9 * * 1", "--count", "2", *AFTER) == (
        0,
        "Mon 2026-11-30T09:00:00+00:00\nMon 2026-12-07T09:00:00+00:00\n",
        "",
    )


def test_json_is_a_list_with_the_zones_offset() -> None:
    """For scripts."""
    status, out, _ = run("0 9 * * *", "--timezone", "Asia/Kolkata", "--count", "1", "--json", *AFTER)
    assert (status, json.loads(out)) == (0, ["2026-11-25T09:00:00+05:30"])


def test_a_time_without_offset_is_the_zones() -> None:
    """`--after 2026-11-24T09:30` means that in the zone asked for."""
    _, out, _ = run(
        "0 9,10 * * *", "--timezone", "Asia/Kolkata", "--count", "1", "--json", "--after", "2026-11-24T09:30"
    )
    assert json.loads(out) == ["2026-11-24T10:00:00+05:30"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["61 * * * *"],
        ["* * * * *", "--timezone", "Mars/Olympus"],
        ["* * * * *", "--after", "yesterday"],
        ["* * * * *", "--count", "0"],
        [],
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments: list[str]) -> None:
    """Nothing goes to standard output."""
    status, out, error = run(*arguments)
    assert (status, out) == (2, "")
    assert error.startswith("agpt-scheduler: ")
    assert error.count("\n") == 1


def test_jsonl_answers_each_line_with_one() -> None:
    """Bad lines don't end the stream."""
    rows = [
        json.dumps({"cron": "@daily", "timezone": "UTC", "after": "2026-11-24T12:00:00+00:00", "count": 1}),
        json.dumps({"cron": "no", "timezone": "UTC", "after": "2026-11-24T12:00:00+00:00", "count": 1}),
        "not json",
        "[]",
        json.dumps({"cron": 5}),
        "[" * 100_000,
    ]
    status, out, _ = run("--jsonl", stdin="\n".join(rows) + "\n")
    answers = [json.loads(line) for line in out.splitlines()]
    assert status == 0
    assert answers[0] == {"times": ["2026-11-25T00:00:00+00:00"]}
    assert len(answers) == len(rows)
    assert all(list(answer) == ["error"] for answer in answers[1:])
