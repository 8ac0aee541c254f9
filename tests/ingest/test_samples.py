"""Values that come with times and qualities of their own, through the whole stage."""

from __future__ import annotations

import math

import pytest

from gemel.core.clock import SECOND
from gemel.core.message import Sample, Samples
from gemel.core.quality import Quality
from gemel.ingest.accept import Accepted
from gemel.ingest.topics import Binding, FieldMap
from ingest.conftest import NOW, Plant

TOPIC = "devices/pump-1/telemetry"


def take(plant: Plant, *rows: Sample, topic: str = TOPIC) -> Accepted:
    return plant.ingest.accept([Samples(topic, rows, NOW, plant.engineer)], NOW)


def row(name: str, value: object, ago: float = 1, quality: int = Quality.GOOD) -> Sample:
    return Sample(name, value, NOW - round(ago * SECOND), quality)


def test_each_value_has_its_own_time_and_quality(plant: Plant) -> None:
    found = take(
        plant,
        row("flow", 10.0, 3),
        row("flow", 11.0, 2, Quality.UNCERTAIN),
        row("starts", 7, 2),
        row("running", True, 1, Quality.SENSOR_FAULT),
        row("state", "off", 1, Quality.UNCERTAIN),
    )
    assert found.rejects == []
    assert [(NOW - time) // SECOND for time in found.batch.time.tolist()] == [3, 2, 2, 1, 1]
    assert found.batch.value.tolist()[:4] == [10.0, 11.0, 7.0, 1.0]
    assert found.batch.quality.tolist() == [0, 64, 0, 130, 64]
    assert found.seen == {"pump-1": NOW}


def test_the_worse_of_two_qualities_counts(plant: Plant) -> None:
    found = take(plant, row("flow", 99.0, 1, Quality.UNCERTAIN), row("flow", 98.0, 2))
    assert found.batch.quality.tolist() == [Quality.OUT_OF_RANGE] * 2


def test_a_bad_reading_may_have_no_value(plant: Plant) -> None:
    found = take(plant, row("flow", None, 1, Quality.BAD), row("nothing", None, 1, Quality.BAD))
    assert math.isnan(found.batch.value[0])
    assert found.batch.quality.tolist() == [Quality.BAD]
    assert found.batch.text == {}


def test_what_cannot_be_a_reading_is_kept_apart(plant: Plant) -> None:
    found = take(
        plant,
        row("flow", float("nan")),
        row("flow", "much"),
        row("colour", 3.0),
        row("flow", 1.0, -3600),
        Sample("flow", 1.0, -1, 0),
    )
    assert len(found.batch) == 0
    assert [one.reason for one in found.rejects] == [
        "not-a-number",
        "wrong-type",
        "unknown-property",
        "far-future",
        "before-1970",
    ]
    assert {one.source for one in found.rejects} == {TOPIC}


def test_bindings_say_what_they_mean_and_in_which_unit(plant: Plant) -> None:
    fields = {"Tmp": FieldMap("motor.temperature", "°F"), "Q": FieldMap("flow", "")}
    plant.ingest.set_bindings([Binding("b", "press/{twin}", "{twin}", fields, only=True)])
    found = take(
        plant,
        row("Tmp", 212.0),
        row("Q", 5.0),
        row("other", 1.0),
        row("Q", None, 1, Quality.BAD),
        topic="press/pump-2",
    )
    assert found.rejects == []
    assert found.batch.value.tolist()[:2] == pytest.approx([100.0, 5.0])
    assert found.seen == {"pump-2": NOW}


def test_unknown_devices_are_discovered_by_the_topic(plant: Plant) -> None:
    found = take(plant, row("Speed", 3.0), row("Name", "x"), topic="press/Plant/Motor")
    assert found.unknown["press.Plant.Motor"].sample == {"Speed": 3.0, "Name": "x"}
    again = take(plant, row("Speed", 3.0), topic="press/Plant/Motor")
    assert len(again.batch) == 1


def test_what_repeats_itself_is_dropped(plant: Plant) -> None:
    found = take(plant, row("flow", 3.0), row("flow", 3.0))
    assert (found.readings, found.duplicates) == (1, 1)


def test_who_may_not_write_is_refused(plant: Plant) -> None:
    found = plant.ingest.accept(
        [Samples("devices/pump-2/telemetry", [row("flow", 1.0)], NOW, plant.pump)], NOW
    )
    [reject] = found.rejects
    assert (reject.reason, reject.raw) == ("not-allowed", '{"flow":1.0}')


def test_a_source_may_say_the_unit_of_a_value(plant: Plant) -> None:
    found = take(
        plant,
        row("flow", 10.0)._replace(unit="L/s"),
        row("flow", 11.0, 2),
        row("state", "off")._replace(unit="K"),
    )
    assert found.rejects == []
    assert found.batch.value.tolist()[:2] == [36.0, 11.0]
    wrong = take(plant, row("flow", 10.0)._replace(unit="K"))
    assert [one.reason for one in wrong.rejects] == ["wrong-unit"]
