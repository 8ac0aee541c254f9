"""What a service is: what it declares, its live part, its runs. Every service keeps these words.

A `Kind` is found by an entry point of the group `gemel.services`. An instance of it is a document
(which kind, which twins, which parameters). Its **live part** (`Live`) folds batches of columns of
all its twins and returns what it found; it is pure: no clock, no randomness of its own, so that a
log that is replayed gives the same again. **Slow work** is a `Run`: a plain function in a process
of its own that is given all it needs as a `Job` and returns a `Result`. What a run has learnt is a
`Fit`: versioned, with its provenance, and given to the live part.

docs/how-to/write-a-service.md has an example; tests/contracts/test_services.py the laws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from gemel.core.batch import F64, I32, I64
from gemel.core.document import Json

Arrays = Mapping[str, np.ndarray[Any, Any]]
NO_ARRAYS: Arrays = {}
PROVENANCES = ("derived", "predicted", "simulated")
AUTONOMY = ("observe", "advise", "approve", "act")
"""observe: only outputs. advise: alarms and recommendations too. approve: commands that wait for
somebody's yes. act: commands."""


# ---- what is declared ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Signal:
    """One telemetry or numeric property of one twin, as its model has it."""

    twin: str
    path: str
    unit: str = ""
    minimum: float = -np.inf
    maximum: float = np.inf


@dataclass(frozen=True, slots=True)
class Output:
    """One series that a service writes for each of its twins."""

    name: str
    """The path on the twin, such as `anomaly.score`; it must not be one of the model's."""
    about: str
    unit: str = ""
    """A DTDL unit name, "" for none."""
    provenance: str = "derived"
    has_interval: bool = False
    """Whether values come with `low` and `high`."""
    title: str = ""
    """What people call it, such as `Anomaly score`; without, its path."""
    every: str = ""
    """The parameter that says how many seconds lie between its values; "": it comes as often as
    readings do. Without a value for three times as long it is stale."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What the live part takes, as measured: for people, and for choosing among levels."""

    microseconds_a_reading: float
    bytes_a_signal: float


@dataclass(frozen=True, slots=True)
class Run:
    """Slow work of a kind: training, what-if, calibration, optimisation, a study of history."""

    name: str
    about: str
    function: str
    """`package.module:function`, a `RunFunction`; imported in the worker, never in the server."""
    parameters: Json = field(default_factory=lambda: {"type": "object", "properties": {}})
    """JSON schema, as `gemel.services.schema` understands it; no name of the instance's own."""
    need: Callable[[Json, Instance, Plant, int], Need] | None = None
    """(parameters, instance, plant, now) -> what the worker is given. None: all signals of the
    instance over the `span` (s) of the parameters, else over a day."""
    memory_mb: int = 1024
    """Beyond what Python itself takes; more ends the run, not the server."""
    seconds: float = 600.0
    threads: int = 1
    """For numerical libraries."""
    regular: Regular | None = None
    """When it is asked for by itself, where the schedule of an instance says nothing of it."""


@dataclass(frozen=True, slots=True)
class Regular:
    """A run that looks after the version in use."""

    every: float
    """Seconds."""
    after: float
    """Seconds from the end of the data that the version was made from to the first."""
    wanted: Callable[[Json], bool] = lambda parameters: True
    """Whether an instance with these parameters has use for it."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of service: what it reads, gives, costs, and how it is set."""

    name: str
    title: str
    about: str
    fidelity: int
    """0 a rule or table, 1 regression or statistics, 2 reduced physics or learnt, 3 physics."""
    outputs: tuple[Output, ...] = ()
    own_outputs: Callable[[Instance], tuple[Output, ...]] | None = None
    """In place of `outputs`, where these hang on what an instance reads; of a twin that has no
    signal of that name, none is written."""
    expects: Callable[[Json], Mapping[str, str]] = lambda parameters: {}
    """By predicted output: the path whose readings it should meet, where that has another name."""
    parameters: Json = field(default_factory=lambda: {"type": "object", "properties": {}})
    """JSON schema of the instance's parameters; each property has a `default` or is required."""
    cost: Cost = Cost(0.0, 0.0)
    make: Callable[[Setup], Live] | None = None
    """Makes the live part; None where there are only runs."""
    runs: tuple[Run, ...] = ()
    reads: Callable[[Signal, Json], bool] = lambda signal, parameters: True
    """Which of its twins' signals an instance with these parameters wants."""
    foreign: Callable[[Json], Sequence[str]] = lambda parameters: ()
    """The names of imported models that an instance with these parameters uses."""
    check: Callable[[Json, Json], None] = lambda parameters, foreign: None
    """Raises InvalidInput where parameters do not fit each other or those models."""
    example: Json = field(default_factory=dict)
    """Parameters with which it can be tried where some are required."""
    per_model: bool = True
    """False: an instance needs no model and no twins (a calculator, a study)."""
    remembers: bool = False
    """Whether a live part with another version goes on from the snapshot of the one before."""
    review: Condition | None = None
    """What the notices of its runs mean; None where they give none."""

    def run(self, name: str) -> Run | None:
        return next((run for run in self.runs if run.name == name), None)


# ---- instances and the live part -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fit:
    """What a run has learnt; kept as a version with its provenance, and rolled back by number."""

    document: Json
    arrays: Arrays = field(default_factory=lambda: NO_ARRAYS)
    scores: Json = field(default_factory=dict)
    """Figures on data it was not made from."""
    begin: int = 0
    end: int = 0
    """The span of the data (ns)."""
    adopt: bool = True
    """False: it did not pass its gate; it is kept, and the version in use stays in use."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One service as somebody has set it up; `twins` is what its model or list comes to now."""

    id: str
    kind: str
    twins: tuple[str, ...]
    parameters: Json
    """Complete: defaults are filled in."""
    signals: tuple[Signal, ...] = ()
    model: str = ""
    foreign: Json = field(default_factory=dict)
    """By name, models of others that it uses: what they say of themselves, and their `file`."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What a live part is made from. `slot` i of its readings is `signals[i]`."""

    instance: Instance
    fit: Fit | None = None
    version: int | None = None
    """The number of the fit."""

    @property
    def signals(self) -> tuple[Signal, ...]:
        return self.instance.signals

    @property
    def twins(self) -> tuple[str, ...]:
        return self.instance.twins

    @property
    def parameters(self) -> Json:
        return self.instance.parameters


@dataclass(frozen=True, slots=True)
class Readings:
    """Good readings of an instance's signals, as they were stored; those of one batch by time.

    Shapes: slot, time and value are all (n,). Units: time ns, values as in the model; all finite.
    """

    slot: I32
    time: I64
    value: F64

    def __len__(self) -> int:
        return len(self.slot)


@dataclass(frozen=True, slots=True)
class Outputs:
    """Values of a service in columns; row i of every column is one value.

    `twin` and `output` are places in `Setup.twins` and `Kind.outputs` (or `own_outputs`);
    `low` and `high` are None,
    or NaN in a row, where there is no interval.
    """

    twin: I32
    output: I32
    time: I64
    value: F64
    low: F64 | None = None
    high: F64 | None = None

    def __len__(self) -> int:
        return len(self.twin)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something people should know, from its begin to its end: it becomes an alarm.

    Times of one twin strictly increase, `raise` and `clear` alternate.
    """

    twin: str
    kind: str
    """`raise` or `clear`."""
    time: int
    value: float
    """Of the output that `about` names."""
    title: str = ""
    details: Json = field(default_factory=dict)
    """For the alarm: drivers, contributions, what the twin was compared with."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A command that a service recommends for one of its twins, and why.

    What becomes of it, the instance's autonomy and the guards of commands decide: shown as
    proposed, waiting for somebody's yes, or sent. A newer one for the same twin and command takes
    the place of one that was not sent. Give one for each occasion, not with every update.
    """

    twin: str
    command: str
    arguments: Any
    """In the unit of the model; None for a command without."""
    why: str
    time: int = 0
    """ns: of the reading that led to it; a live part gives it. 0: now."""
    seconds: float = 300.0
    """How long from `time` it is worth following."""
    gain: str = ""
    """What is expected from it, with its unit, such as `1.20 EUR a day`."""
    confidence: float | None = None
    """From 0 to 1."""


NO_OUTPUTS = Outputs(
    np.empty(0, np.int32),
    np.empty(0, np.int32),
    np.empty(0, np.int64),
    np.empty(0),
)


@dataclass(frozen=True, slots=True)
class Found:
    """What one update led to."""

    outputs: Outputs = NO_OUTPUTS
    notices: tuple[Notice, ...] = ()
    proposals: tuple[Proposal, ...] = ()


NOTHING = Found()


@dataclass(frozen=True, slots=True)
class Condition:
    """How a kind's alarms read: `output` above (or below) `limit`."""

    output: str
    limit: float
    is_above: bool = True
    title: str = "Anomaly"
    alarm_class: str = "service"
    priority: int = 3


class Live(Protocol):
    """The live part of one instance.

    Laws: how readings are cut into updates changes nothing; `restore` of a `snapshot` into a new
    one (of the same setup, or of one with other twins) and going on gives the same as going on;
    a signal without readings disturbs no other.
    """

    def update(self, readings: Readings) -> Found:
        """Folds readings in. Cost: numpy over the batch, no Python for each reading."""
        ...

    def snapshot(self) -> bytes:
        """All it remembers, by twin and path; see `gemel.services.packing`."""
        ...

    def restore(self, data: bytes) -> None:
        """Takes a snapshot over; signals that are not in it begin anew.

        Raises:
            Damaged: the bytes are not a snapshot; it begins anew.
        """
        ...

    def condition(self) -> Condition | None:
        """What its notices mean; None where it gives none."""
        ...

    def status(self) -> Json:
        """For people: how much it has seen, whether it knows enough."""
        ...


# ---- runs ----------------------------------------------------------------------------------------


class Plant(Protocol):
    """The twins as they are when a run is asked for."""

    def twins_of(self, model: str) -> list[str]: ...

    def signals_of(self, twin: str) -> list[Signal]: ...

    def document(self, twin: str) -> Json | None:
        """`{"id", "model", "name", "properties", "relationships": [{"name", "target"}]}`."""
        ...


@dataclass(frozen=True, slots=True)
class Need:
    """What the worker is given: `begin <= time < end` of these signals, and these twins."""

    signals: tuple[Signal, ...] = ()
    begin: int = 0
    end: int = 0
    bucket: float = 0.0
    """Seconds over which readings are averaged; 0: as stored."""
    twins: tuple[str, ...] = ()
    """Whose documents are wanted besides."""
    work: bool = False
    """Whether work orders that are done on the instance's twins are wanted too."""


@dataclass(frozen=True, slots=True)
class Column:
    """Good readings of one signal in order of time."""

    time: I64
    value: F64


@dataclass(frozen=True, slots=True)
class Job:
    """All that a run's function knows. `columns[i]` are the readings of `signals[i]`."""

    instance: Instance
    parameters: Json
    signals: tuple[Signal, ...] = ()
    columns: Sequence[Column] = ()
    begin: int = 0
    end: int = 0
    twins: Mapping[str, Json] = field(default_factory=dict)
    fit: Fit | None = None
    """The version in use."""
    work: Sequence[Json] = ()
    """Work orders that are done: `id`, `twin`, `title`, `createdBy`, `created`, `finished`."""


@dataclass(frozen=True, slots=True)
class Series:
    """Values that a run gives back; they go into history as readings with their provenance."""

    twin: str
    path: str
    provenance: str
    time: I64
    value: F64
    low: F64 | None = None
    high: F64 | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What a run came to."""

    document: Json
    arrays: Arrays = field(default_factory=lambda: NO_ARRAYS)
    series: Sequence[Series] = ()
    fit: Fit | None = None
    proposals: Sequence[Proposal] = ()
    notices: Sequence[Notice] = ()
    """Of an instance; its kind's `review` says what they mean. One that says again what stands
    already, or ends what does not stand, changes nothing."""


Progress = Callable[[float, str], None]
"""(share done from 0 to 1, what is being done); raises nothing, may be called often."""
RunFunction = Callable[[Job, Progress], Result]
