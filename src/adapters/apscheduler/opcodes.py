"""A look at a pickle's opcodes before anything is loaded: what no job row contains never reaches the unpickler."""

import pickle

MAX_BYTES = 16 * 1024 * 1024
MAX_OPCODES = 4_000_000
MAX_RARE = 4096
_MAX_INT_BYTES = 1786  # 4,300 digits, the longest integer that Python reads from JSON or writes to it


class RefusedPickleError(Exception):
    """A row that no APScheduler of ours or theirs would have written.

    The message goes on from "the row ..." and holds nothing of its payload.
    """


# What occurs in rows of APScheduler 3.10 and 3.11 (compat/README.md), and how many bytes follow each.
# Nothing here writes the memo but MEMOIZE, which counts up by one, so memo indexes need no bound of their own.
_SIZES = [0] * 256
for _name, _size in {
    "FRAME": 8,
    "MARK": 0,
    "EMPTY_DICT": 0,
    "EMPTY_LIST": 0,
    "EMPTY_TUPLE": 0,
    "MEMOIZE": 0,
    "BINGET": 1,
    "LONG_BINGET": 4,
    "BININT": 4,
    "BININT1": 1,
    "BININT2": 2,
    "BINFLOAT": 8,
    "NONE": 0,
    "NEWTRUE": 0,
    "NEWFALSE": 0,
    "REDUCE": 0,
    "NEWOBJ": 0,
    "BUILD": 0,
    "STACK_GLOBAL": 0,
    "SETITEM": 0,
    "SETITEMS": 0,
    "APPEND": 0,
    "APPENDS": 0,
}.items():
    _SIZES[getattr(pickle, _name)[0]] = 1 + _size

_PROTOCOLS = (b"\x80\x04", b"\x80\x05")
_SHORT_TEXT = pickle.SHORT_BINUNICODE[0]
_TEXT = pickle.BINUNICODE[0]
_SHORT_BYTES = pickle.SHORT_BINBYTES[0]
_MEMOIZE = pickle.MEMOIZE[0]
_STOP = pickle.STOP[0]
_TUPLES = frozenset(op[0] for op in (pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3))
_LONG1 = pickle.LONG1[0]
_LONG4 = pickle.LONG4[0]
_WORD = 8


def scan(data: bytes) -> int:
    """Refuse `data` unless it is one pickle of allowed opcodes within bounds. Raises RefusedPickleError.

    Returns where its last opcode for bytes is, which a date has; -1 where there is none.
    """
    if len(data) > MAX_BYTES:
        raise RefusedPickleError("is longer than any job row")
    if data[:2] not in _PROTOCOLS:
        raise RefusedPickleError("is not a pickle of protocol 4 or 5")
    return scan_rest(data, len(_PROTOCOLS[0]), 0)[0]


def scan_rest(data: bytes, position: int, rare: int) -> tuple[int, int]:
    """Do what `scan` does from an opcode on, before which there were `rare` ones of those that a row has few of.

    Returns how many of them there are in the end, besides.
    """
    try:
        end, last_bytes, rare = _walk(data, position, rare)
    except IndexError:
        raise RefusedPickleError("ends before its time") from None
    if end != len(data):
        raise RefusedPickleError("goes on after its end")
    return last_bytes, rare


def opcode_size(data: bytes, position: int) -> int:
    """Return how long an opcode is with its argument. Raises RefusedPickleError, and IndexError past the end."""
    return _SIZES[data[position]] or _measure_text(data, position)


def _measure_text(data: bytes, position: int) -> int:
    if data[position] == _SHORT_TEXT:
        return 2 + data[position + 1]
    return _measure(data, position, data[position])[0]


def _walk(data: bytes, position: int, rare: int) -> tuple[int, int, int]:
    """Return where the pickle ends, its last opcode for bytes, and how many are rare.

    Raises IndexError when the data ends first.
    """
    sizes, last_bytes = _SIZES, -1
    for _ in range(MAX_OPCODES):
        opcode = data[position]
        size = sizes[opcode]
        if size:
            position += size
        elif opcode == _SHORT_TEXT:
            position += 2 + data[position + 1]
            if data[position] == _MEMOIZE:  # nearly always: worth a quarter of the time for a typical row
                position += 1
        elif opcode == _STOP:
            return position + 1, last_bytes, rare
        else:
            if opcode == _SHORT_BYTES:
                last_bytes = position
            size, is_rare = _measure(data, position, opcode)
            position += size
            rare += is_rare
            if rare > MAX_RARE:
                raise RefusedPickleError("has more tuples and huge integers than any job row")
    raise RefusedPickleError("has more opcodes than any job row")


def _measure(data: bytes, position: int, opcode: int) -> tuple[int, bool]:
    """Return how long an opcode of variable size is with its argument, and whether a row has few of its kind.

    Tuples and integers beyond 64 bits are counted since only they can be made to collide as dictionary keys,
    and since hashing a deeply nested tuple overflows the C stack. Plain integers, floats and text can't.
    """
    if opcode in _TUPLES:
        return 1, True
    if opcode == _SHORT_BYTES:
        return 2 + data[position + 1], False
    if opcode == _LONG1:
        size = data[position + 1]
        return 2 + size, size > _WORD
    if opcode not in (_TEXT, _LONG4):
        raise RefusedPickleError(f"has opcode 0x{opcode:02x}, which no job row has")
    size = int.from_bytes(data[position + 1 : position + 5], "little")
    if opcode == _LONG4 and size > _MAX_INT_BYTES:
        raise RefusedPickleError("has a longer integer than any job row")
    return 5 + size, opcode == _LONG4
