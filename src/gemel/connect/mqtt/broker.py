"""The MQTT broker without I/O: sessions, routing, retained messages and wills.

Reading order: `connection` (one client's packets), `inbox` (the way inside and the
acknowledgements), `greeting` (CONNECT), `routes`, `session`, `retained`, `journal`, `storage`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from gemel.connect.mqtt.codec import encode, encode_ack
from gemel.connect.mqtt.connection import WILL, Connection
from gemel.connect.mqtt.greeting import admit, adopt, welcome
from gemel.connect.mqtt.inbox import Inbox
from gemel.connect.mqtt.journal import Journal
from gemel.connect.mqtt.limits import Limits
from gemel.connect.mqtt.packets import (
    Ack,
    Connect,
    Kind,
    Properties,
    Property,
    ProtocolError,
    Publish,
    Reason,
    SubAck,
    Subscribe,
    UnsubAck,
    Unsubscribe,
    WillMessage,
)
from gemel.connect.mqtt.retained import Retained
from gemel.connect.mqtt.routes import Routes
from gemel.connect.mqtt.session import (
    SECOND,
    Counters,
    Delivery,
    Session,
    Subscription,
    session_key,
)
from gemel.connect.mqtt.storage import Loader, session_row
from gemel.connect.mqtt.topics import check_filter, split_shared
from gemel.core.access import Principal
from gemel.core.clock import Clock
from gemel.core.message import Message
from gemel.core.ports import Host, MqttSessions

_CACHED_TOPICS = 4_096


def _nothing() -> None:
    return


class Broker:
    """All that the connections share; every method is called on one thread.

    Args:
        host: the platform.
        clock: wall clock in ns.
        limits: what one client may cost.
        wake: called when there is something to hand in, to commit or to write.
        delivered: called with (principal, topic) for each QoS 1 or 2 message that a
            subscriber acknowledged.
    """

    def __init__(
        self,
        host: Host,
        clock: Clock,
        limits: Limits,
        wake: Callable[[], None] = _nothing,
        delivered: Callable[[Principal, str], None] | None = None,
    ) -> None:
        self.host = host
        self.clock = clock
        self.limits = limits
        self.wake = wake
        self.delivered = delivered
        self.counters = Counters()
        self.journal = Journal(wake)
        self.sessions: dict[str, Session] = {}
        self.routes = Routes()
        self.retained = Retained(limits, self.journal, self.counters)
        self.dirty: list[Connection] = []
        self.inbox = Inbox(host, self.journal, self)
        self._absent: dict[str, Session] = {}
        self._sequence = 0

    def load(self, store: MqttSessions) -> None:
        """Takes back the sessions and retained messages of an earlier process."""
        now = self.clock()
        found = Loader(self.limits, self.journal, self.counters, now).load(store)
        self._sequence = found.sequence
        for session in found.sessions:
            self.sessions[session.key] = session
            self._absent[session.key] = session
            for subscription in session.subscriptions.values():
                self.routes.add(subscription)
        for topic, delivery in found.retained:
            self.retained.restore(topic, delivery)

    # -- routing -----------------------------------------------------------------------------

    def route(
        self,
        origin: Connection | Session | None,
        packet: Publish,
        now: int,
    ) -> int:
        """Gives a message to all subscribers; how many it went or was queued to."""
        flags, topic, _, payload, properties = packet
        expires = 0
        if properties and Property.MESSAGE_EXPIRY in properties:
            expires = now + properties[Property.MESSAGE_EXPIRY] * SECOND
        qos, is_retained = flags >> 1 & 3, bool(flags & 1)
        if is_retained:
            self.retained.keep(Delivery(topic, payload, qos, True, properties, expires))
        targets = self.routes.find(topic)
        if not targets:
            return 0
        delivery = Delivery(topic, payload, qos, is_retained, properties, expires)
        publisher = origin.session if isinstance(origin, Connection) else origin
        count = 0
        for target in targets:
            chosen = target.choose(publisher)
            if chosen is not None and self._may_receive(chosen.session, topic):
                self._sequence += 1
                count += chosen.session.offer(
                    delivery,
                    min(delivery.qos, chosen.qos),
                    delivery.retain and chosen.retain_as_published,
                    chosen.identifiers,
                    self._sequence,
                    now,
                )
        return count

    def _may_receive(self, session: Session, topic: str) -> bool:
        allowed = session.receivable.get(topic)
        if allowed is None:
            if len(session.receivable) >= _CACHED_TOPICS:
                session.receivable.clear()
            allowed = self.host.may_receive(session.who, topic)
            session.receivable[topic] = allowed
        return allowed

    def publish(
        self,
        topic: str,
        payload: bytes,
        qos: int = 0,
        retain: bool = False,
        properties: Properties | None = None,
    ) -> int:
        """A message of the platform itself, which need not be made durable by the host."""
        packet = Publish(qos << 1 | int(retain), topic, 0, payload, properties)
        return self.route(None, packet, self.clock())

    def listeners(self, topic: str) -> list[Principal]:
        """The principals of connected sessions that a message on this topic would reach."""
        found = []
        for target in self.routes.find(topic):
            chosen = target.choose(None)
            if chosen is None or chosen.session.link is None:
                continue
            if self._may_receive(chosen.session, topic):
                found.append(chosen.session.who)
        return found

    # -- packets of clients ------------------------------------------------------------------

    def connect(self, connection: Connection, packet: Connect) -> None:
        properties = packet.properties
        connection.version = packet.version
        connection.wants_problems = properties.get(Property.REQUEST_PROBLEM_INFO, 1) == 1
        who = admit(self, connection, packet)
        if who is None:
            return
        client_id = packet.client_id or f"auto-{secrets.token_hex(10)}"
        session, is_present = self._session(who, client_id, packet.clean)
        if session is None:
            connection.refuse(Reason.QUOTA_EXCEEDED, "too many sessions")
            return
        adopt(self.limits, connection, session, packet)
        connection.write(
            encode(welcome(self.limits, connection, packet, client_id, is_present), packet.version)
        )
        self._absent.pop(session.key, None)
        session.attach(connection, self.clock())
        if session.is_persistent:
            self.store(session)
        else:
            self._delete_rows(session)
        self.host.connected(who, client_id)

    def _session(self, who: Principal, client_id: str, clean: bool) -> tuple[Session | None, bool]:
        key = session_key(who, client_id)
        session = self.sessions.get(key)
        if session is not None and isinstance(session.link, Connection):
            self.counters.taken_over += 1
            self.end(session.link, "taken-over", Reason.SESSION_TAKEN_OVER, has_will=True)
            session = self.sessions.get(key)
        if session is not None and (clean or self._is_over(session, self.clock())):
            self.discard(session)
            session = None
        if session is not None:
            session.who = who
            return session, True
        if len(self.sessions) >= self.limits.sessions:
            return None, False
        session = Session(client_id, who, self.limits, self.journal, self.counters)
        self.sessions[key] = session
        return session, False

    def subscribe(self, connection: Connection, session: Session, packet: Subscribe) -> None:
        identifier = packet.properties.get(Property.SUBSCRIPTION_ID, 0)
        reasons = bytearray()
        added: list[tuple[Subscription, bool]] = []
        for name, options in packet.filters:
            reason = self._check_subscription(session, name, options)
            if reason < Reason.UNSPECIFIED:
                is_new = name not in session.subscriptions
                subscription = Subscription(session, name, options, identifier)
                session.subscriptions[name] = subscription
                self.routes.add(subscription)
                added.append((subscription, is_new))
            elif connection.version != 5:
                reason = Reason.UNSPECIFIED
            reasons.append(reason)
        if added:
            self.store(session)
        answer = encode(SubAck(packet.packet_id, bytes(reasons)), connection.version)
        self.journal.then(lambda error: self._subscribed(connection, answer, added, error))

    def _check_subscription(self, session: Session, name: str, options: int) -> int:
        """The QoS granted or the reason code of a refusal."""
        try:
            group, topic_filter = split_shared(name)
            check_filter(topic_filter)
        except ProtocolError as error:
            return error.reason
        if group and options & 4:
            raise ProtocolError("no-local on a shared subscription", Reason.PROTOCOL_ERROR)
        if not self.host.may_subscribe(session.who, topic_filter):
            self.counters.denied_subscribe += 1
            return Reason.NOT_AUTHORIZED
        count = len(session.subscriptions)
        if count >= self.limits.subscriptions and name not in session.subscriptions:
            return Reason.QUOTA_EXCEEDED
        return options & 3

    def _subscribed(
        self,
        connection: Connection,
        answer: bytes,
        added: list[tuple[Subscription, bool]],
        error: Exception | None,
    ) -> None:
        if error is not None:
            self.end(connection, "refused", Reason.UNSPECIFIED, message="could not be stored")
            return
        connection.write(answer)
        now = self.clock()
        for subscription, is_new in added:
            when = subscription.options >> 4
            if when == 2 or (when == 1 and not is_new):
                continue
            self._send_retained(subscription, now)

    def _send_retained(self, subscription: Subscription, now: int) -> None:
        group, topic_filter = split_shared(subscription.topic_filter)
        session = subscription.session
        if group or session.is_gone:
            return
        identifiers = (subscription.identifier,) if subscription.identifier else ()
        for delivery in self.retained.match(topic_filter, now):
            if self._may_receive(session, delivery.topic):
                self._sequence += 1
                qos = min(delivery.qos, subscription.qos)
                session.offer(delivery, qos, True, identifiers, self._sequence, now)

    def unsubscribe(self, connection: Connection, session: Session, packet: Unsubscribe) -> None:
        reasons = bytearray()
        for name in packet.filters:
            subscription = session.subscriptions.pop(name, None)
            if subscription is not None:
                self.routes.remove(subscription)
            reasons.append(0 if subscription is not None else Reason.NO_SUBSCRIPTION_EXISTED)
        self.store(session)
        five = connection.version == 5
        answer = encode(
            UnsubAck(packet.packet_id, bytes(reasons) if five else b""), connection.version
        )
        self.journal.then(lambda error: None if error else connection.write(answer))

    def released(self, connection: Connection, session: Session, packet_id: int) -> None:
        """PUBREL: the identifier may mean another message from now on."""
        known = packet_id in session.received
        if known:
            session.received.discard(packet_id)
            connection.unacknowledged = max(0, connection.unacknowledged - 1)
            if session.is_persistent:
                self.journal.delete("received", session.received_key(packet_id))
        reason = Reason.SUCCESS if known else Reason.PACKET_ID_NOT_FOUND
        answer = encode_ack(connection.version, Kind.PUBCOMP, packet_id, reason)
        self.journal.then(lambda error: None if error else connection.write(answer))

    def acknowledged(self, session: Session, packet: Ack, now: int) -> None:
        out = session.acknowledged(packet.kind, packet.packet_id, packet.reason, now)
        if out is None or packet.reason >= Reason.UNSPECIFIED:
            return
        if self.delivered is not None:
            self.delivered(session.who, out.delivery.topic)

    # -- the ends of connections and sessions ------------------------------------------------

    def end(
        self,
        connection: Connection,
        cause: str,
        reason: int | None = None,
        *,
        has_will: bool = True,
        message: str = "",
    ) -> None:
        """Ends a connection; `reason` is told to an MQTT 5 client."""
        if connection.is_closing:
            return
        session = connection.session
        if session is not None and reason is not None:
            connection.say_goodbye(reason, message)
        connection.close()
        if session is None or session.link is not connection:
            return
        now = self.clock()
        session.detach(now)
        will = session.will if has_will else None
        delay = will.properties.get(Property.WILL_DELAY, 0) if will else 0
        if will is not None and delay and session.is_persistent:
            session.will_at = now + delay * SECOND
        else:
            session.will = None
            if will is not None:
                self._send_will(session, will, now)
        if session.is_persistent:
            self._absent[session.key] = session
            self.store(session)
        else:
            self.discard(session)
        self.host.disconnected(session.who, session.client_id, cause)

    def _send_will(self, session: Session, will: WillMessage, now: int) -> None:
        if not self.host.may_publish(session.who, will.topic):
            return
        values = {k: v for k, v in will.properties.items() if k != Property.WILL_DELAY}
        flags = will.qos << 1 | int(will.retain)
        packet = Publish(flags, will.topic, 0, will.payload, values or None)
        content_type = str(values.get(Property.CONTENT_TYPE, ""))
        self.inbox.messages.append(
            Message(will.topic, will.payload, now, session.who, content_type)
        )
        self.inbox.entries.append((session, packet, WILL))
        self.inbox.held(len(will.payload) + len(will.topic))

    def set_expiry(self, session: Session, seconds: int) -> None:
        session.expiry = min(seconds, self.limits.session_seconds)
        if session.expiry == 0:
            self._delete_rows(session)

    def _is_over(self, session: Session, now: int) -> bool:
        return session.link is None and now >= session.ended + session.expiry * SECOND

    def discard(self, session: Session) -> None:
        """Forgets a session; a will that was waiting goes out now."""
        if session.will is not None and session.will_at:
            self._send_will(session, session.will, self.clock())
        session.will = None
        for subscription in session.subscriptions.values():
            self.routes.remove(subscription)
        self._delete_rows(session)
        session.subscriptions.clear()
        session.is_gone = True
        self.sessions.pop(session.key, None)
        self._absent.pop(session.key, None)

    def _delete_rows(self, session: Session) -> None:
        if not session.is_stored:
            return
        session.is_stored = False
        self.journal.delete("session", session.key)
        for out in session.outgoing.values():
            self.journal.delete("message", session.row_key(out))
        for packet_id in session.received:
            self.journal.delete("received", session.received_key(packet_id))

    def store(self, session: Session) -> None:
        """Notes a persistent session to be committed."""
        if session.is_persistent:
            session.is_stored = True
            self.journal.put("session", session.key, session_row(session))

    def tick(self) -> None:
        """Once a second or so: delayed wills, sessions that are over, commits to try again."""
        now = self.clock()
        for session in list(self._absent.values()):
            if session.will_at and now >= session.will_at and session.will is not None:
                will, session.will, session.will_at = session.will, None, 0
                self._send_will(session, will, now)
                self.store(session)
            if self._is_over(session, now):
                self.discard(session)
        self.retained.expire(now)
        if self.journal.has_failed:
            self.journal.has_failed = False
            self.wake()
