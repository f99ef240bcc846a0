"""Requests for tests of what receives graph executions."""

from datetime import UTC, datetime
from typing import Any

from ports.dispatch import DispatchRequest

DUE = datetime(2026, 3, 9, 4, 30, tzinfo=UTC)
CREDENTIALS = {"key": {"id": "cred-4711", "title": "My key", "provider": "github", "type": "api_key"}}


def a_request(**changes: Any) -> DispatchRequest:
    """Return a request, with `changes`."""
    fields: dict[str, Any] = {
        "user_id": "user-1",
        "graph_id": "graph-1",
        "graph_version": 3,
        "inputs": {"name": "a value to hide", "count": 12345},
        "credentials": CREDENTIALS,
        "idempotency_key": "job-1:2026-03-09T04:30:00Z",
        "scheduled_at": DUE,
        "attempt": 1,
    }
    return DispatchRequest(**{**fields, **changes})
