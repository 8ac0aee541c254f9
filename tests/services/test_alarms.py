from __future__ import annotations

import math
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.core.clock import SECOND, to_iso
from gemel.core.document import Document, Edit
from gemel.core.errors import Conflict, InvalidInput, NotFound
from gemel.services.alarms import (
    ACTIVE,
    ACTS,
    STATES,
    TRANSITIONS,
    AlarmBook,
    alarm_id,
    is_just_raised,
)
from gemel.services.rules.compiler import PropertyShape
from gemel.services.rules.engine import Transition
from gemel.services.rules.rule import load_rule

BEGIN = 1_700_000_000 * SECOND
NOW = BEGIN + 10**6 * SECOND
PROPERTIES = {
    "temperature": PropertyShape("number", "degreeCelsius"),
    "state": PropertyShape("text"),
}
RULES = {
    key: load_rule(
        key,
        {"model": "m", "when": when, "priority": priority, "title": key.title()},
        PROPERTIES,
    )
    for key, when, priority in (
        ("hot", "temperature > 80 °C", 2),
        ("fire", "temperature > 200 °C", 1),
        ("broken", 'state == "fault"', 3),
    )
}


def moved(kind, second, rule="hot", twin="m1", value=84.5, text=None):
    return Transition(rule, 1, twin, kind, BEGIN + second * SECOND, value, 3, text)


class Shop:
    """A book with the store that a platform keeps beside it."""

    def __init__(self, keep=10_000):
        self.documents = {}
        self.book = AlarmBook(self.documents.get, keep)

    def commit(self, edits):
        for edit in edits:
            self.documents[edit.key] = edit.doc
        self.book.apply(edits)
        return edits

    def follow(self, *transitions):
        edits = self.book.apply_transitions(transitions, RULES, {"m1": "Motor 1"}, NOW)
        return self.commit(edits)

    def restarted(self):
        shop = Shop()
        shop.documents.update(self.documents)
        shop.book.load(
            Document("alarm", key, doc, NOW, "", "") for key, doc in self.documents.items()
        )
        return shop

    def only(self):
        (doc,) = self.documents.values()
        return doc


def test_a_raised_alarm_has_the_form_of_the_reference():
    shop = Shop()
    (edit,) = shop.follow(moved("raise", 0))
    raised = to_iso(BEGIN)
    assert edit == Edit("alarm", edit.key, edit.doc, NOW, "rules", "raised")
    assert edit.doc == {
        "id": alarm_id("hot", 1, "m1", BEGIN),
        "rule": "hot",
        "ruleVersion": 1,
        "twin": "m1",
        "twinName": "Motor 1",
        "priority": 2,
        "title": "Hot",
        "state": "unacknowledged",
        "isActive": True,
        "condition": "temperature > 80 °C",
        "property": "temperature",
        "value": 84.5,
        "unit": "°C",
        "limit": 80.0,
        "raised": raised,
        "lastRaised": raised,
        "latest": raised,
        "cleared": None,
        "acknowledged": None,
        "acknowledgedBy": None,
        "occurrences": 1,
        "comments": [],
    }
    assert is_just_raised(edit)


def test_a_text_is_shown_as_text_and_an_unknown_value_as_none():
    shop = Shop()
    edits = shop.follow(moved("raise", 0, "broken", value=math.nan, text='"fault"'))
    assert (edits[0].doc["value"], edits[0].doc["limit"]) == ("fault", "fault")
    assert shop.follow(moved("raise", 0, value=math.nan))[0].doc["value"] is None


def test_ids_are_the_same_on_every_replay_and_sort_by_time():
    assert alarm_id("hot", 1, "m1", BEGIN) == alarm_id("hot", 1, "m1", BEGIN)
    assert alarm_id("hot", 1, "m1", BEGIN) != alarm_id("hot", 2, "m1", BEGIN)
    ids = [alarm_id("hot", 1, f"m{99 - i}", BEGIN + i * SECOND) for i in range(99)]
    assert ids == sorted(ids)


def brought_to(state):
    shop = Shop()
    (edit,) = shop.follow(moved("raise", 0))
    if state == "acknowledged":
        shop.commit(shop.book.acknowledge(edit.key, "ann", "", NOW))
    if state in ("returned", "normal"):
        shop.follow(moved("clear", 10))
    if state == "normal":
        shop.commit(shop.book.acknowledge(edit.key, "ann", "", NOW))
    assert shop.only()["state"] == state
    return shop, edit.key


def acted(shop, key, act):
    if act == "raise":
        return shop.follow(moved("raise", 20))
    if act == "return":
        return shop.follow(moved("clear", 20))
    if act == "acknowledge":
        return shop.commit(shop.book.acknowledge(key, "bob", "seen", NOW + 1))
    return shop.commit(shop.book.clear(key, "bob", "wrong sensor", NOW + 1))


@pytest.mark.parametrize(("state", "act"), list(product(STATES, ACTS)))
def test_every_act_in_every_state_does_what_the_table_says(state, act):
    shop, key = brought_to(state)
    expected = TRANSITIONS.get((state, act))
    if expected is not None:
        acted(shop, key, act)
        doc = shop.only()
        assert doc["state"] == expected
        assert doc["isActive"] == (expected in ACTIVE)
        assert (doc["cleared"] is None) == (expected in ACTIVE)
    elif act in ("acknowledge", "close"):
        with pytest.raises(Conflict, match=r"acknowledged by ann|is over since"):
            acted(shop, key, act)
        assert shop.only()["state"] == state
    elif (state, act) == ("normal", "raise"):
        (edit,) = acted(shop, key, act)
        assert edit.key != key
        assert edit.doc["state"] == "unacknowledged"
    else:
        assert acted(shop, key, act) == []
        assert shop.only()["state"] == state


def test_the_table_names_only_known_states_and_acts():
    assert {s for s, _ in TRANSITIONS} | set(TRANSITIONS.values()) <= set(STATES)
    assert {a for _, a in TRANSITIONS} == set(ACTS)


def test_repeats_before_it_is_acknowledged_are_one_episode():
    shop = Shop()
    for i in range(5):
        shop.follow(moved("raise", 20 * i, value=80.0 + i))
        shop.follow(moved("clear", 20 * i + 10))
    doc = shop.only()
    assert (doc["occurrences"], doc["state"], doc["value"]) == (5, "returned", 84.0)
    assert (doc["raised"], doc["lastRaised"]) == (to_iso(BEGIN), to_iso(BEGIN + 80 * SECOND))


def test_transitions_of_one_call_build_on_each_other():
    shop = Shop()
    edits = shop.follow(
        moved("raise", 0), moved("clear", 1), moved("raise", 2), moved("raise", 2, "fire")
    )
    assert [e.doc["occurrences"] for e in edits] == [2, 1]
    assert edits[0].why == "raised for the 2. time"
    (over,) = shop.follow(moved("clear", 3))
    assert not is_just_raised(over)


def test_a_transition_that_comes_twice_in_one_call_counts_once():
    shop = Shop()
    again = [moved("raise", 0), moved("clear", 1)]
    (edit,) = shop.follow(*again, *again)
    assert (edit.doc["occurrences"], edit.doc["state"]) == (1, "returned")


def test_a_rule_that_is_gone_raises_nothing_but_its_alarms_still_return():
    shop = Shop()
    shop.follow(moved("raise", 0))
    assert shop.book.apply_transitions([moved("raise", 0, "gone")], RULES, {}, NOW) == []
    (edit,) = shop.book.apply_transitions([moved("clear", 5)], {}, {}, NOW)
    assert edit.doc["state"] == "returned"


STORIES = st.lists(
    st.tuples(
        st.sampled_from(["hot", "fire"]),
        st.sampled_from(["m1", "m2"]),
        st.sampled_from(["acknowledge", "close", "", "", ""]),
    ),
    max_size=30,
)


@settings(max_examples=150, deadline=None)
@given(STORIES, st.data())
def test_replay_after_a_crash_never_doubles_and_never_loses_an_alarm(story, data):
    shop, calm, done = Shop(), {}, []
    for i, (rule, twin, act) in enumerate(story):
        kind = calm.get((rule, twin), "raise")
        calm[rule, twin] = "clear" if kind == "raise" else "raise"
        done.append(moved(kind, i, rule, twin))
        edits = shop.follow(done[-1])
        live = shop.book.live()
        if act == "acknowledge" and edits and edits[0].doc["state"] in ("unacknowledged",):
            shop.commit(shop.book.acknowledge(edits[0].key, "ann", "", NOW))
        if act == "close" and live:
            shop.commit(shop.book.clear(live[0]["id"], "ann", "by hand", NOW))
    before = dict(shop.documents)
    begin = data.draw(st.integers(0, len(done)))
    again = shop.restarted()
    assert again.book.counts() == shop.book.counts()
    assert again.follow(*done[begin:]) == []
    assert again.documents == before
    assert counted(again.book) == again.book.counts()


def counted(book):
    found = {str(p): sum(d["priority"] == p for d in book.active()) for p in range(1, 5)}
    found["unacknowledged"] = sum(d["state"] in ("unacknowledged", "returned") for d in book.live())
    return found


def test_a_crash_between_plan_and_commit_loses_nothing():
    shop = Shop()
    planned = shop.book.apply_transitions([moved("raise", 0)], RULES, {}, NOW)
    assert shop.book.live() == []
    assert shop.restarted().book.apply_transitions([moved("raise", 0)], RULES, {}, NOW) == planned


def test_lists_are_ordered_by_urgency_and_by_time():
    shop = Shop()
    shop.follow(moved("raise", 0, "hot", "m1"), moved("raise", 1, "fire", "m2"))
    shop.follow(moved("raise", 2, "broken", "m1"), moved("raise", 3, "hot", "m2"))
    shop.follow(moved("clear", 4, "fire", "m2"))

    def order(**query):
        return [(d["rule"], d["twin"]) for d in shop.book.find(**query)]

    assert order() == [("hot", "m2"), ("hot", "m1"), ("broken", "m1"), ("fire", "m2")]
    assert order(state="all", limit=2) == [("hot", "m2"), ("broken", "m1")]
    assert order(twin="m1") == [("hot", "m1"), ("broken", "m1")]
    assert shop.book.highest("m1") == 2
    assert shop.book.highest("m3") is None
    assert shop.book.counts() == {"1": 0, "2": 2, "3": 1, "4": 0, "unacknowledged": 4}
    assert shop.book.abnormal() == {"m1", "m2"}
    assert shop.book.raised("hot") == {"m1": BEGIN, "m2": BEGIN + 3 * SECOND}
    with pytest.raises(InvalidInput, match="'some'"):
        shop.book.find(state="some")


def test_what_a_deleted_rule_or_twin_raised_is_closed_with_the_reason():
    shop = Shop()
    shop.follow(moved("raise", 0), moved("raise", 0, "fire"), moved("raise", 0, "fire", "m2"))
    shop.commit(shop.book.close("the rule was deleted", "ann", NOW, rule="hot"))
    (over,) = [d for d in shop.documents.values() if d["state"] == "normal"]
    assert over["comments"][0]["text"] == "the rule was deleted"
    shop.commit(shop.book.close("the twin was deleted", "ann", NOW, twin="m2"))
    assert [d["twin"] for d in shop.book.live()] == ["m1"]
    with pytest.raises(InvalidInput, match="whose"):
        shop.book.close("?", "ann", NOW)


def test_comments_are_kept_in_order_with_who_and_when():
    shop, key = brought_to("unacknowledged")
    shop.commit(shop.book.comment(key, "ann", " looking ", NOW))
    shop.commit(shop.book.acknowledge(key, "bob", "belt", NOW + SECOND))
    assert shop.only()["comments"] == [
        {"time": to_iso(NOW), "who": "ann", "text": "looking"},
        {"time": to_iso(NOW + SECOND), "who": "bob", "text": "belt"},
    ]
    assert shop.only()["acknowledgedBy"] == "bob"
    for wrong in ("", "  ", "x" * 2_001):
        with pytest.raises(InvalidInput):
            shop.book.comment(key, "ann", wrong, NOW)
    with pytest.raises(InvalidInput, match="reason"):
        shop.book.clear(key, "ann", " ", NOW)


def test_an_unknown_alarm_is_named():
    with pytest.raises(NotFound, match="'a-1'"):
        AlarmBook().acknowledge("a-1", "ann", "", NOW)


def test_alarms_that_are_over_leave_memory_but_are_still_found():
    shop = Shop(keep=3)
    for i in range(6):
        (edit,) = shop.follow(moved("raise", 20 * i))
        shop.follow(moved("clear", 20 * i + 10))
        shop.commit(shop.book.acknowledge(edit.key, "ann", "", NOW))
    assert len(shop.book.find(state="all")) == 3
    oldest = min(shop.documents)
    assert shop.book.get(oldest)["state"] == "normal"
    shop.commit(shop.book.comment(oldest, "ann", "late words", NOW))
    assert shop.documents[oldest]["comments"]


def test_a_deleted_alarm_is_forgotten():
    shop, key = brought_to("unacknowledged")
    shop.book.apply([Edit("twin", "m1", None, NOW, "ann"), Edit("alarm", key, None, NOW, "ann")])
    assert shop.book.live() == []
    assert shop.book.counts()["unacknowledged"] == 0
    assert shop.book.of_twin("m1") == []
