"""What the service says first, to the person who started it."""

import sys

from yarl import URL

from entrypoints.database_url import DatabaseUrl
from entrypoints.settings import ReceiverKind, Settings

_EXAMPLE = (
    '{"user_id":"me","graph_id":"hello","graph_version":1,"cron":"* * * * *",'
    '"input_data":{},"input_credentials":{}}'
)


def say_where(settings: Settings, port: int, database: DatabaseUrl) -> None:
    """Print where the service listens, where its data is and where firings go."""
    print("\n".join(_lines(settings, port, database)), file=sys.stdout, flush=True)  # noqa: T201  for a terminal


def _lines(settings: Settings, port: int, database: DatabaseUrl) -> list[str]:
    host = "localhost" if settings.pyro_host in {"0.0.0.0", "::"} else settings.pyro_host  # noqa: S104  only compared
    base = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    lines = [
        f"agpt-scheduler listens on {base} (API documentation: {base}/docs)",
        *([f"What is scheduled, what is coming, what happened: {base}/ui"] if settings.shows_page else []),
        f"Database: {database.display}",
        _receiver(settings),
    ]
    if settings.embedded:
        lines += [
            "Try, in another terminal, a schedule for every minute, and see it fire here:",
            f"  curl -s {base}/add_graph_execution_schedule -H 'content-type: application/json' -d '{_EXAMPLE}'",
        ]
    return lines


def _receiver(settings: Settings) -> str:
    receiver = settings.receiver()
    match receiver.kind:
        case ReceiverKind.RECORD:
            return "Firings are only recorded: set SCHEDULER_DISPATCH to hand them to a receiver."
        case ReceiverKind.RPC:
            return f"Firings go to {settings.rpc_receiver_url()}"
        case ReceiverKind.REST:
            return f"Firings go to the REST API at {settings.rest_receiver_url()}"
        case ReceiverKind.PYTHON:
            return f"Firings go to the function {receiver.target}, in this process"
        case ReceiverKind.WEBHOOK:  # whose path may hold a token
            return f"Firings go to the webhook at {URL(receiver.target).host}"
