"""Who may look at the page and who may act on it."""

from http.cookies import SimpleCookie

import httpx
import pytest

from tests.page.serving import TOKEN, act, form_token, over_memory
from tests.rpc.serving import ADD, World, in_process

DELETE = "/ui/schedule/act?action=delete&id="


async def a_schedule(world: World) -> str:
    """Store one and return its id."""
    async with in_process(world.app()) as client:
        added = await client.post("/add_graph_execution_schedule", json=ADD)
    return str(added.json()["id"])


def cookie_of(response: httpx.Response) -> tuple[str, SimpleCookie]:
    """Return the page's cookie, as it was sent and as it was parsed."""
    text = response.headers["set-cookie"]
    return text, SimpleCookie(text)


async def test_without_a_page_there_is_none(world: World) -> None:
    """As with a platform's database unless the operator says so."""
    async with in_process(world.app()) as client:
        assert (await client.get("/ui")).status_code == 404


async def test_in_the_embedded_mode_anybody_may_act(world: World, client: httpx.AsyncClient) -> None:
    """With a form of the page's own."""
    schedule = await a_schedule(world)
    done = await act(client, "/ui/schedule/act", DELETE + schedule, action="delete", id=schedule)
    assert (done.status_code, done.headers["location"]) == (303, "/ui/schedules?deleted=yes")
    assert await world.jobs.get(schedule) is None


async def test_with_a_platforms_database_and_no_token_the_page_is_read_only(world: World) -> None:
    """It says why, shows no buttons, and refuses forms."""
    schedule = await a_schedule(world)
    async with in_process(over_memory(world, embedded=False).app()) as client:
        shown = await client.get(f"/ui/schedule?id={schedule}")
        assert "Read-only" in shown.text
        assert "SCHEDULER_RPC_TOKEN" in shown.text
        assert "action=delete" not in shown.text
        asked = await client.get(DELETE + schedule)
        assert "<form" not in asked.text
        refused = await client.post("/ui/schedule/act", data={"action": "delete", "id": schedule})
    assert refused.status_code == 403
    assert await world.jobs.get(schedule) is not None


@pytest.mark.parametrize("path", ["/ui", "/ui/schedules", "/ui/schedule?id=x", "/ui/firings", "/ui/cron"])
async def test_with_a_token_the_page_asks_for_it_first(world: World, path: str) -> None:
    """And comes back to where one wanted to go."""
    async with in_process(over_memory(world, token=TOKEN, embedded=False).app()) as client:
        sent_on = await client.get(path)
        assert sent_on.status_code == 303
        asked = await client.get(sent_on.headers["location"])
        assert asked.status_code == 200
        wrong = await client.post("/ui/login", data={"token": "wrong", "next": path})
        assert (wrong.status_code, "set-cookie" in wrong.headers) == (403, False)
        assert (await client.get(path)).status_code == 303
        right = await client.post("/ui/login", data={"token": TOKEN, "next": path})
        assert (right.status_code, right.headers["location"]) == (303, path)
        assert (await client.get(path)).status_code != 303


async def test_the_cookie_is_strict_and_does_not_hold_the_token(world: World) -> None:
    """No script reads it, no other site sends it, and who reads it has no token."""
    async with in_process(over_memory(world, token=TOKEN).app()) as client:
        text, cookie = cookie_of(await client.post("/ui/login", data={"token": TOKEN}))
    morsel = cookie["scheduler_page"]
    assert morsel["httponly"]
    assert (morsel["samesite"].lower(), morsel["path"]) == ("strict", "/ui")
    assert TOKEN not in text
    assert "secure" not in text.lower()


async def test_over_https_the_cookie_stays_there(world: World) -> None:
    """A browser then never sends it in the clear."""
    transport = httpx.ASGITransport(app=over_memory(world, token=TOKEN).app())  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="https://scheduler") as client:
        answer = await client.post("/ui/login", data={"token": TOKEN})
    assert "secure" in answer.headers["set-cookie"].lower()


@pytest.mark.parametrize(
    "cookie",
    ["", "x", "9999999999.nonce.", "9999999999.nonce.0000", "a.b.c", "9999999999.nonce.%ff", "..", "é.é.é"],
)
async def test_a_cookie_that_was_not_signed_here_is_none(world: World, cookie: str) -> None:
    """Whatever it looks like."""
    async with in_process(over_memory(world, token=TOKEN).app()) as client:
        sent = f"scheduler_page={cookie}".encode()
        assert (await client.get("/ui", headers={b"cookie": sent})).status_code == 303


async def test_a_session_of_another_token_is_over(world: World) -> None:
    """So to change the token logs everybody out."""
    async with in_process(over_memory(world, token="old").app()) as client:
        await client.post("/ui/login", data={"token": "old"})
        session = client.cookies["scheduler_page"]
    async with in_process(over_memory(world, token=TOKEN).app()) as client:
        client.cookies["scheduler_page"] = session
        assert (await client.get("/ui")).status_code == 303


async def test_logging_out_ends_the_session_in_this_browser(world: World) -> None:
    """By a form, so that no link does it."""
    async with in_process(over_memory(world, token=TOKEN).app()) as client:
        await client.post("/ui/login", data={"token": TOKEN})
        page = await client.get("/ui")
        assert (await client.get("/ui/logout")).status_code == 405
        out = await client.post("/ui/logout", data={"form_token": form_token(page.text)})
        assert out.status_code == 303
        assert (await client.get("/ui")).status_code == 303


@pytest.mark.parametrize("carried", ["", "0" * 64, "é"])
async def test_a_form_without_its_token_changes_nothing(
    world: World, client: httpx.AsyncClient, carried: str
) -> None:
    """Another site can make a browser send a form, but not this."""
    schedule = await a_schedule(world)
    await client.get("/ui")
    sent = {"action": "delete", "id": schedule, "form_token": carried}
    assert (await client.post("/ui/schedule/act", data=sent)).status_code == 403
    assert await world.jobs.get(schedule) is not None


async def test_a_form_of_another_session_changes_nothing(world: World, client: httpx.AsyncClient) -> None:
    """Its token is signed over this one's cookie."""
    schedule = await a_schedule(world)
    async with in_process(over_memory(world).app()) as other:
        theirs = form_token((await other.get(DELETE + schedule)).text)
    await client.get("/ui")
    sent = {"action": "delete", "id": schedule, "form_token": theirs}
    assert (await client.post("/ui/schedule/act", data=sent)).status_code == 403
    assert await world.jobs.get(schedule) is not None


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_what_a_browser_says_comes_from_elsewhere_is_refused(
    world: World, client: httpx.AsyncClient, site: str
) -> None:
    """Even with the right token."""
    schedule = await a_schedule(world)
    carried = form_token((await client.get(DELETE + schedule)).text)
    sent = {"action": "delete", "id": schedule, "form_token": carried}
    refused = await client.post("/ui/schedule/act", data=sent, headers={"sec-fetch-site": site})
    assert refused.status_code == 403
    assert await world.jobs.get(schedule) is not None


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example", "//evil.example", "/uix", "/ui/\\evil", "/docs", "", "/ui\r\nx: y"]
)
async def test_a_login_leads_nowhere_else(world: World, elsewhere: str) -> None:
    """An address in `next` is one of the page's or none."""
    async with in_process(over_memory(world, token=TOKEN).app()) as client:
        answer = await client.post("/ui/login", data={"token": TOKEN, "next": elsewhere})
    assert answer.headers["location"] == "/ui"


@pytest.mark.parametrize(
    "path", ["/ui", "/ui/page.js", "/ui/page.css", "/ui/cron", "/ui/schedule?id=no", "/ui/firing"]
)
async def test_every_answer_keeps_a_browser_from_everything_else(client: httpx.AsyncClient, path: str) -> None:
    """Refusals included."""
    headers = (await client.get(path)).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in policy


async def test_the_rpc_keeps_asking_for_its_own_token(world: World) -> None:
    """A session of the page opens nothing else."""
    async with in_process(over_memory(world, token=TOKEN).app()) as client:
        await client.post("/ui/login", data={"token": TOKEN})
        assert (await client.post("/get_graph_execution_schedules", json={})).status_code == 401
        assert (await client.get("/metrics")).status_code == 401
