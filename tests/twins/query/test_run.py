"""Answers as they are seen: forms, pages, device values, budgets."""

from __future__ import annotations

import pytest
from query_world import BASE, START, THING, World

from gemel.core.clock import SECOND, to_iso
from gemel.core.document import Edit
from gemel.core.errors import InvalidInput
from gemel.twins.query.run import Engine, answer


@pytest.fixture
def world() -> World:
    """site -feeds-> a -feeds-> b -feeds-> c -has-> site, and a lone twin."""
    world = World()
    for number, name in enumerate(["site", "a", "b", "c", "lone"]):
        world.twin(name, BASE, x=float(number), s=f"name {number}")
    world.link("site", "feeds", "a", length=1.0)
    world.link("a", "feeds", "b", length=2.0)
    world.link("b", "feeds", "c", length=3.0)
    world.link("c", "has", "site")
    return world


def ids(world: World, text: str) -> list[str]:
    return [row["$dtId"] for row in world.rows(text)]


def ends(world: World, pattern: str, start: str = "site") -> list[str]:
    where = f"WHERE A.$dtId = '{start}'"
    return ids(world, f"SELECT B.$dtId FROM DIGITALTWINS MATCH (A){pattern}(B) {where}")


def test_star_gives_twins_as_get_does(world: World) -> None:
    row = world.rows("SELECT * FROM DIGITALTWINS WHERE $dtId = 'a'")[0]
    assert row["$dtId"] == "a"
    assert row["$etag"]
    assert row["$metadata"]["$model"] == BASE
    assert row["x"] == 1.0


def test_projection_names_and_leaves_out_what_is_not_there(world: World) -> None:
    world.twin("half", BASE, s="only")
    rows = world.rows("SELECT T.x, T.s AS label FROM DIGITALTWINS T WHERE T.$dtId IN ['a', 'half']")
    assert rows == [{"x": 1.0, "label": "name 1"}, {"label": "only"}]


def test_collection_projection_is_named_by_alias(world: World) -> None:
    text = "SELECT T, C, R FROM DIGITALTWINS T JOIN C RELATED T.feeds R WHERE T.$dtId = 'site'"
    row = world.rows(text)[0]
    assert (row["T"]["$dtId"], row["C"]["$dtId"]) == ("site", "a")
    assert row["R"]["$relationshipName"] == "feeds"
    assert row["R"]["length"] == 1.0


def test_join_of_seven_levels() -> None:
    world = World()
    for number in range(8):
        world.twin(f"t{number}", BASE)
        if number:
            world.link(f"t{number - 1}", "feeds", f"t{number}")
    joins = " ".join(f"JOIN J{n} RELATED J{n - 1}.feeds" for n in range(1, 8))
    text = f"SELECT J7.$dtId FROM DIGITALTWINS J0 {joins} WHERE J0.$dtId = 't0'"
    assert world.rows(text) == [{"$dtId": "t7"}]


def test_hops_exact_range_and_up_to(world: World) -> None:
    assert ends(world, "-[:feeds*2]->") == ["b"]
    assert ends(world, "-[:feeds*1..3]->") == ["b", "c"]
    assert ends(world, "-[:feeds*..2]->") == ["a", "b"]
    assert ends(world, "-[:feeds|has*4]->") == ["site"]
    assert ends(world, "<-[:feeds*2]-", "b") == ["site"]


def test_a_relationship_is_used_once_on_a_way(world: World) -> None:
    assert ends(world, "-[*..9]->") == ["a", "b", "c", "site"]
    assert ends(world, "-[*5]->") == []
    assert ends(world, "-[:feeds*..5]-", "a") == ["b", "c", "site"]


def test_undirected_match_finds_both_sides(world: World) -> None:
    assert ends(world, "-[]-", "a") == ["b", "site"]


def test_relationship_variable_filters(world: World) -> None:
    pattern = "MATCH (A)-[r:feeds]->(B) WHERE r.length > 1"
    text = f"SELECT A.$dtId AS a, r.length FROM DIGITALTWINS {pattern}"
    assert world.rows(text) == [{"a": "a", "length": 2.0}, {"a": "b", "length": 3.0}]


def test_two_hops_of_a_match_are_two_relationships(world: World) -> None:
    assert ends(world, "-[:feeds]-(X)-[:feeds]-") == ["b"]
    assert ends(world, "-[:feeds]->(X)<-[:feeds]-") == []
    world.link("site", "feeds", "a")
    assert ends(world, "-[:feeds]->(X)<-[:feeds]-") == ["site"]


def test_literals_may_stand_first(world: World) -> None:
    assert ids(world, "SELECT * FROM DIGITALTWINS WHERE 3 < x") == ["lone"]
    assert ids(world, "SELECT * FROM DIGITALTWINS WHERE 'name 1' > s") == ["site"]


def test_match_of_one_node_and_repeated_names(world: World) -> None:
    assert ids(world, "SELECT A.$dtId FROM DIGITALTWINS MATCH (A) WHERE A.$dtId = 'a'") == ["a"]
    circle = "MATCH (A)-[:feeds*3]->(B)-[:has]->(A)"
    assert ids(world, f"SELECT A.$dtId FROM DIGITALTWINS {circle}") == ["site"]


def test_relationships_as_a_collection(world: World) -> None:
    text = "SELECT R.$relationshipId FROM RELATIONSHIPS R WHERE R.$sourceId = 'a' OR R.length = 3"
    assert len(world.rows(text)) == 2
    assert world.rows("SELECT COUNT() FROM RELATIONSHIPS") == [{"COUNT": 4}]


def test_count_of_nothing_is_one_row(world: World) -> None:
    assert world.rows("SELECT COUNT() FROM DIGITALTWINS WHERE x > 99") == [{"COUNT": 0}]
    found = world.rows("SELECT COUNT() AS n, MAX(x), AVG(x) FROM DIGITALTWINS WHERE x > 99")
    assert found == [{"n": 0}]


def test_latest_telemetry_with_time_and_quality(world: World) -> None:
    world.reading("a", "heat", 41.5, after=5, quality=64)
    text = "SELECT T.heat, TIME(T.heat), QUALITY(T.heat) FROM DIGITALTWINS T WHERE T.heat > 40"
    time = to_iso(START + 5 * SECOND)
    assert world.rows(text) == [{"heat": 41.5, "TIME": time, "QUALITY": "uncertain"}]
    world.reading("a", "heat", 39.0, after=6)
    assert world.rows(text) == []


def test_device_property_counts_when_it_is_later(world: World) -> None:
    world.reading("a", "x", 77.0, after=-5)
    assert ids(world, "SELECT * FROM DIGITALTWINS WHERE x = 77") == []
    world.reading("a", "x", 77.0, after=5)
    assert ids(world, "SELECT * FROM DIGITALTWINS WHERE x = 77") == ["a"]
    assert ids(world, "SELECT * FROM DIGITALTWINS WHERE x = 1") == []


def test_writes_show_in_the_next_query(world: World) -> None:
    text = "SELECT * FROM DIGITALTWINS WHERE x > 100"
    assert ids(world, text) == []
    world.twin("a", BASE, x=101.0)
    assert ids(world, text) == ["a"]
    world.twin("new", BASE, x=102.0)
    assert ids(world, text) == ["a", "new"]
    world.drop("a")
    assert ids(world, text) == ["new"]


def test_model_with_and_without_heirs(world: World) -> None:
    world.twin("thing", THING)
    assert "thing" in ids(world, f"SELECT * FROM DIGITALTWINS WHERE IS_OF_MODEL('{BASE}')")
    assert "thing" not in ids(
        world, f"SELECT * FROM DIGITALTWINS T WHERE IS_OF_MODEL(T, '{BASE}', exact)"
    )


def test_large_integers_are_exact() -> None:
    world = World()
    world.twin("a", BASE, n=9007199254740993)
    assert ids(world, "SELECT * FROM DIGITALTWINS WHERE n = 9007199254740992") == []
    assert ids(world, "SELECT * FROM DIGITALTWINS WHERE n = 9007199254740993") == ["a"]
    assert ids(world, "SELECT * FROM DIGITALTWINS WHERE n > 9007199254740992") == ["a"]


def test_top_goes_over_pages(world: World) -> None:
    first = world.ask("SELECT TOP(3) * FROM DIGITALTWINS", size=2)
    assert len(first.rows) == 2
    second = world.ask("", token=first.token, size=2)
    assert len(second.rows) == 1
    assert second.token is None


def test_pages_of_a_join_hold_each_of_two_relationships_between_the_same_twins(
    world: World,
) -> None:
    world.link("site", "feeds", "a", length=9.0)
    text = "SELECT T, J FROM DIGITALTWINS T JOIN J RELATED T.feeds WHERE J.$dtId = 'a'"
    first = world.ask(text, size=1)
    second = world.ask("", token=first.token, size=1)
    assert first.rows == second.rows
    assert second.token is None


def test_pages_stay_stable_when_twins_come_and_go(world: World) -> None:
    first = world.ask("SELECT * FROM DIGITALTWINS", size=2)
    assert [row["$dtId"] for row in first.rows] == ["a", "b"]
    world.drop("b")
    world.twin("aa", BASE)
    world.twin("bb", BASE)
    second = world.ask("", token=first.token, size=2)
    assert [row["$dtId"] for row in second.rows] == ["bb", "c"]


@pytest.mark.parametrize("token", ["x", "e30", "bnVsbA", "eyJxIjogIiJ9", "é"])
def test_foreign_tokens_are_refused(world: World, token: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        world.ask("", token=token)
    assert caught.value.code == "BadRequest"


def test_token_of_another_query_is_refused(world: World) -> None:
    token = world.ask("SELECT * FROM DIGITALTWINS", size=1).token
    with pytest.raises(InvalidInput, match="another query"):
        world.ask("SELECT * FROM RELATIONSHIPS", token=token)


def test_queries_without_end_are_stopped(world: World) -> None:
    engine = Engine(world.graph, most_steps=50)
    with pytest.raises(InvalidInput) as caught:
        answer(engine.run("SELECT A FROM DIGITALTWINS MATCH (A)-[*1..9]-(B)-[*1..9]-(C)"))
    assert caught.value.code == "TimeoutError"


def test_long_work_pauses() -> None:
    world = World()
    for number in range(1000):
        world.twin(f"t{number}", BASE, x=float(number))
    run = world.engine.run("SELECT COUNT() FROM DIGITALTWINS T WHERE T.x >= 0 ORDER BY COUNT()")
    assert sum(1 for _ in run) >= 2


def test_charge_grows_with_the_work(world: World) -> None:
    little = world.ask("SELECT * FROM DIGITALTWINS WHERE $dtId = 'a'").charge
    much = world.ask("SELECT A FROM DIGITALTWINS MATCH (A)-[*..9]-(B)-[*..9]-(C)").charge
    assert much > little >= 1


def test_joins_end_where_the_text_does() -> None:
    world = World()
    for number in range(201):
        world.twin(f"t{number}", BASE)
    for number in range(200):
        world.link(f"t{number}", "feeds", f"t{number + 1}")
    joins = " ".join(f"JOIN t{n + 1} RELATED t{n}.feeds" for n in range(200))
    text = f"SELECT t200 FROM DIGITALTWINS t0 {joins} WHERE t0.$dtId = 't0'"
    assert [row["t200"]["$dtId"] for row in world.rows(text)] == ["t200"]
    hops = "-[:feeds]->".join(f"(m{n})" for n in range(201))
    text = f"SELECT m200 FROM DIGITALTWINS MATCH {hops} WHERE m0.$dtId = 't0'"
    assert [row["m200"]["$dtId"] for row in world.rows(text)] == ["t200"]


def test_joins_that_cost_too_much_are_stopped_and_say_what_to_do() -> None:
    world = World()
    for number in range(4):
        world.twin(f"t{number}", BASE)
    for source in range(4):
        for target in range(4):
            world.link(f"t{source}", "feeds", f"t{target}")
    joins = " ".join(f"JOIN t{n + 1} RELATED t{n}.feeds" for n in range(60))
    engine = Engine(world.graph, None, most_steps=10_000)
    with pytest.raises(InvalidInput, match="more than 10,000 steps") as caught:
        answer(engine.run(f"SELECT COUNT() FROM DIGITALTWINS t0 {joins} WHERE t0.$dtId = 't0'"))
    assert "name a twin" in caught.value.hint


def test_a_query_may_speak_of_more_properties_than_columns_are_kept(world: World) -> None:
    where = " OR ".join(f"T.p{n} = 1" for n in range(80))
    assert ids(world, f"SELECT T.$dtId FROM DIGITALTWINS T WHERE {where} OR T.x = 2") == ["b"]


def test_starts_of_texts_that_came_later_are_found(world: World) -> None:
    text = "SELECT T.$dtId FROM DIGITALTWINS T WHERE STARTSWITH(T.s, 'name ')"
    assert ids(world, text) == ["a", "b", "c", "lone", "site"]
    world.twin("a", BASE, s="other")
    world.twin("later", BASE, s="name \U0010ffff")
    world.twin("after", BASE, s="namf")
    assert ids(world, text) == ["b", "c", "later", "lone", "site"]


def test_pages_of_an_order_by_mixed_kinds_are_the_whole_order(world: World) -> None:
    for number, value in enumerate([True, None, "b", "a", 2, 2.5, [1], {"k": 1}, -1, False]):
        world.twin(f"m{number}", BASE, x=value, s="mixed" if number % 2 else "other")
    whole = "SELECT T.$dtId FROM DIGITALTWINS T ORDER BY T.s, T.x DESC"
    in_order = ids(world, whole)
    assert len(in_order) == len(set(in_order)) == 15
    run, found = answer(world.engine.run(whole, size=4)), list[str]()
    while True:
        found += [row["$dtId"] for row in run.rows]
        if run.token is None:
            break
        run = answer(world.engine.run(whole, run.token, size=4))
    assert found == in_order
    others = [key for key in in_order if key in {"m0", "m2", "m4", "m6", "m8"}]
    assert others == ["m6", "m2", "m4", "m8", "m0"]


def test_a_model_that_is_uploaded_anew_counts_at_once(world: World) -> None:
    model = "dtmi:q:Anew;1"

    def upload(kind: str) -> None:
        content = {"@type": kind, "name": "x", "schema": "double"}
        doc = {
            "@id": model,
            "@type": "Interface",
            "@context": "dtmi:dtdl:context;3",
            "contents": [content],
        }
        world.graph.apply([Edit("model", model, doc, 0, "")])

    upload("Property")
    world.twin("anew", model, x=5.0)
    world.reading("anew", "x", 7.0, after=-10)
    text = "SELECT T.x FROM DIGITALTWINS T WHERE T.x > 6"
    assert world.rows(text) == []
    world.graph.apply([Edit("model", model, None, 0, "")])
    upload("Telemetry")
    assert world.rows(text) == [{"x": 7.0}]


def test_rows_of_a_join_are_in_order_of_what_has_a_name(world: World) -> None:
    twice = [world.link("lone", "feeds", "lone") for _ in range(2)]
    text = "SELECT E FROM DIGITALTWINS A JOIN B RELATED A.feeds JOIN C RELATED A.feeds E"
    rows = world.rows(f"{text} WHERE A.$dtId = 'lone'")
    assert [row["E"]["$relationshipId"] for row in rows] == [twice[0]] * 2 + [twice[1]] * 2


def test_pages_of_groups_are_the_groups_whatever_their_values(world: World) -> None:
    for number, value in enumerate([2.0, 2, True, False, 10.0, -1.5, None] * 3):
        world.twin(f"more-{number}", BASE, **({} if value is None else {"x": value}))
        world.twin(f"text-{number}", BASE, s=f"name {number % 5}")
    by = "SELECT T.{0}, COUNT() AS n{1} FROM DIGITALTWINS T GROUP BY T.{0}"
    for path in ("x", "s"):
        # the smallest value beside it has the rows gone through one group after the other
        slow = world.rows(by.format(path, f", MIN(T.{path}) AS m"))
        for row in slow:
            row.pop("m", None)
        for size in (1, 2, 3, 100):
            pages, token = list[dict[str, object]](), None
            while True:
                found = world.ask(by.format(path, ""), token=token, size=size)
                pages += found.rows
                token = found.token
                if token is None:
                    break
            assert pages == slow
