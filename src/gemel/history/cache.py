"""What was decoded last, so that neighbours on one page do not decode it again."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeAlias, TypeVar

if TYPE_CHECKING:
    from gemel.history.block import Block
    from gemel.history.index import Index
    from gemel.history.rollfile import RollBlock

BlockKey: TypeAlias = tuple[str, int]
B = TypeVar("B")


class BlockCache(Generic[B]):
    """Keeps blocks up to a number of rows (indexes: bytes), dropping those unused for longest."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._blocks: OrderedDict[BlockKey, tuple[B, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: BlockKey) -> B | None:
        with self._lock:
            found = self._blocks.get(key)
            if found is None:
                return None
            self._blocks.move_to_end(key)
            return found[0]

    def put(self, key: BlockKey, block: B, cost: int) -> None:
        if cost > self._limit:
            return
        with self._lock:
            if key in self._blocks:
                return
            self._blocks[key] = (block, cost)
            self._held += cost
            while self._held > self._limit:
                _, (_, dropped) = self._blocks.popitem(last=False)
                self._held -= dropped

    def drop(self, key: BlockKey) -> None:
        with self._lock:
            found = self._blocks.pop(key, None)
            if found is not None:
                self._held -= found[1]


class Caches(NamedTuple):
    """What the files of one history share."""

    blocks: BlockCache[Block]
    rolls: BlockCache[RollBlock]
    indexes: BlockCache[Index]
