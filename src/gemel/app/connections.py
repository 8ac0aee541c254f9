"""Connectors: the sources that Gemel goes to, from `gemel.toml` and from people.

Those of the file stand as long as the file says so; those that people made are documents of kind
`connection`, kept and changed over the API while the server runs.
"""

from __future__ import annotations

import asyncio
import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gemel.app.connection_kinds import connector
from gemel.app.connection_settings import (
    SECRET,
    Connection,
    from_body,
    from_document,
    to_document,
)
from gemel.connect.mqtt.bridge import Bridge
from gemel.core.access import Principal
from gemel.core.clock import to_iso
from gemel.core.document import Json
from gemel.core.errors import Conflict, GemelError, InvalidInput, NotFound, Unavailable
from gemel.core.ports import Connector, Writer

if TYPE_CHECKING:
    from gemel.app.platform import Platform

log = logging.getLogger("gemel")
KIND = "connection"
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}", re.ASCII)
MOST = 100
STATES = {"connected": "connected", "connecting": "connecting", "closed": "stopped"}


@dataclass(slots=True)
class _Link:
    """A connector that runs, and how it is."""

    connection: Connection
    connector: Connector | None = None
    state: str = "connecting"
    problem: str = ""
    since: int = 0


class Connections:
    """Every connector of an installation, while the server runs."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._links: dict[str, _Link] = {}
        self.writers: dict[str, Writer] = {}
        """The connectors that write too."""
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
                await self._begin(key, from_document(doc))
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
        connection = from_body(body, self._made.get(key, {}))
        async with self._turn:
            if key not in self._made and len(self._made) >= MOST:
                raise Conflict(f"there are {MOST} connectors already", hint="delete some first")
            await self._platform.put(KIND, key, to_document(connection), who)
            await self._begin(key, connection)
        return self._shown(key)

    async def delete(self, key: str, who: str) -> None:
        """Ends one; what a broker still holds for us waits there until the session expires.

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

    def connector(self, key: str) -> Connector:
        """The connector of a name, for what only its kind can do.

        Raises:
            NotFound: there is none of this name.
            Unavailable: it could not begin.
        """
        link = self._links.get(key)
        if link is None:
            raise NotFound(f"there is no connector '{key}'", hint="GET /connections lists them")
        if link.connector is None:
            raise Unavailable(f"connector '{key}' does not run: {link.problem}")
        return link.connector

    # ---- links ---------------------------------------------------------------------------

    async def _begin(self, key: str, connection: Connection) -> None:
        await self._end(key)
        link = self._links[key] = _Link(connection, since=self._platform.clock())
        if not self._is_running:
            return
        try:
            link.connector = await connector(
                self._platform, key, connection, lambda *told: self._told(key, link, *told)
            )
        except GemelError as error:  # the others go on
            self._told(key, link, "failing", str(error))
            return
        if isinstance(link.connector, Writer):
            self.writers[key] = link.connector
        await link.connector.start()

    def _told(self, key: str, link: _Link, state: str, why: str) -> None:
        now = STATES.get(state, "failing")
        if now == "connecting" and link.state == "failing" and not why:
            return  # it tries anew, and the problem stands until it succeeds
        if now != link.state or why not in ("", link.problem):
            is_calm = state == "connected" and link.state != "failing"
            level = logging.INFO if is_calm else logging.WARNING
            log.log(level, "connection %s: %s %s", key, state, why)
        if why or now == "connected":
            link.problem = why
        if now == "connecting" and link.state == "failing":
            return
        if now != link.state:
            link.state, link.since = now, self._platform.clock()

    # ---- back to where messages came from -------------------------------------------------

    def _bridge_of(self, who: Principal) -> Bridge | None:
        """The bridge in whose name messages came in."""
        for link in self._links.values():
            if isinstance(link.connector, Bridge) and link.connector.who is who:
                return link.connector
        return None

    def send(self, who: Principal, topic: str, payload: bytes) -> bool | None:
        """Sends where a message came from; whether it left, None if that was no other broker."""
        bridge = self._bridge_of(who)
        return None if bridge is None else bridge.publish(topic, payload)

    def reaches(self, who: Principal) -> bool:
        """Whether what is sent back to who sent can leave now."""
        bridge = self._bridge_of(who)
        return bridge is None or bridge.may_publish()

    def state_again(self, who: Principal) -> bool:
        """Says again that we are there, where somebody on another broker said that we are not."""
        bridge = self._bridge_of(who)
        if bridge is not None:
            bridge.tell_birth()
        return bridge is not None

    async def _end(self, key: str) -> None:
        link = self._links.pop(key, None)
        self.writers.pop(key, None)
        if link is not None and link.connector is not None:
            ended, link.connector = link.connector, None
            await ended.close()

    def _shown(self, key: str) -> Json:
        link = self._links[key]
        of, runs = link.connection, link.connector
        said = to_document(of)
        password = said.pop(SECRET, "")
        return {
            "name": key,
            "kind": of.kind,
            "source": "file" if key in self._of_file else "people",
            **said,
            "hasPassword": bool(password),
            "state": link.state,
            "problem": link.problem,
            "since": to_iso(link.since),
            "accepted": runs.accepted if runs else 0,
            "refused": runs.refused if runs else 0,
            **(runs.facts() if runs else {}),
        }
