"""The alarm philosophy: what a plant means by a common cause, a flood, stale, and a shift.

One document for the plant; what it does not say has the defaults of ISA-18.2.
"""

from __future__ import annotations

from dataclasses import dataclass

from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.services.alarms.shifts import Shift, read_shifts

MINUTE = 60.0
MOST_RELATIONSHIPS = 20


@dataclass(frozen=True, slots=True)
class Philosophy:
    """All numbers are those of ISA-18.2 (2016) where it has them."""

    relationships: tuple[str, ...] = ("feeds",)
    """Names of relationships along which a cause reaches other twins."""
    direction: str = "out"
    """`out`: from a relationship's source to its target, as with `feeds`; `in`: the other way."""
    hops: int = 8
    """Twins between cause and effect, and the effect itself."""
    window: float = 60.0
    """Seconds that alarms of one cause may lie apart."""
    least: int = 3
    """Alarms that make a group where their common cause has no alarm itself."""
    operators: int = 1
    flood: int = 10
    """More annunciations in ten minutes for each operator begin a flood."""
    flood_end: int = 5
    """Fewer end it."""
    stale: float = 24 * 3600.0
    """Seconds of standing after which an alarm is stale."""
    shifts: tuple[Shift, ...] = ()
    time_zone: str = "UTC"
    """In which shifts start."""

    def to_json(self) -> Json:
        return {
            "relationships": list(self.relationships),
            "direction": self.direction,
            "hops": self.hops,
            "window": self.window,
            "least": self.least,
            "operators": self.operators,
            "flood": self.flood,
            "floodEnd": self.flood_end,
            "stale": self.stale,
            "shifts": [one.to_json() for one in self.shifts],
            "timeZone": self.time_zone,
        }


DEFAULT = Philosophy()
BOUNDS: dict[str, tuple[float, float]] = {
    "hops": (1, 32),
    "window": (1, 3600),
    "least": (2, 1000),
    "operators": (1, 1000),
    "flood": (1, 10_000),
    "floodEnd": (0, 10_000),
    "stale": (1, 366 * 86_400),
}
WHOLE = ("hops", "least", "operators", "flood", "floodEnd")


def read_philosophy(found: Json) -> Philosophy:
    """A philosophy from its document; what is not said is the default.

    Raises:
        InvalidInput: names the field and what was expected.
    """
    known = DEFAULT.to_json()
    unknown = sorted(set(found) - set(known))
    if unknown:
        raise InvalidInput(
            f"the alarm philosophy has no '{unknown[0]}'", hint="it has: " + ", ".join(known)
        )
    full = {**known, **found}
    names = full["relationships"]
    if (
        not isinstance(names, list)
        or len(names) > MOST_RELATIONSHIPS
        or not all(isinstance(name, str) and name for name in names)
    ):
        raise InvalidInput(
            "'relationships' must be a list of names", hint='like {"relationships": ["feeds"]}'
        )
    if full["direction"] not in ("in", "out"):
        raise InvalidInput(f"direction {full['direction']!r} is not known", hint="in or out")
    for name, (low, high) in BOUNDS.items():
        value = full[name]
        is_number = isinstance(value, int if name in WHOLE else int | float)
        if not is_number or isinstance(value, bool) or not low <= value <= high:
            kind = "a whole number" if name in WHOLE else "a number"
            raise InvalidInput(f"'{name}' must be {kind} from {low:g} to {high:g}, not {value!r}")
    if full["floodEnd"] > full["flood"]:
        raise InvalidInput("'floodEnd' must not be more than 'flood'", hint="a flood must end")
    if not isinstance(full["timeZone"], str) or not full["timeZone"]:
        raise InvalidInput("'timeZone' must be a text", hint="like Europe/Berlin, or UTC")
    return Philosophy(
        tuple(names),
        full["direction"],
        full["hops"],
        float(full["window"]),
        full["least"],
        full["operators"],
        full["flood"],
        full["floodEnd"],
        float(full["stale"]),
        read_shifts(full["shifts"]),
        full["timeZone"],
    )
