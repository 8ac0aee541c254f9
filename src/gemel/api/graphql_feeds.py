"""What can be subscribed to over GraphQL: a twin, values, alarms; now and after every change.

A feed takes from a watcher of the hub what changed since it last looked, so whoever reads slowly
gets the newest values and never holds up what comes in. What it names is resolved by the fields,
from the platform as the caller may see it at that moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLID,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLString,
)

from gemel.api.graphql_parts import JSON, LARGEST_PAGE, Caller, Part
from gemel.api.live import FRAME_SECONDS, event_shown
from gemel.app.values import typed
from gemel.core.access import Principal
from gemel.core.clock import to_iso
from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.core.quality import is_bad
from gemel.core.units import symbol
from gemel.live.hub import Watcher

if TYPE_CHECKING:
    from gemel.app.platform import Platform

    Info = GraphQLResolveInfo[Any]

MOST_TWINS = 500


@dataclass(frozen=True, slots=True)
class Round:
    """What changed since the round before; the first has all there is."""

    series: list[int]
    alarms: list[Json]
    is_whole: bool
    """Whether `alarms` lacks some: all that stand are to be sent."""


class Watching:
    """A subscription: who asked, what they may see now, and their watcher of the hub.

    It stands where a `Caller` stands for queries.

    Args:
        platform: all of it.
        who: the subscriber.
        is_outdated: whether the schema is no longer that of the models, or the token void.
    """

    def __init__(self, platform: Platform, who: Principal, is_outdated: Callable[[], bool]) -> None:
        self._real = platform
        self.who = who
        self._is_outdated = is_outdated
        self._awake = asyncio.Event()
        self._watcher = Watcher(self._awake.set)
        self._chosen: set[int] = set()
        self._seen_at: tuple[int, int, int] | None = None
        platform.hub.join(self._watcher)

    def close(self) -> None:
        self._real.hub.leave(self._watcher)

    @property
    def platform(self) -> Platform:
        """The platform as policies let it be seen at this moment."""
        return self._real.policies.seen_by(self.who)

    def require(self, permission: str) -> None:
        Caller(self._real, self.who).require(permission)

    def shown(self, alarms: Iterable[Json]) -> list[Json]:
        """Alarms as policies let them be seen at this moment."""
        sight = self._real.policies.sight(self.who)
        found = (event_shown(sight, {"type": "alarm", "alarm": alarm}) for alarm in alarms)
        return [one["alarm"] for one in found if one is not None]

    async def rounds(
        self, twins: list[str], properties: list[str] | None = None
    ) -> AsyncIterator[Round]:
        """One round now and one after each change, at most 20 a second; ends when outdated."""
        watcher = self._watcher
        is_whole = True
        while not self._is_outdated():
            self._awake.clear()
            self._choose(twins, properties)
            events = watcher.take_events()
            is_whole, watcher.overflowed = is_whole or watcher.overflowed, False
            alarms = {e["alarm"]["id"]: e["alarm"] for e in events if e["type"] == "alarm"}
            yield Round(watcher.take_dirty().tolist(), list(alarms.values()), is_whole)
            is_whole = False
            await asyncio.sleep(FRAME_SECONDS)
            await self._awake.wait()

    def _choose(self, twins: list[str], properties: list[str] | None) -> None:
        """Watches the series of twins that may be seen, anew where that may have changed."""
        platform, sight = self.platform, self._real.policies.sight(self.who)
        total = len(self._real.series)
        seen_at = (total, id(sight), 0 if sight is None else sight.version)
        if not twins or seen_at == self._seen_at:
            return
        self._seen_at = seen_at
        keys = self._real.series.keys
        chosen = {
            number
            for twin in twins
            for number in platform.series.of_twin(twin)
            if properties is None or keys[number].path in properties
        }
        if self._chosen <= chosen:
            self._watcher.want_more(chosen - self._chosen, total)
        else:
            self._watcher.want(chosen, total)
        self._chosen = chosen


def _watching(info: Info) -> Watching:
    found: Watching = info.context
    return found


def subscriptions(twin: GraphQLInterfaceType) -> dict[str, GraphQLField]:
    """The fields of the type Subscription."""
    text = GraphQLNonNull(GraphQLString)
    value = GraphQLObjectType(
        "ChangedValue",
        {
            "twin": GraphQLField(GraphQLNonNull(GraphQLID)),
            "property": GraphQLField(text),
            "value": GraphQLField(JSON),
            "time": GraphQLField(text),
            "quality": GraphQLField(text),
            "unit": GraphQLField(text),
            "provenance": GraphQLField(text),
        },
    )
    ids = GraphQLList(GraphQLNonNull(GraphQLID))
    names = GraphQLList(GraphQLNonNull(GraphQLString))

    def several(of: Any) -> GraphQLNonNull[Any]:
        return GraphQLNonNull(GraphQLList(GraphQLNonNull(of)))

    return {
        "twin": GraphQLField(
            twin,
            {"id": GraphQLArgument(GraphQLNonNull(GraphQLID))},
            _twin,
            _watch_twin,
            description="A twin, now and after each change of it, its values or its alarms.",
        ),
        "values": GraphQLField(
            several(value),
            {
                "twins": GraphQLArgument(GraphQLNonNull(ids)),
                "properties": GraphQLArgument(names),
            },
            _values,
            _watch_values,
            description="The newest values, then those that changed.",
        ),
        "alarms": GraphQLField(
            several(JSON),
            {"twin": GraphQLArgument(GraphQLID)},
            _alarms,
            _watch_alarms,
            description="The active alarms, then those that changed.",
        ),
    }


# ---- a twin ----------------------------------------------------------------------------------


def _watch_twin(_: object, info: Info, id: str) -> AsyncIterator[str]:
    watching = _watching(info)
    watching.platform.graph.twin(id)
    return _twin_feed(watching, id)


async def _twin_feed(watching: Watching, id: str) -> AsyncIterator[str]:
    before = ""
    async for found in watching.rounds([id]):
        twin = watching.platform.graph.find_twin(id)
        etag = "" if twin is None else twin.etag
        is_alarm = any(alarm.get("twin") == id for alarm in found.alarms)
        if found.is_whole or found.series or is_alarm or etag != before:
            before = etag
            yield id
        if twin is None:
            return


def _twin(_: object, info: Info, id: str) -> Part | None:
    found = _watching(info).platform.graph.find_twin(id)
    return None if found is None else Part(found)


# ---- values ----------------------------------------------------------------------------------


def _watch_values(
    _: object, info: Info, twins: list[str], properties: list[str] | None = None
) -> AsyncIterator[list[int]]:
    watching = _watching(info)
    if not 1 <= len(twins) <= MOST_TWINS:
        raise InvalidInput(f"twins: {len(twins)}", hint=f"1 to {MOST_TWINS}")
    for one in twins:
        watching.platform.graph.twin(one)
    return _value_feed(watching, list(dict.fromkeys(twins)), properties)


async def _value_feed(
    watching: Watching, twins: list[str], properties: list[str] | None
) -> AsyncIterator[list[int]]:
    async for found in watching.rounds(twins, properties):
        state = watching.platform.state
        rows = [n for n in found.series if n < len(state.time) and state.time[n]]
        for start in range(0, len(rows), LARGEST_PAGE):
            yield rows[start : start + LARGEST_PAGE]


def _values(rows: list[int], info: Info, **_: Any) -> list[Json]:
    platform = _watching(info).platform
    keys = platform.series.keys
    found = []
    for number in rows:
        key = keys[number]
        twin = platform.graph.find_twin(key.twin)
        if twin is None or platform.series.find(key.twin, key.path, key.provenance) is None:
            continue
        signal = platform.catalogue.signals.of(twin.model).get(key.path)
        last = platform.state.get(number)
        if last is None:
            continue
        is_uncertain = "uncertain" if last.quality else "good"
        found.append(
            {
                "twin": key.twin,
                "property": key.path,
                "value": typed(last.value, last.text, signal.schema.kind if signal else "double"),
                "time": to_iso(last.time),
                "quality": "bad" if is_bad(last.quality) else is_uncertain,
                "unit": symbol(signal.unit) if signal and signal.unit else "",
                "provenance": key.provenance,
            }
        )
    return found


# ---- alarms ----------------------------------------------------------------------------------


def _watch_alarms(_: object, info: Info, twin: str | None = None) -> AsyncIterator[list[Json]]:
    watching = _watching(info)
    watching.require("alarms:read")
    if twin is not None:
        watching.platform.graph.twin(twin)
    return _alarm_feed(watching, twin)


async def _alarm_feed(watching: Watching, twin: str | None) -> AsyncIterator[list[Json]]:
    async for found in watching.rounds([]):
        alarms = [one for one in found.alarms if twin in (None, one.get("twin"))]
        if found.is_whole:
            book = watching.platform.reactions.alarms
            alarms = list(book.find(state="active", twin=twin, limit=LARGEST_PAGE))
        alarms = watching.shown(alarms)
        if alarms or found.is_whole:
            for start in range(0, max(len(alarms), 1), LARGEST_PAGE):
                yield alarms[start : start + LARGEST_PAGE]


def _alarms(alarms: list[Json], info: Info, **_: Any) -> list[Json]:
    return _watching(info).shown(alarms)
