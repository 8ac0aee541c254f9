"""Any sequence of what rules, people, time and restarts do follows the table of states."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gemel.core.clock import SECOND, from_iso, to_iso
from gemel.core.document import Document
from gemel.core.errors import Conflict
from gemel.services.alarms import TRANSITIONS, AlarmBook
from gemel.services.alarms.index import COUNTED
from gemel.services.alarms.suppression import Alone
from gemel.services.rules.compiler import PropertyShape
from gemel.services.rules.rule import load_rule
from gemel.services.rules.transition import Transition

BEGIN = 1_700_000_000 * SECOND
HELD = [{"property": "held", "is": True}]
RULES = {
    key: load_rule(
        key,
        {"model": "m", "when": "temperature > 80 °C", "suppressedBy": HELD, "repeats": repeats},
        {"temperature": PropertyShape("number", "degreeCelsius")},
    )
    for key, repeats in (("hot", "fold"), ("each", "each"))
}
PAIRS = [(key, twin) for key in RULES for twin in ("m1", "m2")]
ACTS = ("acknowledge", "unacknowledge", "shelve", "unshelve", "remove", "restore", "clear")
NAMES = {"remove": "out-of-service", "restore": "return-to-service", "clear": "close"}
CHOICE = st.integers(0, 1_000)


class Held(Alone):
    def __init__(self):
        self.twins = set()

    def value(self, twin, path):
        return twin in self.twins


class Alarms(RuleBasedStateMachine):
    """One model of what should be, beside the book: the state of each alarm by the table."""

    @initialize()
    def begin(self):
        self.now = BEGIN
        self.documents, self.expected, self.holds = {}, {}, {}
        self.held = Held()
        self.stands = dict.fromkeys(PAIRS, False)
        self.open_book()

    def open_book(self):
        self.book = AlarmBook(self.documents.get, around=self.held)
        self.book.load(Document("alarm", k, d, 0, "", "") for k, d in self.documents.items())

    def commit(self, edits):
        self.documents.update((e.key, e.doc) for e in edits)
        self.book.apply(edits)
        return edits

    def move(self, key, act):
        """What the table says of one act."""
        found = TRANSITIONS.get((self.expected[key], act))
        if found is None:
            return False
        self.expected[key] = found.stands if self.holds[key] else found.over
        return True

    def judge(self):
        for key in self.expected:
            twin = self.documents[key]["twin"]
            if self.expected[key] in ("unacknowledged", "acknowledged", "suppressed"):
                self.move(key, "suppress" if twin in self.held.twins else "release")

    @rule(pair=st.sampled_from(PAIRS))
    def rule_moves(self, pair):
        self.now += SECOND
        is_raise = self.stands[pair] = not self.stands[pair]
        kind = "raise" if is_raise else "clear"
        t = Transition(pair[0], 1, pair[1], kind, self.now, 90.0, 1)
        edits = self.commit(self.book.apply_transitions([t], RULES, {}, self.now))
        mine = [k for k, d in self.documents.items() if (d["rule"], d["twin"]) == pair]
        live = [k for k in mine if k in self.expected and self.expected[k] != "normal"]
        current = max(live, key=self.weight, default=None)
        if current and pair[0] == "each" and is_raise and self.expected[current] == "returned":
            current = None
        if current is None and is_raise:
            (current,) = [e.key for e in edits]
            self.expected[current], self.holds[current] = "unacknowledged", True
        elif current is not None:
            self.holds[current] = is_raise
            assert self.move(current, "raise" if is_raise else "return") or edits == []
        if current is not None:
            self.suppress_one(current)

    def weight(self, key):
        return (self.expected[key] in ("shelved", "out-of-service"), self.holds[key], key)

    def suppress_one(self, key):
        is_held = self.documents[key]["twin"] in self.held.twins
        if self.expected[key] in ("unacknowledged", "acknowledged", "suppressed"):
            self.move(key, "suppress" if is_held else "release")

    @rule(twin=st.sampled_from(["m1", "m2"]))
    def design_moves(self, twin):
        self.held.twins ^= {twin}
        self.commit(self.book.suppression(RULES, self.now))
        self.judge()

    @rule(act=st.sampled_from(ACTS), which=CHOICE, seconds=st.integers(1, 5))
    def person_acts(self, act, which, seconds):
        if not self.documents:
            return
        key = sorted(self.documents)[which % len(self.documents)]
        more = [seconds] if act == "shelve" else []
        try:
            plan = getattr(self.book, act)(key, "ann", "why", *more, self.now)
        except Conflict:
            assert not self.move(key, NAMES.get(act, act))
            return
        self.commit(plan)
        if act == "clear":
            self.holds[key] = False
        assert self.move(key, NAMES.get(act, act))

    @rule(seconds=st.integers(1, 5))
    def time_passes(self, seconds):
        self.now += seconds * SECOND
        over = [
            key
            for key, doc in self.documents.items()
            if doc["shelved"] and from_iso(doc["shelved"]["until"]) <= self.now
        ]
        assert self.book.is_due(self.now) == bool(over)
        edits = self.commit(self.book.expire(self.now))
        assert sorted(e.key for e in edits) == sorted(over)
        for key in over:
            self.move(key, "expire")

    @rule()
    def restart(self):
        before = (self.book.counts(), sorted(d["id"] for d in self.book.live()))
        self.open_book()
        assert before == (self.book.counts(), sorted(d["id"] for d in self.book.live()))

    @invariant()
    def all_is_as_the_table_says(self):
        if not hasattr(self, "documents"):
            return
        assert {k: d["state"] for k, d in self.documents.items()} == self.expected
        assert {k: d["stands"] for k, d in self.documents.items()} == self.holds
        live = [d for d in self.documents.values() if d["state"] != "normal"]
        counts = {
            str(p): sum(d["isActive"] and d["priority"] == p for d in live) for p in range(1, 5)
        }
        states = [d["state"] for d in live]
        counts["unacknowledged"] = states.count("unacknowledged") + states.count("returned")
        counts |= {name: states.count(state) for state, name in COUNTED.items()}
        assert self.book.counts() == counts
        for doc in self.documents.values():
            assert (doc["shelved"] is None) == (doc["state"] != "shelved")
            assert (doc["suppressedBy"] is None) == (doc["state"] != "suppressed")
            assert (doc["outOfService"] is None) == (doc["state"] != "out-of-service")
            assert doc["latest"] <= to_iso(self.now)


TestAlarms = Alarms.TestCase
TestAlarms.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
