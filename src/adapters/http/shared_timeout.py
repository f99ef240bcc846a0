"""One timeout for many calls."""

import asyncio
from types import TracebackType


class SharedTimeout:
    """Bounds calls that may each take `secs`, with one timer for all: those that began first run out first.

    Each call is `with timeout.call():`. As with asyncio.timeout, which makes a timer a call, a call's task is
    cancelled when it runs out, and the cancellation leaves the block as TimeoutError. For one event loop.
    """

    def __init__(self, secs: float) -> None:
        self.secs = secs
        self._ends: dict[_Call, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def call(self) -> "_Call":
        """Return the bounds of a call that begins now, in the current task."""
        return _Call(self)

    def close(self) -> None:
        """Leave no timer behind, unless calls are under way: they keep their bounds, and it runs out by itself."""
        if self._timer is not None and not self._ends:
            self._timer.cancel()
            self._timer = None

    def begin(self, call: "_Call") -> None:
        """Count `call` from now on."""
        loop = asyncio.get_running_loop()
        end = self._ends[call] = loop.time() + self.secs
        if self._timer is None:
            self._timer = loop.call_at(end, self._sweep)

    def end(self, call: "_Call") -> None:
        """Forget `call`."""
        self._ends.pop(call, None)

    def _sweep(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        for call, end in list(self._ends.items()):
            if end > now:
                self._timer = loop.call_at(end, self._sweep)
                return
            del self._ends[call]
            call.expire()


class _Call:
    """One bounded call."""

    __slots__ = ("_cancelling", "_expired", "_task", "_timeout")

    def __init__(self, timeout: SharedTimeout) -> None:
        self._timeout = timeout
        self._expired = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._cancelling = task.cancelling()
        self._timeout.begin(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timeout.end(self)
        if self._expired and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def expire(self) -> None:
        """Break the call off."""
        self._expired = True
        self._task.cancel()
