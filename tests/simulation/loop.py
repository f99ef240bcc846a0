"""An event loop whose time jumps to the next thing that is due, and whose tasks know which replica made them."""

import asyncio
import contextvars
import selectors
from collections import defaultdict
from collections.abc import Callable, Coroutine
from typing import Any

REPLICA: contextvars.ContextVar[str | None] = contextvars.ContextVar("replica", default=None)


class StuckError(RuntimeError):
    """Every task waits for something that will never come."""


class _JumpingSelector(selectors.DefaultSelector):
    """Never waits: it tells the loop's clock how long it would have."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Move the time instead of waiting for it."""
        events = super().select(0)
        if not events:
            if timeout is None:
                raise StuckError
            self.now += max(timeout, 0.0)
        return events


class SimulatedLoop(asyncio.SelectorEventLoop):
    """Runs coroutines as fast as it can while its clock runs as it would."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)
        self.tasks: defaultdict[str | None, set[asyncio.Task[Any]]] = defaultdict(set)
        self.set_task_factory(_remembering)  # type: ignore[arg-type]  # typeshed's factory takes any keyword

    def time(self) -> float:
        """Return the simulated seconds."""
        return self._jumping.now


def _remembering(
    loop: asyncio.AbstractEventLoop,
    coro: Coroutine[Any, Any, Any],
    *,
    context: contextvars.Context | None = None,
) -> asyncio.Task[Any]:
    assert isinstance(loop, SimulatedLoop)
    task: asyncio.Task[Any] = asyncio.Task(coro, loop=loop, context=context)
    replica = REPLICA.get() if context is None else context.get(REPLICA)
    owned = loop.tasks[replica]
    owned.add(task)
    task.add_done_callback(owned.discard)
    return task


Simulated = Callable[[Callable[[SimulatedLoop], Coroutine[Any, Any, None]]], None]
"""Runs a coroutine in simulated time; what the tests' fixture `simulated` is."""
