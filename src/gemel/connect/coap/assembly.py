"""Long payloads that come block by block (RFC 7959, Block1)."""

from __future__ import annotations

from dataclasses import dataclass, field

from gemel.connect.coap.codec import Block
from gemel.connect.coap.limits import Limits
from gemel.connect.coap.words import EXCHANGE_LIFETIME, INCOMPLETE, TOO_LARGE, UNAVAILABLE


class Refusal(Exception):
    """A request that is not taken: the code to answer, and why."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code


@dataclass(slots=True)
class _Part:
    data: bytearray = field(default_factory=bytearray)
    touched: float = 0.0


Key = tuple[int, bytes]
"""The endpoint, and what its request asks for beside blocks."""


class Assembly:
    """The payloads that are not complete."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._parts: dict[Key, _Part] = {}
        self._of: dict[int, int] = {}
        self.held = 0
        """Bytes of all."""

    def add(self, key: Key, block: Block, payload: bytes, now: float) -> bytes | None:
        """Takes one block.

        Returns:
            The whole payload with its last block, None before.

        Raises:
            Refusal: it does not fit to what came before, or is too much.
        """
        part = self._begun(key) if block.at == 0 else self._parts.get(key)
        if part is None or len(part.data) != block.start:
            self._drop(key)
            raise Refusal(INCOMPLETE, "a block before this one is missing: begin anew with block 0")
        if block.is_more and len(payload) != block.size:
            self._drop(key)
            raise Refusal(INCOMPLETE, f"a block of {block.size} bytes has {len(payload)}")
        if len(part.data) + len(payload) > self._limits.payload_bytes:
            self._drop(key)
            raise Refusal(TOO_LARGE, f"more than {self._limits.payload_bytes:,} bytes")
        if self.held + len(payload) > self._limits.assembling_bytes:
            self._drop(key)
            raise Refusal(UNAVAILABLE, "too many payloads are incomplete; begin anew later")
        part.data += payload
        part.touched = now
        self.held += len(payload)
        if block.is_more:
            return None
        whole = bytes(part.data)
        self._drop(key)
        return whole

    def _begun(self, key: Key) -> _Part:
        self._drop(key)
        count = self._of.get(key[0], 0)
        if count >= self._limits.assemblies_each:
            raise Refusal(UNAVAILABLE, f"{count} payloads of this address are incomplete")
        self._of[key[0]] = count + 1
        part = self._parts[key] = _Part()
        return part

    def _drop(self, key: Key) -> None:
        part = self._parts.pop(key, None)
        if part is None:
            return
        self.held -= len(part.data)
        left = self._of[key[0]] - 1
        if left:
            self._of[key[0]] = left
        else:
            del self._of[key[0]]

    def expire(self, now: float) -> None:
        """Drops what nobody goes on with."""
        over = [k for k, part in self._parts.items() if now - part.touched > EXCHANGE_LIFETIME]
        for key in over:
            self._drop(key)
