"""The CoAP server without I/O: once each, durable first, bounded, and quiet to strangers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import cbor2
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.connect.coap.codec import Block, Packet, block_of, decode, encode, number_of, uint
from gemel.connect.coap.limits import Limits
from gemel.connect.coap.responder import Responder
from gemel.connect.coap.words import (
    ACK,
    CBOR,
    CHANGED,
    CON,
    CONTENT,
    CONTINUE,
    EMPTY,
    EXCHANGE_LIFETIME,
    GET,
    INCOMPLETE,
    JSON,
    MAX_TRANSMIT_SPAN,
    NON,
    POST,
    PUT,
    RST,
    SENML_JSON,
    TEXT,
    TOO_LARGE,
    UNAUTHORIZED,
    UNAVAILABLE,
    Option,
)
from gemel.core.access import Principal
from gemel.core.errors import Forbidden, NotFound, Unavailable
from gemel.core.message import LastValue, Message

PUMP = Principal("pump-1", "device", ("pump-1",))
TOKENS = {"t": PUMP, "v": Principal("ann", "viewer"), "e": Principal("eve", "engineer")}
HERE = ("10.0.0.1", 40_000)
THERE = ("10.0.0.2", 40_000)
FULL = Unavailable("the disk is full", hint="send it again later")


class Host:
    """A platform whose batches become durable when the test says so."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[Message], Callable[[Exception | None], None]]] = []
        self.losses: list[tuple[list[bytes], str]] = []
        self.state: dict[str, list[LastValue]] = {"pump-1": [LastValue("flow", 12.5, 10**18)]}
        self.wishes: dict[str, dict[str, object]] = {}
        self.watched: set[str] = set()
        self.news: set[str] = set()
        self.there: list[str] = []

    def authenticate(self, name: str, secret: str) -> Principal | None:
        return TOKENS.get(secret)

    def takes(self, topic: str) -> bool:
        return fnmatchcase(topic, "devices/*/[tr]*") or topic.startswith("v1/devices/me/")

    def may_publish(self, who: Principal, topic: str) -> bool:
        return topic.startswith("v1/") or who.may_write_twin(topic.split("/")[1])

    def may_subscribe(self, who: Principal, topic_filter: str) -> bool:
        return who.role != "device" or who.may_write_twin(topic_filter.split("/")[1])

    may_receive = may_subscribe

    def accept(self, messages: Sequence[Message], done: Callable[[Exception | None], None]) -> None:
        self.calls.append((list(messages), done))

    def is_urgent(self, topic: str) -> bool:
        return "/responses/" in topic

    def lost(self, messages: Sequence[Message], cause: str) -> None:
        self.losses.append(([m.payload for m in messages], cause))

    def connected(self, who: Principal, client_id: str) -> None:
        self.there.append(client_id)

    def disconnected(self, who: Principal, client_id: str, cause: str) -> None:
        self.there.append(f"{client_id} {cause}")

    def values(self, who: Principal, twin: str) -> list[LastValue]:
        if twin not in self.state:
            raise NotFound(f"there is no twin '{twin}'")
        if who.role == "device" and not who.may_write_twin(twin):
            raise Forbidden("not yours")
        return self.state[twin]

    def desired(self, twin: str) -> dict[str, object]:
        return self.wishes.get(twin, {})

    def watch(self, twin: str, is_watched: bool) -> None:
        (self.watched.add if is_watched else self.watched.discard)(twin)

    def changed(self) -> set[str]:
        found, self.news = self.news, set()
        return found


class Desk:
    """A responder with a clock of its own and everything it sent."""

    def __init__(self, **limits: Any) -> None:
        self.host = Host()
        self.sent: list[tuple[Packet, Any]] = []
        self.raw: list[bytes] = []
        self.delivered: list[str] = []
        self.now = 1_000.0
        self.responder = Responder(
            self.host,
            lambda: round(self.now * 1e9),
            replace(Limits(), **limits),
            self._send,
            lambda who, topic: self.delivered.append(topic),
        )
        self.responder.turn(self.now)
        self._number = 0
        self._swept = self.now

    def _send(self, data: bytes, address: Any) -> None:
        self.raw.append(data)
        self.sent.append((decode(data), address))

    def take(self) -> list[Packet]:
        """What was sent since the last call."""
        found, self.sent = [packet for packet, _ in self.sent], []
        return found

    def give(self, data: bytes, address: Any = HERE) -> None:
        self.responder.turn(self.now)
        self.responder.receive(data, address)
        self.responder.inbox.flush()

    def ask(
        self,
        code: int,
        path: str,
        payload: bytes = b"",
        *options: tuple[int, bytes],
        kind: int = CON,
        token: str = "t",
        address: Any = HERE,
        mark: bytes = b"\x07",
    ) -> bytes:
        """Sends a request; the datagram."""
        self._number += 1
        data = request(
            code, path, payload, *options, kind=kind, token=token, number=self._number, mark=mark
        )
        self.give(data, address)
        return data

    def answer(self) -> Packet:
        """The only one that was sent since the last look."""
        (found,) = self.take()
        return found

    def next(self) -> Packet:
        """The next that is sent, whenever that is."""
        while not self.sent:
            self.later(0.1)
        return self.answer()

    def durable(self, error: Exception | None = None) -> list[Message]:
        """The oldest call is over."""
        messages, done = self.host.calls.pop(0)
        done(error)
        return messages

    def later(self, seconds: float) -> None:
        """Time passes, a tenth of a second at a time."""
        end = self.now + seconds
        while self.now < end:
            self.now += 0.1
            self.responder.tick(self.now)
            if self.now - self._swept >= 5:
                self._swept = self.now
                self.responder.sweep(self.now)

    def confirm(self, packet: Packet, kind: int = ACK, address: Any = HERE) -> None:
        self.give(encode(Packet(kind, EMPTY, packet.number)), address)


def request(
    code: int,
    path: str,
    payload: bytes = b"",
    *options: tuple[int, bytes],
    kind: int = CON,
    token: str = "t",
    number: int = 1,
    mark: bytes = b"\x07",
) -> bytes:
    found = [(int(Option.URI_PATH), level.encode()) for level in path.split("/")]
    if token:
        found.append((int(Option.URI_QUERY), f"token={token}".encode()))
    return encode(Packet(kind, code, number, mark, (*found, *options), payload))


def option(packet: Packet, number: int) -> bytes | None:
    return dict(packet.options).get(number)


# ---- telemetry -------------------------------------------------------------------------------


def test_a_message_is_answered_when_it_is_durable_and_not_before() -> None:
    desk = Desk()
    asked = decode(desk.ask(POST, "devices/pump-1/telemetry", b'{"flow": 1}'))
    assert desk.take() == []
    (message,) = desk.durable()
    assert (message.topic, message.payload, message.who) == (
        "devices/pump-1/telemetry", b'{"flow": 1}', PUMP,
    )  # fmt: skip
    assert desk.answer() == Packet(ACK, CHANGED, asked.number, asked.token)


def test_put_is_post_and_the_content_format_goes_with_it() -> None:
    desk = Desk()
    for number, form in enumerate([None, 50, 60, 110, 112, 0]):
        options = () if form is None else ((int(Option.CONTENT_FORMAT), uint(form)),)
        desk.ask(PUT, "devices/pump-1/telemetry", b"1", *options)
        assert len(desk.host.calls) == 1, number
        (message,) = desk.durable()
        assert message.content_type == {
            None: "", 50: "application/json", 60: "application/cbor", 0: "text/plain",
            110: "application/senml+json", 112: "application/senml+cbor",
        }[form]  # fmt: skip
    assert {packet.code for packet in desk.take()} == {CHANGED}


def test_one_that_repeats_is_the_same_message_and_gets_the_same_answer() -> None:
    desk = Desk()
    data = desk.ask(POST, "devices/pump-1/telemetry", b"{}")
    desk.give(data)  # while it waits: one answer will do for both
    assert desk.take() == []
    assert len(desk.durable()) == 1
    first = desk.answer()
    for _ in range(3):
        desk.later(60)
        desk.give(data)
        assert desk.answer() == first
    assert desk.host.calls == []
    desk.later(EXCHANGE_LIFETIME - 180)
    desk.later(20)  # by now its number may mean another
    desk.give(data)
    assert len(desk.durable()) == 1


def test_the_same_number_of_another_address_is_another_message() -> None:
    desk = Desk()
    data = desk.ask(POST, "devices/pump-1/telemetry", b"{}")
    desk.give(data, THERE)
    assert [len(desk.durable()), len(desk.durable())] == [1, 1]
    assert len(desk.take()) == 2


def test_what_comes_while_one_call_is_under_way_is_the_next_call() -> None:
    desk = Desk()
    for number in range(10):
        desk.ask(POST, "devices/pump-1/telemetry", b"%d" % number, address=("10.0.0.3", number))
    assert [len(messages) for messages, _ in desk.host.calls] == [1]
    desk.durable()
    assert [len(messages) for messages, _ in desk.host.calls] == [9]
    desk.durable()
    assert len(desk.take()) == 10


def test_an_answer_to_a_command_does_not_wait_for_telemetry() -> None:
    desk = Desk()
    desk.ask(POST, "devices/pump-1/telemetry", b"1")
    desk.ask(POST, "devices/pump-1/telemetry", b"2")
    desk.ask(POST, "devices/pump-1/responses/c-1")
    assert [m.topic for messages, _ in desk.host.calls for m in messages] == [
        "devices/pump-1/telemetry", "devices/pump-1/responses/c-1",
    ]  # fmt: skip


def test_what_takes_longer_is_confirmed_first_and_answered_on_its_own() -> None:
    desk = Desk()
    data = desk.ask(POST, "devices/pump-1/telemetry", b"{}")
    desk.later(1)
    assert desk.answer() == Packet(ACK, EMPTY, 1)
    desk.give(data)
    assert desk.answer() == Packet(ACK, EMPTY, 1)
    desk.durable()
    separate = desk.answer()
    assert (separate.kind, separate.code, separate.token) == (CON, CHANGED, b"\x07")
    desk.later(4)
    assert desk.take() == [separate]  # sent again, as nobody has confirmed it
    desk.confirm(separate)
    desk.later(100)
    assert desk.take() == []


def test_a_non_confirmable_message_is_answered_as_such_and_once() -> None:
    desk = Desk()
    data = desk.ask(POST, "devices/pump-1/telemetry", b"{}", kind=NON)
    desk.later(2)
    assert desk.take() == []
    desk.durable()
    answer = desk.answer()
    assert (answer.kind, answer.code, answer.token) == (NON, CHANGED, b"\x07")
    desk.give(data)
    assert (desk.take(), desk.host.calls) == ([], [])


def test_what_cannot_be_stored_is_refused_with_a_time_to_come_back() -> None:
    desk = Desk()
    desk.ask(POST, "devices/pump-1/telemetry", b"1")
    desk.durable(FULL)
    answer = desk.answer()
    assert answer.code == UNAVAILABLE
    assert number_of(option(answer, Option.MAX_AGE) or b"") == 5
    assert b"disk is full" in answer.payload
    desk.ask(POST, "devices/pump-1/telemetry", b"2", kind=NON)
    desk.durable(FULL)
    assert desk.answer().code == UNAVAILABLE
    assert desk.host.losses == [([b"2"], "refused")]


def test_beyond_what_may_wait_nothing_more_is_taken() -> None:
    desk = Desk(undurable_bytes=2_000)
    for number in range(20):
        desk.ask(POST, "devices/pump-1/telemetry", b"%d" % number)
    refused = desk.take()
    assert {packet.code for packet in refused} == {UNAVAILABLE}
    assert 10 < len(refused) < 20
    desk.ask(POST, "devices/pump-1/telemetry", b"n", kind=NON)
    assert desk.host.losses == [([b"n"], "behind")]
    desk.take()
    desk.ask(POST, "devices/pump-1/responses/c-1", b"1")  # somebody waits for it
    desk.durable()
    taken = desk.durable()
    assert len(taken) == 1
    desk.durable()
    desk.ask(POST, "devices/pump-1/telemetry", b"1")
    assert desk.responder.inbox.undurable > 0


def test_answers_to_commands_have_room_of_their_own_and_an_end() -> None:
    desk = Desk(undurable_bytes=2_000)
    for number in range(40):
        desk.ask(POST, "devices/pump-1/responses/c-1", b"%d" % number)
    assert 10 < len(desk.host.calls) < 20
    assert {packet.code for packet in desk.take()} == {UNAVAILABLE}


def test_when_the_oldest_has_waited_too_long_nothing_more_is_taken() -> None:
    desk = Desk(behind_seconds=5.0)
    desk.ask(POST, "devices/pump-1/telemetry", b"1")
    desk.later(6)
    desk.take()
    desk.ask(POST, "devices/pump-1/telemetry", b"2")
    assert desk.answer().code == UNAVAILABLE


def test_the_table_of_messages_is_bounded_and_forgets_what_nobody_repeats() -> None:
    desk = Desk(exchanges=10)
    for number in range(11):
        desk.ask(POST, "devices/pump-1/telemetry", b"%d" % number)
    assert desk.answer().code == UNAVAILABLE
    while desk.host.calls:
        desk.durable()
    desk.later(MAX_TRANSMIT_SPAN + 10)
    desk.take()
    desk.ask(POST, "devices/pump-1/telemetry", b"x")
    assert [m.payload for m in desk.durable()] == [b"x"]
    assert len(desk.responder.exchanges) <= 10


def test_silent_addresses_are_forgotten() -> None:
    desk = Desk(endpoints=1)
    desk.ask(POST, "devices/pump-1/telemetry", b"1")
    desk.durable()
    desk.take()
    desk.ask(POST, "devices/pump-1/telemetry", b"1", address=THERE)
    assert desk.answer().code == UNAVAILABLE
    desk.later(EXCHANGE_LIFETIME + 10)
    desk.ask(POST, "devices/pump-1/telemetry", b"1", address=THERE)
    desk.durable()
    assert desk.answer().code == CHANGED


# ---- who may ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "token", "code"),
    [
        ("devices/pump-1/telemetry", "", 0x81),
        ("devices/pump-1/telemetry", "wrong", 0x81),
        ("devices/pump-2/telemetry", "t", 0x83),
        ("devices/pump-1/telemetry", "v", 0x83),
        ("devices/pump-1/nothing", "t", 0x84),
        ("devices/pump-1/desired", "t", 0x85),
        ("twins/pump-1", "t", 0x85),
        ("", "t", 0x80),
        ("devices/pu#mp/telemetry", "t", 0x80),
    ],
)
def test_what_may_not_be_sent_is_told(path: str, token: str, code: int) -> None:
    desk = Desk()
    if "pump-2" in path or token == "v":
        desk.host.may_publish = lambda who, topic: who.may_write_twin(topic.split("/")[1])  # type: ignore[method-assign]
    desk.ask(POST, path, b'{"flow": 1}', token=token)
    assert (desk.answer().code, desk.host.calls) == (code, [])


def test_the_things_board_paths_bear_the_token() -> None:
    desk = Desk()
    desk.ask(POST, "api/v1/t/telemetry", b"{}", token="")
    desk.ask(POST, "api/v1/wrong/telemetry", b"{}", token="")
    assert [m.topic for m in desk.durable()] == ["v1/devices/me/telemetry"]
    assert sorted(packet.code for packet in desk.take()) == [CHANGED, UNAUTHORIZED]


def test_rights_that_change_are_asked_for_anew() -> None:
    desk = Desk()
    desk.ask(POST, "devices/pump-1/telemetry", b"1")
    desk.host.may_publish = lambda who, topic: False  # type: ignore[method-assign]
    desk.later(6)
    desk.take()
    desk.ask(POST, "devices/pump-1/telemetry", b"1")
    assert desk.answer().code == 0x83


def test_a_token_that_has_ended_is_nobodys() -> None:
    desk = Desk()
    desk.ask(GET, "devices/pump-1/desired", b"", (Option.OBSERVE, b""))
    desk.ask(POST, "devices/pump-1/telemetry", b"1")
    desk.take()
    TOKENS.pop("t")
    try:
        assert desk.responder.forget(lambda who: who is PUMP) == 1
        assert desk.answer().code == UNAUTHORIZED  # the observer is told
        desk.ask(POST, "devices/pump-1/telemetry", b"2")
        assert desk.answer().code == UNAUTHORIZED
    finally:
        TOKENS["t"] = PUMP
    assert desk.host.there == ["pump-1", "pump-1 refused"]


@given(
    st.binary(max_size=300)
    | st.builds(
        lambda path, code, kind, payload: request(code, path, payload, kind=kind, token=""),
        st.text(max_size=40),
        st.integers(1, 31),
        st.sampled_from([CON, NON]),
        st.binary(max_size=20),
    )
    | st.builds(
        lambda block: request(GET, ".well-known/core", b"", (Option.BLOCK2, block), token=""),
        st.binary(max_size=3),
    )
)
def test_strangers_get_little_more_than_they_send(data: bytes) -> None:
    desk = Desk()
    desk.give(data)
    assert len(desk.raw) <= 1
    assert desk.responder.counters.internal_errors == 0
    assert sum(map(len, desk.raw)) <= max(4, 3 * len(data))
    assert desk.host.calls == []
    assert len(desk.responder.endpoints) == len(desk.responder.exchanges) == 0


@given(st.data())
def test_no_datagram_of_a_known_device_does_harm(data: st.DataObject) -> None:
    desk = Desk()
    options = st.tuples(st.integers(1, 70), st.binary(max_size=6))
    for _ in range(5):
        raw = bytearray(
            request(
                data.draw(st.integers(1, 7)),
                data.draw(
                    st.sampled_from(
                        ["devices/pump-1/telemetry", "twins/pump-1", "devices/pump-1/commands"]
                    )
                ),
                data.draw(st.binary(max_size=40)),
                *data.draw(st.lists(options, max_size=4)),
                kind=data.draw(st.sampled_from([CON, NON])),
                number=data.draw(st.integers(0, 3)),
            )
        )
        if data.draw(st.booleans()):
            raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
        desk.give(bytes(raw))
    desk.later(1)
    assert desk.responder.counters.internal_errors == 0


def test_what_is_malformed_is_reset_if_it_wants_an_answer() -> None:
    desk = Desk()
    desk.give(bytes.fromhex("40017d34ff"))
    assert desk.answer() == Packet(RST, EMPTY, 0x7D34)
    desk.give(bytes.fromhex("50017d34ff"))
    desk.give(bytes.fromhex("80017d34"))
    assert desk.take() == []
    desk.give(encode(Packet(CON, EMPTY, 9)))  # a ping
    assert desk.answer() == Packet(RST, EMPTY, 9)
    assert desk.responder.counters.malformed == 3


def test_a_critical_option_that_is_unknown_is_refused_and_another_passed_over() -> None:
    desk = Desk()
    desk.ask(POST, "devices/pump-1/telemetry", b"1", (9, b"x"))
    assert desk.answer().code == 0x82
    desk.ask(POST, "devices/pump-1/telemetry", b"1", (Option.PROXY_URI, b"coap://x/"))
    assert desk.answer().code == 0xA5
    desk.ask(POST, "devices/pump-1/telemetry", b"1", (10, b"x"))
    assert len(desk.durable()) == 1
    desk.ask(POST, "devices/pump-1/telemetry", b"1", (Option.CONTENT_FORMAT, uint(41)))
    assert desk.take()[-1].code == 0x8F


# ---- block by block --------------------------------------------------------------------------


def blocks(desk: Desk, payload: bytes, exponent: int = 2) -> list[Packet]:
    """Sends a payload in blocks, each after the answer to the one before."""
    size = 16 << exponent
    found = []
    for at in range(-(-len(payload) // size)):
        part = payload[at * size : (at + 1) * size]
        block = Block(at, (at + 1) * size < len(payload), exponent)
        desk.ask(POST, "devices/pump-1/telemetry", part, (Option.BLOCK1, block.value()))
        found += desk.take()
    return found


def test_a_long_payload_comes_block_by_block_and_is_one_message() -> None:
    desk = Desk()
    payload = bytes(range(256)) * 4
    answers = blocks(desk, payload)
    assert {packet.code for packet in answers} == {CONTINUE}
    assert len(answers) == 15
    assert block_of(option(answers[3], Option.BLOCK1) or b"") == Block(3, True, 2)
    (message,) = desk.durable()
    assert message.payload == payload
    last = desk.answer()
    assert (last.code, block_of(option(last, Option.BLOCK1) or b"")) == (
        CHANGED,
        Block(15, False, 2),
    )
    assert desk.responder.assembly.held == 0


def test_a_block_that_repeats_is_the_same_block() -> None:
    desk = Desk()
    first = desk.ask(POST, "devices/pump-1/telemetry", b"x" * 16, (Option.BLOCK1, b"\x08"))
    desk.give(first)
    desk.give(first)
    assert [packet.code for packet in desk.take()] == [CONTINUE] * 3
    last = desk.ask(POST, "devices/pump-1/telemetry", b"yz", (Option.BLOCK1, b"\x10"))
    (message,) = desk.durable()
    desk.give(last)
    assert message.payload == b"x" * 16 + b"yz"
    assert [packet.code for packet in desk.take()] == [CHANGED] * 2


def test_a_missing_block_and_too_many_bytes_are_told() -> None:
    desk = Desk(payload_bytes=1_000, assembling_bytes=1_500)
    desk.ask(POST, "devices/pump-1/telemetry", b"x" * 16, (Option.BLOCK1, b"\x18"))
    assert desk.answer().code == INCOMPLETE
    assert blocks(desk, bytes(2_000))[-1].code == INCOMPLETE  # after the one that was too much
    desk = Desk(payload_bytes=1_000)
    codes = [packet.code for packet in blocks(desk, bytes(1_100))]
    assert codes[14:17] == [CONTINUE, TOO_LARGE, INCOMPLETE]
    assert desk.responder.assembly.held == 0


def test_what_nobody_goes_on_with_is_dropped() -> None:
    desk = Desk()
    desk.ask(POST, "devices/pump-1/telemetry", b"x" * 16, (Option.BLOCK1, b"\x08"))
    assert desk.responder.assembly.held == 16
    desk.later(EXCHANGE_LIFETIME + 10)
    assert desk.responder.assembly.held == 0


def test_a_long_answer_is_read_block_by_block() -> None:
    desk = Desk()
    desk.host.state["pump-1"] = [LastValue(f"name-{n}", n, 10**18) for n in range(200)]
    body, at = b"", 0
    while True:
        desk.ask(GET, "twins/pump-1", b"", (Option.BLOCK2, Block(at, False, 4).value()))
        answer = desk.answer()
        block = block_of(option(answer, Option.BLOCK2) or b"")
        assert (answer.code, block.at, block.exponent) == (CONTENT, at, 4)
        body += answer.payload
        if not block.is_more:
            break
        at += 1
    assert orjson.loads(body) == {f"name-{n}": n for n in range(200)}
    desk.ask(GET, "twins/pump-1", b"", (Option.BLOCK2, Block(99, False, 4).value()))
    assert desk.answer().code == 0x82


# ---- state, and who observes it --------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "accept", "body"),
    [
        ("twins/pump-1", None, b'{"flow":12.5}'),
        ("twins/pump-1", CBOR, cbor2.dumps({"flow": 12.5})),
        ("twins/pump-1", SENML_JSON, b'[{"bn":"pump-1/","n":"flow","v":12.5,"t":1000000000.0}]'),
        ("twins/pump-1/flow", None, b"12.5"),
        ("twins/pump-1/flow", JSON, b"12.5"),
        ("devices/pump-1/desired", None, b'{"target":3}'),
        ("devices/pump-1/commands", None, b"[]"),
    ],
)
def test_state_is_written_in_the_format_that_is_asked_for(
    path: str, accept: int | None, body: bytes
) -> None:
    desk = Desk()
    desk.host.wishes["pump-1"] = {"target": 3}
    desk.ask(GET, path, b"", *(() if accept is None else ((Option.ACCEPT, uint(accept)),)))
    answer = desk.answer()
    assert (answer.code, answer.payload) == (CONTENT, body)
    default = TEXT if path.endswith("/flow") else JSON
    assert number_of(option(answer, Option.CONTENT_FORMAT) or b"") == (
        default if accept is None else accept
    )


@pytest.mark.parametrize(
    ("path", "accept", "code"),
    [
        ("twins/none", None, 0x84),
        ("twins/pump-1/none", None, 0x84),
        ("devices/pump-2/desired", None, 0x83),
        ("devices/pump-1/telemetry", None, 0x84),
        ("twins/pump-1", 42, 0x86),
    ],
)
def test_what_cannot_be_read_is_told(path: str, accept: int | None, code: int) -> None:
    desk = Desk()
    desk.ask(GET, path, b"", *(() if accept is None else ((Option.ACCEPT, uint(accept)),)))
    assert desk.answer().code == code


def observe(desk: Desk, path: str, mark: bytes = b"\x07", token: str = "t") -> Packet:
    desk.ask(GET, path, b"", (Option.OBSERVE, b""), mark=mark, token=token)
    return desk.answer()


def test_an_observer_is_told_what_changes_in_order() -> None:
    desk = Desk()
    first = observe(desk, "twins/pump-1")
    desk.later(2)
    assert desk.take() == []
    desk.host.state["pump-1"] = [LastValue("flow", 13.5, 10**18)]
    desk.host.news = {"pump-1"}
    desk.later(0.5)
    told = desk.answer()
    assert (told.kind, told.code, told.token, told.payload) == (
        NON,
        CONTENT,
        b"\x07",
        b'{"flow":13.5}',
    )
    assert number_of(option(told, Option.OBSERVE) or b"") > number_of(
        option(first, Option.OBSERVE) or b""
    )
    for _ in range(10):  # much changes: it is told once a second
        desk.host.news = {"pump-1"}
        desk.later(0.1)
    desk.later(0.5)
    assert len(desk.take()) == 1


def test_a_notification_must_be_confirmed_now_and_then_and_who_is_gone_is_dropped() -> None:
    desk = Desk()
    observe(desk, "twins/pump-1")
    told = desk.next()
    assert (told.kind, 119 < desk.now - 1_000 < 126) == (CON, True)
    desk.confirm(told)
    assert desk.next().number == (told.number + 1) & 0xFFFF
    desk.later(100)
    assert len(desk.take()) == 4  # the repeats, and then no more
    assert len(desk.responder.shows.observers) == 0
    assert desk.host.watched == set()
    assert len(desk.responder.outgoing) == 0


@pytest.mark.parametrize("how", ["deregister", "reset"])
def test_an_observer_that_has_enough_is_told_no_more(how: str) -> None:
    desk = Desk()
    observe(desk, "twins/pump-1")
    if how == "deregister":
        desk.ask(GET, "twins/pump-1", b"", (Option.OBSERVE, b"\x01"))
        assert option(desk.answer(), Option.OBSERVE) is None
    else:
        desk.later(1)
        desk.host.news = {"pump-1"}
        desk.later(0.5)
        desk.confirm(desk.answer(), RST)
    desk.host.news = {"pump-1"}
    desk.later(3)
    assert desk.take() == []
    assert desk.host.watched == set()


def test_observers_are_bounded_and_asking_twice_is_one() -> None:
    desk = Desk(observers_each=2)
    for mark in (b"\x01", b"\x02", b"\x02", b"\x01"):
        assert option(observe(desk, "twins/pump-1", mark), Option.OBSERVE) is not None
    assert option(observe(desk, "twins/pump-1", b"\x03"), Option.OBSERVE) is None
    assert len(desk.responder.shows.observers) == 2


def test_the_end_of_a_twin_is_told() -> None:
    desk = Desk()
    observe(desk, "twins/pump-1")
    desk.later(1)
    desk.host.state.clear()
    desk.host.news = {"pump-1"}
    desk.later(0.5)
    assert desk.answer().code == 0x84
    assert len(desk.responder.shows.observers) == 0


def test_desired_values_are_told_at_once() -> None:
    desk = Desk()
    observe(desk, "devices/pump-1/desired")
    assert desk.host.there == ["pump-1"]
    desk.host.wishes["pump-1"] = {"target": 7}
    assert desk.responder.shows.publish("devices/pump-1/desired", b"{}", 0) == 1
    told = desk.answer()
    assert (told.kind, told.payload) == (CON, b'{"target":7}')
    desk.host.wishes["pump-1"] = {"target": 8}
    desk.responder.shows.publish("devices/pump-1/desired", b"{}", 0)
    assert desk.take() == []  # one at a time
    desk.confirm(told)
    assert desk.answer().payload == b'{"target":8}'


# ---- commands --------------------------------------------------------------------------------


def command(desk: Desk, key: str, arguments: bytes = b"70", seconds: int = 60) -> int:
    topic = f"devices/pump-1/commands/setSpeed/{key}"
    return desk.responder.shows.publish(topic, arguments, seconds)


def test_a_command_comes_once_and_its_confirmation_is_evidence() -> None:
    desk = Desk()
    topic = "devices/pump-1/commands/setSpeed/c-1"
    assert desk.responder.shows.listeners(topic) == []
    observe(desk, "devices/pump-1/commands")
    assert desk.responder.shows.listeners(topic) == [PUMP]
    assert command(desk, "c-1") == 1
    told = desk.answer()
    assert orjson.loads(told.payload) == [{"id": "c-1", "command": "setSpeed", "arguments": 70}]
    assert desk.delivered == []
    desk.confirm(told)
    assert desk.delivered == [topic]
    assert observe(desk, "devices/pump-1/commands").payload == b"[]"
    desk.later(3)
    assert desk.take() == []


def test_commands_that_wait_come_together_and_those_too_late_not_at_all() -> None:
    desk = Desk()
    observe(desk, "devices/pump-1/commands")
    command(desk, "c-1")
    first = desk.answer()
    command(desk, "c-2", seconds=1)
    command(desk, "c-3", b'{"a": 1}')
    command(desk, "c-4")
    desk.later(1.5)
    assert desk.take() == []
    desk.confirm(first)
    told = desk.answer()
    assert [one["id"] for one in orjson.loads(told.payload)] == ["c-3", "c-4"]


def test_a_command_with_long_arguments_is_read_to_its_end() -> None:
    desk = Desk()
    observe(desk, "devices/pump-1/commands")
    command(desk, "c-1", orjson.dumps("x" * 1_500))
    told = desk.answer()
    assert len(told.payload) == 1_024
    desk.ask(GET, "devices/pump-1/commands", b"", (Option.BLOCK2, Block(1, False, 6).value()))
    rest = desk.answer()
    assert option(rest, Option.ETAG) == option(told, Option.ETAG)
    assert orjson.loads(told.payload + rest.payload)[0]["arguments"] == "x" * 1_500


def test_asking_anew_keeps_what_waits() -> None:
    desk = Desk()
    observe(desk, "devices/pump-1/commands")
    command(desk, "c-1")
    first = desk.answer()
    command(desk, "c-2")
    observe(desk, "devices/pump-1/commands")
    assert desk.host.there == ["pump-1"]
    desk.confirm(first)
    assert orjson.loads(desk.answer().payload)[0]["id"] == "c-2"


def test_a_device_with_a_new_address_gets_a_command_there_and_nowhere_else() -> None:
    desk = Desk()
    observe(desk, "devices/pump-1/commands")
    desk.ask(GET, "devices/pump-1/commands", b"", (Option.OBSERVE, b""), address=THERE)
    desk.sent.clear()
    assert command(desk, "c-1") == 1
    assert [address for _, address in desk.sent] == [THERE]


def test_a_fault_in_what_is_shown_ends_that_observation_alone() -> None:
    desk = Desk()
    observe(desk, "twins/pump-1", b"\x01")
    desk.host.values = lambda who, twin: 1 / 0  # type: ignore[method-assign, assignment, return-value]
    desk.host.news = {"pump-1"}
    desk.later(1.5)
    assert desk.answer().code == 0xA0
    assert desk.responder.counters.internal_errors == 1
    desk.later(3)
    assert desk.take() == []


def test_whoever_has_a_full_queue_is_not_there() -> None:
    desk = Desk(commands=3)
    observe(desk, "devices/pump-1/commands")
    assert [command(desk, f"c-{n}") for n in range(6)] == [1, 1, 1, 1, 0, 0]


def test_a_device_that_is_gone_is_noticed_and_its_command_not_repeated() -> None:
    desk = Desk()
    observe(desk, "devices/pump-1/commands")
    command(desk, "c-1")
    desk.later(100)
    assert len(desk.take()) == 5
    assert desk.host.there == ["pump-1", "pump-1 timeout"]
    assert desk.delivered == []
    assert command(desk, "c-2") == 0


# ---- links -----------------------------------------------------------------------------------


def test_a_device_finds_what_it_may_use() -> None:
    desk = Desk()
    desk.ask(GET, ".well-known/core")
    body = desk.answer().payload.decode()
    assert '</devices/pump-1/commands>;rt="gemel.commands";ct="50 60";obs' in body
    assert '</twins/pump-1>;rt="gemel.state"' in body


def test_a_stranger_finds_the_way_in_small_blocks() -> None:
    desk = Desk()
    body, at = b"", 0
    while True:
        desk.ask(
            GET, ".well-known/core", b"", (Option.BLOCK2, Block(at, False, 1).value()), token=""
        )
        answer = desk.answer()
        body += answer.payload
        block = block_of(option(answer, Option.BLOCK2) or b"")
        if not block.is_more:
            break
        at += 1
    assert body.startswith(b"</.well-known/core>;ct=40,</devices>;title=")
