from __future__ import annotations

from dataclasses import replace
from itertools import count, pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.commands.autonomy import Autonomy
from gemel.commands.book import CommandBook
from gemel.commands.command import NEXT, OVER, STATES, Check, from_document
from gemel.commands.guards import Ask, CommandShape
from gemel.commands.settings import Approving, Guards
from gemel.core.clock import SECOND, to_iso
from gemel.core.document import Document, Edit
from gemel.core.errors import Conflict, InvalidInput, NotFound, Refused, TwinInvalid

NOW = 1_700_000_000 * SECOND
DEADLINE = NOW + 30 * SECOND
LATE = DEADLINE


def a_number(value):
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TwinInvalid(f"{value!r} is not a number")


def nothing(value):
    if value is not None:
        raise TwinInvalid("takes no arguments")


SHAPES = {
    "setSpeed": CommandShape("setSpeed", a_number, 0.0, 100.0, "%"),
    "heat": CommandShape("heat", a_number, minimum=5.0),
    "tare": CommandShape("tare", a_number),
    "stop": CommandShape("stop", nothing),
    "open": CommandShape("open", a_number, guards=Guards(approval=Approving(1, "operator", 60))),
}
ASK = Ask("p1", "setSpeed", 70, "ann", DEADLINE, "k", "operator")


class Shop:
    """A book with the store that a platform keeps beside it."""

    def __init__(self, keep=10_000):
        self.documents = {}
        self.edits = []
        ids = count(1)
        self.book = CommandBook(lambda: f"c-{next(ids)}", self.documents.get, keep)

    def commit(self, edits):
        for edit in edits:
            self.documents[edit.key] = edit.doc
        self.edits += edits
        self.book.apply(edits)
        return edits

    def submit(self, key=None, twin="p1", command="setSpeed", arguments=70, who="ann", now=NOW):
        ask = Ask(twin, command, arguments, who, now + 30 * SECOND, key)
        edits, made = self.book.submit(ask, now, SHAPES)
        self.commit(edits)
        return made

    def restarted(self, keep=10_000):
        shop = Shop(keep)
        shop.documents.update(self.documents)
        shop.book.load(
            Document("command", key, doc, NOW, "", "") for key, doc in self.documents.items()
        )
        return shop


def test_a_command_has_the_form_of_the_reference():
    made = Shop().submit()
    assert made.document() == {
        "id": "c-1",
        "twin": "p1",
        "command": "setSpeed",
        "arguments": 70,
        "state": "queued",
        "who": "ann",
        "requested": to_iso(NOW),
        "deadline": to_iso(DEADLINE),
        "number": 0,
        "result": None,
        "message": "",
        "service": "",
        "hash": made.hash,
        "isOver": False,
        "approval": None,
        "confirm": None,
        "steps": [{"state": "queued", "time": to_iso(NOW), "who": "ann", "note": ""}],
    }
    assert from_document(made.document()) == made


def test_a_command_goes_its_way_and_every_step_is_an_edit():
    shop = Shop()
    key = shop.submit().id
    shop.commit(shop.book.sent(key, NOW + 1))
    shop.commit(shop.book.delivered(key, NOW + 2))
    shop.commit(shop.book.answered(key, "succeeded", {"speed": 70}, "done", NOW + 3, "p1"))
    done = shop.book.get(key)
    assert (done.state, done.result, done.message) == ("succeeded", {"speed": 70}, "done")
    assert [(s.state, s.time, s.who) for s in done.steps] == [
        ("queued", NOW, "ann"),
        ("sent", NOW + 1, "gemel"),
        ("delivered", NOW + 2, "p1"),
        ("succeeded", NOW + 3, "p1"),
    ]
    assert [(e.kind, e.key, e.who) for e in shop.edits] == [
        ("command", key, who) for who in ("ann", "gemel", "p1", "p1")
    ]
    assert shop.edits[-1].why == "succeeded: done"


SUGGESTS = {"who": "rule hot", "service": "rule hot", "autonomy": Autonomy("suggest")}
CHECK = Check("speed", 70, 1.0, 10 * SECOND)


def brought_to(state):
    shop = Shop()
    if state in ("proposed", "awaiting", "refused"):
        more = SUGGESTS if state == "proposed" else {"command": "open"}
        edits, _ = shop.book.submit(replace(ASK, **more), NOW, SHAPES)
        shop.commit(edits)
        if state == "refused":
            shop.commit(shop.book.refuse("k", "bob", "too early", NOW))
        assert shop.book.get("k").state == state
        return shop, "k"
    if state in ("confirmed", "unconfirmed"):
        edits, _ = shop.book.submit(ASK, NOW, SHAPES, check=lambda _: CHECK)
        shop.commit(edits)
        shop.commit(shop.book.sent("k", NOW))
        shop.commit(shop.book.answered("k", "succeeded", None, "", NOW))
        if state == "confirmed":
            shop.commit(shop.book.reading("p1", "speed", (70.4, NOW), NOW, NOW))
        else:
            shop.commit(shop.book.tick(NOW + 10 * SECOND, lambda _: (20.0, NOW)))
        assert shop.book.get("k").state == state
        return shop, "k"
    key = shop.submit("k").id
    if state == "cancelled":
        shop.commit(shop.book.cancel(key, "ann", "", NOW))
    elif state == "expired":
        shop.commit(shop.book.tick(DEADLINE))
    elif state != "queued":
        shop.commit(shop.book.sent(key, NOW))
        if state == "unknown":
            shop.commit(shop.book.tick(DEADLINE))
        elif state != "sent":
            shop.commit(shop.book.delivered(key, NOW))
            if state != "delivered":
                shop.commit(shop.book.answered(key, state, None, "", NOW))
    assert shop.book.get(key).state == state
    return shop, key


AT_DEADLINE = {
    **dict.fromkeys(("proposed", "awaiting", "queued"), "expired"),
    **dict.fromkeys(("sent", "delivered"), "unknown"),
}
ACTS = {
    "sent": lambda book, key, now: book.sent(key, now),
    "delivered": lambda book, key, now: book.delivered(key, now),
    "succeeded": lambda book, key, now: book.answered(key, "succeeded", 1, "", now),
    "failed": lambda book, key, now: book.answered(key, "failed", 2, "", now),
    "expired": lambda book, key, now: book.tick(now),
    "unknown": lambda book, key, now: book.tick(now),
}


@pytest.mark.parametrize(("state", "act", "is_late"), list(product(STATES, ACTS, (False, True))))
def test_every_act_in_every_state_does_what_the_table_says(state, act, is_late):
    shop, key = brought_to(state)
    steps = len(shop.book.get(key).steps)
    try:
        shop.commit(ACTS[act](shop.book, key, LATE if is_late else NOW))
    except Conflict:
        assert act == "sent"
        assert is_late or state != "queued"
    now = shop.book.get(key).state
    at_deadline = AT_DEADLINE
    if act in ("expired", "unknown"):
        assert now == (at_deadline.get(state, state) if is_late else state)
    elif is_late and act in ("succeeded", "failed"):
        assert now == at_deadline.get(state, state)
        assert len(shop.book.get(key).steps) > steps
        assert "too late or twice" in shop.book.get(key).steps[-1].note
    elif is_late:
        assert now == state
    else:
        assert now == (act if act in NEXT[state] else state)


def test_no_state_leads_back_to_being_sent():
    reached = {state: set(NEXT[state]) for state in STATES}
    for _ in STATES:
        for state in STATES:
            for following in list(reached[state]):
                reached[state] |= reached[following]
    assert [s for s in STATES if "queued" in reached[s]] == ["proposed", "awaiting"]
    assert [s for s in STATES if "sent" in reached[s]] == ["proposed", "awaiting", "queued"]
    assert [s for s in STATES if "sent" in NEXT[s]] == ["queued"]
    assert {"confirmed", "unconfirmed", "refused", "cancelled"} < set(OVER)


@pytest.mark.parametrize("state", STATES)
def test_a_restart_at_every_step_goes_on_where_it_was_and_sends_at_most_once(state):
    shop, key = brought_to(state)
    again = shop.restarted()
    assert again.book.get(key) == shop.book.get(key)
    due = again.book.due(lambda _twin: True, NOW)
    assert [c.id for c in due] == ([key] if state == "queued" else [])
    again.commit(again.book.tick(DEADLINE))
    assert again.book.get(key).state == AT_DEADLINE.get(state, state)
    assert again.restarted().book.due(lambda _twin: True, NOW) == []


def test_a_crash_between_plan_and_commit_leaves_it_queued():
    shop, key = brought_to("queued")
    planned = shop.book.sent(key, NOW)
    assert shop.book.get(key).state == "queued"
    assert shop.restarted().book.sent(key, NOW) == planned


def test_a_repeated_id_with_the_same_content_is_the_same_command():
    shop = Shop()
    made = shop.submit("k", arguments=70)
    assert shop.submit("k", arguments=70, now=NOW + SECOND) == made
    shop.commit(shop.book.sent("k", NOW))
    assert shop.submit("k", arguments=70).state == "sent"
    assert len(shop.documents) == 1


@pytest.mark.parametrize(
    "change",
    [{"twin": "p2"}, {"command": "heat"}, {"arguments": 71}, {"arguments": None}, {"who": "bob"}],
)
def test_a_repeated_id_with_other_content_is_a_conflict(change):
    shop = Shop()
    shop.submit("k")
    for book in (shop, shop.restarted()):
        with pytest.raises(Conflict, match="'k' exists already"):
            book.submit("k", **change)


@pytest.mark.parametrize(
    ("change", "error", "what", "hint"),
    [
        ({"command": "fly"}, TwinInvalid, "no command 'fly'", "heat, open, setSpeed, stop, tare"),
        ({"arguments": "fast"}, TwinInvalid, "not a number", ""),
        ({"command": "stop", "arguments": 1}, TwinInvalid, "no arguments", ""),
        ({"arguments": 101}, Refused, "101 % is out of range", "at least 0 % and at most 100 %"),
        ({"arguments": -0.1}, Refused, "-0.1 % is out of range", "at least 0 %"),
        ({"command": "heat", "arguments": 4}, Refused, "4 is out of range", "at least 5"),
        ({"command": "tare", "arguments": float("nan")}, Refused, "nan", "a finite number"),
        ({"command": "tare", "arguments": float("inf")}, Refused, "inf", "a finite number"),
        ({"arguments": {1, 2}}, InvalidInput, "no JSON", ""),
        ({"key": "a/b"}, InvalidInput, "command id 'a/b'", "without / + and #"),
        ({"key": ""}, InvalidInput, "command id ''", "1 to 256"),
        ({"twin": "p+"}, InvalidInput, "twin id 'p+'", ""),
        ({"key": "x" * 300}, InvalidInput, "command id", ""),
        ({"key": "a\nb"}, InvalidInput, "command id", "printable"),
    ],
)
def test_a_command_that_does_not_fit_is_refused_with_the_way_out(change, error, what, hint):
    shop = Shop()
    with pytest.raises(error) as caught:
        shop.submit(**change)
    assert what in caught.value.message
    assert hint in caught.value.hint
    assert shop.documents == {}


def test_a_twin_without_commands_says_so():
    with pytest.raises(TwinInvalid) as caught:
        Shop().book.submit(replace(ASK, command="stop", arguments=None), NOW, {})
    assert caught.value.hint == "it has none"


def test_a_deadline_must_lie_ahead():
    with pytest.raises(Refused, match="past"):
        Shop().book.submit(replace(ASK, deadline=NOW), NOW, SHAPES)


def test_commands_of_a_device_are_due_in_the_order_of_submission():
    shop = Shop()
    keys = [shop.submit(f"k{9 - i}", twin=f"p{i % 2}").id for i in range(8)]
    for book in (shop.book, shop.restarted().book):
        assert [c.id for c in book.due(lambda _twin: True, NOW)] == keys
        assert [c.id for c in book.due(lambda twin: twin == "p1", NOW)] == keys[1::2]
        assert book.due(lambda _twin: True, DEADLINE) == []


def test_numbers_go_on_after_a_restart():
    shop = Shop()
    shop.submit("k")
    again = shop.restarted()
    assert again.submit("l").number == 1


def test_an_answer_from_another_twin_or_to_no_command_is_refused():
    shop, key = brought_to("sent")
    with pytest.raises(NotFound, match="twin 'p2' has no command 'k'"):
        shop.book.answered(key, "succeeded", None, "", NOW, "p2")
    with pytest.raises(NotFound, match="no command 'x'"):
        shop.book.answered("x", "succeeded", None, "", NOW)
    with pytest.raises(InvalidInput, match="'done' is not an answer"):
        shop.book.answered(key, "done", None, "", NOW)


def test_the_same_answer_again_changes_nothing_and_another_is_noted_once():
    shop, key = brought_to("succeeded")
    assert shop.book.answered(key, "succeeded", None, "", NOW) == []
    shop.commit(shop.book.answered(key, "failed", {"code": 3}, "jammed", NOW + 1))
    command = shop.book.get(key)
    assert (command.state, command.result) == ("succeeded", None)
    assert command.steps[-1].note.endswith('failed {"code":3} jammed')
    assert shop.book.answered(key, "failed", {"code": 3}, "jammed", NOW + 2) == []


def test_a_device_that_answers_without_end_does_not_grow_the_record():
    shop, key = brought_to("succeeded")
    for i in range(100):
        shop.commit(shop.book.answered(key, "failed", i, "x" * 5_000, NOW + i))
    assert len(shop.book.get(key).steps) == 40
    assert max(len(s.note) for s in shop.book.get(key).steps) == 1_000


def test_commands_that_are_over_leave_memory_but_their_ids_are_still_known():
    shop = Shop(keep=2)
    for i in (4, 1, 2, 0, 3):
        key = shop.submit(f"k{i}").id
        shop.commit(shop.book.sent(key, NOW))
        shop.commit(shop.book.answered(key, "succeeded", None, "", NOW))
    for book in (shop.book, shop.restarted(keep=2).book):
        assert [c.id for c in book.find()] == ["k3", "k0"]
    assert shop.book.get("k4").state == "succeeded"
    assert shop.submit("k4").state == "succeeded"
    assert shop.book.find(twin="p2") == []
    assert len(shop.book.find(twin="p1", limit=1)) == 1


def test_a_deleted_command_is_forgotten():
    shop, key = brought_to("queued")
    shop.book.apply([Edit("command", key, None, NOW, "ann"), Edit("alarm", "a", None, NOW, "ann")])
    assert shop.book.find() == []


MOVES = st.sampled_from(["send", "deliver", "lose", "succeed", "fail", "tick", "restart", "repeat"])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(MOVES, st.integers(0, 20)), max_size=25))
def test_whatever_happens_a_command_is_sent_at_most_once_and_never_after_its_deadline(moves):
    shop, now, sent = Shop(), NOW, []
    shop.submit("k")
    for move, seconds in moves:
        now += seconds * SECOND
        if move == "send":
            for command in shop.book.due(lambda _twin: True, now):
                shop.commit(shop.book.sent(command.id, now))
                sent.append(now)
        elif move == "lose":
            shop.commit(shop.book.unsure("k", now, "the line broke"))
        elif move == "deliver":
            shop.commit(shop.book.delivered("k", now))
        elif move == "tick":
            shop.commit(shop.book.tick(now))
        elif move == "restart":
            shop = shop.restarted()
        elif move == "repeat":
            shop.submit("k")
        else:
            status = {"succeed": "succeeded", "fail": "failed"}[move]
            shop.commit(shop.book.answered("k", status, None, "", now))
        steps = [s.state for s in shop.book.get("k").steps]
        kept = [s for i, s in enumerate(steps) if i == 0 or s != steps[i - 1]]
        assert all(b in NEXT[a] for a, b in pairwise(kept))
    assert len(sent) <= 1
    assert all(at < DEADLINE for at in sent)


@pytest.mark.parametrize("state", STATES)
def test_an_answer_that_will_never_come_ends_what_is_on_its_way_and_nothing_else(state):
    shop, key = brought_to(state)
    shop.commit(shop.book.unsure(key, NOW, "the line broke"))
    on_the_way = state in ("sent", "delivered")
    assert shop.book.get(key).state == ("unknown" if on_the_way else state)
    assert (shop.book.get(key).steps[-1].note == "the line broke") == on_the_way


def test_a_reading_may_still_tell_what_no_answer_did():
    shop = Shop()
    key = shop.submit("k").id
    shop.commit(shop.book.sent(key, NOW, check=CHECK))
    shop.commit(shop.book.unsure(key, NOW, "the line broke"))
    assert (shop.book.get(key).state, shop.book.get(key).steps[-1].note) == (
        "sent",
        "the line broke",
    )
    shop.commit(shop.book.reading("p1", "speed", (70.0, NOW), NOW, NOW))
    assert shop.book.get(key).state == "confirmed"


def test_what_confirms_may_be_known_only_when_it_leaves_and_then_stays():
    shop = Shop()
    edits, _ = shop.book.submit(ASK, NOW, SHAPES, check=lambda _: CHECK)
    shop.commit(edits)
    shop.commit(shop.book.sent("k", NOW, check=replace(CHECK, path="flow")))
    assert shop.book.get("k").check == CHECK, "what was known before stands"
    other = shop.submit("other").id
    shop.commit(shop.book.sent(other, NOW, check=CHECK))
    assert shop.restarted().book.watched()["p1", "speed"] == ["k", other]
