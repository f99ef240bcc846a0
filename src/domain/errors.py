"""What the domain raises.

DomainError
├── NotFoundError           (ValueError)  no such schedule, or none that can be shown to be somebody's
├── NotAuthorizedError      (ValueError)  the schedule is another user's
├── InvalidScheduleError    (ValueError)  cron, zone, name or dates that can't become a schedule
├── QuotaExceededError      (ValueError)  the operator's limits
└── UnstorableInputError    (ValueError)  input that could be stored but never read back

A ValueError is answered with 400, as the original does (spec.md "Error Handling", compat/http.jsonl).
"""


class DomainError(Exception):
    """A rule said no."""


class NotFoundError(DomainError, ValueError):
    """There is no schedule `job_id` (wording: compat/http.jsonl, "delete unknown")."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"Job #{job_id} not found.")
        self.job_id = job_id


class NotAuthorizedError(DomainError, ValueError):
    """Schedule `job_id` is not `user_id`'s (wording: compat/http.jsonl, "delete by another user").

    The message names neither, so that a stranger learns no more than the original tells.
    """

    def __init__(self, job_id: str, user_id: str) -> None:
        super().__init__("User ID does not match the job's user ID")
        self.job_id = job_id
        self.user_id = user_id


class InvalidScheduleError(DomainError, ValueError):
    """A cron expression, zone, name or date can't become a schedule.

    `field` names the part at fault (`minute`, `day_of_week`, `timezone`, `name`, ...), None for the whole.
    """

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class QuotaExceededError(DomainError, ValueError):
    """An operator's limit (`limit`, named `setting`) would be passed."""

    def __init__(self, message: str, *, setting: str, limit: int) -> None:
        super().__init__(message)
        self.setting = setting
        self.limit = limit


class UnstorableInputError(DomainError, ValueError):
    """Input that the original stores and then can't answer with, breaking every later list (compat/README.md)."""
