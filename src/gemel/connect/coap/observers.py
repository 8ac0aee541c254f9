"""Who observes what (RFC 7641): relations, and what each was last told."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from gemel.connect.coap.limits import Limits
from gemel.connect.coap.outgoing import Address
from gemel.connect.coap.resources import Shown
from gemel.core.access import Principal


class Order(NamedTuple):
    """A command on its way to one observer."""

    topic: str
    name: str
    id: str
    arguments: bytes
    """JSON."""
    until: float
    """When it is not sent any more."""


@dataclass(slots=True, eq=False)
class Relation:
    """One observer of one thing."""

    address: Address
    token: bytes
    what: Shown
    who: Principal
    format: int
    block: int
    """Exponent of the largest block it takes."""
    number: int = -1
    """Of the last notification that it may still reject."""
    is_pending: bool = False
    """Whether a notification waits for its confirmation."""
    sent: float = 0.0
    confirmed: float = 0.0
    body: bytes = b""
    """What it was last told; further blocks of it may be asked for."""
    orders: deque[Order] = field(default_factory=deque)
    told: list[Order] = field(default_factory=list)
    """The commands in the notification that waits for its confirmation."""

    @property
    def key(self) -> tuple[Address, bytes]:
        return self.address, self.token


class Observers:
    """All relations."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._by_key: dict[tuple[Address, bytes], Relation] = {}
        self._by_topic: dict[str, list[Relation]] = {}
        self._by_number: dict[tuple[Address, int], Relation] = {}
        self._of: dict[Address, int] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def __iter__(self) -> Iterator[Relation]:
        return iter(list(self._by_key.values()))

    def of(self, topic: str) -> list[Relation]:
        """In the order in which they were begun, or renewed."""
        return list(self._by_topic.get(topic, ()))

    def find(self, address: Address, token: bytes) -> Relation | None:
        return self._by_key.get((address, token))

    def has(self, address: Address) -> bool:
        return address in self._of

    def has_room(self, address: Address) -> bool:
        each, limits = self._of.get(address, 0), self._limits
        return each < limits.observers_each and len(self._by_key) < limits.observers

    def add(self, relation: Relation) -> None:
        self._by_key[relation.key] = relation
        self._by_topic.setdefault(relation.what.topic, []).append(relation)
        self._of[relation.address] = self._of.get(relation.address, 0) + 1

    def renew(self, relation: Relation) -> None:
        """Makes a relation the newest of its thing."""
        found = self._by_topic[relation.what.topic]
        found.remove(relation)
        found.append(relation)

    def remove(self, relation: Relation) -> bool:
        """Whether it was there."""
        if self._by_key.get(relation.key) is not relation:
            return False
        del self._by_key[relation.key]
        self._by_number.pop((relation.address, relation.number), None)
        left = self._by_topic[relation.what.topic]
        left.remove(relation)
        if not left:
            del self._by_topic[relation.what.topic]
        count = self._of[relation.address] - 1
        if count:
            self._of[relation.address] = count
        else:
            del self._of[relation.address]
        return True

    def sent(self, relation: Relation, number: int) -> None:
        """The last notification has this number: a reset with it ends the relation."""
        self._by_number.pop((relation.address, relation.number), None)
        relation.number = number
        self._by_number[relation.address, number] = relation

    def rejected(self, address: Address, number: int) -> Relation | None:
        """Whose last notification a reset is for."""
        return self._by_number.get((address, number))

    def asked(self, address: Address, what: Shown) -> Relation | None:
        """A relation of an address to a thing: whose further blocks are asked for."""
        for relation in self._by_topic.get(what.topic, ()):
            if relation.address == address and relation.what == what:
                return relation
        return None
