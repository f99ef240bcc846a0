"""Whether opcodes push one object and have nothing to do with what lies below it."""

import pickle
from collections.abc import Mapping

from adapters.apscheduler.opcodes import RefusedPickleError, opcode_size

# How many objects each takes from the stack, and how many it leaves there; of those that need no mark.
_EFFECTS: Mapping[int, tuple[int, int]] = {
    getattr(pickle, name)[0]: effect
    for names, effect in (
        ("EMPTY_DICT EMPTY_LIST EMPTY_TUPLE NONE NEWTRUE NEWFALSE BINGET LONG_BINGET", (0, 1)),
        ("BININT BININT1 BININT2 LONG1 LONG4 BINFLOAT SHORT_BINUNICODE BINUNICODE SHORT_BINBYTES", (0, 1)),
        ("MEMOIZE TUPLE1", (1, 1)),
        ("TUPLE2 REDUCE NEWOBJ BUILD STACK_GLOBAL APPEND", (2, 1)),
        ("TUPLE3 SETITEM", (3, 1)),
    )
    for name in names.split()
}
_MARK = pickle.MARK[0]
# The same of those that take all down to a mark, besides that.
_DOWN_TO_MARK: Mapping[int, tuple[int, int]] = {
    pickle.TUPLE[0]: (0, 1),
    pickle.SETITEMS[0]: (1, 1),
    pickle.APPENDS[0]: (1, 1),
}


def is_one_object(data: bytes) -> bool:
    """Tell whether `data` is whole opcodes that, on any stack, push one object and leave what is below alone."""
    depth, marks, position = 0, [0], 0
    while position < len(data):
        opcode = data[position]
        try:
            position += opcode_size(data, position)
        except (IndexError, RefusedPickleError):
            return False
        if opcode == _MARK:
            marks.append(depth)
            continue
        if opcode in _DOWN_TO_MARK:
            if len(marks) == 1:
                return False
            depth = marks.pop()
        elif opcode not in _EFFECTS:
            return False
        taken, left = _EFFECTS.get(opcode) or _DOWN_TO_MARK[opcode]
        if depth - taken < marks[-1]:
            return False
        depth += left - taken
    return position == len(data) and depth == 1 and len(marks) == 1
