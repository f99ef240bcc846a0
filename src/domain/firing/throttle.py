"""How many attempts may be under way at once: few, as long as those finish fast."""


class Throttle:
    """Allows `few` attempts at once, and more, up to `most`, as long as fewer than that finish between two looks.

    Fast receivers keep this process busy however few it calls at once. More attempts finish no sooner then, and
    what each needs pushes what the others need out of the processor's caches: with a hundred connections instead
    of 25 a call takes up to a third longer. Of slow receivers, or with some that hang, many have to be called.
    """

    def __init__(self, *, few: int, most: int) -> None:
        self._few = min(few, most)
        self._most = most
        self.allowed = self._few

    def reset(self) -> None:
        """Begin anew with the few."""
        self.allowed = self._few

    def look(self, finished: int) -> None:
        """Allow as many more, or fewer, as the number that `finished` since the last look differs from the few."""
        self.allowed = max(self._few, min(self._most, self.allowed + self._few - finished))
