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
    next_state,
)
from gemel.services.alarms.index import COUNTED
from gemel.services.alarms.states import OF_PEOPLE
from gemel.services.alarms.suppression import Alone
from gemel.services.rules.compiler import PropertyShape
from gemel.services.rules.rule import load_rule
from gemel.services.rules.transition import Transition

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
RULES["each"] = load_rule(
    "each", {"model": "m", "when": "temperature > 90 °C", "repeats": "each"}, PROPERTIES
)
RULES["hot"] = load_rule(
    "hot",
    {
        "model": "m",
        "when": "temperature > 80 °C",
        "priority": 2,
        "title": "Hot",
        "suppressedBy": [{"property": "isHeld", "is": True}],
    },
    PROPERTIES,
)


def moved(kind, second, rule="hot", twin="m1", value=84.5, text=None):
    return Transition(rule, 1, twin, kind, BEGIN + second * SECOND, value, 3, text)


class Around(Alone):
    """Twins whose alarms may be held back by a property."""

    def __init__(self):
        self.is_held = False

    def value(self, twin, path):
        return self.is_held


class Shop:
    """A book with the store that a platform keeps beside it."""

    def __init__(self, keep=10_000):
        self.documents = {}
        self.around = Around()
        self.book = AlarmBook(self.documents.get, keep, self.around)

    def hold(self, key):
        self.around.is_held = True
        return self.commit(self.book.suppression(RULES, NOW))

    def let_go(self):
        self.around.is_held = False
        return self.commit(self.book.suppression(RULES, NOW))

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
        shop.around.is_held = self.around.is_held
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
        "stands": True,
        "condition": "temperature > 80 °C",
        "property": "temperature",
        "value": 84.5,
        "unit": "°C",
        "limit": 80.0,
        "class": "",
        "cause": "",
        "consequence": "",
        "response": "",
        "raised": raised,
        "lastRaised": raised,
        "latest": raised,
        "recent": [raised],
        "chattered": None,
        "cleared": None,
        "acknowledged": None,
        "acknowledgedBy": None,
        "shelved": None,
        "suppressedBy": None,
        "outOfService": None,
        "group": None,
        "details": {},
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


def brought_to(state, stands):
    """A shop with one alarm in a state; None where there is no such alarm."""
    shop = Shop()
    (edit,) = shop.follow(moved("raise", 0))
    key, book = edit.key, shop.book
    if state == "acknowledged":
        shop.commit(book.acknowledge(key, "ann", "", NOW))
    if state == "shelved":
        shop.commit(book.shelve(key, "ann", "a new sensor", 3600, NOW))
    if state == "out-of-service":
        shop.commit(book.remove(key, "ann", "revision", NOW))
    if state == "suppressed":
        shop.hold(key)
    if not stands:
        shop.follow(moved("clear", 10))
    if state == "normal" and shop.only()["state"] == "returned":
        shop.commit(book.acknowledge(key, "ann", "", NOW))
    doc = shop.only()
    return (shop, key) if (doc["state"], doc["stands"]) == (state, stands) else None


def acted(shop, key, act):
    book, later = shop.book, NOW + SECOND
    if act == "raise":
        return shop.follow(moved("raise", 20))
    if act == "return":
        return shop.follow(moved("clear", 20))
    if act == "expire":
        return shop.commit(book.expire(NOW + 3600 * SECOND))
    if act in ("suppress", "release"):
        return shop.hold(key) if act == "suppress" else shop.let_go()
    planned = {
        "acknowledge": lambda: book.acknowledge(key, "bob", "seen", later),
        "unacknowledge": lambda: book.unacknowledge(key, "bob", "the wrong one", later),
        "shelve": lambda: book.shelve(key, "bob", "later", 60, later),
        "unshelve": lambda: book.unshelve(key, "bob", "", later),
        "out-of-service": lambda: book.remove(key, "bob", "revision", later),
        "return-to-service": lambda: book.restore(key, "bob", "done", later),
        "close": lambda: book.clear(key, "bob", "wrong sensor", later),
    }
    return shop.commit(planned[act]())


BEFORE = [
    (state, stands)
    for state in STATES
    for stands in (True, False)
    if brought_to(state, stands) is not None
]


def test_every_state_can_be_reached():
    assert {state for state, _ in BEFORE} == set(STATES)
    assert {stands for state, stands in BEFORE if state in ("shelved", "out-of-service")} == {
        True,
        False,
    }


@pytest.mark.parametrize(("before", "act"), list(product(BEFORE, ACTS)), ids=str)
def test_every_act_in_every_state_does_what_the_table_says(before, act):
    state, stands = before
    shop, key = brought_to(state, stands)
    after = {"raise": True, "return": False, "close": False}.get(act, stands)
    expected = next_state(state, act, after)
    if (act == "raise" and stands) or (act == "return" and not stands):
        return  # rules raise what is over, and clear what stands
    if expected is not None:
        acted(shop, key, act)
        doc = shop.only()
        assert (doc["state"], doc["stands"]) == (expected, after)
        assert doc["isActive"] == (expected in ACTIVE)
        assert (doc["shelved"] is not None) == (expected == "shelved")
        assert (doc["suppressedBy"] is not None) == (expected == "suppressed")
        assert (doc["outOfService"] is not None) == (expected == "out-of-service")
        if expected == "normal":
            assert doc["cleared"] is not None
    elif act in OF_PEOPLE:
        before_act = dict(shop.documents)
        with pytest.raises(Conflict) as caught:
            acted(shop, key, act)
        assert caught.value.code in ("AlreadyAcknowledged", "AlarmIsOver", "AlarmStateInvalid")
        assert caught.value.hint
        assert shop.documents == before_act
    elif (state, act) == ("normal", "raise"):
        (edit,) = acted(shop, key, act)
        assert edit.key != key
        assert edit.doc["state"] == "unacknowledged"
    else:
        assert acted(shop, key, act) == []
        assert shop.only()["state"] == state


def test_the_table_names_only_known_states_and_acts():
    assert {s for s, _ in TRANSITIONS} | {s for n in TRANSITIONS.values() for s in n} == set(STATES)
    assert {a for _, a in TRANSITIONS} == set(ACTS)


def test_what_is_taken_off_the_shelf_by_hand_was_seen_and_by_time_was_not():
    for act, state, who in (
        ("unshelve", "acknowledged", "bob"),
        ("expire", "unacknowledged", None),
    ):
        shop, key = brought_to("shelved", True)
        acted(shop, key, act)
        assert (shop.only()["state"], shop.only()["acknowledgedBy"]) == (state, who)


def test_a_shelf_ends_by_the_time_it_is_given_also_after_a_restart():
    shop, key = brought_to("shelved", True)
    again = shop.restarted()
    end = NOW + 3600 * SECOND
    assert not again.book.is_due(end - 1)
    assert again.book.expire(end - 1) == []
    assert again.book.is_due(end)
    (edit,) = again.commit(again.book.expire(end))
    assert (edit.key, edit.who, edit.doc["state"]) == (key, "time", "unacknowledged")
    assert not again.book.is_due(end)


def test_what_happens_on_the_shelf_is_counted_and_told_to_nobody():
    shop, key = brought_to("shelved", False)
    shop.follow(moved("raise", 20), moved("clear", 30), moved("raise", 40))
    doc = shop.only()
    assert (doc["state"], doc["stands"], doc["occurrences"]) == ("shelved", True, 3)
    assert shop.book.highest("m1") is None
    assert shop.book.counts()["shelved"] == 1
    assert [d["id"] for d in shop.book.find(state="shelved")] == [key]
    assert shop.book.find() == []


def test_shelving_needs_a_reason_and_a_time():
    shop, key = brought_to("unacknowledged", True)
    for reason, seconds in (("", 60), ("  ", 60), ("x" * 2_001, 60), ("why", 0), ("why", 1e9)):
        with pytest.raises(InvalidInput):
            shop.book.shelve(key, "ann", reason, seconds, NOW)
    for act in (shop.book.remove, shop.book.unacknowledge):
        with pytest.raises(InvalidInput, match="reason"):
            act(key, "ann", " ", NOW)


def test_an_alarm_that_was_never_raised_can_be_taken_out_of_service():
    shop = Shop()
    shop.commit(shop.book.remove_unraised(RULES["hot"], "m1", "Motor 1", "ann", "revision", NOW))
    assert shop.only()["occurrences"] == 0
    shop.follow(moved("raise", 0))
    doc = shop.only()
    assert (doc["state"], doc["stands"], doc["occurrences"]) == ("out-of-service", True, 1)
    with pytest.raises(Conflict, match="out of service since"):
        shop.book.remove_unraised(RULES["hot"], "m1", "Motor 1", "bob", "again", NOW)
    shop.commit(shop.restarted().book.restore(doc["id"], "bob", "", NOW))
    assert shop.only()["state"] == "unacknowledged"


def test_a_rule_may_say_that_every_raise_is_an_alarm_of_its_own():
    shop = Shop()
    for second in (0, 20, 40):
        shop.follow(moved("raise", second, "each"), moved("clear", second + 10, "each"))
    shop.follow(moved("raise", 60, "each"))
    found = shop.book.of_twin("m1")
    assert [d["state"] for d in found] == ["returned"] * 3 + ["unacknowledged"]
    shop.commit(shop.book.comment(found[0]["id"], "ann", "an old one", NOW))
    shop.follow(moved("clear", 70, "each"))
    assert [d["state"] for d in shop.book.of_twin("m1")] == ["returned"] * 4


def test_three_transitions_within_a_minute_are_chattering():
    shop = Shop()
    shop.follow(moved("raise", 0), moved("clear", 31))
    shop.follow(moved("raise", 61))
    assert shop.only()["chattered"] is None
    shop.follow(moved("clear", 90))
    assert shop.only()["chattered"] == to_iso(BEGIN + 90 * SECOND)
    shop.commit(shop.book.acknowledge(shop.only()["id"], "ann", "", NOW))
    (edit,) = shop.restarted().follow(moved("raise", 95))
    assert edit.doc["chattered"] == to_iso(BEGIN + 95 * SECOND)  # episodes do not hide it


def test_an_alarm_of_an_earlier_version_of_the_program_is_read():
    shop, key = brought_to("unacknowledged", True)
    new = {"stands", "class", "cause", "consequence", "response", "recent", "chattered"}
    new |= {"shelved", "suppressedBy", "outOfService", "group", "details"}
    shop.documents[key] = {k: v for k, v in shop.only().items() if k not in new}
    again = shop.restarted()
    again.commit(again.book.shelve(key, "ann", "why", 60, NOW))
    assert again.book.get(key)["stands"]


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
    live = [d["state"] for d in book.live()]
    found["unacknowledged"] = live.count("unacknowledged") + live.count("returned")
    for state, name in COUNTED.items():
        found[name] = live.count(state)
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
    assert shop.book.counts() == {"1": 0, "2": 2, "3": 1, "4": 0} | {
        "unacknowledged": 4,
        "shelved": 0,
        "suppressed": 0,
        "outOfService": 0,
    }
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
    shop, key = brought_to("unacknowledged", True)
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
    shop, key = brought_to("unacknowledged", True)
    shop.book.apply([Edit("twin", "m1", None, NOW, "ann"), Edit("alarm", key, None, NOW, "ann")])
    assert shop.book.live() == []
    assert shop.book.counts()["unacknowledged"] == 0
    assert shop.book.of_twin("m1") == []
