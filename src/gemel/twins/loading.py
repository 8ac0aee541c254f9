"""Takes in millions of stored twins and relationships at the start: few steps for each, no checks.

The rows are edits in their order, of each document the newest and maybe older ones; nothing of what
they say is in the graph yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from operator import itemgetter

import numpy as np
import orjson

from gemel.core.batch import I64
from gemel.core.document import Encoded
from gemel.core.errors import Damaged
from gemel.twins.adjacency import Adjacency
from gemel.twins.records import LINK_FIELDS, Link, Twin, make_twin, rest_of

PIECE = 1_000
FIELDS = itemgetter("$relationshipId", "$sourceId", "$targetId", "$relationshipName")
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
            if encoded is None:
                twins.pop(key, None)
            else:
                twins[key] = make_twin(key, loads(encoded), etag, encoded)
    except UNUSABLE as error:
        raise unusable("twin", key, error) from error


def load_links(
    rows: Iterable[Encoded], twins: dict[str, Twin], outgoing: Adjacency, incoming: Adjacency
) -> None:
    """Adds stored relationships; their twins are there.

    Cost: 2 us a row.

    Raises:
        Damaged: a document is not what this program writes.
    """
    read, hashes = list[Link | str](), [np.empty(0, np.int64)]
    owned, rows = _Owned(twins), iter(rows)
    while piece := list(islice(rows, PIECE)):
        keys, docs, etags = zip(*piece, strict=True)
        hashes.append(np.fromiter(map(hash, keys), np.int64, len(keys)))
        try:
            read += _links(docs, etags, owned)
        except UNUSABLE:  # or one of them deleted its document
            for key, encoded, etag in piece:
                read.append(key if encoded is None else _link(key, encoded, etag, owned))
    links = _newest(read, np.concatenate(hashes))
    outgoing.add_many([link.source for link in links], links)
    incoming.add_many([link.target for link in links], links)


class _Owned(dict[str, str]):
    """The string that a twin itself holds, for all its relationships to share; by equal ones.

    Names of relationships are shared too, and what is not there.
    """

    def __init__(self, twins: dict[str, Twin]) -> None:
        self._twins = twins

    def __missing__(self, twin_id: str) -> str:
        found = self._twins.get(twin_id)
        own = self[twin_id] = twin_id if found is None else found.id
        return own


def _links(docs: Sequence[bytes], etags: Sequence[str], own: Mapping[str, str]) -> Iterator[Link]:
    """Relationships of documents; fails if one of these is not one, or is None."""
    read = orjson.loads(b"[" + b",".join(docs) + b"]")
    ids, sources, targets, names = zip(*map(FIELDS, read), strict=True)
    usual = len(LINK_FIELDS)
    rests = [None if len(doc) == usual else rest_of(doc) for doc in read]
    own_of = own.__getitem__
    return map(
        Link, map(own_of, sources), ids, map(own_of, names), map(own_of, targets), etags, rests
    )


def _link(key: str, encoded: bytes, etag: str, own: Mapping[str, str]) -> Link:
    try:
        (link,) = _links([encoded], [etag], own)
    except UNUSABLE as error:
        raise unusable("relationship", key, error) from error
    return link


def _newest(read: list[Link | str], hashes: I64) -> list[Link]:
    """Of each relationship the last, unless that is but its key: then it was deleted."""
    order = np.sort(hashes)
    twice = np.unique(order[1:][order[1:] == order[:-1]])
    last: dict[str, int] = {}
    repeated = np.flatnonzero(np.isin(hashes, twice)).tolist() if len(twice) else []
    for number in repeated:
        link = read[number]
        last[link if isinstance(link, str) else link.key] = number
    old = set(repeated).difference(last.values())
    return [
        link for number, link in enumerate(read) if number not in old and isinstance(link, Link)
    ]
