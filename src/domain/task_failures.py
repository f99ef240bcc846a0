"""How a system task's failure that goes no further is logged."""

import logging

from ports.errors import PortError


def log_failure(logger: logging.Logger, what: str, error: Exception) -> None:
    """Log `what` failed: in one line when something outside did, with a traceback when it may be a mistake here."""
    ours = None if isinstance(error, PortError) else error
    logger.error("%s: %s", what, error, exc_info=ours)
