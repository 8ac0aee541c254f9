from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.commands.command import Command
from gemel.commands.wire import LARGEST_ANSWER, Response, parse_response, wire
from gemel.core.errors import InvalidInput

TOPIC = "devices/p1/responses/c-1"


@pytest.mark.parametrize(
    ("arguments", "payload"),
    [(70, b"70"), (None, b"null"), ({"a": [1, "ä"]}, '{"a":[1,"ä"]}'.encode()), (True, b"true")],
)
def test_a_command_is_sent_to_its_own_topic_as_json(arguments, payload):
    command = Command("c-1", "p1", "setSpeed", arguments, "sent", "ann", 0, 1, 0, ())
    assert wire(command) == ("devices/p1/commands/setSpeed/c-1", payload)


@pytest.mark.parametrize(
    ("payload", "status", "result", "message"),
    [
        (b'{"status": "succeeded", "result": 70}', "succeeded", 70, ""),
        (b'{"status": "Failed", "message": "jammed"}', "failed", None, "jammed"),
        (b'{"status": "failed", "message": {"code": 3}}', "failed", None, '{"code":3}'),
        (b'{"status": "failed", "message": null}', "failed", None, ""),
        (b'{"speed": 70}', "succeeded", {"speed": 70}, ""),
        (b"70", "succeeded", 70, ""),
        (b'"ok"', "succeeded", "ok", ""),
        (b"null", "succeeded", None, ""),
        (b"", "succeeded", None, ""),
        (b" \n", "succeeded", None, ""),
    ],
)
def test_answers_are_read_tolerantly(payload, status, result, message):
    assert parse_response(TOPIC, payload) == Response("p1", "c-1", status, result, message)


@pytest.mark.parametrize(
    ("topic", "payload", "what"),
    [
        (TOPIC, b"{", "not JSON"),
        (TOPIC, b"\xff\xfe", "not JSON"),
        (TOPIC, b"[" * 5_000 + b"]" * 5_000, "not JSON"),
        (TOPIC, b'{"status": "done"}', "unknown status 'done'"),
        (TOPIC, b'{"status": 200}', "unknown status '200'"),
        (TOPIC, b'{"status": null}', "unknown status"),
        (TOPIC, b'"' + b"x" * LARGEST_ANSWER + b'"', "65,538 bytes"),
        ("devices/p1/responses", b"1", "not the topic"),
        ("devices/p1/responses/", b"1", "not the topic"),
        ("devices//responses/c-1", b"1", "not the topic"),
        ("devices/p1/telemetry/c-1", b"1", "not the topic"),
        ("plant/p1/responses/c-1", b"1", "not the topic"),
    ],
)
def test_nonsense_is_refused_with_the_way_out(topic, payload, what):
    with pytest.raises(InvalidInput) as caught:
        parse_response(topic, payload)
    assert what in caught.value.message
    assert caught.value.hint


def test_a_long_message_is_cut():
    answer = parse_response(TOPIC, b'{"status": "failed", "message": "' + b"x" * 5_000 + b'"}')
    assert len(answer.message) == 1_000


@given(st.text(max_size=60), st.binary(max_size=100))
def test_whatever_comes_is_read_or_refused(topic, payload):
    for where in (topic, TOPIC):
        try:
            parse_response(where, payload)
        except InvalidInput:
            continue
