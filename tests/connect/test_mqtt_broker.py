from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gemel.connect.mqtt import inbox
from gemel.connect.mqtt.codec import encode
from gemel.connect.mqtt.connection import Connection
from gemel.connect.mqtt.limits import Limits
from gemel.connect.mqtt.packets import (
    Ack,
    Auth,
    ConnAck,
    Connect,
    Disconnect,
    Kind,
    Ping,
    Property,
    Publish,
    Reason,
    SubAck,
    Subscribe,
    UnsubAck,
    Unsubscribe,
    WillMessage,
)
from gemel.core.errors import Unavailable

LASTING = {Property.SESSION_EXPIRY: 1000}


def message(topic, payload=b"x", qos=0, packet_id=0, retain=False, properties=None, dup=False):
    return Publish(
        qos << 1 | int(retain) | (8 if dup else 0), topic, packet_id, payload, properties
    )


# -- acknowledgements are promises -----------------------------------------------------------


@pytest.mark.parametrize("version", [4, 5])
def test_nothing_is_acknowledged_or_routed_before_it_is_durable(plant, version):
    watcher = plant.client("w", version).send(Subscribe(1, (("#", 1),)))
    watcher.got()
    plant.host.is_manual = True
    client = plant.client("c", version)
    client.send(message("t", b"1", 1, 11), message("t", b"2", 2, 12), message("t", b"3", 1, 13))
    assert client.got() == []
    assert watcher.got() == []
    (done,) = plant.host.pending
    done(None)
    assert client.got() == [Ack(Kind.PUBACK, 11), Ack(Kind.PUBREC, 12), Ack(Kind.PUBACK, 13)]
    assert [p.payload for p in watcher.published()] == [b"1", b"2", b"3"]


def test_little_waits_while_what_came_before_is_made_durable(plant):
    plant.host.is_manual = True
    client = plant.client()
    for packet_id in (1, 2, 3):
        client.send(message("t", b"%d" % packet_id, 1, packet_id))
    assert [[m.payload for m in call] for call in plant.host.calls] == [[b"1"]]
    plant.host.pending[0](None)
    plant.turn()
    assert [[m.payload for m in call] for call in plant.host.calls] == [[b"1"], [b"2", b"3"]]


def test_batches_done_out_of_order_are_acknowledged_in_order(plant, monkeypatch):
    monkeypatch.setattr(inbox, "ENOUGH_BYTES", 1)
    plant.host.is_manual = True
    client = plant.client()
    client.send(message("t", b"1", 1, 1))
    client.send(message("t", b"2", 1, 2))
    first, second = plant.host.pending
    second(None)
    assert client.got() == []
    first(None)
    first(None)
    assert client.got() == [Ack(Kind.PUBACK, 1), Ack(Kind.PUBACK, 2)]


def test_messages_of_all_connections_in_one_turn_are_one_call(plant):
    one, two = plant.client("a"), plant.client("b")
    plant.host.calls.clear()
    one.connection.receive(encode(message("t", b"1"), 5) * 3)
    two.connection.receive(encode(message("t", b"2"), 5) * 2)
    plant.turn()
    assert [len(call) for call in plant.host.calls] == [5]


def test_a_failed_accept_is_told_to_five_and_closes_three(plant):
    five, three = plant.client("a", 5), plant.client("b", 4)
    watcher = plant.client("w").send(Subscribe(1, (("#", 0),)))
    watcher.got()
    plant.host.error = Unavailable("the disk is full")
    five.send(message("t", b"1", 1, 1), message("t", b"2", 2, 2))
    acks = five.got()
    assert [(a.kind, a.reason) for a in acks] == [
        (Kind.PUBACK, Reason.QUOTA_EXCEEDED),
        (Kind.PUBREC, Reason.QUOTA_EXCEEDED),
    ]
    assert "disk is full" in acks[0].properties[Property.REASON_STRING]
    three.send(message("t", b"1", 1, 1))
    assert three.got() == []
    assert three.is_closed
    assert watcher.published() == []
    plant.host.error = None
    five.send(message("t", b"2", 2, 2))
    assert five.got() == [Ack(Kind.PUBREC, 2)]


def test_a_host_that_raises_is_a_refusal(plant):
    client = plant.client()

    def broken(messages, done):
        raise RuntimeError("bug")

    plant.host.accept = broken
    client.send(message("t", b"1", 1, 1))
    assert [a.reason for a in client.got()] == [Reason.UNSPECIFIED]


def test_rows_for_absent_subscribers_are_committed_before_the_acknowledgement(plant):
    plant.client("sub", properties=LASTING).send(Subscribe(1, (("t", 1),))).lose()
    client = plant.client("pub")
    plant.is_committing = False
    client.send(message("t", b"1", 1, 1), message("r", b"2", 1, 2, retain=True))
    assert client.got() == []
    plant.commit_again()
    assert client.got() == [Ack(Kind.PUBACK, 1), Ack(Kind.PUBACK, 2)]
    tables = {table for table, _ in plant.store.rows}
    assert tables == {"session", "message", "retained"}


def test_a_failed_commit_is_told_and_tried_again(plant):
    plant.client("sub", properties=LASTING).send(Subscribe(1, (("t", 1),))).lose()
    client = plant.client("pub")
    plant.is_committing = False
    client.send(message("t", b"1", 1, 1))
    journal = plant.broker.journal
    journal.take()
    journal.finished(OSError("no space"))
    got = client.got()
    assert isinstance(got[0], Disconnect)
    assert client.is_closed
    plant.commit_again()
    plant.broker.tick()
    plant.turn()
    assert any(table == "message" for table, _ in plant.store.rows)


def test_denied_messages(plant):
    plant.host.denied.add("secret")
    five, three = plant.client("a", 5), plant.client("b", 4)
    five.send(message("secret", b"1", 1, 1), message("t", b"2", 1, 2), message("secret", b"3"))
    assert five.got() == [Ack(Kind.PUBACK, 1, Reason.NOT_AUTHORIZED), Ack(Kind.PUBACK, 2)]
    three.send(message("t", b"1", 1, 1), message("secret", b"2", 1, 2), message("t", b"3", 1, 3))
    assert three.got() == [Ack(Kind.PUBACK, 1)]
    assert three.is_closed
    assert plant.broker.counters.denied_publish == 3
    assert all(m.topic == "t" for m in plant.host.messages)


# -- QoS 2 -------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [4, 5])
def test_qos_2_is_taken_in_once_over_a_broken_connection_and_a_restart(plant, version):
    values = {"clean": False} | ({"properties": LASTING} if version == 5 else {})
    client = plant.client("c", version, **values)
    client.send(message("t", b"once", 2, 7))
    assert client.got() == [Ack(Kind.PUBREC, 7)]
    client.lose()
    again = plant.peer(version).connect("c", **values)
    assert again.got()[0].session_present
    again.send(message("t", b"once", 2, 7, dup=True))
    assert again.got() == [Ack(Kind.PUBREC, 7)]
    after = plant.restarted()
    third = after.peer(version).connect("c", **values)
    assert third.got()[0].session_present
    third.send(message("t", b"once", 2, 7, dup=True))
    assert third.got() == [Ack(Kind.PUBREC, 7)]
    third.send(Ack(Kind.PUBREL, 7))
    assert third.got() == [Ack(Kind.PUBCOMP, 7)]
    assert len(plant.host.messages + after.host.messages) == 1
    third.send(message("t", b"next", 2, 7))
    assert third.got() == [Ack(Kind.PUBREC, 7)]
    assert [m.payload for m in after.host.messages] == [b"next"]


def test_a_repeated_qos_2_message_is_not_acknowledged_before_the_first_is_durable(plant):
    plant.host.is_manual = True
    client = plant.client("c", clean=False, properties=LASTING)
    client.send(message("t", b"1", 2, 7))
    client.lose()
    again = plant.client("c", clean=False, properties=LASTING)
    again.send(message("t", b"1", 2, 7, dup=True))
    assert again.got() == []
    plant.host.pending[0](None)
    assert again.got() == [Ack(Kind.PUBREC, 7)]
    assert len(plant.host.messages) == 1


def test_qos_2_to_a_subscriber_survives_breaks_at_every_step(plant):
    values = {"clean": False, "properties": LASTING}
    client = plant.client("s", **values).send(Subscribe(1, (("t", 2),)))
    client.got()
    plant.broker.publish("t", b"1", 2)
    (first,) = client.published()
    client.lose()
    plant = plant.restarted()
    client = plant.client("s", **values)
    (second,) = client.published()
    assert (second.packet_id, second.flags & 8, second.payload) == (first.packet_id, 8, b"1")
    client.send(Ack(Kind.PUBREC, first.packet_id))
    assert client.got() == [Ack(Kind.PUBREL, first.packet_id)]
    plant = plant.restarted()
    client = plant.peer().connect("s", **values)
    assert client.got()[1:] == [Ack(Kind.PUBREL, first.packet_id)]
    client.send(Ack(Kind.PUBCOMP, first.packet_id))
    assert plant.delivered == [("admin", "t")]
    plant.turn()
    assert not any(table == "message" for table, _ in plant.store.rows)


# -- subscribers ---------------------------------------------------------------------------------


def test_queued_messages_keep_their_order_and_expire(plant):
    values = {"clean": False, "properties": LASTING}
    plant.client("s", **values).send(Subscribe(1, (("t", 1),))).lose()
    for n in range(5):
        expiry = {Property.MESSAGE_EXPIRY: 10} if n == 2 else {Property.MESSAGE_EXPIRY: 100}
        assert plant.broker.publish("t", b"%d" % n, 1, properties=expiry) == 1
    assert plant.broker.publish("t", b"zero", 0) == 0
    plant.turn()
    plant.clock.advance(20)
    client = plant.restarted().peer().connect("s", **values)
    found = [p for p in client.got() if isinstance(p, Publish)]
    assert [p.payload for p in found] == [b"0", b"1", b"3", b"4"]
    assert found[0].properties == {Property.MESSAGE_EXPIRY: 80}
    assert not found[0].flags & 8


def test_a_queue_has_an_end_and_drops_the_oldest(make_plant):
    plant = make_plant(Limits(queue_messages=5))
    values = {"clean": False, "properties": LASTING}
    plant.client("s", **values).send(Subscribe(1, (("t", 1),))).lose()
    for n in range(8):
        plant.broker.publish("t", b"%d" % n, 1)
    plant.turn()
    assert plant.broker.counters.dropped_full == 3
    assert sum(table == "message" for table, _ in plant.store.rows) == 5
    client = plant.peer().connect("s", **values)
    assert [p.payload for p in client.got()[1:]] == [b"3", b"4", b"5", b"6", b"7"]


def test_a_slow_subscriber_loses_the_oldest_qos_0_messages_only(make_plant):
    plant = make_plant(Limits(queue_bytes=3000))
    client = plant.client("s").send(Subscribe(1, (("t", 1),)))
    client.got()
    client.connection.is_paused = True
    for n in range(20):
        plant.broker.publish("t", b"%02d" % n, 0)
    plant.broker.publish("t", b"one", 1)
    assert client.published() == []
    assert plant.broker.counters.dropped_slow > 0
    client.connection.resume_writing()
    got = [p.payload for p in client.published()]
    assert got[-2:] == [b"19", b"one"]
    assert len(got) == 21 - plant.broker.counters.dropped_slow


def test_the_receive_maximum_of_a_subscriber_holds(plant):
    client = plant.client("s", properties={Property.RECEIVE_MAXIMUM: 2})
    client.send(Subscribe(1, (("t", 2),)))
    client.got()
    for n in range(5):
        plant.broker.publish("t", b"%d" % n, 1 + n % 2)
    first = client.published()
    assert [p.payload for p in first] == [b"0", b"1"]
    client.send(Ack(Kind.PUBACK, first[0].packet_id))
    assert [p.payload for p in client.published()] == [b"2"]
    client.send(Ack(Kind.PUBREC, first[1].packet_id))
    assert client.published() == []
    client.send(Ack(Kind.PUBCOMP, first[1].packet_id))
    assert [p.payload for p in client.published()] == [b"3"]


def test_the_receive_maximum_of_the_server_holds(make_plant):
    plant = make_plant(Limits(receive_maximum=2))
    plant.host.is_manual = True
    client = plant.client()
    client.send(*(message("t", b"x", 1, n) for n in (1, 2)))
    for done in plant.host.pending:
        done(None)
    plant.turn()
    client.got()
    client.send(*(message("t", b"x", 1, n) for n in (1, 2, 3)))
    (last,) = client.got()
    assert last.reason == Reason.RECEIVE_MAXIMUM_EXCEEDED


def test_overlapping_subscriptions_give_one_copy_with_all_identifiers(plant):
    client = plant.client("s")
    client.send(Subscribe(1, (("a/+", 0),), {Property.SUBSCRIPTION_ID: 4}))
    client.send(Subscribe(2, (("a/#", 2),), {Property.SUBSCRIPTION_ID: 5}))
    client.got()
    user = {Property.USER: [("k", "v")], Property.RESPONSE_TOPIC: "answer"}
    plant.broker.publish("a/b", b"1", 1, properties=user)
    (found,) = client.published()
    assert found.qos == 1
    assert sorted(found.properties[Property.SUBSCRIPTION_ID]) == [4, 5]
    assert found.properties[Property.USER] == [("k", "v")]
    assert found.properties[Property.RESPONSE_TOPIC] == "answer"


def test_no_local_and_retain_as_published(plant):
    client = plant.client("s").send(Subscribe(1, (("t", 4), ("u", 8), ("v", 0))))
    client.got()
    client.send(*(message(t, b"1", retain=True) for t in "tuv"))
    assert [(p.topic, p.is_retained) for p in client.published()] == [("u", True), ("v", False)]


def test_retain_handling(plant):
    plant.broker.publish("t", b"kept", 1, retain=True)
    client = plant.client("s")
    client.send(Subscribe(1, (("t", 0x21),)))
    assert client.published() == []
    client.send(Subscribe(2, (("t", 0x11),)))
    assert client.published() == []
    client.send(Unsubscribe(3, ("t", "nothing")))
    assert client.got() == [UnsubAck(3, bytes((0, Reason.NO_SUBSCRIPTION_EXISTED)))]
    client.send(Subscribe(4, (("t", 0x11),)))
    assert [(p.payload, p.is_retained) for p in client.published()] == [(b"kept", True)]
    client.send(Subscribe(5, (("t", 1),)))
    assert len(client.published()) == 1


def test_retained_messages_survive_a_restart_are_replaced_ended_and_expire(plant):
    plant.broker.publish("a/1", b"old", retain=True)
    plant.broker.publish("a/1", b"new", retain=True)
    plant.broker.publish("a/2", b"gone", retain=True)
    plant.broker.publish("a/2", b"", retain=True)
    plant.broker.publish("a/3", b"late", retain=True, properties={Property.MESSAGE_EXPIRY: 5})
    plant.broker.publish("hidden/x", b"secret", retain=True)
    plant.turn()
    plant.clock.advance(6)
    after = plant.restarted()
    client = after.client("s").send(Subscribe(1, (("#", 0),)))
    assert [p.payload for p in client.published()] == [b"new"]
    after.broker.tick()
    assert len(after.broker.retained) == 2


def test_shared_subscriptions_take_turns_and_prefer_who_is_there(plant):
    members = [
        plant.client(f"m{n}", properties=LASTING).send(Subscribe(1, (("$share/g/t/#", 1),)))
        for n in range(2)
    ]
    for member in members:
        member.got()
    for n in range(4):
        assert plant.broker.publish("t/x", b"%d" % n, 1) == 1
    assert [len(member.published()) for member in members] == [2, 2]
    members[0].lose()
    plant.broker.publish("t/x", b"9", 1)
    assert [p.payload for p in members[1].published()] == [b"9"]
    members[1].lose()
    assert plant.broker.publish("t/x", b"10", 1) == 1


def test_topic_aliases_both_ways(plant):
    client = plant.client("s", properties={Property.TOPIC_ALIAS_MAXIMUM: 1})
    client.send(Subscribe(1, (("#", 0),)))
    client.got()
    alias = {Property.TOPIC_ALIAS: 3}
    client.send(message("a", b"1", properties=alias), message("", b"2", properties=alias))
    client.send(message("b", b"3", properties=alias), message("", b"4", properties=alias))
    assert [(m.topic, m.payload) for m in plant.host.messages] == [
        ("a", b"1"),
        ("a", b"2"),
        ("b", b"3"),
        ("b", b"4"),
    ]
    found = client.published()
    assert [p.topic for p in found] == ["a", "", "b", "b"]
    assert [p.properties for p in found[:3]] == [{0x23: 1}, {0x23: 1}, None]
    client.send(message("", b"5", properties={Property.TOPIC_ALIAS: 9}))
    assert client.is_closed


def test_a_subscriber_gets_no_packet_over_its_maximum(plant):
    client = plant.client("s", properties={Property.MAXIMUM_PACKET_SIZE: 50})
    client.send(Subscribe(1, (("t", 1),)))
    client.got()
    for qos in (0, 1):
        plant.broker.publish("t", b"x" * 100, qos)
        plant.broker.publish("t", b"small", qos)
    assert [p.payload for p in client.published()] == [b"small", b"small"]
    assert plant.broker.counters.dropped_too_large == 2


def test_who_may_receive_is_asked_for_live_and_retained_messages(plant):
    client = plant.client("s").send(Subscribe(1, (("hidden/#", 1),)))
    client.got()
    assert plant.broker.publish("hidden/a", b"1", 1, retain=True) == 0
    client.send(Subscribe(2, (("hidden/a", 1),)))
    assert client.published() == []


def test_refused_subscriptions(make_plant):
    plant = make_plant(Limits(subscriptions=1))
    plant.host.denied.add("no")
    five, three = plant.client("a", 5), plant.client("b", 4)
    names = (("no", 1), ("a/#/b", 1), ("yes", 1), ("more", 1), ("$share/x", 0))
    five.send(Subscribe(1, names))
    (answer,) = five.got()
    assert list(answer.reasons) == [0x87, 0x8F, 1, 0x97, 0x8F]
    three.send(Subscribe(1, names[:3]))
    assert three.got() == [SubAck(1, b"\x80\x80\x01")]


def test_a_delivery_that_was_acknowledged_is_evidence(plant):
    client = plant.client("dev", username="pump-token")
    client.send(Subscribe(1, (("devices/pump-1/commands/#", 1),)))
    client.got()
    assert plant.broker.publish("devices/pump-1/commands/x/1", b"{}", 1) == 1
    (found,) = client.published()
    assert plant.delivered == []
    client.send(Ack(Kind.PUBACK, found.packet_id))
    client.send(Ack(Kind.PUBACK, found.packet_id))
    assert plant.delivered == [("pump-1", "devices/pump-1/commands/x/1")]


# -- sessions, wills, who may connect ------------------------------------------------------------


def test_session_expiry_takeover_and_clean_start(plant):
    first = plant.client("c", properties=LASTING)
    second = plant.peer().connect("c", clean=False, properties=LASTING)
    assert second.got()[0].session_present
    (told,) = first.got()
    assert told.reason == Reason.SESSION_TAKEN_OVER
    assert plant.host.ended("c") == ["taken-over"]
    second.send(Disconnect())
    plant.clock.advance(1001)
    plant.broker.tick()
    assert plant.broker.sessions == {}
    plant.turn()
    assert plant.store.rows == {}
    third = plant.peer().connect("c", clean=False)
    assert not third.got()[0].session_present


def test_another_principal_cannot_take_a_session_over(plant):
    first = plant.client("c", properties=LASTING)
    other = plant.peer().connect("c", username="other", clean=False)
    assert not other.got()[0].session_present
    assert not first.is_closed


def test_wills_go_in_like_messages_and_out_to_subscribers(plant):
    watcher = plant.client("w").send(Subscribe(1, (("#", 1),)))
    watcher.got()
    will = WillMessage("gone", b"bye", 1, True)
    plant.client("a", 4, will=will).lose()
    assert [(m.topic, m.who.name) for m in plant.host.messages] == [("gone", "admin")]
    assert [p.payload for p in watcher.published()] == [b"bye"]
    plant.client("b", 4, will=will).send(Disconnect())
    assert watcher.published() == []
    plant.client("c", 5, will=will).send(Disconnect(Reason.DISCONNECT_WITH_WILL))
    assert len(watcher.published()) == 1
    assert len(plant.broker.retained) == 1


def test_a_delayed_will_waits_and_is_dropped_on_return(plant):
    will = WillMessage("gone", b"bye", 0, False, {Property.WILL_DELAY: 30})
    values = {"clean": False, "properties": LASTING, "will": will}
    plant.client("a", **values).lose()
    plant.clock.advance(29)
    plant.broker.tick()
    client = plant.client("a", **values)
    plant.clock.advance(60)
    plant.broker.tick()
    plant.turn()
    assert plant.host.messages == []
    client.lose()
    after = plant.restarted()
    after.clock.advance(31)
    after.broker.tick()
    after.turn()
    after.broker.tick()
    after.turn()
    assert [m.payload for m in after.host.messages] == [b"bye"]
    ended = after.client("b", will=will, properties={Property.SESSION_EXPIRY: 5})
    ended.lose()
    after.clock.advance(6)
    after.broker.tick()
    after.turn()
    assert len(after.host.messages) == 2


@pytest.mark.parametrize(
    ("version", "values", "reason"),
    [
        (4, {"username": "wrong"}, 4),
        (4, {"username": None}, 5),
        (5, {"username": "wrong"}, Reason.BAD_USER_NAME_OR_PASSWORD),
        (5, {"username": "u", "password": b"wrong"}, Reason.BAD_USER_NAME_OR_PASSWORD),
        (4, {"client_id": "", "clean": False}, 2),
        (5, {"client_id": "a\nb"}, Reason.CLIENT_ID_NOT_VALID),
        (5, {"properties": {Property.AUTH_METHOD: "X"}}, Reason.BAD_AUTH_METHOD),
        (5, {"will": WillMessage("denied", b"")}, Reason.NOT_AUTHORIZED),
    ],
)
def test_who_is_refused_at_the_door(plant, version, values, reason):
    plant.host.denied.add("denied")
    peer = plant.peer(version).connect(**values)
    (answer,) = peer.got()
    assert answer.reason == reason
    assert peer.is_closed
    assert plant.host.events == []
    assert plant.broker.sessions == {}


def test_the_token_may_be_password_or_user_name_alone(plant):
    plant.client("a", 4, username="secret")
    plant.client("b", 4, username="anyone", password=b"secret")
    assert [e[1] for e in plant.host.events] == ["admin", "admin"]


def test_an_empty_client_id_is_given_one(plant):
    peer = plant.peer().connect("", username="secret")
    (answer,) = peer.got()
    assert answer.properties[Property.ASSIGNED_CLIENT_ID]


def test_old_protocol_versions_are_told(plant):
    peer = plant.peer(4).raw(bytes.fromhex("100f00064d51497364700302003c000161"))
    assert peer.got() == [ConnAck(False, 1)]
    assert peer.is_closed


@pytest.mark.parametrize(
    "packet",
    [Connect("again", 5), ConnAck(False, 0), SubAck(1, b"\0"), Auth(0x18), Ping(True)],
)
def test_packets_out_of_place_end_the_connection(plant, packet):
    client = plant.client()
    client.send(packet)
    (answer,) = client.got()
    assert isinstance(answer, Disconnect)
    assert answer.reason == Reason.PROTOCOL_ERROR
    assert plant.host.ended("c") == ["refused"]


def test_damaged_rows_are_dropped_and_counted(plant):
    plant.client("s", properties=LASTING).send(Subscribe(1, (("t", 1),))).lose()
    plant.broker.publish("t", b"1", 1)
    plant.turn()
    rows = plant.store.rows
    rows["session", "bad"] = b"{"
    rows["message", "zz s"] = b"123456789"
    rows["message", f"{99:016x} nobody"] = b""
    rows["retained", "x"] = b"\xff" * 12
    rows["received", "x admin\ns"] = b""
    after = plant.restarted()
    assert after.broker.counters.damaged_rows == 5
    assert len(after.broker.sessions) == 1
    after.turn()
    assert {key for table, key in rows if table != "session"} == {f"{1:016x} admin\ns"}


# -- anything in any order -----------------------------------------------------------------------

small_ids = st.integers(1, 4)
names = st.sampled_from(["a", "a/b", "a/c", "hidden/a"])
filters = st.sampled_from(["a", "a/#", "#", "+/b", "$share/g/a/#", "$share/bad", "a/#/b"])
sequence = st.lists(
    st.one_of(
        st.builds(
            Connect,
            st.sampled_from(["x", "y", ""]),
            st.just(0),
            st.booleans(),
            st.just(10),
            st.sampled_from(["secret", "other", "wrong"]),
            will=st.none() | st.builds(WillMessage, names, st.just(b"w"), st.integers(0, 2)),
            properties=st.sampled_from([{}, LASTING, {Property.RECEIVE_MAXIMUM: 1}]),
        ),
        st.builds(
            lambda topic, qos, number, retain, payload: message(
                topic, payload, qos, number if qos else 0, retain
            ),
            names,
            st.integers(0, 2),
            small_ids,
            st.booleans(),
            st.sampled_from([b"", b"x", b"y" * 50]),
        ),
        st.builds(Ack, st.sampled_from([4, 5, 6, 7]), small_ids, st.sampled_from([0, 0x80])),
        st.builds(
            lambda number, name, options: Subscribe(number, ((name, options),)),
            small_ids,
            filters,
            st.integers(0, 2),
        ),
        st.builds(lambda number, name: Unsubscribe(number, (name,)), small_ids, filters),
        st.just(Ping()),
        st.builds(Disconnect, st.sampled_from([0, 4])),
        st.sampled_from(["lose", "tick", "restart", "fail", "manual", "settle"]),
    ),
    max_size=40,
)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=sequence, choices=st.lists(st.integers(0, 5), min_size=40, max_size=40))
def test_any_packets_in_any_order_leave_the_broker_sound(make_plant, steps, choices):
    plant = make_plant(Limits(queue_messages=3))
    peers = [plant.peer(version) for version in (4, 5, 5)]
    for step, choice in zip(steps, choices, strict=False):
        place = choice % 3
        peer = peers[place]
        if peer.is_closed:
            peer = peers[place] = plant.peer(4 if place == 0 else 5)
        if isinstance(step, Connect):
            properties = step.properties if peer.version == 5 else {}
            peer.connect(
                step.client_id,
                clean=step.clean,
                username=step.username,
                will=step.will,
                properties=properties,
            )
        elif step == "lose":
            peer.lose()
        elif step == "tick":
            plant.clock.advance(700)
            plant.broker.tick()
        elif step == "restart":
            plant = plant.restarted()
            peers = [plant.peer(version) for version in (4, 5, 5)]
        elif step == "fail":
            plant.host.error = None if plant.host.error else Unavailable("no")
        elif step == "manual":
            plant.host.is_manual = not plant.host.is_manual
        elif step == "settle":
            while plant.host.pending:
                plant.host.pending.pop()(None)
        else:
            peer.send(step)
        plant.turn()
        for session in plant.broker.sessions.values():
            flying = [out for out in session.outgoing.values() if out.is_inflight]
            assert session.inflight == len(flying)
            assert len(session.outgoing) == len(session._waiting) + len(flying)
            assert len(session.outgoing) <= 3
            assert session.queued_bytes == sum(o.delivery.size for o in session.outgoing.values())
            assert isinstance(session.link, Connection) or session.ended
    while plant.host.pending:
        plant.host.pending.pop(0)(None)
    plant.turn()
    assert plant.broker.inbox.is_idle
    assert plant.broker.journal.is_idle
    assert plant.broker.inbox.undurable == 0
    kept = {key for table, key in plant.store.rows if table == "session"}
    assert kept == {s.key for s in plant.broker.sessions.values() if s.is_persistent}
    queued = {
        session.row_key(out)
        for session in plant.broker.sessions.values()
        if session.is_persistent
        for out in session.outgoing.values()
    }
    assert queued == {key for table, key in plant.store.rows if table == "message"}


def gathered(plant, seconds: float) -> int:
    """Lets time pass and a turn of the loop come; in how many ns the next one must."""
    plant.clock.advance(seconds)
    return plant.broker.inbox.flush()


def said(number: int) -> bytes:
    return encode(Publish(2, "t", number, b"x"), 4)


def test_what_nobody_waits_for_is_gathered_for_the_next_call(plant) -> None:
    devices = [plant.client(f"d{number}", 4) for number in range(4)]
    plant.clock.advance(60)
    for device in devices[:1]:
        device.connection.receive(said(1))
    assert gathered(plant, 0.0) == 0, "after a pause nothing waits"
    assert [len(call) for call in plant.host.calls] == [1]
    for device in devices[1:]:
        device.connection.receive(said(1))
        assert 0 < gathered(plant, 0.002) < 30_000_000
    assert [len(call) for call in plant.host.calls] == [1]
    assert gathered(plant, 0.030) == 0
    assert [len(call) for call in plant.host.calls] == [1, 3]


def test_a_client_that_waits_for_its_acknowledgement_is_not_held_up(plant) -> None:
    device = plant.client("d", 4)
    plant.clock.advance(60)
    for number in range(1, 6):
        device.connection.receive(said(number))
        assert gathered(plant, 0.0) == 0
        plant.turn()
        plant.clock.advance(0.001)
    assert [len(call) for call in plant.host.calls] == [1] * 5


def test_clients_that_wait_alike_wait_for_one_another(plant) -> None:
    devices = [plant.client(f"d{number}", 4) for number in range(3)]
    plant.host.is_manual = True
    plant.clock.advance(60)

    def answer() -> None:
        plant.clock.advance(0.004)
        while plant.host.pending:
            plant.host.pending.pop(0)(None)
        plant.turn()

    for number in (1, 2):
        for device in devices:
            device.connection.receive(said(number))
        assert gathered(plant, 0.0) == 0
        answer()
    for device in devices[:2]:
        device.connection.receive(said(3))
        assert 0 < gathered(plant, 0.0005) <= 2_000_000
    devices[2].connection.receive(said(3))
    assert gathered(plant, 0.0) == 0, "all are there"
    assert [len(call) for call in plant.host.calls] == [3, 3, 3]
    answer()
    devices[0].connection.receive(said(4))
    assert 0 < gathered(plant, 0.0) <= 2_000_000
    assert gathered(plant, 0.0021) == 0, "half as long as the last call took is enough"
    answer()
    devices[0].connection.receive(said(5))
    assert gathered(plant, 0.0) == 0, "those that stay away are expected no more"
    assert [len(call) for call in plant.host.calls] == [3, 3, 3, 1, 1]


def test_an_urgent_message_does_not_wait_for_others(plant) -> None:
    device = plant.client("d", 4)
    plant.clock.advance(60)
    device.connection.receive(said(1))
    assert gathered(plant, 0.0) == 0
    plant.clock.advance(0.015)
    device.connection.receive(encode(Publish(2, "devices/d/responses/1", 2, b"{}"), 4))
    assert [m.topic for m in plant.host.messages] == ["t", "devices/d/responses/1"]
    assert gathered(plant, 0.0) == 0
    plant.turn()
    assert [ack.packet_id for ack in device.got()] == [1, 2]
