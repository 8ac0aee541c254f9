"""`gemel serve` and `gemel demo`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import subprocess
import sys
import webbrowser
from pathlib import Path

from gemel.api.app import create_app
from gemel.app import config as settings
from gemel.app import plant_files, tokens
from gemel.app.folder import announced
from gemel.app.platform import Platform
from gemel.app.serve import Addresses, Server, run
from gemel.app.values import ONLY_MEASURED, shown_series
from gemel.cli.client import documents_of
from gemel.core.clock import system_clock
from gemel.core.errors import Unavailable

DEMO_DATA = "./gemel-data/demo"
DEMO_TOKEN_SECONDS = 30 * 86_400
DEMO_PAST_SECONDS = 10_800
"""A new demo plant has run for three hours, so that its trends begin full and there is something to
learn from."""
DEMO_LIVED_DAYS = 540
"""Its bearings have worn out and were renewed for so long: that teaches how long they last."""
LOOK_SECONDS = 0.5
FLAGS = (
    "data", "http", "mqtt", "mqtt_tls", "coap", "ingest_processes", "tls", "certificate", "key",
)  # fmt: skip
"""Settings that are options, too."""


def add_serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, help="settings file (default: ./gemel.toml)")
    parser.add_argument("--data", help="folder that holds all state (default: ./gemel-data)")
    parser.add_argument("--http", metavar="HOST:PORT", help="page and API (127.0.0.1:8080)")
    parser.add_argument("--mqtt", metavar="HOST:PORT", help="MQTT server (127.0.0.1:1883)")
    parser.add_argument("--mqtt-tls", metavar="HOST:PORT", help="a second MQTT listener, with TLS")
    parser.add_argument("--coap", metavar="HOST:PORT", help="CoAP server, over UDP (none)")
    parser.add_argument(
        "--ingest-processes",
        type=int,
        metavar="N",
        help="processes that hold the MQTT clients' sockets (0: the server itself)",
    )
    parser.add_argument(
        "--tls",
        action="store_true",
        default=None,
        help="HTTPS, with an own certificate authority unless --certificate is given",
    )
    parser.add_argument("--certificate", metavar="FILE", help="PEM certificate chain")
    parser.add_argument("--key", metavar="FILE", help="PEM private key")
    parser.add_argument("--verbose", action="store_true", help="log more to standard error")


def _config(arguments: argparse.Namespace, **over: object) -> settings.Config:
    flags = {name: getattr(arguments, name, None) for name in FLAGS}
    for name, value in over.items():
        if flags.get(name) is None and f"GEMEL_{name.upper()}" not in os.environ:
            flags[name] = value
    return settings.load(arguments.config, os.environ, flags)


def _log(arguments: argparse.Namespace) -> None:
    logging.basicConfig(
        level=logging.DEBUG if arguments.verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _link(server: Server, found: Addresses) -> str:
    new = tokens.create(
        server.platform.documents,
        server.platform.clock(),
        role="admin",
        name="admin",
        who="gemel",
        seconds=tokens.LINK_SECONDS,
        use="link",
    )
    return f"{found.http}/login?ticket={new.secret}"


def _details(found: Addresses) -> None:
    for note in found.notes:
        _say(note)
    _say(f"MQTT at {found.mqtt}" + (f", with TLS at {found.mqtt_tls}" if found.mqtt_tls else ""))
    if found.coap:
        _say(f"CoAP at {found.coap}")
    if found.authority:
        _say(f"Trust the certificate authority {found.authority} (docs/how-to/tls.md)")


def serve(arguments: argparse.Namespace) -> int:
    _log(arguments)
    config = _config(arguments)

    def ready(server: Server, found: Addresses) -> None:
        _details(found)
        _say(f"Log in once with {_link(server, found)}")
        _say(f"Gemel is running at {found.http}/")

    run(config, create_app, ready)
    return 0


def add_demo(parser: argparse.ArgumentParser) -> None:
    add_serve(parser)
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser")
    parser.add_argument("--no-plant", action="store_true", help="do not start the simulated plant")
    parser.add_argument("--faults", default="demo", help="time line of faults: demo or none")
    parser.add_argument("--seed", type=int, default=1, help="of the simulated plant")


def demo(arguments: argparse.Namespace) -> int:
    """The living plant: a server on the demo's folder and a simulator as separate processes."""
    _log(arguments)
    config = _config(arguments, data=DEMO_DATA)
    children: list[subprocess.Popen[bytes]] = []
    waiting: list[asyncio.Task[None]] = []
    log = logging.getLogger("gemel.demo")

    def tell(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            log.error("the demo's services are not set up: %s", task.exception())

    async def ready(server: Server, found: Addresses) -> None:
        platform = server.platform
        is_new = "plant" not in platform.catalogue.plain["scene"]
        if is_new:
            _say("Setting up the demo plant")
            await plant_files.import_plant(platform, plant_files.demo_plant(), "demo")
        if not arguments.no_plant:
            new = tokens.create(
                platform.documents,
                platform.clock(),
                role="device",
                name="simulated plant",
                who="demo",
                twins=("*",),
                seconds=DEMO_TOKEN_SECONDS,
                use="token",
            )
            children.append(_start_plant(arguments, found, new.secret, is_new))
        waiting.append(asyncio.create_task(_bring_services(platform)))
        waiting[-1].add_done_callback(tell)
        _details(found)
        link = _link(server, found)
        _say(f"Gemel is running at {link}")
        if not arguments.no_browser and _has_screen():
            await asyncio.get_running_loop().run_in_executor(None, webbrowser.open, link)

    try:
        run(config, create_app, ready, find_free=True)
    finally:
        for child in children:
            child.terminate()
        for child in children:
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
    return 0


async def _bring_services(platform: Platform) -> None:
    """Sets the services up that learn from history, once the plant's past is there.

    A device tells its past before its present: what it read after now shows that all has come.
    """
    plant = plant_files.demo_services()
    if any(platform.documents.versions("service", one["id"]) for one in plant["services"]):
        return  # they are there, or somebody has taken them away
    begun = platform.clock()
    models = {one["model"] for one in plant["services"] if "model" in one}
    twins = {twin for one in plant["services"] for twin in one.get("twins", ())}
    for model in models:
        twins |= set(platform.services.runs.plant.twins_of(model))
    while not all(_is_read_after(platform, twin, begun) for twin in twins):  # noqa: ASYNC110
        await asyncio.sleep(LOOK_SECONDS)  # of readings there is no event
    await plant_files.import_plant(platform, plant, "demo")


def _is_read_after(platform: Platform, twin: str, begun: int) -> bool:
    """Whether telemetry of a twin is of a later time.

    A device may report its properties as soon as it is connected, before it tells its past.
    """
    model = platform.catalogue.model_of(twin)
    signals = platform.catalogue.signals.of(model) if model else {}
    paths = [path for path, signal in signals.items() if signal.category == "telemetry"]
    found = (shown_series(platform, twin, path, ONLY_MEASURED) for path in paths)
    return any(int(platform.state.time[one]) > begun for one in found if one is not None)


def _start_plant(
    arguments: argparse.Namespace, found: Addresses, token: str, is_new: bool
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "gemel", "simulate", "--mqtt", found.mqtt]
    command += ["--plant", "demo", "--seed", str(arguments.seed), "--faults", arguments.faults]
    command += ["--processes", "--leashed"]
    if is_new:
        command += ["--past", str(DEMO_PAST_SECONDS), "--lived", str(DEMO_LIVED_DAYS)]
    environment = {**os.environ, "GEMEL_TOKEN": token}
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE)


def _has_screen() -> bool:
    if sys.platform == "darwin":
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def add_link(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", default="./gemel-data", help="the server's data folder")
    roles = ("admin", "engineer", "operator", "viewer")
    parser.add_argument("--role", default="admin", choices=roles)
    parser.add_argument("--name", help="who logs in")


def link(arguments: argparse.Namespace) -> int:
    """A fresh login link for the server of a folder."""
    folder = Path(arguments.data)
    found = announced(folder)
    if found is None:
        raise Unavailable(f"no server runs on {folder}", hint="start one with 'gemel serve'")
    documents = documents_of(folder)
    try:
        new = tokens.create(
            documents,
            system_clock(),
            role=arguments.role,
            name=arguments.name or arguments.role,
            who="command line",
            seconds=tokens.LINK_SECONDS,
            use="link",
        )
    finally:
        documents.close()
    _say(f"{found['http']}/login?ticket={new.secret}")
    return 0
