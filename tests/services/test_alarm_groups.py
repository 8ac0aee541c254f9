"""Alarms of one cause become one group, whatever the order in which they come."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.core.clock import SECOND, to_iso
from gemel.core.document import Document, Edit
from gemel.services.alarms.groups import KIND, Groups
from gemel.services.alarms.philosophy import Philosophy
from gemel.services.alarms.suppression import Alone

BEGIN = 1_700_000_000 * SECOND


class Feeds(Alone):
    """grid feeds feeder-1 and feeder-2; each feeds two panels; each panel feeds three pumps."""

    def __init__(self):
        self.above = {"feeder-1": "grid", "feeder-2": "grid"}
        for feeder in (1, 2):
            for panel in (1, 2):
                self.above[f"panel-{feeder}{panel}"] = f"feeder-{feeder}"
                for pump in (1, 2, 3):
                    self.above[f"pump-{feeder}{panel}{pump}"] = f"panel-{feeder}{panel}"

    def relatives(self, twin, over, direction, hops):
        found, place = {}, twin
        while direction == "in" and place in self.above and len(found) < hops:
            place = self.above[place]
            found[place] = len(found) + 1
        return found


def alarm(twin, second, priority=3, rule="r"):
    at = to_iso(BEGIN + round(second * SECOND))
    return {
        "id": f"a-{round((second + 1000) * 1000):011x}-{rule}-{twin}",
        "twin": twin,
        "rule": rule,
        "priority": priority,
        "state": "unacknowledged",
        "raised": at,
        "lastRaised": at,
        "occurrences": 1,
        "group": None,
    }


class Shop:
    def __init__(self, **philosophy):
        self.documents = {"alarm": {}, KIND: {}}
        self.philosophy = Philosophy(**philosophy)
        self.restart()

    def restart(self):
        self.groups = Groups(Feeds(), self.documents[KIND].get)
        self.groups.philosophy = self.philosophy
        stored = [Document(KIND, k, d, 0, "", "") for k, d in self.documents[KIND].items()]
        self.groups.load(stored, self.documents["alarm"].values())

    def take(self, *alarms):
        edits = [Edit("alarm", d["id"], d, 0, "rules") for d in alarms]
        edits = self.groups.assign(edits, self.documents["alarm"].__getitem__, 0)
        for edit in edits:
            self.documents[edit.kind][edit.key] = edit.doc
        self.groups.apply(edits)

    def together(self):
        """(cause, first-out twin, twins of the members) of each group."""
        found = []
        for one in self.groups.find():
            full = self.groups.get(one["id"])
            assert full["count"] == len(full["alarms"]), full
            twins = {self.documents["alarm"][key]["twin"] for key in full["alarms"]}
            found.append((full["cause"], full["firstOutTwin"], twins))
        return sorted(found, key=str)


def test_a_failed_feeder_explains_what_is_below_it():
    shop = Shop()
    shop.take(alarm("feeder-1", 0, 1))
    shop.take(alarm("pump-111", 2), alarm("panel-12", 3))
    shop.take(alarm("pump-211", 3))
    assert shop.together() == [("feeder-1", "feeder-1", {"feeder-1", "pump-111", "panel-12"})]
    (group,) = shop.groups.find()
    assert group["causeAlarm"] == group["firstOut"] == alarm("feeder-1", 0)["id"]
    assert group["priority"] == 1


def test_what_comes_late_from_further_upstream_becomes_the_cause():
    shop = Shop()
    shop.take(alarm("panel-11", 5))
    shop.take(alarm("pump-111", 6))
    shop.take(alarm("pump-121", 7), alarm("panel-12", 8))
    assert [cause for cause, _, _ in shop.together()] == ["panel-11", "panel-12"]
    shop.take(alarm("feeder-1", 4))
    twins = {"feeder-1", "panel-11", "pump-111", "panel-12", "pump-121"}
    assert shop.together() == [("feeder-1", "feeder-1", twins)]


def test_a_cause_without_an_alarm_is_found_from_enough_alarms_below_it():
    shop = Shop()
    shop.take(alarm("pump-111", 0), alarm("pump-112", 1))
    assert shop.together() == []
    shop.take(alarm("pump-113", 2))
    assert shop.together() == [("panel-11", "pump-111", {"pump-111", "pump-112", "pump-113"})]
    assert shop.groups.find()[0]["causeAlarm"] is None


def test_alarms_far_apart_or_on_one_twin_are_not_grouped():
    shop = Shop()
    shop.take(alarm("feeder-1", 0), alarm("pump-111", 61))
    assert shop.together() == []
    shop = Shop()
    shop.take(alarm("pump-221", 0), alarm("pump-221", 1, rule="s"), alarm("pump-221", 2, rule="t"))
    assert shop.together() == []


def test_an_alarm_that_is_raised_again_later_leaves_its_old_group():
    shop = Shop()
    old = alarm("pump-111", 1)
    shop.take(alarm("feeder-1", 0), old)
    again = {**shop.documents["alarm"][old["id"]], "occurrences": 2}
    again["lastRaised"] = to_iso(BEGIN + 500 * SECOND)
    shop.take(again, alarm("panel-11", 499))
    found = shop.groups.find()
    assert [shop.groups.members(g["id"]) for g in found] == [
        {old["id"], alarm("panel-11", 499)["id"]},
        {alarm("feeder-1", 0)["id"]},
    ]


TWINS = sorted(Feeds().above)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(TWINS), st.integers(1, 29)), max_size=25, unique=True),
    st.randoms(use_true_random=False),
)
def test_every_order_and_every_restart_gives_one_group_with_the_right_first_out(found, random):
    members = [alarm(twin, second) for twin, second in found if twin.endswith(("1", "2", "3"))]
    members = [a for a in members if "1" in a["twin"].split("-")[1][0]]
    unique = {a["id"]: a for a in members}
    everything = [alarm("feeder-1", 30, 1), *(a for a in unique.values())]
    everything = [a for i, a in enumerate(everything) if not (i and a["twin"] == "feeder-1")]
    random.shuffle(everything)
    shop = Shop()
    while everything:
        count = random.randint(1, len(everything))
        shop.take(*everything[:count])
        del everything[:count]
        if random.random() < 0.3:
            before = shop.together()
            shop.restart()
            assert shop.together() == before
    first = min(unique.values(), key=lambda a: (a["raised"], a["id"]), default=None)
    below = {a["twin"] for a in unique.values() if a["twin"] != "feeder-1"}
    if not below:
        assert shop.together() == []
        return
    ((cause, first_out, twins),) = shop.together()
    assert (cause, twins) == ("feeder-1", below | {"feeder-1"})
    below_first = min(
        (a for a in unique.values() if a["twin"] != "feeder-1"),
        key=lambda a: (a["raised"], a["id"]),
    )
    assert first is not None
    assert first_out == below_first["twin"]


def again(shop, first, second):
    """The same alarm raised once more after it was cleared and before it was acknowledged."""
    doc = shop.documents["alarm"][first["id"]]
    at = to_iso(BEGIN + round(second * SECOND))
    return {**doc, "lastRaised": at, "occurrences": doc["occurrences"] + 1}


def test_alarms_that_are_raised_again_later_are_grouped_anew_with_what_is_new():
    shop = Shop()
    feeder, panel = alarm("feeder-1", 0), alarm("panel-11", 20)
    shop.take(feeder)
    shop.take(panel)
    assert shop.together() == [("feeder-1", "feeder-1", {"feeder-1", "panel-11"})]
    shop.take(again(shop, feeder, 1000))
    shop.take(again(shop, panel, 1020))
    shop.take(alarm("pump-111", 1030))
    shop.restart()
    shop.take(alarm("pump-112", 1040))
    every = {"feeder-1", "panel-11", "pump-111", "pump-112"}
    assert shop.together() == [("feeder-1", "feeder-1", every)]


def test_an_alarm_alone_that_is_raised_again_counts_with_its_new_time():
    shop = Shop()
    feeder = alarm("feeder-1", 0)
    shop.take(feeder)
    shop.take(again(shop, feeder, 90))
    shop.take(alarm("panel-11", 100))
    assert shop.together() == [("feeder-1", "feeder-1", {"feeder-1", "panel-11"})]
