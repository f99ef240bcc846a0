"""Schedules with jitter, claimed by the engine's own plan."""

from collections import defaultdict
from datetime import datetime, timedelta

from domain.cron import parse_cron
from domain.fire_times import next_fire_time, phase_of
from domain.firing.plan import firing_plan
from domain.timing import bounded
from ports.jobs import Job, JobKind
from tests.contract.worlds import HOUR, NOW, World, replica

MINUTE = timedelta(minutes=1)


def schedule(job_id: str, *, jitter_secs: int | None) -> Job:
    """Return an hourly schedule."""
    trigger = bounded(
        parse_cron("0 * * * *", timezone="Europe/Warsaw"),
        schedule_id=job_id,
        start_at=None,
        end_at=None,
        jitter_secs=jitter_secs,
    )
    kwargs = {"user_id": "user", "graph_id": "graph", "input_data": {}}
    return Job(job_id, JobKind.EXECUTE_GRAPH, "n", trigger, kwargs, next_fire_time(trigger, NOW + HOUR / 2))


async def test_each_schedule_keeps_its_own_delay_from_claim_to_claim(world: World) -> None:
    """However many share a cron text, and whichever are claimed together; plain ones stay on the hour."""
    await replica(world)
    jobs = {job.id: job for job in (schedule(f"j{n}", jitter_secs=600) for n in range(12))}
    jobs |= {job.id: job for job in (schedule(f"p{n}", jitter_secs=None) for n in range(3))}
    for job in jobs.values():
        await world.jobs.put(job)
    fired: dict[str, list[datetime]] = defaultdict(list)
    for step in range(3 * 60 + 11):
        plan = firing_plan(None)
        now = NOW + step * MINUTE
        world.clock.advance(now - world.clock.now())
        claim = await world.jobs.claim_due(now=now, limit=100, owner="one", plan=plan)
        for firing in claim.firings:
            assert firing.coalesced == 0
            fired[firing.job_id].append(firing.scheduled_at)
    for job_id, job in jobs.items():
        delay = phase_of(job.trigger)
        assert fired[job_id] == [NOW + hour * HOUR + delay for hour in (1, 2, 3)]
        stored = await world.jobs.get(job_id)
        assert stored is not None
        assert stored.next_run_at == NOW + 4 * HOUR + delay
        assert stored.trigger == job.trigger
    assert len({times[0] for times in fired.values()}) == 13
