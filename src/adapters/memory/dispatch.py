"""A receiver in memory."""

from adapters.memory.faults import FailsOnDemand
from ports.dispatch import DispatchRequest


class MemoryExecutionDispatch(FailsOnDemand):
    """Takes every request and numbers the executions; `requests` holds them in order, repeats included."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[DispatchRequest] = []

    async def dispatch(self, request: DispatchRequest) -> str | None:
        """Keep the request and return `execution-{n}`, or raise what `fail_next` was given."""
        self._raise_if_failing()
        self.requests.append(request)
        return f"execution-{len(self.requests)}"

    async def aclose(self) -> None:
        """Do nothing."""
