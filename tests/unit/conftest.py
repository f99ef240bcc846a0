"""What unit tests share."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tests.simulation.loop import Simulated, SimulatedLoop


@pytest.fixture
def simulated() -> Simulated:
    """Return a function that runs a coroutine in simulated time."""

    def run(scenario: Callable[[SimulatedLoop], Coroutine[Any, Any, None]]) -> None:
        loop = SimulatedLoop()
        try:
            loop.run_until_complete(scenario(loop))
        finally:
            loop.close()

    return run
