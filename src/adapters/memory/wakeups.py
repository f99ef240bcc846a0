"""Wake-ups within one process."""

import asyncio


class MemoryWakeUps:
    """An event that `wake` sets."""

    def __init__(self) -> None:
        self._woken = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def wait(self, timeout: float) -> bool:  # noqa: ASYNC109  the port's own signature
        """Return True as soon as somebody woke us, False after `timeout` seconds."""
        self._loop = asyncio.get_running_loop()
        if not self._woken.is_set():
            try:
                await asyncio.wait_for(self._woken.wait(), timeout)
            except TimeoutError:
                return False
        self._woken.clear()
        return True

    def wake(self) -> None:
        """Wake the waiter, from any thread."""
        if self._loop is None or self._loop.is_closed():
            self._woken.set()
        else:
            self._loop.call_soon_threadsafe(self._woken.set)
