"""What processes use: CPU seconds and memory, of a contender and of PostgreSQL apart."""

import contextlib
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import psutil

_MIB = 2**20
_EVERY_SECS = 0.5


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds over a time, and the most memory in MiB (PostgreSQL's shared pages counted once)."""

    cpu_secs: float
    postgres_cpu_secs: float
    peak_mib: float
    postgres_peak_mib: float


class Meter:
    """Measures from entering to `read`."""

    def __init__(self, pids: Iterable[int], postmaster: int) -> None:
        self._processes = [psutil.Process(pid) for pid in pids]
        self._postmaster = psutil.Process(postmaster)
        self._peak = self._postgres_peak = 0.0
        self._ended = threading.Event()
        self._sampling = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Self:
        self._before = self._cpu()
        self._sampling.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._sampling.join()

    def read(self) -> Usage:
        """Return what was used so far."""
        ours, postgres = self._cpu()
        self._look()
        return Usage(ours - self._before[0], postgres - self._before[1], self._peak, self._postgres_peak)

    def _cpu(self) -> tuple[float, float]:
        return sum(map(_cpu_of_tree, self._processes)), _cpu_of_tree(self._postmaster)

    def _sample(self) -> None:
        while not self._ended.wait(_EVERY_SECS):
            self._look()

    def _look(self) -> None:
        mine = sum(_memory(process, "rss") for parent in self._processes for process in _tree(parent))
        postgres = sum(_memory(process, "pss") for process in _tree(self._postmaster))
        self._peak, self._postgres_peak = max(self._peak, mine), max(self._postgres_peak, postgres)


def _tree(process: psutil.Process) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        return [process, *process.children(recursive=True)]
    return []


def _cpu_of_tree(parent: psutil.Process) -> float:
    total = 0.0
    for process in _tree(parent):
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def _memory(process: psutil.Process, kind: str) -> float:
    with contextlib.suppress(psutil.Error):
        info = process.memory_info() if kind == "rss" else process.memory_full_info()
        return float(getattr(info, kind)) / _MIB
    return 0.0
