"""The page on a phone: installed, without a network, and what is written down there."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.browsing import PHONE, Visitor, eventually
from e2e.conftest import Visit
from e2e.plants import motors, send, set_up
from e2e.test_accessibility import AXE, problems
from running import Running

pytestmark = pytest.mark.browser

PICTURE = Path(__file__).parents[2] / "ui" / "public" / "icon-512.png"
GONE = (
    r"ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|WebSocket connection to|Failed to fetch|ERR_FAILED"
)
FACEPLATE = "/app/twins/motor-1?tab=maintenance"


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("field") / "data") as running:
        set_up(running, motors(3))
        send(running, "motor-1", vibration=1.5, temperature=40.0)
        yield running


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Running]:
    """On a port that stays, so that it can go and come back."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with Running(tmp_path / "data", "--http", f"127.0.0.1:{port}") as running:
        set_up(running, motors(3))
        send(running, "motor-1", vibration=1.5, temperature=40.0)
        yield running


def on_a_phone(visit: Visit, plant: Running, **more: object) -> Visitor:
    visitor = visit(plant, size=PHONE, has_touch=True, is_mobile=True, **more)
    visitor.log_in(at=FACEPLATE)
    visitor.until("navigator.serviceWorker.controller !== null")
    return visitor


def write_note(visitor: Visitor, text: str) -> None:
    visitor.find("note-button").click()
    visitor.find("note-text").fill(text)
    visitor.find("note-send").click()


def test_a_twin_is_there_without_the_server_and_notes_wait_for_it(
    plant: Running, visit: Visit
) -> None:
    body = {"twin": "motor-1", "title": "Grease it", "checklist": ["lock it out", "grease"]}
    order = plant.call("POST", "/work-orders", body)["id"]
    visitor = on_a_phone(visit, plant)
    visitor.allowed = GONE
    visitor.find("work-order").wait_for()
    visitor.find("keep-button").click()
    visitor.page.get_by_text("is kept on this device").wait_for()
    assert plant.stop() == 0
    visitor.page.reload()
    visitor.ready()
    visitor.find("offline-strip").get_by_text("showing saved data").wait_for()
    visitor.page.get_by_text("Grease it").wait_for()
    visitor.find("check").first.check()
    write_note(visitor, "smells hot")
    visitor.find("offline-strip").get_by_text("2 waiting to be sent").wait_for()
    assert visitor.find("waiting").count() == 2
    blocked = visitor.find("work-start")
    assert "Offline" in str(blocked.get_attribute("title"))  # what moves work on is not queued
    visitor.find("tab-state").click()
    visitor.page.locator("[data-path=temperature]").get_by_text("40", exact=True).wait_for()
    visitor.page.goto(f"{plant.url}/t/motor-1")  # the code on the machine
    visitor.find("faceplate", twin_id="motor-1").wait_for()
    plant.start()
    retry = visitor.page.get_by_role("button", name="Retry now")
    retry.evaluate_all("(found) => found[0]?.click()")  # it may have tried again by itself
    [note] = eventually(lambda: plant.call("GET", "/attachments")["value"], "the note")
    assert (note["twin"], note["text"], note["type"]) == ("motor-1", "smells hot", "text/plain")
    eventually(
        lambda: plant.call("GET", f"/work-orders/{order}")["checklist"][0]["done"], "the tick"
    )
    visitor.until("document.querySelector('[data-testid=offline-strip]') === null")
    visitor.move(FACEPLATE)
    visitor.find("attachment").get_by_text("smells hot").wait_for()
    assert visitor.find("waiting-list").count() == 0
    assert len(plant.call("GET", "/attachments")["value"]) == 1


def test_what_was_kept_is_gone_when_its_reader_leaves(steady: Running, visit: Visit) -> None:
    visitor = on_a_phone(visit, steady)
    visitor.find("keep-button").click()
    visitor.page.get_by_text("is kept on this device").wait_for()
    assert visitor.page.evaluate(KEPT) > 0
    visitor.open_palette()
    visitor.page.keyboard.type("sign out")
    visitor.page.keyboard.press("Enter")
    visitor.find("login").wait_for()
    eventually(lambda: visitor.page.evaluate(KEPT) == 0, "an empty store")


KEPT = """() => new Promise((resolve) => {
  const open = indexedDB.open("gemel");
  open.onsuccess = () => {
    const ask = open.result.transaction("answers").objectStore("answers").count();
    ask.onsuccess = () => (open.result.close(), resolve(ask.result));
  };
})"""


def test_photos_and_notes_are_added_and_the_code_can_be_read(
    steady: Running, visit: Visit, tmp_path: Path
) -> None:
    visitor = on_a_phone(visit, steady, color_scheme="dark", bypass_csp=True)
    visitor.context.add_init_script(path=AXE)
    visitor.open(FACEPLATE)
    visitor.find("photo-input").set_input_files(PICTURE)
    visitor.find("attachment", type="image/jpeg").wait_for()
    write_note(visitor, "new bearing fitted")
    visitor.find("attachment", type="text/plain").wait_for()
    found = problems(visitor, "maintenance")
    visitor.page.emulate_media(color_scheme="light")
    found += problems(visitor, "maintenance, light")
    assert visitor.sideways() == []
    photo = next(
        one for one in steady.call("GET", "/attachments")["value"] if one["type"] == "image/jpeg"
    )
    with steady.http() as client:
        answer = client.get(f"/attachments/{photo['id']}")
    assert (answer.headers["content-type"], answer.content[:3]) == ("image/jpeg", b"\xff\xd8\xff")
    visitor.find("qr-button").click()
    address = visitor.find("qr-address").inner_text()
    assert address == f"{steady.url}/t/motor-1"
    found += problems(visitor, "code")
    assert not found, "\n".join(found)
    if shutil.which("zbarimg") is None:
        pytest.skip("zbar-tools are not installed: the code is not read by another program")
    picture = tmp_path / "code.png"
    visitor.page.locator(".qr svg").screenshot(path=picture)
    read = subprocess.run(
        ["zbarimg", "-q", "--raw", str(picture)], capture_output=True, text=True, timeout=120
    )
    assert read.stdout.strip() == address


def test_the_page_can_be_installed(steady: Running, visit: Visit) -> None:
    visitor = on_a_phone(visit, steady)
    cdp = visitor.context.new_cdp_session(visitor.page)
    found = cdp.send("Page.getInstallabilityErrors")["installabilityErrors"]
    assert {one["errorId"] for one in found} <= {"in-incognito"}
    manifest = cdp.send("Page.getAppManifest")
    assert manifest["errors"] == []
    assert manifest["url"] == f"{steady.url}/app/manifest.webmanifest"
