"""The report on executions that stay queued for too long (compat/outgoing.md, "report_late_executions")."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from domain.monitoring.alerts import fit
from ports.clock import Clock
from ports.executions import Executions, GraphExecution
from ports.notifications import Notifications

NONE_LATE = "No late executions detected."
_MOST_EXECUTIONS = 1000
_MOST_REMEMBERED = 10_000


class LateExecutionMonitor:
    """Looks for late executions and alerts operators, about each execution once.

    What was alerted is remembered by this process, for the last ten thousand executions; `repeat` alerts about
    them at every look, as the original does. An execution is late when it has been queued for longer than
    `threshold_secs`, and found when it was created within the last `checkrange_secs`.
    """

    def __init__(
        self,
        *,
        executions: Executions,
        notifications: Notifications,
        clock: Clock,
        threshold_secs: int,
        checkrange_secs: int,
        repeat: bool = False,
    ) -> None:
        self._executions = executions
        self._notifications = notifications
        self._clock = clock
        self._threshold_secs = threshold_secs
        self._checkrange_secs = checkrange_secs
        self._repeat = repeat
        self._alerted = _Alerted()

    async def report(self, *, by_hand: bool = False) -> str:
        """Return the text about all late executions, after an alert about those that are new.

        A report that somebody asks for (`by_hand`) is also sent, whole, when nothing in it is new but it differs
        from the last one: recorded as "execute late alert fails". Raises RemoteCallError; what an alert that
        could not be sent was about counts as new the next time.
        """
        now = self._clock.now()
        late = await self._executions.queued(
            created_from=now - timedelta(seconds=self._checkrange_secs),
            created_to=now - timedelta(seconds=self._threshold_secs),
            limit=_MOST_EXECUTIONS,
        )
        if not late:
            return NONE_LATE
        news = late if self._repeat else self._alerted.unknown(late)
        if by_hand and not news and self._alerted.differs(late):
            news = late
        if news:
            await self._alert(late, news)
        return self._head(late) + "\n".join(map(_line, late))

    async def _alert(self, late: Sequence[GraphExecution], news: Sequence[GraphExecution]) -> None:
        lines = [_line(execution) for execution in news]
        text = fit(self._head(news), lines, separator="\n", noun="late executions")
        unknown, last = self._alerted.unknown(news), self._alerted.last
        self._alerted.remember(late)
        try:
            await self._notifications.discord_system_alert(text)
        except BaseException:  # a cancelled alert was not sent either
            self._alerted.forget(unknown, last=last)
            raise

    def _head(self, late: Sequence[GraphExecution]) -> str:
        users = len({execution.user_id for execution in late})
        return (
            f"Late executions detected: {len(late)} late executions from {users} users "
            f"in the last {self._checkrange_secs} seconds. "
            f"Graph has been queued for more than {self._threshold_secs} seconds. "
            "Please check the executor status. Details:\n"
        )


def _line(execution: GraphExecution) -> str:
    return (
        f"* `Execution ID: {execution.id}, Graph ID: {execution.graph_id}v{execution.graph_version}, "
        f"User ID: {execution.user_id}, Created At: {execution.started_at}`"
    )


class _Alerted:
    """Which executions were alerted, oldest first, and all that the last report with an alert was about."""

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}
        self.last: frozenset[str] = frozenset()

    def unknown(self, late: Iterable[GraphExecution]) -> list[GraphExecution]:
        return [execution for execution in late if execution.id not in self._ids]

    def differs(self, late: Iterable[GraphExecution]) -> bool:
        return self.last != {execution.id for execution in late}

    def remember(self, late: Iterable[GraphExecution]) -> None:
        self.last = frozenset(execution.id for execution in late)
        for execution in late:
            self._ids.pop(execution.id, None)
            self._ids[execution.id] = None
        while len(self._ids) > _MOST_REMEMBERED:
            del self._ids[next(iter(self._ids))]

    def forget(self, late: Iterable[GraphExecution], *, last: frozenset[str]) -> None:
        self.last = last
        for execution in late:
            self._ids.pop(execution.id, None)
