"""What is shown: answers to GET, and notifications to those who observe."""

from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

import orjson

from gemel.connect.coap.assembly import Refusal
from gemel.connect.coap.codec import Block, Options, Packet, encode, total_options, uint
from gemel.connect.coap.limits import Limits
from gemel.connect.coap.observers import Observers, Order, Relation
from gemel.connect.coap.outgoing import Address
from gemel.connect.coap.request import Request
from gemel.connect.coap.resources import (
    COMMANDS,
    DESIRED,
    LINK_LIST,
    STATE,
    Shown,
    chosen,
    code_of,
    links,
    state,
    written,
)
from gemel.connect.coap.words import (
    BAD_OPTION,
    CON,
    CONTENT,
    FORBIDDEN,
    INTERNAL_ERROR,
    LARGEST_BLOCK,
    NON,
    UNAUTHORIZED,
    Option,
)
from gemel.core.access import Principal
from gemel.core.errors import GemelError
from gemel.core.ports import Showing

if TYPE_CHECKING:
    from gemel.connect.coap.responder import Responder

_log = logging.getLogger("gemel.coap")
REGISTER, DEREGISTER = 0, 1
_BESIDE = 28
"""Bytes of an answer beside its body, at most: header, token, options."""
_ORDER_COST = 24
"""Bytes of a command in its list, beside its name, id and arguments; at most."""


class Answer(NamedTuple):
    code: int
    options: Options
    payload: bytes


class Shows:
    """State, desired values and commands, asked for and observed."""

    def __init__(
        self,
        responder: Responder,
        host: Showing,
        limits: Limits,
        delivered: Callable[[Principal, str], None],
    ) -> None:
        self.observers = Observers(limits)
        self._responder = responder
        self._host = host
        self._limits = limits
        self._delivered = delivered
        self._order = count(1)
        self._dirty: dict[Relation, None] = {}
        """Those who are to be told something."""

    # ---- GET -----------------------------------------------------------------------------

    def to_anybody(self, what: Shown, request: Request, most: int) -> Answer:
        """For somebody without a token: the list of links, in blocks that fit into `most` bytes.

        Raises:
            Refusal: 4.01 for everything else.
        """
        if what.kind != LINK_LIST:
            self._responder.counters.denied += 1
            raise Refusal(UNAUTHORIZED, "no valid token: add ?token=...")
        exponent = max(0, (most - _BESIDE).bit_length() - 5)
        asked = request.block2 or Block(0, False, LARGEST_BLOCK)
        if exponent < asked.exponent and asked.at:
            raise Refusal(BAD_OPTION, "blocks are shorter here")
        block = asked._replace(exponent=min(asked.exponent, exponent))
        return _part(chosen(what, request.accept), links(None), block)

    def read(
        self, what: Shown, request: Request, who: Principal, address: Address, token: bytes
    ) -> Answer:
        """Answers a GET, and begins or ends an observation where that is asked for.

        Raises:
            Refusal: it is not there, not allowed, or not to be had in this format.
        """
        form = chosen(what, request.accept)
        block = request.block2 or Block(0, False, LARGEST_BLOCK)
        if block.at:
            relation = self.observers.asked(address, what)
            is_list = relation is not None and what.kind == COMMANDS
            body = relation.body if relation and is_list else self._body(what, form, who)
            return _part(form, body, block)
        body = self._body(what, form, who)
        known = self.observers.find(address, token)
        if request.observe == DEREGISTER and known is not None:
            self._end(known, "goodbye")
        if request.observe != REGISTER or what.kind == LINK_LIST:
            return _part(form, body, block)
        if known is not None and known.what == what:  # what waits for it stays
            self.observers.renew(known)
            known.who, known.format, known.block = who, form, block.exponent
            known.confirmed = self._responder.now
            return _part(form, body, block, self._observed())
        if known is not None:
            self._end(known, "goodbye")
        if not self.observers.has_room(address):
            return _part(form, body, block)
        self._begin(Relation(address, token, what, who, form, block.exponent, body=body))
        return _part(form, body, block, self._observed())

    def _body(self, what: Shown, form: int, who: Principal) -> bytes:
        """What a thing is now, written.

        Raises:
            Refusal: it is not there, or not for this principal.
        """
        if what.kind == LINK_LIST:
            return links(who)
        if what.kind == STATE:
            try:
                return state(self._host.values(who, what.twin), what, form)
            except GemelError as error:
                raise Refusal(code_of(error), str(error)) from error
        self._require(who, what)
        return written(self._host.desired(what.twin) if what.kind == DESIRED else [], form)

    def _require(self, who: Principal, what: Shown) -> None:
        topic = what.topic
        host = self._host
        if not (host.may_subscribe(who, topic) and host.may_receive(who, topic)):
            self._responder.counters.denied += 1
            raise Refusal(FORBIDDEN, "the token is not for this twin")

    # ---- observers -----------------------------------------------------------------------

    def _begin(self, relation: Relation) -> None:
        relation.sent = relation.confirmed = self._responder.now
        self.observers.add(relation)
        if relation.what.kind == STATE:
            self._host.watch(relation.what.twin, True)
        else:
            self._host.connected(relation.who, relation.what.twin)

    def _end(self, relation: Relation, cause: str) -> None:
        if not self.observers.remove(relation):
            return
        self._dirty.pop(relation, None)
        what = relation.what
        if what.kind != STATE:
            self._host.disconnected(relation.who, what.twin, cause)
        elif not any(r.what.kind == STATE for r in self.observers.of(what.topic)):
            self._host.watch(what.twin, False)

    def end(self, is_meant: Callable[[Principal], bool]) -> None:
        """Ends what such principals observe, and tells them."""
        for relation in self.observers:
            if is_meant(relation.who):
                self._tell_end(relation, UNAUTHORIZED, "the token has ended", "refused")

    def rejected(self, address: Address, number: int) -> None:
        """A reset came that may be for a notification: its client wants no more of them."""
        relation = self.observers.rejected(address, number)
        if relation is not None:
            self._end(relation, "goodbye")

    def listeners(self, topic: str) -> list[Principal]:
        """Who would get a command on this topic now."""
        levels = topic.split("/")
        if len(levels) != 5 or levels[0] != "devices" or levels[2] != COMMANDS:
            return []
        return [relation.who for relation in self._takers(levels, topic)]

    def _takers(self, levels: list[str], topic: str) -> list[Relation]:
        """Who gets a command: of each principal the newest.

        A device may have a new address, and must not do it twice.
        """
        newest = {(r.who.role, r.who.name): r for r in self.observers.of("/".join(levels[:3]))}
        return [
            relation
            for relation in newest.values()
            if len(relation.orders) < self._limits.commands
            and self._host.may_receive(relation.who, topic)
        ]

    def publish(self, topic: str, payload: bytes, seconds: int) -> int:
        """Tells observers what the platform sends to devices; to how many."""
        levels = topic.split("/")
        if levels[0] != "devices" or len(levels) not in (3, 5):
            return 0
        if len(levels) == 3:
            found = self.observers.of(topic) if levels[2] == DESIRED else []
            for relation in found:
                self._touch(relation)
                self._tell(relation)
            return len(found)
        if levels[2] != COMMANDS:
            return 0
        found = self._takers(levels, topic)
        until = self._responder.now + seconds if seconds else float("inf")
        for relation in found:
            relation.orders.append(Order(topic, levels[3], levels[4], payload, until))
            self._tell(relation)
        return len(found)

    def tick(self) -> None:
        """Tells what has changed, to each observer not too often."""
        if not len(self.observers):
            return
        for twin in self._host.changed():
            for relation in self.observers.of(f"devices/{twin}/{STATE}"):
                self._touch(relation)
        before = self._responder.now - self._limits.notify_seconds
        for relation in [r for r in self._dirty if not r.is_pending and r.sent <= before]:
            self._tell(relation)

    def sweep(self) -> None:
        """Now and then: tells those who have confirmed nothing for long, to see who is there."""
        before = self._responder.now - self._limits.quiet_seconds
        for relation in self.observers:
            if relation.confirmed <= before:
                self._touch(relation)

    def _touch(self, relation: Relation) -> None:
        self._dirty[relation] = None

    # ---- notifications -------------------------------------------------------------------

    def _tell(self, relation: Relation) -> None:
        """Sends one notification, unless the last one still waits for its confirmation."""
        if relation.is_pending:
            return
        try:
            body = self._news(relation)
        except Refusal as refusal:
            self._tell_end(relation, refusal.code, str(refusal), "refused")
            return
        except Exception:  # noqa: BLE001 - logged; one observer must not stop the others
            self._responder.counters.internal_errors += 1
            _log.exception("what %s observes cannot be told", relation.who.name)
            self._tell_end(relation, INTERNAL_ERROR, "a fault inside the server", "refused")
            return
        now, limits = self._responder.now, self._limits
        is_old = now - relation.confirmed >= limits.confirm_seconds
        relation.sent, relation.body = now, body
        self._dirty.pop(relation, None)
        block = Block(0, False, relation.block)
        answer = _part(relation.format, body, block, self._observed())
        self._responder.counters.notified += 1
        self._send(relation, answer, is_old or relation.what.kind != STATE)

    def _news(self, relation: Relation) -> bytes:
        what, form = relation.what, relation.format
        if what.kind != COMMANDS:
            return self._body(what, form, relation.who)
        self._require(relation.who, what)
        relation.told = self._orders(relation)
        return written([_order(one) for one in relation.told], form)

    def _orders(self, relation: Relation) -> list[Order]:
        """As many of the commands that wait as fit into one block, and one at least."""
        found: list[Order] = []
        room = 16 << relation.block
        while relation.orders:
            one = relation.orders[0]
            size = _ORDER_COST + len(one.name) + len(one.id) + len(one.arguments)
            if one.until > self._responder.now:
                if found and size > room:
                    break
                found.append(one)
                room -= size
            relation.orders.popleft()
        return found

    def _send(self, relation: Relation, answer: Answer, is_confirmed: bool) -> None:
        responder = self._responder
        endpoint = responder.endpoints.get(relation.address, responder.now)
        if endpoint is None:
            self._end(relation, "refused")
            return
        number = endpoint.message_number()
        kind = CON if is_confirmed else NON
        data = encode(
            Packet(kind, answer.code, number, relation.token, answer.options, answer.payload)
        )
        self.observers.sent(relation, number)
        if not is_confirmed:
            responder.send(data, relation.address)
            return
        relation.is_pending = True
        responder.outgoing.start(
            data, relation.address, responder.now, lambda how: self._told(relation, how)
        )

    def _told(self, relation: Relation, how: str) -> None:
        """A notification was confirmed, rejected, or nobody was there."""
        relation.is_pending = False
        told, relation.told = relation.told, []
        if how != "confirmed":
            if how == "timeout":
                self._responder.counters.observers_lost += 1
            self._end(relation, "timeout" if how == "timeout" else "goodbye")
            return
        relation.confirmed = self._responder.now
        for one in told:
            self._responder.counters.delivered += 1
            self._delivered(relation.who, one.topic)
        if relation.orders or (relation in self._dirty and relation.what.kind != STATE):
            self._tell(relation)

    def _tell_end(self, relation: Relation, code: int, why: str, cause: str) -> None:
        """The last notification: an error ends an observation."""
        self._end(relation, cause)
        responder = self._responder
        number = responder.endpoints.any_number()
        packet = Packet(NON, code, number, relation.token, (), why.encode()[:200])
        responder.send(encode(packet), relation.address)

    def _observed(self) -> Options:
        """The options of a notification: its place in the order, and how long it holds."""
        number = next(self._order) & 0xFFFFFF
        age = 2 * round(self._limits.quiet_seconds)
        return ((int(Option.OBSERVE), uint(number)), (int(Option.MAX_AGE), uint(age)))


def _order(one: Order) -> dict[str, Any]:
    return {"id": one.id, "command": one.name, "arguments": orjson.loads(one.arguments or b"null")}


def _part(form: int, body: bytes, block: Block, options: Options = ()) -> Answer:
    """2.05 with a body, or with the block of it that was asked for.

    Raises:
        Refusal: 4.02 for a block behind its end.
    """
    if block.start and block.start >= len(body):
        raise Refusal(BAD_OPTION, f"there is no block {block.at}: it has {len(body)} bytes")
    part = body[block.start : block.start + block.size]
    is_part = len(part) < len(body)
    is_more = block.start + len(part) < len(body)
    more = total_options(
        (
            (Option.CONTENT_FORMAT, uint(form)),
            (Option.ETAG, crc32(body).to_bytes(4, "big") if is_part else None),
            (Option.BLOCK2, block._replace(is_more=is_more).value() if is_part else None),
            (Option.SIZE2, uint(len(body)) if is_part and not block.at else None),
        )
    )
    return Answer(CONTENT, (*options, *more), part)
