"""Takes in millions of stored twins and relationships at the start: few steps for each, no checks.

What comes are edits in their order, of each document the newest and maybe older ones; nothing of
what they say is in the graph yet.
"""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from gemel.core.document import Encoded
from gemel.core.errors import Damaged
from gemel.twins.records import Twin, make_twin
from gemel.twins.shelf import Columns, Shelf, Side, Twins

UNUSABLE = (KeyError, TypeError, ValueError, AttributeError)
"""What reading a document that this program did not write comes to."""


def unusable(kind: str, key: str, error: Exception) -> Damaged:
    return Damaged(
        f"the stored {kind} '{key}' cannot be used: {error!r}",
        hint="restore a backup, or delete that document",
    )


def load_twins(pieces: Iterable[Encoded], twins: dict[str, Twin]) -> None:
    """Adds stored twins.

    Cost: 4 us a row of 300 bytes, most of it reading its JSON.

    Raises:
        Damaged: a document is not what this program writes.
    """
    loads, key = orjson.loads, ""
    try:
        for piece in pieces:
            for key, encoded, etag in piece.each():
                if encoded is None:
                    twins.pop(key, None)
                else:
                    twins[key] = make_twin(key, loads(encoded), etag, encoded)
    except UNUSABLE as error:
        raise unusable("twin", key, error) from error


def load_links(pieces: Iterable[Encoded], twins: dict[str, Twin]) -> tuple[Side, Side]:
    """Reads stored relationships; their twins are there.

    Cost: 2 us a row.

    Returns:
        Them by their sources and by their targets.

    Raises:
        Damaged: a document is not what this program writes.
    """
    numbers = Twins(twins)
    columns = Columns(numbers)
    for piece in pieces:
        try:
            columns.add(piece.keys, piece.docs, piece.etags)
        except UNUSABLE:  # one that is damaged, or a deletion
            _add_singly(columns, piece)
    columns.finish()
    shelf = Shelf(numbers, columns)
    return Side(shelf, columns.sources), Side(shelf, columns.targets)


def _add_singly(columns: Columns, piece: Encoded) -> None:
    for key, encoded, etag in piece.each():
        if encoded is None:
            columns.drop(key)
            continue
        try:
            columns.add([key], b"[%b]" % encoded, [etag])
        except UNUSABLE as error:
            raise unusable("relationship", key, error) from error
