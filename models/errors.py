"""Errors at a boundary: what, what is wrong with it, what to do."""

from pathlib import Path


class InputError(Exception):
    """A file, a config value or a request that cannot be used; its message is one clear line for the user."""

    def __init__(self, item: Path | str, problem: str, remedy: str):
        self.item = str(item)
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{item}: {problem}; {remedy}")

    def __reduce__(self):
        return (InputError, (self.item, self.problem, self.remedy))


class Rejected(Exception):
    """A thing that was tried and set aside, with the reason that the report counts."""

    def __init__(self, reason: str, detail: str = ""):
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}" if detail else reason)

    def __reduce__(self):
        return (Rejected, (self.reason, self.detail))
