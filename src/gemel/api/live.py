"""The live stream: a WebSocket with values in binary rows and events in JSON."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import numpy as np
import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect

from gemel import __version__
from gemel.api.session import authenticate, check_origin
from gemel.app.platform import Platform
from gemel.app.policies import Sight
from gemel.app.seen_alarms import alarm_shown
from gemel.app.seen_commands import document_shown
from gemel.core.access import Principal
from gemel.core.batch import I32, I64
from gemel.core.clock import to_iso
from gemel.core.errors import GemelError
from gemel.core.policy import READ
from gemel.core.series import DERIVED, MEASURED, quantile_of
from gemel.live.hub import Watcher, encode_values

log = logging.getLogger("gemel.live")
FRAME_SECONDS = 0.05
BODY_LIMIT = 1 << 20
TWIN_LIMIT = 100_000
POLICY, TOO_SLOW, TOO_BIG = 1008, 1013, 1009


async def live(platform: Platform, socket: WebSocket) -> None:
    """Serves one watcher until it leaves."""
    try:
        who = await authenticate(platform, socket)
        check_origin(socket)
    except GemelError as error:
        await socket.accept()
        await socket.close(POLICY, error.message[:120])
        return
    if not who.allows("live:read"):
        await socket.accept()
        await socket.close(POLICY, f"role {who.role} may not watch")
        return
    await socket.accept()
    await _Session(platform, socket, who).run()


def event_shown(sight: Sight | None, event: dict[str, Any]) -> dict[str, Any] | None:
    """What policies leave of an event; None if nothing, or if its kind is not known here."""
    if sight is None:
        return event
    if not _is_seen(sight, event):
        return None
    if event["type"] == "alarm":
        return {**event, "alarm": alarm_shown(sight, event["alarm"])}
    if event["type"] == "command":
        return {**event, "command": document_shown(sight, event["command"])}
    return event


def _is_seen(sight: Sight, event: dict[str, Any]) -> bool:
    kind = event["type"]
    if kind == "alarm":
        return sight.covers(READ, str(event["alarm"].get("twin", "")))
    if kind == "alarmCorrection":
        return sight.covers(READ, str(event["correction"]["twin"]))
    if kind == "work":
        return sight.covers(READ, str(event["order"].get("twin", "")))
    if kind == "command":
        command = event["command"]
        return sight.allows(READ, command["twin"], command["command"])
    if kind == "twin":
        return sight.touches(READ, event["id"])
    return kind in ("graph", "status")


class _Session:
    """One connection: a task that sends what changed, and the loop that reads requests."""

    def __init__(self, platform: Platform, socket: WebSocket, who: Principal) -> None:
        self.platform = platform
        self.socket = socket
        self.who = who
        self.awake = asyncio.Event()
        self.watcher = Watcher(self.awake.set)
        self.known = 0
        self.derived: I64 = np.empty(0, np.int64)
        """Series of derived values that are watched."""
        self.own: I64 = np.empty(0, np.int64)
        """By each of them, the series of what a device sends under that name; -1: there is none."""
        self.sight = platform.policies.sight(who)
        self.seen_at = 0

    async def run(self) -> None:
        self.platform.hub.join(self.watcher)
        sender = asyncio.create_task(self._send_forever())
        try:
            await self._json({"type": "hello", "version": __version__, "time": self._now()})
            seen = self.platform.policies.seen_by(self.who)
            await self._json({"type": "status", "status": seen.status()})
            while True:
                await self._receive()
        except WebSocketDisconnect:
            pass
        except RuntimeError:  # the peer went away while we sent
            pass
        finally:
            self.platform.hub.leave(self.watcher)
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)

    def _now(self) -> str:
        return to_iso(self.platform.clock())

    async def _json(self, body: dict[str, Any]) -> None:
        await self.socket.send_text(orjson.dumps(body).decode())

    async def _receive(self) -> None:
        request = await self._request()
        kind = request.get("type")
        if kind == "ping":
            await self._json({"type": "pong", "id": request.get("id")})
        elif kind == "subscribe":
            twins = request.get("twins", [])
            is_list = isinstance(twins, list) and all(isinstance(t, str) for t in twins)
            if not is_list or len(twins) > TWIN_LIMIT:
                await self._json({"type": "error", "message": "twins must be a list of ids"})
            else:
                await self._subscribe(twins, bool(request.get("all")))
        else:
            await self._json(
                {"type": "error", "message": "not understood: send subscribe or ping as JSON"}
            )

    async def _request(self) -> dict[str, Any]:
        """The next request; {} for what is none, such as a binary message."""
        message = await self.socket.receive()
        if message["type"] != "websocket.receive":
            raise WebSocketDisconnect(message.get("code", 1000))
        text = message.get("text") or ""
        try:
            request = orjson.loads(text) if len(text) <= BODY_LIMIT else {}
        except orjson.JSONDecodeError:
            request = {}
        return request if isinstance(request, dict) else {}

    async def _subscribe(self, twins: list[str], everything: bool) -> None:
        self.watcher.all, self.watcher.twins = everything, frozenset(twins)
        total = len(self.platform.series)
        of_twin = self.platform.series.of_twin  # a plant may have millions of series
        all_of_them = range(total) if everything else (n for t in twins for n in of_twin(t))
        wanted = sorted(n for n in set(all_of_them) if self._is_wanted(n))
        self.known = total
        self.derived = self.own = np.empty(0, np.int64)
        self.watcher.want(wanted, total)
        await self._name_series(wanted)
        self.awake.set()

    def _is_wanted(self, number: int) -> bool:
        key = self.platform.series.keys[number]
        if not (self.watcher.all or key.twin in self.watcher.twins):
            return False
        if key.provenance != MEASURED and (key.provenance != DERIVED or quantile_of(key.path)):
            return False
        if self.sight is None:
            return True
        is_there = key.twin in self.platform.graph.twins
        return is_there and self.sight.allows(READ, key.twin, key.path)

    async def _follow_policies(self) -> None:
        """Chooses anew what is watched where policies, or the graph that they walk, changed."""
        sight = self.platform.policies.sight(self.who)
        if sight is not None:
            sight.refresh()
        seen_at = 0 if sight is None else sight.version
        if sight is not self.sight or seen_at != self.seen_at:
            self.sight, self.seen_at = sight, seen_at
            await self._subscribe(list(self.watcher.twins), self.watcher.all)

    async def _name_series(self, numbers: list[int]) -> None:
        keys = self.platform.series.keys
        rows = [[n, keys[n].twin, keys[n].path] for n in numbers]
        await self._json({"type": "series", "series": rows})
        derived = [n for n in numbers if keys[n].provenance == DERIVED]
        self.derived = np.array([*self.derived, *derived], np.int64)
        find = self.platform.series.find
        own = [find(keys[n].twin, keys[n].path) for n in self.derived]
        self.own = np.array([-1 if n is None else n for n in own], np.int64)

    def _shown(self, rows: I32) -> I32:
        """Those that have a value; what is derived only where no device has sent it."""
        time = self.platform.state.time
        rows = rows[rows < len(time)]
        rows = rows[time[rows] != 0]
        if not len(self.derived):
            return rows
        is_sent = (self.own >= 0) & (self.own < len(time))
        is_sent[is_sent] = time[self.own[is_sent]] != 0
        return rows[~np.isin(rows, self.derived[is_sent])]

    async def _send_forever(self) -> None:
        try:
            while True:
                await self.awake.wait()
                self.awake.clear()
                if not self.platform.tokens.is_current(self.who.token):
                    await self.socket.close(POLICY, "the token is no longer valid")
                    return
                await self._send_once()
                await asyncio.sleep(FRAME_SECONDS)
        except (WebSocketDisconnect, RuntimeError):
            return
        except Exception:
            log.exception("a live connection failed")
            await self.socket.close(1011)

    async def _send_once(self) -> None:
        if self.watcher.overflowed:
            await self.socket.close(TOO_SLOW, "too slow: connect again")
            return
        await self._follow_policies()
        await self._add_new_series()
        for event in self.watcher.take_events():
            shown = event_shown(self.sight, event)
            if shown is not None:
                await self._json(self._counted(shown))
        rows = self._shown(self.watcher.take_dirty())
        state = self.platform.state
        if not len(rows):
            return
        is_text = np.fromiter((int(n) in state.text for n in rows), np.bool_, len(rows))
        texts = rows[is_text]
        if len(texts):
            values = [[int(n), state.text[int(n)], int(state.time[n]) // 1_000_000] for n in texts]
            await self._json({"type": "text", "values": values})
        numbers = rows[~is_text]
        for frame in encode_values(
            numbers, state.time[numbers], state.quality[numbers], state.value[numbers]
        ):
            await self.socket.send_bytes(frame)

    def _counted(self, event: dict[str, Any]) -> dict[str, Any]:
        """A status with counts of what is seen; any other event as it is."""
        if self.sight is None or event["type"] != "status":
            return event
        seen = self.platform.policies.seen_by(self.who)
        return {**event, "status": seen.status_shown(event["status"])}

    async def _add_new_series(self) -> None:
        total = len(self.platform.series)
        if total == self.known or not (self.watcher.all or self.watcher.twins):
            self.known = total
            return
        new = [n for n in range(self.known, total) if self._is_wanted(n)]
        self.known = total
        if new:
            self.watcher.want_more(new, total)
            await self._name_series(new)
