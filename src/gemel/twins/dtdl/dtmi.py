"""Digital twin model identifiers: `dtmi:com:example:Pump;1`, its parts and its syntax."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gemel.core.errors import InvalidInput

LABEL = r"[A-Za-z_](?:[A-Za-z0-9_]*[A-Za-z0-9])?"
FORM = re.compile(
    rf"dtmi:(?P<labels>{LABEL}(?::{LABEL})*)"
    r"(?:;(?P<major>[1-9][0-9]{0,8})(?:\.(?P<minor>[1-9][0-9]{0,5}))?)?"
    rf"(?P<fragment>#(?:{LABEL})?)?",
    re.ASCII,
)
LONGEST = 4096


@dataclass(frozen=True, slots=True)
class Dtmi:
    labels: tuple[str, ...]
    major: int = 0
    """0 when the identifier has no version."""
    minor: int = 0
    fragment: str = ""

    @property
    def versionless(self) -> str:
        return f"dtmi:{':'.join(self.labels)}{self.fragment}"

    @property
    def is_reserved(self) -> bool:
        """Whether it has a label that users may not choose."""
        return any(label.startswith("_") for label in (*self.labels, self.fragment[1:]))

    def __str__(self) -> str:
        version = f";{self.major}" if self.major else ""
        version += f".{self.minor}" if self.minor else ""
        return f"dtmi:{':'.join(self.labels)}{version}{self.fragment}"


def read_dtmi(text: str) -> Dtmi:
    """The parts of an identifier.

    Raises:
        InvalidInput: the text is not one.
    """
    found = FORM.fullmatch(text) if len(text) <= LONGEST else None
    if found is None:
        raise InvalidInput(
            f"'{text[:200]}' is not a DTMI", hint="write one like 'dtmi:com:example:Pump;1'"
        )
    return Dtmi(
        tuple(found["labels"].split(":")),
        int(found["major"] or 0),
        int(found["minor"] or 0),
        found["fragment"] or "",
    )
