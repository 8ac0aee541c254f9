"""The planner, columns and pages against the plainest evaluation of the same tree."""

from __future__ import annotations

from typing import Any

from brute_force import BruteForce
from hypothesis import given, settings
from hypothesis import strategies as st
from query_world import BASE, THING, World

from gemel.twins.query.parser import parse

IDS = ["a", "b", "c", "d", "e"]
TEXTS = ["", "x", "xy", "yx", "Zz"]
NUMBERS = [-1, 0, 1, 2, 2.5]

numbers = st.sampled_from(NUMBERS)
texts = st.sampled_from(TEXTS)
values = st.fixed_dictionaries(
    {},
    optional={
        "x": numbers.map(float),
        "n": st.sampled_from([-1, 0, 1, 2, 2**53 + 1]),
        "s": texts,
        "b": st.booleans(),
        "limits": st.fixed_dictionaries(
            {}, optional={"low": numbers.map(float), "isOn": st.booleans()}
        ),
        "tags": st.dictionaries(st.sampled_from(["red", "old"]), texts, max_size=2),
        "list": st.lists(st.sampled_from([0, 1, 2]), max_size=2),
    },
)
parts = st.fixed_dictionaries({}, optional={"x": numbers.map(float), "s": texts})
readings = st.one_of(
    st.tuples(st.just("heat"), numbers.map(float)),
    st.tuples(st.just("running"), st.booleans()),
    st.tuples(st.just("mode"), texts),
    st.tuples(st.just("x"), numbers.map(float)),
    st.tuples(st.just("n"), st.sampled_from([0, 1, 2])),
    st.tuples(st.just("s"), texts),
    st.tuples(st.just("b"), st.booleans()),
    st.tuples(st.just("limits.low"), numbers.map(float)),
    st.tuples(st.just("part.x"), numbers.map(float)),
    st.tuples(st.just("part.heat"), numbers.map(float)),
)


full = st.fixed_dictionaries(
    {
        "x": numbers.map(float),
        "n": st.sampled_from([-1, 0, 1, 2, 2**53 + 1]),
        "s": texts,
        "b": st.booleans(),
        "limits": st.fixed_dictionaries({"low": numbers.map(float), "isOn": st.booleans()}),
    }
)


@st.composite
def beginnings(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    """Twins with all their values, and some relationships."""
    found: list[tuple[Any, ...]] = [
        ("twin", name, THING, draw(full), {"x": draw(numbers) * 1.0, "s": draw(texts)})
        for name in IDS[:4]
    ]
    ends = st.sampled_from(IDS[:4])
    kinds = st.sampled_from(["feeds", "has"])
    length = st.sampled_from([{}, {"length": 1.0}, {"length": 2.5}])
    link = st.tuples(st.just("link"), ends, kinds, ends, length)
    return found + draw(st.lists(link, max_size=5))


@st.composite
def changes(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    """Things that happen to a world, one after the other."""
    one = st.one_of(
        st.tuples(
            st.just("twin"), st.sampled_from(IDS), st.sampled_from([BASE, THING]), values, parts
        ),
        st.tuples(st.just("twin"), st.sampled_from(IDS), st.just(THING), values, parts),
        st.tuples(
            st.just("link"),
            st.sampled_from(IDS),
            st.sampled_from(["feeds", "has"]),
            st.sampled_from(IDS),
            st.sampled_from([{}, {"length": 1.0}, {"length": 2.5}]),
        ),
        st.tuples(st.just("reading"), st.sampled_from(IDS), readings, st.sampled_from([-1, 1, 2])),
        st.tuples(st.just("drop"), st.sampled_from(IDS)),
    )
    return draw(st.lists(one, min_size=1, max_size=14))


def happen(world: World, things: list[tuple[Any, ...]]) -> None:
    twins = world.graph.twins
    for thing in things:
        if thing[0] == "twin":
            _, twin, model, props, inner = thing
            more = {"part": inner} if model == THING else {}
            world.twin(twin, model, **props, **more)
        elif thing[0] == "link" and thing[1] in twins and thing[3] in twins:
            world.link(*thing[1:4], **thing[4])
        elif thing[0] == "reading" and thing[1] in twins:
            path, value = thing[2]
            if not path.startswith("part") or twins[thing[1]].model == THING:
                world.reading(thing[1], path, value, after=thing[3], quality=64 * (value == 1))
        elif thing[0] == "drop" and thing[1] in twins:
            world.drop(thing[1])


PATHS = ["x", "n", "s", "b", "limits.low", "limits.isOn", "limits", "tags.red", "list"]
PATHS += ["heat", "running", "mode", "part.x", "part.s", "part.heat", "part", "$dtId", "nothing"]
PATHS += ["$metadata.$model", "$metadata.x.lastUpdateTime"]


def literals() -> st.SearchStrategy[str]:
    quoted = texts.map(lambda text: f"'{text}'")
    plain = st.sampled_from(["true", "false", "null", "9007199254740993", "'a'"])
    return st.one_of(numbers.map(str), quoted, plain)


NUMERIC = ["x", "n", "limits.low", "heat", "part.x", "part.heat"]
TEXTUAL = ["s", "mode", "part.s", "tags.red"]
TRUTHS = ["b", "limits.isOn", "running"]


@st.composite
def fitting(draw: st.DrawFn, names: list[str]) -> str:
    """A comparison of a property with a literal of its type, either way round."""
    kind = draw(st.sampled_from([NUMERIC, NUMERIC, TEXTUAL, TRUTHS]))
    path = f"{draw(st.sampled_from(names))}.{draw(st.sampled_from(kind))}"
    if kind is TRUTHS:
        sign, word = draw(st.sampled_from(["=", "!="])), draw(st.sampled_from(["true", "false"]))
        return f"{path} {sign} {word}"
    one = numbers.map(str) if kind is NUMERIC else texts.map(lambda text: f"'{text}'")
    sides = [path, draw(one)]
    form = draw(st.sampled_from(["compare", "compare", "mirror", "list", "text"]))
    if form == "list":
        word = draw(st.sampled_from(["IN", "NIN"]))
        return f"{path} {word} [{', '.join(draw(st.lists(one, min_size=1, max_size=3)))}]"
    if form == "text" and kind is TEXTUAL:
        name = draw(st.sampled_from(["STARTSWITH", "ENDSWITH", "CONTAINS"]))
        return f"{name}({path}, {sides[1]})"
    sign = draw(st.sampled_from(["=", "!=", "<", "<=", ">", ">="]))
    return f" {sign} ".join(reversed(sides) if form == "mirror" else sides)


def conditions(names: list[str], edges: list[str]) -> st.SearchStrategy[str]:
    paths = st.builds(lambda n, p: f"{n}.{p}", st.sampled_from(names), st.sampled_from(PATHS))
    if edges:
        of_edge = st.sampled_from([f"{edge}.length" for edge in edges])
        paths = st.one_of(paths, of_edge)
    signs = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
    lists = st.lists(literals(), max_size=3).map(lambda found: f"[{', '.join(found)}]")
    twins = st.sampled_from(names)
    leaf = st.one_of(
        fitting(names),
        fitting(names),
        fitting(names),
        fitting(names),
        st.builds("{} {} {}".format, paths, signs, literals()),
        st.builds("{} {} {}".format, literals(), signs, paths),
        st.builds("{} {} {}".format, paths, signs, paths),
        st.builds("{} {} {}".format, paths, st.sampled_from(["IN", "NIN"]), lists),
        st.builds("{}.$dtId IN ['a', 'b', 'q']".format, twins),
        st.builds("{}.$dtId = '{}'".format, twins, st.sampled_from(IDS)),
        st.builds(
            "IS_OF_MODEL({}, '{}'{})".format,
            twins,
            st.sampled_from([BASE, THING, "dtmi:q:No;1"]),
            st.sampled_from(["", ", exact"]),
        ),
        st.builds(
            "{}({})".format,
            st.sampled_from(
                [
                    "IS_DEFINED",
                    "IS_NULL",
                    "IS_BOOL",
                    "IS_NUMBER",
                    "IS_STRING",
                    "IS_PRIMITIVE",
                    "IS_OBJECT",
                ]
            ),
            paths,
        ),
        st.builds(
            "{}({}, '{}')".format,
            st.sampled_from(["STARTSWITH", "ENDSWITH", "CONTAINS"]),
            paths,
            texts,
        ),
        st.builds("ARRAY_CONTAINS({}, {})".format, paths, literals()),
        st.builds("QUALITY({}.heat) = 'good'".format, twins),
        paths,
    )
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.builds("({} AND {})".format, inner, inner),
            st.builds("({} OR {})".format, inner, inner),
            st.builds("NOT {}".format, inner),
        ),
        max_leaves=4,
    )


@st.composite
def queries(draw: st.DrawFn) -> str:
    form = draw(st.sampled_from(["plain", "plain", "join", "match", "relationships"]))
    names, edges = ["T"], []
    source = "DIGITALTWINS T"
    if form == "relationships":
        names, edges, source = [], ["R"], "RELATIONSHIPS R"
    elif form == "join":
        for level in range(draw(st.integers(1, 2))):
            name, edge = f"J{level}", f"E{level}"
            old, kind = draw(st.sampled_from(names)), draw(st.sampled_from(["feeds", "has"]))
            source += f" JOIN {name} RELATED {old}.{kind}"
            if draw(st.booleans()):
                source += f" {edge}"
                edges.append(edge)
            names.append(name)
    elif form == "match":
        source = "DIGITALTWINS MATCH (T)"
        for level in range(draw(st.integers(1, 2))):
            inner = draw(st.sampled_from(["", ":feeds", ":feeds|has", "V", "V:has", "*2", "*..2"]))
            if draw(st.booleans()):
                inner = draw(st.sampled_from(["*..3", "*1..3", ":feeds*0..2", "*3", ""]))
            if inner.startswith("V"):
                inner = f"V{level}{inner[1:]}"
                edges.append(f"V{level}")
            left, right = draw(st.sampled_from([("-", "->"), ("<-", "-"), ("-", "-")]))
            name = draw(st.sampled_from([f"M{level}", f"M{level}", "", "T"]))
            if name.startswith("M"):
                names.append(name)
            source += f"{left}[{inner}]{right}({name})"
    where = ""
    if draw(st.booleans()) or form != "plain":
        if names:
            where = f" WHERE {draw(conditions(names, edges))}"
        else:
            where = draw(
                st.sampled_from(
                    [
                        "",
                        " WHERE R.length > 1",
                        " WHERE R.$targetId = 'a'",
                        " WHERE R.$sourceId IN ['a', 'b'] AND NOT R.$relationshipName = 'has'",
                    ]
                )
            )
    columns = draw(selects(names, edges, form == "plain" or form == "relationships"))
    top = draw(st.sampled_from(["", "", "", "TOP(2) "]))
    return f"SELECT {top}{columns[0]} FROM {source}{where}{columns[1]}"


@st.composite
def selects(draw: st.DrawFn, names: list[str], edges: list[str], has_star: bool) -> tuple[str, str]:
    """Columns, and the GROUP BY and ORDER BY that go with them."""
    everything = names + edges
    if not names:
        return draw(
            st.sampled_from([("*", ""), ("COUNT()", ""), ("R.length AS l, R", " ORDER BY l DESC")])
        )
    path = st.builds("{}.{}".format, st.sampled_from(names), st.sampled_from(PATHS))
    order = draw(st.sampled_from(["", f" ORDER BY {draw(path)} DESC, {draw(path)}"]))
    kind = draw(st.sampled_from(["star", "things", "values", "count", "group"]))
    if kind == "star" and has_star:
        return "*", order
    if kind == "count":
        return "COUNT()", ""
    if kind == "group":
        by = draw(path)
        calls = f"COUNT() AS c, COUNT({draw(path)}) AS d, MIN({draw(path)}) AS e"
        calls += f", MAX({draw(path)}) AS f, SUM({draw(path)}) AS g, AVG({draw(path)}) AS h"
        return f"{by} AS k, {calls}", f" GROUP BY {by}" + draw(
            st.sampled_from(["", " ORDER BY c DESC", " ORDER BY e, k DESC"])
        )
    if kind == "values":
        name = draw(st.sampled_from(names))
        timed = draw(st.sampled_from(["heat", "x", "part.x", "mode"]))
        return f"{draw(path)} AS v, TIME({name}.{timed}), QUALITY({name}.{timed}) AS q", order
    return ", ".join(everything), order


@settings(max_examples=150, deadline=None)
@given(
    beginnings(),
    st.lists(changes(), max_size=2),
    st.lists(queries(), min_size=1, max_size=4),
)
def test_same_rows_as_brute_force(
    begin: list[tuple[Any, ...]], later: list[list[tuple[Any, ...]]], asked: list[str]
) -> None:
    world = World()
    epochs = [begin, *later]
    for things in epochs:
        happen(world, things)
        plain = BruteForce(world.graph, world.live)
        for text in asked:
            expected = plain.answer(parse(text))
            assert world.rows(text) == expected, text


@settings(max_examples=50, deadline=None)
@given(beginnings(), queries(), st.integers(1, 3))
def test_pages_add_up_to_the_whole(things: list[tuple[Any, ...]], text: str, size: int) -> None:
    world = World()
    happen(world, things)
    whole, token = [], None
    while True:
        page = world.ask("" if token else text, token=token, size=size)
        whole += page.rows
        token = page.token
        if token is None:
            break
        assert len(page.rows) == size
    assert whole == world.rows(text)
