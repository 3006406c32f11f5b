"""What can go wrong that a person must be told? A few kinds by meaning; doors translate them, nothing else does."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong and what would be right; `pointer` is a JSON pointer, a feature, or file:line:column."""

    pointer: str
    code: str
    detail: str


class M2sError(Exception):
    """Something went wrong in m2s."""

    code = "error"

    def __init__(
        self, detail: str | None = None, *, code: str | None = None, problems: Sequence[Problem] = ()
    ) -> None:
        self.detail = detail or (self.__class__.__doc__ or "").strip().splitlines()[0]
        self.code = code or self.__class__.code
        self.problems = tuple(problems)
        super().__init__(self.detail)


class Invalid(M2sError):
    """The input is not valid."""

    code = "invalid"


class TooLarge(M2sError):
    """The input is larger than allowed."""

    code = "too_large"


class Unauthenticated(M2sError):
    """A valid key or device token is needed."""

    code = "unauthenticated"


class Forbidden(M2sError):
    """The key's role does not allow this."""

    code = "forbidden"


class NotFound(M2sError):
    """There is no such thing."""

    code = "not_found"


class Conflict(M2sError):
    """The request conflicts with what already happened."""

    code = "conflict"


class Unavailable(M2sError):
    """The service cannot take this now; the same request may be tried again."""

    code = "unavailable"
