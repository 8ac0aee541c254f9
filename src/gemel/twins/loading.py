"""Takes in millions of stored twins and relationships at the start: few steps for each, no checks.

The rows are those of the store, in order of key, and none of what they say is in the graph yet.
"""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from gemel.core.document import Encoded
from gemel.core.errors import Damaged
from gemel.twins.adjacency import MOST_IN_TUPLE, Adjacency
from gemel.twins.records import LINK_FIELDS, Link, Twin, make_twin, rest_of

UNUSABLE = (KeyError, TypeError, ValueError, AttributeError)
"""What reading a document that this program did not write comes to."""


def unusable(kind: str, key: str, error: Exception) -> Damaged:
    return Damaged(
        f"the stored {kind} '{key}' cannot be used: {error!r}",
        hint="restore a backup, or delete that document",
    )


def load_twins(rows: Iterable[Encoded], twins: dict[str, Twin]) -> None:
    """Adds stored twins.

    Raises:
        Damaged: a document is not what this program writes.
    """
    loads, key = orjson.loads, ""
    try:
        for key, encoded, etag in rows:
            twins[key] = make_twin(key, loads(encoded), etag, encoded)
    except UNUSABLE as error:
        raise unusable("twin", key, error) from error


def load_links(
    rows: Iterable[Encoded], twins: dict[str, Twin], outgoing: Adjacency, incoming: Adjacency
) -> None:
    """Adds stored relationships, those of one source after each other; their twins are there.

    Cost: 3 us a row; looking up a target at random among millions is most of it.

    Raises:
        Damaged: a document is not what this program writes.
    """
    loads, at_target, names, key = orjson.loads, incoming.by_twin, dict[str, str](), ""
    named, source, near = "", "", list[Link]()
    usual = len(LINK_FIELDS)
    try:
        for key, encoded, etag in rows:  # noqa: B007 - to name it
            doc = loads(encoded)
            if doc["$sourceId"] != named:
                outgoing.add_all(source, near)
                named, near = doc["$sourceId"], []
                source = twins[named].id if named in twins else named
            name, target = doc["$relationshipName"], doc["$targetId"]
            there = at_target.get(target)
            if there is None:  # else the one that is there has the string to share
                target = twins[target].id if target in twins else target
            else:
                first = there[0] if isinstance(there, tuple) else next(iter(there.values()))
                target = first.target
            link = Link(
                source,
                doc["$relationshipId"],
                names.get(name) or names.setdefault(name, name),
                target,
                etag,
                None if len(doc) == usual else rest_of(doc),
            )
            near.append(link)
            if there is None:
                at_target[target] = (link,)
            elif isinstance(there, tuple) and len(there) < MOST_IN_TUPLE:
                at_target[target] = there + (link,)  # noqa: RUF005 - see Adjacency.add
            else:
                incoming.add(target, link)
        outgoing.add_all(source, near)
    except UNUSABLE as error:
        raise unusable("relationship", key, error) from error
