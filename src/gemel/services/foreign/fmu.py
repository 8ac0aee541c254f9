"""In the sandbox: one FMU of FMI 2 or 3, by co-simulation or model exchange, driven by FMPy.

Inputs hold during a step. Co-simulation brings its own solver; model exchange is integrated by
SUNDIALS CVODE with its events. Whole courses are run one after another on one instance that is
reset; to be followed step by step, each scenario has an instance of its own (`following`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from typing import Any

import numpy as np
from fmpy import fmi2, fmi3, platform, platform_tuple, read_model_description
from fmpy.fmi1 import FMICallException
from fmpy.sundials import CVodeSolver

from gemel.core.document import Json
from gemel.services.foreign.following import Following
from gemel.services.foreign.sandbox import Arrays, Beat

CO, EXCHANGE = "co-simulation", "model-exchange"
INTEGERS = (
    "Integer", "Enumeration", "Int8", "UInt8", "Int16", "UInt16", "Int32", "UInt32", "Int64",
    "UInt64",
)  # fmt: skip
NUMBERS = ("Real", "Float32", "Float64", "Boolean", *INTEGERS)
MOST_VARIABLES = 2_000
MOST_INSTANCES = 10_000
MOST_UPDATES = 100
"""Of discrete states at one event."""
MOST_EVENTS = 100_000
"""In one step."""
INNER_STEPS = 100_000
TOLERANCE = 1e-6


class NoInput:
    """Inputs hold: there is nothing to apply between their changes."""

    def apply(self, time: float) -> None:
        del time


class Fmu:
    """One FMU in a folder."""

    def __init__(self, folder: str, question: Json, pulse: Beat) -> None:
        self._folder, self._pulse = folder, pulse
        self.md = md = read_model_description(folder, validate=True)
        if md.fmiVersion[:1] not in "23":
            raise ValueError(f"it is of FMI {md.fmiVersion}; FMI 2 and 3 are taken")
        self.mode = self._mode(str(question.get("mode", "")))
        self.is_3 = md.fmiVersion.startswith("3")
        self._fmu: Any = None
        self._solver: Any = None
        self._held: Any = None
        """Inputs as they are, and when the next event in time is due."""
        self._due = np.inf
        self._others: list[Fmu] = []
        self._following: Following | None = None
        scalar = [v for v in md.modelVariables if v.type in NUMBERS and not v.dimensions]
        self.parameters = [
            v for v in scalar
            if v.causality == "parameter" and v.start is not None and v.variability != "constant"
        ]  # fmt: skip
        self.inputs = [v for v in scalar if v.causality == "input"]
        self.outputs = [v for v in scalar if v.causality == "output"]
        self.states = [] if self.mode == CO else self._state_variables()
        self.starts = [v for v in scalar if self.mode == CO and _is_start(v)]
        if not self.outputs:
            raise ValueError("it has no output that is a number")
        if len(scalar) > MOST_VARIABLES * 50:
            raise ValueError(f"it has {len(scalar):,} variables")
        for what in (self.parameters, self.inputs, self.outputs, self.starts):
            del what[MOST_VARIABLES:]

    def _mode(self, wanted: str) -> str:
        has = [
            mode for mode, there in ((CO, self.md.coSimulation), (EXCHANGE, self.md.modelExchange))
            if there is not None
        ]  # fmt: skip
        if not has:
            raise ValueError("it is neither for co-simulation nor for model exchange")
        if wanted and wanted not in has:
            raise ValueError(f"it is not for {wanted}, only for {' and '.join(has)}")
        return wanted or has[0]

    def _state_variables(self) -> list[Any]:
        found = [u.variable.derivative for u in self.md.derivatives]
        if len(found) != self.md.numberOfContinuousStates or None in found:
            raise ValueError("its model structure does not name its continuous states")
        return found

    # ---- what it is ----------------------------------------------------------------------------

    def description(self) -> Json:
        """What it says of itself; it is started once, so that one that cannot run is found now."""
        self._begin(np.array([_start(v) for v in self.parameters]), np.array([]), self._usual())
        begun = self._read(self.states)
        md, experiment = self.md, self.md.defaultExperiment
        step = float(experiment.stepSize or 0.0) if experiment is not None else 0.0
        return {
            "format": "fmu",
            "version": md.fmiVersion,
            "mode": self.mode,
            "title": md.modelName or "",
            "about": md.description or "",
            "tool": md.generationTool or "",
            "step": step,
            "parameters": [self._quantity(v, _start(v)) for v in self.parameters],
            "inputs": [self._quantity(v, _start(v)) for v in self.inputs],
            "states": [self._quantity(v, x) for v, x in zip(self.states, begun, strict=True)],
            "starts": [self._quantity(v, _start(v)) for v in self.starts],
            "outputs": [self._quantity(v, 0.0) for v in self.outputs],
        }

    def _quantity(self, variable: Any, value: float) -> Json:
        kind = variable.declaredType
        unit = variable.unit or (kind.unit if kind is not None else None) or ""
        bounds = []
        for name in ("min", "max"):
            text = getattr(variable, name) or (getattr(kind, name) if kind is not None else None)
            bounds.append(None if text is None else float(text))
        about = (variable.description or "").strip()
        return {
            "name": variable.name,
            "unit": _readable(unit),
            "about": about,
            "value": float(value),
            "low": bounds[0],
            "high": bounds[1],
            "isFitted": variable.type in ("Real", "Float32", "Float64"),
        }

    def _usual(self) -> np.ndarray[Any, Any]:
        return np.array([_start(v) for v in self.inputs])

    # ---- running -------------------------------------------------------------------------------

    def run(self, question: Json, arrays: Arrays) -> tuple[Json, Arrays]:
        """Whole courses, or one step of all scenarios that are followed."""
        if question["ask"] == "follow":
            number = 1 if self._following is None else self._following.number + 1
            self._following = Following(
                number, self.instances(arrays["parameters"].shape[1]), arrays["parameters"],
                float(question["seconds"]),
            )  # fmt: skip
            return {"course": number}, {}
        if question["ask"] == "step":
            if self._following is None or self._following.number != question["course"]:
                raise ValueError("what it was following has ended")
            states, outputs = self._following.step(arrays["state"], arrays["inputs"])
            return {}, {"states": states, "outputs": outputs}
        self._following = None
        return self._run(question, arrays)

    def instances(self, count: int) -> list[Fmu]:
        """So many that are independent, itself the first; they are kept and reset.

        Raises:
            ValueError: it allows only one, or they are too many.
        """
        part = self.md.coSimulation if self.mode == CO else self.md.modelExchange
        if count > 1 and part.canBeInstantiatedOnlyOncePerProcess:
            raise ValueError(
                f"it allows one instance of itself, and {count:,} scenarios are to be followed"
            )
        if count > MOST_INSTANCES:
            raise ValueError(
                f"{count:,} scenarios are to be followed at once, {MOST_INSTANCES:,} at most: "
                "fewer members, variants or twins"
            )
        while len(self._others) < count - 1:
            other = copy(self)
            other._fmu = other._solver = other._held = other._following = None
            other._due, other._others = np.inf, []
            self._others.append(other)
        return [self, *self._others[: count - 1]]

    def begin_following(self, parameters: Any, state: Any, inputs: Any) -> None:
        """At time 0, where it goes on from; of co-simulation `state` are the `starts`."""
        self._begin(parameters, state, inputs)
        if self.mode == EXCHANGE:
            self._settle()
        self._held = None

    def move_on(self, begin: float, seconds: float, inputs: Any, state: Any | None) -> None:
        """One step; `state` where somebody has moved it since the last."""
        if self.mode == CO:
            self._set(self.inputs, inputs)
            self._do_step(begin, seconds)
            return
        if state is not None:
            values = np.ascontiguousarray(state, np.float64)
            self._fmu.setContinuousStates(_pointer(values), len(values))
            self._solver.reset(begin)
        self._integrate(begin, begin + seconds, inputs)

    def now(self) -> tuple[Any, Any]:
        """States (of co-simulation: `starts`) and outputs as they are."""
        return self._read(self.states or self.starts), self._read(self.outputs)

    def _run(self, question: Json, arrays: Arrays) -> tuple[Json, Arrays]:
        """All scenarios.

        Shapes: parameters (p, S), start (n, S), inputs (T, u, 1 or S); states (T + 1, n, S),
        outputs (T, m, S), NaN from where a scenario's model refused to go on.
        """
        parameters, start, inputs = arrays["parameters"], arrays["start"], arrays["inputs"]
        seconds = float(question["seconds"])
        steps, count = len(inputs), parameters.shape[1]
        states = np.full((steps + 1, len(self.states), count), np.nan)
        outputs = np.full((steps, len(self.outputs), count), np.nan)
        problems: list[str] = []
        for s in range(count):
            try:
                self._scenario(
                    parameters[:, s], start[:, s], inputs[:, :, min(s, inputs.shape[2] - 1)],
                    seconds, states[:, :, s], outputs[:, :, s],
                )  # fmt: skip
            except (FMICallException, RuntimeError, ValueError) as error:
                problems.append(str(error))
                self._drop()
        if len(problems) == count:
            raise ValueError(problems[0])
        return {"problems": problems[:10]}, {"states": states, "outputs": outputs}

    def _scenario(
        self, parameters: Any, start: Any, inputs: Any, seconds: float, states: Any, outputs: Any
    ) -> None:
        first = inputs[0] if len(inputs) else self._usual()
        self.begin_following(parameters, start, first)
        states[0] = self._read(self.states)
        for k in range(len(inputs)):
            self.move_on(k * seconds, seconds, inputs[k], None)
            outputs[k] = self._read(self.outputs)
            states[k + 1] = self._read(self.states)

    def _begin(self, parameters: Any, start: Any, inputs: Any) -> None:
        """A fresh instance, initialised; in model exchange at the first event."""
        fmu = self._fresh()
        self._pulse.beat("initialise")
        if not self.is_3:
            fmu.setupExperiment(startTime=0.0)
        self._set(self.parameters, parameters)
        if self.mode == CO and len(start):
            moved = [i for i, v in enumerate(self.starts) if start[i] != _start(v)]
            self._set([self.starts[i] for i in moved], np.asarray(start)[moved])
        if self.is_3:
            fmu.enterInitializationMode(startTime=0.0)
        else:
            fmu.enterInitializationMode()
        self._set(self.inputs, inputs)
        fmu.exitInitializationMode()
        if self.mode == EXCHANGE and len(start):
            self._update()
            fmu.enterContinuousTimeMode()
            values = np.ascontiguousarray(start, np.float64)
            fmu.setContinuousStates(_pointer(values), len(values))
            fmu.enterEventMode()

    def _fresh(self) -> Any:
        if self._fmu is not None:
            try:
                self._pulse.beat("reset")
                self._fmu.reset()
            except FMICallException:
                self._drop()
        if self._fmu is None:
            self._pulse.beat("load")
            classes = (
                (fmi3.FMU3Slave, fmi3.FMU3Model) if self.is_3 else (fmi2.FMU2Slave, fmi2.FMU2Model)
            )
            part = self.md.coSimulation if self.mode == CO else self.md.modelExchange
            try:
                fmu = classes[self.mode == EXCHANGE](
                    guid=self.md.guid, unzipDirectory=self._folder, instanceName="gemel",
                    modelIdentifier=part.modelIdentifier,
                )  # fmt: skip
            except Exception as error:
                where = platform_tuple if self.is_3 else platform
                raise ValueError(f"it has no binary that loads here ({where}): {error}") from error
            self._pulse.beat("instantiate")
            fmu.instantiate()
            self._fmu, self._solver = fmu, None
        return self._fmu

    def _drop(self) -> None:
        """Forgets an instance that has failed; its library stays where it is."""
        self._fmu = self._solver = None

    def _do_step(self, begin: float, seconds: float) -> None:
        self._pulse.beat("step", begin)
        found = self._fmu.doStep(begin, seconds)
        if self.is_3:
            _, ends, early, last = found
            if ends or (early and last < begin + seconds * (1 - 1e-9)):
                raise ValueError(f"it stopped by itself at {last:g} s")

    # ---- model exchange ------------------------------------------------------------------------

    def _settle(self) -> None:
        self._update()
        self._fmu.enterContinuousTimeMode()
        if self._solver is None:
            self._solver = self._new_solver()

    def _update(self) -> float:
        """Discrete states until they rest; when the next event in time is due."""
        change: Callable[[], Any] = (
            self._fmu.updateDiscreteStates if self.is_3 else self._fmu.newDiscreteStates
        )
        for _ in range(MOST_UPDATES):
            again, ends, _, _, is_due, due = change()
            if ends:
                raise ValueError("it asked to end at an event")
            if not again:
                return float(due) if is_due else np.inf
        raise ValueError(f"its discrete states do not rest after {MOST_UPDATES} updates")

    def _new_solver(self) -> Any:
        fmu, md = self._fmu, self.md
        experiment = md.defaultExperiment
        given = experiment.tolerance if experiment is not None else None
        return CVodeSolver(
            nx=md.numberOfContinuousStates, nz=md.numberOfEventIndicators,
            get_x=fmu.getContinuousStates, set_x=fmu.setContinuousStates,
            get_dx=fmu.getContinuousStateDerivatives if self.is_3 else fmu.getDerivatives,
            get_z=fmu.getEventIndicators, get_nominals=fmu.getNominalsOfContinuousStates,
            set_time=fmu.setTime, input=NoInput(), startTime=0.0,
            relativeTolerance=min(float(given or TOLERANCE), TOLERANCE), maxNumSteps=INNER_STEPS,
        )  # fmt: skip

    def _integrate(self, time: float, end: float, inputs: Any) -> None:
        """Moves on to the end of a step, event by event."""
        fmu, solver = self._fmu, self._solver
        if self._held is None or not np.array_equal(inputs, self._held):
            self._pulse.beat("event", time)
            fmu.enterEventMode()
            self._set(self.inputs, inputs)
            self._held = inputs
            self._after_event(time)
        for _ in range(MOST_EVENTS):
            self._pulse.beat("step", time)
            target = min(end, self._due)
            if target > time + 1e-12 * max(abs(time), 1.0):
                is_event, _, time = solver.step(time, target)
                fmu.setTime(time)
            else:
                is_event = True
            is_event |= self._completed() or time >= self._due * (1 - 1e-12)
            if is_event:
                fmu.enterEventMode()
                self._after_event(time)
            if time >= end - 1e-9 * max(end, 1.0):
                return
        raise ValueError(f"it had more than {MOST_EVENTS:,} events in one step, at {time:g} s")

    def _after_event(self, time: float) -> None:
        self._due = self._update()
        self._fmu.enterContinuousTimeMode()
        self._solver.reset(time)

    def _completed(self) -> bool:
        if not self.md.modelExchange.needsCompletedIntegratorStep:
            return False
        is_event, ends = self._fmu.completedIntegratorStep()
        if ends:
            raise ValueError("it asked to end")
        return bool(is_event)

    # ---- values --------------------------------------------------------------------------------

    def _set(self, variables: list[Any], values: Any) -> None:
        for kind, rows in _by_type(variables):
            numbers = [_as(kind, values[i]) for i in rows]
            set_them = getattr(self._fmu, f"set{_call(kind, self.is_3)}")
            set_them([variables[i].valueReference for i in rows], numbers)

    def _read(self, variables: list[Any]) -> Any:
        found = np.empty(len(variables))
        for kind, rows in _by_type(variables):
            get = getattr(self._fmu, f"get{_call(kind, self.is_3)}")
            found[rows] = get([variables[i].valueReference for i in rows])
        return found


def _by_type(variables: list[Any]) -> Iterable[tuple[str, list[int]]]:
    rows: dict[str, list[int]] = {}
    for i, one in enumerate(variables):
        rows.setdefault(one.type, []).append(i)
    return rows.items()


def _call(kind: str, is_3: bool) -> str:
    """The name in get... and set... of a type."""
    if kind == "Enumeration":
        return "Int64" if is_3 else "Integer"
    return kind


def _as(kind: str, value: float) -> float | int | bool:
    if kind == "Boolean":
        return bool(value >= 0.5)
    return round(float(value)) if kind in INTEGERS else float(value)


def _start(variable: Any) -> float:
    text = variable.start
    if text in (None, ""):
        return 0.0
    if variable.type == "Boolean":
        return float(text in ("true", "1"))
    return float(text)


def _is_start(variable: Any) -> bool:
    """Whether it may be set before the begin: a start value, by the standard `initial="exact"`."""
    is_plain = variable.causality in ("output", "local") and variable.variability != "constant"
    is_real = variable.type in ("Real", "Float32", "Float64")
    return bool(is_plain and is_real and variable.initial == "exact" and variable.start is not None)


def _readable(unit: str) -> str:
    return {"degC": "°C", "1": "", "deg": "°"}.get(unit, unit)


def _pointer(values: Any) -> Any:
    from ctypes import POINTER, c_double

    return values.ctypes.data_as(POINTER(c_double))
