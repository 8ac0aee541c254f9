"""What is answered about alarms and the work that follows from them."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypedDict

from gemel.api.answers.schema import Value

AlarmState = Literal[
    "unacknowledged",
    "acknowledged",
    "returned",
    "normal",
    "shelved",
    "suppressed",
    "out-of-service",
]
WorkState = Literal["proposed", "open", "planned", "in progress", "done", "cancelled"]
FromTo = TypedDict("FromTo", {"from": str, "to": str})
FloodSpan = TypedDict("FloodSpan", {"from": str, "to": str | None})
Cause = TypedDict("Cause", {"class": str, "cause": str, "consequence": str, "response": str})


class AlarmCounts(TypedDict):
    priority: Annotated[int | None, "Of the most urgent active one."]
    active: int
    unacknowledged: int


Suppression = TypedDict(
    "Suppression",
    {
        "since": str,
        "twin": NotRequired[str],
        "rule": NotRequired[str],
        "alarm": NotRequired[str],
        "property": NotRequired[str],
        "is": NotRequired[Value],
    },
)


class Shelf(TypedDict):
    since: str
    until: str
    by: str
    reason: str


class OutOfService(TypedDict):
    since: str
    by: str
    reason: str


class Comment(TypedDict):
    time: str
    who: str
    text: str


class Alarm(Cause):
    id: str
    rule: str
    ruleVersion: int
    twin: str
    twinName: str
    priority: int
    title: str
    state: AlarmState
    isActive: bool
    stands: Annotated[bool, "The condition holds, whether people are told or not."]
    condition: str
    property: str | None
    value: float | bool | str | None
    unit: str | None
    limit: float | bool | str | None
    raised: str
    lastRaised: str
    latest: str
    recent: Annotated[list[str], "The latest transitions, for chattering."]
    chattered: Annotated[str | None, "When it was last the third transition within a minute."]
    cleared: str | None
    acknowledged: str | None
    acknowledgedBy: str | None
    shelved: Shelf | None
    suppressedBy: Annotated[Suppression | None, "What holds it back by design."]
    outOfService: OutOfService | None
    group: str | None
    details: dict[str, Value]
    occurrences: int
    comments: list[Comment]


class AlarmGroup(TypedDict):
    """Alarms of one cause."""

    id: str
    cause: str
    causeName: str
    causeAlarm: str | None
    firstOut: str
    firstOutTwin: str
    firstOutName: str
    raised: str
    latest: str
    count: int
    priority: int
    into: Annotated[str | None, "The group that this one has become part of."]


class AlarmGroupWhole(AlarmGroup):
    alarms: list[Alarm]


class AlarmStep(TypedDict):
    time: str
    who: str
    what: str
    state: AlarmState
    comment: str


class AlarmActed(TypedDict):
    """What one act of many did, or why not."""

    id: str
    state: NotRequired[AlarmState]
    code: NotRequired[str]
    message: NotRequired[str]


class Episode(TypedDict):
    twin: str
    raised: str
    cleared: str | None
    seconds: float
    value: float | None


class LeftOut(TypedDict):
    told: int
    actual: int


class AlarmCorrection(FromTo):
    """What readings that came too late would have changed."""

    id: str
    recorded: str
    rule: str
    ruleVersion: int
    title: str
    priority: int
    twin: str
    twinName: str
    readings: int
    told: Annotated[list[Episode], "Alarms that stood only without the late readings."]
    actual: Annotated[list[Episode], "Alarms that stand only with them."]
    leftOut: Annotated[LeftOut, "How many more there were of each: 100 are kept."]


class Flood(FloodSpan):
    count: int
    peak: int


class Share(TypedDict):
    count: int
    percent: float


class TopAlarm(TypedDict):
    rule: str
    twin: str
    twinName: str
    title: str
    priority: int
    count: int
    percent: float


class Acknowledging(TypedDict):
    count: int
    medianSeconds: float | None
    p90Seconds: float | None


class AlarmFigures(FromTo):
    operators: int
    annunciated: int
    perOperatorPer10Minutes: float
    peakPer10Minutes: int
    floods: list[Flood]
    floodPercent: float
    byPriority: dict[str, Share]
    topTen: list[TopAlarm]
    acknowledge: Acknowledging
    standing: int
    stale: list[str]
    chattering: list[str]
    heldBack: dict[str, int]


class AlarmsDone(AlarmStep):
    """What a person did, and to which alarm."""

    alarm: str
    twinName: str
    title: str
    priority: int


class AlarmHandover(FromTo):
    """What the next shift must know."""

    standing: list[Alarm]
    shelved: list[Alarm]
    suppressed: list[Alarm]
    outOfService: list[Alarm]
    done: Annotated[list[AlarmsDone], "By people, the oldest first."]
    groups: list[AlarmGroup]
    figures: AlarmFigures
    corrections: Annotated[list[AlarmCorrection], "What readings that came late changed."]


class ShiftOfDay(TypedDict):
    name: str
    start: Annotated[str, "Time of day in the time zone, as 06:00."]


class Philosophy(TypedDict):
    relationships: list[str]
    direction: Literal["in", "out"]
    hops: int
    window: float
    least: int
    operators: int
    flood: int
    floodEnd: int
    stale: float
    shifts: Annotated[list[ShiftOfDay], "In their order over the day; each until the next."]
    timeZone: str


class Part(TypedDict):
    name: str
    number: str
    count: int


class Checked(TypedDict):
    item: str
    done: str | None
    by: str


class WorkStep(TypedDict):
    time: str
    who: str
    what: str
    state: WorkState
    note: str


class WorkOrder(TypedDict):
    id: str
    twin: str
    title: str
    description: str
    priority: int
    state: WorkState
    assignee: str
    due: str | None
    alarms: list[str]
    occurrence: int
    parts: list[Part]
    checklist: NotRequired[list[Checked]]
    created: str
    createdBy: str
    finished: str | None
    steps: list[WorkStep]


class Attachment(TypedDict):
    id: str
    twin: str
    order: str
    type: str
    bytes: int
    sha256: str
    caption: str
    text: str | None
    time: str
    who: str


class Risk(TypedDict):
    """A limit that a prediction is about to break."""

    twin: str
    twinName: str
    rule: str
    title: str
    priority: int
    property: str
    unit: str | None
    limit: float
    isAbove: Annotated[bool, "The limit is broken from below."]
    time: Annotated[str, "The moment that is predicted."]
    chance: Annotated[float, "Of the value beyond the limit at that moment."]
    score: Annotated[float, "The chance times 8, 4, 2 or 1 for priority 1 to 4."]


class RuleLimit(TypedDict):
    """What a running rule holds a twin's property against."""

    rule: str
    title: str
    when: str
    priority: int
    property: str
    provenance: str
    limit: float | bool
    unit: str | None
