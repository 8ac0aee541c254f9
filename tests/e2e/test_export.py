"""A twin is taken away in another form from its page, which says what that loses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.conftest import Visit
from e2e.plants import running_plant
from running import Running

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("export") / "data") as running:
        running_plant(running, 2)
        yield running


def test_a_twin_is_saved_in_another_form_and_its_losses_are_told(
    plant: Running, visit: Visit, tmp_path: Path
) -> None:
    page = visit(plant).log_in("viewer", "vera", at="/app/twins/motor-1").page
    page.get_by_test_id("export-button").click()
    with page.expect_download() as saved:
        page.get_by_test_id("export-ngsi-ld").click()
    saved.value.save_as(tmp_path / "twin.jsonld")
    entities = json.loads((tmp_path / "twin.jsonld").read_text("utf-8"))
    assert entities[0]["id"].endswith(":motor-1")
    report = page.get_by_test_id("export-report")
    report.get_by_text("are no part of entities").wait_for()
    page.keyboard.press("Escape")
    page.get_by_test_id("export-dialog").wait_for(state="detached")
