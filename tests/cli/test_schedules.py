"""`add`, `list`, `show`, `update`, `pause`, `resume`, `delete`."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command


def added(command: Command, *arguments: str) -> str:
    """Add a schedule and return its id."""
    found: str = command("add", "digest", "--json", *(arguments or ("--cron", "0 9 * * 1"))).json["id"]
    return found


def test_an_added_schedule_is_explained(command: Command) -> None:
    """Its id, the cron text in words, and when it runs first."""
    ran = command("add", "digest", "-c", "0 9 * * 1-5", "-z", "Europe/Berlin", "-n", "News")
    assert (ran.status, ran.err) == (0, "")
    first, words, coming = ran.out.splitlines()[:3]
    (listed,) = command("list", "--json").json
    assert first == f"Added {listed['id']}"
    assert words.endswith("(Europe/Berlin)")
    assert "09:00" in words
    assert coming.startswith("Next run ")
    assert (listed["name"], listed["graph_id"], listed["graph_version"]) == ("News", "digest", 1)


def test_inputs_are_json_text_or_files(command: Command, tmp_path: Path) -> None:
    """A value that is JSON is taken as that, and a file's object is what single inputs change."""
    (tmp_path / "inputs.json").write_text('{"topic": "sports", "depth": 1}')
    credentials = json.dumps({"k": {"id": "c", "provider": "github", "type": "api_key"}})
    arguments = [
        "--inputs",
        f"@{tmp_path}/inputs.json",
        "-i",
        "depth=3",
        "-i",
        "who=a=b",
        "--credentials",
        credentials,
    ]
    ran = command("add", "g", "-c", "@daily", "-g", "7", "--id", "mine", *arguments, "--json")
    assert ran.json["input_data"] == {"topic": "sports", "depth": 3, "who": "a=b"}
    assert ran.json["input_credentials"]["k"]["provider"] == "github"
    assert (ran.json["graph_version"], ran.json["id"]) == (7, "mine")
    command("delete", "mine")


def test_a_schedule_can_run_once(command: Command) -> None:
    """Instead of a cron text."""
    schedule = added(command, "--at", "2099-01-01T09:00", "-z", "Asia/Tokyo")
    shown = command("show", schedule).out
    assert "once at Thu 2099-01-01 09:00+09:00" in shown


def test_the_list_is_a_table_with_nothing_cut_where_nobody_looks(command: Command) -> None:
    """One line a schedule, soonest first; paused ones last, when asked for."""
    first, second = added(command, "-c", "* * * * *", "-n", "N" * 200), added(command, "-c", "0 0 1 1 *")
    command("pause", second)
    assert command("list").out.splitlines()[1].split()[:2] == [first, "N" * 200]
    header, *rows = command("list", "--all").out.splitlines()
    assert header.split() == ["ID", "NAME", "GRAPH", "WHEN", "NEXT", "RUN"]
    assert [row.split()[0] for row in rows] == [first, second]
    assert rows[1].endswith("paused")
    assert command("list", "--all", "--limit", "1", "--json").json[0]["id"] == first
    everybody = command("list", "--graph", "digest", SCHEDULER_USER="").out
    assert everybody.splitlines()[0].split()[:2] == ["ID", "USER"]
    assert first in everybody
    assert command("list", "--user", "").out == command("list", SCHEDULER_USER="").out


def test_an_empty_list_says_so_on_the_side(command: Command) -> None:
    """Standard output stays empty for scripts."""
    ran = command("list", "--graph", "nobody's")
    assert (ran.status, ran.complaint) == (0, "no schedules; --all shows paused ones too")
    assert command("list", "--graph", "nobody's", "--json").json == []


def test_a_schedule_is_shown_in_full(command: Command) -> None:
    """With its next runs, inputs and pause."""
    schedule = added(command, "-c", "0 9 * * 1", "--end", "2099-01-01", "--jitter", "60", "-i", "a=1")
    command("pause", schedule, "--reason", "Holidays", "--by", "support")
    out = command("show", schedule).out
    for part in (schedule, "digest, version 1", "2099-01-01", "up to 60 s", "by support, Holidays", '{"a": 1}'):
        assert part in out
    shown = command("show", schedule, "--json").json
    assert (shown["paused_reason"], len(shown["next_runs"])) == ("Holidays", 3)
    assert "09:00" in shown["description"]


def test_an_update_changes_what_is_given(command: Command) -> None:
    """One input of several; bounds are taken away by name."""
    schedule = added(command, "-c", "0 9 * * 1", "--end", "2099-01-01", "--jitter", "60", "-i", "a=1", "-i", "b=2")
    ran = command(
        "update", schedule, "-c", "30 9 * * 1", "-i", "b=3", "--no-end", "--jitter", "0", "-n", "New", "--json"
    )
    assert (ran.json["cron"], ran.json["input_data"], ran.json["name"]) == ("30 9 * * 1", {"a": 1, "b": 3}, "New")
    assert (ran.json["end_at"], ran.json["jitter_secs"], ran.json["changed"]) == (None, None, True)
    again = command("update", schedule, "-n", "New")
    assert again.out.startswith(f"Nothing new in {schedule}\n")
    assert command("update", schedule).complaint.startswith("nothing to change")


def test_pausing_and_resuming_say_whether_they_did(command: Command) -> None:
    """Twice is no error."""
    schedule = added(command)
    assert command("pause", schedule).out == f"Paused {schedule}\n"
    assert command("pause", schedule).out == f"{schedule} was paused already\n"
    assert command("resume", schedule).out.startswith(f"Resumed {schedule}; next run Mon ")
    assert command("resume", schedule).out.startswith(f"{schedule} was not paused; next run ")


def test_one_that_is_refused_keeps_none_of_the_others(command: Command) -> None:
    """Each is told; the first refusal is the status."""
    first, second = added(command), added(command)
    ran = command("delete", first, "no-such-id", second)
    assert ran.status == 4
    assert ran.out == f"Deleted {first} (execute_graph)\nDeleted {second} (execute_graph)\n"
    assert ran.err == "agpt-scheduler: Job #no-such-id not found.\n"
    assert command("list", "--all", "--json").json == []
    ran = command("delete", "no-such-id", "--json")
    assert (ran.status, ran.out) == (4, "[]\n")


@pytest.mark.parametrize("name", ["show", "pause", "resume", "delete", "run-now", "runs"])
def test_strangers_and_strays_have_statuses_of_their_own(command: Command, name: str) -> None:
    """5 for another user's schedule, 4 for none."""
    schedule = added(command)
    assert command(name, schedule, "--user", "stranger").status == 5
    if name != "runs":  # which remembers schedules that are gone
        assert command(name, "no-such-id").status == 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", "g"], "either --cron or --at"),
        (["add", "g", "-c", "@daily", "--at", "2099-01-01"], "either --cron or --at"),
        (["add", "g", "-c", "daily"], "Wrong number of fields; got 1, expected 5"),
        (["add", "g", "-c", "@daily", "-z", "Mars/Olympus"], "Unknown timezone"),
        (["add", "g", "-c", "@daily", "-i", "a"], "'a' is not KEY=VALUE"),
        (["add", "g", "-c", "@daily", "--inputs", "[]"], "--inputs is not a JSON object"),
        (["add", "g", "-c", "@daily", "--inputs", "{"], "--inputs is not JSON"),
        (["add", "g", "-c", "@daily", "--inputs", "@/nowhere"], "No such file"),
        (["add", "g", "-c", "@daily", "-g", "one"], "--graph-version"),
        (["add", "g", "-c", "@daily", "--credentials", '{"k": {}}'], "Field required"),
        (["list", "--nonsense"], "--nonsense"),
        (["frobnicate"], "frobnicate"),
        (["show"], "missing argument"),
    ],
)
def test_bad_input_is_one_line_and_status_2(command: Command, arguments: list[str], said: str) -> None:
    """On standard error, and nothing is done."""
    ran = command(*arguments)
    assert said.lower() in ran.complaint.lower()
    assert ran.status == 2


def test_names_can_not_act_on_the_terminal(command: Command) -> None:
    """What a user wrote is shown, not obeyed."""
    schedule = added(command, "-c", "@daily", "-n", "\x1b[31mred\x07")
    out = command("list").out + command("show", schedule).out
    assert "\\x1b[31mred\\x07" in out
    assert "\x1b" not in out
