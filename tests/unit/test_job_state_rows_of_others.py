"""Rows that the original never wrote but APScheduler may have: other versions, triggers, zones and settings."""

import json
import pickle
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from apscheduler.triggers.combining import AndTrigger as StockAndTrigger
from apscheduler.triggers.combining import OrTrigger as StockOrTrigger
from apscheduler.triggers.cron import CronTrigger as StockCronTrigger
from apscheduler.triggers.date import DateTrigger as StockDateTrigger
from apscheduler.triggers.interval import IntervalTrigger as StockIntervalTrigger

from adapters.apscheduler.job_state import decode, encode
from ports.jobs import Job, JobKind, UnreadableReason, UnreadableRow
from ports.triggers import CombinedTrigger, CronTrigger, DateTrigger, IntervalTrigger
from tests.unit.job_state_rows import DUE, Call, Global, New, due, row, state

NEW_YORK = ZoneInfo("America/New_York")
PROVIDER = Global("backend.integrations.providers", "ProviderName")


def readable(column: float | None = None, **changes: object) -> Job:
    """Return the job of a row with `changes`, which must be readable before and after it is written again."""
    job = decode("a-job", row(**changes), due() if column is None else column)
    assert isinstance(job, Job), job
    assert decode("a-job", encode(job), None if job.next_run_at is None else due(job.next_run_at)) == job
    return job


def unreadable(column: float | None = None, **changes: object) -> UnreadableRow:
    """Return why a row with `changes` is left alone."""
    found = decode("a-job", row(**changes), due() if column is None else column)
    assert isinstance(found, UnreadableRow), found
    return found


def cron(text: str, zone: object = "UTC") -> StockCronTrigger:
    """Return APScheduler's own reading of an expression."""
    return StockCronTrigger.from_crontab(text, zone)


class TestIdentity:
    """Whose row it is."""

    def test_an_id_is_opaque(self) -> None:
        """Ids with dashes, or that are no UUID at all, are taken as they are."""
        for job_id in ("0a1b2c3d-0000-4000-8000-000000000000", "weird id / ю " + "x" * 170):
            job = decode(job_id, row(id=job_id), due())
            assert isinstance(job, Job)
            assert job.id == job_id

    def test_a_pickled_id_that_differs_from_its_column_is_quarantined(self) -> None:
        """The original stops on such a row; here it stands aside."""
        assert unreadable(id="another").reason is UnreadableReason.QUARANTINED

    @pytest.mark.parametrize(
        "reference", ["app.tasks:send", "backend.executor.scheduler:unheard_of", "a b\n:{x}", ""]
    )
    def test_an_unknown_function_is_somebody_elses(self, reference: str) -> None:
        """Such a row is foreign, and the operator is told whose where the name is fit to be shown."""
        found = unreadable(func=reference)
        assert found.reason is UnreadableReason.FOREIGN
        assert (reference in found.detail) == (reference != "a b\n:{x}")

    def test_a_function_of_every_kind_is_ours(self) -> None:
        """The original's six references become six kinds."""
        references = {
            "backend.executor.scheduler:execute_graph": JobKind.EXECUTE_GRAPH,
            "backend.executor.scheduler:cleanup_expired_files": JobKind.CLEANUP_EXPIRED_FILES,
            "backend.monitoring.late_execution_monitor:report_late_executions": JobKind.REPORT_LATE_EXECUTIONS,
            "backend.monitoring.block_error_monitor:report_block_error_rates": JobKind.REPORT_BLOCK_ERROR_RATES,
            "backend.monitoring.notification_monitor:process_existing_batches": JobKind.PROCESS_EXISTING_BATCHES,
            "backend.monitoring.notification_monitor:process_weekly_summary": JobKind.PROCESS_WEEKLY_SUMMARY,
        }
        assert {reference: readable(func=reference).kind for reference in references} == references

    @pytest.mark.parametrize("missing", sorted(state().keys() - {"version"}))
    def test_a_state_that_lacks_a_key_is_quarantined(self, missing: str) -> None:
        """The original deletes such a row; here it waits to be repaired."""
        rest = {key: value for key, value in state().items() if key != missing}
        found = decode("a-job", pickle.dumps(rest, 5), due())
        assert isinstance(found, UnreadableRow)
        assert found.reason is UnreadableReason.QUARANTINED

    def test_a_state_of_a_later_version_is_quarantined(self) -> None:
        """Nobody knows yet what it will mean."""
        assert unreadable(version=2).reason is UnreadableReason.QUARANTINED

    @pytest.mark.parametrize(
        "odd",
        [
            {"coalesce": 1},
            {"max_instances": 0},
            {"max_instances": True},
            {"misfire_grace_time": "1"},
            {"executor": None},
            {"name": 7},
            {"args": "ab"},
            {"kwargs": []},
            {"func": None},
            {"trigger": None},
            {"trigger": {"version": 2}},
        ],
        ids=repr,
    )
    def test_an_option_of_another_type_is_quarantined(self, odd: dict[str, Any]) -> None:
        """What APScheduler itself would not have written is not guessed at."""
        assert unreadable(**odd).reason is UnreadableReason.QUARANTINED


class TestArguments:
    """What the job is called with."""

    def test_unknown_keys_survive(self) -> None:
        """A later version's arguments are still there after reading and writing."""
        kwargs = {"user_id": "u1", "from_the_future": {"deep": [1, None, True, 2.5, "ю\x00\ud800", 10**4299]}}
        assert readable(kwargs=kwargs).kwargs == kwargs
        assert list(readable(kwargs=kwargs).kwargs) == list(kwargs)

    def test_options_and_positional_arguments_are_carried_through(self) -> None:
        """They are not ours to change, though nothing here acts on them."""
        options = readable(
            executor="x", misfire_grace_time=None, coalesce=False, max_instances=3, args=["a", {"b": 1}], name="n"
        ).options
        assert (options.executor, options.misfire_grace_time, options.coalesce) == ("x", None, False)
        assert (options.max_instances, options.args) == (3, ("a", {"b": 1}))

    @pytest.mark.parametrize(
        ("pickled", "value"),
        [
            (Call(PROVIDER, "openai"), "openai"),
            (Call(Global("builtins", "getattr"), PROVIDER, "OPENAI"), "openai"),
            (Call(Global("builtins", "getattr"), PROVIDER, "UNREAL_SPEECH"), "unreal_speech"),
        ],
    )
    def test_an_enum_becomes_its_value(self, pickled: Call, value: str) -> None:
        """Python pickles one by value or by name, depending on its version; JSON knows text."""
        job = readable(kwargs={"input_credentials": {"k": {"provider": pickled}}})
        assert job.kwargs == {"input_credentials": {"k": {"provider": value}}}
        assert b"ProviderName" not in encode(job)

    @pytest.mark.parametrize(
        "value",
        [{1: "a"}, (1, 2), b"bytes", {"a": DUE}, [{None: 1}], timedelta(1), 10**4300],
        ids=lambda value: type(value).__name__,
    )
    def test_what_is_not_json_is_quarantined(self, value: object) -> None:
        """It can't have come through the API, can't be answered by it, and might come out as something else."""
        assert unreadable(kwargs={"input_data": value}).reason is UnreadableReason.QUARANTINED

    def test_the_deepest_arguments_that_are_read_can_be_written_as_json(self) -> None:
        """The original stores 256 levels; lists must not fail on a row that was read."""

        def decoded(depth: int) -> Job | UnreadableRow:
            value: Any = 1
            for _ in range(depth):
                value = [value]
            return decode("a-job", pickle.dumps(state(kwargs={"input_data": value}), 5), due())

        deepest, deeper = decoded(297), decoded(298)
        assert isinstance(deepest, Job)
        assert json.loads(json.dumps(deepest.kwargs)) == deepest.kwargs
        assert decode("a-job", encode(deepest), due()) == deepest
        assert isinstance(deeper, UnreadableRow)


class TestNextRun:
    """When it runs next, which stands twice."""

    def test_a_paused_row_has_no_next_run(self) -> None:
        """Neither column nor pickle has one."""
        job = decode("a-job", row(next_run_time=None), None)
        assert isinstance(job, Job)
        assert job.next_run_at is None
        assert decode("a-job", encode(job), None) == job

    @pytest.mark.parametrize("pickled", [None, DUE + timedelta(hours=1), DUE - timedelta(days=400)])
    def test_the_column_counts_where_the_pickle_differs(self, pickled: datetime | None) -> None:
        """It is what is claimed by and what an operator changes; the original would spin on such a row."""
        assert readable(next_run_time=pickled).next_run_at == DUE

    def test_an_empty_column_pauses_the_job(self) -> None:
        """What can't become due is not due."""
        job = decode("a-job", row(), None)
        assert isinstance(job, Job)
        assert job.next_run_at is None

    def test_microseconds_are_those_of_the_pickle(self) -> None:
        """The column is a float; where both say the same the exact one is kept."""
        when = datetime(2026, 11, 24, 9, 0, 0, 673471, tzinfo=ZoneInfo("UTC"))
        assert readable(due(when) + 2e-7, next_run_time=when).next_run_at == when

    def test_both_passes_through_an_overlap_are_told_apart(self) -> None:
        """1:30 happens twice in New York on 1 November 2026, an hour apart."""
        first = datetime(2026, 11, 1, 1, 30, tzinfo=NEW_YORK)
        trigger = cron("30 1 * * *", NEW_YORK)
        for when in (first, first.replace(fold=1)):
            for pickled in (when, None):
                found = readable(due(when), trigger=trigger, next_run_time=pickled).next_run_at
                assert found is not None
                assert (found.isoformat(), found.fold) == (when.isoformat(), when.fold)

    def test_the_next_run_is_given_in_the_triggers_zone(self) -> None:
        """Whatever zone the pickle has it in, the same instant is answered in the schedule's own."""
        found = readable(trigger=cron("0 9 * * *", NEW_YORK)).next_run_at
        assert found is not None
        assert found.isoformat() == "2026-11-24T04:00:00-05:00"

    @pytest.mark.parametrize("column", [float("nan"), float("inf"), -float("inf"), 1e18, -1e18, 253402300800.0])
    def test_a_column_that_is_no_date_is_quarantined(self, column: float) -> None:
        """Doubles hold more than calendars."""
        assert unreadable(column).reason is UnreadableReason.QUARANTINED


class TestZones:
    """Where nine o'clock is."""

    @pytest.mark.parametrize(
        ("zone", "name"),
        [
            (NEW_YORK, "America/New_York"),
            (ZoneInfo.no_cache("Asia/Kolkata"), "Asia/Kolkata"),
            (UTC, "UTC"),
            (timezone(timedelta(hours=5, minutes=30)), "+05:30"),
            (timezone(timedelta(hours=-3, minutes=-30), "Newfoundland"), "-03:30"),
            (timezone(timedelta(minutes=19, seconds=32)), "+00:19:32"),
            (Call(Global("pytz", "_UTC")), "UTC"),
            (Call(Global("pytz", "_p"), "America/New_York", -17760, 0, "LMT"), "America/New_York"),
            (Call(Global("pytz", "_p"), "Etc/GMT+5"), "Etc/GMT+5"),
            (Call(Global("pytz", "FixedOffset"), 330), "+05:30"),
        ],
        ids=str,
    )
    def test_a_zone_is_known_by_its_name_or_offset(self, zone: object, name: str) -> None:
        """The standard library's, and those that APScheduler 3.10 took from pytz."""
        trigger = cron("0 9 * * *")
        trigger.timezone = zone
        found = readable(trigger=trigger).trigger
        assert isinstance(found, CronTrigger)
        assert found.timezone == name

    @pytest.mark.parametrize(("offset", "hour"), [(-18000, 14), (-14400, 13)])
    def test_a_date_that_pytz_wrote_is_the_instant_that_it_meant(self, offset: int, hour: int) -> None:
        """With pytz there is a zone object for each offset, and a date goes by its own."""
        nine = DUE.replace(tzinfo=None).__reduce__()[1][0]
        zone = Call(Global("pytz", "_p"), "America/New_York", offset, 0, "E?T")
        when = Call(Global("datetime", "datetime"), nine, zone)
        job = readable(due(DUE.replace(hour=hour)), trigger=cron("0 9 * * *", NEW_YORK), next_run_time=when)
        assert job.next_run_at == DUE.replace(hour=hour)

    @pytest.mark.parametrize(
        "key", ["Mars/Olympus", "", "../UTC", "/etc/localtime", "America", "\0", "x" * 300, "+05:30"]
    )
    def test_a_zone_that_is_not_known_here_is_quarantined(self, key: str) -> None:
        """A machine with newer zones may know it; nothing is guessed meanwhile."""
        trigger = cron("0 9 * * *")
        trigger.timezone = Call(
            Call(Global("builtins", "getattr"), Global("zoneinfo", "ZoneInfo"), "_unpickle"), key, 1
        )
        assert unreadable(trigger=trigger).reason is UnreadableReason.QUARANTINED


class TestTriggers:
    """Triggers that the original does not make."""

    @pytest.mark.parametrize(
        ("field", "text"),
        [
            ("minute", "*/7,3,10-20/5,0-0,59"),
            ("minute", "5/15"),
            ("day", "last,1st mon,5th sun,last fri,1-7"),
            ("month", "jan,mar-may,7,*/3"),
            ("day_of_week", "mon-fri,6,0-2/2"),
            ("week", "1-52/2"),
            ("year", "2026-2030"),
            ("second", "*/10"),
        ],
    )
    def test_a_field_reads_as_apscheduler_writes_it(self, field: str, text: str) -> None:
        """Every kind of expression keeps its text."""
        stock = StockCronTrigger(**{field: text}, timezone="UTC")
        trigger = readable(trigger=stock).trigger
        assert isinstance(trigger, CronTrigger)
        assert [getattr(trigger, each.name) for each in stock.fields] == [str(each) for each in stock.fields]

    def test_a_step_within_one_value_is_not_mistaken_for_a_step_to_the_end(self) -> None:
        """APScheduler accepts `0-0/5`, fires it at 0 only, and shows it as `0/5`, which is more."""
        trigger = readable(trigger=StockCronTrigger(minute="0-0/5", timezone="UTC")).trigger
        assert isinstance(trigger, CronTrigger)
        assert trigger.minute == "0"

    def test_start_end_and_jitter_are_kept(self) -> None:
        """They are part of when a trigger is due, and are given in its zone."""
        stock = StockCronTrigger(
            minute=0,
            timezone=NEW_YORK,
            start_date=DUE,
            end_date=datetime(2026, 11, 1, 1, 30, fold=1, tzinfo=NEW_YORK),
            jitter=9,
        )
        trigger = readable(trigger=stock).trigger
        assert isinstance(trigger, CronTrigger)
        assert trigger.start_at is not None
        assert trigger.end_at is not None
        assert trigger.start_at.isoformat() == "2026-11-24T04:00:00-05:00"
        assert trigger.end_at.isoformat() == "2026-11-01T01:30:00-05:00"
        assert trigger.jitter == 9

    def test_an_interval_is_exact(self) -> None:
        """Days, seconds and microseconds are all there, and so is the start, which is its phase."""
        stock = StockIntervalTrigger(days=400, seconds=86399.999999, start_date=DUE, end_date=DUE + timedelta(9999))
        trigger = readable(trigger=stock).trigger
        assert isinstance(trigger, IntervalTrigger)
        assert trigger.interval == timedelta(days=400, seconds=86399, microseconds=999999)
        assert (trigger.start_at, trigger.end_at, trigger.timezone) == (DUE, DUE + timedelta(9999), "UTC")

    def test_an_intervals_start_in_an_overlap_is_written_as_it_was_read(self) -> None:
        """Two starts that differ in nothing but the fold are an hour apart, though Python calls them equal."""
        for fold in (0, 1, 0):
            start = datetime(2026, 11, 1, 1, 30, tzinfo=NEW_YORK, fold=fold)
            job = readable(trigger=StockIntervalTrigger(hours=5, start_date=start, timezone=NEW_YORK))
            stored = pickle.loads(encode(job))["trigger"]
            assert stored.start_date.isoformat() == start.isoformat()

    def test_a_single_date_is_read_in_its_zone(self) -> None:
        """A one-off job runs at an instant and is answered in the zone it was given in."""
        when = datetime(2026, 11, 24, 4, tzinfo=NEW_YORK)
        job = readable(trigger=StockDateTrigger(run_date=when), next_run_time=when)
        assert job.trigger == DateTrigger(run_at=when)
        assert job.next_run_at is not None
        assert job.next_run_at.isoformat() == "2026-11-24T04:00:00-05:00"

    def test_combined_triggers_keep_their_parts(self) -> None:
        """Any or all of several, within one another."""
        stock = StockOrTrigger(
            [cron("0 9 * * *"), StockAndTrigger([cron("0 * * * mon", NEW_YORK), StockDateTrigger(DUE)])], jitter=3
        )
        assert readable(trigger=stock).trigger == CombinedTrigger(
            kind="or",
            triggers=(
                CronTrigger(timezone="UTC", minute="0", hour="9"),
                CombinedTrigger(
                    kind="and",
                    triggers=(
                        CronTrigger(timezone="America/New_York", minute="0", day_of_week="mon"),
                        DateTrigger(run_at=DUE),
                    ),
                ),
            ),
            jitter=3,
        )

    def test_a_combined_triggers_next_run_keeps_its_own_zone(self) -> None:
        """Its parts may be in different zones, so the one that is next decides."""
        when = DUE.astimezone(NEW_YORK)
        found = readable(trigger=StockOrTrigger([cron("0 9 * * *")]), next_run_time=when).next_run_at
        assert found is not None
        assert found.isoformat() == when.isoformat()

    def test_a_state_as_apscheduler_3_0_wrote_it_is_read(self) -> None:
        """Version 3.0 had no __getstate__, so that its states are pairs."""
        fields = cron("0 9 * * *").fields
        attributes = {"timezone": UTC, "start_date": None, "end_date": None, "fields": fields}
        old = New(Global("apscheduler.triggers.cron", "CronTrigger"), (None, attributes))
        assert readable(trigger=old).trigger == CronTrigger(timezone="UTC", minute="0", hour="9")
