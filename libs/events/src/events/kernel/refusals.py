"""Why something is not done: each refusal is a class, and the status and problem type that callers get."""

from typing import ClassVar


class Refused(Exception):
    """The state of things does not allow it; nothing was changed."""

    status: ClassVar[int] = 409
    slug: ClassVar[str] = "refused"

    def __init__(self, detail: str, *, rule: str = "", **members: object) -> None:
        """`detail` is said to the caller; `rule` names the requirement (docs/rules.md); members join the problem."""
        super().__init__(detail)
        self.detail = detail
        self.members = {"rule": rule, **members} if rule else members


class NotFound(Refused):
    """There is no such thing here."""

    status = 404
    slug = "not-found"


class Forbidden(Refused):
    """Somebody else may do this, but not the one who asks."""

    status = 403
    slug = "forbidden"


class Unacceptable(Refused):
    """Each field is well formed, but together they do not make sense."""

    status = 422
    slug = "unacceptable"
