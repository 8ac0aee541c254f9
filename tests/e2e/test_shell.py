"""What stands around every page: the list of pages, wide and on a phone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from connect.modbus_peer import ModbusPeer
from connect.opcua_peer import Peer
from e2e.browsing import PHONE
from e2e.conftest import Visit
from e2e.plants import motors, send, set_up
from running import Running

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("shell") / "data") as running:
        set_up(running, motors(3))
        yield running


def test_a_phone_shows_five_and_the_rest_under_more(plant: Running, visit: Visit) -> None:
    wide = visit(plant, size=(1440, 900)).log_in(at="/app/alarms")
    pages = [one.get_attribute("data-testid") for one in wide.page.locator(".nav a").all()]
    assert pages[:3] == ["nav-overview", "nav-plant", "nav-twins"]
    assert all(one.is_visible() for one in wide.page.locator(".nav a").all())
    assert not wide.find("nav-more").is_visible()
    phone = visit(plant, size=PHONE, has_touch=True, is_mobile=True).log_in(at="/app/alarms")
    bar = phone.page.locator(".nav > a:visible, .nav > button:visible")
    assert bar.count() == 5
    assert all(box["height"] >= 44 for one in bar.all() if (box := one.bounding_box()))
    more = phone.find("nav-more")
    assert more.get_attribute("aria-expanded") == "false"
    more.focus()
    phone.page.keyboard.press("Enter")
    sheet = phone.find("more")
    sheet.wait_for()
    phone.until("document.activeElement.dataset.testid === 'more-plant'")
    behind = [f"nav-{one.removeprefix('more-')}" for one in phone.page.evaluate(INSIDE)]
    shown = [one.get_attribute("data-testid") for one in bar.all()]
    assert sorted([*behind, *(one for one in shown if one != "nav-more")]) == sorted(pages)
    phone.page.keyboard.press("Escape")
    sheet.wait_for(state="detached")
    phone.until("document.activeElement.dataset.testid === 'nav-more'")
    more.click()
    phone.find("more-value").click()
    sheet.wait_for(state="detached")
    phone.page.get_by_role("heading", level=1, name="Value and fidelity").wait_for()
    phone.page.locator(".more-button.here").wait_for()


INSIDE = "() => [...document.querySelectorAll('.more-pages a')].map((a) => a.dataset.testid)"


def test_settings_are_a_sheet_over_the_page_and_part_of_the_address(
    plant: Running, visit: Visit
) -> None:
    visitor = visit(plant, size=(1440, 900), timezone_id="Europe/Berlin").log_in(at="/app/alarms")
    visitor.find("settings-button").click()
    visitor.find("settings").wait_for()
    assert "settings=look" in visitor.page.url
    here = visitor.find("zone-now").inner_text()
    visitor.find("zone").select_option("Asia/Tehran")
    visitor.find("zone-now").filter(has_text="UTC+3:30").wait_for()
    assert "UTC+3:30" not in here
    assert "UTC+3:30" in visitor.find("server-clock").inner_text()
    before = visitor.page.evaluate(P1)
    visitor.page.get_by_label("For eyes that tell few hues apart").check()
    visitor.until(f"(before) => ({P1})() !== before", before)
    visitor.find("settings-keys").click()
    visitor.find("key-a").fill("j")
    visitor.page.get_by_text("j is taken").wait_for()
    visitor.find("key-j").fill("z")
    assert visitor.find("key-j").input_value() == "z"
    visitor.page.keyboard.press("Escape")
    visitor.find("settings").wait_for(state="detached")
    assert "settings" not in visitor.page.url
    visitor.page.keyboard.press("?")
    visitor.find("shortcuts").locator("kbd", has_text="z").first.wait_for()
    visitor.page.keyboard.press("Escape")
    visitor.open("/app/alarms?settings=installation")  # what was chosen outlives the page
    visitor.find("installation").filter(has_text=plant.url).wait_for()
    assert visitor.page.evaluate("document.documentElement.dataset.colours") == "safe"


def test_shifts_are_set_up_and_stand_in_the_status_line(plant: Running, visit: Visit) -> None:
    visitor = visit(plant).log_in("engineer", at="/app/alarms?settings=shifts")
    visitor.find("shift-add").click()
    visitor.find("shift-name").fill("Round")
    visitor.find("shift-start").fill("05:30")
    visitor.find("shift-zone").select_option("Asia/Tokyo")
    visitor.find("shifts-save").click()
    visitor.find("shift").filter(has_text="Shift Round").wait_for()
    visitor.page.keyboard.press("Escape")
    visitor.find("settings").wait_for(state="detached")
    visitor.find("shift").click()
    handover = visitor.find("alarm-handover")
    handover.get_by_role("button", name="This shift", pressed=True).wait_for()
    handover.get_by_role("button", name="Last shift").click()
    handover.get_by_role("button", name="Last shift", pressed=True).wait_for()
    kept = plant.call("GET", "/alarms/philosophy")
    assert kept["shifts"] == [{"name": "Round", "start": "05:30"}]
    plant.call("PUT", "/alarms/philosophy", {})


P1 = "() => getComputedStyle(document.documentElement).getPropertyValue('--p1')"


def test_a_token_and_a_connector_are_made_and_ended_on_the_page(
    plant: Running, visit: Visit
) -> None:
    visitor = visit(plant).log_in(at="/app/alarms?settings=people")
    visitor.page.get_by_label("For whom").fill("ann")
    visitor.find("token-make").click()
    secret = visitor.find("token-secret").inner_text().strip()
    with plant.http(secret) as client:
        assert client.get("/me").json()["name"] == "ann"
    visitor.find("token", name="ann").get_by_role("button").click()
    visitor.find("token", name="ann").get_by_role("button", name="Really").click()
    visitor.find("token", name="ann").wait_for(state="detached")
    with plant.http(secret) as client:
        assert client.get("/me").status_code == 401
    visitor.find("settings-connectors").click()
    visitor.find("connector-new").click()
    visitor.page.get_by_label("Name").fill("mill")
    visitor.page.get_by_label("Broker").fill("127.0.0.1:1")
    visitor.find("connector-save").click()
    visitor.find("connector", name="mill", state="failing").wait_for()
    assert plant.call("GET", "/connections")["value"][0]["broker"] == "127.0.0.1:1"
    visitor.find("connector-end").click()
    visitor.find("connector-end").click()
    visitor.page.get_by_text("There are no connectors.").wait_for()
    other = visit(plant).log_in("viewer", at="/app/alarms?settings=people")
    other.page.get_by_text("Only an admin sees").wait_for()


def test_an_export_is_made_changed_and_ended_on_the_page(plant: Running, visit: Visit) -> None:
    visitor = visit(plant).log_in(at="/app/alarms?settings=exports")
    visitor.page.get_by_text("There are no exports.").wait_for()
    visitor.find("export-new").click()
    visitor.page.get_by_label("Name").fill("lake")
    visitor.page.get_by_label("Where to").select_option("http")
    assert visitor.page.get_by_label("Bucket").count() == 0
    visitor.page.get_by_label("Address").fill("http://127.0.0.1:1/x")
    visitor.page.get_by_label("Properties").fill("nothing-like-it")
    visitor.page.get_by_label("Token").fill("abc")
    visitor.find("export-save").click()
    line = visitor.find("export", name="lake")
    line.get_by_text("Lines of JSON by HTTP at http://127.0.0.1:1/x").wait_for()
    line.get_by_role("button", name="Change").click()
    visitor.page.get_by_label("Properties").fill("*")
    visitor.find("export-save").click()
    visitor.find("export", name="lake", state="failing").get_by_text("cannot be reached").wait_for()
    [shown] = plant.call("GET", "/exports")["value"]
    assert (shown["properties"], shown["hasToken"]) == (["*"], True)
    visitor.find("export-end").click()
    visitor.find("export-end").click()
    visitor.page.get_by_text("There are no exports.").wait_for()


def test_a_connector_to_an_opcua_server_is_made_and_changed_on_the_page(
    plant: Running, visit: Visit, tmp_path: Path
) -> None:
    peer = Peer(tmp_path)
    peer.start()
    visitor = visit(plant).log_in(at="/app/alarms?settings=connectors")
    visitor.find("connector-new").click()
    visitor.page.get_by_label("Name").fill("press")
    visitor.page.get_by_label("What it is").select_option("opcua")
    assert visitor.page.get_by_label("Topics").count() == 0
    visitor.page.get_by_label("Server", exact=True).fill(peer.url)
    visitor.page.get_by_label("Nodes").fill("/Plant/Press\nns=2;s=Press.Nothing")
    visitor.page.get_by_label("Seconds between publications").fill("0.1")
    visitor.find("connector-save").click()
    line = visitor.find("connector", name="press", state="connected")
    line.get_by_text("OPC UA server at").wait_for()
    line.get_by_text("there is no node").wait_for()
    line.get_by_text("17 variables").wait_for()
    line.get_by_role("button", name="Change").click()
    assert visitor.page.get_by_label("Nodes").input_value() == "/Plant/Press\nns=2;s=Press.Nothing"
    visitor.page.get_by_label("Security").select_option("Basic256Sha256")
    assert visitor.page.get_by_label("SHA-256").input_value() == ""
    visitor.find("connector-save").click()
    visitor.find("connector", name="press", state="failing").wait_for()
    assert plant.call("GET", "/connections")["value"][0]["security"] == "Basic256Sha256"
    plant.call("DELETE", "/connections/press")
    peer.kill()


@pytest.mark.peer
def test_modbus_devices_are_added_and_changed_on_the_page(
    plant: Running, visit: Visit, tmp_path: Path
) -> None:
    peer = ModbusPeer(tmp_path)
    peer.start()
    visitor = visit(plant).log_in(at="/app/alarms?settings=connectors")
    visitor.find("connector-new").click()
    visitor.page.get_by_label("Name").fill("meter")
    visitor.page.get_by_label("What it is").select_option("modbus")
    assert visitor.page.get_by_label("Password").count() == 0
    visitor.page.get_by_label("Devices, as").fill(peer.address)
    visitor.page.get_by_label("Registers, one a line").fill("name\taddress\nlevel\t7")
    visitor.find("connector-save").click()
    visitor.page.get_by_text("does not say of which table").wait_for()
    visitor.allowed = "400"  # the map that is refused
    visitor.page.get_by_label("Registers, one a line").fill("name\taddress\nlevel\t40008\nb\t35001")
    visitor.find("connector-save").click()
    line = visitor.find("connector", name="meter", state="connected")
    line.get_by_text("Modbus devices at").wait_for()
    line.get_by_text("1 register in 2 requests").wait_for()
    line.get_by_text("unit 1, input 5000").wait_for()
    line.get_by_role("button", name="Change").click()
    map_ = visitor.page.get_by_label("Registers, one a line")
    assert map_.input_value() == "name;address\nlevel;40008\nb;35001"
    visitor.page.get_by_label("Devices, as").fill("/dev/null")
    visitor.page.get_by_label("Baud").fill("9600 8N1")
    visitor.find("connector-save").click()
    visitor.find("connector", name="meter", state="failing").wait_for()
    assert plant.call("GET", "/connections")["value"][0]["line"] == "9600 8N1"
    plant.call("DELETE", "/connections/meter")
    peer.kill()


def test_a_wall_goes_from_page_to_page_without_controls_and_without_growing(
    plant: Running, visit: Visit
) -> None:
    visitor = visit(plant, size=(1920, 1080))
    visitor.page.clock.install()
    visitor.log_in(at="/app/overview?kiosk=1&every=5&pages=overview,alarms")
    assert visitor.page.locator(".nav, .search-button, .timebar").filter(visible=True).count() == 0
    assert visitor.page.locator("main button").filter(visible=True).count() == 0
    size = visitor.page.evaluate(
        "() => document.querySelector('.status-bar span').getBoundingClientRect().height"
    )
    assert size > 16 * 1.2
    lengths, counts = [], []
    for _ in range(6):
        for title in ("Alarms", "Overview"):
            visitor.page.clock.run_for(5_000)
            visitor.until("(title) => document.title.startsWith(title)", title)
        lengths.append(visitor.page.evaluate("history.length"))
        visitor.page.locator(".overview").wait_for()
        visitor.until("document.querySelector('main .skeleton') === null")
        counts.append(visitor.page.evaluate("document.querySelectorAll('*').length"))
    assert "kiosk=1" in visitor.page.url
    assert len(set(lengths)) == 1
    assert max(counts[2:]) <= counts[1] * 1.05
    assert visitor.sideways() == []


@pytest.mark.parametrize("page", ["overview", "plant", "twins/motor-1", "alarms", "commands"])
def test_letters_of_twice_their_size_cut_nothing_off(
    plant: Running, visit: Visit, page: str
) -> None:
    """A window of 1440 by 900 at 200 % has the room of half of it."""
    visitor = visit(plant, size=(720, 450)).log_in(at=f"/app/{page}")
    visitor.page.locator("main h1").first.wait_for(state="attached")
    visitor.until("!document.querySelector('.skeleton')")
    assert visitor.sideways() == []
    nav = visitor.page.locator(".nav").bounding_box()
    bar = visitor.page.locator(".status-bar").bounding_box()
    assert nav
    assert bar
    assert nav["y"] + nav["height"] <= bar["y"] + 1
    assert (
        visitor.page.locator(".nav").evaluate("(one) => getComputedStyle(one).overflowY") == "auto"
    )


def test_values_are_read_in_the_units_that_are_chosen(plant: Running, visit: Visit) -> None:
    send(plant, "motor-2", temperature=90.0)
    visitor = visit(plant, size=(1440, 900)).log_in("viewer", at="/app/twins/motor-2?tab=state")
    row = visitor.find("property-row", path="temperature")
    row.filter(has_text=re.compile(r"90\s*°C")).wait_for()
    visitor.find("settings-button").click()
    visitor.find("units").select_option("us")
    visitor.page.keyboard.press("Escape")
    row.filter(has_text=re.compile(r"194\s*°F")).wait_for()
    row.filter(has_text="−40").filter(has_text="392").wait_for()
    visitor.open("/app/twins/motor-2?tab=trends&show=temperature")  # and outlives the page
    visitor.page.locator("[role=img][aria-label*='now 194 °F']").wait_for()
    visitor.open("/app/alarms")
    visitor.find("alarm-row").filter(has_text="194 °F").filter(has_text="limit 176").wait_for()
