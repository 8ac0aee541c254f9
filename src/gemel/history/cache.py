"""The blocks that were decoded last, so that neighbours on one page do not decode them again."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Generic, TypeAlias, TypeVar

BlockKey: TypeAlias = tuple[str, int]
B = TypeVar("B")


class BlockCache(Generic[B]):
    """Keeps blocks up to a number of rows, dropping those unused for longest."""

    def __init__(self, rows: int) -> None:
        self._limit = rows
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

    def put(self, key: BlockKey, block: B, rows: int) -> None:
        if rows > self._limit:
            return
        with self._lock:
            if key in self._blocks:
                return
            self._blocks[key] = (block, rows)
            self._held += rows
            while self._held > self._limit:
                _, (_, dropped) = self._blocks.popitem(last=False)
                self._held -= dropped

    def drop(self, key: BlockKey) -> None:
        with self._lock:
            found = self._blocks.pop(key, None)
            if found is not None:
                self._held -= found[1]
