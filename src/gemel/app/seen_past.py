"""The past as policies let somebody see it: of what may be read now, as it was then.

What is not there any more is hidden: no policy of now can say who may see it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from gemel.app.past import Moment, Moments, Then, no_twin
from gemel.app.policies import Sight
from gemel.app.seen_alarms import alarm_shown
from gemel.core.document import Json
from gemel.core.policy import READ, Mask
from gemel.twins.dtdl.interface import Interface
from gemel.twins.graph import Graph
from gemel.twins.past import Past
from gemel.twins.query.reading import Live
from gemel.twins.query.run import Engine
from gemel.twins.records import Link, ModelRecord, Twin, make_twin

if TYPE_CHECKING:
    from gemel.app.seen import Seen


def redacted(twin: Twin, mask: Mask) -> Twin:
    """A twin without the values that a mask hides."""
    return make_twin(twin.id, without(twin.doc, mask), twin.etag)


def without(doc: Json, mask: Mask, prefix: str = "") -> Json:
    """A twin's document without the values that a mask hides."""
    found: Json = {}
    for name, value in doc.items():
        path = prefix + name
        if name == "$metadata":
            found[name] = {
                n: v for n, v in value.items() if n.startswith("$") or mask.allows(prefix + n)
            }
        elif name == "$desired":
            found[name] = {n: v for n, v in value.items() if mask.allows(n)}
        elif isinstance(value, dict) and "$metadata" in value:
            found[name] = without(value, mask, f"{path}.")
        elif name.startswith("$") or mask.allows(path):
            found[name] = value
    return found


class SeenPast(Graph):
    """A graph of then, with what of the graph of now may be seen."""

    def __init__(self, past: Past, seen: Seen) -> None:
        super().__init__()
        self._past = past
        self._seen = seen
        self._redacted: dict[str, tuple[Twin, Twin]] = {}
        """By id: a twin of then, and what may be seen of it."""

    def model_ids(self) -> Iterable[str]:
        return self._past.model_ids()

    def find_model(self, model_id: str) -> Interface | None:
        return self._past.find_model(model_id)

    def find_record(self, model_id: str) -> ModelRecord | None:
        return self._past.find_record(model_id)

    def find_twin(self, twin_id: str) -> Twin | None:
        then, now = self._past.find_twin(twin_id), self._seen.graph.find_twin(twin_id)
        if then is None or now is None:
            return None
        if then is self._seen.real.graph.find_twin(twin_id):
            return now  # nobody edited it since: so columns of now hold for it
        known = self._redacted.get(twin_id)
        if known is None or known[0] is not then:
            mask = self._seen.sight.mask(READ, twin_id)
            known = (then, then if mask.is_whole else redacted(then, mask))
            self._redacted[twin_id] = known
        return known[1]

    def all_twins(self) -> Mapping[str, Twin]:
        there = self._past.all_twins()
        found = ((key, self.find_twin(key)) for key in self._seen.graph.twins if key in there)
        return {key: twin for key, twin in found if twin is not None}

    def _is_seen(self, link: Link) -> bool:
        return (
            self.find_twin(link.source) is not None
            and self.find_twin(link.target) is not None
            and self._seen.sight.allows(READ, link.source, link.name)
        )

    def find_relationship(self, source: str, relationship: str) -> Link | None:
        link = self._past.find_relationship(source, relationship)
        return link if link is not None and self._is_seen(link) else None

    def outgoing(self, twin_id: str) -> list[Link]:
        return list(filter(self._is_seen, self._past.outgoing(twin_id)))

    def incoming(self, twin_id: str) -> list[Link]:
        return list(filter(self._is_seen, self._past.incoming(twin_id)))

    def sources(self) -> list[str]:
        return [twin for twin in self._past.sources() if self.find_twin(twin) is not None]


class SeenMoments:
    """What stands in for `Moments` where policies name who asks."""

    def __init__(self, real: Moments, seen: Seen) -> None:
        self._real = real
        self._seen = seen

    def moment(self, at: int | None, recorded: int | None) -> Moment | None:
        return self._real.moment(at, recorded)

    async def then(self, moment: Moment) -> Then:
        """The platform as of a moment, looked at anew for each question: policies may change."""
        real = await self._real.then(moment)
        graph = SeenPast(cast(Past, real.graph), self._seen)
        series = cast(Any, self._seen.series)
        is_alike = not cast(Past, real.graph).has_other_models
        nearby = self._seen.queries.engine if is_alike else None
        return Then(
            moment, graph, real.values, Engine(graph, Live(series, real.values), nearby=nearby)
        )

    async def twin(self, twin_id: str, moment: Moment) -> tuple[Twin, Json]:
        """A twin as of a moment, and as the data plane showed it then.

        Raises:
            NotFound: there was none, or it may not be read now.
        """
        then = await self.then(moment)
        found = then.graph.find_twin(twin_id)
        if found is None:
            raise no_twin(twin_id, moment)
        return found, then.engine.view(found)

    async def alarms(self, moment: Moment, state: str, twin: str | None, limit: int) -> list[Json]:
        """The list of alarms as it was, of twins all of which may be read now."""
        found = await self._real.alarms(moment, state, twin, 1 << 31)
        sight, twins = self._seen.sight, self._seen.graph.twins
        seen = [doc for doc in found if doc["twin"] in twins and sight.covers(READ, doc["twin"])]
        return [alarm_shown(sight, doc) for doc in seen[:limit]]


PLANT = frozenset({"model", "rule", "settings", "philosophy"})
"""Kinds of documents that are the plant's, and not hidden."""


def shown(sight: Sight, graph: Graph, kind: str, key: str, doc: Json) -> Json | None:
    """What may be seen of a document, of any time; None if nothing."""
    if kind == "twin":
        mask = sight.mask(READ, key)
        if key not in graph.twins:
            return None
        return doc if mask.is_whole else without(doc, mask)
    if kind == "relationship":
        source = key.split("\n", 1)[0]
        is_seen = source in graph.twins and doc["$targetId"] in graph.twins
        return doc if is_seen and sight.allows(READ, source, doc["$relationshipName"]) else None
    return doc if kind in PLANT else None
