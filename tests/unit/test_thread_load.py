"""How busy a thread is."""

from adapters.thread_load import ThreadLoad


def test_it_tells_the_share_of_work_since_the_call_before() -> None:
    """Of two seconds one at work, then of four one."""
    now, work = iter([10.0, 12.0, 16.0]), iter([3.0, 4.0, 5.0])
    load = ThreadLoad(now=now.__next__, work=work.__next__)
    assert [load(), load(), load()] == [0.0, 0.5, 0.25]


def test_two_calls_at_one_moment_tell_nothing() -> None:
    """Not a division by zero."""
    load = ThreadLoad(now=lambda: 1.0, work=lambda: 1.0)
    assert [load(), load()] == [0.0, 0.0]


def test_a_thread_at_work_is_busy() -> None:
    """With the clocks of this machine."""
    load = ThreadLoad()
    load()
    sum(range(1_000_000))
    assert 0.0 < load() < 1.5
