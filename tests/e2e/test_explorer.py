"""The explorer over many twins: lazy tree, sorted and filtered table, any part of it at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from e2e.browsing import Visitor
from e2e.conftest import Visit
from e2e.plants import HALL, MOTOR, motors, send, set_up
from running import Running

pytestmark = pytest.mark.browser

LINES, EACH = 60, 100
COUNT = LINES * (EACH + 1) + 1


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Six thousand motors in sixty lines: more than the page keeps in memory."""
    with Running(tmp_path_factory.mktemp("explorer") / "data") as running:
        plant = motors(1)
        number = 0
        twins = {}
        for line in range(1, LINES + 1):
            inner = [f"m-{number + n}" for n in range(1, EACH + 1)]
            number += EACH
            twins |= {one: {"model": MOTOR, "name": f"Motor {one[2:]}"} for one in inner}
            twins[f"line-{line}"] = {"model": HALL, "name": f"Line {line}", "contains": inner}
        twins["site"] = {
            "model": HALL,
            "name": "Site",
            "contains": [f"line-{n}" for n in range(1, LINES + 1)],
        }
        set_up(running, {**plant, "twins": twins})
        rows = [{"twin": f"m-{n}", "vibration": n / 1000} for n in range(1, 31)]
        running.call("POST", "/ingest", rows)
        send(running, "m-4321", vibration=9.5)
        yield running


def names(visitor: Visitor) -> list[str]:
    return visitor.page.locator("[data-testid=twin-row] [data-row]").all_inner_texts()


def test_where_a_twin_stands_is_told_beyond_those_in_memory(plant: Running, visit: Visit) -> None:
    ann = visit(plant, size=(1440, 900)).log_in("viewer", at=f"/app/twins/m-{LINES * EACH}")
    ann.find("crumbs").get_by_role("link", name=f"Line {LINES}", exact=True).wait_for()
    ann.find("crumbs").get_by_text(f"Motor {LINES * EACH}").wait_for()


def test_any_part_of_a_long_table_is_there_when_it_is_looked_at(
    plant: Running, visit: Visit
) -> None:
    ann = visit(plant, size=(1440, 900)).log_in("viewer", at="/app/twins?sort=name")
    ann.find("twin-row").first.wait_for()
    ann.find("twin-count").get_by_text(f"{COUNT} twins").wait_for()
    box = ann.find("twin-box")
    assert box.get_attribute("aria-rowcount") == str(COUNT + 1)
    box.evaluate("(one) => (one.scrollTop = one.scrollHeight / 2)")
    middle = COUNT // 2 - LINES  # lines stand before motors, as L before M
    ann.find("twin-row", twin_id=f"m-{middle}").wait_for()
    assert len(names(ann)) < 60
    ann.find("sort-name").click()
    ann.until("new URLSearchParams(location.search).get('sort') === '-name'")
    ann.find("twin-row", twin_id="site").wait_for()


def test_twins_are_found_by_a_property(plant: Running, visit: Visit) -> None:
    ann = visit(plant, size=(1440, 900)).log_in("viewer", at="/app/twins")
    ann.find("twin-row").first.wait_for()
    ann.find("where-path").fill("vibration")
    ann.find("where-value").fill("0.025")
    ann.find("where-value").press("Enter")
    ann.find("twin-count").get_by_text("6 twins").wait_for()
    ann.find("sort-value").click()
    ann.find("sort-value").click()
    first = ann.page.locator("[data-testid=twin-row]").first
    first.get_by_text("Motor 4321").wait_for()
    assert "9.50 mm/s" in first.inner_text()
    ann.find("where-clear").click()
    ann.find("twin-count").get_by_text(f"{COUNT} twins").wait_for()


def test_a_filter_typed_in_fahrenheit_finds_what_it_finds_in_celsius(
    plant: Running, visit: Visit
) -> None:
    for number, temperature in enumerate((70.0, 80.0, 90.0, 100.0), start=5001):
        send(plant, f"m-{number}", temperature=temperature)
    ann = visit(plant, size=(1440, 900)).log_in("viewer", at="/app/twins")
    ann.find("twin-row").first.wait_for()
    ann.find("where-path").fill("temperature")
    ann.find("where-unit").get_by_text("°C").wait_for()
    ann.find("where-value").fill("80")
    ann.find("where-value").press("Enter")
    ann.find("twin-count").get_by_text("2 twins").wait_for()
    ann.find("twin-row", twin_id="m-5003").filter(has_text="90").wait_for()
    in_celsius, address = names(ann), ann.page.url
    ann.find("where-clear").click()
    ann.find("twin-count").get_by_text(f"{COUNT} twins").wait_for()
    ann.find("settings-button").click()
    ann.find("units").select_option("us")
    ann.page.keyboard.press("Escape")
    ann.find("where-path").fill("temperature")
    ann.find("where-unit").get_by_text("°F").wait_for()
    ann.find("where-value").fill("176")
    ann.find("where-value").press("Enter")
    ann.find("twin-count").get_by_text("2 twins").wait_for()
    ann.find("twin-row", twin_id="m-5003").filter(has_text="194").wait_for()
    assert names(ann) == in_celsius == ["Motor 5003", "Motor 5004"]
    assert ann.page.url == address, "the address stays in the model's unit"
    ann.page.reload()
    ann.find("twin-row", twin_id="m-5004").filter(has_text="212").wait_for()
    ann.until("document.querySelector('[data-testid=where-value]').value === '176'")


def test_the_tree_opens_level_by_level_and_shows_where_a_twin_is(
    plant: Running, visit: Visit
) -> None:
    ann = visit(plant, size=(1440, 900)).log_in("viewer", at="/app/twins")
    tree = ann.page.locator("[role=tree]")
    top = tree.locator("[role=treeitem]")
    top.first.wait_for()
    assert top.count() == 1
    assert top.first.locator("[role=img]").get_attribute("aria-label") == "Priority 1, critical"
    top.first.focus()
    ann.page.keyboard.press("ArrowRight")
    ann.page.locator("#tree-line-2").wait_for()
    ann.page.keyboard.press("ArrowRight")
    ann.until("document.activeElement.id === 'tree-line-1'")
    ann.page.keyboard.press("End")
    ann.until("document.activeElement.id === 'tree-line-60'")
    ann.page.keyboard.press("ArrowLeft")
    ann.until("document.activeElement.id === 'tree-site'")
    ann.move("/app/twins/m-4321")
    line = ann.page.locator("#tree-m-4321[aria-selected=true]")
    line.wait_for()
    ann.until(
        "(() => { const a = document.getElementById('tree-m-4321')?.getBoundingClientRect();"
        " const b = document.querySelector('.tree-box').getBoundingClientRect();"
        " return a && a.top >= b.top - 1 && a.bottom <= b.bottom + 1; })()"
    )
    assert line.get_attribute("aria-level") == "3"
    assert line.get_attribute("aria-setsize") == str(EACH)


def test_the_outline_of_a_plant_too_large_to_know_opens_branch_by_branch(
    plant: Running, visit: Visit
) -> None:
    ann = visit(plant).log_in("viewer", at="/app/plant")
    ann.find("no-scene").get_by_role("link", name="Place").wait_for()
    outline = ann.find("outline")
    site = outline.locator("[data-tree-id=site]")
    site.focus()
    ann.page.keyboard.press("ArrowRight")
    outline.locator("[data-tree-id=line-1]").focus()
    ann.page.keyboard.press("ArrowRight")
    outline.locator("[data-tree-id=m-1]").click()
    ann.find("selected-twin", twin_id="m-1").wait_for()
    assert "/app/plant?twin=m-1" in ann.page.url


def test_the_graph_grows_from_a_twin_and_nothing_that_stands_moves(
    plant: Running, visit: Visit
) -> None:
    ann = visit(plant, size=(1440, 900)).log_in("viewer", at="/app/twins/line-7?tab=relations")
    ann.find("as-graph").click()
    ann.find("graph-box", nodes="150").wait_for()  # of 160 within two hops
    ann.until("Number(document.querySelector('.graph-box').dataset.labels) > 20")
    ann.find("graph-node", twin_id="site").click()
    chosen = ann.find("graph-chosen", twin_id="site")
    with ann.page.expect_response("**/graph") as first:
        ann.find("graph-expand").click()
    sent = first.value.request.post_data_json["standing"]
    answer = {one["id"]: [one["x"], one["y"]] for one in first.value.json()["nodes"]}
    assert {twin: answer[twin] for twin in sent} == sent
    assert "line-60" in answer
    assert len(sent) == 150
    ann.find("graph-node", twin_id="m-601").click()
    ann.find("graph-to").fill("m-1")
    ann.find("graph-to").press("Enter")
    ann.find("graph-path").get_by_text("Way of 4 relationships").wait_for()
    assert ann.find("graph-path").locator("li").all_inner_texts() == [
        *("m-601", "line-7", "site", "line-1", "m-1")
    ]
    assert chosen.count() == 0
    canvases = ann.page.locator(".graph-box canvas")
    assert canvases.count() > 0
    ann.find("view-table").click()
    ann.find("twin-row").first.wait_for()
    assert canvases.count() == 0
