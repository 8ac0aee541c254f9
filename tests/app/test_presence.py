"""Presence in columns is what a plain dictionary would say."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.app.presence import STATUSES, Presence
from gemel.core.clock import SECOND

TWINS = [f"t{n}" for n in range(5)]
twin = st.sampled_from(TWINS)
STEPS = st.one_of(
    st.tuples(st.just("add"), twin, st.sampled_from([1.0, 5.0, 60.0])),
    st.tuples(st.just("remove"), twin),
    st.tuples(st.just("seen"), twin, st.integers(0, 3)),
    st.tuples(st.just("connect"), twin),
    st.tuples(st.just("lose"), twin),
    st.tuples(st.just("goodbye"), twin),
    st.tuples(st.just("wait"), st.sampled_from([1, 2, 10, 100])),
    st.tuples(st.just("tick")),
)


class Plain:
    """The words of the class, one twin at a time."""

    def __init__(self) -> None:
        self.stale: dict[str, float] = {}
        self.newest: dict[str, int] = {}
        self.lost: dict[str, int] = {}
        self.shown: dict[str, str] = {}
        self.links: dict[str, int] = {}

    def status(self, name: str, now: int) -> str:
        if not self.newest.get(name):
            return "never"
        if self.lost.get(name):
            return "offline"
        return "stale" if (now - self.newest[name]) / 1e9 > self.stale[name] else "live"


@given(st.lists(STEPS, max_size=60))
@settings(max_examples=150, deadline=None)
def test_statuses_equal_a_plain_model(steps: list[tuple]) -> None:
    real, plain, now = Presence(), Plain(), 1_000 * SECOND
    for verb, *rest in steps:
        name = rest[0] if rest else ""
        now += 1
        if verb == "add":
            real.add(name, rest[1])
            plain.stale[name] = rest[1]
        elif verb == "remove":
            real.remove(name)
            for held in (plain.stale, plain.newest, plain.lost, plain.shown):
                held.pop(name, None)
        elif verb == "seen":
            time = now - rest[1] * SECOND
            real.seen({name: time})
            if name in plain.stale:
                plain.newest[name] = max(time, plain.newest.get(name, 0))
                if time > plain.lost.get(name, 0):
                    plain.lost[name] = 0
        elif verb == "connect":
            real.connected([name])
            plain.links[name] = plain.links.get(name, 0) + 1
        elif verb in ("lose", "goodbye"):
            real.disconnected([name], now if verb == "lose" else 0)
            plain.links[name] = max(0, plain.links.get(name, 0) - 1)
            if verb == "lose" and not plain.links[name] and name in plain.stale:
                plain.lost[name] = now
        elif verb == "wait":
            now += rest[0] * SECOND
        else:
            changed = dict(real.tick(now))
            expected = {n: plain.status(n, now) for n in plain.stale}
            assert changed == {
                n: s for n, s in expected.items() if s != plain.shown.get(n, "never")
            }
            plain.shown = expected
            assert real.counts() == {s: list(expected.values()).count(s) for s in STATUSES}
            live = [n for n, s in expected.items() if s == "live"]
            found = real.freshness(now)
            assert (found is None) == (not live)
            if live:
                ages = [max(0, now - plain.newest[n]) / 1e9 for n in live]
                assert min(ages) <= found <= max(ages)
        for n in TWINS:
            assert real.status(n, now) == (plain.status(n, now) if n in plain.stale else "never")
            assert real.is_connected(n) == bool(plain.links.get(n))
            assert real.last_seen(n) == plain.newest.get(n, 0)
        assert sorted(real.names) == sorted(plain.stale)


def test_many_twins_come_and_go() -> None:
    presence = Presence()
    for n in range(1_000):
        presence.add(f"t{n}", 1.0)
        presence.seen({f"t{n}": SECOND})
    for n in range(0, 1_000, 2):
        presence.remove(f"t{n}")
    assert sorted(presence.tick(SECOND)) == sorted((f"t{n}", "live") for n in range(1, 1_000, 2))
    assert presence.tick(SECOND) == []
    assert presence.counts()["live"] == 500


def test_what_was_sent_before_the_loss_does_not_undo_it() -> None:
    presence = Presence()
    presence.add("a", 60.0)
    presence.connected(["a"])
    presence.disconnected(["a"], 20 * SECOND)
    presence.seen({"a": 19 * SECOND})  # on its way to the disk when the connection broke
    assert presence.status("a", 21 * SECOND) == "offline"
    presence.seen({"a": 22 * SECOND})
    assert presence.status("a", 23 * SECOND) == "live"
