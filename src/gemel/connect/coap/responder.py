"""The server's side of CoAP without I/O: datagrams in, answers out, each message once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from gemel.connect.coap.assembly import Assembly, Refusal
from gemel.connect.coap.codec import Malformed, Options, Packet, decode, encode, uint
from gemel.connect.coap.endpoints import Endpoint, Endpoints
from gemel.connect.coap.exchanges import PENDING, Exchanges
from gemel.connect.coap.inbox import Batch, Inbox, Waiting
from gemel.connect.coap.limits import Limits
from gemel.connect.coap.outgoing import Address, Outgoing
from gemel.connect.coap.request import Request, read
from gemel.connect.coap.resources import code_of, shown, target
from gemel.connect.coap.shows import Shows
from gemel.connect.coap.words import (
    ACK,
    BAD_REQUEST,
    CHANGED,
    CON,
    CONTINUE,
    EMPTY,
    FORBIDDEN,
    GET,
    MEDIA_TYPES,
    METHOD_NOT_ALLOWED,
    NON,
    NOT_FOUND,
    POST,
    PUT,
    RST,
    UNAUTHORIZED,
    UNAVAILABLE,
    UNSUPPORTED_FORMAT,
    Option,
)
from gemel.core.access import Principal
from gemel.core.clock import Clock
from gemel.core.message import Message
from gemel.core.ports import Showing

_log = logging.getLogger("gemel.coap")
_CHANGED = [bytes((0x40 | ACK << 4 | length, CHANGED)) for length in range(9)]
"""The first two bytes of 2.04 with a token of so many bytes."""
_SENDS = (POST, PUT)
_ANYBODY = 3
"""Times as long as its question may an answer be to somebody who has shown no token."""


@dataclass(slots=True)
class Counters:
    received_datagrams: int = 0
    received_messages: int = 0
    received_bytes: int = 0
    repeated: int = 0
    malformed: int = 0
    denied: int = 0
    refused_busy: int = 0
    refused_accept: int = 0
    shed: int = 0
    notified: int = 0
    delivered: int = 0
    observers_lost: int = 0
    internal_errors: int = 0
    unsent: int = 0


class Plan(NamedTuple):
    """What a request with these options means, once it was understood."""

    topic: str
    who: Principal
    content_type: str
    is_urgent: bool


class Responder:
    """All of the protocol; every method is called on one thread.

    Args:
        host: the platform.
        clock: wall clock in ns.
        limits: what clients may cost.
        send: writes one datagram.
        delivered: called with (principal, topic) for each command that an observer confirmed.
    """

    def __init__(
        self,
        host: Showing,
        clock: Clock,
        limits: Limits,
        send: Callable[[bytes, Address], None],
        delivered: Callable[[Principal, str], None],
    ) -> None:
        self.counters = Counters()
        self.now = 0.0
        self.received = 0
        self.endpoints = Endpoints(limits.endpoints)
        self.exchanges = Exchanges(limits.exchanges)
        self.outgoing = Outgoing(send, limits.outgoing)
        self.inbox = Inbox(host, limits, self._answer)
        self.assembly = Assembly(limits)
        self.shows = Shows(self, host, limits, delivered)
        self.send = send
        self._host = host
        self._clock = clock
        self._limits = limits
        self._plans: dict[bytes, Plan] = {}
        self._who: dict[str, Principal] = {}
        self._is_behind = False

    # ---- time ----------------------------------------------------------------------------

    def turn(self, now: float) -> None:
        """Says what time it is, by a clock that only goes forward (s), before anything else."""
        self.now, self.received = now, self._clock()

    def tick(self, now: float) -> None:
        """Several times a second: what is late, due again, or to be told."""
        self.turn(now)
        self._is_behind = self.inbox.is_behind(self.received)
        for waiting in self.inbox.late(now):
            data = encode(Packet(ACK, EMPTY, waiting.head[0] << 8 | waiting.head[1]))
            self.exchanges.answered(waiting.key, data)
            self.send(data, waiting.address)
        self.outgoing.tick(now)
        self.shows.tick()

    def sweep(self, now: float) -> None:
        """Now and then: forgets what is over."""
        self.exchanges.mark(now)
        self.assembly.expire(now)
        self.shows.sweep()
        self.endpoints.expire(now, {relation.address for relation in self.shows.observers})
        self._plans.clear()  # rights may have changed: they are asked for anew

    def forget(self, is_meant: Callable[[Principal], bool]) -> int:
        """Ends what was begun with tokens of such principals; how many there were."""
        over = [secret for secret, who in self._who.items() if is_meant(who)]
        for secret in over:
            del self._who[secret]
        self._plans.clear()
        self.shows.end(is_meant)
        return len(over)

    # ---- datagrams -----------------------------------------------------------------------

    def receive(self, data: bytes, address: Address) -> None:
        """Takes one datagram. Never raises, whatever it holds; call `inbox.flush` after some."""
        self.counters.received_datagrams += 1
        try:
            if len(data) > 4 and data[0] >> 5 == 2 and data[1] in _SENDS:
                end = data.find(0xFF, start := 4 + (data[0] & 15))
                plan = self._plans.get(data[start:end]) if end > 0 else None
                if plan is not None and end + 1 < len(data) and start <= 12:
                    self._take(plan, data[0] >> 4 & 3, data[2:start], address, data[end + 1 :], ())
                    return
            self._receive(data, address)
        except Exception:  # noqa: BLE001 - logged; one datagram must not stop the server
            self.counters.internal_errors += 1
            _log.exception("a datagram of %s is passed over", address[0])

    def _receive(self, data: bytes, address: Address) -> None:
        try:
            packet = decode(data)
        except Malformed as error:
            self.counters.malformed += 1
            if not error.is_foreign and data[0] >> 4 & 3 == CON:
                self._reset(data[2] << 8 | data[3], address)
            return
        if packet.kind in (ACK, RST):
            self._confirmed(packet, address)
        elif packet.code == EMPTY or packet.code >> 5:
            if packet.kind == CON:  # a ping, or an answer to what we never asked
                self._reset(packet.number, address)
        else:
            self._request(packet, data, address)

    def _reset(self, number: int, address: Address) -> None:
        self.send(encode(Packet(RST, EMPTY, number)), address)

    def _confirmed(self, packet: Packet, address: Address) -> None:
        how = "rejected" if packet.kind == RST else "confirmed"
        if self.outgoing.answered(address, packet.number, how) or packet.kind == ACK:
            return
        self.shows.rejected(address, packet.number)

    def _request(self, packet: Packet, data: bytes, address: Address) -> None:
        try:
            request = read(packet.options, packet.code)
            if packet.code == GET:
                self._get(packet, request, data, address)
            elif packet.code in _SENDS:
                self._send_in(packet, request, data, address)
            else:
                raise Refusal(METHOD_NOT_ALLOWED, "GET, POST and PUT are understood")
        except Refusal as refusal:
            self._refuse(packet, refusal.code, str(refusal), data, address)

    def authenticate(self, token: str) -> Principal | None:
        """Whose token it is; who has none or a wrong one is nobody."""
        who = self._who.get(token)
        if who is None and token:
            who = self._host.authenticate("", token)
            if who is not None:
                if len(self._who) >= self._limits.plans:
                    self._who.clear()
                self._who[token] = who
        return who

    def _known(self, token: str) -> Principal:
        who = self.authenticate(token)
        if who is None:
            self.counters.denied += 1
            raise Refusal(UNAUTHORIZED, "no valid token: add ?token=...")
        return who

    def _endpoint(self, address: Address) -> Endpoint:
        endpoint = self.endpoints.get(address, self.now)
        if endpoint is None:
            raise Refusal(UNAVAILABLE, "too many addresses")
        return endpoint

    # ---- the way inside ------------------------------------------------------------------

    def _send_in(self, packet: Packet, request: Request, data: bytes, address: Address) -> None:
        plan = self._plan(request)
        if not packet.payload and not plan.is_urgent:
            raise Refusal(BAD_REQUEST, "there is no payload")
        head = data[2 : 4 + len(packet.token)]
        if request.block1 is None:
            if packet.payload:
                if len(self._plans) >= self._limits.plans:
                    self._plans.clear()
                end = len(data) - len(packet.payload) - 1
                self._plans[data[4 + len(packet.token) : end]] = plan
            self._take(plan, packet.kind, head, address, packet.payload, ())
            return
        self._take_block(plan, packet, request, head, address)

    def _plan(self, request: Request) -> Plan:
        topic, token = target(request.path, request.token)
        who = self._known(token)
        form = request.format
        if form is not None and form not in MEDIA_TYPES:
            there = ", ".join(map(str, MEDIA_TYPES))
            raise Refusal(UNSUPPORTED_FORMAT, f"content format {form}; these are read: {there}")
        if not self._host.takes(topic):
            if shown(request.path) is not None:
                raise Refusal(METHOD_NOT_ALLOWED, "this can only be read, with GET")
            raise Refusal(NOT_FOUND, "send to devices/{twin}/telemetry, or bind this topic")
        if not self._host.may_publish(who, topic):
            self.counters.denied += 1
            raise Refusal(FORBIDDEN, "the token is not for this twin")
        kind = MEDIA_TYPES[form] if form is not None else ""
        return Plan(topic, who, kind, self._host.is_urgent(topic))

    def _take(
        self,
        plan: Plan,
        kind: int,
        head: bytes,
        address: Address,
        payload: bytes,
        options: Options,
    ) -> None:
        """Takes a whole message; one that comes again gets the answer it had."""
        endpoint = self.endpoints.get(address, self.now)
        key = -1
        if endpoint is not None:
            key = endpoint.number << 16 | head[0] << 8 | head[1]
            known = self.exchanges.find(key)
            if known is not None:
                self.counters.repeated += 1
                if known != PENDING:
                    self.send(known, address)
                return
        message = Message(plan.topic, payload, self.received, plan.who, plan.content_type)
        if endpoint is None or self._is_full(plan) or not self.exchanges.add(key, self.now):
            self.counters.refused_busy += 1
            if kind == NON:
                self.counters.shed += 1
                self._host.lost([message], "behind")
            self._reply(kind, UNAVAILABLE, head, address, self._busy(options), b"")
            return
        self.counters.received_messages += 1
        self.counters.received_bytes += len(payload)
        waiting = Waiting(address, kind, head, key, options, self.now)
        if plan.is_urgent:
            self.inbox.hurry(message, waiting)
        else:
            self.inbox.add(message, waiting)

    def _is_full(self, plan: Plan) -> bool:
        undurable, most = self.inbox.undurable, self._limits.undurable_bytes
        if plan.is_urgent:  # room of their own is left to those
            return undurable > 2 * most
        return self._is_behind or undurable > most

    def _busy(self, options: Options) -> Options:
        return (*options, (Option.MAX_AGE, uint(self._limits.retry_seconds)))

    def _take_block(
        self, plan: Plan, packet: Packet, request: Request, head: bytes, address: Address
    ) -> None:
        """One part of a long payload; the last brings the answer for all."""
        block = request.block1
        assert block is not None
        endpoint = self._endpoint(address)
        key = endpoint.number << 16 | packet.number
        known = self.exchanges.find(key)
        if known is not None:
            self.counters.repeated += 1
            if known != PENDING:
                self.send(known, address)
            return
        place = (endpoint.number, request.same)
        whole = self.assembly.add(place, block, packet.payload, self.now)
        options = ((int(Option.BLOCK1), block.value()),)
        if whole is not None:
            self._take(plan, packet.kind, head, address, whole, options)
            return
        if not self.exchanges.add(key, self.now):
            raise Refusal(UNAVAILABLE, "too many messages")
        answer = self._reply(packet.kind, CONTINUE, head, address, options, b"")
        self.exchanges.answered(key, answer)

    # ---- answers -------------------------------------------------------------------------

    def _answer(self, batch: Batch, error: Exception | None) -> None:
        """What was taken is durable, or could not be made so."""
        if error is not None:
            self._answer_all(batch, code_of(error), str(error))
            return
        send, answered = self.send, self.exchanges.answered
        for index, waiting in enumerate(batch.waiting):
            address, kind, head, key, options, _ = waiting
            if kind == CON and not options and index >= batch.told:
                data = _CHANGED[len(head) - 2] + head
                answered(key, data)
                send(data, address)
            else:
                self._answer_one(waiting, CHANGED, index < batch.told, options, b"")

    def _answer_all(self, batch: Batch, code: int, why: str) -> None:
        self.counters.refused_accept += len(batch.waiting)
        text = why.encode()[:200]
        lost = []
        for index, waiting in enumerate(batch.waiting):
            options = self._busy(waiting.options) if code == UNAVAILABLE else waiting.options
            self._answer_one(waiting, code, index < batch.told, options, text)
            if waiting.kind == NON:
                lost.append(batch.messages[index])
        if lost:
            self._host.lost(lost, "refused")

    def _answer_one(
        self, waiting: Waiting, code: int, is_told: bool, options: Options, payload: bytes
    ) -> None:
        address, kind, head, key, _, _ = waiting
        if kind == CON and is_told:  # it has its confirmation: the answer is a message of its own
            endpoint = self.endpoints.get(address, self.now)
            number = endpoint.message_number() if endpoint else self.endpoints.any_number()
            data = encode(Packet(CON, code, number, head[2:], options, payload))
            self.outgoing.start(data, address, self.now, _nothing)
            return
        data = self._reply(kind, code, head, address, options, payload)
        if kind == CON:
            self.exchanges.answered(key, data)

    def _reply(
        self,
        kind: int,
        code: int,
        head: bytes,
        address: Address,
        options: Options,
        payload: bytes,
    ) -> bytes:
        """Answers at once: with the confirmation, or as NON where none is wanted."""
        number = head[0] << 8 | head[1]
        if kind == NON:
            endpoint = self.endpoints.find(address)
            number = endpoint.message_number() if endpoint else self.endpoints.any_number()
        answer = ACK if kind == CON else NON
        data = encode(Packet(answer, code, number, head[2:], options, payload))
        self.send(data, address)
        return data

    def _refuse(self, packet: Packet, code: int, why: str, data: bytes, address: Address) -> None:
        """Answers with an error; who is not known gets no more than it sent."""
        options: Options = ()
        if code == UNAVAILABLE:
            self.counters.refused_busy += 1
            options = self._busy(())
        text = why.encode()
        if self.endpoints.find(address) is None:
            room = len(data) - 4 - len(packet.token) - 1 - 2 * len(options)
            text = text if len(text) <= room else b""
        self._reply(packet.kind, code, data[2 : 4 + len(packet.token)], address, options, text)

    def _get(self, packet: Packet, request: Request, data: bytes, address: Address) -> None:
        what = shown(request.path)
        if what is None:
            raise Refusal(NOT_FOUND, "there is nothing to read here")
        who = self.authenticate(request.token)
        head = data[2 : 4 + len(packet.token)]
        if who is None:
            most = _ANYBODY * len(data)
            answer = self.shows.to_anybody(what, request, most)
        else:
            self._endpoint(address)
            answer = self.shows.read(what, request, who, address, packet.token)
        self._reply(packet.kind, answer.code, head, address, answer.options, answer.payload)


def _nothing(_how: str) -> None:
    return
