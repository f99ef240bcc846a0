"""Where the scheduler is and how patiently it is called, from the variables that the platform's services have."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

_DEFAULT_HOST = "localhost"
_DEFAULT_PORT = 8003
_DEFAULT_RETRIES = 3
_DEFAULT_TIMEOUT_SECS = 300.0
_HIGHEST_PORT = 65535
# A service binds to these, but they are nowhere to connect to.
_EVERYWHERE = frozenset({"0.0.0.0", "::", "[::]", "*"})  # noqa: S104  only compared


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """The address of a scheduler, and limits. `retries` is how often a call is repeated after its first try."""

    url: str
    token: str | None = field(default=None, repr=False)
    retries: int = _DEFAULT_RETRIES
    call_timeout_secs: float = _DEFAULT_TIMEOUT_SECS
    backoff_secs: float = 0.5

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise ValueError(f"the scheduler's address must begin with http:// or https://, not {self.url[:100]!r}")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None, **given: Any) -> Self:
        """Read the settings; what is `given` and not None counts more. Raises ValueError, naming the variable.

        SCHEDULER_HOST (upper case only, as for the platform's client), else PYRO_HOST, else localhost;
        EXECUTION_SCHEDULER_PORT 8003; PYRO_CLIENT_COMM_RETRY 3; RPC_CLIENT_CALL_TIMEOUT 300 seconds;
        SCHEDULER_RPC_TOKEN.
        """
        stated = os.environ if environment is None else environment
        values = {name.upper(): value.strip() for name, value in stated.items() if value.strip()}
        host = stated.get("SCHEDULER_HOST", "").strip() or values.get("PYRO_HOST", _DEFAULT_HOST)
        found: dict[str, Any] = {
            "url": f"http://{_authority(host)}:{_port(values)}",
            "token": values.get("SCHEDULER_RPC_TOKEN"),
            "retries": _whole(values, "PYRO_CLIENT_COMM_RETRY", _DEFAULT_RETRIES),
            "call_timeout_secs": _seconds(values, "RPC_CLIENT_CALL_TIMEOUT", _DEFAULT_TIMEOUT_SECS),
        }
        return cls(**(found | {name: value for name, value in given.items() if value is not None}))


def _authority(host: str) -> str:
    if host in _EVERYWHERE:
        return _DEFAULT_HOST
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _port(values: Mapping[str, str]) -> int:
    port = _whole(values, "EXECUTION_SCHEDULER_PORT", _DEFAULT_PORT)
    if not 0 < port <= _HIGHEST_PORT:
        raise ValueError(f"EXECUTION_SCHEDULER_PORT is {port}; expected 1 to {_HIGHEST_PORT}")
    return port


def _whole(values: Mapping[str, str], name: str, default: int) -> int:
    text = values.get(name, str(default))
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"{name} is {text[:100]!r}; expected a whole number")
    return int(text)


def _seconds(values: Mapping[str, str], name: str, default: float) -> float:
    text = values.get(name, str(default))
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ValueError(f"{name} is {text[:100]!r}; expected seconds, more than 0")
    return seconds
