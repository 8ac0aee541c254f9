"""What is answered about twins: rows, faceplates, key figures, devices, the state of a moment."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypedDict

from gemel.api.answers.alarms import Alarm, AlarmCounts
from gemel.api.answers.schema import Value

TwinStatus = Literal["live", "stale", "offline", "never"]


class TwinLine(TypedDict):
    id: str
    name: str
    model: str
    modelName: str
    scope: str | None
    geometry: str | None
    parent: str | None
    status: TwinStatus
    lastSeen: str | None
    age: Annotated[float | None, "Seconds."]
    contains: Annotated[int, "How many twins it contains itself."]
    worst: Annotated[int | None, "The most urgent active alarm of it and of all inside it."]


class TwinRow(TwinLine):
    """A line of the table of twins."""

    alarms: AlarmCounts
    value: NotRequired[Annotated[Value, "Of the property that was asked to be shown."]]
    unit: NotRequired[str | None]


class Other(TypedDict):
    """A derived, predicted or simulated value beside the measured one."""

    provenance: str
    value: Value
    time: str
    received: str
    quality: str
    quantiles: Annotated[dict[str, float], "By level, such as 0.05."]


class Property(TypedDict):
    name: str
    path: str
    kind: Annotated[str, "telemetry or property"]
    schema: str
    unit: str | None
    displayName: str
    value: Value
    time: str | None
    received: str | None
    age: float | None
    quality: Literal["good", "uncertain", "bad"]
    cause: str
    isStale: bool
    staleAfter: Annotated[float, "Seconds without a value; 0: it never is stale."]
    writable: bool
    desired: Value
    desiredProblem: Annotated[str, "Why its source did not take what is desired, if it is known."]
    minimum: float | None
    maximum: float | None
    values: Annotated[dict[str, str] | None, "Names of an enumeration's values."]
    series: int | None
    provenance: str
    others: Annotated[list[Other], "The newest values that were not measured."]


class ObjectField(TypedDict):
    name: str
    schema: str
    values: dict[str, str] | None


class CommandField(TypedDict):
    name: str
    displayName: str
    schema: str
    unit: str | None
    minimum: float | None
    maximum: float | None
    values: Annotated[dict[str, str] | None, "Names of an enumeration's values."]
    fields: Annotated[list[ObjectField] | None, "Fields of an object."]


class CommandModel(TypedDict):
    name: str
    displayName: str
    description: str
    request: CommandField | None
    guards: dict[str, Value]


class Relationship(TypedDict):
    id: str
    name: str
    direction: Literal["in", "out"]
    twin: str
    twinName: str


class Faceplate(TwinLine):
    """Everything about one twin."""

    properties: list[Property]
    commands: list[CommandModel]
    relationships: list[Relationship]
    alarms: list[Alarm]
    rejects: int
    staleAfter: float


class PathUnits(TypedDict):
    """The units that one property has over all models of twins."""

    path: str
    units: Annotated[list[str], 'Symbols; "" where a model gives it none.']


class Kpi(TypedDict):
    id: str
    label: str
    unit: str | None
    twin: str | None
    property: str | None
    value: float | None
    time: str | None
    age: float | None
    staleAfter: float
    target: float | None
    targetLabel: str | None
    digits: int | None
    order: int


class Discovered(TypedDict):
    """A device without a twin."""

    id: str
    source: str
    firstSeen: str
    lastSeen: str
    messages: int
    sample: Value
    model: Annotated[dict[str, Value], "The DTDL interface that adopting would make."]


class Reject(TypedDict):
    time: str
    received: str
    twin: str
    field: str
    raw: str
    reason: str
    explanation: str
    source: str


class Rejects(TypedDict):
    total: int
    byReason: dict[str, int]
    value: list[Reject]


class TwinState(TypedDict):
    values: Annotated[
        dict[str, tuple[Value, float, int]], "By path: value, time in ms since 1970, quality."
    ]
    status: TwinStatus


class State(TypedDict):
    """The plant as of a moment."""

    at: str
    provenance: str
    twins: dict[str, TwinState]
