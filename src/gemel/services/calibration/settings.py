"""What an instance is set to: its behaviour, which signals are its inputs, what is followed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.services.behaviour.imported import behaviour_from
from gemel.services.behaviour.model import Behaviour
from gemel.services.behaviour.registry import REGRESSION, behaviour_of, behaviours
from gemel.services.calibration.ensemble import Noise
from gemel.services.contract import Instance, Signal
from gemel.services.foreign.described import opened_entry


@dataclass(frozen=True, slots=True)
class Settings:
    """The parameters of an instance, checked against its behaviour."""

    behaviour: Behaviour
    output: str
    observed: str
    """The path that reads the output."""
    paths: dict[str, str]
    """Of inputs that are signals."""
    held: dict[str, float]
    """Inputs that are numbers."""
    values: dict[str, float]
    """Parameters that are not the behaviour's own."""
    follow: tuple[str, ...]
    seconds: float
    members: int
    noise: Noise


@contextmanager
def prepared(instance: Instance) -> Iterator[Settings]:
    """The settings of an instance whose behaviour can be run: one of others runs in its sandbox.

    Raises:
        InvalidInput, NotFound: names what is wrong.
        Unavailable: a library it needs is not installed.
    """
    settings = settings_of(instance)
    name = settings.behaviour.name
    entry = instance.foreign.get(name)
    if entry is None:
        yield settings
        return
    with opened_entry(name, entry) as model:
        yield replace(settings, behaviour=model.behaviour)


def settings_of(instance: Instance) -> Settings:
    """Reads the parameters of an instance.

    Raises:
        InvalidInput, NotFound: names what is wrong.
    """
    given = instance.parameters
    inputs: Json = given["inputs"]
    behaviour = behaviour_of(given["behaviour"], list(inputs), instance.foreign)
    paths, held = {}, {}
    for name, what in inputs.items():
        behaviour.place("inputs", name)
        if isinstance(what, str):
            paths[name] = what
        else:
            held[name] = _number(f"inputs.{name}", what)
    output = given["output"] or behaviour.outputs[0].name
    behaviour.place("outputs", output)
    for name in (*given["values"], *given["follow"]):
        behaviour.place("parameters", name)
    for name in given["follow"]:
        if behaviour.parameters[behaviour.place("parameters", name)].low <= 0:
            raise InvalidInput(
                f"follow: '{name}' may be 0, and what may be 0 cannot be followed",
                hint="calibrate it; follow conductances, capacities, lives",
            )
    noise = Noise(given["readingNoise"], given["stateNoise"], given["walk"])
    return Settings(
        behaviour, output, given["observed"], paths, held,
        {n: _number(f"values.{n}", v) for n, v in given["values"].items()},
        tuple(given["follow"]), float(given["step"]), int(given["members"]), noise,
    )  # fmt: skip


def _number(place: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput(f"{place} must be a number or a path, not {str(value)[:40]!r}")
    return float(value)


def reads(signal: Signal, parameters: Json) -> bool:
    """Whether an instance with these parameters wants a signal."""
    return signal.path == parameters["observed"] or signal.path in parameters["inputs"].values()


def foreign(parameters: Json) -> tuple[str, ...]:
    """The model of others that an instance with these parameters uses, if any."""
    name = str(parameters["behaviour"])
    return () if name in behaviours() or name == REGRESSION else (name,)


def check(parameters: Json, models: Json) -> None:
    """Raises InvalidInput where the model of others that is named has no behaviour."""
    for name in foreign(parameters):
        behaviour_from(name, models[name])


def slots_of(instance: Instance, settings: Settings, twin: str) -> dict[str, int] | None:
    """Places of a twin's input signals and of what is observed (`""`); None: some are missing."""
    known = {s.path: i for i, s in enumerate(instance.signals) if s.twin == twin}
    wanted = {**settings.paths, "": settings.observed}
    if any(path not in known for path in wanted.values()):
        return None
    return {name: known[path] for name, path in wanted.items()}
