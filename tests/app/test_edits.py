from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Callable, Coroutine, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from app.inside import PUMP, Inside, inside, until
from gemel.app import edits
from gemel.app.audit import verify
from gemel.core.document import Edit
from gemel.core.errors import NotFound, PreconditionFailed, TwinInvalid, Unavailable
from gemel.twins.draft import Draft
from gemel.twins.graph import EditContext, Graph
from gemel.twins.twin_edits import delete_twin, patch_twin, put_twin

TWIN = {"$metadata": {"$model": PUMP}, "bearing": {"$metadata": {}}}
Plan = Callable[[Graph, EditContext], tuple[list[Edit], Any]]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Inside]:
    with inside(tmp_path / "data") as found:
        found.pumps("p1", "p2", "p3")
        yield found


@pytest.fixture
def commits(server: Inside, monkeypatch: pytest.MonkeyPatch) -> list[list[Edit]]:
    """The commits from now on."""
    found: list[list[Edit]] = []
    commit = server.platform.documents.commit

    def noted(edits: Sequence[Edit]) -> None:
        found.append(list(edits))
        commit(edits)

    monkeypatch.setattr(server.platform.documents, "commit", noted)
    return found


def patch(twin: str, target: float, if_match: str | None = None) -> Plan:
    body = [{"op": "add", "path": "/target", "value": target}]
    return lambda graph, context: patch_twin(graph, context, twin, body, if_match=if_match)


def put(twin: str, **values: object) -> Plan:
    return lambda graph, context: put_twin(graph, context, twin, {**TWIN, **values})


def delete(twin: str) -> Plan:
    return lambda graph, context: delete_twin(graph, context, twin)


def together(server: Inside, *plans: Plan) -> list[Any]:
    """Asks for all edits at one moment; what each was answered."""

    async def ask() -> list[Any]:
        asked: list[Coroutine[Any, Any, Any]] = [
            server.platform.edit_graph(plan, "ann") for plan in plans
        ]
        return list(await asyncio.gather(*asked, return_exceptions=True))

    return server.run(ask())


def target(server: Inside, twin: str) -> object:
    return server.ask("GET", f"/digitaltwins/{twin}").get("target")


def test_edits_asked_for_together_share_a_commit_and_each_is_kept(
    server: Inside, commits: list[list[Edit]]
) -> None:
    answers = together(server, *(patch(f"p{n % 3 + 1}", float(n)) for n in range(60)))
    assert len({answer.etag for answer in answers}) == 60
    assert len(commits) == 1
    assert [target(server, twin) for twin in ("p1", "p2", "p3")] == [57.0, 58.0, 59.0]
    assert len(server.platform.documents.versions("twin", "p1")) == 21
    found = verify(server.platform.documents.path)
    assert (found.broken, found.edits > 60) == ("", True)


def test_of_two_edits_of_the_same_version_one_is_refused(
    server: Inside, commits: list[list[Edit]]
) -> None:
    etag = server.platform.graph.twin("p1").etag
    first, second, third = together(
        server, patch("p1", 1.0, etag), patch("p1", 2.0, etag), patch("p1", 3.0)
    )
    assert isinstance(second, PreconditionFailed)
    assert [first.doc["target"], third.doc["target"]] == [1.0, 3.0]
    assert target(server, "p1") == 3.0
    assert len(commits) == 1


def test_an_edit_that_is_refused_does_not_hurt_its_neighbours(server: Inside) -> None:
    wrong = [{"op": "add", "path": "/target", "value": "fast"}]
    answers = together(
        server,
        patch("p1", 1.0),
        patch("nobody", 1.0),
        lambda graph, context: patch_twin(graph, context, "p2", wrong),
        patch("p3", 3.0),
    )
    assert [type(a) for a in answers[1:3]] == [NotFound, TwinInvalid]
    assert [target(server, twin) for twin in ("p1", "p2", "p3")] == [1.0, None, 3.0]


def test_what_cannot_be_stored_is_the_fault_of_its_edit_alone(server: Inside) -> None:
    def strange(_: Graph, context: EditContext) -> tuple[list[Edit], None]:
        doc = {**server.platform.graph.twin("p2").doc, "target": 2**70}
        return [context.edit("twin", "p2", doc, "x")], None

    answers = together(server, patch("p1", 1.0), strange, patch("p3", 3.0), strange)
    assert [getattr(a, "code", "") for a in answers] == [
        "",
        "InvalidArgument",
        "",
        "InvalidArgument",
    ]
    assert "the twin 'p2' cannot be stored as JSON" in str(answers[1])
    assert [target(server, twin) for twin in ("p1", "p2", "p3")] == [1.0, None, 3.0]


def test_a_twin_made_again_by_the_next_edit_is_another_one(
    server: Inside, commits: list[list[Edit]]
) -> None:
    server.ask("PUT", "/rules/hot", {"model": PUMP, "when": "temperature > 80 °C"})
    server.ingest("p1", temperature=90)
    raised = until(lambda: server.ask("GET", "/alarms", state="active")["value"])
    commits.clear()
    together(server, patch("p2", 2.0), delete("p1"), put("p1", target=1.0), patch("p1", 5.0))
    kinds = [sorted({edit.kind for edit in edits}) for edits in commits[:3]]
    assert kinds == [["twin"], ["alarm", "twin"], ["twin"]]
    assert target(server, "p1") == 5.0
    closed = server.platform.documents.versions("alarm", raised[0]["id"])
    assert any(v.doc is not None and v.doc["state"] == "normal" for v in closed)


def test_a_twin_deleted_and_made_again_at_once_does_not_share_a_commit(
    server: Inside, commits: list[list[Edit]]
) -> None:
    together(server, delete("p1"), delete("p2"), put("p1"), patch("p1", 1.0))
    assert [[edit.key for edit in edits] for edits in commits] == [["p1", "p2"], ["p1", "p1"]]


def test_when_the_disk_refuses_nothing_is_visible_and_all_are_told(
    server: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Sequence[Edit]) -> None:
        raise Unavailable("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(server.platform.documents, "commit", full)
        answers = together(server, patch("p1", 1.0), patch("p2", 2.0))
    assert [type(a) for a in answers] == [Unavailable, Unavailable]
    assert target(server, "p1") is None
    together(server, patch("p1", 1.0))
    assert target(server, "p1") == 1.0


def ahead(server: Inside, *plans: Plan, done: Callable[[Any], object] = lambda _: None) -> None:
    """Asks for all edits as one row."""
    left = list(plans)

    def plan(draft: Draft, context: EditContext) -> tuple[list[Edit], Any]:
        edits, result = left.pop(0)(draft, context)
        draft.apply(edits)
        return edits, result

    async def ask() -> None:
        while left:
            await server.platform.edit_ahead(
                plan, is_more=lambda: bool(left), done=done, who="ann", why="row"
            )

    server.run(ask())


def test_edits_in_a_row_stand_on_those_before_them(
    server: Inside, commits: list[list[Edit]]
) -> None:
    told: list[str] = []
    many = [step for n in range(20) for step in (put(f"t{n}"), patch(f"t{n}", n), delete(f"t{n}"))]
    ahead(server, *many, put("last"), done=lambda twin: told.append(twin.id if twin else ""))
    assert told == [name for n in range(20) for name in (f"t{n}", f"t{n}", "")] + ["last"]
    assert 1 < len(commits) <= 61
    assert sum(map(len, commits)) == 61
    assert sorted(server.platform.graph.twins) == ["last", "p1", "p2", "p3"]
    assert verify(server.platform.documents.path).broken == ""


def test_a_row_ends_at_what_is_refused_and_keeps_what_came_before(server: Inside) -> None:
    with pytest.raises(NotFound):
        ahead(server, put("t1"), put("t2"), patch("nobody", 1.0), put("t3"))
    assert sorted(server.platform.graph.twins) == ["p1", "p2", "p3", "t1", "t2"]


def test_what_is_planned_while_the_disk_works_shares_the_next_commit(
    server: Inside, commits: list[list[Edit]], monkeypatch: pytest.MonkeyPatch
) -> None:
    is_planned, commit = threading.Event(), server.platform.documents.commit

    def slow(edits: Sequence[Edit]) -> None:
        assert is_planned.wait(60)
        commit(edits)

    def last(draft: Draft, context: EditContext) -> tuple[list[Edit], Any]:
        is_planned.set()
        return put("t9")(draft, context)

    monkeypatch.setattr(server.platform.documents, "commit", slow)
    told: list[Any] = []
    ahead(server, *(put(f"t{n}") for n in range(9)), last, done=told.append)
    assert [len(one) for one in commits] == [1, 9]
    assert [twin.id for twin in told] == [f"t{n}" for n in range(10)]


def test_nothing_shares_a_commit_behind_a_deletion(
    server: Inside, commits: list[list[Edit]]
) -> None:
    ahead(server, put("t1"), delete("p1"), put("p1"), put("t2"))
    with_deletion = [one for one in commits if any(edit.doc is None for edit in one)]
    assert [one[-1].key for one in with_deletion] == ["p1"]
    assert sorted(server.platform.graph.twins) == ["p1", "p2", "p3", "t1", "t2"]


def test_a_row_that_the_disk_refuses_leaves_nothing_planned(
    server: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, counted = server.platform.documents.commit, iter(range(9))

    def full(edits: Sequence[Edit]) -> None:
        if next(counted) == 1:
            raise Unavailable("the disk is full")
        commit(edits)

    monkeypatch.setattr(server.platform.documents, "commit", full)
    told: list[Any] = []
    with pytest.raises(Unavailable, match="full"):
        ahead(server, put("t1"), put("t2"), put("t3"), put("t4"), done=told.append)
    assert [twin.id for twin in told] == ["t1"]
    assert sorted(server.platform.graph.twins) == ["p1", "p2", "p3", "t1"]
    assert together(server, put("t5"))[0].id == "t5"


def test_others_are_served_while_a_row_goes_on(
    server: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edits, "AHEAD_SECONDS", 0.0)
    order: list[str] = []

    async def ask() -> None:
        left = [put(f"t{n}") for n in range(5)]

        def plan(draft: Draft, context: EditContext) -> tuple[list[Edit], Any]:
            made, result = left.pop(0)(draft, context)
            draft.apply(made)
            return made, result

        async def row() -> None:
            while left:
                await server.platform.edit_ahead(
                    plan,
                    is_more=lambda: bool(left),
                    done=lambda twin: order.append(twin.id),
                    who="ann",
                    why="row",
                )

        async def other() -> None:
            order.append((await server.platform.edit_graph(put("other"), "ben")).id)

        await asyncio.gather(row(), other())

    server.run(ask())
    assert order.index("other") < order.index("t4")


def test_etags_are_random_uuids() -> None:
    found = list(islice(edits.new_etags(), 600))
    assert len(set(found)) == 600
    assert {uuid.UUID(one[3:-1]).version for one in found} == {4}
    assert {uuid.UUID(one[3:-1]).variant for one in found} == {uuid.RFC_4122}
