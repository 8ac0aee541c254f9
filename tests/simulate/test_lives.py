import argparse
import itertools
import random

import orjson
import pytest

from gemel.core.clock import FakeClock
from gemel.core.errors import ConfigInvalid
from gemel.simulate.floor import Floor
from gemel.simulate.lives import WORN_OUT, lives, wear_at
from gemel.simulate.main import add_arguments, plan_from
from gemel.simulate.plant import Area
from gemel.simulate.process import plan_from_json, plan_to_json
from gemel.simulate.runner import Plan, Runner

DAY_MS = 86_400_000
START = 1_763_800_000


def test_wear_grows_ever_quicker_to_the_end_of_a_life():
    wear = [wear_at(share / 10) for share in range(11)]
    steps = [b - a for a, b in itertools.pairwise(wear)]
    assert wear[0] == 0.0
    assert wear[-1] == pytest.approx(WORN_OUT)
    assert steps == sorted(steps)


def test_lives_follow_one_another_and_the_last_goes_on():
    days = lives(random.Random(3), 540)
    assert [day.ago for day in days] == list(range(540, -1, -1))
    renewals = 0
    for before, day in itertools.pairwise(days):
        is_renewed = day.age == 0
        renewals += is_renewed
        assert is_renewed or day.age == before.age + 1
        assert (day.wear < before.wear) == is_renewed
    assert 2 <= renewals <= 8
    assert days[-1].wear < 0.36, "nobody is at its end today"


def test_a_bearing_goes_on_from_where_its_lives_ended_until_it_is_renewed():
    area = Area(("motors",), 1, Floor(), START)
    motor = area.owner["motor-1"]
    area.advance(30)
    past = motor.lived(200)
    now = motor.readings()["motor-1-bearing"]
    last = past[-1][1]["motor-1-bearing"]
    assert len(past) == 201
    assert now["vibration"] == pytest.approx(last["vibration"], rel=0.3)
    assert now["daysInService"] == last["daysInService"]
    assert all(row["motor-1-bearing"]["vibration"] < 4.5 for _, row in past)
    assert motor.lived(200) == past, "the same seed, the same lives"
    motor.repair("motor-1-bearing")
    area.advance(2)
    assert motor.readings()["motor-1-bearing"]["daysInService"] == 0
    assert motor.wear == 0


def test_days_of_wear_are_told_before_the_past_and_that_before_the_present():
    plan = Plan(("motors",), past=60.0, lived=30, start=START * 10**9)
    runner = Runner(plan_from_json(plan_to_json(plan)), Floor(), lambda *a: None, FakeClock(0))
    sent = [
        (letter.topic, orjson.loads(letter.payload)) for letter in runner.links[0].outbox._waiting
    ]
    rows = [sets for topic, sets in sent if topic == "devices/motor-1-bearing/telemetry"]
    times = [one["time"] for sets in rows for one in sets]
    assert times == sorted(times)
    assert times[:31] == [(START - 60) * 1000 - ago * DAY_MS for ago in range(30, -1, -1)]
    assert len(times) == 31 + 6


def test_more_days_than_anything_lives_are_refused():
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    with pytest.raises(ConfigInvalid, match="--lived 9999"):
        plan_from(parser.parse_args(["--lived", "9999"]))
