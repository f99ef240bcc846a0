"""When each firing reached its receiver: noted into memory that survives the process, kill -9 included."""

import itertools
import mmap
import os
import struct
import time
from dataclasses import dataclass
from pathlib import Path

FOLDER_VARIABLE = "BENCH_ARRIVALS"
_HEADER = struct.Struct("=q")
_NOTE = struct.Struct("=dq")
_CAPACITY = 1_000_000
_SLACK = 1_000


@dataclass(frozen=True, slots=True)
class Arrival:
    """A call of a receiver: when, for which schedule, and in which process."""

    at: float
    number: int
    process: int


class Notebook:
    """One process's notes: a file in memory, written without a system call, so that noting costs nothing."""

    def __init__(self, folder: Path) -> None:
        with (folder / f"{os.getpid()}.arrivals").open("w+b") as file:
            file.truncate(_HEADER.size + _NOTE.size * _CAPACITY)
            self._map = mmap.mmap(file.fileno(), 0)
        self._next = itertools.count().__next__  # one step even between threads

    def note(self, graph_id: str) -> None:
        """Note that `graph-{number}` was called now."""
        index = self._next()
        _NOTE.pack_into(self._map, _HEADER.size + _NOTE.size * index, time.time(), int(graph_id[6:]))
        _HEADER.pack_into(self._map, 0, index + 1)


def count(folder: Path) -> int:
    """Return how many calls were noted so far."""
    found = 0
    for path in folder.glob("*.arrivals"):
        with path.open("rb") as file:
            header = file.read(_HEADER.size)
        found += _HEADER.unpack(header)[0] if len(header) == _HEADER.size else 0
    return found


def read(folder: Path) -> list[Arrival]:
    """Return every call that was noted, in the order of time."""
    found = []
    for path in folder.glob("*.arrivals"):
        with path.open("rb") as file:
            (length,) = _HEADER.unpack(file.read(_HEADER.size))
            # Threads may write the header out of turn, so that it is a little behind.
            notes = file.read(_NOTE.size * (length + _SLACK))
        found += [Arrival(at, number, int(path.stem)) for at, number in _NOTE.iter_unpack(notes) if at]
    return sorted(found, key=lambda arrival: arrival.at)
