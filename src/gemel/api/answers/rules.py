"""What is answered about rules: as they stand, checked, tried on history."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypedDict

from gemel.api.answers.alarms import Episode, FromTo
from gemel.api.answers.schema import Value

Suppressor = TypedDict(
    "Suppressor",
    {
        "rule": NotRequired[str],
        "property": NotRequired[str],
        "is": NotRequired[Value],
        "over": NotRequired[str | list[str]],
        "direction": NotRequired[Literal["in", "out"]],
        "hops": NotRequired[int],
    },
)
RuleWords = TypedDict(
    "RuleWords",
    {
        "class": NotRequired[str | None],
        "cause": NotRequired[str | None],
        "consequence": NotRequired[str | None],
        "response": NotRequired[str | None],
    },
)


class Action(TypedDict):
    """The command that a rule asks for by itself."""

    command: str
    arguments: NotRequired[Value]
    autonomy: NotRequired[Annotated[Value, "How far the rule may go by itself."]]


class LateReadings(TypedDict):
    count: int
    newest: str


class Rule(RuleWords):
    id: str
    model: str
    when: str
    priority: int
    title: str
    version: int
    then: NotRequired[Action | None]
    parameters: NotRequired[dict[str, float | str]]
    lateness: NotRequired[Annotated[float, "Seconds that readings may come late."]]
    timeZone: NotRequired[str]
    repeats: NotRequired[Literal["fold", "each"]]
    suppressedBy: NotRequired[list[Suppressor]]
    isRunning: bool
    problem: Annotated[str, "Why it does not run."]
    lateReadings: NotRequired[LateReadings]


class RuleChecked(TypedDict):
    """A rule that would be taken."""

    id: str
    when: str
    twins: Annotated[int, "Of how many it would run."]
    reads: list[str]
    computes: list[str]
    lateness: float


class AgainstLabels(TypedDict):
    """Alarms held against the times at which something was wrong."""

    events: int
    caught: int
    recall: float
    precision: float | None
    falseAlarms: int
    falseShare: float | None
    medianDelaySeconds: float | None


class BacktestSummary(TypedDict):
    alarms: int
    alarmsPerDay: float
    activeSeconds: float
    medianSeconds: float | None
    longestSeconds: float | None
    byTwin: dict[str, int]
    episodes: list[Episode]
    labels: NotRequired[AgainstLabels]


class BacktestLive(BacktestSummary):
    version: int
    when: str


class Backtest(BacktestSummary, FromTo):
    """What a rule would have done over a span of history."""

    rule: str
    twins: int
    readings: int
    live: NotRequired[Annotated[BacktestLive, "The rule of this id as it runs."]]


class BacktestUnderWay(TypedDict):
    id: str
    rule: str
    done: int
    of: int
    readings: int
