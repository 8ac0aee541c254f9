"""Who is told when: matching, quiet hours, repeats, and what is refused."""

from __future__ import annotations

import pytest

from gemel.core.clock import SECOND, from_iso, to_iso
from gemel.core.errors import InvalidInput
from gemel.services.notices.outbox import Outbox
from gemel.services.notices.policy import read_notification, read_receiver

NOW = from_iso("2026-11-22T10:00:00Z")
OPS = {"kind": "email", "to": ["ann@example.com"]}


def alarm(**more):
    return {
        "id": "a-1",
        "rule": "hot",
        "class": "mechanical",
        "twin": "pump-1",
        "priority": 2,
        "occurrences": 1,
        "state": "unacknowledged",
        "group": None,
    } | more


def outbox(quiet=None, **notification):
    box = Outbox()
    receiver = {**OPS, "quiet": quiet} if quiet else OPS
    document = {"steps": [{"to": ["ops"]}, {"after": 60, "to": ["ops"]}], **notification}
    box.set_policies(
        {"ops": read_receiver("ops", receiver)}, {"all": read_notification("all", document)}
    )
    return box


def planned(box, before=None, **more):
    edits = box.plan(before, alarm(**more), lambda _: {"a-0"}, lambda t, top: top == "hall", NOW)
    return [edit.doc for edit in edits]


def test_what_matches_is_told_in_steps_and_what_does_not_is_not():
    assert [d["due"] for d in planned(outbox())] == [to_iso(NOW), to_iso(NOW + 60 * SECOND)]
    for match in ({"priorities": [2]}, {"rules": ["hot"]}, {"classes": ["mechanical"]}):
        assert planned(outbox(**match))
    for other in ({"priorities": [1]}, {"rules": ["x"]}, {"classes": ["x"]}, {"subtree": "x"}):
        assert planned(outbox(**other)) == []
    assert planned(outbox(subtree="hall"))


def test_repeats_are_not_told_again_until_somebody_has_seen_them():
    box = outbox()
    for state in ("unacknowledged", "returned"):
        assert planned(box, before=alarm(state=state), occurrences=2) == []
    for state in ("acknowledged", "shelved", "suppressed", "out-of-service"):
        assert planned(box, before=alarm(state=state))
    assert planned(box, state="suppressed") == []


def test_of_a_group_only_its_cause_and_first_out_are_told():
    assert planned(outbox(), group="g-1") == []
    assert planned(outbox(), group="g-1", id="a-0")
    assert planned(outbox(members=True), group="g-1")


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-11-22T21:30:00Z", "2026-11-23T05:00:00Z"),
        ("2026-11-22T04:59:00Z", "2026-11-22T05:00:00Z"),
        ("2026-11-22T05:00:00Z", None),
        ("2026-11-22T20:59:59Z", None),
        ("2026-07-01T20:30:00Z", "2026-07-02T04:00:00Z"),  # summer time
        ("2026-10-24T23:30:00Z", "2026-10-25T05:00:00Z"),  # the night of the change
    ],
)
def test_quiet_hours_are_those_of_the_wall_clock(now, until):
    quiet = {"from": "22:00", "to": "06:00", "timeZone": "Europe/Berlin", "priorities": [3]}
    found = read_receiver("ops", {**OPS, "quiet": quiet}).quiet
    assert found.until(2, from_iso(now)) is None
    expected = None if until is None else from_iso(until)
    assert found.until(3, from_iso(now)) == expected


def test_a_notice_waits_for_the_end_of_quiet_hours_and_is_skipped_if_all_is_over():
    box = outbox({"from": "09:00", "to": "12:00", "priorities": [2]})
    notice = planned(box)[0]
    edit = box.held(notice, alarm(), NOW)
    assert (edit.doc["due"], edit.doc["state"]) == ("2026-11-22T12:00:00Z", "waiting")
    noon = from_iso("2026-11-22T12:00:00Z")
    assert box.held(notice, alarm(), noon) is None
    assert box.held(notice, alarm(state="normal"), noon).doc["state"] == "skipped"
    assert box.held(notice, None, noon).doc["state"] == "skipped"


def test_attempts_are_made_ever_more_seldom_until_a_day_has_gone():
    box = outbox()
    notice, now, waits = planned(box)[0], NOW, []
    while notice["state"] == "waiting":
        notice = box.not_sent(notice, "busy", False, now).doc
        waits.append((from_iso(notice["due"]) - now) // SECOND)
        now = max(from_iso(notice["due"]), now + 1)
    assert waits[:5] == [5, 10, 20, 40, 80]
    assert max(waits) == 900
    assert notice["state"] == "failed"
    assert now - NOW > 86_400 * SECOND
    assert box.not_sent(planned(box)[0], "no such user", True, NOW).doc["state"] == "failed"


def test_due_notices_survive_a_restart():
    box = outbox()
    edits = box.plan(None, alarm(), lambda _: set(), lambda *_: True, NOW)
    box.apply(edits)
    again = Outbox()
    again.apply(edits)
    assert box.due(NOW) == again.due(NOW) == [edits[0].doc]
    again.apply([again.sent(edits[0].doc, NOW)])
    assert again.due(NOW) == []
    assert [d["state"] for d in again.find()].count("sent") == 1


@pytest.mark.parametrize(
    ("read", "wrong", "word"),
    [
        (read_receiver, {"kind": "pigeon"}, "kind"),
        (read_receiver, {"kind": "email", "to": ["nobody"]}, "addresses"),
        (read_receiver, {"kind": "email", "to": ["a@b\nBcc: c@d"]}, "addresses"),
        (read_receiver, {"kind": "mqtt", "topic": "devices/pump-1/desired"}, "topic"),
        (read_receiver, {"kind": "mqtt", "topic": "a/#"}, "topic"),
        (read_receiver, {**OPS, "url": "http://x"}, "url"),
        (read_receiver, {**OPS, "quiet": {"from": "25:00", "to": "06:00"}}, "HH:MM"),
        (
            read_receiver,
            {**OPS, "quiet": {"from": "22:00", "to": "06:00", "timeZone": "X/Y"}},
            "time zone",
        ),
        (read_notification, {"steps": []}, "steps"),
        (read_notification, {"steps": [{"to": []}]}, "receivers"),
        (read_notification, {"steps": [{"to": ["x"], "after": -1}]}, "after"),
        (read_notification, {"steps": [{"to": ["x"]}], "priorities": [5]}, "priorities"),
        (read_notification, {"steps": [{"to": ["x"]}], "area": "x"}, "area"),
    ],
)
def test_what_cannot_be_is_refused_by_name(read, wrong, word):
    with pytest.raises(InvalidInput, match=word):
        read("ops", wrong)
