"""Who may delete what."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from domain.authorization import only_owner, require_owner
from domain.errors import NotAuthorizedError
from ports.jobs import Job, JobKind
from ports.triggers import CronTrigger, IntervalTrigger

SCHEDULE = Job(
    id="s1",
    kind=JobKind.EXECUTE_GRAPH,
    name="execute_graph",
    trigger=CronTrigger(timezone="UTC", minute="0", hour="9"),
    kwargs={
        "user_id": "u1",
        "graph_id": "g1",
        "graph_version": 1,
        "cron": "0 9 * * *",
        "input_data": {},
        "input_credentials": {},
    },
    next_run_at=datetime(2026, 11, 24, 9, tzinfo=UTC),
)


def test_the_owner_gets_what_the_schedule_runs() -> None:
    """The owner is let through and gets the schedule's validated arguments."""
    assert require_owner(SCHEDULE, "u1").graph_id == "g1"


@pytest.mark.parametrize("stranger", ["u2", "", "U1", "u1 ", "u1\0"])
def test_anybody_else_is_refused(stranger: str) -> None:
    """A user id that is not exactly the owner's is refused, however near it comes."""
    with pytest.raises(NotAuthorizedError, match="User ID does not match the job's user ID"):
        only_owner(stranger)(SCHEDULE)


def test_a_refusal_names_neither_schedule_nor_user() -> None:
    """A stranger learns nothing of the schedule from the refusal, while the log can tell who asked for what."""
    with pytest.raises(NotAuthorizedError) as caught:
        require_owner(SCHEDULE, "u2")
    assert caught.value.args == ("User ID does not match the job's user ID",)
    assert (caught.value.job_id, caught.value.user_id) == ("s1", "u2")


def test_a_system_task_without_a_users_arguments_fails_to_validate() -> None:
    """A system task has no owner: its empty kwargs are refused in pydantic's words, as recorded."""
    task = replace(
        SCHEDULE,
        kind=JobKind.CLEANUP_EXPIRED_FILES,
        trigger=IntervalTrigger(
            interval=timedelta(hours=6), start_at=datetime(2026, 11, 23, tzinfo=UTC), timezone="UTC"
        ),
        kwargs={},
    )
    with pytest.raises(ValidationError, match="5 validation errors for GraphExecutionJobArgs"):
        require_owner(task, "u1")


def test_a_system_task_that_looks_like_a_schedule_is_nobodys() -> None:
    """Kwargs that name a user make nobody the owner of a job that runs no graph."""
    with pytest.raises(NotAuthorizedError):
        require_owner(replace(SCHEDULE, kind=JobKind.PROCESS_EXISTING_BATCHES), "u1")
