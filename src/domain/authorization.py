"""Who may do what to a schedule (spec.md, "User-Level Authorization")."""

from collections.abc import Callable

from domain.errors import NotAuthorizedError
from domain.models import GraphExecutionJobArgs
from ports.jobs import Job, JobKind


def require_owner(job: Job, user_id: str) -> GraphExecutionJobArgs:
    """Return what `job` runs if it is `user_id`'s schedule.

    Raises NotAuthorizedError when it is somebody else's, or nobody's. A job without a schedule's kwargs (a system
    task) raises pydantic's ValidationError instead, as recorded: "delete system task".
    """
    args = GraphExecutionJobArgs.model_validate(job.kwargs)
    if job.kind is not JobKind.EXECUTE_GRAPH or args.user_id != user_id:
        raise NotAuthorizedError(job.id, user_id)
    return args


def only_owner(user_id: str) -> Callable[[Job], None]:
    """Return the rule for a job store to ask in the transaction that changes a job."""

    def allow(job: Job) -> None:
        require_owner(job, user_id)

    return allow
