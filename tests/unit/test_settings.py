"""Settings: names, defaults, bounds, sources."""

from pathlib import Path

import pytest

from domain.cron import CronDialect
from entrypoints.container import monitoring_settings
from entrypoints.errors import SettingsError
from entrypoints.settings import LogLevel, Receiver, ReceiverKind, Settings


def test_the_originals_defaults() -> None:
    """What the original has by default (compat/notes.md), ours has."""
    settings = Settings.load()
    assert settings.execution_scheduler_port == 8003
    assert settings.scheduler_db_pool_size == 3
    assert settings.execution_late_notification_threshold_secs == 300
    assert settings.execution_late_notification_checkrange_secs == 3600
    assert settings.block_error_rate_threshold == 0.5
    assert settings.block_error_rate_check_interval_secs == 86400
    assert settings.block_error_include_top_blocks == 3
    assert settings.cloud_storage_cleanup_interval_hours == 6
    assert settings.pyro_host == "localhost"
    assert settings.pyro_client_comm_timeout == 15
    assert settings.pyro_client_comm_retry == 3
    assert settings.rpc_client_call_timeout == 300


def test_names_are_read_in_any_case_and_unknown_ones_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """As pydantic-settings reads the original's."""
    monkeypatch.setenv("Execution_Scheduler_Port", "9000")
    monkeypatch.setenv("SCHEDULER_NO_SUCH_SETTING", "1")
    assert Settings.load().execution_scheduler_port == 9000


def test_the_environment_wins_over_dotenv_and_dotenv_over_defaults(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Sources have their order."""
    (tmp_path / ".env").write_text("EXECUTION_SCHEDULER_PORT=9001\nSCHEDULER_DB_POOL_SIZE=7\n")
    monkeypatch.setenv("EXECUTION_SCHEDULER_PORT", "9002")
    settings = Settings.load()
    assert (settings.execution_scheduler_port, settings.scheduler_db_pool_size) == (9002, 7)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EXECUTION_SCHEDULER_PORT", "abc"),
        ("EXECUTION_SCHEDULER_PORT", "70000"),
        ("SCHEDULER_DB_POOL_SIZE", "0"),
        ("CLOUD_STORAGE_CLEANUP_INTERVAL_HOURS", "25"),
        ("CLOUD_STORAGE_CLEANUP_INTERVAL_HOURS", "0"),
        ("BLOCK_ERROR_RATE_THRESHOLD", "1.5"),
        ("SCHEDULER_TIMEZONE", "Mars/Olympus"),
        ("SCHEDULER_CRON_DIALECT", "quartz"),
        ("SCHEDULER_WEEKLY_SUMMARY_CRON", "0 0 31 2 *"),
        ("SCHEDULER_USER_SHARE", "0"),
        ("SCHEDULER_PAUSE_AFTER_GONE", "-1"),
        ("SCHEDULER_MAX_SCHEDULES_PER_USER", "-1"),
        ("SCHEDULER_MIN_INTERVAL_SECS", "x"),
        ("LOG_LEVEL", "LOUD"),
        ("SCHEDULER_DISPATCH_DEADLINE_SECS", "inf"),
        ("SCHEDULER_DISPATCH_TIMEOUT_SECS", "nan"),
        ("SCHEDULER_MISFIRE_GRACE_SECS", "-1"),
        ("EXECUTION_LATE_NOTIFICATION_THRESHOLD_SECS", "99999999999999999999"),
        ("BLOCK_ERROR_RATE_CHECK_INTERVAL_SECS", "0.5"),
        ("SCHEDULER_HISTORY_SUCCESS_DAYS", "1e300"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_it(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """An operator sees which variable, what it is and what is wrong."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as raised:
        Settings.load()
    text = str(raised.value)
    assert text.startswith(f"{name} ")
    assert value in text
    assert "\n" not in text


@pytest.mark.parametrize("text", ["debug", "Debug", " DEBUG "])
def test_levels_and_dialects_are_read_in_any_case(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """As the original reads LOG_LEVEL."""
    monkeypatch.setenv("LOG_LEVEL", text)
    monkeypatch.setenv("SCHEDULER_CRON_DIALECT", "APScheduler")
    settings = Settings.load()
    assert settings.log_level is LogLevel.DEBUG
    assert settings.scheduler_cron_dialect is CronDialect.APSCHEDULER


def test_a_dotenv_that_is_no_text_is_one_line(tmp_path: Path) -> None:
    """A file in UTF-16, say, which some editors write."""
    (tmp_path / ".env").write_bytes("EXECUTION_SCHEDULER_PORT=9001".encode("utf-16"))
    with pytest.raises(SettingsError, match=r"^\.env can't be read: "):
        Settings.load()


def test_without_a_database_url_firings_are_recorded() -> None:
    """A newcomer needs to set nothing."""
    settings = Settings.load()
    assert settings.embedded
    assert settings.receiver() == Receiver(ReceiverKind.RECORD)


def test_with_a_database_url_a_receiver_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """No deployment runs without a receiver by accident."""
    monkeypatch.setenv("DIRECT_URL", "postgresql://u:p@h/db")
    with pytest.raises(SettingsError, match=r"SCHEDULER_DISPATCH must be set.*rpc, rest, python"):
        Settings.load().receiver()


def test_the_platforms_own_environment_is_its_receiver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where `backend.executor.utils` can be imported, it is called."""
    package = tmp_path / "backend" / "executor"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").touch()
    (package / "utils.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("DIRECT_URL", "postgresql://u:p@h/db")
    expected = Receiver(ReceiverKind.PYTHON, "backend.executor.utils:add_graph_execution")
    assert Settings.load().receiver() == expected


@pytest.mark.parametrize("text", ["rcp", "python", "python:", "webhook:", "rpc:x", "record:1", ":"])
def test_an_unknown_receiver_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """The line names the choices."""
    monkeypatch.setenv("DIRECT_URL", "postgresql://u:p@h/db")
    monkeypatch.setenv("SCHEDULER_DISPATCH", text)
    with pytest.raises(SettingsError, match="rpc, rest, python:module:callable, webhook:URL or record"):
        Settings.load().receiver()


def test_receivers_that_need_a_secret_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """`rest` signs as the platform does, a webhook as its receiver expects."""
    monkeypatch.setenv("SCHEDULER_DISPATCH", "rest")
    with pytest.raises(SettingsError, match="SUPABASE_JWT_SECRET"):
        Settings.load().receiver()
    monkeypatch.setenv("SCHEDULER_DISPATCH", "webhook:https://example.org/x")
    with pytest.raises(SettingsError, match="SCHEDULER_WEBHOOK_SECRET"):
        Settings.load().receiver()
    monkeypatch.setenv("SCHEDULER_WEBHOOK_SECRET", "whsec_x")
    assert Settings.load().receiver() == Receiver(ReceiverKind.WEBHOOK, "https://example.org/x")


def test_hosts_of_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    """`{SERVICE}_HOST`, else PYRO_HOST; and PYRO_HOST for one that equals our own."""
    monkeypatch.setenv("PYRO_HOST", "0.0.0.0")
    monkeypatch.setenv("DATABASEMANAGER_HOST", "rest_server")
    assert Settings.load().service_host("DatabaseManager") == "rest_server"
    assert Settings.load().service_host("NotificationManager") == "0.0.0.0"
    monkeypatch.setenv("SCHEDULER_HOST", "rest_server")
    assert Settings.load().service_host("DatabaseManager") == "0.0.0.0"
    monkeypatch.setenv("notificationmanager_host", "ignored")
    assert Settings.load().service_host("NotificationManager") == "0.0.0.0"


@pytest.mark.parametrize("host", ["http://rest", "rest:8006", "a b", "user:pw@rest", "a/b", "a\nb"])
def test_a_host_is_only_a_host(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """Port and scheme are said elsewhere; the line names the variable."""
    monkeypatch.setenv("DATABASEMANAGER_HOST", host)
    with pytest.raises(SettingsError, match=r"^DATABASEMANAGER_HOST is "):
        Settings.load().service_host("DatabaseManager")


def test_an_ipv6_host_gets_its_brackets(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the URL, where the port follows."""
    monkeypatch.setenv("EXECUTIONMANAGER_HOST", "fd00::2")
    assert Settings.load().rpc_receiver_url() == "http://[fd00::2]:8002/add_graph_execution"


def test_the_machines_zone_counts_unless_one_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the original does."""
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    assert Settings.load().default_timezone() == "Asia/Kolkata"
    monkeypatch.setenv("SCHEDULER_TIMEZONE", "Europe/Warsaw")
    assert Settings.load().default_timezone() == "Europe/Warsaw"


@pytest.mark.parametrize(
    ("stated", "zone"),
    [
        ("EST5EDT", "EST5EDT"),
        (":Asia/Kolkata", "Asia/Kolkata"),
        ("/usr/share/zoneinfo/Asia/Kolkata", "Asia/Kolkata"),
    ],
)
def test_tz_is_read_in_its_usual_forms(monkeypatch: pytest.MonkeyPatch, stated: str, zone: str) -> None:
    """A colon or a whole path before the name change nothing."""
    monkeypatch.setenv("TZ", stated)
    assert Settings.load().default_timezone() == zone


@pytest.mark.parametrize("stated", ["Mars/Olympus", "<+03>-3"])
def test_a_tz_that_names_no_zone_is_refused(monkeypatch: pytest.MonkeyPatch, stated: str) -> None:
    """Every schedule would run at other times than its owner thinks; the original does not start either."""
    monkeypatch.setenv("TZ", stated)
    with pytest.raises(SettingsError, match=r"^TZ is .* no IANA time zone"):
        Settings.load().default_timezone()


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither repr nor errors hold a password."""
    monkeypatch.setenv("DIRECT_URL", "mysql://user:hush@host/db")
    monkeypatch.setenv("SCHEDULER_RPC_TOKEN", "hush")
    settings = Settings.load()
    assert "hush" not in repr(settings)
    with pytest.raises(SettingsError) as raised:
        settings.database_url()
    assert "hush" not in str(raised.value)


def test_the_originals_dialect_can_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """For whoever relies on its weekday numbers."""
    monkeypatch.setenv("SCHEDULER_CRON_DIALECT", "apscheduler")
    assert Settings.load().scheduler_cron_dialect is CronDialect.APSCHEDULER


def test_late_alerts_repeat_when_an_operator_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the original's do at every look; ours are sent once unless told otherwise."""
    assert not monitoring_settings(Settings.load()).repeat_late_alerts
    monkeypatch.setenv("SCHEDULER_REPEAT_LATE_ALERTS", "true")
    assert monitoring_settings(Settings.load()).repeat_late_alerts


@pytest.mark.parametrize(
    ("direct_url", "page", "shown"),
    [(False, None, True), (False, "off", False), (True, None, False), (True, "on", True), (True, "ON", True)],
)
def test_the_page_is_on_by_itself_with_the_private_database_only(
    monkeypatch: pytest.MonkeyPatch, page: str | None, *, direct_url: bool, shown: bool
) -> None:
    """With a platform's, an operator has to say so."""
    if direct_url:
        monkeypatch.setenv("DIRECT_URL", "postgresql://u:p@h/db")
    if page is not None:
        monkeypatch.setenv("SCHEDULER_PAGE", page)
    assert Settings.load().shows_page is shown
