"""Rows that are broken or mean harm: quarantined at once, without any effect."""

import pickle
import struct
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger

from adapters.apscheduler.job_state import decode
from ports.jobs import UnreadableRow
from tests.unit.job_state_rows import Call, Global, New, due, dumps, refused, row

SECRET = "correct horse battery staple"
START = b"\x80\x05"


def text(value: str) -> bytes:
    """Return the opcode for a short text."""
    raw = value.encode()
    return b"\x8c" + bytes([len(raw)]) + raw


def glob(module: str, name: str) -> bytes:
    """Return the opcodes for a global."""
    return text(module) + text(name) + b"\x93"


CRON = glob("apscheduler.triggers.cron", "CronTrigger")
SHELL = text("touch pwned") + b"\x85R"

BROKEN = {
    "nothing": b"",
    "a byte": b"\x80",
    "only a header": START,
    "text": b"not a pickle at all",
    "protocol 2": b"\x80\x02}.",
    "protocol 3": b"\x80\x03}.",
    "no end": row()[:-1],
    "half of it": row()[: len(row()) // 2],
    "more after its end": row() + b"N.",
    "no state": START + b"N.",
    "an empty state": START + b"}.",
    "nothing on the stack": START + b".",
    "a missing memo entry": START + b"h\x07.",
    "a header within": START + b"\x80\x05}.",
    "a text beyond the end": START + b"X\xff\xff\xff\x7fabc.",
    "bytes beyond the end": START + b"C\xffabc.",
    "a frame beyond the end": START + b"\x95" + struct.pack("<Q", 2**62) + b"}.",
    "a frame of no size": START + b"\x95" + b"\xff" * 8 + b"}.",
}
FORBIDDEN = {
    "persistent id": START + b"Pabc\n.",
    "persistent id from the stack": START + text("abc") + b"Q.",
    "extension 1": START + b"\x82\x01.",
    "extension 2": START + b"\x83\x01\x00.",
    "extension 4": START + b"\x84\x01\x00\x00\x00.",
    "a global by line": START + b"cposix\nsystem\n" + SHELL + b".",
    "instance by line": START + b"(" + text("touch pwned") + b"iposix\nsystem\n.",
    "instance from the stack": START + b"(" + glob("posix", "system") + text("touch pwned") + b"o.",
    "keyword arguments to a class": START + CRON + b")}\x92.",
    "a memo index of two billion": START + b"Nr\xff\xff\xff\x7f.",
    "a memo index by line": START + b"Np2147483647\n.",
    "a short memo index": START + b"Nq\xff.",
    "a set": START + b"\x8f.",
    "a byte array": START + b"\x96" + struct.pack("<Q", 2**40) + b".",
    "long bytes": START + b"\x8e" + struct.pack("<Q", 2**40) + b".",
    "long text": START + b"\x8d" + struct.pack("<Q", 2**40) + b".",
    "bytes of two gigabytes": START + b"B\xff\xff\xff\x7f.",
    "an integer of two gigabytes": START + b"\x8b\xff\xff\xff\x7f.",
    "an integer of negative size": START + b"\x8b\xff\xff\xff\xff.",
    "an integer by line": START + b"I1\n.",
    "duplication": START + b"N2.",
    "out-of-band data": START + b"\x97.",
}
REACHING = {
    "os.system": START + glob("os", "system") + SHELL + b".",
    "posix.system": START + glob("posix", "system") + SHELL + b".",
    "subprocess": START + glob("subprocess", "call") + SHELL + b".",
    "eval": START + glob("builtins", "eval") + text("open('pwned','w')") + b"\x85R.",
    "import": START + glob("builtins", "__import__") + SHELL + b".",
    "getattr on a module": START + glob("builtins", "getattr") + glob("os", "path") + text("join") + b"\x86R.",
    "getattr on a record": START + glob("builtins", "getattr") + CRON + text("__class__") + b"\x86R.",
    "getattr on getattr": START + glob("builtins", "getattr") * 2 + text("__self__") + b"\x86R.",
    "getattr beyond _unpickle": START
    + glob("builtins", "getattr")
    + glob("zoneinfo", "ZoneInfo")
    + text("from_file")
    + b"\x86R.",
    "getattr of an enum's insides": START
    + glob("builtins", "getattr")
    + glob("backend.integrations.providers", "ProviderName")
    + text("__class__")
    + b"\x86R.",
    "a dotted name": START + glob("apscheduler.triggers.cron", "CronTrigger.__init__.__globals__") + b".",
    "a library's other class": START + glob("apscheduler.schedulers.background", "BackgroundScheduler") + b")\x81.",
    "a function of the platform": START + glob("backend.executor.scheduler", "execute_graph") + b")R.",
    "a state for a class": START + CRON + b"}" + text("__setstate__") + b"Nsb.",
    "slots for a class": START + CRON + b"N}" + text("get_next_fire_time") + b"Ns\x86b.",
    "a state for a stand-in": START + glob("datetime", "datetime") + b"}" + text("x") + b"Nsb.",
    "a call of a class that is none": START + glob("zoneinfo", "ZoneInfo") + text("UTC") + b"\x85R.",
    "an item for a record": START + CRON + b")\x81" + text("x") + b"Ns.",
    "an element for a record": START + CRON + b")\x81Na.",
    "arguments for a record": START + CRON + b"N\x85\x81.",
}


@pytest.fixture(autouse=True)
def nothing_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail a test in which a row did what it said: made a file, imported, or changed a library's class."""
    monkeypatch.chdir(tmp_path)
    modules, attributes = set(sys.modules), dict(vars(CronTrigger))
    yield
    assert not list(tmp_path.iterdir())
    assert dict(vars(CronTrigger)) == attributes
    assert not {name for name in set(sys.modules) - modules if name.startswith("backend")}


@pytest.mark.parametrize("job_state", BROKEN.values(), ids=BROKEN)
def test_broken_bytes_are_quarantined(job_state: bytes) -> None:
    """The original deletes such rows with every list."""
    refused(job_state)


@pytest.mark.parametrize("job_state", FORBIDDEN.values(), ids=FORBIDDEN)
def test_an_opcode_that_no_row_has_is_quarantined_unloaded(job_state: bytes) -> None:
    """They reach what allow-listed names do not, or ask for memory by the gigabyte."""
    tracemalloc.start()
    try:
        refused(job_state)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("job_state", REACHING.values(), ids=REACHING)
def test_a_row_that_reaches_for_code_is_quarantined(job_state: bytes) -> None:
    """No name leads to anything that runs, and no class is there to be changed."""
    refused(job_state)


def test_a_command_in_a_row_that_is_otherwise_good_does_not_run() -> None:
    """The place within the state makes no difference."""
    command = Call(Global("os", "system"), "touch pwned")
    for place in ("id", "func", "trigger", "executor", "args", "kwargs", "name", "next_run_time", "anything"):
        refused(row(**{place: command}))
        refused(row(**{place: [command]}))


def test_what_is_shown_of_a_row_holds_nothing_of_it() -> None:
    """Operators read these lines in logs and answers, where payloads don't belong."""
    kwargs = {"input_data": SECRET}
    rows = [
        row(kwargs={**kwargs, "odd": (SECRET,)}),
        row(kwargs=kwargs, name=[SECRET]),
        row(kwargs=kwargs, func=f"{SECRET}:{SECRET}"),
        row(kwargs=kwargs, trigger=SECRET),
        row(kwargs=kwargs, id=SECRET),
        row(kwargs={SECRET: Call(Global(SECRET, SECRET), SECRET)}),
        dumps({SECRET: SECRET}),
        row(kwargs=kwargs)[:-1],
    ]
    for each in rows:
        found = decode("a-job", each, due())
        assert isinstance(found, UnreadableRow)
        assert "horse" not in found.detail


class TestBombs:
    """A few bytes that ask for much."""

    def test_a_list_of_lists_of_lists_is_not_walked(self) -> None:
        """A billion elements in a kilobyte, by reference."""
        bomb: list[object] = [1]
        for _ in range(9):
            bomb = [bomb] * 10
        refused(row(kwargs={"input_data": bomb}))

    def test_a_list_that_contains_itself_is_not_walked(self) -> None:
        """It has no end."""
        loop: list[object] = []
        loop.append(loop)
        refused(row(kwargs={"input_data": loop}))

    def test_a_long_text_can_not_be_repeated_by_reference(self) -> None:
        """A megabyte, named ten thousand times, is ten gigabytes in an answer."""
        refused(row(kwargs={"input_data": ["x" * 1_000_000] * 10_000}))

    def test_a_trigger_of_triggers_of_triggers_is_not_read(self) -> None:
        """Ten to the eighth parts, by reference."""
        reference = "apscheduler.triggers.combining:OrTrigger"
        part = (reference, {"version": 1, "triggers": [], "jitter": None})
        for _ in range(8):
            part = (reference, {"version": 1, "triggers": [part] * 10, "jitter": None})
        refused(row(trigger=New(Global("apscheduler.triggers.combining", "OrTrigger"), part[1])))

    def test_a_trigger_with_more_parts_than_anybody_needs_is_not_read(self) -> None:
        """Each part costs time at every claim."""
        refused(row(trigger=OrTrigger([CronTrigger(minute=n % 60, timezone="UTC") for n in range(101)])))

    def test_integers_made_to_collide_as_keys_are_refused(self) -> None:
        """Integers hash to themselves modulo a prime; a hundred thousand keys of one hash take hours to insert."""
        refused(dumps({2 * k * sys.hash_info.modulus: None for k in range(2, 5000)}))
        many = b"".join(pickle.dumps(k * sys.hash_info.modulus, 5)[2:-1] + b"N" for k in range(2**10, 2**17))
        refused(START + b"}(" + many + b"u.")

    def test_tuples_nested_deep_enough_to_overflow_the_stack_when_hashed_are_refused(self) -> None:
        """Python hashes a tuple by recursion in C, which ends the process."""
        refused(START + b"})" + b"\x85" * 1_000_000 + b"Ns.")

    @pytest.mark.parametrize("opener", [b"]", b"}", b"(", b"]\x94", b"N\x94"])
    def test_millions_of_opcodes_are_refused_within_bounds_of_time_and_memory(self, opener: bytes) -> None:
        """Each is a byte, and makes an object of sixty."""
        refused(START + opener * 3_900_000 + b".")
        refused(START + opener * 6_000_000 + b".")

    def test_a_row_of_more_than_sixteen_megabytes_is_not_looked_at(self) -> None:
        """No call through the API is as large."""
        assert "longer" in refused(row(kwargs={"input_data": "x" * 16_800_000})).detail
