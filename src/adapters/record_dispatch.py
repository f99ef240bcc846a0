"""A receiver for trying the scheduler out: firings are recorded, nothing is started."""

import logging

from ports.dispatch import DispatchRequest

logger = logging.getLogger(__name__)


class RecordingExecutionDispatch:
    """Logs each execution that would start; the firing's record in the history is all that it leaves behind."""

    async def dispatch(self, request: DispatchRequest) -> str | None:
        """Log the firing and return None: nothing was started, so there is no id that anybody could look up."""
        logger.info(
            "fired graph %s version %s (recorded only, nothing was started)",
            request.graph_id,
            request.graph_version,
            extra={"idempotency_key": request.idempotency_key, "user_id": request.user_id},
        )
        return None

    async def aclose(self) -> None:
        """Do nothing."""
