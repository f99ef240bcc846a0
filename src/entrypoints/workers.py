"""Several firing processes behind one port: forked by a parent that restarts those that die.

Workers stop when their lifeline, a pipe that only the parent can write to, comes to its end: whether the parent
closed it or died. Signals would not do, since a terminal and most service supervisors send theirs to parent and
workers alike, and two are one too many.
"""

import contextlib
import gc
import logging
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NoReturn

from entrypoints.errors import StartError

logger = logging.getLogger(__name__)

Work = Callable[[int], int]
"""What a worker does, until the descriptor that it is given comes to its end; it returns the exit status."""

_STOPPING = frozenset({signal.SIGTERM, signal.SIGINT})
_SIGNALS = _STOPPING | {signal.SIGCHLD}
_FIRST_BACKOFF_SECS = 0.5
_LONGEST_BACKOFF_SECS = 10.0
_STEADY_SECS = 60.0  # a worker that ran for so long starts anew at once when it dies
_NEVER = float("inf")
_BROKEN = 1
_CAN_NOT_START = 2


@dataclass(slots=True)
class _Place:
    """One of the workers: who fills the place now, or from when it may be filled again."""

    number: int
    start_at: float
    backoff: float = _FIRST_BACKOFF_SECS
    pid: int | None = None
    started_at: float = 0.0


class Supervisor:
    """Keeps `count` workers at `work` until SIGTERM or SIGINT, then waits for them for at most `grace_secs`."""

    def __init__(self, count: int, work: Work, *, grace_secs: float) -> None:
        self._work = work
        self._grace_secs = grace_secs
        self._places = [_Place(number, start_at=0.0) for number in range(1, count + 1)]
        self._lifeline, self._holding = os.pipe()
        self._news, self._teller = socket.socketpair()
        self._kill_at: float | None = None
        self._status = 0

    def run(self) -> int:
        """Return the exit status: 0 after a graceful stop in which every worker ended well."""
        # What is loaded so far stays shared between the processes, if the collector does not write to it.
        gc.freeze()
        with self._listening():
            while self._kill_at is None or self._running():
                self._start_due()
                self._wait()
                self._reap()
                if self._kill_at is not None and time.monotonic() >= self._kill_at:
                    self._kill("did not end in time")
        os.close(self._lifeline)
        return self._status

    def _running(self) -> list[_Place]:
        return [place for place in self._places if place.pid is not None]

    def _start_due(self) -> None:
        for place in self._places:
            if self._kill_at is None and place.pid is None and time.monotonic() >= place.start_at:
                self._start(place)

    def _start(self, place: _Place) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        pid = os.fork()
        if pid == 0:
            self._become_worker(before)
        place.pid, place.started_at = pid, time.monotonic()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        logger.info("worker started", extra={"worker": place.number, "pid": pid})

    def _become_worker(self, mask: set[int | signal.Signals]) -> NoReturn:
        status = _BROKEN
        try:
            signal.set_wakeup_fd(-1)
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            os.close(self._holding)
            self._news.close()
            self._teller.close()
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            status = self._work(self._lifeline)
        except StartError as error:
            print(f"agpt-scheduler: {error}", file=sys.stderr)  # noqa: T201  what a person at the terminal reads
            status = _CAN_NOT_START
        except BaseException:
            logger.critical("a worker broke down", exc_info=True)
        finally:
            with contextlib.suppress(OSError):
                sys.stdout.flush()
                sys.stderr.flush()
            # Nothing that the parent registered to be done at its exit is a worker's to do.
            os._exit(status)

    def _wait(self) -> None:
        """Return at a signal, or when something is due."""
        times = [place.start_at for place in self._places if place.pid is None and self._kill_at is None]
        if self._kill_at is not None:
            times.append(self._kill_at)
        timeout = max(0.0, min(times) - time.monotonic()) if times and min(times) != _NEVER else None
        ready, _, _ = select.select([self._news], [], [], timeout)
        for number in self._news.recv(4096) if ready else b"":
            if number in _STOPPING:
                self._stop(signal.Signals(number))

    def _stop(self, number: signal.Signals) -> None:
        if self._kill_at is not None:
            self._kill("was ended at once")
            os._exit(128 + number)
        logger.info("stopping")
        self._end_lifeline()

    def _end_lifeline(self) -> None:
        self._kill_at = time.monotonic() + self._grace_secs
        os.close(self._holding)

    def _kill(self, reason: str) -> None:
        for place in self._running():
            assert place.pid is not None
            logger.warning("worker %s", reason, extra={"worker": place.number, "pid": place.pid})
            os.kill(place.pid, signal.SIGKILL)
        self._kill_at = _NEVER

    def _reap(self) -> None:
        for place in self._running():
            assert place.pid is not None
            pid, waited = os.waitpid(place.pid, os.WNOHANG)
            if pid:
                self._ended(place, os.waitstatus_to_exitcode(waited))

    def _ended(self, place: _Place, status: int) -> None:
        now = time.monotonic()
        about = {"worker": place.number, "pid": place.pid, "status": status}
        place.pid = None
        if self._kill_at is not None:
            self._status = self._status or (_BROKEN if status else 0)
        elif status == _CAN_NOT_START:
            # It would not start another time either: a setting is wrong.
            self._status = status
            self._end_lifeline()
        else:
            if now - place.started_at >= _STEADY_SECS:
                place.backoff = _FIRST_BACKOFF_SECS
            logger.error("worker died, another starts in %.1f s", place.backoff, extra=about)
            place.start_at = now + place.backoff
            place.backoff = min(2 * place.backoff, _LONGEST_BACKOFF_SECS)

    @contextlib.contextmanager
    def _listening(self) -> Iterator[None]:
        """Have signals told through a socket, so that none comes between two looks."""
        self._teller.setblocking(False)  # noqa: FBT003  the socket module takes no keyword
        handlers = {number: signal.signal(number, _only_tell) for number in _SIGNALS}
        signal.set_wakeup_fd(self._teller.fileno())
        try:
            yield
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in handlers.items():
                signal.signal(number, handler)
            self._news.close()
            self._teller.close()


def _only_tell(number: int, frame: object) -> None:
    """Do nothing: the wake-up descriptor has told already."""
    del number, frame
