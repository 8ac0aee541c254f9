"""Asks the reference parser and ours the same questions, and counts how often they agree."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mutations import cases, transcribed

import peers
from gemel.twins.dtdl.metamodel import metamodel
from gemel.twins.dtdl.parser import check

HERE = Path(__file__).parent
ROOT = Path(__file__).parents[3]
SHARED = ROOT / "../shared/conformance"
PACKAGE = "@digicatapult/dtdl-parser@1.1.83"


@dataclass
class Agreement:
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


class Reference:
    """The reference parser, started once: it takes seconds to start and a moment to answer."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            ["node", str(HERE / "reference_parser.mjs"), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.unknown = self._unknown()
        """Extensions that it is too old for, or accepts only when told to."""

    def ask(self, questions: list[Any]) -> list[dict[str, Any]]:
        """What it says of each set of models, one after the other: no pipe ever fills."""
        told, asked = self._process.stdout, self._process.stdin
        assert told is not None
        assert asked is not None
        found = []
        for question in questions:
            asked.write(json.dumps(question) + "\n")
            asked.flush()
            found.append(json.loads(told.readline()))
        return found

    def _unknown(self) -> list[str]:
        contexts = metamodel().contexts
        names = [name for name in contexts if not name.startswith("dtmi:dtdl:context;")]
        probes = [
            [{"@context": ["dtmi:dtdl:context;3", name], "@id": "dtmi:a;1", "@type": "Interface"}]
            for name in names
        ]
        told = self.ask(probes)
        return [name for name, one in zip(names, told, strict=True) if not one["valid"]]

    def __enter__(self) -> Reference:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()  # closes what it reads from; it ends


def reference() -> tuple[Path | None, str]:
    """The folder with the reference parser, fetched when it is not there; or None and why."""
    return peers.npm(PACKAGE)


def bases(version: int) -> list[list[Any]]:
    """Sets of models to change: ours, and the public cases where they are beside the checkout."""
    found = [[transcribed(one, version)] for one in json.loads(OWN)]
    if not SHARED.exists():
        return found
    for number, path in enumerate(sorted((SHARED / "dtdl/specification").glob("*.json"))):
        for case in read(path)[number % 4 :: 8]:
            if case["valid"]:
                found.append([transcribed(one, version) for one in case["input"]])
    for path in sorted((SHARED / "dtdl/doc-examples").glob(f"*V{version}.json")):
        for case in read(path):
            if case["valid"]:
                models = [
                    m for one in case["input"] for m in (one if isinstance(one, list) else [one])
                ]
                found += [models] * 3
    for path in sorted((SHARED / "ontologies").rglob("*.json"))[::2]:
        for model in read(path):
            if "extends" not in model and "Component" not in str(model):
                found.append([transcribed(model, version)])
    return found


def read(path: Path) -> list[Any]:
    content = json.loads(path.read_text(encoding="utf-8-sig"))
    return content if isinstance(content, list) else [content]


def compare(
    reference: Reference, seed: int, version: int, models: list[list[Any]], count: int
) -> Agreement:
    """Counts agreement on so many changed models."""
    asked = [
        case
        for case in cases(seed, version, models, count)
        if not any(name in str(case.models) for name in reference.unknown)
    ]
    found = Agreement()
    told = reference.ask([case.models for case in asked])
    for case, said in zip(asked, told, strict=True):
        if said.get("failed"):
            found.counts["failed"] += 1
            continue
        checked = check(case.models)
        is_right = said["valid"] == (not checked.problems.found)
        group = "valid" if said["valid"] else "invalid"
        found.counts.update({group: 1, f"{group} right": is_right, f"of {case.kind}": 1})
        found.counts[f"right {case.kind}"] += is_right
        if not is_right:
            ours = [one["message"] for one in checked.problems.found][:2]
            found.wrong.append(f"{said['errors']} {ours} {json.dumps(case.models)}")
        elif not said["valid"]:
            ours_ids = {one["code"] for one in checked.problems.found} | set(checked.unresolved)
            theirs = {*said["errors"], *said["unresolved"]}
            found.counts["refused by both"] += 1
            found.counts["an id"] += bool(ours_ids & theirs)
            found.counts["all ids"] += theirs <= ours_ids
    return found


OWN = """[
{"@context": "dtmi:dtdl:context;2", "@id": "dtmi:com:example:Pump;1", "@type": "Interface",
 "displayName": {"en": "Pump", "de": "Pumpe"}, "description": "Moves water",
 "contents": [
  {"@type": ["Telemetry", "Temperature"], "name": "temperature", "schema": "double",
   "unit": "degreeCelsius"},
  {"@type": "Telemetry", "name": "where", "schema": "point"},
  {"@type": "Property", "name": "mode", "writable": true, "schema": {"@type": "Enum",
   "valueSchema": "string", "enumValues": [{"name": "on", "enumValue": "ON"},
   {"name": "off", "enumValue": "OFF", "displayName": "Off"}]}},
  {"@type": "Relationship", "name": "feeds", "target": "dtmi:com:example:Tank;1",
   "maxMultiplicity": 5, "properties": [{"@type": "Property", "name": "since", "schema": "date"}]}
 ]},
{"@context": "dtmi:dtdl:context;2", "@id": "dtmi:com:example:Tank;1", "@type": "Interface",
 "schemas": [{"@id": "dtmi:com:example:Level;1", "@type": "Object", "fields": [
   {"name": "low", "schema": "double"}, {"name": "high", "schema": "float"}]}],
 "contents": [
  {"@type": "Telemetry", "name": "levels", "schema": {"@type": "Array",
   "elementSchema": "dtmi:com:example:Level;1"}},
  {"@type": "Property", "name": "rooms", "schema": {"@type": "Map",
   "mapKey": {"name": "room", "schema": "string"}, "mapValue": {"name": "area",
   "schema": "double"}}},
  {"@type": "Command", "name": "drain", "comment": "empties it",
   "request": {"name": "until", "schema": "dateTime"},
   "response": {"name": "left", "schema": "integer"}}
 ]},
{"@context": "dtmi:dtdl:context;2", "@id": "dtmi:com:example:Line;1", "@type": "Interface",
 "extends": {"@id": "dtmi:com:example:Base;1", "@type": "Interface", "contents": [
   {"@type": "Property", "name": "serial", "schema": "string"}]},
 "contents": [{"@type": "Component", "name": "motor", "schema": {
   "@id": "dtmi:com:example:Motor;1", "@type": "Interface", "contents": [
    {"@type": ["Telemetry", "AngularVelocity"], "name": "speed", "schema": "double",
     "unit": "radianPerSecond"}]}}]}
]"""
