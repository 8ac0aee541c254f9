"""Key figures, against counting by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.core.clock import SECOND, to_iso
from gemel.core.document import Version
from gemel.core.errors import InvalidInput
from gemel.services.alarms.figures import SPAN, FloodWatch, figures, find_floods, handover
from gemel.services.alarms.philosophy import DEFAULT, read_philosophy
from gemel.services.alarms.record import steps_of

BEGIN = 1_700_000_000 * SECOND
MINUTE = 60 * SECOND


def doc(key, time, state, **more):
    return {
        "id": key,
        "rule": "hot",
        "twin": key,
        "twinName": key.upper(),
        "title": "Hot",
        "priority": 2,
        "state": state,
        "isActive": state in ("unacknowledged", "acknowledged"),
        "occurrences": 1,
        "raised": to_iso(time),
        "lastRaised": to_iso(time),
        "chattered": None,
        "comments": [],
    } | more


def raised(key, time, acknowledged=None, **more):
    """The steps of an alarm that is raised and perhaps acknowledged some seconds later."""
    versions = [
        Version(1, doc(key, time, **{"state": "unacknowledged", **more}), time, "rules", "raised")
    ]
    if acknowledged is not None:
        at = time + acknowledged * SECOND
        said = {"comments": [{"time": to_iso(at), "who": "ann", "text": "seen"}]}
        after = doc(key, time, **{**more, **said, "state": "acknowledged"})
        versions.append(Version(2, after, at, "ann", "acknowledged"))
    return steps_of(versions)


def in_order(*lists):
    return sorted((step for steps in lists for step in steps), key=lambda step: step.time)


def test_figures_are_those_counted_by_hand():
    steps = in_order(
        raised("a", BEGIN, 30),
        raised("b", BEGIN + MINUTE, 90, priority=1),
        raised("c", BEGIN + 30 * MINUTE, occurrences=3),
        raised("d", BEGIN + 31 * MINUTE, state="shelved"),
    )
    live = [
        doc("a", BEGIN - 30 * 3600 * SECOND, "acknowledged"),
        doc("b", BEGIN, "unacknowledged", chattered=to_iso(BEGIN + 59 * MINUTE)),
        doc("c", BEGIN, "shelved"),
    ]
    found = figures(steps, live, DEFAULT, BEGIN, BEGIN + 60 * MINUTE)
    assert found["annunciated"] == 5
    assert found["perOperatorPer10Minutes"] == pytest.approx(5 / 6, abs=1e-3)
    assert found["peakPer10Minutes"] == 3
    assert found["byPriority"]["2"] == {"count": 4, "percent": 80.0}
    assert [(t["twin"], t["count"]) for t in found["topTen"]] == [("c", 3), ("a", 1), ("b", 1)]
    assert found["acknowledge"] == {"count": 2, "medianSeconds": 60.0, "p90Seconds": 30.0}
    assert (found["standing"], found["stale"], found["chattering"]) == (2, ["a"], ["b"])
    assert found["heldBack"] == {"shelved": 1, "suppressed": 0, "out-of-service": 0}
    assert (found["floods"], found["floodPercent"]) == ([], 0.0)


def test_a_flood_begins_above_ten_in_ten_minutes_and_ends_below_five():
    times = [BEGIN + i * 10 * SECOND for i in range(11)]
    assert find_floods(times[:10], DEFAULT, BEGIN + SPAN) == []
    (flood,) = find_floods(times, DEFAULT, BEGIN + 3 * SPAN)
    assert (flood.begin, flood.count, flood.peak, flood.is_over) == (BEGIN, 11, 11, True)
    assert flood.end == times[6] + SPAN  # four are left then
    (flood,) = find_floods(times, DEFAULT, times[6] + SPAN - 1)
    assert not flood.is_over
    two = read_philosophy({"operators": 2})
    assert find_floods(times, two, BEGIN + SPAN) == []


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 3_600), max_size=80))
def test_floods_are_those_of_the_plain_definition(seconds):
    times = sorted(BEGIN + s * SECOND for s in seconds)
    now = BEGIN + 5_000 * SECOND
    inside, expected = False, []
    for second in range(5_001):
        at = BEGIN + second * SECOND
        count = sum(at - SPAN < t <= at for t in times)
        if not inside and count > 10:
            inside = True
            expected.append([at, None])
        elif inside and count < 5:
            inside = False
            expected[-1][1] = at
    found = find_floods(times, DEFAULT, now)
    assert [f.end if f.is_over else None for f in found] == [end for _, end in expected]
    assert all(f.begin <= begin for f, (begin, _) in zip(found, expected, strict=True))


def test_the_watch_tells_a_flood_while_it_lasts():
    watch = FloodWatch()
    watch.add(BEGIN, 10, "a")
    assert watch.state(DEFAULT, BEGIN) == {"since": None, "count": 10}
    watch.add(BEGIN + MINUTE, 1, "b")
    assert watch.state(DEFAULT, BEGIN + MINUTE) == {"since": to_iso(BEGIN), "count": 11}
    of = {twin: watch.state_of(lambda one, twin=twin: one == twin, DEFAULT, BEGIN) for twin in "ab"}
    assert of == {"a": {"since": None, "count": 10}, "b": {"since": None, "count": 1}}
    assert watch.state_of(lambda _: True, DEFAULT, BEGIN + MINUTE)["since"] == to_iso(BEGIN)
    assert watch.state(DEFAULT, BEGIN + SPAN) == {"since": None, "count": 1}


def test_a_handover_has_what_stands_what_is_put_aside_and_what_was_done():
    steps = in_order(raised("a", BEGIN, 30))
    live = [doc("a", BEGIN, "acknowledged"), doc("b", BEGIN, "out-of-service")]
    groups = [{"latest": to_iso(BEGIN)}, {"latest": to_iso(BEGIN - SECOND)}]
    found = handover(steps, live, groups, DEFAULT, (BEGIN, BEGIN + MINUTE))
    assert [d["id"] for d in found["standing"]] == ["a"]
    assert [d["id"] for d in found["outOfService"]] == ["b"]
    assert [(d["who"], d["what"], d["comment"]) for d in found["done"]] == [
        ("ann", "acknowledged", "seen")
    ]
    assert found["groups"] == groups[:1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"flood": 0},
        {"flood": 3, "floodEnd": 4},
        {"operators": 1.5},
        {"window": True},
        {"relationships": "feeds"},
        {"direction": "up"},
        {"extra": 1},
    ],
    ids=str,
)
def test_a_philosophy_that_is_none_is_refused_by_name(wrong):
    with pytest.raises(InvalidInput) as caught:
        read_philosophy(wrong)
    assert any(name in str(caught.value) for name in wrong)


def test_a_philosophy_reads_back_what_it_writes():
    assert read_philosophy(DEFAULT.to_json()) == DEFAULT
