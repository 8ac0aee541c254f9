"""Every guard passes, refuses and says why: guard, rule and way out."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest

from gemel.commands.autonomy import Autonomy
from gemel.commands.autonomy import load as load_autonomy
from gemel.commands.book import CommandBook
from gemel.commands.guards import (
    BECAUSE,
    Ask,
    CommandShape,
    Facts,
    Held,
    at_sending,
    interlocked,
    without_values,
)
from gemel.commands.settings import Limit, load
from gemel.core.clock import SECOND
from gemel.core.errors import (
    Conflict,
    Forbidden,
    GemelError,
    InvalidInput,
    PreconditionFailed,
    Refused,
    TwinInvalid,
)

NOW = 1_700_000_000 * SECOND
ASK = Ask("p1", "setSpeed", 1200.0, "ann", NOW + 600 * SECOND, None, "operator")
COOL = Held("temperature < 80 °C", "The pump is cool", True, "temperature is 20 °C")
HOT = replace(COOL, holds=False, seen="temperature is 95 °C")
DARK = replace(COOL, holds=None, seen="temperature is not known")


def fits(value: object) -> None:
    if not isinstance(value, int | float | dict):
        raise TwinInvalid(f"{value!r} is not a number")


def shape(**settings: object) -> CommandShape:
    return CommandShape("setSpeed", fits, 0.0, 1500.0, "rpm", load("setSpeed", settings))


class Shop:
    def __init__(self) -> None:
        ids = count(1)
        self.book = CommandBook(lambda: f"c-{next(ids)}")

    def submit(self, ask: Ask, now: int = NOW, facts: Facts = Facts(), **settings: object):  # noqa: B008
        edits, made = self.book.submit(ask, now, {"setSpeed": shape(**settings)}, facts)
        self.book.apply(edits)
        return made


def refusal(ask: Ask = ASK, facts: Facts = Facts(), **settings: object) -> GemelError:  # noqa: B008
    with pytest.raises(GemelError) as caught:
        Shop().submit(ask, NOW, facts, **settings)
    return caught.value


def test_what_every_guard_lets_through_is_queued() -> None:
    facts = Facts([COOL], revision='W/"1"')
    made = Shop().submit(
        replace(ASK, revision='W/"1"'), NOW, facts, role="operator", interlocks=["x < 1"]
    )
    assert (made.state, made.arguments) == ("queued", 1200.0)


@pytest.mark.parametrize(
    ("ask", "facts", "settings", "kind", "guard", "words", "hint"),
    [
        ({}, {}, {"role": "engineer"}, Forbidden, "role", "needs the role engineer", "engineer"),
        ({"arguments": 1600}, {}, {}, Refused, "range", "1600 rpm is out", "at most 1500 rpm"),
        ({"unit": "bar"}, {}, {}, Refused, "unit", "measures", "choose a unit"),
        ({"unit": "revolutionPerSecond", "arguments": 30}, {}, {}, Refused, "range",
         "1800 rpm", "1500 rpm"),
        ({"arguments": {"rate": 9}}, {}, {"fields": {"rate": {"maximum": 5}}}, Refused, "range",
         "rate: 9 is out of range", "at most 5"),
        ({}, {"interlocks": [HOT]}, {}, Refused, "interlock", "The pump is cool", "until it holds"),
        ({}, {"interlocks": [DARK]}, {}, Refused, "interlock", "not known", "readings back"),
        ({"revision": "a"}, {"revision": "b"}, {}, PreconditionFailed, "revision",
         "changed", "again"),
    ],
)  # fmt: skip
def test_a_refusal_names_guard_rule_and_way_out(
    ask, facts, settings, kind, guard, words, hint
) -> None:
    error = refusal(replace(ASK, **ask), Facts(**facts), **settings)
    assert isinstance(error, kind)
    assert error.details[0]["code"] == guard
    assert words in error.message
    assert hint in error.hint


def test_a_number_in_another_unit_is_converted_before_its_range_is_judged() -> None:
    assert Shop().submit(replace(ASK, arguments=20, unit="revolutionPerSecond")).arguments == 1200.0


def test_a_repeated_id_in_another_unit_is_the_same_command() -> None:
    shop = Shop()
    made = shop.submit(replace(ASK, key="k", arguments=20, unit="revolutionPerSecond"))
    assert shop.submit(replace(ASK, key="k", arguments=20, unit="revolutionPerSecond")) == made
    with pytest.raises(Conflict):
        shop.submit(replace(ASK, key="k", arguments=20))


@pytest.mark.parametrize("scope", ["command", "device", "person"])
def test_a_rate_limit_counts_what_it_is_about_and_slides(scope: str) -> None:
    shop, limits = Shop(), {scope: {"most": 2, "seconds": 60}}
    other = {"device": {"who": "bob"}, "person": {"twin": "p2"}, "command": {"who": "bob"}}[scope]
    shop.submit(ASK, NOW, limits=limits)
    shop.submit(replace(ASK, **other), NOW + 10 * SECOND, limits=limits)
    with pytest.raises(Refused) as caught:
        shop.submit(ASK, NOW + 20 * SECOND, limits=limits)
    assert caught.value.details[0]["code"] == "rate"
    assert caught.value.hint == "again in 40 s"
    free = {"device": {"twin": "p3"}, "person": {"who": "cid"}, "command": {"twin": "p3"}}[scope]
    shop.submit(replace(ASK, **free), NOW + 20 * SECOND, limits=limits)
    shop.submit(ASK, NOW + 60 * SECOND, limits=limits)


def test_limits_count_what_was_before_a_restart() -> None:
    from gemel.core.document import Document

    shop, limits = Shop(), {"device": {"most": 1, "seconds": 60}}
    made = shop.submit(ASK)
    again = Shop()
    again.book.load([Document("command", made.id, made.document(), NOW, "", "")])
    with pytest.raises(Refused, match="one more"):
        again.submit(ASK, NOW + SECOND, limits=limits)


# ---- four eyes ---------------------------------------------------------------------------------


def test_a_marked_command_waits_for_another_person() -> None:
    shop = Shop()
    made = shop.submit(ASK, approval={"within": 60})
    assert made.state == "awaiting"
    with pytest.raises(Refused, match="ann asked for") as caught:
        shop.book.approve(made.id, "ann", "admin", made.hash, "", NOW)
    assert caught.value.details[0]["code"] == "approval"
    with pytest.raises(Conflict, match="not what was read"):
        shop.book.approve(made.id, "bob", "operator", "0" * 64, "", NOW)
    with pytest.raises(Conflict, match="over"):
        shop.book.approve(made.id, "bob", "operator", made.hash, "", NOW + 60 * SECOND)
    shop.book.apply(shop.book.approve(made.id, "bob", "operator", made.hash, "looks right", NOW))
    done = shop.book.get(made.id)
    assert done.state == "queued"
    assert done.approval is not None
    assert done.approval.by == ("bob",)
    assert done.steps[-1].note == "approved: looks right"


def test_several_approvals_are_by_several_people_of_the_role() -> None:
    shop = Shop()
    made = shop.submit(ASK, approval={"needed": 2, "role": "engineer"})
    with pytest.raises(Forbidden, match="engineer or above"):
        shop.book.approve(made.id, "bob", "operator", made.hash, "", NOW)
    shop.book.apply(shop.book.approve(made.id, "eve", "engineer", made.hash, "", NOW))
    assert shop.book.get(made.id).state == "awaiting"
    with pytest.raises(Refused, match="already"):
        shop.book.approve(made.id, "eve", "admin", made.hash, "", NOW)
    shop.book.apply(shop.book.approve(made.id, "fay", "admin", made.hash, "", NOW))
    assert shop.book.get(made.id).state == "queued"


def test_what_nobody_approves_in_time_expires_before_its_deadline() -> None:
    shop = Shop()
    made = shop.submit(ASK, approval={"within": 60})
    assert shop.book.tick(NOW + 59 * SECOND) == []
    shop.book.apply(shop.book.tick(NOW + 60 * SECOND))
    assert shop.book.get(made.id).steps[-1].note == "nobody approved it in time"


def test_what_has_left_cannot_be_taken_back() -> None:
    shop = Shop()
    made = shop.submit(ASK)
    shop.book.apply(shop.book.sent(made.id, NOW))
    with pytest.raises(Conflict, match="cannot be taken back"):
        shop.book.cancel(made.id, "ann", "", NOW)


# ---- autonomy and the kill switch --------------------------------------------------------------


def by_itself(autonomy: Autonomy, **more: object) -> Ask:
    return replace(ASK, who="rule hot", role="", service="rule hot", autonomy=autonomy, **more)


@pytest.mark.parametrize(
    ("autonomy", "facts", "state"),
    [
        (Autonomy("suggest"), Facts(), "proposed"),
        (Autonomy("approve"), Facts(), "awaiting"),
        (Autonomy("act"), Facts(), "queued"),
        (Autonomy("act", (None, 1000.0)), Facts(), "awaiting"),
        (Autonomy("act", (None, 1300.0)), Facts(), "queued"),
        (Autonomy("act", when="x"), Facts(bounds=HOT), "awaiting"),
        (Autonomy("act", when="x"), Facts(bounds=COOL), "queued"),
        (Autonomy("act"), Facts(halted="by ann"), "refused"),
        (Autonomy("act"), Facts([HOT]), "refused"),
        (Autonomy("suggest"), Facts([HOT]), "refused"),
    ],
)
def test_a_rule_goes_as_far_as_it_may(autonomy: Autonomy, facts: Facts, state: str) -> None:
    made = Shop().submit(by_itself(autonomy), NOW, facts)
    assert made.state == state
    if state == "refused":
        assert made.steps[0].note.split(":")[0] in ("kill switch", "interlock")


def test_a_rule_that_acts_too_often_needs_a_person() -> None:
    shop, autonomy = Shop(), Autonomy("act", limit=Limit("service", 2, 60))
    states = [shop.submit(by_itself(autonomy), NOW + i * SECOND).state for i in range(3)]
    assert states == ["queued", "queued", "awaiting"]


def test_a_proposal_is_taken_over_and_then_needs_another_person() -> None:
    shop = Shop()
    settings = {"approval": {"needed": 1}}
    made = shop.submit(by_itself(Autonomy("suggest")), **settings)
    then = shape(**settings).guards.approval
    shop.book.apply(shop.book.approve(made.id, "ann", "operator", made.hash, "", NOW, then))
    assert shop.book.get(made.id).state == "awaiting"
    with pytest.raises(Refused, match="ann asked"):
        shop.book.approve(made.id, "ann", "operator", made.hash, "", NOW)
    shop.book.apply(shop.book.approve(made.id, "bob", "operator", made.hash, "", NOW))
    assert shop.book.get(made.id).state == "queued"


def test_the_kill_switch_ends_what_rules_have_under_way_and_nothing_else() -> None:
    shop = Shop()
    own = shop.submit(ASK)
    queued = shop.submit(by_itself(Autonomy("act")))
    awaiting = shop.submit(by_itself(Autonomy("approve")))
    proposed = shop.submit(by_itself(Autonomy("suggest")))
    shop.book.apply(shop.book.halt("ann", "smoke", NOW))
    states = [shop.book.get(c.id).state for c in (own, queued, awaiting, proposed)]
    assert states == ["queued", "refused", "refused", "proposed"]
    assert shop.book.get(queued.id).steps[-1].note == "kill switch: smoke"


def test_guards_are_asked_again_when_a_command_leaves() -> None:
    assert at_sending("", "stop", "p1", Facts([COOL], halted="by ann")) is None
    veto = at_sending("rule hot", "stop", "p1", Facts([COOL], halted="by ann"))
    assert veto is not None
    assert veto.guard == "kill switch"
    veto = at_sending("", "stop", "p1", Facts([COOL, HOT]))
    assert veto is not None
    shop = Shop()
    made = shop.submit(ASK)
    shop.book.apply(shop.book.held_back(made.id, veto, NOW))
    assert shop.book.get(made.id).state == "refused"
    assert shop.book.due(lambda _: True, NOW) == []


# ---- settings ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"minimum": 2, "maximum": 1}, "minimum is above maximum"),
        ({"role": "viewer"}, "'viewer' sends no commands"),
        ({"roles": []}, "unknown field 'roles'"),
        ({"interlocks": "x > 1"}, "a list of at most 50"),
        ({"interlocks": [{"title": "x"}]}, r"interlocks\[0\].when: must be a text"),
        ({"limits": {"hour": {}}}, "unknown field 'hour'"),
        ({"limits": {"device": {"most": 0, "seconds": 1}}}, "whole number from 1"),
        ({"limits": {"device": {"most": 1}}}, "seconds: must be a number"),
        ({"approval": {"needed": True}}, "whole number"),
        ({"confirm": {"tolerance": 1}}, "confirm.property: must be a text"),
        ({"confirm": {"property": "x", "within": float("inf")}}, "must be a number"),
    ],
)
def test_settings_that_mean_nothing_are_refused_with_the_place(settings, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        load("commands.setSpeed", settings)


@pytest.mark.parametrize("doc", ["drive", {}, None, {"level": "act", "speed": 1}, {"level": 1}])
def test_a_level_of_autonomy_is_one_of_three(doc: object) -> None:
    with pytest.raises(InvalidInput, match=r"rule 'x'"):
        load_autonomy("rule 'x'", doc)


@pytest.mark.parametrize(
    ("held", "said"),
    [
        (Held("a > 1", "cool; and dry", False, "a is 7"), "'cool; and dry (a > 1)' does not hold"),
        (Held("a > 1", "cool; dry", None, "a is not known"), "dry (a > 1)' holds is not known"),
        (Held("a > 1", "a > 1", False, 'a is "x; y", b is 3'), "'a > 1' does not hold"),
    ],
)
def test_only_the_values_are_cut_from_the_words_of_a_refusal(held: Held, said: str) -> None:
    note = interlocked("stop", "pump; 1", Facts([held]))[0].said
    assert without_values(note + f"{BECAUSE}a is 7)").endswith(said)
    assert note.startswith(without_values(note))


def test_a_refusal_without_values_is_told_whole() -> None:
    for note in ("at most 2 in 60 s; this would be one more", "no; it is too hot"):
        assert without_values(note) == note
