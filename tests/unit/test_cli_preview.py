"""`agpt-scheduler preview`."""

import json
import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from entrypoints.cli import app
from tests.running import ROOT

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
        "",
        "{}",
    ]
    status, out, _ = run("--jsonl", stdin="\n".join(rows) + "\n")
    answers = [json.loads(line) for line in out.splitlines()]
    assert status == 0
    assert answers[0] == {"times": ["2026-11-25T00:00:00+00:00"]}
    assert len(answers) == len(rows)
    assert all(list(answer) == ["error"] for answer in answers[1:])


def test_jsonl_answers_lines_that_are_no_text() -> None:
    """Whatever the locale says of standard input."""
    good = b'{"cron":"@daily","after":"2026-11-24T12:00:00Z","count":1}'
    result = CliRunner().invoke(app, ["preview", "--jsonl"], input=b"\xff\xfe\n" + good + b"\r\n" + good)
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert (result.exit_code, [list(answer) for answer in answers]) == (0, [["error"], ["times"], ["times"]])


def test_jsonl_answers_before_the_next_line_comes() -> None:
    """So that another program can ask a line at a time."""
    command = [sys.executable, "-m", "entrypoints", "preview", "--jsonl"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(2):
            process.stdin.write(b'{"cron":"@daily","count":1}\n')
            process.stdin.flush()
            assert list(json.loads(process.stdout.readline())) == ["times"]
        process.stdin.close()
    assert process.returncode == 0


@pytest.mark.parametrize("after", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00"])
def test_times_before_all_time_have_a_next(after: str) -> None:
    """APScheduler's calendar begins in 1970."""
    assert run("@daily", "--after", after, "--count", "1", "--json") == (0, '["1970-01-01T00:00:00+00:00"]\n', "")
