"""The life of a work order, by its table."""

from __future__ import annotations

from itertools import product

import pytest

from gemel.core.clock import SECOND
from gemel.core.document import Document
from gemel.core.errors import Conflict, InvalidInput, NotFound
from gemel.services.work import ACTS, STATES, TRANSITIONS, WorkBook

NOW = 1_700_000_000 * SECOND
WAYS = {
    "proposed": [],
    "open": [],
    "planned": ["plan"],
    "in progress": ["start"],
    "done": ["start", "finish"],
    "cancelled": ["cancel"],
}
ALARM = {"id": "a-1", "twin": "pump-1", "twinName": "Pump 1", "title": "Hot", "priority": 2}


def made(state="open", **body):
    book = WorkBook()
    (edit,) = book.create(
        {"twin": "pump-1", "title": "Bearing", **body},
        None,
        "ann",
        NOW,
        is_proposed=state == "proposed",
    )
    book.apply([edit])
    for act in WAYS[state]:
        book.apply(book.act(edit.key, act, "ann", "note", NOW))
    return book, edit.key


@pytest.mark.parametrize(("state", "act"), list(product(STATES, ACTS)))
def test_every_act_in_every_state_does_what_the_table_says(state, act):
    book, key = made(state)
    after = TRANSITIONS.get((state, act))
    if after is None:
        with pytest.raises(Conflict, match=f"is {state}") as caught:
            book.act(key, act, "bob", "why", NOW)
        assert caught.value.hint.startswith("possible: ")
        return
    book.apply(book.act(key, act, "bob", "why", NOW + SECOND))
    doc = book.get(key)
    assert doc["state"] == after
    assert (doc["finished"] is not None) == (after in ("done", "cancelled"))
    assert doc["steps"][-1] | {"time": ""} == {
        "time": "",
        "who": "bob",
        "what": act,
        "state": after,
        "note": "why",
    }


def test_an_alarm_becomes_one_order_until_that_is_over():
    book = WorkBook()
    (edit,) = book.create({}, ALARM, "ann", NOW)
    book.apply([edit])
    assert (edit.doc["twin"], edit.doc["priority"], edit.doc["alarms"]) == ("pump-1", 2, ["a-1"])
    with pytest.raises(Conflict, match="for this alarm"):
        book.create({}, ALARM, "bob", NOW)
    book.apply(book.act(edit.key, "finish", "ann", "greased", NOW))
    (again,) = book.create({}, ALARM, "bob", NOW + 1)
    assert again.key != edit.key


def test_what_is_to_be_done_comes_first_and_a_restart_changes_nothing():
    book, first = made("done")
    for priority in (3, 1):
        book.apply(
            book.create(
                {"twin": "p", "title": "x", "priority": priority}, None, "a", NOW + priority
            )
        )
    order = [(d["state"], d["priority"]) for d in book.find()]
    assert order == [("open", 1), ("open", 3), ("done", 3)]
    assert [d["id"] for d in book.find(twin="pump-1")] == [first]
    again = WorkBook()
    again.load(Document("workorder", d["id"], d, 0, "", "") for d in book.find())
    assert again.find() == book.find()


def test_parts_assignee_and_notes_are_steps_of_the_order():
    book, key = made()
    part = {"name": "bearing", "number": "6205", "count": 2}
    book.apply(book.change(key, {"parts": [part], "assignee": "cem"}, "bob", NOW))
    book.apply(book.change(key, {"note": "ordered"}, "bob", NOW))
    doc = book.get(key)
    assert (doc["parts"], doc["assignee"]) == ([part], "cem")
    assert [s["what"] for s in doc["steps"]] == [
        "created",
        "assignee changed, parts changed",
        "note",
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"parts": [{"name": ""}]},
        {"parts": [{"name": "x", "count": 0}]},
        {"parts": "bearing"},
        {"priority": 5},
        {"title": 3},
        {},
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(wrong):
    book, key = made()
    with pytest.raises(InvalidInput):
        book.change(key, wrong, "bob", NOW)
    for act in ("finish", "cancel", "dance"):
        with pytest.raises(InvalidInput):
            book.act(key, act, "bob", " ", NOW)
    with pytest.raises(NotFound):
        book.get("w-0")
    with pytest.raises(InvalidInput):
        book.find(state="lost")


WORK = {"title": "Renew the bearing", "parts": [{"name": "bearing", "number": "6205", "count": 2}]}
PROPOSING = {**ALARM, "rule": "service:life", "stands": True, "details": {"work": WORK}}


def test_a_services_alarm_proposes_work_once():
    book = WorkBook()
    (edit,) = book.follow(PROPOSING, NOW)
    book.apply([edit])
    assert (edit.doc["state"], edit.doc["title"], edit.doc["createdBy"]) == (
        "proposed",
        "Renew the bearing",
        "service:life",
    )
    assert edit.doc["parts"] == WORK["parts"]
    assert book.follow(PROPOSING, NOW + SECOND) == []
    book.apply(book.act(edit.key, "cancel", "ann", "not now", NOW))
    assert book.follow(PROPOSING, NOW + SECOND) == []


def test_a_proposal_ends_with_its_alarm_unless_somebody_took_it_up():
    over = {**PROPOSING, "stands": False}
    book = WorkBook()
    book.apply(book.follow(PROPOSING, NOW))
    (edit,) = book.follow(over, NOW)
    assert edit.doc["state"] == "cancelled"
    book.apply(book.act(edit.key, "accept", "ann", "", NOW))
    assert book.follow(over, NOW) == []


def test_an_alarm_that_is_raised_anew_proposes_anew():
    book = WorkBook()
    book.apply(book.follow({**PROPOSING, "occurrences": 1}, NOW))
    book.apply(book.follow({**PROPOSING, "occurrences": 1, "stands": False}, NOW))
    again = {**PROPOSING, "occurrences": 2}
    (edit,) = book.follow(again, NOW + SECOND)
    book.apply([edit])
    assert book.follow(again, NOW + SECOND) == []


def test_an_alarm_without_work_proposes_nothing():
    assert WorkBook().follow({**ALARM, "rule": "hot", "stands": True, "details": None}, NOW) == []
