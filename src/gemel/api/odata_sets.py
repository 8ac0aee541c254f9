"""The tables that OData shows: their keys, properties, and what leads from one to another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gemel.api import odata_rows
from gemel.api.odata_filter import BOOLEAN, NUMBER, STRING, TIME, Bound
from gemel.api.odata_rows import Asked, Key, Row, Rows

TEXT, REAL, WHOLE = "Edm.String", "Edm.Double", "Edm.Int32"
TRUTH, WHEN = "Edm.Boolean", "Edm.DateTimeOffset"
KINDS = {TEXT: STRING, REAL: NUMBER, WHOLE: NUMBER, TRUTH: BOOLEAN, WHEN: TIME}


@dataclass(frozen=True)
class Link:
    """A navigation property: the rows of another set whose property equals one of ours."""

    target: str
    """The name of the set."""
    ours: str
    theirs: str
    is_many: bool = False


@dataclass(frozen=True)
class EntitySet:
    """A table; `rows` gives them in the order of the keys, behind `Asked.after`."""

    name: str
    entity: str
    about: str
    permission: str
    keys: tuple[str, ...]
    properties: Mapping[str, str]
    """Name to type of the Edm."""
    rows: Callable[[Asked], Rows]
    may_null: frozenset[str] = frozenset()
    links: Mapping[str, Link] = field(default_factory=dict)
    exact: frozenset[str] = frozenset()
    """Properties whose bounds `rows` keep to exactly."""

    @property
    def kinds(self) -> dict[str, str]:
        return {name: KINDS[kind] for name, kind in self.properties.items()}

    def keeps(self, bound: Bound) -> bool:
        """Whether no row that `rows` give breaks a bound."""
        if self.properties.get(bound.name) == WHEN:
            return bound.name in self.exact and bound.operator != "in"
        return bound.name in self.exact and bound.operator in ("eq", "in")

    def key_of(self, row: Row) -> Key:
        return tuple(row[name] for name in self.keys)


_OF_TWIN = Link("Twins", "TwinId", "Id")
_MEASURED = {"TwinId": TEXT, "Property": TEXT, "Time": WHEN, "Value": REAL, "Text": TEXT}
_MEASURED |= {"Unit": TEXT, "Quality": TEXT, "Provenance": TEXT}
SETS = {
    one.name: one
    for one in (
        EntitySet(
            "Twins",
            "Twin",
            "twins as they are now",
            "twins:read",
            ("Id",),
            {
                "Id": TEXT,
                "Name": TEXT,
                "ModelId": TEXT,
                "ModelName": TEXT,
                "ParentId": TEXT,
                "Status": TEXT,
                "LastSeen": WHEN,
                "ActiveAlarms": WHOLE,
                "UnacknowledgedAlarms": WHOLE,
                "WorstPriority": WHOLE,
            },
            odata_rows.twins,
            frozenset({"ParentId", "LastSeen", "WorstPriority"}),
            {
                "Model": Link("Models", "ModelId", "Id"),
                "Parent": Link("Twins", "ParentId", "Id"),
                "Alarms": Link("Alarms", "Id", "TwinId", is_many=True),
                "Relationships": Link("Relationships", "Id", "SourceId", is_many=True),
                "Values": Link("Values", "Id", "TwinId", is_many=True),
                "Readings": Link("Readings", "Id", "TwinId", is_many=True),
            },
        ),
        EntitySet(
            "Relationships",
            "Relationship",
            "what twins are to each other",
            "twins:read",
            ("SourceId", "Id"),
            {"SourceId": TEXT, "Id": TEXT, "Name": TEXT, "TargetId": TEXT},
            odata_rows.relationships,
            links={
                "Source": Link("Twins", "SourceId", "Id"),
                "Target": Link("Twins", "TargetId", "Id"),
            },
        ),
        EntitySet(
            "Models",
            "Model",
            "the models of twins",
            "models:read",
            ("Id",),
            {"Id": TEXT, "Name": TEXT, "IsDecommissioned": TRUTH, "UploadTime": WHEN},
            odata_rows.models,
            frozenset({"UploadTime"}),
            {"Twins": Link("Twins", "Id", "ModelId", is_many=True)},
        ),
        EntitySet(
            "Alarms",
            "Alarm",
            "alarms that are not over, and the last that are",
            "alarms:read",
            ("Id",),
            {
                "Id": TEXT,
                "TwinId": TEXT,
                "Rule": TEXT,
                "Title": TEXT,
                "Priority": WHOLE,
                "State": TEXT,
                "IsActive": TRUTH,
                "Condition": TEXT,
                "Property": TEXT,
                "Value": REAL,
                "Unit": TEXT,
                "Raised": WHEN,
                "Cleared": WHEN,
                "Acknowledged": WHEN,
                "AcknowledgedBy": TEXT,
                "Occurrences": WHOLE,
            },
            odata_rows.alarms,
            frozenset({"Condition", "Property", "Value", "Unit", "Cleared", "Acknowledged"})
            | {"AcknowledgedBy"},
            {"Twin": _OF_TWIN},
        ),
        EntitySet(
            "Values",
            "CurrentValue",
            "the newest value of each property",
            "history:read",
            ("TwinId", "Property"),
            _MEASURED,
            odata_rows.values,
            frozenset({"Value", "Text"}),
            {"Twin": _OF_TWIN},
        ),
        EntitySet(
            "Readings",
            "Reading",
            "all values over time",
            "history:read",
            ("TwinId", "Property", "Time"),
            _MEASURED,
            odata_rows.readings,
            frozenset({"Value", "Text"}),
            {"Twin": _OF_TWIN},
            frozenset({"TwinId", "Property", "Time"}),
        ),
    )
}
