"""Who changed what and why, and what is different between two moments."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from gemel.app.audit import withheld
from gemel.app.catalogue import CONTAINS
from gemel.app.past import Moment
from gemel.app.values import typed
from gemel.backends import past as store
from gemel.core.clock import to_iso
from gemel.core.document import Json
from gemel.core.errors import InvalidInput, NotFound
from gemel.core.series import MEASURED
from gemel.twins.difference import act_of, differences
from gemel.twins.graph import Graph
from gemel.twins.records import Link

if TYPE_CHECKING:
    from gemel.app.past import Then
    from gemel.app.platform import Platform

KINDS = (
    "model",
    "twin",
    "relationship",
    "rule",
    "settings",
    "binding",
    "service",
    "kpi",
    "scene",
    "philosophy",
)
"""What may be compared: what the plant is, not who may do what with it."""
OF_TWINS = frozenset({"twin", "relationship"})


async def history(platform: Platform, twin: str, before: int, limit: int) -> Json:
    """A page of the edits of a twin and of its outgoing relationships, newest first.

    Args:
        before: only edits with smaller numbers; 0 is all.

    Returns:
        `value`, and `cursor`: the number before which the next page begins, None on the last.

    Raises:
        NotFound: there never was such a twin.
    """
    found = await asyncio.to_thread(
        store.steps,
        platform.documents.path,
        [("twin", twin)],
        [("relationship", f"{twin}\n", f"{twin}\x0b")],
        before - 1 if before else 0,
        limit,
    )
    if not found and not before:
        raise NotFound(
            f"there never was a twin '{twin}'",
            hint="ids are case-sensitive; GET /twins lists those there are",
            code="DigitalTwinNotFound",
        )
    rows = [row for step in found if (row := _edit(platform, step)) is not None]
    return {"value": rows, "cursor": found[-1].seq if len(found) == limit else None}


def _edit(platform: Platform, step: store.Step) -> Json | None:
    """One edit as far as it may be seen; None if nothing of it may."""
    seen = _seen(platform, step.kind, step.key, step.before, step.doc)
    if seen is None:
        return None
    old, new = seen
    return {
        "seq": step.seq,
        "time": to_iso(step.time),
        "who": step.who,
        "why": step.why,
        "kind": step.kind,
        "key": step.key.rsplit("\n", 1)[-1],
        "act": act_of(old, new),
        "changes": [one.view() for one in differences(old, new)],
        "doc": new,
    }


def _seen(
    platform: Platform, kind: str, key: str, before: Json | None, after: Json | None
) -> tuple[Json | None, Json | None] | None:
    """A document before and after as far as it may be seen; None if no change of it may."""
    old, new = platform.shown(kind, key, before), platform.shown(kind, key, after)
    if old is before and new is after:
        return old, new
    return (old, new) if differences(old, new) else None


async def between(platform: Platform, begin: int, end: int, wanted: Wanted) -> Json:
    """Every document that is not the same at two moments, with the edits that did it."""
    for kind in wanted.kinds:
        if kind not in KINDS:
            raise InvalidInput(
                f"kind: '{kind[:40]}' is not known", hint="one of " + ", ".join(KINDS)
            )
    kinds = wanted.kinds or (tuple(OF_TWINS) if wanted.twin else KINDS)
    found, edited = await asyncio.to_thread(
        store.differences, platform.documents.path, kinds, begin, end, wanted.limit
    )
    if wanted.twin:
        members = await _subtree(platform, wanted.twin, (begin, end))
        found = [one for one in found if _is_of(one, members)]
    seen = [one for found_one in found if (one := _seen_of(platform, found_one)) is not None]
    return {
        "from": to_iso(begin),
        "to": to_iso(end),
        "value": [_view(one) for one in seen],
        "edited": edited if len(seen) == len(found) else len(seen),
        "isComplete": edited <= wanted.limit,
    }


def _seen_of(platform: Platform, found: store.Difference) -> store.Difference | None:
    """A difference as far as it may be seen; who made it is told where all of it may be."""
    seen = _seen(platform, found.kind, found.key, found.before, found.after)
    if seen is None:
        return None
    is_whole = seen[0] is found.before and seen[1] is found.after
    return found._replace(before=seen[0], after=seen[1], steps=found.steps if is_whole else [])


class Wanted:
    """Which documents are compared."""

    def __init__(self, kinds: Iterable[str] = (), twin: str = "", limit: int = 1_000) -> None:
        self.kinds = tuple(kinds)
        self.twin = twin
        """Only this twin and all that it contains, at either moment."""
        self.limit = limit


def _is_of(found: store.Difference, twins: set[str]) -> bool:
    if found.kind == "relationship":
        target = (found.after or found.before or {}).get("$targetId")
        return found.key.split("\n", 1)[0] in twins or target in twins
    return found.key in twins


def _view(found: store.Difference) -> Json:
    before, after = withheld(found.before), withheld(found.after)
    source, _, rest = found.key.partition("\n")
    return {
        "kind": found.kind,
        "key": rest or source,
        **({"source": source} if rest else {}),
        "act": act_of(before, after),
        "changes": [one.view() for one in differences(before, after)],
        "edits": [
            {"seq": seq, "time": to_iso(time), "who": who, "why": why}
            for seq, time, who, why in found.steps
        ],
    }


async def _subtree(platform: Platform, root: str, moments: tuple[int, int]) -> set[str]:
    """A twin and what it contains, at any of some moments."""
    found: set[str] = set()
    for at in moments:
        graph = (await platform.moments.then(Moment(at))).graph
        waiting = [root] if graph.find_twin(root) else []
        while waiting:
            twin = waiting.pop()
            if twin not in found:
                found.add(twin)
            waiting += [
                t for t, name in graph.targets_of(twin) if name == CONTAINS and t not in found
            ]
    if not found:
        raise NotFound(
            f"there was no twin '{root}' at either moment",
            hint="GET /twins/{id}/changes says when it was made and deleted",
            code="DigitalTwinNotFound",
        )
    return found


async def of_twin(platform: Platform, twin: str, begin: int, end: int) -> Json:
    """What is different of one twin between two moments: properties, relationships, values."""
    old = await platform.moments.then(Moment(begin))
    new = await platform.moments.then(Moment(end))
    before, after = old.graph.find_twin(twin), new.graph.find_twin(twin)
    if before is None and after is None:
        raise NotFound(
            f"there was no twin '{twin}' at either moment",
            hint="GET /twins/{id}/changes says when it was made and deleted",
            code="DigitalTwinNotFound",
        )
    shown = [then.engine.view(t) if t else None for then, t in ((old, before), (new, after))]
    for doc in shown:
        if doc is not None:
            doc.pop("$etag")
    act = "same" if shown[0] == shown[1] else act_of(*shown)
    return {
        "twin": twin,
        "from": to_iso(begin),
        "to": to_iso(end),
        "act": act,
        "changes": [one.view() for one in differences(*shown)],
        "relationships": _links(old.graph, new.graph, twin),
        "values": _values(platform, old, new, twin),
    }


def _links(old: Graph, new: Graph, twin: str) -> list[Json]:
    def links(graph: Graph) -> dict[str, Link]:
        return {link.key: link for link in graph.outgoing(twin) + graph.incoming(twin)}

    before, after = links(old), links(new)
    found = []
    for key in sorted(before.keys() | after.keys()):
        views = [
            None if link is None else link.view() for link in (before.get(key), after.get(key))
        ]
        for view in views:
            if view is not None:
                view.pop("$etag")
        if views[0] != views[1]:
            one = views[1] or views[0] or {}
            changes = [d.view() for d in differences(*views)] if None not in views else []
            found.append({**one, "act": act_of(*views), "changes": changes})
    return found


def _values(platform: Platform, old: Then, new: Then, twin: str) -> list[Json]:
    """Telemetry at the two moments, where its value is not the same."""
    found = []
    for number in platform.series.of_twin(twin):
        key = platform.series.keys[number]
        if key.provenance != MEASURED:
            continue
        kind = platform.catalogue.kind_of(twin, key.path)
        values: list[Json | None] = []
        for then in (old, new):
            last = then.values.get(number)
            values.append(
                None
                if last is None
                else {"value": typed(last.value, last.text, kind), "time": to_iso(last.time)}
            )
        before, after = values
        if (before or {}).get("value") != (after or {}).get("value"):
            found.append({"path": key.path, "before": before, "after": after})
    return found
