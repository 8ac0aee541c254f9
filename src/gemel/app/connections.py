"""Connectors: the MQTT brokers that Gemel subscribes on, from `gemel.toml` and from people.

Those of the file stand as long as the file says so; those that people made are documents of kind
`connection`, kept and changed over the API while the server runs.
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gemel.app.config import Connection, address
from gemel.app.host import MqttHost
from gemel.connect.mqtt.bridge import Bridge, BridgeSettings
from gemel.connect.mqtt.packets import ProtocolError
from gemel.connect.mqtt.topics import check_filter, split_shared
from gemel.core.access import Principal
from gemel.core.clock import to_iso
from gemel.core.document import Json
from gemel.core.errors import ConfigInvalid, Conflict, GemelError, InvalidInput, NotFound

if TYPE_CHECKING:
    from gemel.app.platform import Platform

log = logging.getLogger("gemel")
KIND = "connection"
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}", re.ASCII)
FIELDS = ("broker", "topics", "username", "password", "tls", "clientId")
MOST, MOST_TOPICS = 100, 100
STATES = {"connected": "connected", "connecting": "connecting", "closed": "stopped"}


@dataclass(slots=True)
class _Link:
    """A connector that runs, and how it is."""

    connection: Connection
    bridge: Bridge | None = None
    state: str = "connecting"
    problem: str = ""
    since: int = 0


class Connections:
    """Every connector of an installation; each has one bridge while the server runs."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._links: dict[str, _Link] = {}
        self._turn = asyncio.Lock()
        self._is_running = False

    @property
    def _of_file(self) -> dict[str, Connection]:
        return dict(self._platform.config.connections)

    @property
    def _made(self) -> dict[str, Json]:
        return self._platform.catalogue.plain[KIND]

    async def start(self) -> None:
        """Begins to connect everywhere."""
        self._is_running = True
        for key, doc in self._made.items():
            if key not in self._of_file:
                await self._begin(key, _connection(doc))
        for key, connection in self._of_file.items():
            await self._begin(key, connection)

    async def close(self) -> None:
        self._is_running = False
        for key in list(self._links):
            await self._end(key)

    def listing(self) -> list[Json]:
        """All connectors by name, without passwords, each with its state."""
        return [self._shown(key) for key in sorted(self._links)]

    async def put(self, key: str, body: Json, who: str) -> Json:
        """Makes or changes one; a password that is left out stays as it was.

        Raises:
            InvalidInput: its name or a field is not of its form.
            Conflict: it stands in the configuration file.
        """
        if not NAME.fullmatch(key):
            raise InvalidInput(f"'{key[:80]}' cannot be the name of a connector", hint="a-z 0-9 -")
        self._require_own(key)
        doc = _checked(key, body, self._made.get(key, {}))
        async with self._turn:
            if key not in self._made and len(self._made) >= MOST:
                raise Conflict(f"there are {MOST} connectors already", hint="delete some first")
            await self._platform.put(KIND, key, doc, who)
            await self._begin(key, _connection(doc))
        return self._shown(key)

    async def delete(self, key: str, who: str) -> None:
        """Ends one; what its broker still holds for us waits there until the session expires.

        Raises:
            NotFound: there is none of this name.
            Conflict: it stands in the configuration file.
        """
        self._require_own(key)
        async with self._turn:
            if key not in self._made:
                raise NotFound(f"there is no connector '{key}'", hint="GET /connections lists them")
            await self._platform.put(KIND, key, None, who, "deleted")
            await self._end(key)

    def _require_own(self, key: str) -> None:
        if key in self._of_file:
            raise Conflict(
                f"connector '{key}' stands in the configuration file",
                hint=f"change [connections.{key}] in gemel.toml and start again",
                code="ConnectorOfFile",
            )

    # ---- bridges -------------------------------------------------------------------------

    async def _begin(self, key: str, connection: Connection) -> None:
        await self._end(key)
        clock = self._platform.clock
        link = self._links[key] = _Link(connection, since=clock())
        if not self._is_running:
            return
        host, port = address(connection.broker, f"connections.{key}.broker")

        def on_state(state: str, why: str) -> None:
            level = logging.INFO if state == "connected" else logging.WARNING
            log.log(level, "connection %s: %s %s", key, state, why)
            now = STATES.get(state, "failing")
            if why or now == "connected":
                link.problem = why
            if now == "connecting" and link.state == "failing":
                return  # it tries anew, and the problem stands until it succeeds
            if now != link.state:
                link.state, link.since = now, clock()

        settings = BridgeSettings(
            host,
            port,
            connection.client_id or f"gemel-{key}",
            connection.username,
            connection.password,
            tls=ssl.create_default_context() if connection.tls else None,
        )
        who = Principal(f"connection {key}", "device", ("*",))
        link.bridge = Bridge(
            settings, connection.topics, MqttHost(self._platform), who, clock, on_state=on_state
        )
        await link.bridge.start()
        self._platform.start_task(self._watch(link, link.bridge))

    async def _watch(self, link: _Link, bridge: Bridge) -> None:
        """Tells when the other broker grants a connection, and not what was asked for on it."""
        try:
            await bridge.subscribed()
        except GemelError as error:
            link.state, link.problem = "failing", error.message
            link.since = self._platform.clock()
        except asyncio.CancelledError:
            return  # it was ended before anybody answered

    async def _end(self, key: str) -> None:
        link = self._links.pop(key, None)
        if link is not None and link.bridge is not None:
            bridge, link.bridge = link.bridge, None
            await bridge.close()

    def _shown(self, key: str) -> Json:
        link = self._links[key]
        of, bridge = link.connection, link.bridge
        return {
            "name": key,
            "source": "file" if key in self._of_file else "people",
            "broker": of.broker,
            "topics": list(of.topics),
            "username": of.username,
            "hasPassword": bool(of.password),
            "tls": of.tls,
            "clientId": of.client_id or f"gemel-{key}",
            "state": link.state,
            "problem": link.problem,
            "since": to_iso(link.since),
            "accepted": bridge.accepted if bridge else 0,
            "refused": bridge.refused if bridge else 0,
        }


def _connection(doc: Json) -> Connection:
    return Connection(
        doc["broker"],
        tuple(doc["topics"]),
        doc["username"],
        doc.get("password", ""),
        doc["tls"],
        doc["clientId"],
    )


def _checked(key: str, body: Json, before: Json) -> Json:
    unknown = [name for name in body if name not in FIELDS]
    if unknown:
        raise InvalidInput(f"a connector has no '{unknown[0]}'", hint=", ".join(FIELDS))
    doc: Json = {
        "broker": _line(body.get("broker", ""), "broker"),
        "topics": _topics(body.get("topics", ["#"])),
        "username": _line(body.get("username", ""), "username"),
        "tls": body.get("tls", False),
        "clientId": _line(body.get("clientId", ""), "clientId"),
    }
    password = _line(body.get("password", before.get("password", "")), "password")
    if password:
        doc["password"] = password
    if not isinstance(doc["tls"], bool):
        raise InvalidInput("'tls' must be true or false")
    try:
        host, _ = address(doc["broker"], "broker")
    except ConfigInvalid as error:
        raise InvalidInput(error.message, hint=error.hint) from error
    if not host:
        raise InvalidInput("'broker' names no host", hint="write it like 10.0.0.5:1883")
    return doc


def _line(value: Any, name: str) -> str:
    if not isinstance(value, str) or len(value) > 500 or not (value.isprintable() or not value):
        raise InvalidInput(f"'{name}' must be one line of at most 500 characters")
    return value.strip() if name != "password" else value


def _topics(value: Any) -> list[str]:
    is_list = isinstance(value, list) and all(isinstance(one, str) for one in value)
    if not is_list or not 1 <= len(value) <= MOST_TOPICS:
        raise InvalidInput(f"'topics' must be 1 to {MOST_TOPICS} topic filters", hint='["plant/#"]')
    for one in value:
        try:
            check_filter(split_shared(one)[1])
        except ProtocolError as error:
            raise InvalidInput(f"'{one[:200]}' is no topic filter", hint=str(error)) from error
    return list(value)
