"""How many attempts may be under way at once: few, as long as those finish fast."""


class Throttle:
    """Allows `few` attempts at once, and more, up to `most`, as long as fewer than that finish between two looks.

    Fast receivers keep this process busy however few it calls at once. More attempts finish no sooner then, and
    what each needs pushes what the others need out of the processor's caches: with a hundred connections instead
    of 25 a call takes up to a third longer. Of slow receivers, or with some that hang, many have to be called.
    Beyond `few` at once it comes to `few` a look: receivers that answer after some milliseconds get no more.
    """

    def __init__(self, *, few: int, most: int) -> None:
        self._few = min(few, most)
        self._most = most
        self._allowed = self._few

    def begin(self, in_flight: int) -> int:
        """Return how many may be under way when some are waiting again: few more than those that have been."""
        self._allowed = min(self._most, in_flight + self._few)
        return self._allowed

    def look(self, finished: int) -> int:
        """Return how many may be now: more or fewer by as many as `finished` since the last look, less the few."""
        self._allowed = max(self._few, min(self._most, self._allowed + self._few - finished))
        return self._allowed
