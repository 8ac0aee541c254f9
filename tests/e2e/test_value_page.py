"""The page Value and fidelity: inputs inline, formulas, the record, CSV; clean for axe."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.browsing import PHONE, SIDEWAYS
from e2e.conftest import Visit
from e2e.plants import running_plant, send
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
    ann.find("value-saving").get_by_text("360 k").wait_for()
    assert ann.find("value-paybackNet").get_by_text("5.8 months").count() == 1
    ann.page.fill("#value-cut-value", "6")
    ann.find("value-saving").get_by_text("180 k").wait_for()
    ann.until("decodeURIComponent(location.search).includes('cut:value:0.06')")
    ann.find("figure-saving").locator("summary").click()
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
    assert plant.call("GET", "/value/prices")["failed"] == 50_000


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("size", [(1440, 900), PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing_and_nothing_sticks_out(
    plant: Running, visit: Visit, theme: str, size: tuple[int, int]
) -> None:
    ann = visit(plant, size=size, color_scheme=theme).log_in(at="/app/value")
    for show, content in (
        ("calculated", ".value-chart"),
        ("measured", "[data-testid=item-ahead]"),
        ("fidelity", ".notice"),
    ):
        ann.move(f"/app/value?show={show}")
        ann.page.wait_for_selector(content)
        ann.until(STILL)
        ann.page.evaluate(AXE.read_text("utf-8"))
        assert ann.page.evaluate(RUN, TAGS)["violations"] == [], show
        assert ann.page.evaluate(SIDEWAYS) == [], show
