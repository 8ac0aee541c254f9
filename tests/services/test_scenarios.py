"""Runs tests/scenarios/*.txt: rules as plain text, readable aloud.

A scenario is a sentence, then what the twin measures and its rules, then what happens by the
clock; the order of the lines is the order of arrival. Lines with `=>` say what follows from all
that happened since the last of them, and the runner accepts nothing beside it.

    telemetry NAME in UNIT | is number | is boolean | is text | is one of "a", "b"
    rule ID: TEXT
    derived NAME in UNIT: FORMULA
    no rule: TEXT               (it is refused; the next line says why)
    because WHAT, column NUMBER
    stale after 30 s
    parameter NAME is NUMBER | parameter NAME of TWIN is NUMBER
    twins A, B                  (default: motor-1; without a name the first is meant)
    A, B are Pump               (their model; of none unless said)
    A contains B, C             (any relationship)
    10:00:00 [to 10:05:00 every 30 s]  [TWIN: ]NAME is VALUE[, NAME is VALUE] [bad]
    10:00:00  the clock strikes
    10:00:00  WHO acknowledges RULE
    => RULE is raised [on TWIN ]at 10:00:00 | is cleared [on TWIN ]at 10:00:00
    NAME@predicted is a prediction of NAME, NAME@predicted:LABEL one of several
    => nothing
    => the alarm RULE is STATE | has happened N times
"""

from __future__ import annotations

import re
from pathlib import Path

import orjson
import pytest

from gemel.core import units
from gemel.core.batch import make_batch
from gemel.core.clock import SECOND, from_iso, to_iso
from gemel.core.document import Document
from gemel.core.errors import InvalidInput
from gemel.services.alarms import AlarmBook
from gemel.services.rules.compiler import PropertyShape
from gemel.services.rules.engine import RuleEngine
from gemel.services.rules.measures import compile_formula
from gemel.services.rules.parser import parse_formula
from gemel.services.rules.rule import load_rule

FOLDER = Path(__file__).parents[1] / "scenarios"
SCENARIOS = sorted(FOLDER.glob("*.txt"))
TWIN = "motor-1"
CLOCK = r"(\d\d:\d\d:\d\d)"
ASSIGN = re.compile(r'([\w.@:]+) is ("[^"]*"|true|false|-?[\d.]+)')


def time_of(clock):
    return from_iso(f"2026-11-22T{clock}Z")


def shape_of(kind):
    if kind.startswith("in "):
        return PropertyShape("number", units.find(kind[3:]).name)
    if kind.startswith("is one of "):
        names = re.findall(r'"([^"]*)"', kind)
        return PropertyShape("enumeration", values={name: name for name in names})
    return PropertyShape(kind.removeprefix("is "))


class Stage:
    """A twin, its rules and its alarms; `restarts` throws all memory away after every line."""

    def __init__(self, restarts):
        self.restarts = restarts
        self.shapes, self.rules = {}, {}
        self.beside = []
        self.stale_after = 30.0
        self.documents, self.told = {}, []
        self.engine, self.book = RuleEngine(), AlarmBook()
        self.now = 0
        self.twins, self.links = [TWIN], []
        self.defaults, self.own = {}, {}
        self.derived, self.model_of = {}, {}

    def series_of(self, twin):
        names = [*self.shapes, *self.beside]
        first = len(names) * self.twins.index(twin)
        return {name: first + i for i, name in enumerate(names)}

    def kin(self, twin, relation):
        pairs = [
            (b, a) if relation.is_incoming else (a, b)
            for a, n, b in self.links
            if n == relation.name
        ]
        found = [b for a, b in pairs if a == twin]
        for near in found if relation.is_deep else ():  # grows as it goes
            found += [b for a, b in pairs if a == near and b not in found]
        wanted = relation.model
        found = [b for b in found if wanted in ("", self.model_of.get(b))]
        return [(b, self.series_of(b)) for b in found]

    def settings_of(self, twin):
        return self.own.get(twin, {})

    def shapes_with_derived(self):
        found = dict(self.shapes)
        for name, (unit, text) in self.derived.items():
            wanted = units.find(unit).name
            inner, unit = compile_formula(parse_formula(text, name), found, lambda _: found, wanted)
            found[name] = PropertyShape("number", unit, formula=inner)
        return found

    def refuse(self, when):
        with pytest.raises(InvalidInput) as refused:
            self.load("wrong", when, self.shapes_with_derived())
        return str(refused.value)

    def load(self, key, when, shapes):
        document = {"model": "m", "when": when, "priority": 2, "title": key}
        document["parameters"] = self.defaults
        return load_rule(key, document, shapes, stale_after=self.stale_after, kin=lambda _: shapes)

    def set_up(self):
        loaded, shapes = {}, self.shapes_with_derived()
        instances = [(twin, self.series_of(twin)) for twin in self.twins]
        for key, when in self.rules.items():
            loaded[key] = self.load(key, when, shapes)
            self.engine.set_rule(loaded[key], instances, self.kin, self.settings_of)
        return loaded

    def restart(self):
        memory = self.engine.snapshot()
        self.engine, self.book = RuleEngine(), AlarmBook()
        self.engine.restore(memory)
        self.set_up()
        self.book.load(Document("alarm", k, d, 0, "", "") for k, d in self.documents.items())

    def commit(self, edits):
        self.documents.update((edit.key, edit.doc) for edit in edits)
        self.book.apply(edits)

    def follow(self, transitions):
        self.told += [
            f"{t.rule_id} is {'raised' if t.kind == 'raise' else 'cleared'} "
            f"{'' if t.twin == self.twins[0] else f'on {t.twin} '}at {to_iso(t.time)[11:-1]}"
            for t in transitions
        ]
        rules = self.engine.rules
        self.commit(self.book.apply_transitions(transitions, rules, {}, self.now))

    def read(self, twin, time, assignments, quality):
        rows, text = [], {}
        for i, (name, value) in enumerate(assignments):
            decoded = orjson.loads(value)
            if isinstance(decoded, str):
                text[i] = value
                decoded = float("nan")
            rows.append((self.series_of(twin)[name], time, float(decoded), quality))
        self.now = max(self.now, time)
        self.follow(self.engine.react(make_batch(rows, self.now, text)))

    def latest_alarm(self, rule):
        found = [d for d in self.documents.values() if d["rule"] == rule]
        return max(found, key=lambda d: d["id"])

    def perform(self, line):
        if found := re.fullmatch(CLOCK + r"\s+the clock strikes", line):
            self.now = time_of(found[1])
            self.follow(self.engine.tick(self.now))
        elif found := re.fullmatch(CLOCK + r"\s+(\w+) acknowledges ([\w-]+)", line):
            key = self.latest_alarm(found[3])["id"]
            self.commit(self.book.acknowledge(key, found[2], "", time_of(found[1])))
        elif found := re.fullmatch(
            rf"{CLOCK}(?: to {CLOCK} every (\d+) s)?\s+(?:([\w-]+): )?(.*?)( bad)?", line
        ):
            begin, end, step, twin, what, bad = found.groups()
            assignments = ASSIGN.findall(what)
            assert ", ".join(f"{n} is {v}" for n, v in assignments) == what, line
            times = range(time_of(begin), time_of(end or begin) + 1, int(step or 1) * SECOND)
            for time in times:
                self.read(twin or self.twins[0], time, assignments, 128 if bad else 0)
        else:
            pytest.fail(f"the scenario has a line that says nothing: {line!r}")
        if self.restarts:
            self.restart()

    def expect(self, lines):
        alarms = [line for line in lines if line.startswith("the alarm ")]
        transitions = [line for line in lines if line not in alarms and line != "nothing"]
        assert sorted(self.told) == sorted(transitions)
        self.told.clear()
        for line in alarms:
            if found := re.fullmatch(r"the alarm ([\w-]+) is (\w+)", line):
                assert self.latest_alarm(found[1])["state"] == found[2], line
            elif found := re.fullmatch(r"the alarm ([\w-]+) has happened (\d+) times", line):
                assert self.latest_alarm(found[1])["occurrences"] == int(found[2]), line
            else:
                pytest.fail(f"the scenario expects nothing that is known: {line!r}")


def play(text, *, restarts):
    """Performs a scenario; fails with the line that is not as it says."""
    title, *lines = [line for line in text.splitlines() if line.strip()]
    assert title.endswith("."), "a scenario begins with a sentence"
    stage, expected, is_set = Stage(restarts), [], False
    stage.beside = sorted(set(re.findall(r"[\w.]+@[\w:]+", text)))
    for line in lines:
        if found := re.fullmatch(r"telemetry ([\w.]+) (.*)", line):
            stage.shapes[found[1]] = shape_of(found[2])
        elif found := re.fullmatch(r"rule ([\w-]+): (.*)", line):
            stage.rules[found[1]] = found[2]
        elif found := re.fullmatch(r"derived ([\w.]+) in (\S+): (.*)", line):
            stage.derived[found[1]] = found[2], found[3]
        elif found := re.fullmatch(r"no rule: (.*)", line):
            refused = stage.refuse(found[1])
        elif found := re.fullmatch(r"because (.*), column (\d+)", line):
            assert found[1] in refused, refused
            assert f"column {found[2]}: " in refused, refused
        elif found := re.fullmatch(r"([\w, -]+) are (\w+)", line):
            stage.model_of.update(dict.fromkeys(found[1].split(", "), found[2]))
        elif found := re.fullmatch(r"stale after (\d+) s", line):
            stage.stale_after = float(found[1])
        elif found := re.fullmatch(r"twins (.*)", line):
            stage.twins = found[1].split(", ")
        elif found := re.fullmatch(r"parameter (\w+) is ([\d.]+)", line):
            stage.defaults[found[1]] = float(found[2])
        elif found := re.fullmatch(r"parameter (\w+) of ([\w-]+) is ([\d.]+)", line):
            stage.own.setdefault(found[2], {})[found[1]] = float(found[3])
        elif stage.shapes and (found := re.fullmatch(r"([a-z][\w-]*) (\w+) ([\w, -]+)", line)):
            stage.links += [(found[1], found[2], b) for b in found[3].split(", ")]
        elif line.startswith("=> "):
            expected.append(line[3:])
        elif stage.shapes or not line.endswith("."):
            if not is_set:
                stage.set_up()
                is_set = True
            if expected:
                stage.expect(expected)
                expected = []
            stage.perform(line)
    assert expected, "a scenario ends with what is expected"
    stage.expect(expected)


@pytest.mark.parametrize("restarts", [False, True], ids=["live", "restarted"])
@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_scenario(path, restarts):
    play(path.read_text(encoding="utf-8"), restarts=restarts)


def test_a_scenario_that_is_not_as_it_says_fails():
    text = (FOLDER / "hot_for_five_minutes.txt").read_text(encoding="utf-8")
    for right, wrong in (
        ("=> motor-hot is raised at 10:05:30", "=> nothing"),
        ("is raised at 10:05:30", "is raised at 10:05:00"),
        ("> 80 °C for 5", "> 80 °C for 4"),
        ("is unacknowledged", "is normal"),
    ):
        assert right in text
        with pytest.raises(AssertionError):
            play(text.replace(right, wrong), restarts=False)
