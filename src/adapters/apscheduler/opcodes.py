"""A look at a pickle's opcodes before anything is loaded: what no job row contains never reaches the unpickler."""

import pickle

MAX_BYTES = 16 * 1024 * 1024
MAX_OPCODES = 2_000_000
_MAX_INT_BYTES = 4096


class RefusedPickleError(Exception):
    """Bytes that no job row would have. The message holds nothing of them."""


_VARIABLE = -1
_SIZES = [0] * 256
for _name, _size in {
    # What occurs in rows of APScheduler 3.10 and 3.11 (compat/README.md), with the bytes that follow each.
    "PROTO": 1,
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
    "TUPLE": 0,
    "TUPLE1": 0,
    "TUPLE2": 0,
    "TUPLE3": 0,
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
for _name in ("SHORT_BINUNICODE", "BINUNICODE", "SHORT_BINBYTES", "LONG1", "LONG4"):
    _SIZES[getattr(pickle, _name)[0]] = _VARIABLE

_SHORT = frozenset(op[0] for op in (pickle.SHORT_BINUNICODE, pickle.SHORT_BINBYTES, pickle.LONG1))
_LONG4 = pickle.LONG4[0]
_STOP = pickle.STOP[0]


def scan(data: bytes) -> None:
    """Refuse `data` unless it is one pickle of allowed opcodes within bounds.

    Memo indexes need no bound of their own: only MEMOIZE, which counts up by one, may write the memo.
    Raises RefusedPickleError.
    """
    length = len(data)
    if length > MAX_BYTES:
        raise RefusedPickleError("longer than any job row")
    if data[:1] != pickle.PROTO or length < len(b"\x80\x04N."):
        raise RefusedPickleError("not a pickle of protocol 4 or 5")
    if data[1] not in (4, 5):
        raise RefusedPickleError("not a pickle of protocol 4 or 5")
    sizes, position = _SIZES, 0
    for _ in range(MAX_OPCODES):
        if position >= length:
            raise RefusedPickleError("ends before its time")
        opcode = data[position]
        size = sizes[opcode]
        if size > 0:
            position += size
        elif size == _VARIABLE:
            position = _after_argument(data, position, opcode)
        elif opcode == _STOP:
            if position + 1 != length:
                raise RefusedPickleError("goes on after its end")
            return
        else:
            raise RefusedPickleError(f"has opcode 0x{opcode:02x}, which no job row has")
    raise RefusedPickleError("has more opcodes than any job row")


def _after_argument(data: bytes, position: int, opcode: int) -> int:
    if opcode in _SHORT:
        return position + 2 + data[position + 1] if position + 1 < len(data) else len(data)
    size = int.from_bytes(data[position + 1 : position + 5], "little")
    if opcode == _LONG4 and size > _MAX_INT_BYTES:
        raise RefusedPickleError("has a longer integer than any job row")
    return position + 5 + size
