"""Health, readiness, metrics and documentation."""

import re
from html.parser import HTMLParser

import httpx
import pytest

from tests.rpc.serving import World

RPC = {
    "/add_graph_execution_schedule",
    "/delete_graph_execution_schedule",
    "/get_graph_execution_schedules",
    "/get_graph_execution_schedule",
    "/update_graph_execution_schedule",
    "/pause_graph_execution_schedule",
    "/resume_graph_execution_schedule",
    "/run_graph_execution_schedule_now",
    "/backfill_graph_execution_schedule",
    "/preview_schedule",
    "/get_schedule_firings",
    "/resend_schedule_firing",
    "/execute_process_existing_batches",
    "/execute_process_weekly_summary",
    "/execute_report_late_executions",
    "/execute_report_block_error_rates",
    "/execute_cleanup_expired_files",
}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/health_check", "/health_check_async"])
@pytest.mark.parametrize("body", [b"", b"{}", b"not json", b"\xff"])
async def test_health_is_ok_whatever_is_sent(
    client: httpx.AsyncClient, method: str, path: str, body: bytes
) -> None:
    """Clients gate on the JSON string."""
    answer = await client.request(method, path, content=body)
    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (200, '"OK"', "application/json")


async def test_health_fails_while_the_engine_is_stuck(world: World, client: httpx.AsyncClient) -> None:
    """503 with a typed error that says why, and OK again afterwards."""
    world.stuck = "no tick for 90 s"
    answer = await client.get("/health_check")
    assert (answer.status_code, answer.json()) == (503, {"type": "RuntimeError", "args": ["no tick for 90 s"]})
    world.stuck = None
    assert (await client.get("/health_check")).status_code == 200


@pytest.mark.parametrize(("ready", "status"), [(True, 200), (False, 503)])
async def test_ready_shows_the_same_whatever_its_status(
    world: World, client: httpx.AsyncClient, *, ready: bool, status: int
) -> None:
    """The status repeats what `ready` says."""
    world.state = {"ready": ready, "database": "up", "backfill": "running"}
    answer = await client.get("/ready")
    assert (answer.status_code, answer.json()) == (status, world.state)


async def test_metrics_come_as_given(client: httpx.AsyncClient) -> None:
    """Text and content type are the provider's."""
    answer = await client.get("/metrics")
    assert answer.text == "scheduler_up 1.0\n"
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")


async def test_the_schema_describes_every_endpoint(client: httpx.AsyncClient) -> None:
    """Each call has a summary, a description, its body, its answer and its refusals."""
    answer = await client.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    document = answer.json()
    assert set(document["paths"]) >= RPC | {"/health_check", "/ready", "/metrics"}
    for path in RPC:
        call = document["paths"][path]["post"]
        assert call["summary"]
        assert call["description"].endswith(".")
        assert call["requestBody"]["required"] is True
        assert set(call["responses"]) >= {"200", "400", "422", "500"}
    operations = [operation for item in document["paths"].values() for operation in item.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))


async def test_the_schemas_fields_have_types_and_examples(client: httpx.AsyncClient) -> None:
    """What an add takes can be read off the schema."""
    schemas = (await client.get("/openapi.json")).json()["components"]["schemas"]
    fields = schemas["AddGraphExecutionSchedule"]["properties"]
    assert list(fields)[:3] == ["user_id", "graph_id", "graph_version"]
    assert all("examples" in field for field in fields.values())
    assert fields["graph_version"]["type"] == "integer"
    assert set(schemas["GraphExecutionJobInfo"]["required"]) >= {"id", "name", "next_run_time"}


class _Links(HTMLParser):
    """Collects what a page would load or lead to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of a reference."""
        self.found += [f"{tag} {value}" for name, value in attrs if name in {"src", "href"}]


async def test_the_page_shows_every_endpoint_and_loads_nothing(client: httpx.AsyncClient) -> None:
    """The documentation works without a network."""
    answer = await client.get("/docs")
    assert answer.headers["content-type"].startswith("text/html")
    assert all(path in answer.text for path in RPC)
    links = _Links()
    links.feed(answer.text)
    assert links.found == ["a /openapi.json"]
    assert "<script" not in answer.text
    assert not re.search(r"url\(|@import", answer.text)
