"""Pausing, running by hand, back-filling and limits, on the service as operators run it."""

from pathlib import Path
from typing import Any

from tests.integration.test_service import Receiver, database, eventually, firings, make_due, receiver, settings
from tests.running import RunningService

__all__ = ["database", "receiver"]  # fixtures

NEVER = "0 0 1 1 *"


def answer(service: RunningService, method: str, **arguments: Any) -> Any:
    """Return the answer to a call that succeeds."""
    response = service.call(method, **arguments)
    assert response.status_code == 200, response.text
    return response.json()


def test_a_paused_schedule_runs_by_hand_and_not_by_itself(
    tmp_path: Path, database: str, receiver: Receiver
) -> None:
    """Run now reaches the receiver at once, from a replica that sleeps; its notes reach nobody."""
    service = RunningService(tmp_path, settings(database, receiver)).wait_until_ready()
    own = {"schedule_id": service.add(cron=NEVER, schedule_id="mine")["id"], "user_id": "u"}
    answer(service, "pause_graph_execution_schedule", **own, reason="a secret of mine")
    run = answer(service, "run_graph_execution_schedule_now", **own)
    receiver.wait_for(1, seconds=5)
    key, body = receiver.calls[0]
    assert key == run["idempotency_key"]
    assert set(body) == {"user_id", "graph_id", "graph_version", "inputs", "graph_credentials_inputs"}
    eventually(lambda: firings(database) == [("mine", "succeeded", 1)])
    (shown,) = answer(service, "get_schedule_firings", **own)
    assert (shown["state"], shown["execution_id"]) == ("succeeded", "execution-1")
    assert service.schedules() == []
    resumed = answer(service, "resume_graph_execution_schedule", **own)
    assert resumed["changed"]
    make_due(database, "mine")
    receiver.wait_for(2)
    assert service.stop() == 0
    assert "a secret of mine" not in service.log.read_text()


def test_a_backfill_reaches_the_receiver_once_for_each_due_time(
    tmp_path: Path, database: str, receiver: Receiver
) -> None:
    """Asked for twice, it is done once, in every key a due time of the past."""
    service = RunningService(tmp_path, settings(database, receiver)).wait_until_ready()
    own = {"schedule_id": service.add(cron="0 9 * * *")["id"], "user_id": "u"}
    window = {"from": "2026-01-01T00:00:00", "to": "2026-01-31T00:00:00"}
    assert answer(service, "backfill_graph_execution_schedule", **own, **window)["added"] == 30
    assert answer(service, "backfill_graph_execution_schedule", **own, **window)["added"] == 0
    receiver.wait_for(30)
    eventually(lambda: {state for _, state, _ in firings(database)} == {"succeeded"})
    keys = {f"{own['schedule_id']}:2026-01-{day:02}T09:00:00Z" for day in range(1, 31)}
    assert sorted(key for key, _ in receiver.calls) == sorted(keys)
    assert service.stop() == 0


def test_a_schedule_whose_graph_is_gone_is_paused(tmp_path: Path, database: str, receiver: Receiver) -> None:
    """After as many refusals as the setting says, with the reason; other users' schedules go on."""
    receiver.refusal = {"type": "NotFoundError", "args": ["Graph #g not found."]}
    options = settings(database, receiver, SCHEDULER_PAUSE_AFTER_GONE="2")
    service = RunningService(tmp_path, options).wait_until_ready()
    gone, other = service.add(cron=NEVER)["id"], service.add(user_id="v", cron=NEVER)["id"]
    make_due(database, gone, other)
    eventually(lambda: sorted(state for _, state, _ in firings(database)) == ["failed", "failed"])
    assert len(service.schedules()) == 2
    make_due(database, gone)
    eventually(lambda: [schedule["id"] for schedule in service.schedules()] == [other])
    shown = answer(service, "get_graph_execution_schedule", schedule_id=gone, user_id="u")
    assert (shown["paused"], shown["paused_by"]) == (True, "scheduler")
    assert "2 runs in a row" in shown["paused_reason"]
    codes = {firing["code"] for firing in answer(service, "get_schedule_firings", user_id="u")}
    assert codes == {"target_gone"}
    assert service.stop() == 0


def test_a_users_limits_are_the_operators(tmp_path: Path, database: str) -> None:
    """A refusal is a ValueError that says the limit."""
    limits = {"SCHEDULER_MAX_SCHEDULES_PER_USER": "1", "SCHEDULER_MIN_INTERVAL_SECS": "3600"}
    service = RunningService(tmp_path, settings(database, None, **limits)).wait_until_ready()
    arguments = {"user_id": "u", "graph_id": "g", "graph_version": 1, "input_data": {}, "input_credentials": {}}

    def refusal(cron: str) -> tuple[int, Any]:
        response = service.call("add_graph_execution_schedule", **arguments, cron=cron)
        return response.status_code, response.json()

    status, body = refusal("*/30 * * * *")
    assert (status, body["type"]) == (400, "ValueError")
    assert "3600 seconds" in body["args"][0]
    service.add(cron=NEVER)
    status, body = refusal(NEVER)
    assert (status, body["type"]) == (400, "ValueError")
    assert "may have 1 schedules" in body["args"][0]
    assert len(service.schedules()) == 1
    assert service.stop() == 0
