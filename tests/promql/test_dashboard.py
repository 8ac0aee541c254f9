"""The dashboard that people import: its variables find the plant, and all its queries answer."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from app.inside import Inside
from promql.plant import BASE, TWINS, data

ROOT = "/prometheus/api/v1"
FILE = Path(__file__).parents[2] / "examples/grafana/dashboard.json"
DASHBOARD: dict[str, Any] = json.loads(FILE.read_text())
CHOSEN = {"property": "flow", "twin": "p-1|p-2|p-7"}


def filled(text: str) -> str:
    """A text with the variables as Grafana puts them in."""
    for name, value in CHOSEN.items():
        text = text.replace(f"${name}", value)
    assert "$" not in text
    return text


def test_its_variables_list_properties_and_twins(plant: Inside) -> None:
    found = {}
    for variable in DASHBOARD["templating"]["list"][1:]:
        match = re.fullmatch(r"label_values\((?:(.*), )?(\w+)\)", variable["definition"])
        assert match is not None
        assert variable["query"]["query"] == variable["definition"]
        chosen = {"match[]": filled(match[1])} if match[1] else {}
        answer = plant.http.get(f"{ROOT}/label/{match[2]}/values", params=chosen)
        found[variable["name"]] = data(answer)
    assert "bearing.temperature" in found["property"]
    assert found["twin"] == list(TWINS)


@pytest.mark.parametrize("panel", DASHBOARD["panels"], ids=lambda one: one["title"])
def test_its_panels_have_answers(panel: dict[str, Any], plant: Inside) -> None:
    for target in panel["targets"]:
        form: dict[str, Any] = {"query": filled(target["expr"])}
        if target.get("range"):
            form |= {"start": BASE, "end": BASE + 3600, "step": 15}
            found = data(plant.http.post(f"{ROOT}/query_range", data=form))["result"]
        else:
            form["time"] = BASE + 600
            found = data(plant.http.post(f"{ROOT}/query", data=form))["result"]
        wanted = 2 if "by (model" in target["expr"] else 3
        assert len(found) == wanted
        shown = set(re.findall(r"{{(\w+)}}", target["legendFormat"])) - {"unit"}
        assert all(shown <= set(one["metric"]) for one in found)
