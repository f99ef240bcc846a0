"""Writing job states: what their beginnings come to is pickled once for all that share function and trigger.

A trigger takes two thirds of the time to pickle a job, and many jobs share one. The rest of a job is pickled with
the memo that the beginning leaves, so that the bytes are those that the whole would have been pickled to.
"""

import io
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, TypeGuard

from adapters.apscheduler.moments import zone
from adapters.apscheduler.stock_triggers import stock_trigger
from ports.triggers import CronTrigger, Trigger

PROTOCOL = 5
_VERSION = 1
_MOST_KNOWN = 1024
_LARGEST_BYTES = 32 * 1024  # the pickler begins another frame behind 64 KiB
_LONGEST_SHORT = 255
_FRAME = b"\x80\x05\x95"
_FRAME_SIZE = 8
_HEAD = b"}\x94(\x8c\x07version\x94K\x01\x8c\x02id\x94\x8c"
_REST_AT = len(_FRAME) + _FRAME_SIZE + len(b"}\x94(")
_END = b"u."
_ID_IN_MEMO = 3
_ANY_ID = "0123456789abcdef0123456789abcdef"


@dataclass(frozen=True, slots=True)
class _Beginning:
    """What stands behind the id of jobs that share function and trigger, up to their rest."""

    pickled: bytes
    zone: tzinfo
    _memo: Mapping[int, tuple[int, object]]
    """The pickler's memo that this leaves, but for the job state and its id."""

    def has(self, text: str) -> bool:
        """Tell whether this holds `text`: the object, which is then referred to, not an equal one."""
        return id(text) in self._memo

    def followed_by(self, job_id: str, text: bytes, rest: Mapping[str, Any]) -> bytes:
        """Return a whole job state; `text` is the id's, which the rest may refer to."""
        out = io.BytesIO()
        pickler = pickle.Pickler(out, PROTOCOL)
        pickler.memo = {**self._memo, id(job_id): (_ID_IN_MEMO, job_id)}
        pickler.dump(rest)  # which takes the place in the memo that the whole would
        body = b"".join((_HEAD, bytes([len(text)]), text, self.pickled, out.getvalue()[_REST_AT:]))
        return _FRAME + len(body).to_bytes(_FRAME_SIZE, "little") + body


class JobStates:
    """Writes job states as APScheduler does. Raises what pickling and `stock_trigger` raise."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, CronTrigger], _Beginning] = {}

    def write(self, job_id: str, function: str, trigger: Trigger, rest: Mapping[str, Any]) -> bytes:
        """Return the pickle of a job state: its version, what is given, and the rest."""
        text = job_id.encode("utf-8", "surrogatepass")
        if _is_plain(trigger) and len(text) <= _LONGEST_SHORT:
            beginning = self._beginning(function, trigger)
            if not beginning.has(job_id):
                written = beginning.followed_by(job_id, text, rest)
                if len(written) <= _LARGEST_BYTES:
                    return written
        return pickle.dumps({**_begins(job_id, function, stock_trigger(trigger)), **rest}, PROTOCOL)

    def _beginning(self, function: str, trigger: CronTrigger) -> _Beginning:
        known = self._known.get((function, trigger))
        if known is None or known.zone is not zone(trigger.timezone):
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()  # they are soon known again
            known = self._known[function, trigger] = _pickled(function, trigger)
        return known


def _is_plain(trigger: Trigger) -> TypeGuard[CronTrigger]:
    """Tell whether equal triggers are written the same; bounds of two zones are equal."""
    return isinstance(trigger, CronTrigger) and {trigger.start_at, trigger.end_at, trigger.jitter} == {None}


def _begins(job_id: str, function: str, trigger: Any) -> dict[str, Any]:
    return {"version": _VERSION, "id": job_id, "func": function, "trigger": trigger}


def _pickled(function: str, trigger: CronTrigger) -> _Beginning:
    out = io.BytesIO()
    pickler = pickle.Pickler(out, PROTOCOL)
    begins = _begins(_ANY_ID, function, stock_trigger(trigger))
    pickler.dump(begins)
    memo = pickler.memo.copy()
    for own in (begins, _ANY_ID):
        del memo[id(own)]
    head = _FRAME_SIZE + len(_FRAME) + len(_HEAD) + 1 + len(_ANY_ID)
    return _Beginning(out.getvalue()[head : -len(_END)], zone(trigger.timezone), memo)
