"""The page as people use it: the service, its database, and a real browser."""

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import psycopg2
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.page.browsing import CHROMIUM, Watch, browser
from tests.page.test_pages import SCRIPT
from tests.postgres import SCHEMA, plain, session_server
from tests.running import RunningService, direct_url

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no browser here: install Debian's chromium")

TOKEN = "token-1"
PAGES = ("/ui", "/ui/schedules", "/ui/firings", "/ui/cron?cron=0+9+*+*+1", "/ui/left-alone")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Return a browser for all of these tests."""
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """Return the URL of a fresh, migrated database."""
    url = session_server().new_database()
    yield url
    session_server().drop(url)


@pytest.fixture(scope="module")
def service(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Return the service on it, as an operator runs it who wants the page."""
    settings = {
        "DIRECT_URL": direct_url(database),
        "SCHEDULER_DISPATCH": "python:tests.page.receiver:start",
        "SCHEDULER_PAGE": "on",
        "SCHEDULER_RPC_TOKEN": TOKEN,
        "SCHEDULER_TIMEZONE": "UTC",
    }
    running = RunningService(tmp_path_factory.mktemp("service"), settings)
    try:
        running.client.headers["authorization"] = f"Bearer {TOKEN}"
        yield running.wait_until_ready()
    finally:
        status = running.stop()
    assert status == 0


@pytest.fixture(scope="module")
def logged_in(chromium: Browser, service: RunningService) -> BrowserContext:
    """Return a context in which the token has been entered."""
    context = chromium.new_context(base_url=service.url, timezone_id="Asia/Tokyo", locale="en-GB")
    page = context.new_page()
    page.goto("/ui/schedules")
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/ui/schedules")
    page.close()
    return context


@pytest.fixture
def page(logged_in: BrowserContext, service: RunningService) -> Iterator[Page]:
    """Return a page on which nothing untoward may happen."""
    opened = logged_in.new_page()
    opened.set_default_timeout(10_000)
    watch = Watch(opened, service.url)
    yield opened
    opened.close()
    assert watch.seen == []


def rows(database: str, query: str, *parameters: object) -> list[tuple[Any, ...]]:
    """Return what the database holds."""
    connection = psycopg2.connect(plain(database))
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(query.replace("{s}", SCHEMA), parameters)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def states(database: str, schedule: str) -> list[str]:
    """Return the states of a schedule's firings."""
    query = "SELECT state FROM {s}.scheduler_firings WHERE job_id = %s ORDER BY id"
    return [state for (state,) in rows(database, query, schedule)]


def wait_for(condition: Any, wanted: object) -> None:
    """Return once `condition` gives what is wanted."""
    end = time.monotonic() + 10
    while (found := condition()) != wanted:
        assert time.monotonic() < end, found
        time.sleep(0.05)


def add(service: RunningService, **fields: Any) -> str:
    """Add a schedule that does not run by itself during these tests."""
    return str(service.add(cron="0 4 1 1 *", **fields)["id"])


def button(page: Page, name: str) -> Locator:
    """Return what looks like a button, be it a link or one."""
    return page.get_by_role("link", name=name, exact=True).or_(page.get_by_role("button", name=name, exact=True))


def confirmed(page: Page, name: str) -> None:
    """Click an action and what confirms it."""
    button(page, name).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(name)
    page.locator("main").get_by_role("button", name=name, exact=True).click()


def test_the_token_is_asked_for_and_kept_from_scripts(chromium: Browser, service: RunningService) -> None:
    """A wrong one is refused; the right one leads to where one wanted to go; logging out ends it."""
    context = chromium.new_context(base_url=service.url)
    page = context.new_page()
    watch = Watch(page, service.url)
    page.goto("/ui/cron?cron=@daily")
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_have_text("That is not the token.")
    assert watch.seen == ["console: Failed to load resource: the server responded with a status of 403 (Forbidden)"]
    page.get_by_label("Token").fill(TOKEN)
    page.keyboard.press("Enter")
    page.wait_for_url("**/ui/cron?cron=@daily")
    assert page.evaluate("document.cookie") == ""
    (cookie,) = context.cookies()
    assert (cookie.get("httpOnly"), cookie.get("sameSite")) == (True, "Strict")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Log in")
    context.close()
    assert len(watch.seen) == 1


def test_pausing_and_resuming_are_confirmed_and_done(page: Page, service: RunningService, database: str) -> None:
    """Found by its name, with a reason for its owner."""
    schedule = add(service, user_id="alice", name="Night report")
    query = "SELECT next_run_time FROM {s}.apscheduler_jobs WHERE id = %s"
    page.goto("/ui")
    page.get_by_role("link", name="Schedules", exact=True).click()
    page.get_by_label("Name contains").fill("night REP")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="Night report").click()
    expect(page.get_by_role("list").filter(has_text="2027-01-01")).to_contain_text("yours:")
    page.get_by_role("link", name="Pause").click()
    expect(page.locator("main")).to_contain_text("It is alice's")
    page.get_by_label("Why").fill("Too <b>loud</b>")
    page.locator("main").get_by_role("button", name="Pause").click()
    expect(page.get_by_role("status")).to_contain_text("Paused")
    expect(page.locator(".paused-note")).to_contain_text("Too <b>loud</b>")
    assert rows(database, query, schedule) == [(None,)]
    confirmed(page, "Resume")
    expect(page.get_by_role("status")).to_contain_text("Resumed")
    assert rows(database, query, schedule) != [(None,)]


def test_run_now_fires_and_delete_removes(page: Page, service: RunningService, database: str) -> None:
    """One click is one run; what is deleted is gone from the table."""
    schedule = add(service, name="Once more")
    page.goto(f"/ui/schedule?id={schedule}")
    confirmed(page, "Run now")
    wait_for(lambda: states(database, schedule), ["succeeded"])
    page.reload()
    expect(page.locator("table .state.succeeded")).to_have_count(1)
    confirmed(page, "Delete")
    expect(page.get_by_role("status")).to_have_text("Deleted.")
    assert rows(database, "SELECT id FROM {s}.apscheduler_jobs WHERE id = %s", schedule) == []


def test_a_backfill_says_what_it_will_do_and_does_it_once(
    page: Page, service: RunningService, database: str
) -> None:
    """What has run is not run again."""
    schedule = str(service.add(cron="0 5 * * *", name="Missed")["id"])
    for added in (3, 0):
        page.goto(f"/ui/schedule?id={schedule}")
        page.get_by_text("Back-fill what was missed").click()
        page.get_by_label("From").fill("2026-01-01T00:00")
        page.get_by_label("Until").fill("2026-01-04T00:00")
        page.get_by_role("button", name="See what it would do").click()
        expect(page.locator("main")).to_contain_text("it was due 3 times")
        page.locator("main").get_by_role("button", name="Back-fill").click()
        expect(page.get_by_role("status")).to_contain_text(f"{added} of 3 due times")
    wait_for(lambda: states(database, schedule), ["succeeded"] * 3)
    page.reload()
    expect(page.locator("svg.strip rect.succeeded")).to_have_count(3)


def test_input_is_fetched_when_it_is_unfolded(page: Page, service: RunningService) -> None:
    """Not before, and once."""
    schedule = add(service, input_data={"topic": SCRIPT})
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url) if "/input" in request.url else None)
    page.goto(f"/ui/schedule?id={schedule}")
    assert fetched == []
    for _ in range(3):
        page.get_by_text("1 field").click()
    expect(page.locator(".fetched pre")).to_contain_text("<script>alert('x')</script>")
    assert len(fetched) == 1


def test_what_others_wrote_is_shown_and_never_run(page: Page, service: RunningService) -> None:
    """Script in names, ids, users, graphs: no dialog comes up on any page that shows it."""
    schedule = add(service, name=SCRIPT, user_id=SCRIPT, graph_id=SCRIPT, schedule_id=f"{SCRIPT}1")
    service.call("run_graph_execution_schedule_now", schedule_id=schedule, user_id=SCRIPT)
    page.goto("/ui/schedules")
    page.get_by_role("link", name=SCRIPT).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(SCRIPT)
    for name in ("Pause", "Run now", "Delete"):
        page.get_by_role("link", name=name).click()
        expect(page.locator("main")).to_contain_text("<script>alert")
        page.go_back()
    page.goto("/ui/firings")
    expect(page.locator("#firing-rows")).to_contain_text("<script>alert")


def test_a_refused_firing_is_explained_and_sent_again(page: Page, service: RunningService, database: str) -> None:
    """From the number on the overview down to the reason, and back to the receiver."""
    schedule = add(service, graph_id="broken", name="Broken")
    service.call("run_graph_execution_schedule_now", schedule_id=schedule, user_id="u")
    wait_for(lambda: states(database, schedule), ["failed"])
    page.goto("/ui")
    page.wait_for_function("document.querySelector('.numbers .bad') !== null")
    page.locator(".numbers .bad a").first.click()
    page.get_by_role("row", name="has no <script>").get_by_role("link").first.click()
    expect(page.locator("pre")).to_contain_text("has no <script>alert('x')</script>")
    confirmed(page, "Send it again")
    expect(page.get_by_role("status")).to_have_text("It is sent again.")
    query = "SELECT attempts, state FROM {s}.scheduler_firings WHERE job_id = %s"
    wait_for(lambda: rows(database, query, schedule), [(2, "failed")])


def test_firings_are_followed_live(page: Page, service: RunningService) -> None:
    """They appear by themselves, which is said; and no more once one has enough."""
    schedule = add(service, user_id="live")
    page.goto("/ui/firings?user=live")
    expect(page.locator("#no-firings")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("following")
    service.call("run_graph_execution_schedule_now", schedule_id=schedule, user_id="live")
    expect(page.locator("#firing-rows tr")).to_have_count(1)
    expect(page.locator("#firing-rows .state")).to_have_text("succeeded")
    expect(page.get_by_role("status")).to_have_text("1 new since you opened this")
    page.get_by_label("Follow live").uncheck()
    service.call("run_graph_execution_schedule_now", schedule_id=schedule, user_id="live")
    page.wait_for_timeout(1500)
    assert page.locator("#firing-rows tr").count() == 1


def test_the_overview_shows_the_coming_load(page: Page, service: RunningService) -> None:
    """By minute, and by hour for a week; and brings itself up to date."""
    service.add(user_id="load", cron="*/5 * * * *", name="Busy")
    page.clock.install()
    page.goto("/ui")
    expect(page.locator(".heat tbody tr")).to_have_count(8)
    assert page.locator("rect.coming, rect.peak").count() == 60
    page.evaluate("document.querySelector('#live').firstElementChild.remove()")
    page.clock.fast_forward(11_000)
    expect(page.get_by_role("heading", name="Is it well?")).to_be_visible()


def test_the_bench_answers_while_one_types(page: Page) -> None:
    """With words, with what the original would do, and with what is wrong."""
    page.goto("/ui/cron")
    page.get_by_label("Expression").press_sequentially("0 9 * * 1", delay=20)
    expect(page.locator("#trial")).to_contain_text("At 09:00, on Mondays.")
    expect(page.locator("#trial")).to_contain_text("At 09:00, on Tuesdays.")
    expect(page).to_have_url(re.compile("cron=0"))
    page.get_by_label("Expression").fill("0 99 * * 1")
    expect(page.locator("td.wrong")).to_contain_text("99")
    page.get_by_label("Expression").fill("30 2 28 3 *")
    page.get_by_label("Zone").fill("Europe/Warsaw")
    expect(page.locator("#trial")).to_contain_text("the clock skips 02:00 to 03:00")


def test_the_keyboard_is_enough(page: Page, service: RunningService, database: str) -> None:
    """Past the navigation at once, with a focus that can be seen; a schedule is run without a pointer."""
    schedule = add(service, name="By hand")
    page.goto(f"/ui/schedule?id={schedule}")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the content")
    page.keyboard.press("Enter")
    expect(page.locator(":focus")).to_have_attribute("id", "main")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.locator(":focus").inner_text() == "Run now":
            break
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.wait_for_url("**/ui/schedule/act**")
    page.get_by_role("button", name="Run now").focus()
    page.keyboard.press("Enter")
    wait_for(lambda: len(states(database, schedule)), 1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_a_phone(page: Page, service: RunningService, scheme: Any) -> None:
    """In both modes nothing sticks out to the side."""
    schedule = add(service, name="A name that goes on and on " * 5, schedule_id=f"long-{scheme}-" + "x" * 170)
    page.set_viewport_size({"width": 360, "height": 740})
    page.emulate_media(color_scheme=scheme)
    grounds = set()
    for path in (*PAGES, f"/ui/schedule?id={schedule}", f"/ui/schedule/act?action=delete&id={schedule}"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
        grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert grounds == {"rgb(247, 248, 250)" if scheme == "light" else "rgb(20, 22, 26)"}


def test_without_script_the_pages_still_work(
    chromium: Browser, logged_in: BrowserContext, service: RunningService
) -> None:
    """Links and forms lead everywhere; input data has a page of its own."""
    schedule = add(service, name="Plain", input_data={"topic": "news"})
    context = chromium.new_context(
        base_url=service.url, java_script_enabled=False, storage_state=logged_in.storage_state()
    )
    page = context.new_page()
    page.goto(f"/ui/schedule?id={schedule}")
    page.get_by_text("1 field").click()
    page.get_by_role("link", name="Show the input data").click()
    expect(page.locator("pre")).to_contain_text("news")
    page.goto("/ui/cron")
    page.get_by_label("Expression").fill("@daily")
    page.get_by_role("button", name="Try").click()
    expect(page.locator("#trial")).to_contain_text("At 00:00, every day.")
    context.close()


def test_a_newcomer_finds_his_way(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> None:
    """`make run`, the address it names, no token; and a stop that waits for nobody who follows."""
    with ExitStack() as stack:
        running = RunningService(tmp_path_factory.mktemp("embedded"), {})
        stack.callback(lambda: running.process.poll() is None and running.kill())
        running.wait_until_ready()
        said = re.search(r"(http://\S+/ui)$", running.said, re.MULTILINE)
        assert said is not None, running.said
        context = chromium.new_context()
        page = context.new_page()
        watch = Watch(page, running.url)
        page.goto(said[1])
        expect(page.locator("main")).to_contain_text("Nothing is scheduled yet")
        schedule = add(running, name="First")
        page.goto(f"{running.url}/ui/schedule?id={schedule}")
        confirmed(page, "Run now")
        page.get_by_role("link", name="Firings", exact=True).click()
        expect(page.locator("#firing-rows .state.succeeded")).to_have_count(1)
        assert watch.seen == []
        begun = time.monotonic()
        assert running.stop() == 0
        assert time.monotonic() - begun < 5
        context.close()
