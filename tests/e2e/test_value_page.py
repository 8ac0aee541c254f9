"""The page Value and fidelity: inputs inline, formulas, the record, CSV; clean for axe."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from e2e.browsing import PHONE, SIDEWAYS
from e2e.conftest import Visit
from e2e.plants import MOTOR, running_plant, send
from e2e.test_accessibility import AXE, RUN, STILL, TAGS
from running import Running

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("value") / "data") as running:
        running_plant(running, 1)
        send(running, "motor-1", temperature=40.0)
        yield running


def test_an_input_changes_the_figures_and_each_opens_to_its_formula(
    plant: Running, visit: Visit
) -> None:
    ann = visit(plant, size=(1440, 900)).log_in("engineer", "ann", at="/app/twins")
    ann.page.keyboard.press("g")
    ann.page.keyboard.press("v")
    ann.find("case-energy").click()
    ann.find("value-saving").get_by_text("360 000 USD").wait_for()
    assert ann.find("value-paybackNet").get_by_text("5.8 months").count() == 1
    ann.page.fill("#value-cut-value", "6")
    ann.find("value-saving").get_by_text("180 000 USD").wait_for()
    ann.until("decodeURIComponent(location.search).includes('cut:value:0.06')")
    ann.find("value-saving").click()  # what stands large opens to its formula
    assert ann.find("figure-saving").get_by_text("saving = bill * cut").is_visible()
    assert ann.find("figure-saving").get_by_text("cut = 0.06 (entered)").is_visible()
    with ann.page.expect_download() as download:
        ann.find("value-csv").click()
    saved = Path(download.value.path()).read_text("utf-8")
    assert "Saved a year,180000" in saved
    ann.allowed = "400"
    ann.page.fill("#value-cut-value", "600")
    ann.find("value-problem").get_by_text("a number from 0 to 1").wait_for()


def test_prices_turn_the_record_into_money(plant: Running, visit: Visit) -> None:
    ann = visit(plant).log_in("engineer", "ann", at="/app/value?show=measured")
    ann.find("value-total").get_by_text("Enter prices").wait_for()
    for name, text in (("failed", "50000"), ("planned", "5000"), ("currency", "EUR")):
        ann.page.fill(f"#price-{name}", text)
    ann.find("prices-save").click()
    ann.find("value-total").get_by_text("0 EUR").wait_for()
    ann.find("item-total").locator("summary").click()
    ann.find("item-total").get_by_text("total = ahead + false + commands").wait_for()
    ann.move("/app/value")
    ann.find("value-saving").locator("strong").get_by_text("EUR").wait_for()
    ann.move("/app/value?show=measured")
    ann.allowed = "400"
    ann.page.fill("#price-currency", "euro")
    ann.find("prices-save").click()
    ann.page.get_by_text("three capital letters of ISO 4217").wait_for()
    assert plant.call("GET", "/value/prices")["failed"] == 50_000


@pytest.fixture(scope="module")
def watched(plant: Running) -> Running:
    """A service with an hour of normal behaviour to learn from, ending now."""
    plant.call("PUT", "/services/odd", {"kind": "anomaly", "model": MOTOR, "title": "Odd motors"})
    now = time.time_ns() // 1_000_000
    random = np.random.default_rng(1).normal(size=(200, 2))
    for begin in range(0, 200, 50):
        rows = [
            {"time": now - (200 - i) * 1_000, "vibration": 2 + v, "temperature": 40 + t}
            for i, (v, t) in enumerate(random[begin : begin + 50].tolist(), begin)
        ]
        plant.call("POST", "/ingest/motor-1", rows)
    return plant


def test_a_service_learns_again_and_goes_back_to_what_it_knew(
    watched: Running, visit: Visit
) -> None:
    ann = visit(watched).log_in("engineer", "ann", at="/app/value?show=services")
    ann.find("service").get_by_text("Odd motors").wait_for()
    for version in (1, 2):
        ann.find("start-learn").click()
        row = f"[data-testid=service-version][data-version='{version}']"
        ann.page.wait_for_selector(f"{row} [data-testid=version-in-use]", timeout=60_000)
    assert ann.page.locator("[data-testid=service-run][data-state=succeeded]").count() == 2
    ann.page.locator("[data-version='1'] [data-testid=use-version]").click()
    ann.find("use-dialog").get_by_text("Version 2 stays kept").wait_for()
    assert watched.call("GET", "/services/odd/status")["version"] == 2, "not before it is confirmed"
    ann.find("use-confirm").click()
    ann.page.wait_for_selector("[data-version='1'] [data-testid=version-in-use]")
    assert watched.call("GET", "/services/odd/status")["version"] == 1


def test_advice_is_asked_for_and_read_as_a_table(watched: Running, visit: Visit) -> None:
    ann = visit(watched).log_in("engineer", "ann", at="/app/value?show=services")
    ann.find("free-runs").get_by_text("None was started").wait_for()
    ann.find("start-free").click()
    ann.page.select_option("#start-run", "fidelity advise")
    ann.page.fill("#start-lead", "21")
    ann.find("start-confirm").click()
    row = ann.find("free-runs").locator("[data-run=advise][data-state=succeeded]")
    row.locator("[data-testid=show-result]").click(timeout=60_000)
    told = ann.find("run-result", run="advise")
    told.get_by_text("Chosen:").wait_for()
    names = told.locator("[data-testid=told-row] th").all_inner_texts()
    assert names == ["age", "level", "trend", "growth"]
    assert told.locator("[data-label=Chosen]", has_text="chosen").count() == 1
    [run] = watched.call("GET", "/runs", kind="fidelity")["value"]
    assert run["parameters"]["lead"] == 21


def test_a_run_that_cannot_be_done_says_why_on_the_page(watched: Running, visit: Visit) -> None:
    asked = {"service": "odd", "run": "learn", "parameters": {"span": 10}}
    watched.call("POST", "/runs", asked)
    bob = visit(watched).log_in("viewer", "bob", at="/app/value?show=services")
    failed = bob.page.locator("[data-testid=service-run][data-state=failed]")
    failed.get_by_text("no signal has 100 readings").wait_for(timeout=60_000)
    start = bob.find("start-learn")
    assert start.get_attribute("aria-disabled") == "true"  # a viewer may look
    assert "may not" in (start.get_attribute("title") or "")


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("size", [(1440, 900), PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing_and_nothing_sticks_out(
    watched: Running, visit: Visit, theme: str, size: tuple[int, int]
) -> None:
    ann = visit(watched, size=size, color_scheme=theme).log_in(at="/app/value")
    for show, content in (
        ("calculated", ".value-chart"),
        ("measured", "[data-testid=item-ahead]"),
        ("fidelity", ".notice"),
        ("services", "[data-testid=service]"),
    ):
        ann.move(f"/app/value?show={show}")
        ann.page.wait_for_selector(content)
        ann.until(STILL)
        ann.page.evaluate(AXE.read_text("utf-8"))
        assert ann.page.evaluate(RUN, TAGS)["violations"] == [], show
        assert ann.page.evaluate(SIDEWAYS) == [], show
