"""A command is confirmed by a reading that agrees, and only by that."""

from __future__ import annotations

from dataclasses import replace

import pytest

from commands.test_book import ASK, CHECK, NOW, SHAPES, Shop
from gemel.commands.command import from_document
from gemel.commands.confirm import agrees
from gemel.core.clock import SECOND


@pytest.mark.parametrize(
    ("asked", "value", "tolerance", "same"),
    [
        (70, 70.9, 1, True),
        (70, 71.1, 1, False),
        (70, 70, 0, True),
        (0.1 + 0.2, 0.3, 0, True),
        (70, float("nan"), 1e9, False),
        (True, 1.0, 0, True),
        (False, True, 0, False),
        (True, 0.5, 1, False),
        ("open", "open", 0, True),
        ("open", "shut", 9, False),
        (70, "70", 1, False),
        (70, None, 1, False),
    ],
)
def test_values_agree_within_tolerance_or_are_equal(asked, value, tolerance, same: bool) -> None:
    assert agrees(asked, value, tolerance) is same


def sent(**check: object) -> Shop:
    shop = Shop()
    wanted = replace(CHECK, **check)
    edits, _ = shop.book.submit(ASK, NOW, SHAPES, check=lambda _: wanted)
    shop.commit(edits)
    shop.commit(shop.book.sent("k", NOW))
    return shop


def test_a_device_that_lies_ends_visibly_so() -> None:
    shop = sent()
    shop.commit(shop.book.answered("k", "succeeded", None, "", NOW + SECOND))
    assert not shop.book.get("k").is_over
    assert shop.book.reading("p1", "speed", (20.0, NOW), NOW + SECOND, NOW + SECOND) == []
    assert shop.book.tick(NOW + 10 * SECOND) == []
    shop.commit(shop.book.tick(NOW + 11 * SECOND, lambda _: (20.0, NOW + SECOND)))
    done = shop.book.get("k")
    assert done.state == "unconfirmed"
    assert done.is_over
    assert "but speed is 20 " in done.steps[-1].note
    assert "70 was asked" in done.steps[-1].note
    assert done.document()["confirm"]["seen"] == 20.0


def test_no_reading_at_all_is_said_so() -> None:
    shop = sent()
    shop.commit(shop.book.answered("k", "succeeded", None, "", NOW))
    shop.commit(shop.book.tick(NOW + 10 * SECOND))
    assert "there is no reading of speed" in shop.book.get("k").steps[-1].note


def test_a_reading_confirms_also_a_device_that_never_answers() -> None:
    shop = sent()
    shop.commit(shop.book.reading("p1", "speed", (69.5, NOW + 1), NOW + 1, NOW + 1))
    assert shop.book.get("k").state == "confirmed"
    assert shop.book.watched() == {}


def test_the_answer_after_the_reading_is_kept() -> None:
    shop = sent()
    shop.commit(shop.book.reading("p1", "speed", (70.0, NOW + 1), NOW + 1, NOW + 1))
    shop.commit(shop.book.answered("k", "succeeded", {"speed": 70}, "done", NOW + 2))
    done = shop.book.get("k")
    assert (done.state, done.result, done.message) == ("confirmed", {"speed": 70}, "done")


def test_what_was_seen_before_the_command_left_proves_nothing() -> None:
    shop = sent()
    assert shop.book.reading("p1", "speed", (70.0, NOW - 5), NOW - 1, NOW) == []


def test_a_device_that_failed_is_not_confirmed_by_a_reading() -> None:
    shop = sent()
    shop.commit(shop.book.answered("k", "failed", None, "jammed", NOW))
    assert shop.book.reading("p1", "speed", (70.0, NOW), NOW, NOW) == []
    assert shop.book.get("k").state == "failed"


def test_a_restart_goes_on_waiting_for_the_reading() -> None:
    shop = sent()
    shop.commit(shop.book.answered("k", "succeeded", None, "", NOW))
    again = shop.restarted()
    assert again.book.watched() == {("p1", "speed"): ["k"]}
    assert from_document(again.book.get("k").document()) == again.book.get("k")
    again.commit(again.book.reading("p1", "speed", (70.0, NOW), NOW, NOW + SECOND))
    assert again.book.get("k").state == "confirmed"


def test_a_second_answer_after_the_deadline_ends_no_waiting_for_a_reading() -> None:
    shop = sent(within=100 * SECOND)
    shop.commit(shop.book.answered("k", "succeeded", None, "", NOW + 29 * SECOND))
    shop.commit(shop.book.answered("k", "failed", None, "", NOW + 40 * SECOND))
    assert shop.book.get("k").state == "succeeded"
