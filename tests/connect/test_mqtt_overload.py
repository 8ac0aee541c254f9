"""More than can be taken in: what is shed, what is held back, what passes by."""

from __future__ import annotations

import pytest

from gemel.connect.mqtt import inbox
from gemel.connect.mqtt.limits import Limits
from gemel.connect.mqtt.packets import Ack, Kind, Publish
from gemel.core import fast
from gemel.core.clock import SECOND

LIMITS = Limits(undurable_bytes=20_000, handed_bytes=1, behind_seconds=5)


@pytest.fixture(params=["compiled", "python"])
def plant(request, make_plant, monkeypatch):
    """Every packet is a batch of its own; the host is given one batch at a time."""
    if request.param == "python":
        monkeypatch.setattr(fast, "IS_COMPILED", False)
    elif not fast.IS_COMPILED:
        pytest.skip("nothing is compiled here")
    monkeypatch.setattr(inbox, "ENOUGH_BYTES", 1)
    found = make_plant(LIMITS)
    found.host.is_manual = True
    return found


def message(payload: bytes, qos: int = 0, packet_id: int = 0, topic: str = "t", retain: int = 0):
    return Publish(qos << 1 | retain, topic, packet_id, payload)


def given(plant) -> list[bytes]:
    return [m.payload for m in plant.host.messages]


def answer_all(plant) -> None:
    """The host becomes as fast as it can be."""
    while plant.host.pending:
        plant.host.pending.pop(0)(None)
        plant.turn()


def test_qos_0_is_shed_oldest_first_and_the_host_is_told(plant):
    client = plant.client()
    for number in range(200):
        client.send(message(b"%03d" % number + bytes(97)))
        if number == 100:
            assert plant.broker.inbox.is_congested
            assert plant.host.losses == []
            plant.clock.now += 6 * SECOND
    assert plant.broker.inbox.undurable <= LIMITS.undurable_bytes
    lost = [payload[:3] for payload, _ in plant.host.losses]
    assert {cause for _, cause in plant.host.losses} == {"behind"}
    answer_all(plant)
    kept = [payload[:3] for payload in given(plant)]
    assert kept[:1] + lost + kept[1:] == [b"%03d" % number for number in range(200)]
    assert 0 < len(lost) == plant.broker.counters.shed
    assert plant.broker.inbox.undurable == 0
    assert plant.broker.inbox.is_idle


def test_a_burst_is_held_back_and_not_shed(plant):
    client = plant.client()
    for _ in range(3):
        for number in range(100):
            client.send(message(b"%03d" % number + bytes(97)))
        assert plant.broker.inbox.is_congested
        plant.clock.now += 4 * SECOND
        answer_all(plant)
        assert plant.broker.inbox.undurable == 0
    assert plant.host.losses == []
    assert len(given(plant)) == 300


def test_qos_1_and_retained_messages_are_never_shed_and_keep_their_order(plant):
    client = plant.client()
    for number in range(1, 60):
        client.send(
            message(b"a%02d" % number + bytes(200)),
            message(b"b%02d" % number, 1, number),
            message(b"c%02d" % number, retain=1),
        )
    plant.clock.now += 6 * SECOND
    plant.wake()
    plant.turn()
    assert {payload[:1] for payload, _ in plant.host.losses} == {b"a"}
    answer_all(plant)
    kept = given(plant)
    assert [p for p in kept if p[:1] == b"b"] == [b"b%02d" % n for n in range(1, 60)]
    assert [p for p in kept if p[:1] == b"c"] == [b"c%02d" % n for n in range(1, 60)]
    assert [a.packet_id for a in client.got()] == list(range(1, 60))
    assert plant.broker.inbox.undurable == 0


def test_qos_1_alone_is_held_back_and_nothing_is_lost(plant):
    client = plant.client()
    for number in range(1, 80):
        client.send(message(bytes(100), 1, number))
    assert plant.broker.inbox.is_congested
    assert plant.host.losses == []
    answer_all(plant)
    assert not plant.broker.inbox.is_congested
    assert client.got() == [Ack(Kind.PUBACK, n) for n in range(1, 80)]


def test_what_has_waited_too_long_is_shed_however_little_it_is(plant):
    client = plant.client()
    client.send(message(b"1"))
    client.send(message(b"2"))
    assert plant.broker.inbox.waits_since == plant.clock.now
    plant.clock.now += 6 * SECOND
    plant.wake()
    client.send(message(b"3"))
    assert [payload for payload, _ in plant.host.losses] == [b"2"]
    answer_all(plant)
    assert given(plant) == [b"1", b"3"]
    assert plant.broker.inbox.waits_since == 0


def test_an_answer_to_a_command_passes_by_and_is_acknowledged_in_its_turn(plant):
    client = plant.client()
    client.send(message(b"telemetry", 1, 1), message(b"more", 1, 2))
    client.send(message(b"waits", 1, 3))
    client.send(message(b"done", 1, 4, "devices/pump-1/responses/c-1"))
    assert given(plant)[-1] == b"done"
    assert b"waits" not in given(plant)
    plant.host.pending.pop(-1)(None)
    assert client.got() == []
    answer_all(plant)
    assert [a.packet_id for a in client.got()] == [1, 2, 3, 4]
    assert plant.broker.counters.hurried == 1
    assert plant.host.losses == []


def test_a_refused_answer_refuses_what_is_acknowledged_with_it(plant):
    client = plant.client(version=4)
    client.send(message(b"done", 1, 1, "devices/pump-1/responses/c-1"))
    plant.host.pending.pop(0)(OSError("the disk"))
    answer_all(plant)
    assert client.is_closed


def test_qos_0_that_could_not_be_stored_is_told_to_the_host(plant):
    client = plant.client()
    client.send(message(b"1"), message(b"2", 1, 7))
    plant.host.pending.pop(0)(OSError("no room"))
    plant.turn()
    assert plant.host.losses == [(b"1", "refused")]
