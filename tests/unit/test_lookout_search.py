"""Searches that look at a part of what there is at a time."""

from dataclasses import replace
from datetime import timedelta

from adapters.memory.clock import SettableClock
from adapters.memory.firings import MemoryFiringLedger
from adapters.memory.jobs import MemoryJobStore
from adapters.memory.overview import MemoryOverview
from domain.lookout.lookout import Activity, Lookout, Search
from ports.jobs import Position, StoreName
from tests.contract.worlds import NOW, a_job

ARGS = {"graph_version": 1, "cron": "0 * * * *", "input_credentials": {}}


async def lookout(count: int, *, named: dict[int, str]) -> Lookout:
    """Return it over `count` schedules, some of which have a name of their own."""
    clock = SettableClock(NOW)
    ledger = MemoryFiringLedger(clock)
    jobs = MemoryJobStore(StoreName.EXECUTION, ledger=ledger)
    for number in range(count):
        job = a_job(f"{number:05}", due=NOW + timedelta(seconds=number), **ARGS)
        jobs.jobs[job.id] = replace(job, name=named.get(number, "else"))
    return Lookout(jobs=jobs, ledger=ledger, overview=MemoryOverview(jobs, ledger=ledger, clock=clock), clock=clock)


async def found(lookout: Lookout, search: Search) -> tuple[list[str], int]:
    """Return the ids that a search finds, and in how many pages."""
    ids: list[str] = []
    after: Position | None = None
    for pages in range(1, 20):
        page = await lookout.search(search, after=after, limit=2)
        ids += [seen.info.id for seen in page.items]
        assert page.partial == (len(page.items) < 2 and page.after is not None)
        if page.after is None:
            return ids, pages
        after = page.after
    raise AssertionError("it goes on for ever")


async def test_a_name_far_down_the_list_is_found_by_looking_further() -> None:
    """Each page looks at a few thousand, wherever the hits are."""
    looked = await lookout(11_000, named={7: "Wanted", 10_500: "wanted too"})
    assert await found(looked, Search(text="wanted")) == (["00007", "10500"], 4)


async def test_a_users_schedule_is_found_by_name_a_part_at_a_time() -> None:
    """As each is decoded to see its name."""
    looked = await lookout(500, named={499: "Wanted"})
    assert await found(looked, Search(user_id="user", text="wanted")) == (["00499"], 3)


async def test_more_hits_than_a_page_holds_are_on_the_next() -> None:
    """None is lost between them."""
    looked = await lookout(5, named={})
    assert (await found(looked, Search(text="else")))[0] == [f"{number:05}" for number in range(5)]
    assert (await found(looked, Search()))[0] == [f"{number:05}" for number in range(5)]
    assert (await found(looked, Search(activity=Activity.PAUSED)))[0] == []
