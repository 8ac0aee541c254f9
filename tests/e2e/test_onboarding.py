"""From an empty installation to a watched twin, by what the page says alone, with a real client."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from e2e.browsing import PHONE, eventually
from e2e.conftest import Visit
from e2e.test_accessibility import AXE, problems
from running import Running

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("onboarding") / "data") as running:
        yield running


@pytest.mark.peer
@pytest.mark.skipif(shutil.which("mosquitto_pub") is None, reason="mosquitto-clients is missing")
def test_the_first_twin_needs_no_manual(empty: Running, visit: Visit) -> None:
    visitor = visit(empty, size=PHONE, bypass_csp=True)
    visitor.context.add_init_script(path=AXE)
    visitor.log_in(at="/app/overview")
    found = problems(visitor, "connect")
    visitor.page.get_by_label("Name of the device").fill("pump-7")
    visitor.find("setup-token").click()
    command = visitor.find("setup-mqtt").inner_text().strip()
    web = visitor.find("setup-http").inner_text().strip()
    assert (str(empty.mqtt_port) in command, empty.url in web) == (True, True)
    found += problems(visitor, "connect with a token")
    done = subprocess.run(shlex.split(command), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    card = visitor.find("discovered-row", device_id="pump-7")
    card.get_by_text("temperature double").wait_for()
    found += problems(visitor, "adopt")
    visitor.find("adopt").click()
    visitor.find("setup-place").wait_for()
    assert visitor.find("setup-kind").input_value() == "pump"
    found += problems(visitor, "place")
    visitor.find("setup-place").click()
    visitor.find("setup-rule").wait_for()
    assert visitor.page.get_by_label("Limit").input_value() == "29"
    found += problems(visitor, "watch")
    visitor.find("setup-rule").click()
    visitor.find("setup-live").get_by_text("21.5").wait_for()
    found += problems(visitor, "live")
    assert visitor.sideways() == []
    assert not found, "\n".join(found)
    [twin] = empty.call("GET", "/twins")["value"]
    assert twin["id"] == "pump-7"
    assert twin["status"] in ("live", "stale")  # it was sent to once, a while ago
    [thing] = empty.call("GET", "/scene")["objects"]
    assert (thing["twin"], thing["kind"], thing["at"]) == ("pump-7", "pump", [0, 0, 0])
    [rule] = empty.call("GET", "/rules")["value"]
    assert rule["isRunning"]
    hot = command.replace("21.5", "35")
    subprocess.run(shlex.split(hot), check=True, timeout=120)
    eventually(lambda: empty.call("GET", "/alarms")["value"], "an alarm of the first rule")
    subprocess.run(shlex.split(web.replace("21.5", "22")), check=True, timeout=120)
    eventually(
        lambda: (
            empty.call("GET", "/history/last", twin="pump-7", property="temperature")["value"][0][
                "value"
            ]
            == 22
        ),
        "what was sent by HTTP",
    )
    visitor.page.get_by_role("link", name="Open the twin").click()
    visitor.find("faceplate", twin_id="pump-7").wait_for()
    visitor.page.set_viewport_size({"width": 1280, "height": 800})
    visitor.move("/app/overview")  # with no key figures the plant keeps its row
    visitor.page.wait_for_selector("[data-testid=overview-chart][data-chart-state=ready] canvas")
    box = visitor.page.locator("[data-testid=plant] canvas").bounding_box()
    assert box
    assert box["height"] > 200
