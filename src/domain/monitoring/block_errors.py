"""The report on blocks that fail often (compat/outgoing.md, "report_block_error_rates")."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.monitoring.alerts import cut, fit
from domain.monitoring.masking import mask
from domain.task_failures import log_failure
from ports.clock import Clock
from ports.executions import BlockStats, Executions
from ports.notifications import Notifications

logger = logging.getLogger(__name__)

ALL_WELL = "✅ No errors reported for today - all blocks are running smoothly!"
_WINDOW = timedelta(hours=24)
_FEWEST_EXECUTIONS = 10  # of a block in the window, for its rate to mean anything
_CRITICAL_SAMPLES = 3
_SUMMARY_SAMPLES = 2


@dataclass(frozen=True, slots=True)
class _Window:
    start: datetime
    end: datetime


class BlockErrorMonitor:
    """Looks at the last day's failures of each block.

    A block is critical when at least `threshold` (a share) of its executions failed. Without a critical one, the
    `include_top_blocks` with most failures are summed up; 0 for no summary. `block_names` are by block id; a
    block without one is called by its id.
    """

    def __init__(
        self,
        *,
        executions: Executions,
        notifications: Notifications,
        clock: Clock,
        threshold: float,
        include_top_blocks: int,
        block_names: Mapping[str, str],
    ) -> None:
        self._executions = executions
        self._notifications = notifications
        self._clock = clock
        self._threshold = threshold
        self._include_top_blocks = include_top_blocks
        self._block_names = block_names

    async def report(self) -> str:
        """Alert about failing blocks and return what was done.

        Whatever goes wrong is alerted and returned as text, as the original does; only what that alert raises
        comes out.
        """
        try:
            return await self._report()
        except Exception as error:  # noqa: BLE001  answered, as the original does
            log_failure(logger, "the block error rates could not be checked", error)
            text = f"Error checking block error rates: {error}"
            await self._notifications.discord_system_alert(cut(text))
            return text

    async def _report(self) -> str:
        end = self._clock.now()
        window = _Window(end - _WINDOW, end)
        stats = await self._executions.block_error_stats(start=window.start, end=window.end)
        telling = [block for block in stats if block.total_executions >= _FEWEST_EXECUTIONS]
        critical = [block for block in telling if _rate(block) >= self._threshold]
        if critical:
            items = [await self._critical(block, window) for block in critical]
            text = fit("Block Error Rate Alert:\n\n", items, separator="\n\n", noun="blocks")
            await self._notifications.discord_system_alert(text)
            return f"Alert sent for {len(critical)} blocks with high error rates"
        if self._include_top_blocks > 0:
            await self._notifications.discord_system_alert(await self._summary(telling, window))
            return "Sent top blocks summary"
        return "No errors reported for today"

    async def _critical(self, block: BlockStats, window: _Window) -> str:
        text = (
            f"🚨 Block '{self._name(block)}' has {_rate(block):.1%} error rate "
            f"({block.failed_executions}/{block.total_executions}) in the last 24 hours"
        )
        samples = await self._samples(block, window, limit=_CRITICAL_SAMPLES)
        if samples:
            text += "\n\n📊 Error Types:"
        return text + "".join(f"\n• {sample} ({count}x)" for sample, count in samples)

    async def _summary(self, telling: Sequence[BlockStats], window: _Window) -> str:
        failing = [block for block in telling if block.failed_executions > 0]
        failing.sort(key=lambda block: block.failed_executions, reverse=True)
        items = [await self._summed_up(block, window) for block in failing[: self._include_top_blocks]]
        if not items:
            return ALL_WELL
        top = f"top {self._include_top_blocks}" if self._include_top_blocks > 1 else "top"
        head = f"📊 Daily Error Summary - {top} blocks with most errors:\n"
        return fit(head, items, separator="\n", noun="blocks")

    async def _summed_up(self, block: BlockStats, window: _Window) -> str:
        text = (
            f"• {self._name(block)}: {block.failed_executions} errors "
            f"({_rate(block):.1%} of {block.total_executions})"
        )
        samples = await self._samples(block, window, limit=_SUMMARY_SAMPLES)
        return f"{text}\n  └ Most common: {samples[0][0]}" if samples else text

    async def _samples(self, block: BlockStats, window: _Window, *, limit: int) -> list[tuple[str, int]]:
        """Return the block's masked errors and how often each came, the most frequent first."""
        errors = await self._executions.failed_node_errors(
            block.block_id, created_from=window.start, created_to=window.end, limit=limit
        )
        return Counter(map(mask, errors)).most_common()

    def _name(self, block: BlockStats) -> str:
        return self._block_names.get(block.block_id, block.block_id)


def _rate(block: BlockStats) -> float:
    return block.failed_executions / block.total_executions
