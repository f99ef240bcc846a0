"""Figures that take a while: computed when somebody looks, in the background, and kept with their age."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from ports.clock import Clock
from ports.errors import PortError

logger = logging.getLogger(__name__)

T = TypeVar("T")

_SHARE_OF_TIME = 20
"""A figure is computed again no sooner than after this many times what it took, a twentieth of a core at most."""


@dataclass(frozen=True, slots=True)
class Kept(Generic[T]):
    """A figure and when its computation began."""

    value: T
    at: datetime


class Figure(Generic[T]):
    """Keeps what `compute` returns; nothing is computed while nobody looks.

    It is fresh for `fresh_secs`. Who looks waits for at most `patience_secs`, where that may be enough, and gets
    the old one, or None, where it was not. A store that is away leaves the old one standing.
    """

    def __init__(
        self,
        compute: Callable[[], Awaitable[T]],
        *,
        clock: Clock,
        fresh_secs: float,
        patience_secs: float = 0.04,
    ) -> None:
        self._compute = compute
        self._clock = clock
        self._fresh_secs = fresh_secs
        self._patience_secs = patience_secs
        self._kept: Kept[T] | None = None
        self._task: asyncio.Task[None] | None = None
        self._fresh_until = float("-inf")
        self._took_secs = 0.0

    async def look(self) -> Kept[T] | None:
        """Return the figure, a new one where it is old and quickly made."""
        if self._task is None and asyncio.get_running_loop().time() >= self._fresh_until:
            self._task = asyncio.create_task(self._refresh(), name="figure")
        if self._task is not None and (self._kept is None or self._took_secs < self._patience_secs):
            await asyncio.wait({self._task}, timeout=self._patience_secs)
        return self._kept

    async def aclose(self) -> None:
        """Give up what is being computed."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _refresh(self) -> None:
        time = asyncio.get_running_loop().time
        begun, at = time(), self._clock.now()
        try:
            self._kept = Kept(await self._compute(), at)
        except PortError as error:
            logger.debug("a figure stays as it was: %s", error)
        finally:
            self._took_secs = time() - begun
            self._fresh_until = time() + max(self._fresh_secs, _SHARE_OF_TIME * self._took_secs)
            self._task = None
