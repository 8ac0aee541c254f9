"""What is answered about services: their kinds, instances, versions and how they fare."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypedDict

from gemel.api.answers.scenarios import ServiceRun
from gemel.api.answers.schema import Value

ServiceView = TypedDict(
    "ServiceView",
    {
        "id": str,
        "kind": str,
        "title": str,
        "model": str | None,
        "twins": list[str] | None,
        "as": NotRequired[str],
        "parameters": dict[str, Value],
        "schedule": dict[str, Value],
        "autonomy": Literal["observe", "advise", "approve", "act"],
        "enabled": bool,
        "version": int,
        "isRunning": bool,
        "problem": str,
    },
)


class RunArray(TypedDict):
    name: str
    type: str
    shape: list[int]


class RunSeries(TypedDict):
    twin: str
    path: str
    provenance: str
    values: int


class RunResult(TypedDict):
    """What a run came to; what `result` holds is the kind's own."""

    result: dict[str, Value]
    arrays: list[RunArray]
    series: list[RunSeries]


class RunArrayValues(TypedDict):
    name: str
    values: list[Value]


class ServiceProposals(TypedDict):
    made: int
    problem: str


ServiceVersion = TypedDict(
    "ServiceVersion",
    {
        "version": int,
        "run": str,
        "who": str,
        "made": str,
        "gemel": str,
        "from": str | None,
        "to": str | None,
        "scores": dict[str, Value],
        "passed": bool,
    },
)


class ServiceStatus(TypedDict):
    """How one service fares, what it has learnt, and its latest runs."""

    id: str
    isRunning: bool
    problem: str
    twins: int
    signals: int
    updates: int
    readings: int
    outputs: int
    microsecondsAReading: float | None
    newest: str | None
    knows: dict[str, Value]
    proposals: ServiceProposals
    version: Annotated[int | None, "The one in use."]
    versions: Annotated[list[ServiceVersion], "The newest first."]
    runs: list[ServiceRun]


class ServiceVersions(TypedDict):
    """What a service has learnt."""

    current: int | None
    versions: list[ServiceVersion]


class ServiceOutput(TypedDict):
    name: str
    about: str
    unit: str
    provenance: str
    hasInterval: bool


class ServiceKindRun(TypedDict):
    run: str
    about: str
    parameters: dict[str, Value]
    memoryMb: int
    seconds: float


class ServiceCost(TypedDict):
    microsecondsAReading: float
    bytesASignal: float


class ServiceKind(TypedDict):
    """A kind of services: what it declares."""

    kind: str
    title: str
    about: str
    fidelity: int
    isLive: bool
    needsTwins: bool
    outputs: list[ServiceOutput]
    cost: ServiceCost
    parameters: dict[str, Value]
    runs: list[ServiceKindRun]
