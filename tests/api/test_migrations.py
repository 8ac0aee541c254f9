"""Twins move to a new version of their model: plan, dry run, run, both versions live, undo."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from app.inside import Inside, inside, until

OLD, NEW, WRONG = "dtmi:grow:Pump;1", "dtmi:grow:Pump;2", "dtmi:grow:Pump;3"
CONTEXT = ["dtmi:dtdl:context;3", "dtmi:dtdl:extension:quantitativeTypes;1"]


def model(key: str, *contents: dict[str, Any]) -> dict[str, Any]:
    return {"@id": key, "@type": "Interface", "@context": CONTEXT, "contents": list(contents)}


def prop(name: str, schema: str = "double", **more: Any) -> dict[str, Any]:
    return {"@type": "Property", "name": name, "schema": schema, **more}


def length(name: str, unit: str) -> dict[str, Any]:
    return {**prop(name), "@type": ["Property", "Length"], "unit": unit}


FEEDS = {"@type": "Relationship", "name": "feeds"}
MODELS = [
    model(
        OLD,
        prop("speed"),
        length("bore", "millimetre"),
        prop("note", "string"),
        prop("size"),
        FEEDS,
    ),
    model(
        NEW,
        prop("targetSpeed", writable=True),
        length("bore", "metre"),
        prop("maker", "string"),
        prop("size"),
        FEEDS,
    ),
    model(WRONG, prop("speed", "string"), FEEDS),
]
MAPPING = {
    "rename": {"speed": "targetSpeed"},
    "convert": ["bore"],
    "drop": ["note"],
    "default": {"maker": "unknown"},
}


@contextmanager
def grown(data: Path) -> Iterator[Inside]:
    with inside(data) as found:
        found.ask("POST", "/models", MODELS)
        for number in range(30):
            body = {"speed": 1.5, "bore": 250.0, "note": "old", "size": float(number)}
            put(found, f"g-{number:02}", **body)
        link = {"$relationshipName": "feeds", "$targetId": "g-01"}
        found.ask("PUT", "/digitaltwins/g-00/relationships/r", link)
        yield found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with grown(tmp_path_factory.mktemp("grow") / "data") as found:
        yield found


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Inside]:
    """For a test that leaves twins changed."""
    with grown(tmp_path / "data") as found:
        yield found


def put(server: Inside, twin: str, **values: Any) -> None:
    server.ask("PUT", f"/digitaltwins/{twin}", {"$metadata": {"$model": OLD}, **values})


def ended(server: Inside, job: str) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def is_over() -> bool:
        found.update(server.ask("GET", f"/jobs/migrations/{job}"))
        return found["finishedDateTime"] is not None

    until(is_over)
    return found


def test_the_plan_says_what_breaks_and_what_may_be_done(server: Inside) -> None:
    plan = server.ask("GET", f"/models/{OLD}/diff", to=NEW)
    breaks = {one["path"]: one["suggestion"] for one in plan["changes"] if one["breaks"]}
    assert breaks == {
        "speed": {"rename": {"speed": "targetSpeed"}},
        "bore": {"convert": ["bore"]},
        "note": {"rename": {"note": "maker"}},
    }
    assert plan["twins"] == 30


def test_a_dry_run_looks_at_every_twin_and_changes_nothing(server: Inside) -> None:
    path = f"/models/{OLD}/migrations"
    without = server.ask("POST", path, {"to": NEW, "dryRun": True})["dryRun"]
    assert (without["moved"], without["failed"]) == (0, 30)
    assert without["problems"][0]["count"] == 30
    assert len(without["problems"][0]["examples"]) == 5
    tried = server.ask("POST", path, {"to": NEW, "dryRun": True, "mapping": MAPPING})["dryRun"]
    assert tried == {"moved": 30, "failed": 0, "problems": []}
    assert server.ask("GET", "/digitaltwins/g-00")["$metadata"]["$model"] == OLD


def test_twins_move_with_their_values_and_come_back(apart: Inside) -> None:
    before = apart.ask("GET", "/digitaltwins/g-07")
    put(apart, "g-xx", speed=2.0, size=1.0)
    body = {"to": NEW, "mapping": MAPPING, "id": "grow"}
    assert apart.ask("POST", f"/models/{OLD}/migrations", body)["undoes"] is None
    assert ended(apart, "grow")["status"] == "succeeded"
    now = apart.ask("GET", "/digitaltwins/g-07")
    assert now["$metadata"]["$model"] == NEW
    assert (now["targetSpeed"], now["bore"], now["maker"], now["size"]) == (
        1.5,
        0.25,
        "unknown",
        7.0,
    )
    assert "note" not in now
    assert now["$metadata"]["targetSpeed"] == before["$metadata"]["speed"]
    assert now["$metadata"]["size"] == before["$metadata"]["size"]
    put(apart, "g-new", size=3.0)  # both versions live
    patch = [{"op": "replace", "path": "/maker", "value": "Acme"}]
    apart.ask("PATCH", "/digitaltwins/g-03", patch)
    apart.ask("POST", "/jobs/migrations/grow/undo")
    undone = ended(apart, "grow-undo")
    assert undone["counts"]["moved"] == 30
    assert undone["counts"]["failed"] == 1
    assert undone["counts"]["problems"][0]["examples"] == ["g-03"]
    back = apart.ask("GET", "/digitaltwins/g-07")
    assert {**back, "$etag": ""} == {**before, "$etag": ""}
    assert apart.ask("GET", "/digitaltwins/g-03")["maker"] == "Acme"


def test_twins_that_do_not_fit_stay_and_are_told(server: Inside) -> None:
    server.ask("POST", f"/models/{OLD}/migrations", {"to": WRONG, "id": "wrong"})
    found = ended(server, "wrong")
    assert found["status"] == "failed"
    assert found["error"]["code"] == "MigrationIncomplete"
    assert found["counts"]["moved"] == 0
    assert server.ask("GET", "/digitaltwins/g-07")["$metadata"]["$model"] == OLD


def test_rules_that_do_not_follow_are_named(server: Inside) -> None:
    rule = {"model": OLD, "when": "speed > 5", "priority": 2}
    server.ask("PUT", "/rules/too-fast", rule)
    plan = server.ask("GET", f"/models/{OLD}/diff", to=NEW)
    assert [(one["kind"], one["key"], one["paths"]) for one in plan["referrers"]] == [
        ("rule", "too-fast", ["speed"])
    ]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"to": "dtmi:grow:None;1"}, "there is no model"),
        ({"to": OLD}, "cannot move to itself"),
        ({"to": NEW, "mapping": {"rename": {"sped": "size"}}}, "'sped'"),
        ({"to": NEW, "mapping": {"convert": ["size"]}}, "must give it a unit"),
        ({"to": NEW, "mapping": {"other": 1}}, "must be an object of"),
    ],
)
def test_a_mapping_that_does_not_fit_the_models_is_refused(
    server: Inside, body: dict[str, Any], says: str
) -> None:
    answer = server.http.post(f"/models/{OLD}/migrations", json=body)
    assert answer.status_code in (400, 404)
    assert says in answer.json()["error"]["message"]
