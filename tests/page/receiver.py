"""A receiver in the service's own process; it refuses the graph `broken`."""


async def start(*, graph_id: str, idempotency_key: str, **_: object) -> str:
    """Start an execution, or say why not."""
    if graph_id == "broken":
        raise ValueError(f"Graph {graph_id} has no <script>alert('x')</script>")
    return f"execution-{idempotency_key}"
