"""A scenario made ready to be run: the fork as of its moment, and all that goes with it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gemel.app.moments import state_at
from gemel.app.past import Moment
from gemel.app.rule_means import measured_shapes
from gemel.core.clock import SECOND, from_iso
from gemel.core.document import Json
from gemel.core.errors import InvalidInput, NotFound
from gemel.core.quality import Quality
from gemel.core.series import MEASURED
from gemel.services.whatif.fork import Fork, ForkedTwin, fork_to_json
from gemel.services.whatif.runs import SIDE, Asked, asked_of, kpis_of
from gemel.services.whatif.scenario import Scenario, read_scenario
from gemel.services.whatif.variants import keys_of
from gemel.twins.graph import Graph

if TYPE_CHECKING:
    from gemel.app.platform import Platform

MOST_TWINS = 2_000
"""Simulated in one fork."""
MOST_BESIDE = 10_000
HOPS = 3
"""So far from the fork twins are looked at that formulas may name."""
BUCKETED = 5.0
"""Steps (s) from which on readings are read as means over a step."""
AGO = re.compile(r"-(\d+(?:\.\d+)?)(s|m|h|d)\Z")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class Ready:
    plan: Json
    at: int
    twins: tuple[str, ...]
    """Simulated."""


def moment_of(text: str, now: int, place: str) -> int:
    """`now`, `-2h` (s m h d), or ISO 8601, in ns.

    Raises:
        InvalidInput: none of these, or it lies ahead.
    """
    if text in ("", "now"):
        return now
    ago = AGO.match(text)
    if ago is not None:
        return now - round(float(ago[1]) * SECONDS[ago[2]] * SECOND)
    try:
        found = from_iso(text)
    except InvalidInput as error:
        raise InvalidInput(
            f"{place}: '{text[:40]}' is no time", hint="now, -2h, or ISO 8601"
        ) from error
    if found > now:
        raise InvalidInput(f"{place}: {text} lies ahead", hint="a moment that has been")
    return found


async def make_ready(platform: Platform, key: str, document: Json) -> Ready:
    """The plan of a scenario: the graph and the values of its moment, rules, readings to be read.

    Raises:
        NotFound: a twin it begins from was not there.
        InvalidInput: names what does not fit, or what is too much.
    """
    scenario = read_scenario(document)
    now = platform.clock()
    at = moment_of(scenario.at, now, "scenario: at")
    is_now = scenario.at in ("", "now")
    graph = platform.graph if is_now else (await platform.moments.then(Moment(at))).graph
    inside = _followed(graph, scenario)
    links, beside = _surroundings(graph, inside)
    fork = await _fork(platform, graph, at, inside, beside, links)
    models = {model for twin in fork.twins.values() for model in twin.models}
    plan: Json = {
        "id": key,
        "scenario": dict(scenario.document),
        "fork": fork_to_json(fork),
        "behaviours": [d for d in platform.behaviours.documents() if d["model"] in models],
        "foreign": platform.foreign.entries(),
        "calibrated": calibrated(platform, is_now=is_now),
        "rules": {
            name: doc
            for name, doc in platform.catalogue.plain["rule"].items()
            if doc.get("model") in models and doc.get("enabled", True)
        },
        "shapes": _shapes(platform, models),
        "kpis": _kpis(platform),
    }
    asked = await asyncio.to_thread(asked_of, plan)
    keys = set(asked.network.boundary())
    plan |= _readings(asked, keys, now)
    kpis = kpis_of(plan, scenario, asked.network)
    plan["units"] = _units(
        platform, {*asked.network.produced, *((k.twin, k.property) for k in kpis)}
    )
    twins = tuple(sorted(t.id for t in fork.twins.values() if t.is_simulated))
    return Ready(plan, at, twins)


def _readings(asked: Asked, keys: set[tuple[str, str]], now: int) -> Json:
    """Which readings the worker is given: of what comes from outside, and of changes."""
    scenario, network = asked.scenario, asked.network
    at = network.fork.at
    recorded: list[tuple[str, str, str, int]] = []
    if any(block.attachment.hidden for block in network.blocks):
        keys = keys | network.produced.keys()
    for change in scenario.changes:
        outside = [k for k in keys_of(network, change) if k not in network.parameters]
        keys = keys | {k for k in outside if k not in network.produced}
        if change.operation == "recorded":
            since = moment_of(change.recorded, now, f"change of {change.name}: recorded")
            recorded.append((change.twin, change.name, change.recorded, since))
            keys.add((change.twin, change.name))
    begin = min([at - round(scenario.span * 3600 * SECOND), *(row[3] for row in recorded)])
    end = at + 1
    if scenario.boundary == "recorded" or recorded:
        end = min(now, at + round(scenario.hours * 3600 * SECOND)) + 1
    return {
        "signals": sorted([twin, path] for twin, path in keys if twin in network.fork.twins),
        "recorded": recorded,
        "begin": begin,
        "end": end,
        "bucket": scenario.step if scenario.step >= BUCKETED else 0.0,
    }


# ---- the graph -----------------------------------------------------------------------------------


def _followed(graph: Graph, scenario: Scenario) -> list[str]:
    """The twins that are forked: the roots, and what relationships lead to."""
    names = set(scenario.follow)
    for twin in scenario.twins:
        if graph.find_twin(twin) is None:
            raise NotFound(
                f"there is no twin '{twin}' to fork",
                hint="GET /twins lists them; perhaps it was made after 'at'",
                code="DigitalTwinNotFound",
            )
    found = dict.fromkeys(scenario.twins)
    waiting = list(scenario.twins)
    while waiting:
        for target, name in graph.targets_of(waiting.pop()):
            if name in names and target not in found and graph.find_twin(target) is not None:
                found[target] = None
                waiting.append(target)
        if len(found) > MOST_TWINS:
            raise InvalidInput(
                f"the fork has more than {MOST_TWINS:,} twins", hint="begin further down"
            )
    return list(found)


def _surroundings(
    graph: Graph, inside: Iterable[str]
) -> tuple[list[tuple[str, str, str]], list[str]]:
    """Links from and to the fork, as far as formulas may look, and the twins met there."""
    links: set[tuple[str, str, str]] = set()
    met = dict.fromkeys(inside)
    level = list(met)
    own = len(level)
    for _ in range(HOPS):
        following = []
        for twin in level:
            links |= {(twin, name, target) for target, name in graph.targets_of(twin)}
            links |= {(source, name, twin) for source, name in graph.sources_of(twin)}
            for other in [t for t, _ in graph.targets_of(twin)] + [
                s for s, _ in graph.sources_of(twin)
            ]:
                if other not in met and len(met) < own + MOST_BESIDE:
                    met[other] = None
                    following.append(other)
        level = following
    return sorted(one for one in links if one[0] in met and one[2] in met), list(met)[own:]


async def _fork(
    platform: Platform, graph: Graph, at: int, inside: list[str], beside: list[str],
    links: list[tuple[str, str, str]],
) -> Fork:  # fmt: skip
    every = [*inside, *beside]
    measured = await asyncio.to_thread(state_at, platform, at, MEASURED, every)
    own = set(inside)
    twins: dict[str, ForkedTwin] = {}
    for twin in every:
        record = graph.find_twin(twin)
        if record is None:
            continue
        values = _numbers(graph, twin)
        for path, (value, _, quality) in measured[twin]["values"].items():
            if _is_number(value) and quality < Quality.BAD:
                values[path] = float(value)
        interface = graph.find_model(record.model)
        bases = sorted(interface.bases) if interface is not None else []
        name = graph.name_of(twin) or twin
        models = (record.model, *(b for b in bases if b != record.model))
        twins[twin] = ForkedTwin(twin, name, models, values, twin in own)
    return Fork(at, twins, links)


def _numbers(graph: Graph, twin: str) -> dict[str, float]:
    """What people have set on the twin."""
    stored = graph.stored_values(twin).items()
    return {path: float(value) for path, (value, _) in stored if _is_number(value)}  # type: ignore[arg-type]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


# ---- what goes with it ---------------------------------------------------------------------------


def calibrated(platform: Platform, *, is_now: bool) -> Json:
    """By attachment and twin: parameters that its service has found, each with its spread.

    Of now, those that it follows are what they are by now, as surely as it follows them.
    """
    found: Json = {}
    for doc in platform.behaviours.documents():
        service = doc.get("service")
        fit = platform.services.fits.current(service) if service else None
        if fit is None:
            continue
        found[doc["id"]] = {
            twin: {
                name: [value, one.get("spread", {}).get(name, 0.0)]
                for name, value in one.get("parameters", {}).items()
            }
            for twin, one in fit.document.get("twins", {}).items()
        }
        hosted = platform.services.hosted.get(str(service)) if is_now else None
        following = hosted.status()["knows"].get("following") if hosted is not None else None
        for twin, one in following.items() if isinstance(following, dict) else ():
            for name, (low, middle, high) in one["parameters"].items():
                share = (high - low) / (2 * SIDE * middle)
                found[doc["id"]].setdefault(twin, {})[name] = [middle, share]
    return found


def _shapes(platform: Platform, models: Iterable[str]) -> Json:
    signals = platform.catalogue.signals
    return {
        model: {
            path: [shape.kind, shape.unit, dict(shape.values)]
            for path, shape in measured_shapes(signals, model).items()
        }
        for model in models
    }


def _kpis(platform: Platform) -> list[Json]:
    docs = sorted(platform.catalogue.plain["kpi"].items(), key=lambda one: one[1].get("order", 0))
    return [
        {
            "id": key,
            "title": doc.get("label") or doc["property"],
            "twin": doc["twin"],
            "property": doc["property"],
            "unit": doc.get("unit", ""),
        }
        for key, doc in docs
    ]


def _units(platform: Platform, keys: Iterable[tuple[str, str]]) -> Mapping[str, Json]:
    found: dict[str, Json] = {}
    for twin, path in keys:
        unit = platform.catalogue.unit_of(twin, path)
        if unit:
            found.setdefault(twin, {})[path] = unit
    return found
