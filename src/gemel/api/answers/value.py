"""What is answered about what the twin is worth: cases worked out, value measured, fidelity."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypedDict

from gemel.api.answers.alarms import FromTo

ValueKind = Literal["money", "share", "number", "years", "months"]


class CaseInput(TypedDict):
    name: str
    title: str
    value: float
    low: float
    high: float
    kind: ValueKind
    source: str
    least: float
    most: float


class FigureHead(TypedDict):
    name: str
    title: str
    formula: str
    kind: ValueKind
    about: str


CaseFigure = TypedDict(
    "CaseFigure",
    {
        "name": str,
        "title": str,
        "kind": ValueKind,
        "value": float | None,
        "formula": str,
        "with": Annotated[dict[str, float | None], "What the formula was given."],
        "about": str,
    },
)


class CaseHead(TypedDict):
    case: str
    title: str
    about: str
    inputs: list[CaseInput]


class Case(CaseHead):
    """A case of the calculator, as it stands before anybody enters anything."""

    figures: list[FigureHead]


class CaseYear(TypedDict):
    year: int
    saving: float | None
    cost: float | None
    cash: float | None
    presentValue: float | None
    sum: float | None


class CaseBar(TypedDict):
    """The present value with one input at each end of its range."""

    name: str
    title: str
    kind: ValueKind
    low: float
    high: float
    atLow: float
    atHigh: float


class Histogram(TypedDict):
    edges: list[float]
    counts: list[int]


class CaseBand(TypedDict):
    """How sure it is: every input drawn from its range."""

    samples: int
    seed: int
    levels: list[float]
    presentValue: tuple[float, float, float]
    mean: float
    shareAboveZero: float
    payback: tuple[float | None, float | None, float | None]
    sum: tuple[list[float], list[float], list[float]]
    histogram: Histogram
    about: str


class CaseWorked(CaseHead):
    figures: list[CaseFigure]
    notes: list[str]
    course: list[CaseYear]
    tornado: list[CaseBar]
    band: CaseBand


class ValueRange(TypedDict):
    low: float | None
    value: float | None
    high: float | None


class ValueItem(ValueRange):
    name: str
    title: str
    count: float
    formula: str
    about: str
    evidence: list[str]
    needs: Annotated[list[str], "Prices that must be entered first."]
    medianLeadHours: NotRequired[float | None]
    hoursADay: NotRequired[float | None]
    hoursADayBefore: NotRequired[float | None]
    daysBefore: NotRequired[int]
    stops: NotRequired[int]


class ValueTotal(ValueRange):
    of: list[str]
    without: list[str]


class ValueMeasured(FromTo):
    currency: str
    days: float
    items: list[ValueItem]
    total: ValueTotal
    levels: list[float]
    draws: int
    seed: int


class Prices(TypedDict):
    """What things cost at this plant; null: not entered."""

    currency: str
    failed: float | None
    planned: float | None
    inspection: float | None
    downtimeHour: float | None
    minutes: float | None
    wage: float | None
    avoided: float
    avoidedLow: float
    avoidedHigh: float
    stopPriority: int


class Fidelity(TypedDict):
    """How well the predictions of one signal met what was measured."""

    twin: str
    name: str
    property: str
    predictedBy: str
    """The path that predicts it; its own, unless a model of behaviour expects it."""
    provenance: str
    unit: str | None
    quality: float | None
    nominal: float
    pairs: int
    nrmse: float | None
    rmse: float | None
    bias: float | None
    coverage: float | None
    drift: float | None


class FidelityOf(FromTo):
    value: list[Fidelity]
