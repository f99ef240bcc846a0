"""Thousands of random histories leave a ledger that adds up."""

import os

import pytest

from tests.simulation.history import run_history

HISTORIES = int(os.environ.get("SIMULATED_HISTORIES", "1000"))
BATCHES = 20


@pytest.mark.parametrize("batch", range(BATCHES))
def test_random_histories_lose_and_double_nothing(batch: int) -> None:
    """Whatever fails and whenever, every due time is one firing or counted as folded into one."""
    size = HISTORIES // BATCHES
    summaries = [run_history(seed) for seed in range(batch * size, (batch + 1) * size)]
    assert sum(summary.firings for summary in summaries) > 0


def test_a_seed_replays_exactly() -> None:
    """A failing seed can be looked at as often as it takes."""
    assert run_history(7) == run_history(7)
