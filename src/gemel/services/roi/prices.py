"""What things cost at a plant: what measured value is counted with."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from gemel.core.document import Json
from gemel.core.errors import InvalidInput

ABOUT = {
    "currency": "what money is counted in, an ISO 4217 code",
    "failed": "a failure: repair, damage, lost production",
    "planned": "the same part replaced in time",
    "inspection": "looking after an alarm that was none",
    "downtimeHour": "an hour in which a machine stands",
    "minutes": "a person's minutes that one automatic command saves",
    "wage": "an hour of that person",
    "avoided": "share of parts replaced ahead that would truly have failed",
    "avoidedLow": "the least that share may be",
    "avoidedHigh": "the most that share may be",
    "stopPriority": "alarms of this priority or higher mean that the machine stands",
}
SHARES = ("avoidedLow", "avoided", "avoidedHigh")


@dataclass(frozen=True, slots=True)
class Prices:
    """None: not entered; what needs it has no money, only its count."""

    currency: str = "USD"
    failed: float | None = None
    planned: float | None = None
    inspection: float | None = None
    downtimeHour: float | None = None  # noqa: N815 - as in JSON
    minutes: float | None = None
    wage: float | None = None
    avoided: float = 0.6
    avoidedLow: float = 0.3  # noqa: N815
    avoidedHigh: float = 0.9  # noqa: N815
    stopPriority: int = 1  # noqa: N815

    def to_json(self) -> Json:
        return asdict(self)


def is_currency(name: str) -> bool:
    """Whether a name is one of the form of ISO 4217; what was stored before may not be."""
    return len(name) == 3 and name.isascii() and name.isalpha() and name.isupper()


def read_prices(found: Json) -> Prices:
    """Prices of a document.

    Raises:
        InvalidInput: names the field and what was expected.
    """
    known = {field.name for field in fields(Prices)}
    for name, value in found.items():
        if name not in known:
            raise InvalidInput(f"'{name}' is no price", hint="one of: " + ", ".join(ABOUT))
        _check(name, value)
    prices = Prices(**found)
    if not prices.avoidedLow <= prices.avoided <= prices.avoidedHigh:
        raise InvalidInput("avoidedLow <= avoided <= avoidedHigh does not hold")
    return prices


def _check(name: str, value: Any) -> None:
    if name == "currency":
        if not isinstance(value, str) or not 0 < len(value) <= 8:
            raise InvalidInput("currency must be a text of 1 to 8 characters", hint="USD")
    elif name == "stopPriority":
        if type(value) is not int or not 1 <= value <= 4:
            raise InvalidInput("stopPriority must be a whole number from 1 to 4")
    elif value is not None or name in SHARES:
        most = 1.0 if name in SHARES else 1e12
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not 0 <= value <= most:
            raise InvalidInput(f"{name}: {value!r}", hint=f"a number from 0 to {most:g}")
