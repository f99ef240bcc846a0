"""A receiver for trying the scheduler out: firings are recorded, nothing is started."""

import logging

from ports.dispatch import DispatchRequest

logger = logging.getLogger(__name__)


class RecordingExecutionDispatch:
    """Logs each execution that would start; the firing's record in the history is all that it leaves behind."""

    async def dispatch(self, request: DispatchRequest) -> str | None:
        """Log the firing and return None: nothing was started, so there is no id that anybody could look up."""
        job_id = request.idempotency_key.rsplit(":", maxsplit=3)[0]  # behind it stands a time, with two colons
        logger.info(
            "fired graph %s version %s (recorded only, nothing was started)",
            request.graph_id,
            request.graph_version,
            extra={"job_id": job_id, "user_id": request.user_id, "scheduled_at": request.scheduled_at.isoformat()},
        )
        return None

    async def aclose(self) -> None:
        """Do nothing."""
