"""Who gets a topic: subscriptions merged per session, shared groups in turn, cached by topic."""

from __future__ import annotations

from collections.abc import Sequence

from gemel.connect.mqtt.session import Session, Subscription
from gemel.connect.mqtt.topics import FilterTree, split_shared

_CACHED = 65_536


class Target:
    """What one session gets of a topic: the highest QoS of its filters that match."""

    __slots__ = ("foreign", "identifiers", "qos", "retain_as_published", "session")

    def __init__(self, session: Session, subscriptions: Sequence[Subscription]) -> None:
        self.session = session
        self.qos = max(s.qos for s in subscriptions)
        self.identifiers = tuple(s.identifier for s in subscriptions if s.identifier)
        self.retain_as_published = any(s.retain_as_published for s in subscriptions)
        self.foreign: Target | None = self
        """What it gets of its own messages: filters with no-local do not count then."""
        if any(s.no_local for s in subscriptions):
            own = [s for s in subscriptions if not s.no_local]
            self.foreign = Target(session, own) if own else None

    def choose(self, publisher: Session | None) -> Target | None:
        return self.foreign if publisher is self.session else self


class SharedGroup:
    """The members of one shared subscription, who take turns."""

    __slots__ = ("_turn", "members")

    def __init__(self) -> None:
        self.members: dict[Session, Target] = {}
        self._turn = 0

    def choose(self, publisher: Session | None) -> Target | None:
        """The next member that is connected and not behind, else any connected, else any."""
        members = list(self.members.values())
        if not members:
            return None
        self._turn += 1
        start = self._turn % len(members)
        order = members[start:] + members[:start]
        for target in order:
            link = target.session.link
            if link is not None and link.is_writable and not target.session.is_backlogged:
                return target
        for target in order:
            if target.session.link is not None:
                return target
        return order[0]


class Routes:
    def __init__(self) -> None:
        self._tree: FilterTree[Subscription | SharedGroup] = FilterTree()
        self._groups: dict[tuple[str, str], SharedGroup] = {}
        self._cache: dict[str, Sequence[Target | SharedGroup]] = {}
        self.count = 0

    def __bool__(self) -> bool:
        return self._tree.count > 0

    def add(self, subscription: Subscription) -> None:
        """Files a subscription, in place of the one that this session had under its filter."""
        self._cache.clear()
        session = subscription.session
        group, topic_filter = split_shared(subscription.topic_filter)
        if not group:
            before = self._tree.count
            self._tree.put(topic_filter, session, subscription)
            self.count += self._tree.count - before
            return
        shared = self._groups.get((group, topic_filter))
        if shared is None:
            shared = self._groups[group, topic_filter] = SharedGroup()
            self._tree.put(topic_filter, group, shared)
        self.count += session not in shared.members
        shared.members[session] = Target(session, [subscription])

    def remove(self, subscription: Subscription) -> None:
        self._cache.clear()
        session = subscription.session
        group, topic_filter = split_shared(subscription.topic_filter)
        if not group:
            before = self._tree.count
            self._tree.remove(topic_filter, session)
            self.count -= before - self._tree.count
            return
        shared = self._groups.get((group, topic_filter))
        if shared is None or shared.members.pop(session, None) is None:
            return
        self.count -= 1
        if not shared.members:
            del self._groups[group, topic_filter]
            self._tree.remove(topic_filter, group)

    def find(self, topic: str) -> Sequence[Target | SharedGroup]:
        found = self._cache.get(topic)
        if found is None:
            if len(self._cache) >= _CACHED:
                self._cache.clear()
            found = self._cache[topic] = self._compile(topic)
        return found

    def _compile(self, topic: str) -> Sequence[Target | SharedGroup]:
        merged: dict[Session, list[Subscription]] = {}
        targets: list[Target | SharedGroup] = []
        for found in self._tree.match(topic):
            if isinstance(found, SharedGroup):
                targets.append(found)
            else:
                merged.setdefault(found.session, []).append(found)
        targets += [Target(session, subscriptions) for session, subscriptions in merged.items()]
        return tuple(targets)
