"""What the pages show, and what their forms do."""

import re
from typing import Any

import httpx
import pytest

from adapters.memory.firings import MemoryFiringLedger
from adapters.memory.jobs import MemoryJobStore
from ports.errors import StoreUnavailable
from ports.firings import FiringState
from ports.jobs import UnreadableReason, UnreadableRow
from tests.contract.worlds import new_firing, outcome
from tests.page.serving import Elements, act
from tests.rpc.serving import ADD, NOW, World

SCRIPT = "<script>alert('x')</script><img src=x onerror=alert(1)>\"'&"


async def add(client: httpx.AsyncClient, **fields: Any) -> str:
    """Add a schedule and return its id."""
    answer = await client.post("/add_graph_execution_schedule", json={**ADD, **fields})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


async def fail(ledger: MemoryFiringLedger, job_id: str, **fields: Any) -> int:
    """Record a firing that came to nothing, and return its id."""
    ledger.replicas["one"] = 0
    (firing,) = ledger.insert(
        [new_firing(job_id, at=NOW, payload={"user_id": fields.pop("user_id", "u1"), "graph_id": "g1"})],
        store="execution",
        owner="one",
    )
    await ledger.settle([outcome(firing, fields.pop("state", FiringState.DEAD), **fields)], owner="one")
    return firing.id


def row_names(html: str) -> list[str]:
    """Return the names of the schedules in a list."""
    return re.findall(r'<th scope="row"><a href="/ui/schedule\?[^"]*">([^<]*)</a>', html)


async def test_an_empty_service_says_so_everywhere(client: httpx.AsyncClient) -> None:
    """And how to begin."""
    assert "Nothing is scheduled yet" in (await client.get("/ui")).text
    assert "Nothing is scheduled yet" in (await client.get("/ui/schedules")).text
    assert "Nothing has fired yet" in (await client.get("/ui/firings")).text


async def test_the_overview_counts_what_needs_a_person(
    client: httpx.AsyncClient, jobs: MemoryJobStore, ledger: MemoryFiringLedger
) -> None:
    """Each number leads to its list."""
    await fail(ledger, await add(client))
    jobs.rows_left_alone["odd"] = UnreadableRow("odd", UnreadableReason.QUARANTINED, "is odd")
    shown = (await client.get("/ui")).text
    for name, href in (("dead", "/ui/firings?state=dead"), ("quarantined", "/ui/left-alone?reason=quarantined")):
        assert re.search(rf'href="{re.escape(href)}"><b>1</b> <span>{name}</span>', shown), shown
        assert (await client.get(href)).status_code == 200
    assert "is odd" in (await client.get("/ui/left-alone?reason=quarantined")).text


async def test_the_overview_says_what_is_not_well(world: World, client: httpx.AsyncClient) -> None:
    """In the words that probes get."""
    world.stuck = "no tick for 90 s"
    world.state = {"ready": False, "database": "unavailable", "dispatch": "rpc", "receiver": "404 from it"}
    shown = (await client.get("/ui")).text
    assert shown.count('<li class="bad"><b>') >= 3
    assert "no tick for 90 s" in shown
    assert "404 from it" in shown


async def test_a_database_that_is_away_is_said_so(client: httpx.AsyncClient, jobs: MemoryJobStore) -> None:
    """With the page's own face, and 503."""
    jobs.fail_next(StoreUnavailable("away"))
    answer = await client.get("/ui/schedules")
    assert answer.status_code == 503
    assert "database does not answer" in answer.text


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["one", "two", "three"]),
        ("name=TW", ["two"]),
        ("name=nothing", []),
        ("user=u2", ["two"]),
        ("user=u2&name=one", []),
        ("graph=g3", ["three"]),
        ("id=i3", ["three"]),
        ("id=i3&user=u2", []),
        ("id=none", []),
        ("activity=paused", ["three"]),
        ("activity=active", ["one", "two"]),
        ("activity=active&name=three", []),
        ("activity=odd", ["one", "two", "three"]),
        ("name=%00", []),
    ],
)
async def test_schedules_are_found(client: httpx.AsyncClient, query: str, names: list[str]) -> None:
    """By user, graph, name, id and state; paused ones last."""
    await add(client, name="one", cron="0 1 * * *")
    await add(client, name="two", cron="0 2 * * *", user_id="u2")
    await add(client, name="three", cron="0 3 * * *", graph_id="g3", schedule_id="i3")
    await client.post("/pause_graph_execution_schedule", json={"schedule_id": "i3", "user_id": "u1"})
    answer = await client.get(f"/ui/schedules?{query}")
    assert (answer.status_code, row_names(answer.text)) == (200, names)


async def test_the_list_is_paged_by_cursor(client: httpx.AsyncClient) -> None:
    """Each schedule is on one page, though many share a due time."""
    for number in range(120):
        await add(client, name=f"n{number}", schedule_id=f"i{number:03}")
    found, path = [], "/ui/schedules"
    for _ in range(3):
        shown = (await client.get(path)).text
        found += row_names(shown)
        following = re.search(r'<a rel="next" href="([^"]*)"', shown)
        path = following[1].replace("&amp;", "&") if following else ""
    assert found == [f"n{number}" for number in range(120)]
    assert path == ""


@pytest.mark.parametrize("query", ["at=nonsense&after=x", "at=2026-01-01&after=x", "id=%ff"])
async def test_a_place_that_is_none_is_refused_not_broken(client: httpx.AsyncClient, query: str) -> None:
    """400 or an empty list."""
    assert (await client.get(f"/ui/schedules?{query}")).status_code in {200, 400}


async def test_everything_shown_is_escaped(client: httpx.AsyncClient, ledger: MemoryFiringLedger) -> None:
    """Names, ids, users, graphs, inputs, reasons, errors, codes, execution ids, cron: words of others."""
    schedule = await add(
        client,
        name=SCRIPT,
        user_id=SCRIPT,
        graph_id=SCRIPT,
        schedule_id=SCRIPT,
        input_data={SCRIPT: SCRIPT},
        input_credentials={SCRIPT: {"id": "c", "provider": SCRIPT, "title": SCRIPT, "type": "api_key"}},
    )
    paused = {"schedule_id": schedule, "user_id": SCRIPT, "reason": SCRIPT, "by": SCRIPT}
    assert (await client.post("/pause_graph_execution_schedule", json=paused)).status_code == 200
    firing = await fail(ledger, schedule, user_id=SCRIPT, error=SCRIPT, code=SCRIPT, execution_id=SCRIPT)
    query = httpx.QueryParams(
        {"id": schedule, "name": SCRIPT, "user": SCRIPT, "graph": SCRIPT, "cron": SCRIPT, "zone": SCRIPT}
    )
    actions = [f"/ui/schedule/act?action={name}&{query}" for name in ("pause", "resume", "run", "delete")]
    for path in (
        f"/ui/schedules?{query}",
        "/ui/schedules",
        f"/ui/schedule?{query}",
        f"/ui/schedule/input?{query}",
        f"/ui/firings?{query}",
        "/ui/firings",
        f"/ui/firing?id={firing}",
        f"/ui/firing/resend?id={firing}",
        f"/ui/cron?{query}",
        f"/ui/login?next={query['name']}",
        f"/ui/schedule?id={query['name']}x",
        *actions,
    ):
        shown = await client.get(path)
        assert "<script>alert" not in shown.text, path
        elements = Elements(shown.text)
        assert [tag.get("src") for tag in elements.of("script") if "/ui/page.js" not in str(tag.get("src"))] == []
        assert elements.of("img") == []
        assert [tag for tag, attributes in elements.tags if any(name.startswith("on") for name in attributes)] == []


async def test_pages_load_from_here_and_carry_no_script_or_style(client: httpx.AsyncClient) -> None:
    """So the policy holds and the service needs no network."""
    schedule = await add(client)
    for path in ("/ui", "/ui/schedules", f"/ui/schedule?id={schedule}", "/ui/firings", "/ui/cron?cron=@daily"):
        elements = Elements((await client.get(path)).text)
        loaded = [tag.get("src") or tag.get("href") for name in ("script", "link") for tag in elements.of(name)]
        assert all(str(address).startswith("/ui/") for address in loaded)
        assert elements.of("style") == []
        assert [attributes for _, attributes in elements.tags if "style" in attributes] == []


async def test_pages_can_be_heard(client: httpx.AsyncClient, ledger: MemoryFiringLedger) -> None:
    """Landmarks, one heading, labels for fields, scopes for table headers, words for pictures."""
    schedule = await add(client)
    await fail(ledger, schedule)
    for path in ("/ui", "/ui/schedules", f"/ui/schedule?id={schedule}", "/ui/firings", "/ui/cron?cron=@daily"):
        shown = (await client.get(path)).text
        elements = Elements(shown)
        assert [len(elements.of(name)) for name in ("main", "nav", "header", "footer", "h1")] == [1] * 5, path
        assert all("scope" in attributes for attributes in elements.of("th")), path
        assert all(tag.get("role") == "img" or "aria-hidden" in tag for tag in elements.of("svg")), path
        fields = [tag for tag in elements.of("input") if tag.get("type") != "hidden"] + elements.of("select")
        assert len(fields) == len(elements.of("label")), path
        assert elements.of("html")[0]["lang"] == "en"


async def test_a_schedule_shows_what_it_is_and_keeps_its_input_folded(client: httpx.AsyncClient) -> None:
    """Credentials are named by provider and title, never by id; input comes when it is asked for."""
    schedule = await add(
        client,
        input_data={"topic": "folded away"},
        input_credentials={"key": {"id": "secret-id", "provider": "github", "title": "Mine", "type": "api_key"}},
    )
    shown = (await client.get(f"/ui/schedule?id={schedule}")).text
    assert "At 09:00, on Mondays" in shown
    assert shown.count("<li><time") == 10
    assert "github" in shown
    assert "Mine" in shown
    assert "secret-id" not in shown
    assert "folded away" not in shown
    asked = (await client.get(f"/ui/schedule/input?id={schedule}")).text
    assert "folded away" in asked
    assert "secret-id" not in asked


async def test_a_long_input_is_cut(client: httpx.AsyncClient) -> None:
    """A browser has enough with the beginning."""
    schedule = await add(client, input_data={"text": "x" * 200_000})
    asked = await client.get(f"/ui/schedule/input?id={schedule}")
    assert len(asked.text) < 80_000
    assert "It is longer" in asked.text


@pytest.mark.parametrize("path", ["/ui/schedule", "/ui/schedule/input", "/ui/schedule/act?action=run"])
@pytest.mark.parametrize("schedule", ["", "nobody's", "%00", "%ff"])
async def test_a_schedule_that_is_not_there_is_a_404(client: httpx.AsyncClient, path: str, schedule: str) -> None:
    """Nothing breaks."""
    joint = "&" if "?" in path else "?"
    assert (await client.get(f"{path}{joint}id={schedule}")).status_code in {404, 400}


async def test_pausing_tells_why_and_by_whom(world: World, client: httpx.AsyncClient) -> None:
    """Its owner sees it over RPC; and resuming ends it."""
    schedule = await add(client)
    path, confirm = "/ui/schedule/act", f"/ui/schedule/act?id={schedule}&action="
    done = await act(client, path, confirm + "pause", action="pause", id=schedule, reason="Too loud")
    shown = (await client.get(done.headers["location"])).text
    assert "Too loud" in shown
    assert "an operator, on the page" in shown
    job = await world.jobs.get(schedule)
    assert job is not None
    assert job.next_run_at is None
    await act(client, path, confirm + "resume", action="resume", id=schedule)
    job = await world.jobs.get(schedule)
    assert job is not None
    assert job.next_run_at is not None


async def test_run_now_and_backfill_send_runs(client: httpx.AsyncClient, ledger: MemoryFiringLedger) -> None:
    """The confirmation says how many; what has run is not run again."""
    schedule = await add(client, cron="0 * * * *")
    path, confirm = "/ui/schedule/act", f"/ui/schedule/act?id={schedule}&action="
    await act(client, path, confirm + "run", action="run", id=schedule)
    assert len(ledger.entries) == 1
    window = {"from": "2026-11-23T00:00", "to": "2026-11-23T06:00"}
    asked = confirm + f"backfill&from={window['from']}&to={window['to']}"
    assert "it was due 6 times" in (await client.get(asked)).text
    for added in (6, 0):
        done = await act(client, path, asked, action="backfill", id=schedule, **window)
        assert f"{added} of 6 due times" in (await client.get(done.headers["location"])).text
    assert len(ledger.entries) == 7


@pytest.mark.parametrize("window", ["", "&from=2026-11-23T00:00", "&from=x&to=y", "&from=2026-01-01&to=2099-01-01"])
async def test_a_window_that_is_none_is_refused(client: httpx.AsyncClient, window: str) -> None:
    """With the use case's own words."""
    schedule = await add(client)
    assert (await client.get(f"/ui/schedule/act?id={schedule}&action=backfill{window}")).status_code == 400


async def test_a_dead_firing_is_sent_again(client: httpx.AsyncClient, ledger: MemoryFiringLedger) -> None:
    """Once; what waits already is not."""
    firing = await fail(ledger, await add(client), error="it broke")
    assert "it broke" in (await client.get(f"/ui/firing?id={firing}")).text
    path, confirm = "/ui/firing/resend", f"/ui/firing/resend?id={firing}"
    done = await act(client, path, confirm, id=str(firing))
    assert done.status_code == 303
    assert ledger.entries[firing].record.state is FiringState.WAITING
    assert (await act(client, path, confirm, id=str(firing))).status_code == 400


@pytest.mark.parametrize("firing", ["", "0", "7", "-1", "x", "9" * 30, "9223372036854775807"])
async def test_a_firing_that_is_not_there_is_said_so(client: httpx.AsyncClient, firing: str) -> None:
    """Nothing breaks."""
    answer = await client.get(f"/ui/firing?id={firing}")
    assert (answer.status_code, "no such firing" in answer.text) == (400, True)


async def test_firings_are_filtered_and_paged(client: httpx.AsyncClient, ledger: MemoryFiringLedger) -> None:
    """Newest first."""
    for number in range(60):
        state = FiringState.FAILED if number % 2 else FiringState.DEAD
        await fail(ledger, f"job{number}", state=state, user_id=f"u{number % 3}")

    def ids(html: str) -> list[int]:
        return [int(found) for found in re.findall(r'href="/ui/firing\?id=(\d+)"', html)]

    first = (await client.get("/ui/firings")).text
    assert ids(first) == list(range(60, 10, -1))
    older = re.search(r'<a rel="next" href="([^"]*)"', first)
    assert older is not None
    assert ids((await client.get(older[1].replace("&amp;", "&"))).text) == list(range(10, 0, -1))
    assert ids((await client.get("/ui/firings?state=failed")).text) == list(range(60, 0, -2))
    assert ids((await client.get("/ui/firings?user=u0")).text) == list(range(58, 0, -3))
    assert ids((await client.get("/ui/firings?schedule=job4")).text) == [5]
    assert ids((await client.get("/ui/firings?before=3")).text) == [2, 1]


async def test_the_bench_points_at_what_is_wrong(client: httpx.AsyncClient) -> None:
    """At the column, or at the zone."""
    shown = (await client.get("/ui/cron?cron=0 25 * * *")).text
    assert re.search(r'<td class="wrong"><code>25</code>', shown)
    assert "the last value (25) is higher" in shown
    assert 'aria-invalid="true"' in (await client.get("/ui/cron?cron=@daily&zone=Mars")).text


async def test_other_methods_and_paths_are_refused(client: httpx.AsyncClient) -> None:
    """As everywhere in this service."""
    assert (await client.post("/ui")).status_code == 405
    assert (await client.get("/ui/nothing")).status_code == 404
    assert (await client.post("/ui/schedule/act", data={"id": "x" * 100_000})).status_code == 413
