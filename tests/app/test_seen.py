"""For random graphs and policies: what is seen is what policies allow, also after any edits."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import SimpleNamespace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from app.inside import MODELS, PUMP
from gemel.app.policies import Sight
from gemel.app.seen import SeenGraph
from gemel.app.seen_past import SeenPast
from gemel.core.document import Document, Edit
from gemel.core.policy import Policy, parse_policy
from gemel.twins.graph import Graph
from gemel.twins.past import Past
from gemel.twins.query.run import Engine

LINE = "dtmi:test:Line;1"
TWINS = [f"t{number}" for number in range(7)]
NAMES = ("name", "target", "bearing.grease")
Links = frozenset[tuple[str, str, str]]


@dataclass(frozen=True)
class Plant:
    models: dict[str, str]
    links: Links


policies = st.lists(
    st.fixed_dictionaries(
        {"effect": st.sampled_from(["permit", "forbid"])},
        optional={
            "models": st.lists(st.sampled_from([PUMP, LINE]), min_size=1, max_size=2),
            "twins": st.lists(st.sampled_from([*TWINS, "t[1-3]"]), min_size=1, max_size=2),
            "below": st.fixed_dictionaries(
                {
                    "twin": st.sampled_from(TWINS),
                    "follow": st.lists(
                        st.sampled_from(["feeds", "contains", "^contains"]), min_size=1, max_size=2
                    ),
                }
            ),
            "properties": st.lists(
                st.sampled_from([*NAMES, "bearing", "*.grease", "feeds"]), min_size=1, max_size=2
            ),
        },
    ),
    min_size=1,
    max_size=4,
)
plants = st.builds(
    Plant,
    st.fixed_dictionaries(dict.fromkeys(TWINS, st.sampled_from([PUMP, LINE]))),
    st.frozensets(
        st.tuples(
            st.sampled_from(TWINS), st.sampled_from(["feeds", "contains"]), st.sampled_from(TWINS)
        ),
        max_size=12,
    ),
)


def document(twin: str, model: str) -> dict[str, Any]:
    doc: dict[str, Any] = {"$dtId": twin, "$metadata": {"$model": model}, "name": twin}
    if model == PUMP:
        doc |= {"target": 1.5, "bearing": {"$metadata": {}, "grease": "old"}}
    return doc


def link(source: str, name: str, target: str) -> tuple[str, dict[str, Any]]:
    key = f"{name}-{target}"
    doc = {
        "$relationshipId": key,
        "$sourceId": source,
        "$targetId": target,
        "$relationshipName": name,
    }
    return f"{source}\n{key}", doc


def graph_of(plant: Plant) -> Graph:
    graph = Graph()
    found = [Document("model", m["@id"], m, 0, "", "") for m in MODELS]
    found += [Document("twin", t, document(t, m), 0, "", "") for t, m in plant.models.items()]
    found += [Document("relationship", *link(*one), 0, "", "") for one in plant.links]
    graph.load(found)
    return graph


# ---- by brute force ---------------------------------------------------------------------------


def may_read(known: list[Policy], plant: Plant, twin: str, name: str) -> bool:
    """What the reference says, in its order, from nothing but the documents."""
    fits = [p for p in known if does_fit(p, plant, twin)]
    if any(p.effect == "forbid" and named(p, name, is_part=True) for p in fits):
        return False
    if any(p.effect == "permit" and named(p, name, is_part=False) for p in fits):
        return True
    return not any(p.effect == "permit" for p in known)


def named(policy: Policy, name: str, *, is_part: bool) -> bool:
    if not policy.properties:
        return True
    if not name:
        return not is_part
    steps = name.split(".")
    return any(
        (is_part or len(pattern) <= len(steps))
        and all(fnmatchcase(s, p) for s, p in zip(steps, pattern, strict=False))
        for pattern in policy.properties
    )


def does_fit(policy: Policy, plant: Plant, twin: str) -> bool:
    if policy.models and plant.models[twin] not in policy.models:
        return False
    if policy.twins and not any(fnmatchcase(twin, p) for p in policy.twins):
        return False
    if not policy.root:
        return True
    inside = {policy.root}
    for _ in TWINS:
        for source, name, target in plant.links:
            if name in policy.follow and source in inside:
                inside.add(target)
            if f"^{name}" in policy.follow and target in inside:
                inside.add(source)
    return twin in inside


def check(seen: Graph, known: list[Policy], plant: Plant, was: Plant | None = None) -> None:
    """That `seen` shows of what `was` (now, if it is not given) what may be read now."""
    was = was or plant
    visible = {t for t in TWINS if may_read(known, plant, t, "")}
    twins = seen.all_twins()
    assert set(twins) == visible
    for twin in visible:
        assert seen.find_twin(twin) is twins[twin]
        doc, full = twins[twin].doc, document(twin, was.models[twin])
        for name in NAMES:
            *parts, last = name.split(".")
            have, there = doc, full
            for part in parts:
                have, there = have.get(part, {}), there.get(part, {})
            assert (last in have) == (last in there and may_read(known, plant, twin, name)), name
    links = {
        (s, n, t)
        for s, n, t in was.links
        if s in visible and t in visible and may_read(known, plant, s, n)
    }
    assert {(o.source, o.name, o.target) for t in TWINS for o in seen.outgoing(t)} == links
    assert {(o.source, o.name, o.target) for t in TWINS for o in seen.incoming(t)} == links
    engine = Engine(seen)
    assert {row["$dtId"] for row in asked(engine, "SELECT * FROM DIGITALTWINS")} == visible
    with_target = asked(engine, "SELECT $dtId FROM DIGITALTWINS T WHERE T.target > 1")
    assert {row["$dtId"] for row in with_target} == {
        t for t in visible if was.models[t] == PUMP and may_read(known, plant, t, "target")
    }
    assert len(asked(engine, "SELECT * FROM RELATIONSHIPS")) == len(links)


def asked(engine: Engine, query: str) -> list[Any]:
    run = engine.run(query, None, 1000)
    while True:
        try:
            next(run)
        except StopIteration as end:
            found: list[Any] = end.value.rows
            return found


@settings(max_examples=60, deadline=None)
@given(policies, plants, plants)
def test_what_is_seen_is_what_policies_allow_before_and_after_edits(
    documents: list[dict[str, Any]], first: Plant, then: Plant
) -> None:
    known = [parse_policy({**doc, "id": f"p{row}"}) for row, doc in enumerate(documents)]
    graph = graph_of(first)
    sight = Sight(graph, {policy.id: policy for policy in known})
    seen = SeenGraph(graph, sight)

    class Holder:
        """What a sight keeps up to date."""

    holder: Any = Holder()
    holder.graph, holder.sight, holder.real = seen, sight, SimpleNamespace(graph=graph)
    sight.seen = holder
    past = Past(graph, 0)
    check(SeenPast(past, holder), known, first)
    check(seen, known, first)
    edits = [Edit("twin", t, document(t, m), 1, "x") for t, m in then.models.items()]
    for one in first.links - then.links:
        edits.append(Edit("relationship", link(*one)[0], None, 1, "x"))
    for one in then.links - first.links:
        edits.append(Edit("relationship", *link(*one), 1, "x"))
    past.follow(edits)
    graph.apply(edits)
    sight.apply(edits)
    sight.refresh()
    check(seen, known, then)
    check(SeenPast(past, holder), known, then, was=first)
    gone = [Edit("twin", "t1", None, 2, "x")]
    past.follow(gone)
    graph.apply(gone)
    sight.apply(gone)
    sight.refresh()
    assert SeenPast(past, holder).find_twin("t1") is None
    assert "t1" not in SeenPast(past, holder).all_twins()
