"""What is answered about what-ifs: what is asked, its run, what it came to, how twins behave."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypedDict

from gemel.api.answers.commands import Verdict
from gemel.api.answers.schema import Value


class Band(TypedDict):
    """The mean, and the span that holds 90 of 100 members."""

    mean: float | None
    low: float | None
    high: float | None


class BandDifference(Band):
    sure: Annotated[bool, "90 of 100 members agree on its sign."]
    isPaired: NotRequired[bool]


class ScenarioChange(TypedDict):
    """One thing that is different."""

    twin: NotRequired[str]
    model: NotRequired[str]
    property: NotRequired[str]
    parameter: NotRequired[str]
    value: NotRequired[float | None]
    plus: NotRequired[float | None]
    times: NotRequired[float | None]
    schedule: NotRequired[list[tuple[float, float]]]
    recorded: NotRequired[str]


class ScenarioKpiAsked(TypedDict):
    id: NotRequired[str]
    title: NotRequired[str]
    twin: str
    property: str
    of: NotRequired[str]
    limit: NotRequired[float]
    unit: NotRequired[str]
    best: NotRequired[str]


SweepVary = TypedDict(
    "SweepVary",
    {
        "twin": NotRequired[str],
        "model": NotRequired[str],
        "property": NotRequired[str],
        "parameter": NotRequired[str],
        "from": float,
        "to": float,
        "levels": NotRequired[int],
    },
)


class SweepAsked(TypedDict):
    design: NotRequired[str]
    count: NotRequired[int]
    members: NotRequired[int]
    vary: list[SweepVary]


class ScenarioAsked(TypedDict):
    """What a scenario asks."""

    title: str
    about: str
    twins: list[str]
    follow: list[str]
    at: str
    hours: float
    step: float
    members: int
    seed: int
    boundary: str
    span: float
    changes: list[ScenarioChange]
    kpis: list[ScenarioKpiAsked]
    sweep: SweepAsked | None


class RunState(TypedDict):
    id: str
    state: Literal["queued", "running", "succeeded", "failed", "cancelled"]
    progress: float
    message: str
    error: str
    hint: str
    requested: str
    started: str | None
    ended: str | None
    who: str


class ServiceRun(RunState):
    """One run of a service."""

    kind: str
    run: str
    service: str
    parameters: dict[str, Value]
    why: str
    readings: int
    peakMb: float | None
    fit: Annotated[int | None, "The version that it made."]


class ScenarioKpiShort(TypedDict):
    id: str
    title: str
    twin: str
    unit: str
    baseline: Band
    scenario: Band
    difference: BandDifference


class ScenarioShort(TypedDict):
    """What the last run came to."""

    run: str
    at: str
    to: str
    kpis: list[ScenarioKpiShort]


class Scenario(ScenarioAsked):
    id: str
    made: str
    by: str
    run: RunState | None
    result: ScenarioShort | None
    kept: NotRequired[Annotated[str, "When it was written into the history."]]


class TornadoBar(TypedDict):
    name: str
    low: float
    high: float
    middle: float


class ScenarioKpi(ScenarioKpiShort):
    property: str
    of: str
    limit: float
    best: str
    tornado: list[TornadoBar]


class ScenarioKpiCompared(ScenarioKpi):
    toFirst: Annotated[BandDifference | None, "To the first of those compared."]


class ScenarioAlarmSide(TypedDict):
    share: Annotated[float, "Of the members in which it was raised."]
    firstHours: float | None
    activeHours: float
    members: int


class ScenarioAlarm(TypedDict):
    rule: str
    title: str
    priority: int
    twin: str
    variants: Annotated[list[ScenarioAlarmSide], "The baseline, the scenario."]


class ScenarioFit(TypedDict):
    bias: float
    rmse: float
    coverage: float


class ScenarioHappened(TypedDict):
    """What was simulated against what was measured since."""

    twin: str
    property: str
    unit: str
    moments: int
    baseline: ScenarioFit
    scenario: ScenarioFit


class ScenarioCompared(TypedDict):
    id: str
    title: str
    at: str
    to: str
    members: int
    seed: int
    boundary: str
    changes: list[str]
    assumptions: list[str]
    series: Annotated[list[tuple[str, str, str]], "Twin, property, unit."]
    kpis: list[ScenarioKpiCompared]
    alarms: list[ScenarioAlarm]
    sweep: bool
    happened: list[ScenarioHappened]
    isPast: bool


class ScenariosCompared(TypedDict):
    baseline: str
    scenarios: list[ScenarioCompared]


class BandLines(TypedDict):
    mean: list[float | None]
    low: list[float | None]
    high: list[float | None]


class ScenarioLines(TypedDict):
    twin: str
    property: str
    unit: str
    measured: list[float | None]
    scenario: BandLines
    baseline: BandLines


class ScenarioSeries(TypedDict):
    scenario: str
    time: Annotated[list[float], "Milliseconds since 1970."]
    series: list[ScenarioLines]


class SweptVariant(TypedDict):
    number: int
    values: list[float]
    rank: int
    score: float | None
    kpis: list[Band]


class Swept(TypedDict):
    """The variants of a design, the best first."""

    vary: list[str]
    goals: list[str]
    design: str
    members: int
    variants: list[SweptVariant]


class ScenarioSignal(TypedDict):
    twin: str
    property: str
    unit: str


class ScenarioResult(TypedDict):
    run: str
    at: str
    to: str
    step: float
    every: float
    members: int
    seed: int
    boundary: str
    columns: int
    steps: int
    changes: list[str]
    kpis: list[ScenarioKpi]
    sweep: Swept | None
    alarms: list[ScenarioAlarm]
    assumptions: list[str]
    series: list[ScenarioSignal]


class ScenarioValue(TypedDict):
    twin: str
    property: str
    unit: str
    scenario: float | None
    baseline: float | None
    low: float | None
    high: float | None


class ScenarioState(TypedDict):
    """Every simulated value as of a moment."""

    time: Annotated[float, "Milliseconds since 1970."]
    values: list[ScenarioValue]


class PromotionAsked(TypedDict):
    twin: str
    property: str
    value: float
    by: NotRequired[Literal["command", "desired"]]
    command: NotRequired[str]
    state: str
    id: NotRequired[str]
    guards: NotRequired[list[Verdict]]
    error: NotRequired[str]
    hint: NotRequired[str]


class PromotionLeft(TypedDict):
    twin: str
    property: str
    why: str


class Promotion(TypedDict):
    """What the plant was asked for, and what of a scenario cannot be asked for."""

    scenario: str
    dryRun: bool
    asked: list[PromotionAsked]
    left: list[PromotionLeft]


class ScenarioKept(TypedDict):
    provenance: str
    series: int
    values: int


class BehaviourParameter(TypedDict):
    value: float
    spread: float
    low: float | None
    high: float | None
    unit: str
    about: str


class BehaviourAmount(TypedDict):
    value: NotRequired[float]
    spread: NotRequired[float]
    low: NotRequired[float]
    high: NotRequired[float]
    unit: NotRequired[str]
    about: NotRequired[str]


class Behaviour(TypedDict):
    """How the twins of a model behave."""

    id: str
    title: str
    model: str
    of: Annotated[list[str], "The twins."]
    parameters: dict[str, BehaviourParameter]
    twins: Annotated[dict[str, dict[str, float | BehaviourAmount]], "By twin, its own parameters."]
    outputs: dict[str, Value]
    behaviour: NotRequired[str]
    service: NotRequired[str]
    inputs: NotRequired[dict[str, Value]]
    start: NotRequired[dict[str, Value]]
    noise: NotRequired[dict[str, float]]
    hidden: NotRequired[dict[str, float]]
    commands: NotRequired[dict[str, str]]
    order: NotRequired[int]
