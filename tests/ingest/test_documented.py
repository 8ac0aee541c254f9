"""The examples in the documents do what the documents say."""

from __future__ import annotations

import re
from pathlib import Path

import orjson
import pytest

from gemel.core.batch import REASONS
from gemel.core.clock import SECOND
from gemel.ingest.points import Point
from gemel.ingest.topics import binding_from_json

DOCS = Path(__file__).parents[2] / "docs"
PAYLOADS = (DOCS / "reference" / "payloads.md").read_text()
BINDING = (DOCS / "how-to" / "bind-topics.md").read_text()


def examples():
    table = PAYLOADS.partition("## Forms")[2].partition("The form is found")[0]
    for row in table.splitlines():
        cells = [c.strip() for c in row.strip("|").split("|")]
        if len(cells) == 2 and cells[0] not in ("form", "---", "bare value"):
            found = re.match(r"`([{\[].*?[}\]])`", cells[1])
            if found:
                yield cells[0], found.group(1)


def test_the_examples_are_found():
    assert len(list(examples())) == 9


@pytest.mark.parametrize(("form", "payload"), list(examples()))
def test_example_of_each_form_is_taken(plant, form, payload):
    plant.add(
        "doc",
        {
            "flow": Point("double", unit="m³/h"),
            "pressure": Point("double"),
            "running": Point("boolean"),
            "temperature": Point("double", unit="°C"),
            "motor.temperature": Point("double"),
        },
    )
    message = plant.message(payload.encode(), "devices/doc/telemetry")
    got = plant.accept([message], now=2_000_000_000 * SECOND)
    assert got.rejects == []
    assert got.readings >= 1


def test_every_reason_is_documented_and_no_other():
    table = PAYLOADS.partition("| reason | when |")[2].partition("Of one message")[0]
    assert set(re.findall(r"^\| `([\w-]+)`", table, re.MULTILINE)) == set(REASONS)


def test_example_of_a_binding_does_what_it_says(plant):
    found = re.search(r"```json\n(.*?)```", BINDING, re.DOTALL)
    assert found
    plant.ingest.set_bindings([binding_from_json(orjson.loads(found.group(1)))])
    plant.add(
        "a-pump-1",
        {"flow": Point("double"), "motor.temperature": Point("double", unit="degreeCelsius")},
    )
    sent = re.search(r"`(\{\"when\".*?)` on `(.*?)`", BINDING)
    assert sent
    got = plant.send(sent.group(1).encode(), sent.group(2))
    assert plant.readings(got) == {
        "a-pump-1/flow": 12.4,
        "a-pump-1/motor.temperature": pytest.approx(61.0),
    }
