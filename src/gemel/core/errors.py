"""One tree of errors; faces turn `code` into an HTTP status or an exit code in one table.

GemelError
├── InvalidInput          what was sent breaks a rule; sending it again changes nothing
│   ├── NotOffered        a protocol has it, and it is not implemented here
│   ├── ModelInvalid      a DTDL model breaks the specification
│   ├── TooLarge          more bytes than are taken at once
│   ├── TwinInvalid       a twin or relationship breaks its model
│   └── ConfigInvalid     gemel.toml, an environment variable or a flag
├── NotFound              no such thing
├── Conflict              it exists already, is still referred to, or was changed meanwhile
├── PreconditionFailed    If-Match / If-None-Match does not hold
├── NotAuthenticated      no valid token
├── Forbidden             a valid token that may not do this
├── Refused               a guard said no (command range, interlock, limit)
├── Unavailable           cannot now, may later (disk full, shutting down); `retry` is true
│   └── Overloaded        too much is waiting already; send more slowly
└── Damaged               stored bytes are not what was written
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar


class GemelError(Exception):
    """Base of all expected errors.

    Args:
        message: what is wrong, naming the place.
        hint: what to do about it.
        code: a stable name; each class has a default, the Azure Digital Twins faces override it.
        details: further `{"code", "message"}` pairs, one for each thing that is wrong.
    """

    default_code: ClassVar[str] = "Error"
    retry: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        code: str = "",
        details: Sequence[dict[str, Any]] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code or self.default_code
        self.details = list(details)

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class InvalidInput(GemelError):
    default_code = "InvalidArgument"


class NotOffered(InvalidInput):
    default_code = "NotImplemented"


class ModelInvalid(InvalidInput):
    default_code = "DTDLParserError"


class TwinInvalid(InvalidInput):
    default_code = "ValidationFailed"


class ConfigInvalid(InvalidInput):
    default_code = "ConfigInvalid"


class TooLarge(InvalidInput):
    default_code = "BodyTooLarge"


class NotFound(GemelError):
    default_code = "NotFound"


class Conflict(GemelError):
    default_code = "Conflict"


class PreconditionFailed(GemelError):
    default_code = "PreconditionFailed"


class NotAuthenticated(GemelError):
    default_code = "NotAuthenticated"


class Forbidden(GemelError):
    default_code = "Forbidden"


class Refused(GemelError):
    default_code = "Refused"


class Unavailable(GemelError):
    default_code = "Unavailable"
    retry = True


class Overloaded(Unavailable):
    default_code = "Overloaded"


class Damaged(GemelError):
    default_code = "Damaged"
