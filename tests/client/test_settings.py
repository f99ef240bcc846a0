"""Where the client finds the scheduler."""

import pytest

from entrypoints.client import ClientSettings, SchedulerClient


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ({}, "http://localhost:8003"),
        ({"SCHEDULER_HOST": "scheduler_server"}, "http://scheduler_server:8003"),
        ({"scheduler_host": "ignored"}, "http://localhost:8003"),
        ({"SCHEDULER_HOST": "", "PYRO_HOST": "other"}, "http://other:8003"),
        ({"SCHEDULER_HOST": "a", "pyro_host": "b"}, "http://a:8003"),
        ({"PYRO_HOST": "0.0.0.0"}, "http://localhost:8003"),
        ({"SCHEDULER_HOST": "::1", "Execution_Scheduler_Port": "9000"}, "http://[::1]:9000"),
    ],
)
def test_the_address_is_the_platforms(environment: dict[str, str], url: str) -> None:
    """As notes.md has it: SCHEDULER_HOST in upper case only, the rest in any."""
    assert ClientSettings.from_environment(environment).url == url


def test_limits_come_from_the_platforms_variables() -> None:
    """And the token from ours."""
    found = ClientSettings.from_environment(
        {"PYRO_CLIENT_COMM_RETRY": "0", "RPC_CLIENT_CALL_TIMEOUT": "2.5", "SCHEDULER_RPC_TOKEN": "t"}
    )
    assert (found.retries, found.call_timeout_secs, found.token) == (0, 2.5, "t")
    defaults = ClientSettings.from_environment({})
    assert (defaults.retries, defaults.call_timeout_secs, defaults.token) == (3, 300.0, None)


def test_what_is_given_counts_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Than the environment."""
    monkeypatch.setenv("SCHEDULER_HOST", "elsewhere")
    client = SchedulerClient("http://here:1", token="t", retries=1)
    assert (client.settings.url, client.settings.token, client.settings.retries) == ("http://here:1", "t", 1)
    assert SchedulerClient().settings.url == "http://elsewhere:8003"


@pytest.mark.parametrize(
    ("environment", "text"),
    [
        ({"EXECUTION_SCHEDULER_PORT": "abc"}, "EXECUTION_SCHEDULER_PORT is 'abc'"),
        ({"EXECUTION_SCHEDULER_PORT": "70000"}, "EXECUTION_SCHEDULER_PORT is 70000"),
        ({"PYRO_CLIENT_COMM_RETRY": "-1"}, "PYRO_CLIENT_COMM_RETRY"),
        ({"RPC_CLIENT_CALL_TIMEOUT": "nan"}, "RPC_CLIENT_CALL_TIMEOUT"),
    ],
)
def test_a_variable_that_is_wrong_is_named(environment: dict[str, str], text: str) -> None:
    """In a ValueError of one line."""
    with pytest.raises(ValueError, match=text):
        ClientSettings.from_environment(environment)


def test_an_address_without_a_scheme_is_refused() -> None:
    """Rather than taken for something that httpx would complain about later."""
    with pytest.raises(ValueError, match="must begin with http"):
        SchedulerClient("localhost:8003")


def test_the_token_is_not_shown() -> None:
    """In no repr, so in no log."""
    client = SchedulerClient("http://here:1", token="secret-token")
    assert "secret" not in f"{client!r} {client.settings!r}"
