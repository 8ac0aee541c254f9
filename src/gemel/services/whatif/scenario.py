"""What is asked: which twins, as of when, what is different, for how long, how often drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.services.schema import completed

OPERATIONS = ("value", "plus", "times", "schedule", "recorded")
STATISTICS = ("mean", "min", "max", "end", "integral", "above", "below")
BOUNDARIES = ("likely", "hold", "repeat", "recorded")
DESIGNS = ("latin", "grid")
MOST_CHANGES = 200
MOST_VARIANTS = 2_000
MOST_COLUMNS = 20_000


def _number(about: str, default: float, low: float, high: float, unit: str = "") -> Json:
    found: Json = {"type": "number", "default": default, "description": about}
    return found | {"minimum": low, "maximum": high} | ({"unit": unit} if unit else {})


def _whole(about: str, default: int, low: int, high: int) -> Json:
    return {"type": "integer", "default": default, "description": about, "minimum": low,
            "maximum": high}  # fmt: skip


def _list(about: str, default: Any = (), most: int = 1_000, **items: Any) -> Json:
    return {"type": "array", "default": list(default), "description": about, "maxItems": most,
            "items": items}  # fmt: skip


TEXT: Json = {"type": "string", "default": ""}
SCHEMA: Json = {
    "type": "object",
    "required": ["twins"],
    "properties": {
        "title": {"type": "string", "default": "", "description": "what people call it"},
        "about": {"type": "string", "default": "", "description": "why it is asked"},
        "twins": _list("where the fork begins", most=500, type="string") | {"minItems": 1},
        "follow": _list("relationships it follows from there", ("contains", "feeds"),
                        type="string"),
        "at": {"type": "string", "default": "now", "description": "now, -1h, or ISO 8601"},
        "hours": _number("how far it goes", 6, 0.01, 24 * 366, "h"),
        "step": _number("of the models", 60, 0.1, 86_400, "s"),
        "members": _whole("draws of what is not sure", 30, 1, 1_000),
        "seed": _whole("the same seed gives the same again", 1, 0, 2**31 - 1),
        "boundary": {"type": "string", "default": "likely", "enum": list(BOUNDARIES),
                     "description": "what comes from outside the fork"},
        "span": _number("of history from which that is known", 24, 0.01, 24 * 60, "h"),
        "changes": _list("what is different", most=MOST_CHANGES, type="object"),
        "kpis": _list("the figures; those of the plant without any", most=50, type="object"),
        "sweep": {"type": "object", "nullable": True, "default": None,
                  "description": "variants of a design"},
    },
}  # fmt: skip
CHANGE: Json = {
    "type": "object",
    "properties": {
        "twin": TEXT,
        "model": TEXT,
        "property": TEXT,
        "parameter": TEXT,
        "value": {"type": "number", "nullable": True, "default": None},
        "plus": {"type": "number", "nullable": True, "default": None},
        "times": {"type": "number", "nullable": True, "default": None},
        "schedule": _list("[hours from the start, value]", most=10_000, type="array"),
        "recorded": TEXT,
    },
}
KPI: Json = {
    "type": "object",
    "required": ["twin", "property"],
    "properties": {
        "id": TEXT,
        "title": TEXT,
        "twin": TEXT,
        "property": TEXT,
        "of": {"type": "string", "default": "mean", "enum": list(STATISTICS)},
        "limit": _number("of above and below", 0, -1e300, 1e300),
        "unit": TEXT,
        "best": {"type": "string", "default": "", "enum": ["", "low", "high"]},
    },
}
VARY: Json = {
    "type": "object",
    "required": ["from", "to"],
    "properties": {
        "twin": TEXT,
        "model": TEXT,
        "property": TEXT,
        "parameter": TEXT,
        "from": {"type": "number"},
        "to": {"type": "number"},
        "levels": _whole("of a grid", 5, 2, 100),
    },
}
SWEEP: Json = {
    "type": "object",
    "required": ["vary"],
    "properties": {
        "design": {"type": "string", "default": "latin", "enum": list(DESIGNS)},
        "count": _whole("variants of a latin hypercube", 100, 2, MOST_VARIANTS),
        "members": _whole("draws of each variant", 8, 1, 200),
        "vary": _list("what is varied", most=10, type="object") | {"minItems": 1},
    },
}


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is different: a parameter of attachments, or any other value."""

    twin: str
    model: str
    name: str
    is_parameter: bool
    operation: str
    value: float = 0.0
    schedule: tuple[tuple[float, float], ...] = ()
    recorded: str = ""

    @property
    def words(self) -> str:
        """For people, and as the name of a bar in the tornado."""
        where = f"{self.twin or self.model.rsplit(':', 1)[-1].split(';')[0]}.{self.name}"
        if self.operation == "schedule":
            return f"{where} by schedule"
        if self.operation == "recorded":
            return f"{where} as from {self.recorded}"
        sign = {"value": "=", "plus": "+" if self.value >= 0 else "", "times": "×"}
        return f"{where} {sign[self.operation]} {self.value:g}"


@dataclass(frozen=True, slots=True)
class Kpi:
    id: str
    title: str
    twin: str
    property: str
    of: str
    limit: float = 0.0
    unit: str = ""
    best: str = ""
    """low or high: which end is the good one; "" is neither."""


@dataclass(frozen=True, slots=True)
class Vary:
    change: Change
    low: float
    high: float
    levels: int


@dataclass(frozen=True, slots=True)
class Sweep:
    design: str
    count: int
    members: int
    vary: tuple[Vary, ...]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario's document, checked."""

    twins: tuple[str, ...]
    follow: tuple[str, ...]
    at: str
    hours: float
    step: float
    members: int
    seed: int
    boundary: str
    span: float
    """Hours."""
    changes: tuple[Change, ...] = ()
    kpis: tuple[Kpi, ...] = ()
    sweep: Sweep | None = None
    document: Mapping[str, Any] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        return max(1, round(self.hours * 3600 / self.step))


MOST_STEPS = 60_000


def read_scenario(given: Any) -> Scenario:
    """Reads a scenario and fills in what is left out.

    Raises:
        InvalidInput: names the place, the rule and what would do.
    """
    doc = completed(SCHEMA, given, "scenario")
    found = Scenario(
        tuple(doc["twins"]), tuple(doc["follow"]), doc["at"], float(doc["hours"]),
        float(doc["step"]), doc["members"], doc["seed"], doc["boundary"], float(doc["span"]),
        tuple(_change(f"changes[{i}]", one) for i, one in enumerate(doc["changes"])),
        tuple(_kpi(f"kpis[{i}]", one) for i, one in enumerate(doc["kpis"])),
        None if doc["sweep"] is None else _sweep(doc["sweep"]),
        doc,
    )  # fmt: skip
    if found.steps > MOST_STEPS:
        raise InvalidInput(
            f"scenario: {found.steps:,} steps", hint=f"at most {MOST_STEPS:,}: a longer 'step'"
        )
    ids = [kpi.id for kpi in found.kpis]
    if len(set(ids)) < len(ids):
        raise InvalidInput("kpis: an id stands twice", hint="give each its own 'id'")
    return found


def _place(place: str, one: Json) -> tuple[str, str, str, bool]:
    if bool(one["twin"]) == bool(one["model"]):
        raise InvalidInput(f"{place}: needs a 'twin' or a 'model'", hint="one of both")
    if bool(one["property"]) == bool(one["parameter"]):
        raise InvalidInput(f"{place}: needs a 'property' or a 'parameter'", hint="one of both")
    name = one["parameter"] or one["property"]
    return one["twin"], one["model"], name, bool(one["parameter"])


def _change(place: str, given: Any) -> Change:
    one = completed(CHANGE, given, place)
    asked = [name for name in OPERATIONS if one[name] not in (None, "", [])]
    if len(asked) != 1:
        raise InvalidInput(
            f"{place}: says {len(asked)} things of {one['property'] or one['parameter']!r}",
            hint="one of: " + ", ".join(OPERATIONS),
        )
    twin, model, name, is_parameter = _place(place, one)
    operation = asked[0]
    if is_parameter and operation in ("schedule", "recorded"):
        raise InvalidInput(f"{place}: a parameter has no {operation}", hint="value, plus or times")
    if operation == "recorded" and not twin:
        raise InvalidInput(f"{place}: what was recorded is of a twin", hint="name the 'twin'")
    if operation == "schedule":
        return Change(twin, model, name, False, operation, schedule=_schedule(place, one))
    if operation == "recorded":
        return Change(twin, model, name, False, operation, recorded=one["recorded"])
    return Change(twin, model, name, is_parameter, operation, float(one[operation]))


def _schedule(place: str, one: Json) -> tuple[tuple[float, float], ...]:
    rows = []
    for row in one["schedule"]:
        if len(row) != 2 or not all(
            isinstance(x, int | float) and not isinstance(x, bool) for x in row
        ):
            raise InvalidInput(f"{place}.schedule: {str(row)[:40]}", hint="[hours, value]")
        rows.append((float(row[0]), float(row[1])))
    if rows != sorted(rows, key=lambda row: row[0]):
        raise InvalidInput(f"{place}.schedule: hours must rise", hint="[[0, 20], [6, 22]]")
    return tuple(rows)


def _kpi(place: str, given: Any) -> Kpi:
    one = completed(KPI, given, place)
    for name in ("twin", "property"):
        if not one[name]:
            raise InvalidInput(f"{place}: needs '{name}'")
    key = one["id"] or f"{one['twin']}.{one['property']} {one['of']}"
    title = one["title"] or f"{one['property']} of {one['twin']}, {one['of']}"
    return Kpi(key, title, one["twin"], one["property"], one["of"], float(one["limit"]),
               one["unit"], one["best"])  # fmt: skip


def _sweep(given: Any) -> Sweep:
    one = completed(SWEEP, given, "sweep")
    vary = []
    for i, row in enumerate(one["vary"]):
        place = f"sweep.vary[{i}]"
        row = completed(VARY, row, place)
        twin, model, name, is_parameter = _place(place, row)
        if not row["from"] < row["to"]:
            raise InvalidInput(f"{place}: 'from' must be below 'to'")
        change = Change(twin, model, name, is_parameter, "value")
        vary.append(Vary(change, float(row["from"]), float(row["to"]), row["levels"]))
    count = one["count"]
    if one["design"] == "grid":
        count = 1
        for row in vary:
            count *= row.levels
    if count > MOST_VARIANTS or count * one["members"] > MOST_COLUMNS:
        raise InvalidInput(
            f"sweep: {count:,} variants of {one['members']} draws",
            hint=f"at most {MOST_VARIANTS:,} variants and {MOST_COLUMNS:,} draws together",
        )
    return Sweep(one["design"], count, one["members"], tuple(vary))
