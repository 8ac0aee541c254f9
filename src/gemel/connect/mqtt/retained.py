"""Retained messages: the last one of each topic, kept in the store, with an end to their number."""

from __future__ import annotations

from gemel.connect.mqtt.journal import Journal, encode_message
from gemel.connect.mqtt.limits import Limits
from gemel.connect.mqtt.session import Counters, Delivery
from gemel.connect.mqtt.topics import TopicTree


class Retained:
    def __init__(self, limits: Limits, journal: Journal, counters: Counters) -> None:
        self._tree: TopicTree[Delivery] = TopicTree()
        self._limits = limits
        self._journal = journal
        self._counters = counters
        self._expiring: dict[str, int] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._tree)

    def keep(self, delivery: Delivery) -> None:
        """Takes the place of the topic's last one; an empty payload ends it."""
        topic = delivery.topic
        if not delivery.payload:
            if self._remove(topic):
                self._journal.delete("retained", topic)
            return
        known = self._tree.get(topic)
        grown = self._bytes + delivery.size - (known.size if known else 0)
        if grown > self._limits.retained_bytes or (
            known is None and len(self._tree) >= self._limits.retained
        ):
            self._counters.retained_refused += 1
            return
        self.restore(topic, delivery)
        self._journal.put(
            "retained",
            topic,
            encode_message(
                topic,
                delivery.payload,
                delivery.qos << 1 | 1,
                1 if delivery.qos else 0,
                delivery.properties,
                delivery.expires,
            ),
        )

    def restore(self, topic: str, delivery: Delivery) -> None:
        known = self._tree.get(topic)
        self._bytes += delivery.size - (known.size if known else 0)
        self._tree.put(topic, delivery)
        if delivery.expires:
            self._expiring[topic] = delivery.expires
        else:
            self._expiring.pop(topic, None)

    def _remove(self, topic: str) -> bool:
        known = self._tree.remove(topic)
        if known is None:
            return False
        self._bytes -= known.size
        self._expiring.pop(topic, None)
        return True

    def match(self, topic_filter: str, now: int) -> list[Delivery]:
        return [
            delivery
            for delivery in self._tree.match(topic_filter)
            if not delivery.expires or delivery.expires > now
        ]

    def expire(self, now: int) -> None:
        for topic in [t for t, expires in self._expiring.items() if expires <= now]:
            self._counters.expired += 1
            self._remove(topic)
            self._journal.delete("retained", topic)
