"""What keeps the service from starting, in one line each."""


class StartError(Exception):
    """The service can't start; the message is one line that says what to do."""


class SettingsError(StartError):
    """A setting is wrong: `variable` names it, `problem` says what is expected. It never holds a secret."""

    def __init__(self, variable: str, problem: str) -> None:
        super().__init__(f"{variable} {problem}")
        self.variable = variable
        self.problem = problem
