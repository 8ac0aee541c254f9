"""What survives which way: the table of the reference, worked out from real conversions.

A thing is `kept` when what stands for it is in the document, `changed` or `approximated` when the
report says so besides, `dropped` when it is not there; then the report must say that. It comes back
`same` when an import into an empty server gives it again, else `no`.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.inside import Inside, inside
from gemel.app import plant_files
from interchange.exchanged import PUMP, TIME, fill

PAGE = Path(__file__).parents[2] / "docs/reference/interchange.md"
FORMS = ("plant", "aas", "aasx", "wot", "ngsi-ld")
BACK = ("plant", "aas", "aasx", "wot")
Look = Callable[[dict[str, Any]], Any]


def model(plant: dict[str, Any], key: str = PUMP) -> dict[str, Any]:
    return next(one for one in plant["models"] if one["@id"] == key)


def of_twin(*path: str) -> Look:
    def look(plant: dict[str, Any]) -> Any:
        found: Any = plant["twins"]["pump-1"]
        for name in path:
            found = found[name]
        return found

    return look


def of_content(name: str, member: str) -> Look:
    def look(plant: dict[str, Any]) -> Any:
        content = next(one for one in model(plant)["contents"] if one["name"] == name)
        return content[member]

    return look


THINGS: dict[str, tuple[str, str, Look]] = {
    "twin": (r"pump-1", "", lambda plant: sorted(plant["twins"])),
    "its model's DTMI": (r"dtmi:ex:Pump;1", "", of_twin("model")),
    "model, whole": (r'"?extends\\?"?: ?\\?"?dtmi:ex:Asset;1', ": definition", model),
    "name of a twin": (r"Raw water pump", ": name", of_twin("name")),
    "property": (r"\b42\.5\b", ": target", of_twin("properties", "target")),
    "object": (r"\b90\.0\b", ": limits", of_twin("properties", "limits")),
    "map": (r"north", ": tags", of_twin("properties", "tags")),
    "array": (r"\b1\.5\b", ": points", of_twin("properties", "points")),
    "position": (r"52\.25", ": position", of_twin("properties", "position")),
    "property of a component": (r"yellow", ": grease", of_twin("components", "bearing", "grease")),
    "last value of telemetry": (r"\b12\.5\b", ": flow", lambda plant: plant["readings"]),
    "when a value was true": (re.escape(TIME), ": flow", lambda plant: plant["readings"]),
    "unit": (r"m³/h|MQH|cubicMetrePerHour", ": flow", of_content("flow", "unit")),
    "description": (r"What it moves", ": flow", of_content("flow", "description")),
    "texts in several languages": (
        r"Anlage",
        "displayName",
        lambda p: model(p, "dtmi:ex:Asset;1")["displayName"],
    ),
    "enum": (r"\bauto\b", ": mode", of_content("mode", "schema")),
    "command": (r"setSpeed", ": setSpeed", of_content("setSpeed", "request")),
    "answer of a command": (r"accepted", ": setSpeed.response", of_content("setSpeed", "response")),
    "relationship": (
        r"feeds-pump-2|(?:pump-2.{0,80}feeds|feeds.{0,80}pump-2)",
        ": feeds",
        lambda p: [x["to"] if isinstance(x, dict) else x for x in p["twins"]["pump-1"]["feeds"]],
    ),
    "property of a relationship": (r"DN80", "feeds", of_twin("feeds")),
}


def text_of(server: Inside, form: str) -> str:
    """A document as text."""
    if form == "plant":
        return json.dumps(server.ask("GET", "/plant"), ensure_ascii=False)
    answer = server.http.get(f"/export/{form}")
    if form != "aasx":
        return answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as package:
        return package.read("aasx/environment.json").decode()


def looked(look: Look, plant: dict[str, Any]) -> Any:
    try:
        return look(plant)
    except (KeyError, StopIteration, TypeError):
        return None


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[str]]]:
    folder = tmp_path_factory.mktemp("directions")
    with inside(folder / "data") as server:
        # never a whole microsecond, so that times are always cut where a form cuts them
        server.platform.clock = lambda: server.clock() // 1_000 * 1_000 + 123
        fill(server)
        source = plant_of(server)
        found: dict[str, list[str]] = {thing: [] for thing in THINGS}
        for form in FORMS:
            text = text_of(server, form)
            losses = (
                []
                if form == "plant"
                else server.ask("GET", f"/export/{form}", report="true")["losses"]
            )
            back = returned(server, form, folder) if form in BACK else None
            for thing, (sign, place, look) in THINGS.items():
                kinds = {one["kind"] for one in losses if place and place in one["place"]}
                is_there = re.search(sign, text, re.DOTALL) is not None
                if not is_there and form != "plant":
                    assert is_told(losses, place), f"{form} drops {thing} and does not say so"
                told = next((kind for kind in ("changed", "approximated") if kind in kinds), "kept")
                found[thing].append(told if is_there else "dropped")
                if back is not None:
                    is_same = looked(look, back) == looked(look, source) is not None
                    found[thing].append("same" if is_same else "no")
        yield found


def is_told(losses: list[dict[str, Any]], place: str) -> bool:
    places = [one["place"] for one in losses if one["kind"] == "dropped"]
    return any(place in one or one.endswith(": definition") for one in places)


def plant_of(server: Inside) -> dict[str, Any]:
    plant = server.ask("GET", "/plant")
    properties = server.ask("GET", "/twins/pump-1")["properties"]
    flow = next((one for one in properties if one["path"] == "flow"), {})
    plant["readings"] = (flow.get("value"), flow.get("time"))
    return dict(plant)


def returned(server: Inside, form: str, folder: Path) -> dict[str, Any]:
    """What an empty server has after the document came in."""
    with inside(folder / form) as other:
        if form == "plant":
            plant_files.write(server.ask("GET", "/plant"), folder / "files", "yaml")
            other.ask("POST", "/plant", plant_files.read(folder / "files" / "plant.yaml"))
        else:
            answer = other.http.post(
                f"/import/{form}", content=server.http.get(f"/export/{form}").content
            )
            assert answer.status_code == 200, answer.text
        return plant_of(other)


def test_the_table_of_the_reference_is_what_conversions_do(rows: dict[str, list[str]]) -> None:
    page = PAGE.read_text("utf-8")
    expected = "\n".join(f"| {thing} | {' | '.join(cells)} |" for thing, cells in rows.items())
    assert expected in page, f"the table should be:\n{expected}"


def test_what_is_exported_here_comes_back_where_the_form_can_hold_it(
    rows: dict[str, list[str]],
) -> None:
    readings = {"last value of telemetry", "when a value was true"}
    for thing, cells in rows.items():
        if thing not in readings:
            plant, aas, aasx = cells[1], cells[3], cells[5]
            assert (plant, aas, aasx) == ("same", "same", "same"), thing
