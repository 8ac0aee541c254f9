"""The live part says what history says, cycle by cycle, and tells when it is time."""

from __future__ import annotations

import numpy as np
import pytest

from gemel.core.clock import from_iso
from gemel.services.contract import Fit, Found, Instance, Readings, Setup, Signal
from gemel.services.rul import learning
from gemel.services.rul.kind import KIND
from gemel.services.rul.live import RemainingLife
from gemel.services.rul.lives import Life, Paths, carried, open_lives
from gemel.services.schema import completed

DAY = 86_400 * 1_000_000_000
PATHS = Paths(("heat", "shake"), ("load",), "age", "")
NAMES = ("heat", "shake", "load", "age")


def machine(seed: int) -> Life:
    random = np.random.default_rng(seed)
    n = int(random.integers(60, 110))
    wear = (np.arange(1, n + 1) / n) ** 2
    load = random.integers(0, 2, n).astype(float)
    heat = 50 + 30 * load + 20 * wear + random.normal(0, 1.0, n)
    shake = 2 + load + 3 * wear + random.normal(0, 0.3, n)
    return Life(
        f"m{seed}", np.stack((heat, shake), 1), load[:, None], np.arange(1.0, n + 1), True, True
    )


@pytest.fixture(scope="module")
def fit() -> Fit:
    settings = learning.Settings(trees=60, folds=3, most=60.0)
    fleet = [machine(seed) for seed in range(20)]
    model, scores = learning.learn(fleet, PATHS, settings, lambda share, what: None)
    return Fit(*model.document(), scores)


def live(
    fit: Fit | None, twins: tuple[str, ...], version: int = 1, **given: object
) -> RemainingLife:
    parameters = completed(
        KIND.parameters, {"conditions": ["load"], "age": "age", "most": 60, **given}
    )
    signals = tuple(Signal(t, p) for t in twins for p in sorted(NAMES))
    return RemainingLife(Setup(Instance("wear", "rul", twins, parameters, signals), fit, version))


def readings(lives: list[Life], first_day: int = 0) -> Readings:
    """Each signal once a day; the lives of each twin one after the other."""
    rows = []
    twins = sorted({life.twin for life in lives})
    day = dict.fromkeys(twins, first_day)
    order = sorted(NAMES)
    for life in lives:
        for i in range(len(life)):
            by = dict(zip(NAMES, (*life.values[i], life.settings[i, 0], life.age[i]), strict=True))
            for path in order:
                slot = twins.index(life.twin) * len(order) + order.index(path)
                rows.append((day[life.twin] * DAY + 3600 * 10**9, slot, by[path]))
            day[life.twin] += 1
    rows.sort()
    time, slot, value = zip(*rows, strict=True)
    return Readings(np.array(slot, np.int32), np.array(time, np.int64), np.array(value))


def test_live_says_what_history_says_to_the_last_bit(fit: Fit) -> None:
    one, two = machine(50), machine(51)
    part = live(fit, ("m50", "m51"))
    found = part.update(readings([one, two])).outputs
    assert part.model is not None
    for place, life in enumerate((one, two)):
        low, middle, high = part.model.predict(
            learning.features_of(part.model, life, np.array([0, 1]))
        )
        mine = found.twin == place
        assert mine.sum() == len(life) - 1  # the last cycle is open
        np.testing.assert_array_equal(found.value[mine], middle[:-1])
        assert found.low is not None
        assert found.high is not None
        np.testing.assert_array_equal(found.low[mine], low[:-1])
        np.testing.assert_array_equal(found.high[mine], high[:-1])


@pytest.mark.parametrize("step", [1, 7, 64])
def test_how_readings_are_cut_changes_nothing(fit: Fit, step: int) -> None:
    all_readings = readings([machine(50), machine(51)])
    whole = live(fit, ("m50", "m51")).update(all_readings)
    part = live(fit, ("m50", "m51"))
    found = [
        part.update(
            Readings(
                all_readings.slot[a : a + step],
                all_readings.time[a : a + step],
                all_readings.value[a : a + step],
            )
        )
        for a in range(0, len(all_readings), step)
    ]
    assert told(found) == told([whole])
    assert len(whole.notices) >= 2


def told(found: list[Found]) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = [
        (int(t), "", int(when), float(v))
        for f in found
        for t, when, v in zip(f.outputs.twin, f.outputs.time, f.outputs.value, strict=True)
    ]
    return sorted(rows) + sorted(
        (n.twin, n.kind, n.time, n.value, n.title) for f in found for n in f.notices
    )


def test_a_sensor_that_is_gone_is_as_it_was_live_and_in_history(fit: Fit) -> None:
    life = machine(50)
    values = life.values.copy()
    values[30:, 0] = np.nan
    values[:5, 1] = np.nan
    gone = Life("m50", values, life.settings, life.age, True, True)
    every = readings([gone])
    there = np.isfinite(every.value)
    part = live(fit, ("m50",))
    found = part.update(Readings(every.slot[there], every.time[there], every.value[there]))
    assert part.model is not None
    rows = learning.features_of(part.model, gone, np.array([0, 1]))
    np.testing.assert_array_equal(found.outputs.value, part.model.predict(rows)[1][:-1])


def test_gaps_under_changing_loads_are_the_same_live_and_in_history(fit: Fit) -> None:
    random = np.random.default_rng(9)
    life = machine(51)
    values = np.where(random.random(life.values.shape) < 0.3, np.nan, life.values)
    load = np.where(random.random(life.settings.shape) < 0.2, np.nan, life.settings)
    load[0] = life.settings[0]
    every = readings([Life("m51", values, load, life.age, True, True)])
    there = np.isfinite(every.value)
    part = live(fit, ("m51",))
    found = part.update(Readings(every.slot[there], every.time[there], every.value[there]))
    assert part.model is not None
    known = Life("m51", values, carried(load), life.age, True, True)
    rows = learning.features_of(part.model, known, np.array([0, 1]))
    np.testing.assert_array_equal(found.outputs.value, part.model.predict(rows)[1][:-1])


def test_an_alarm_proposes_work_and_says_why(fit: Fit) -> None:
    parts = [{"name": "bearing", "number": "6205", "count": 1}]
    part = live(fit, ("m50",), alarm=20, hold=2, lead=7, parts=parts, work="Renew the bearing")
    notices = part.update(readings([machine(50)])).notices
    assert [n.kind for n in notices] == ["raise"]
    details = notices[0].details
    assert details["low"] <= details["median"] <= details["high"]
    assert details["version"] == 1
    assert {d["property"] for d in details["drivers"]} <= {"heat", "shake", "age"}
    assert details["work"]["title"] == "Renew the bearing"
    assert details["work"]["parts"] == parts
    assert details["work"]["due"] >= details["work"]["earliest"]


def test_parts_are_ordered_early_and_the_renewal_is_due_late(fit: Fit) -> None:
    life = machine(50)
    part = live(fit, ("m50",), alarm=30, hold=2, lead=7, renew=10)
    notices, due, left = [], [], []
    whole = readings([life])
    for day in range(len(life)):
        mine = slice(day * len(NAMES), (day + 1) * len(NAMES))
        step = Readings(whole.slot[mine], whole.time[mine], whole.value[mine])
        notices += part.update(step).notices
        for one in part.status()["predictions"]:
            due.append(one["isDue"])
            left.append(float(part.middle[0]))
    assert due == [days <= 10 for days in left]
    assert True in due
    assert due.index(True) > int(notices[0].time // DAY)
    work = notices[0].details["work"]
    wait = max(notices[0].value - 10, 7)
    assert from_iso(work["due"]) == pytest.approx(notices[0].time + wait * DAY, abs=1e9)
    at_once = live(fit, ("m50",), alarm=30, hold=2)
    at_once.update(whole)
    assert at_once.status()["predictions"][0]["isDue"] is True


def test_a_renewal_ends_the_alarm_and_begins_anew(fit: Fit) -> None:
    old, new = machine(50), machine(52)
    new = Life("m50", new.values, new.settings, new.age, True, True)
    part = live(fit, ("m50",), alarm=20)
    found = part.update(readings([old, new]))
    assert [n.kind for n in found.notices] == ["raise", "clear", "raise"]
    assert found.notices[1].time == len(old) * DAY + 3600 * 10**9
    alone = live(fit, ("m50",), alarm=20).update(readings([new])).outputs
    np.testing.assert_array_equal(found.outputs.value[len(old) :], alone.value)


def test_another_version_goes_on_with_the_cycles_it_knows(fit: Fit) -> None:
    whole = readings([machine(50)])
    cut = 40 * len(NAMES)
    first = Readings(whole.slot[:cut], whole.time[:cut], whole.value[:cut])
    rest = Readings(whole.slot[cut:], whole.time[cut:], whole.value[cut:])
    before = live(None, ("m50",), 0)
    before.update(first)
    after = live(fit, ("m50",), 1)
    after.restore(before.snapshot())
    going_on = live(fit, ("m50",), 1)
    known = going_on.update(first).outputs.value[-1]
    found, wanted = after.update(rest), going_on.update(rest)
    assert found.outputs.value[0] == known, "at once, of the last cycle that was closed"
    assert [n.kind for n in found.notices][:1] == ["raise"]
    np.testing.assert_array_equal(found.outputs.value[1:], wanted.outputs.value)
    np.testing.assert_array_equal(found.outputs.time[1:], wanted.outputs.time)
    assert np.all(np.diff(found.outputs.time) > 0)


def test_a_new_version_says_at_once_what_it_expects_and_says_it_once(fit: Fit) -> None:
    whole = readings([machine(50)])
    cut = 40 * len(NAMES)
    before = live(None, ("m50",), 0)
    before.update(Readings(whole.slot[:cut], whole.time[:cut], whole.value[:cut]))
    after = live(fit, ("m50",), 1)
    after.restore(before.snapshot())
    waiting = live(fit, ("m50",), 1)
    waiting.restore(after.snapshot())
    one = Readings(*(c[cut - 1 : cut] for c in (whole.slot, whole.time, whole.value)))
    for part in (after, waiting):
        assert len(part.update(one).outputs) == 1
        assert len(part.update(one).outputs) == 0
    again = live(fit, ("m50",), 1)
    again.restore(after.snapshot())
    assert len(again.update(one).outputs) == 0


def test_a_version_knows_the_lives_that_were_open_when_it_was_learnt(fit: Fit) -> None:
    life = machine(50)
    n = 45
    begun = Life("m50", life.values[:n], life.settings[:n], life.age[:n], False, False, n - 1)
    twins, arrays = open_lives([begun], lambda life: life.values)
    knowing = Fit({**fit.document, "open": twins}, {**fit.arrays, **arrays})
    later = readings([Life("m50", life.values[n:], life.settings[n:], life.age[n:], True, True)], n)
    found = live(knowing, ("m50",)).update(later).outputs
    whole = live(fit, ("m50",)).update(readings([life])).outputs
    np.testing.assert_array_equal(found.value, whole.value[n - 1 :])


def test_without_a_version_it_waits(fit: Fit) -> None:
    part = live(None, ("m50",), 0)
    assert len(part.update(readings([machine(50)])).outputs) == 0
    assert part.status()["hasModel"] is False


def test_those_with_least_left_come_first(fit: Fit) -> None:
    part = live(fit, ("m50", "m51"))
    part.update(readings([machine(50), machine(51)]))
    listed = part.status()["predictions"]
    assert len(listed) == 2
    assert listed[0]["median"] <= listed[1]["median"]
