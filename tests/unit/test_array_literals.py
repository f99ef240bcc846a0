"""PostgreSQL's array literals: what is in them is the same whether the elements are of one type or of several."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from adapters.postgres.literals import array, element
from ports.firings import FiringState

MOMENT = datetime(2026, 11, 27, 9, 0, 0, 5, UTC)


@pytest.mark.parametrize(
    ("values", "literal"),
    [
        ([], "{}"),
        ([1, 22], "{1,22}"),
        ([1, None], "{1,NULL}"),
        ([None, None], "{NULL,NULL}"),
        ([True, False], "{t,f}"),
        ([0.1, 1e300], "{0.1,1e+300}"),
        (["a", 'q"\\', "NULL", ""], '{"a","q\\"\\\\","NULL",""}'),
        ([FiringState.FAILED, FiringState.DEAD], '{"failed","dead"}'),
        ([FiringState.FAILED, "x"], '{"failed","x"}'),
        ([b"\x00\xff"], '{"\\\\x00ff"}'),
        ([MOMENT, MOMENT.astimezone(timezone(-timedelta(hours=3)))], None),
        ([UUID(int=1)], "{00000000-0000-0000-0000-000000000001}"),
    ],
)
def test_array_is_its_elements(values: list[Any], literal: str | None) -> None:
    """As if each had been written alone."""
    assert array(values) == "{" + ",".join(map(element, values)) + "}"
    if literal is not None:
        assert array(iter(values)) == literal


def test_times_need_no_quotes() -> None:
    """No blank, comma or brace is in them."""
    assert array([MOMENT]) == "{2026-11-27T09:00:00.000005+00:00}"


def test_what_no_array_holds_is_refused() -> None:
    """Rather than written as its repr."""
    with pytest.raises(TypeError, match="no array holds a set"):
        array([set()])
