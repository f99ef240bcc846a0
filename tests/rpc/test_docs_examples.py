"""The documentation's commands, run as a reader would paste them."""

import html
import re
import shutil
import subprocess

import pytest

from tests.running import RunningService

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")


def test_every_command_runs_as_it_stands(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Against what `make run` starts, from top to bottom; where nobody but neighbours is missing it succeeds."""
    service = RunningService(tmp_path_factory.mktemp("embedded"), {})
    try:
        service.wait_until_ready()
        page = service.client.get("/docs").text
        commands = [html.unescape(found) for found in re.findall(r"<pre>(curl .*?)</pre>", page, re.DOTALL)]
        statuses = {}
        for command in commands:
            told = subprocess.run(
                ["bash", "-c", f"{command} -o /dev/null -w '%{{http_code}}'"],
                capture_output=True,
                text=True,
                check=True,
            )
            statuses[re.search(r"://[^/]+(/\S+)", command)[1]] = int(told.stdout)  # type: ignore[index]
    finally:
        service.stop()
    assert len(commands) >= 18
    assert next(iter(statuses)) == "/add_graph_execution_schedule"
    needs_neighbours = {path for path in statuses if path.startswith("/execute_")}
    assert statuses.pop("/resend_schedule_firing") == 400  # where nothing went wrong yet, nothing can be sent again
    assert {
        path: status for path, status in statuses.items() if status != 200 and path not in needs_neighbours
    } == {}
    assert {status for path, status in statuses.items() if path in needs_neighbours} <= {200, 500, 503}
