"""Faults on demand, for fakes."""


class FailsOnDemand:
    """Lets the next calls of a fake fail."""

    def __init__(self) -> None:
        self._failures: list[Exception] = []

    def fail_next(self, *errors: Exception) -> None:
        """Make the next calls raise `errors`, one each, before they do anything."""
        self._failures.extend(errors)

    def _raise_if_failing(self) -> None:
        if self._failures:
            raise self._failures.pop(0)
