"""Starts and stops everything that listens: MQTT, HTTP, and the connections to other brokers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from gemel.app import certificates, coap, tokens
from gemel.app.addresses import address
from gemel.app.config import Config
from gemel.app.host import MqttHost
from gemel.app.platform import Platform
from gemel.backends.mqtt_sessions import SqliteMqttSessions
from gemel.connect.coap.server import CoapServer
from gemel.connect.mqtt.fronts import Fronts
from gemel.connect.mqtt.limits import Limits
from gemel.connect.mqtt.packets import Properties, Property
from gemel.connect.mqtt.server import MqttServer
from gemel.core.clock import Clock, system_clock
from gemel.core.errors import Unavailable

log = logging.getLogger("gemel")
DRAIN_SECONDS = 3
NEXT_PORTS = 50


@dataclass(frozen=True)
class Addresses:
    """Where everything listens."""

    http: str
    """URL of the page and API."""
    mqtt: str
    """HOST:PORT."""
    mqtt_tls: str
    authority: str
    """PEM file to trust, where the certificate is our own; else ''."""
    coap: str = ""
    """HOST:PORT; "" where it is off."""
    notes: tuple[str, ...] = ()
    """What a person should know: ports that were taken, the first token."""


Factory = Callable[[Platform], Any]


def bind(host: str, port: int, *, find_free: bool) -> socket.socket:
    """A listening socket; a taken port is passed over for the next free one if `find_free`.

    Raises:
        Unavailable: no port is free, or the address is not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    last: OSError | None = None
    for candidate in range(port, port + (NEXT_PORTS if find_free and port else 1)):
        if candidate > 65_535:
            break
        # named, or asyncio does not set TCP_NODELAY for what it accepts
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, candidate))
            listener.listen(2048)
        except OSError as error:
            listener.close()
            last = error
            continue
        listener.setblocking(False)
        return listener
    raise Unavailable(
        f"cannot listen at {host}:{port}: {last.strerror if last else 'no port is free'}",
        hint="name another address, or port 0 for any free one",
    )


class Server:
    """One platform with its listeners."""

    def __init__(
        self,
        config: Config,
        make_app: Factory,
        *,
        find_free: bool = False,
        clock: Clock = system_clock,
    ) -> None:
        self.config = config
        self.platform = Platform(config, clock)
        self._make_app = make_app
        self._find_free = find_free
        self._mqtt: MqttServer | None = None
        self._fronts: Fronts | None = None
        self._coap: CoapServer | None = None
        self._http: uvicorn.Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._sessions: SqliteMqttSessions | None = None

    async def start(self) -> Addresses:
        """Opens every listener; returns when all are open."""
        platform, config = self.platform, self.config
        notes: list[str] = []
        await platform.start()
        await platform.exports.start()
        if not platform.tokens.listing():
            new = tokens.create(
                platform.documents, platform.clock(), role="admin", name="admin", who="gemel"
            )
            notes.append(f"Admin token, shown this once: {new.secret}")
        secure, authority = self._tls()
        mqtt = platform.mqtt_address = await self._start_mqtt(notes)
        mqtt_tls = ""
        if config.mqtt_tls:
            host, port = address(config.mqtt_tls, "mqtt_tls")
            assert self._mqtt is not None
            files, authority = self._certificate()
            mqtt_tls = _shown(await self._listen(host, port, files))
        await self._start_fronts()
        coap_address = await self._start_coap(notes)
        http = await self._start_http(secure, notes)
        platform.listening.addresses = {
            "http": http,
            "mqtt": mqtt,
            "mqttTls": mqtt_tls,
            "coap": coap_address,
        }
        platform.listening.authority = authority
        await platform.connections.start()
        found = Addresses(http, mqtt, mqtt_tls, authority, coap_address, tuple(notes))
        platform.folder.announce(platform.listening.addresses)
        return found

    def _tls(self) -> tuple[tuple[Path, Path] | None, str]:
        config = self.config
        return self._certificate() if config.tls else (None, "")

    def _certificate(self) -> tuple[tuple[Path, Path], str]:
        """The given certificate, or an own one with the file of its authority."""
        config = self.config
        if config.certificate:
            return (Path(config.certificate), Path(config.key or config.certificate)), ""
        host, _ = address(config.http, "http")
        folder = self.platform.folder.path / "tls"
        names = certificates.own_names(host)
        certificate, key, authority = certificates.server_files(folder, names, self.platform.clock)
        return (certificate, key), str(authority)

    async def _start_mqtt(self, notes: list[str]) -> str:
        platform, config = self.platform, self.config
        self._sessions = SqliteMqttSessions(platform.folder.path)
        limits = Limits(
            connections=config.max_connections,
            packet_bytes=config.max_packet,
            behind_seconds=config.max_behind,
            never_twice=platform.reactions.dispatch.is_once,
        )
        self._mqtt = MqttServer(
            MqttHost(platform),
            self._sessions,
            platform.clock,
            limits=limits,
            delivered=platform.reactions.dispatch.delivered,
        )
        platform.connect_mqtt(
            self._publish,
            self._mqtt.statistics,
            self._devices,
            self._mqtt.disconnect,
            self._mqtt.waits_since,
        )
        self._fronts = Fronts(
            self._mqtt, platform.folder.path, config.ingest_processes, platform.tokens.known
        )
        try:
            await self._mqtt.inherit(self._fronts)
        except OSError as error:
            raise Unavailable(
                f"what ingest processes left cannot be read: {error}",
                hint="look after that disk; 'gemel check' names what is damaged",
            ) from error
        host, port = address(config.mqtt, "mqtt")
        shown = _shown(await self._listen(host, port, None))
        platform.desired.start(self._mqtt.retained("devices/+/desired"))
        platform.sparkplug.online()
        if port and not shown.endswith(f":{port}"):
            notes.append(f"MQTT port {port} is taken: using {shown}")
        return shown

    async def _listen(
        self, host: str, port: int, files: tuple[Path, Path] | None
    ) -> tuple[str, int]:
        """Opens an MQTT listener; a taken port is passed over where that is wanted.

        Raises:
            Unavailable: no port is free, or the address is not ours.
        """
        assert self._mqtt is not None
        assert self._fronts is not None
        context = certificates.context(*files) if files else None
        last = ""
        for candidate in range(port, port + (NEXT_PORTS if self._find_free and port else 1)):
            try:
                if self._fronts.count:
                    return self._fronts.listen(host, candidate, files)
                return await self._mqtt.start(host, candidate, context)
            except (OSError, OverflowError) as error:
                last = str(error)
        raise Unavailable(f"cannot listen at {host}:{port}: {last}", hint="name another address")

    async def _start_fronts(self) -> None:
        assert self._fronts is not None
        try:
            await self._fronts.start()
        except OSError as error:
            raise Unavailable(
                f"the processes for MQTT cannot be started: {error}",
                hint="see the log, or do without: ingest_processes = 0",
            ) from error

    async def _start_coap(self, notes: list[str]) -> str:
        if not self.config.coap:
            return ""
        host, port = address(self.config.coap, "coap")
        self._coap = coap.server_of(self.platform)
        for candidate in range(port, port + (NEXT_PORTS if self._find_free and port else 1)):
            try:
                shown = _shown(await self._coap.start(host, candidate))
                break
            except Unavailable as error:
                last = error
        else:
            raise last
        if port and not shown.endswith(f":{port}"):
            notes.append(f"CoAP port {port} is taken: using {shown}")
        coap.join(self.platform, self._coap)
        return shown

    def _devices(self, topic: str) -> list[str]:
        """The names of device connections that would get a topic now."""
        assert self._mqtt is not None
        return [who.name for who in self._mqtt.listeners(topic) if who.role == "device"]

    def _publish(
        self, topic: str, payload: bytes, retain: bool, seconds: int = 0, qos: int = 1
    ) -> int:
        assert self._mqtt is not None
        properties: Properties | None = {Property.MESSAGE_EXPIRY: seconds} if seconds else None
        return self._mqtt.publish(topic, payload, qos, retain, properties)

    async def _start_http(self, secure: tuple[Path, Path] | None, notes: list[str]) -> str:
        host, port = address(self.config.http, "http")
        listener = bind(host, port, find_free=self._find_free)
        settings = uvicorn.Config(
            self._make_app(self.platform),
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=2,
            ws_max_size=1 << 20,
            ws_per_message_deflate=False,
            ssl_certfile=str(secure[0]) if secure else None,
            ssl_keyfile=str(secure[1]) if secure else None,
        )
        self._http = _QuietServer(settings)
        self._serving = asyncio.create_task(self._http.serve([listener]))
        while not self._http.started:
            if self._serving.done():
                self._serving.result()
                raise Unavailable("the HTTP server ended at its start", hint="see the log")
            await asyncio.sleep(0.005)
        taken = listener.getsockname()[1]
        if port and taken != port:
            notes.append(f"HTTP port {port} is taken: using {taken}")
        shown = f"[{host}]" if ":" in host else host
        return f"{'https' if secure else 'http'}://{shown}:{taken}"

    async def close(self) -> None:
        """Takes nothing new, finishes what is under way, ends within 5 s."""
        self.platform.hub.close()
        self.platform.sparkplug.offline()
        await self.platform.connections.close()
        if self._http is not None and self._serving is not None:
            self._http.should_exit = True
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._serving), DRAIN_SECONDS)
        if self._coap is not None:
            await self._coap.close()
        if self._mqtt is not None:
            await self._mqtt.close()
        await self.platform.exports.close()
        await self.platform.close()
        if self._sessions is not None:
            self._sessions.close()


class _QuietServer(uvicorn.Server):
    """Leaves signals to us."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


def _shown(found: tuple[str, int]) -> str:
    host, port = found[0], found[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def run(
    config: Config,
    make_app: Factory,
    ready: Callable[[Server, Addresses], Awaitable[None] | None],
    *,
    find_free: bool = False,
    meanwhile: Callable[[Server, Addresses], Awaitable[None]] | None = None,
) -> None:
    """Serves until SIGTERM or SIGINT; `ready` is called when every listener is open."""

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        server = Server(config, make_app, find_free=find_free)
        beside: asyncio.Task[None] | None = None
        try:
            found = await server.start()
            answer = ready(server, found)
            if answer is not None:
                await answer
            if meanwhile is not None:
                beside = asyncio.ensure_future(meanwhile(server, found))
            await stop.wait()
        finally:
            if beside is not None:
                beside.cancel()
                await asyncio.gather(beside, return_exceptions=True)
            await server.close()

    _run_loop(main())


def _run_loop(work: Any) -> None:
    try:
        import uvloop
    except ImportError:
        asyncio.run(work)
        return
    uvloop.run(work)
