"""What is answered about the installation, its people and connectors, the drawn plant."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypedDict

from gemel.api.answers.commands import KillSwitch
from gemel.api.answers.schema import Value

Priorities = TypedDict("Priorities", {"1": int, "2": int, "3": int, "4": int})


class Me(TypedDict):
    name: str
    role: str
    permissions: list[str]


class Session(TypedDict):
    name: str
    role: str


class SignOnOffer(TypedDict):
    label: Annotated[str, "What the button says after 'Sign in with'."]


class LoginOptions(TypedDict):
    """How a person may log in beside links and tokens."""

    signOn: SignOnOffer | None


class AlarmTotals(Priorities):
    unacknowledged: int
    shelved: int
    suppressed: int
    outOfService: int
    returned: Priorities


class FloodNow(TypedDict):
    since: str | None
    count: int


ShiftNow = TypedDict("ShiftNow", {"name": str, "from": str, "to": str})
"""The shift that is on; null where the plant has none."""


class Status(TypedDict):
    """The installation at a glance."""

    version: str
    time: str
    fastPath: str
    slower: Annotated[str, "Why telemetry is decoded in Python and what mends it; or nothing."]
    plant: str
    valuesPerSecond: float
    readings: int
    twins: int
    live: int
    stale: int
    offline: int
    abnormal: int
    killSwitch: KillSwitch
    alarms: AlarmTotals
    flood: FloodNow
    shift: ShiftNow | None
    behind: Annotated[float, "Seconds: the age of the oldest reading that is not durable."]
    lost: int
    freshness: float | None
    duplicates: int
    rejects: int
    discovered: int
    mqtt: dict[str, Value]
    coap: dict[str, Value]


class Health(TypedDict):
    name: str
    status: Literal["pass", "fail"]
    message: str
    live: bool
    ready: bool
    version: str
    problem: NotRequired[str]


class Token(TypedDict):
    id: str
    name: str
    role: str
    twins: list[str]
    use: str
    created: str
    expires: str | None


class NewToken(Token):
    token: Annotated[str, "The secret: it is shown this once."]


class Role(TypedDict):
    role: str
    permissions: list[str]


class Addresses(TypedDict):
    http: str
    mqtt: str
    mqttTls: str
    coap: str


class Storage(TypedDict):
    folder: str
    free: int
    bytes: dict[str, int]


class Installation(TypedDict):
    version: str
    started: str
    plant: str
    addresses: Addresses
    isSecure: bool
    authority: str | None
    storage: Storage
    readings: int
    retentionDays: float


class Connector(TypedDict):
    """A source that Gemel goes to; what it is told, and facts, are those of its kind."""

    name: str
    kind: Literal["mqtt", "opcua", "modbus"]
    source: Literal["file", "people"]
    username: NotRequired[str]
    hasPassword: bool
    state: str
    problem: str
    since: str
    accepted: int
    refused: int
    broker: NotRequired[str]
    topics: NotRequired[list[str]]
    tls: NotRequired[bool]
    clientId: NotRequired[str]
    sparkplug: NotRequired[bool]
    opcua: NotRequired[str]
    nodes: NotRequired[list[str]]
    security: NotRequired[str]
    mode: NotRequired[str]
    trust: NotRequired[str]
    publishing: NotRequired[float]
    sampling: NotRequired[float]
    queue: NotRequired[int]
    timestamps: NotRequired[str]
    modbus: NotRequired[str]
    registers: NotRequired[list[str]]
    unitId: NotRequired[int]
    every: NotRequired[float]
    order: NotRequired[str]
    framing: NotRequired[str]
    line: NotRequired[str]
    timeout: NotRequired[float]
    pause: NotRequired[float]
    largest: NotRequired[int]
    gap: NotRequired[int]
    atOnce: NotRequired[int]
    variables: NotRequired[Annotated[int, "Variables that are watched, registers that are read."]]
    problems: NotRequired[Annotated[list[str], "Nodes and registers that are not read, and why."]]
    requests: NotRequired[Annotated[int, "That read all registers once."]]
    answerTime: NotRequired[Annotated[float, "Seconds that a device takes, on the average."]]
    late: NotRequired[Annotated[int, "Reads that fell out since devices were slower."]]
    silent: NotRequired[Annotated[list[int], "Unit ids that do not answer."]]
    moreProblems: NotRequired[int]
    clockOffset: NotRequired[Annotated[float, "Seconds that the server's clock is ahead."]]
    times: NotRequired[Annotated[dict[str, int], "Values by whose clock their time is of."]]


class Export(TypedDict):
    """A database of others that readings are copied to; where it goes is said by its kind."""

    name: str
    kind: Literal["influx", "postgres", "http"]
    source: Literal["file", "people"]
    where: Annotated[str, "A condition that a twin must fulfil; or nothing."]
    properties: list[str]
    provenances: list[str]
    since: str
    every: Annotated[float, "Seconds: of a property at most one reading in so many."]
    hasPassword: bool
    hasToken: bool
    state: Literal["starting", "running", "failing"]
    problem: str
    stateSince: str
    exported: Annotated[int, "Readings, since it was made."]
    rate: Annotated[float, "Readings a second, lately."]
    behind: Annotated[float | None, "Seconds; null before the first has gone out."]
    refused: Annotated[int, "Readings that the target did not take."]
    lastRefusal: str
    expired: Annotated[int, "Readings removed for their age before they went out, at most."]
    influx: NotRequired[str]
    database: NotRequired[str]
    retentionPolicy: NotRequired[str]
    bucket: NotRequired[str]
    org: NotRequired[str]
    measurement: NotRequired[str]
    postgres: NotRequired[str]
    table: NotRequired[str]
    http: NotRequired[str]
    username: NotRequired[str]
    gzip: NotRequired[bool]
    ca: NotRequired[str]


class EdgeDevice(TypedDict):
    name: Annotated[str, "Empty for the node itself."]
    twin: str
    isAlive: bool
    metrics: int


class EdgeNode(TypedDict):
    """An edge node that speaks Sparkplug."""

    group: str
    node: str
    state: Literal["alive", "dead", "unknown"]
    isSure: Annotated[bool, "Whether no message was lost since its birth."]
    via: Annotated[str, "In whose name it sends."]
    seq: int
    bdSeq: int
    lastSeen: str | None
    births: int
    gaps: int
    lateDeaths: int
    requests: Annotated[int, "For a birth, by us."]
    devices: list[EdgeDevice]


class EdgeNodes(TypedDict):
    host: str
    online: bool
    value: list[EdgeNode]


class OpcUaNode(TypedDict):
    """A node or a register; a variable with its type, value, unit and ranges."""

    node: str
    path: str
    kind: Literal["object", "variable", "method", "other"]
    type: NotRequired[str]
    isArray: NotRequired[bool]
    value: NotRequired[Value]
    status: NotRequired[str]
    isWritable: NotRequired[bool]
    unit: NotRequired[str]
    unitCode: NotRequired[Annotated[str, "Common code by UN/CEFACT's recommendation 20."]]
    range: NotRequired[Annotated[list[float], "What it normally is."]]
    limits: NotRequired[Annotated[list[float], "What the instrument can tell."]]
    names: NotRequired[Annotated[dict[str, int], "Of an enumeration."]]


class Browsed(TypedDict):
    """A part of what an OPC UA server or a Modbus device has."""

    node: str
    path: str
    value: list[OpcUaNode]
    isWhole: Annotated[bool, "False if there are more than 1,000."]


class Modelled(TypedDict):
    """A model, a twin and bindings, made of an object."""

    twin: str
    model: str
    plant: Value
    report: Value


class AuditRow(TypedDict):
    seq: int
    time: str
    who: str
    kind: str
    key: str
    why: str
    etag: str
    digest: Annotated[str | None, "Of the document; null if it was deleted."]
    hash: str | None
    doc: NotRequired[Value]


class Audit(TypedDict):
    value: list[AuditRow]
    cursor: int | None


class Geometry(TypedDict):
    """A user's shape."""

    sha256: str
    name: str
    bytes: int
    triangles: int
    plainTriangles: Annotated[int, "Of the form with few triangles."]
    vertices: int
    nodes: int
    materials: int
    images: int
    size: Annotated[list[float], "Metres along x, y and z."]
    notes: list[str]
    time: str
    who: str
    usedAs: Annotated[list[str], "Names in the scene under which it is drawn."]


class SavedView(TypedDict):
    id: str
    name: str
    search: dict[str, str]
