"""Takes the pictures of the documentation: a demo of its own, a real browser, an active alarm.

    python docs/images/take.py

Needs playwright and /usr/bin/chromium; with Pillow installed the pictures get a palette, which
makes them about three times smaller.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

HERE = Path(__file__).parent
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]
WIDE = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
COLOURS = 256
FAULTS = {
    "motor-3": '{"fault": "bearing-wear", "ramp": 5}',
    "filter-1": '{"fault": "blocked-filter", "ramp": 5}',
}
ALARMS = 4
PAST = ["--past", "10800", "--lived", "540"]
"""As the demo: trends have something to show, services something to learn from."""
LEARNT = ("bearing-life", "figures-ahead", "vibration-ahead")


def gemel(data: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "gemel", *arguments, "--data", str(data)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def wait_for_alarms(data: Path) -> None:
    until = time.monotonic() + 180
    while gemel(data, "alarm", "list").count("unacknowledged") < ALARMS:
        assert time.monotonic() < until, "the faults raised no alarms"
        time.sleep(1)


def has_learnt(data: Path, service: str) -> bool:
    command = ["service", "status", service, "--json", "--data", str(data)]
    told = subprocess.run([sys.executable, "-m", "gemel", *command], capture_output=True)
    return told.returncode == 0 and bool(json.loads(told.stdout)["versions"])


def wait_for_services(data: Path) -> None:
    until = time.monotonic() + 180
    for service in LEARNT:
        while not has_learnt(data, service):
            assert time.monotonic() < until, f"{service} has learnt nothing"
            time.sleep(1)


def acknowledge_all(data: Path) -> None:
    """What went wrong before is seen to."""
    for alarm in json.loads(gemel(data, "alarm", "list", "--json"))["value"]:
        gemel(data, "alarm", "ack", alarm["id"])


def settle(page: Page) -> None:
    """Until fonts, values and the picture of the plant are there, and no skeleton is left."""
    page.wait_for_load_state("load")
    page.evaluate("document.fonts.ready")
    page.locator(".skeleton, [aria-busy=true]").first.wait_for(state="detached")
    page.wait_for_timeout(3_000)


def take(
    browser: Browser, link: str, name: str, path: str, keys: str = "", **context: object
) -> None:
    """One picture in a context of its own, logged in by a link, after some keys."""
    with browser.new_context(reduced_motion="reduce", **context) as own:  # type: ignore[arg-type]
        page = own.new_page()
        page.goto(link)
        settle(page)
        if path:
            page.goto(re.sub(r"/login.*", f"/app/{path}", link))
            settle(page)
        for key in keys.split():
            page.keyboard.press(key)
            settle(page)
        file = HERE / f"{name}.png"
        page.screenshot(path=str(file))
    shrink(file)
    sys.stdout.write(f"{file.name}: {file.stat().st_size // 1024} KiB\n")


def shrink(file: Path) -> None:
    try:
        from PIL import Image
    except ImportError:
        return
    with Image.open(file) as picture:
        few = picture.convert("RGB").quantize(
            COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
        )
    few.save(file, optimize=True)


@contextlib.contextmanager
def running(*arguments: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A command of Gemel that goes on until it is told to end."""
    command = [sys.executable, "-m", "gemel", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def start(server: subprocess.Popen[str]) -> str:
    """Waits until it listens; its MQTT address."""
    mqtt = ""
    assert server.stdout is not None
    for line in server.stdout:
        if line.startswith("MQTT at "):
            mqtt = line.split()[2]
        if line.startswith("Gemel is running"):
            return mqtt
    raise AssertionError("the server did not start")


def run_plant(data: Path, mqtt: str) -> contextlib.AbstractContextManager[subprocess.Popen[str]]:
    """The plant, with its past behind it."""
    token = gemel(data, "token", "create", "--role", "device", "--twin", "*").strip()
    plant = ["simulate", "--mqtt", mqtt, "--faults", "none", *PAST]
    return running(*plant, env={**os.environ, "GEMEL_TOKEN": token})


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        demo = ["demo", "--no-browser", "--no-plant", "--data", str(data)]
        with running(*demo, "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0") as server:
            mqtt = start(server)
            with run_plant(data, mqtt), sync_playwright() as play:
                wait_for_services(data)
                acknowledge_all(data)
                for twin, fault in FAULTS.items():
                    gemel(data, "command", "send", twin, "injectFault", fault, "--wait")
                wait_for_alarms(data)
                browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
                take_all(browser, data)
                browser.close()


def take_all(browser: Browser, data: Path) -> None:
    def link() -> str:
        return gemel(data, "link", "--name", "ann", "--role", "operator").strip()

    dark, light = {"color_scheme": "dark"}, {"color_scheme": "light"}
    take(browser, link(), "overview-dark", "", viewport=WIDE, **dark)
    take(browser, link(), "overview-light", "", viewport=WIDE, **light)
    take(browser, link(), "twin", "twins/pump-1", viewport=WIDE, **dark)
    take(browser, link(), "plant-3d", "plant", viewport=WIDE, **dark)
    take(browser, link(), "value", "value", viewport=WIDE, **light)
    gemel(data, "whatif", "run", "warmer-offices", "--wait")
    take(browser, link(), "what-if", "what-if/warmer-offices", viewport=WIDE, **dark)
    take(browser, link(), "alarms", "alarms", "j Enter", viewport=WIDE, **dark)
    take(browser, link(), "phone", "", viewport=PHONE, has_touch=True, is_mobile=True, **dark)


if __name__ == "__main__":
    main()
