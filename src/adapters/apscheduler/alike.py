"""Rows that begin alike: what leads up to the rest of a row is loaded once, and taken for the others.

A row as APScheduler writes it begins with version, id, function and trigger. The trigger is most of its bytes, and
many rows share one. Where a row has the same bytes there as one before, only its rest is loaded, on the stack and
with the memo that its beginning would have left.

That is safe since the beginning is known to be opcodes that leave just that (`depth.py`), and since nothing that
opcodes can change is shared: in the memo such things have a stand-in, which fails whatever is done with it but to
lie where nobody looks. Whoever meets a failure loads the row as a whole, and so does what is odd or large; so a row
is refused for nothing but itself, and none is taken that would be refused.
"""

import io
import pickle
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar

from adapters.apscheduler import records
from adapters.apscheduler.depth import is_one_object
from adapters.apscheduler.opcodes import scan_rest
from adapters.apscheduler.records import FixedZone, Moment, NamedZone, Span
from adapters.apscheduler.triggers import read_trigger
from adapters.apscheduler.unpickler import GLOBALS, RecordUnpickler
from ports.triggers import Trigger

_LARGEST_BYTES = 32 * 1024  # so small a row reaches no bound on opcodes
_FRAME = (b"\x80\x04\x95", b"\x80\x05\x95")
_HEAD = b"}\x94(\x8c\x07version\x94K\x01\x8c\x02id\x94"
_HEAD_AT = 11  # behind the length of the frame
_ID_AT = _HEAD_AT + len(_HEAD)
_FUNCTION = b"\x94\x8c\x04func\x94"
_TRIGGER = b"\x94\x8c\x07trigger\x94"
_REST = b"\x8c\x08executor\x94"
_ID_IN_MEMO = 3
_LONGEST_SHORT = 255
_SHARED = frozenset({str, bytes, int, float, bool, type(None), NamedZone, FixedZone, Span, Moment})
_WORTH_AFTER = 3  # sightings; a beginning that comes but once or twice costs more than it saves
_MOST_SIGHTINGS = 8192
_MOST_KNOWN = 1024


class StandIn(records.Inert):
    """What can't be shared: it has no state, takes no items, is no key and can't be called."""

    __slots__ = ()
    __hash__: ClassVar[None]  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        """Be equal to nothing, which also takes the hash away."""
        return False


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a row's beginning comes to."""

    trigger: Trigger
    zone: object
    """The record of the trigger's zone, None where it has none."""
    stands_for_trigger: StandIn
    _program: bytes
    _memo: Sequence[Any]
    _rare: int

    def load_rest(self, row_id: str, job_state: bytes, rest_at: int) -> tuple[Any, int]:
        """Do what `unpickler.load` does. Raises whatever hostile bytes make the unpickler raise."""
        last_bytes, _ = scan_rest(job_state, rest_at, self._rare)
        memo = [*self._memo]
        memo[_ID_IN_MEMO] = row_id
        return _unpickler(self._program + job_state[rest_at:], memo).load(), last_bytes


class Beginnings:
    """The beginnings that were met some times."""

    def __init__(self) -> None:
        # By hash, since beginnings are large; of two that share one, each is loaded sooner.
        self._sightings: dict[int, int] = {}
        self._known: dict[bytes, Beginning | None] = {}

    def find(self, row_id: str, job_state: bytes) -> tuple[Beginning, int] | None:
        """Return a row's beginning, and where its rest begins; None where it has to be loaded as a whole."""
        split = _split(row_id, job_state)
        if split is None:
            return None
        begins, rest_at = split
        if begins not in self._known:
            if not self._is_worth_it(begins):
                return None
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()  # they are soon known again
            self._known[begins] = _load(begins)
        known = self._known.get(begins)
        return None if known is None else (known, rest_at)

    def _is_worth_it(self, begins: bytes) -> bool:
        if len(self._sightings) >= _MOST_SIGHTINGS:
            self._sightings.clear()
        seen = hash(begins)
        count = self._sightings.get(seen, 0) + 1
        self._sightings[seen] = count
        return count > _WORTH_AFTER


def _split(row_id: str, job_state: bytes) -> tuple[bytes, int] | None:
    """Return what stands between a row's id and its rest, and where the rest begins."""
    size = len(job_state)
    text = row_id.encode("utf-8", "surrogatepass")
    if size > _LARGEST_BYTES or len(text) > _LONGEST_SHORT or job_state[:3] not in _FRAME:
        return None
    head = _HEAD + _short(text)
    if (
        not job_state.startswith(head, _HEAD_AT)
        or int.from_bytes(job_state[3:_HEAD_AT], "little") != size - _HEAD_AT
    ):
        return None
    begins_at = _HEAD_AT + len(head)
    rest_at = job_state.find(_REST, begins_at)
    return None if rest_at < 0 else (job_state[begins_at:rest_at], rest_at)


def _load(begins: bytes) -> Beginning | None:
    """Return what opcodes between a row's id and its rest come to; None for other ones than APScheduler's."""
    function_at = len(_FUNCTION)
    function = begins[function_at + 2 : function_at + 2 + int.from_bytes(begins[function_at + 1 : function_at + 2])]
    head = _FUNCTION + _short(function) + _TRIGGER
    pickled = begins[len(head) :]
    if not begins.startswith(head) or not is_one_object(pickled):
        return None
    with suppress(Exception):  # hostile bytes make the unpickler raise anything, and concern rows as a whole
        _, rare = scan_rest(pickled + b".", 0, 0)
        own = StandIn()  # for the job's state and its id, which are not to be in what rows share
        before = [own, "version", "id", own, "func", function.decode(), "trigger"]
        unpickler = _unpickler(_with_memo(before) + pickled + b".", before)
        loaded = unpickler.load()
        memo: dict[int, Any] = unpickler.memo.copy()
        return _beginning(function, loaded, [memo[number] for number in range(len(memo))], rare)
    return None


def _unpickler(opcodes: bytes, memo: Sequence[object]) -> RecordUnpickler:
    """Return an unpickler of opcodes; in a frame, without which it would read them one by one."""
    head = b"\x80\x05\x95" + len(opcodes).to_bytes(8, "little")
    return RecordUnpickler(io.BytesIO(head + opcodes), buffers=memo)


def _with_memo(memo: Sequence[object]) -> bytes:
    """Return opcodes that fill the memo with what the unpickler is given as buffers, and leave nothing else."""
    return pickle.MARK + len(memo) * (pickle.NEXT_BUFFER + pickle.MEMOIZE) + pickle.POP_MARK


def _beginning(function: bytes, loaded: records.Record, memo: Sequence[object], rare: int) -> Beginning:
    trigger_at = next(number for number, each in enumerate(memo) if each is loaded)
    stands_for_trigger, stands_for_others = StandIn(), StandIn()
    shared = [each if _may_be_shared(each) else stands_for_others for each in memo]
    shared[trigger_at] = stands_for_trigger
    program = _with_memo(memo) + b"}(\x8c\x07versionK\x01\x8c\x02idh\x03\x8c\x04func"
    return Beginning(
        trigger=read_trigger(loaded),
        zone=loaded.attributes().get("timezone"),
        stands_for_trigger=stands_for_trigger,
        _program=program + _short(function) + b"\x8c\x07triggerj" + trigger_at.to_bytes(4, "little"),
        _memo=shared,
        _rare=rare,
    )


def _short(text: bytes) -> bytes:
    return pickle.SHORT_BINUNICODE + bytes([len(text)]) + text


def _may_be_shared(value: object) -> bool:
    return type(value) in _SHARED or any(value is each for each in GLOBALS.values())
