"""The run `compare`: behaviour models as levels of a ladder, judged by what their choices cost.

A decision is the value of one input for a while. In each scenario every level says what each
candidate would cost and takes the cheapest; what that choice costs is asked of the reference. So a
level is not judged by how well it forecasts, but by what is lost by believing it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gemel.core.batch import F64
from gemel.core.clock import SECOND
from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.services.behaviour.imported import behaviour_from
from gemel.services.behaviour.model import Behaviour, simulate
from gemel.services.behaviour.pointwise import pointwise_from
from gemel.services.behaviour.registry import REGRESSION, behaviour_of, behaviours
from gemel.services.calibration.runs import means
from gemel.services.contract import Instance, Job, Progress, Result, Signal
from gemel.services.fidelity.advisor import Advice, advise
from gemel.services.foreign.described import opened_entry

FIRST = 20
"""Scenarios to begin with."""
MOST_STEPS = 20_000
HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Rung:
    """One level: a behaviour, and what the common names are called in it."""

    name: str
    behaviour: Behaviour
    values: Mapping[str, float]
    start: Mapping[str, float]
    inputs: Mapping[str, str]
    """Own name by common name; a common input that it does not have is left out."""
    outputs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Decision:
    """The input that is chosen, and what a choice costs."""

    chosen: str
    candidates: F64
    prices: Mapping[str, float]
    """By output, or the input itself: of one unit of it for an hour."""
    limits: Mapping[str, Json]
    """By output: `low`, `high`, and the `price` of one unit outside for an hour."""
    seconds: float
    steps: int


@dataclass(frozen=True, slots=True)
class Scenario:
    """What comes from outside, by common name: a number, or a column (T,)."""

    inputs: Mapping[str, Any]
    shares: Mapping[str, float]
    """By parameter of the reference: what it is worth here."""


# ---- what an instance says -----------------------------------------------------------------------


def foreign(parameters: Json) -> tuple[str, ...]:
    """The models of others among the levels."""
    names = [str(one.get("behaviour")) for one in parameters["levels"]]
    return tuple(sorted({n for n in names if n not in behaviours() and n != REGRESSION}))


def reads(signal: Signal, parameters: Json) -> bool:
    return signal.path in parameters["inputs"].values()


def check(parameters: Json, models: Json) -> None:
    """Raises InvalidInput or NotFound where a level or its names will not do."""
    names = [one["name"] for one in parameters["levels"]]
    if len(set(names)) < len(names):
        raise InvalidInput("two levels have the same name")
    if parameters["reference"] and parameters["reference"] not in names:
        raise InvalidInput(
            f"there is no level '{parameters['reference']}' to be the reference",
            hint="one of: " + ", ".join(names),
        )
    for place, given in parameters["inputs"].items():
        if not isinstance(given, str):
            _number(f"inputs.{place}", given)
    for one in parameters["levels"]:
        rung_of(one, models)


def rung_of(given: Json, models: Json) -> Rung:
    """A level as it was given, its behaviour to be looked at and not run.

    Raises:
        InvalidInput, NotFound: names the level and what is wrong.
    """
    name, kind = given["name"], given["behaviour"]
    entry = models.get(kind)
    if entry is None:
        behaviour = behaviour_of(kind, list(given["inputs"].values()))
    elif entry["format"] == "onnx":
        behaviour = pointwise_from(kind, entry)
    else:
        behaviour = behaviour_from(kind, entry)
    tables = {what: given[what] for what in ("values", "start", "inputs", "outputs")}
    places = {"values": "parameters", "start": "states"}
    for what, table in tables.items():
        for key, value in table.items():
            own = key if what in places else value
            if not isinstance(own, str):
                raise InvalidInput(f"level '{name}': {what}.{key} must be a name")
            behaviour.place(places.get(what, what), own)
            if what in places:
                _number(f"level '{name}': {what}.{key}", value)
    return Rung(name, behaviour, **tables)


def _number(place: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise InvalidInput(f"{place} must be a number, not {str(value)[:40]!r}")
    return float(value)


@contextmanager
def opened_rungs(instance: Instance) -> Iterator[list[Rung]]:
    """All levels with behaviours that run; those of others in a sandbox each."""
    with ExitStack() as stack:
        found = []
        for given in instance.parameters["levels"]:
            rung = rung_of(given, instance.foreign)
            entry = instance.foreign.get(given["behaviour"])
            if entry is not None:
                model = stack.enter_context(opened_entry(given["behaviour"], entry))
                rung = replace(rung, behaviour=model.behaviour_in_time())
            found.append(rung)
        yield found


# ---- scenarios -----------------------------------------------------------------------------------


def scenarios_of(job: Job, decision: Decision) -> list[Scenario]:
    """Windows of history, each as often as `draws` says, in an order by chance.

    Raises:
        InvalidInput: inputs are signals, and there is no window in which all of them were read.
    """
    given, settings = job.parameters, job.instance.parameters
    paths = {n: p for n, p in settings["inputs"].items() if isinstance(p, str)}
    held = {n: float(v) for n, v in settings["inputs"].items() if n not in paths}
    windows: list[Mapping[str, F64]] = _windows(job, decision, paths) if paths else [{}]
    if not windows:
        raise InvalidInput(
            "there is no window of history in which all inputs were read",
            hint="a longer 'span', a shorter 'window', or twins that have: "
            + ", ".join(paths.values()),
        )
    random = np.random.default_rng(int(given["seed"]))
    varied = {n: _number(f"vary.{n}", share) for n, share in given["vary"].items()}
    found = []
    for window in windows:
        for _ in range(int(given["draws"])):
            shares = {n: float(np.exp(s * random.standard_normal())) for n, s in varied.items()}
            inputs = {n: value * shares.get(n, 1.0) for n, value in (held | dict(window)).items()}
            found.append(Scenario(inputs, {n: s for n, s in shares.items() if n not in inputs}))
    order = random.permutation(len(found))
    return [found[i] for i in order]


def _windows(job: Job, decision: Decision, paths: dict[str, str]) -> list[Mapping[str, F64]]:
    width = round(decision.seconds * SECOND)
    span = width * decision.steps
    found: list[Mapping[str, F64]] = []
    for twin in job.instance.twins:
        slots = {s.path: i for i, s in enumerate(job.signals) if s.twin == twin}
        if any(path not in slots for path in paths.values()):
            continue
        columns = {name: job.columns[slots[path]] for name, path in paths.items()}
        for begin in range(-(-job.begin // span) * span, job.end - span + 1, span):
            edges = [np.searchsorted(c.time, (begin, begin + span)) for c in columns.values()]
            if all(low < high for low, high in edges):
                first, steps = begin // width, decision.steps
                found.append({n: means(c, first, steps, width) for n, c in columns.items()})
    return found


# ---- what choices cost ---------------------------------------------------------------------------


def costs(rung: Rung, decision: Decision, scenario: Scenario, is_reference: bool) -> F64:
    """What each candidate would cost by this level, (candidates,)."""
    inputs: dict[str, F64] = {}
    for name, value in (dict(scenario.inputs) | {decision.chosen: decision.candidates}).items():
        own = rung.inputs.get(name)
        if own is not None:
            column = np.asarray(value, float)
            if name == decision.chosen:
                column = np.broadcast_to(column, (decision.steps, len(column)))
            inputs[own] = np.full(decision.steps, column) if column.ndim == 0 else column
    values = dict(rung.values)
    if is_reference:
        for name, share in scenario.shares.items():
            usual = rung.behaviour.parameters[rung.behaviour.place("parameters", name)]
            value = values.get(name, usual.value) * share
            values[name] = float(np.clip(value, usual.low, usual.high))
    run = simulate(rung.behaviour, inputs, decision.seconds, values, rung.start)
    hours = decision.seconds / HOUR
    total = np.zeros(len(decision.candidates))
    for name, price in decision.prices.items():
        if name == decision.chosen:
            total += price * hours * decision.steps * decision.candidates
        else:
            total += price * hours * run.output(rung.outputs[name]).sum(axis=0)
    for name, limit in decision.limits.items():
        seen = run.output(rung.outputs[name])
        outside = np.maximum(limit["low"] - seen, 0) + np.maximum(seen - limit["high"], 0)
        total += limit["price"] * hours * outside.sum(axis=0)
    return total


class Ladder:
    """Levels, their reference, and how long each takes for a decision."""

    def __init__(self, rungs: list[Rung], reference: str, decision: Decision) -> None:
        self.rungs, self.decision = rungs, decision
        self.reference = next((r for r in rungs if r.name == reference), rungs[-1])
        self.seconds = np.zeros(len(rungs))
        self.chosen = np.zeros((len(rungs), len(decision.candidates)), int)
        self.count = 0

    def costs(self, scenario: Scenario) -> F64:
        """What the choice of each level costs by the reference, (levels,)."""
        truth = costs(self.reference, self.decision, scenario, is_reference=True)
        if not np.isfinite(truth).all():
            raise InvalidInput(f"level '{self.reference.name}' gives a cost that is no number")
        found = np.empty(len(self.rungs))
        for i, rung in enumerate(self.rungs):
            began = time.perf_counter()
            said = costs(rung, self.decision, scenario, is_reference=False)
            self.seconds[i] += time.perf_counter() - began
            best = int(np.argmin(np.where(np.isfinite(said), said, np.inf)))
            self.chosen[i, best] += 1
            found[i] = truth[best]
        self.count += 1
        return found


def compare(job: Job, progress: Progress) -> Result:
    """Every level decides in the same scenarios; names the lowest within the tolerance.

    Raises:
        InvalidInput: there are too few levels, names do not fit, or choices cost nothing.
    """
    settings = job.instance.parameters
    if len(settings["levels"]) < 2:
        raise InvalidInput("there are less than two 'levels' to compare")
    with opened_rungs(job.instance) as rungs:
        decision = decision_of(job, rungs)
        ladder = Ladder(rungs, settings["reference"], decision)
        scenarios = scenarios_of(job, decision)
        for name in scenarios[0].shares:
            ladder.reference.behaviour.place("parameters", name)
        rest = iter(scenarios)

        def more(count: int) -> F64:
            columns = []
            for _, scenario in zip(range(count), rest, strict=False):
                columns.append(ladder.costs(scenario))
                progress(ladder.count / len(scenarios), f"scenario {ladder.count}")
            return np.array(columns).reshape(-1, len(rungs)).T

        if len(scenarios) < 2:
            raise InvalidInput(
                "one scenario gives no interval", hint="a longer 'span', or more 'draws'"
            )
        names = tuple(rung.name for rung in rungs)
        found = advise(names, more, settings["tolerance"], FIRST, len(scenarios))
    return Result(_document(found, ladder) | {"tolerance": settings["tolerance"]})


def decision_of(job: Job, rungs: list[Rung]) -> Decision:
    """The decision that is asked for, held to the names of all levels.

    Raises:
        InvalidInput: a level has not the chosen input or an output that costs; too many steps.
    """
    given, settings = job.parameters, job.instance.parameters
    steps = round(given["window"] / settings["step"])
    if not 1 <= steps <= MOST_STEPS:
        raise InvalidInput(f"{steps} steps in a window", hint=f"1 to {MOST_STEPS}")
    if len(given["candidates"]) < 2:
        raise InvalidInput("there are less than two 'candidates' to choose from")
    prices = {n: _number(f"cost.{n}", v) for n, v in given["cost"].items()}
    limits = {n: _limit(n, v) for n, v in given["limits"].items()}
    if not prices and not limits:
        raise InvalidInput("no choice costs anything", hint="name outputs in 'cost' or 'limits'")
    for rung in rungs:
        _check_names(rung, "inputs", [given["chosen"]])
        _check_names(rung, "outputs", [*(n for n in prices if n != given["chosen"]), *limits])
    candidates = np.array(given["candidates"], float)
    return Decision(given["chosen"], candidates, prices, limits, float(settings["step"]), steps)


def _check_names(rung: Rung, what: str, names: list[str]) -> None:
    known: Mapping[str, str] = getattr(rung, what)
    for name in names:
        if name not in known:
            raise InvalidInput(
                f"level '{rung.name}' does not say what it calls '{name}'",
                hint=f"{what}: {{{name}: its own name}}",
            )


def _limit(name: str, given: Any) -> Json:
    if not isinstance(given, dict) or set(given) - {"low", "high", "price"} or "price" not in given:
        raise InvalidInput(f"limits.{name} has 'low', 'high' and 'price', the last required")
    whole = {"low": -1e300, "high": 1e300, **given}
    return {key: _number(f"limits.{name}.{key}", value) for key, value in whole.items()}


def _document(found: Advice, ladder: Ladder) -> Json:
    candidates = ladder.decision.candidates
    return {
        "level": found.levels[found.level].name,
        "best": found.levels[found.best].name,
        "reference": ladder.reference.name,
        "isSure": found.is_sure,
        "scenarios": found.scenarios,
        "levels": [
            {
                "name": one.name,
                "behaviour": rung.behaviour.name,
                "cost": one.cost,
                "regret": one.regret,
                "low": one.low,
                "high": one.high,
                "secondsADecision": float(seconds / ladder.count),
                "parameters": len(rung.behaviour.parameters),
                "mostChosen": float(candidates[int(np.argmax(chosen))]),
            }
            for one, rung, seconds, chosen in zip(
                found.levels, ladder.rungs, ladder.seconds, ladder.chosen, strict=True
            )
        ],
    }
