"""What is answered about the graph: neighbourhoods, models, edits, differences, other forms."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypedDict

from gemel.api.answers.alarms import AlarmState, FromTo
from gemel.api.answers.schema import Value
from gemel.api.answers.twins import TwinStatus

Act = Literal["added", "removed", "changed"]
ActOrSame = Literal["added", "removed", "changed", "same"]


class GraphNode(TypedDict):
    id: str
    name: str
    modelName: str
    status: TwinStatus
    priority: int | None
    hops: int
    hidden: Annotated[int, "Neighbours that are not shown."]
    x: float
    y: float


class GraphEdge(TypedDict):
    id: str
    source: str
    target: str
    name: str


class GraphDrawn(TypedDict):
    """Twins around some, placed."""

    nodes: list[GraphNode]
    edges: list[GraphEdge]
    isComplete: bool


class GraphWay(GraphDrawn):
    path: list[str]


class Model(TypedDict):
    id: str
    displayName: dict[str, str]
    description: dict[str, str]
    uploadTime: str
    decommissioned: bool
    model: NotRequired[Annotated[dict[str, Value], "The DTDL document."]]


class Models(TypedDict):
    value: list[Model]
    nextLink: str | None


class FieldChange(TypedDict):
    path: str
    before: Value
    after: Value
    act: Act


class TwinEdit(TypedDict):
    seq: int
    time: str
    who: str
    why: str
    kind: Literal["twin", "relationship"]
    key: str
    act: Act
    changes: list[FieldChange]
    doc: dict[str, Value] | None


class TwinEdits(TypedDict):
    """Who changed a twin, when and why; the newest first."""

    value: list[TwinEdit]
    cursor: int | None


class ValueThen(TypedDict):
    value: Value
    time: str


class ValueChange(TypedDict):
    path: str
    before: ValueThen | None
    after: ValueThen | None


LinkChange = TypedDict(
    "LinkChange",
    {
        "$relationshipId": str,
        "$relationshipName": str,
        "$sourceId": str,
        "$targetId": str,
        "act": Act,
        "changes": list[FieldChange],
        "*": NotRequired[Value],
    },
)


class TwinDifference(FromTo):
    """What is different of a twin between two moments."""

    twin: str
    act: ActOrSame
    changes: list[FieldChange]
    values: list[ValueChange]
    relationships: list[LinkChange]


class LinkOfOne(TypedDict):
    """A relationship that only one of two twins has."""

    name: str
    direction: Literal["in", "out"]
    twin: str
    act: Act


TwinPair = TypedDict(
    "TwinPair",
    {
        "twin": str,
        "with": str,
        "act": ActOrSame,
        "changes": list[FieldChange],
        "values": list[ValueChange],
        "relationships": list[LinkOfOne],
    },
)


class DocumentEdit(TypedDict):
    seq: int
    time: str
    who: str
    why: str


class DocumentChange(TypedDict):
    kind: str
    key: str
    source: NotRequired[str]
    act: Act
    changes: list[FieldChange]
    edits: list[DocumentEdit]


class Differences(FromTo):
    value: list[DocumentChange]
    edited: int
    isComplete: bool


Liveness = TypedDict("Liveness", {"is": TwinStatus, "because": str, "lastSeen": str | None})


class ReasonAlarm(TypedDict):
    id: str
    title: str
    priority: int
    state: AlarmState
    value: float | bool | str | None
    unit: str | None
    limit: float | bool | str | None
    raised: str


class ReasonRule(TypedDict):
    id: str
    version: int
    when: str
    model: str | None
    isRunning: bool


class ReasonModel(TypedDict):
    id: str
    title: str
    property: str
    displayName: str
    unit: str | None
    schema: str | None
    definedIn: str


class ReasonSample(TypedDict):
    time: str
    value: Value
    received: str
    cause: str
    isTurn: bool


class Reason(TypedDict):
    alarm: ReasonAlarm
    rule: ReasonRule
    model: ReasonModel | None
    samples: list[ReasonSample]


class DeviceTopic(TypedDict):
    binding: str | None
    topic: str


class DeviceOf(TypedDict):
    """Where readings come from."""

    topics: list[DeviceTopic]
    isConnected: bool
    lastSeen: str | None
    rejects: int


class Explained(TypedDict):
    """Why a twin is shown as it is."""

    twin: str
    name: str
    priority: int | None
    status: Liveness
    alarms: list[Reason]
    device: DeviceOf


class ExportForm(TypedDict):
    name: str
    about: str
    mediaType: str
    ending: str
    imports: bool
