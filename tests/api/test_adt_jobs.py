"""Import and deletion jobs over HTTP: what goes in, what is refused, what a restart leaves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.inside import Inside, inside, until
from gemel.app import import_lines, jobs, sums
from gemel.app.import_lines import Progress, read_lines

MODEL = {
    "@context": "dtmi:dtdl:context;3",
    "@id": "dtmi:job:Pump;1",
    "@type": "Interface",
    "contents": [
        {"@type": "Property", "name": "name", "schema": "string"},
        {"@type": "Relationship", "name": "feeds"},
    ],
}
OVER = ("succeeded", "failed", "cancelled")


def twin(twin_id: str, **values: Any) -> dict[str, Any]:
    return {"$dtId": twin_id, "$metadata": {"$model": MODEL["@id"]}, **values}


def relation(source: str, link: str, target: str) -> dict[str, Any]:
    names = {"$relationshipId": link, "$relationshipName": "feeds", "$targetId": target}
    return {"$dtId": source, **names}


def file_of(*, models: list[Any], twins: list[Any], relationships: list[Any]) -> bytes:
    lines = [{"Section": "Header"}, {"fileVersion": "1.0.0", "author": "x", "organization": "y"}]
    lines += [{"Section": "Models"}, *models, {"Section": "Twins"}, *twins]
    lines += [{"Section": "Relationships"}, *relationships]
    return b"\n".join(line if isinstance(line, bytes) else orjson.dumps(line) for line in lines)


PLANT = file_of(
    models=[MODEL],
    twins=[twin("a", name="first"), twin("b")],
    relationships=[relation("a", "r1", "b")],
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Inside]:
    with inside(tmp_path / "data") as found:
        yield found


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    """A server in which the tests leave nothing but jobs and files."""
    with inside(tmp_path_factory.mktemp("jobs") / "data") as found:
        yield found


def store(server: Inside, name: str, content: bytes) -> None:
    assert server.http.put(f"/imports/{name}", content=content).status_code == 201


def ended(server: Inside, path: str) -> dict[str, Any]:
    return until(
        lambda: (doc := server.ask("GET", path))["status"] in OVER and doc, f"the end of {path}"
    )


def imported(server: Inside, job: str, content: bytes) -> dict[str, Any]:
    store(server, f"{job}.ndjson", content)
    body = {"inputBlobUri": f"{job}.ndjson", "outputBlobUri": f"{job}.log"}
    answer = server.http.put(f"/jobs/imports/{job}", json=body)
    assert answer.status_code == 201
    assert answer.json()["status"] in ("notstarted", "running")
    return ended(server, f"/jobs/imports/{job}")


def log_of(server: Inside, job: str) -> list[dict[str, Any]]:
    text = server.http.get(f"/imports/{job}.log").text
    return [orjson.loads(line)["details"] for line in text.splitlines()]


def test_import_makes_models_twins_and_relationships(server: Inside) -> None:
    job = imported(server, "j1", PLANT)
    assert job["status"] == "succeeded"
    assert job["counts"] == {"models": 1, "twins": 2, "relationships": 1, "errors": 0}
    assert job["finishedDateTime"] >= job["createdDateTime"]
    assert job["error"] is None
    assert server.ask("GET", "/digitaltwins/a")["name"] == "first"
    assert server.ask("GET", "/digitaltwins/a/relationships/r1")["$targetId"] == "b"
    assert [entry["status"] for entry in log_of(server, "j1")] == ["Started", "Succeeded"]


def test_wrong_lines_are_logged_and_the_others_go_in(server: Inside) -> None:
    content = file_of(
        models=[MODEL],
        twins=[twin("a"), twin("bad", nothing=1), b"{no json", twin("b"), {"name": "no id"}],
        relationships=[relation("a", "r1", "b"), relation("a", "r2", "missing")],
    )
    job = imported(server, "j1", content)
    assert job["status"] == "failed"
    assert job["error"]["code"] == "ImportJobFailed"
    assert job["counts"] == {"models": 1, "twins": 2, "relationships": 1, "errors": 4}
    errors = [(e["line"], e["error"]["code"]) for e in log_of(server, "j1") if "line" in e]
    assert [line for line, _ in errors] == [7, 8, 10, 13]
    assert errors[0] == (7, "ValidationFailed")
    assert errors[1] == (8, "JsonInvalid")


def test_import_twice_changes_nothing_but_etags(server: Inside) -> None:
    imported(server, "j1", PLANT)
    assert imported(server, "j2", PLANT)["status"] == "succeeded"
    assert len(server.ask("GET", "/models")["value"]) == 1


def test_models_may_stand_in_any_order_and_be_large(
    server: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_lines, "MOST_LINES", 100)
    above = {**MODEL, "@id": "dtmi:job:Above;1", "extends": "dtmi:job:Pump;1", "contents": []}
    many = [{**above, "@id": f"dtmi:job:M{n};1"} for n in range(205)]
    job = imported(server, "j1", file_of(models=[*many, MODEL], twins=[], relationships=[]))
    assert job["status"] == "succeeded"
    assert job["counts"]["models"] == len(many) + 1


def test_models_that_are_wrong_go_in_none(server: Inside) -> None:
    wrong = {**MODEL, "@id": "dtmi:job:Wrong;1", "extends": "dtmi:job:Missing;1"}
    job = imported(server, "j1", file_of(models=[MODEL, wrong], twins=[], relationships=[]))
    assert job["status"] == "failed"
    assert server.ask("GET", "/models")["value"] == []
    assert any(e.get("error", {}).get("code") == "DTDLParserError" for e in log_of(server, "j1"))


@pytest.mark.parametrize(
    "content", [b"", b'{"$dtId": "a"}', b'{"Section": "Twins"}', b'{"Section": "Header"}\n' * 2]
)
def test_files_that_are_none_fail(empty: Inside, content: bytes) -> None:
    job = imported(empty, f"j{abs(hash(content))}", content)
    assert job["status"] == "failed"
    assert job["error"]["code"] == "ImportFileInvalid"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "ValidationFailed"),
        ({"inputBlobUri": "in", "outputBlobUri": "in"}, "ValidationFailed"),
        ({"inputBlobUri": "../gemel.sqlite", "outputBlobUri": "log"}, "ValidationFailed"),
        ({"inputBlobUri": "https://x.example/in", "outputBlobUri": "log"}, "ValidationFailed"),
        ({"inputBlobUri": "in", "outputBlobUri": "../log"}, "ValidationFailed"),
        ({"inputBlobUri": "missing", "outputBlobUri": "log"}, "NotFound"),
    ],
)
def test_jobs_that_cannot_be_are_refused(empty: Inside, body: Any, code: str) -> None:
    store(empty, "in", PLANT)
    answer = empty.http.put("/jobs/imports/j1", json=body)
    assert answer.json()["error"]["code"] == code


def test_job_ids_are_used_once_and_deleted_jobs_are_gone(server: Inside) -> None:
    imported(server, "j1", PLANT)
    body = {"inputBlobUri": "j1.ndjson", "outputBlobUri": "other.log"}
    assert server.http.put("/jobs/imports/j1", json=body).status_code == 400
    assert [job["id"] for job in server.ask("GET", "/jobs/imports")["value"]] == ["j1"]
    assert server.http.post("/jobs/imports/j1/cancel").status_code == 400
    assert server.http.delete("/jobs/imports/j1").status_code == 204
    answer = server.http.get("/jobs/imports/j1")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ImportJobNotFound")


def test_files_are_listed_and_deleted(server: Inside) -> None:
    store(server, "one", b"x" * 1000)
    listed = server.ask("GET", "/imports")["value"]
    assert [(file["name"], file["bytes"]) for file in listed] == [("one", 1000)]
    server.ask("DELETE", "/imports/one")
    assert server.http.get("/imports/one").status_code == 404
    for name in ("..", "%2e%2e", ".hidden", "a.part", "a%2fb"):
        assert server.http.put(f"/imports/{name}", content=b"x").status_code in (400, 404, 405)
    assert server.ask("GET", "/imports")["value"] == []


def test_a_changed_file_is_not_taken_in_and_not_given_out(server: Inside, tmp_path: Path) -> None:
    store(server, "j1.ndjson", PLANT)
    file = tmp_path / "data" / "imports" / "j1.ndjson"
    file.write_bytes(PLANT.replace(b"first", b"fjrst"))
    answer = server.http.get("/imports/j1.ndjson")
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "Damaged"
    assert "j1.ndjson" in answer.json()["error"]["message"]
    body = {"inputBlobUri": "j1.ndjson", "outputBlobUri": "j1.log"}
    assert server.http.put("/jobs/imports/j1", json=body).status_code == 201
    job = ended(server, "/jobs/imports/j1")
    assert (job["status"], job["error"]["code"]) == ("failed", "Damaged")
    assert job["counts"]["twins"] == 0
    assert imported(server, "j2", PLANT)["status"] == "succeeded"
    store(server, "j1.ndjson", PLANT)
    assert server.http.get("/imports/j1.ndjson").content == PLANT


def test_a_changed_log_of_a_job_is_named_and_not_given_out(server: Inside, tmp_path: Path) -> None:
    imported(server, "j1", file_of(models=[MODEL], twins=[twin("a"), b"{"], relationships=[]))
    file = tmp_path / "data" / "imports" / "j1.log"
    until(lambda: sums.read(file) and not sums.unsummed(file), "the log is summed")
    content = file.read_bytes()
    assert server.http.get("/imports/j1.log").content == content
    file.write_bytes(content.replace(b"Started", b"Stirted"))
    assert server.http.get("/imports/j1.log").json()["error"]["code"] == "Damaged"
    [damage] = server.ask("GET", "/check")["damage"]
    assert damage == {"file": "imports/j1.log", "what": "is not what was stored (CRC-32)"}
    server.ask("DELETE", "/imports/j1.log")
    assert server.ask("GET", "/check")["sound"]
    assert not sums.place(file).exists()


def test_files_of_before_there_were_sums_get_theirs_with_a_start(tmp_path: Path) -> None:
    with inside(tmp_path / "data") as server:
        store(server, "old.ndjson", PLANT)
    file = tmp_path / "data" / "imports" / "old.ndjson"
    sums.forget(file)
    with inside(tmp_path / "data") as server:
        until(lambda: sums.read(file), "the sum of a file of before")
        body = {"inputBlobUri": "old.ndjson", "outputBlobUri": "old.log"}
        server.ask("PUT", "/jobs/imports/j1", body)
        assert ended(server, "/jobs/imports/j1")["status"] == "succeeded"
        assert [one["name"] for one in server.ask("GET", "/imports")["value"]] == [
            "old.log",
            "old.ndjson",
        ]


def test_deletion_leaves_nothing(server: Inside) -> None:
    imported(server, "j1", PLANT)
    answer = server.http.post("/jobs/deletions", headers={"operation-id": "d1"})
    assert answer.status_code == 202
    place = answer.headers["Operation-Location"]
    assert place.endswith("/jobs/deletions/d1")
    assert ended(server, "/jobs/deletions/d1")["status"] == "succeeded"
    assert server.http.get(place).json()["status"] == "succeeded"
    assert server.ask("GET", "/models")["value"] == []
    assert server.http.get("/digitaltwins/a").status_code == 404
    assert server.call(server.platform.graph.counts) == (0, 0, 0)
    assert server.http.get("/jobs/deletions/nope").json()["error"]["code"] == "DeleteJobNotFound"
    again = server.http.post("/jobs/deletions", headers={"operation-id": "d1"})
    assert again.json()["error"]["code"] == "ValidationFailed"


def test_deletion_is_for_admins_only(server: Inside) -> None:
    with server.client(server.token("engineer")) as engineer:
        assert engineer.post("/jobs/deletions").status_code == 403


def many_twins(count: int) -> bytes:
    return file_of(
        models=[MODEL], twins=[twin(f"t{n:05d}") for n in range(count)], relationships=[]
    )


def test_cancelled_import_stops_and_keeps_what_it_made(
    server: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_lines, "MOST_LINES", 1_000)
    monkeypatch.setattr(jobs, "PAUSE_SECONDS", 1.0)  # many reads, so it is caught under way
    store(server, "in", many_twins(20_000))
    body = {"inputBlobUri": "in", "outputBlobUri": "log"}
    server.ask("PUT", "/jobs/imports/j1", body)
    until(lambda: server.ask("GET", "/jobs/imports/j1")["counts"]["twins"] > 0, "a first batch")
    assert server.http.delete("/jobs/imports/j1").status_code == 400
    assert server.ask("POST", "/jobs/imports/j1/cancel")["status"] in ("cancelling", "cancelled")
    job = ended(server, "/jobs/imports/j1")
    assert job["status"] == "cancelled"
    assert 0 < job["counts"]["twins"] < 20_000
    assert server.call(lambda: len(server.platform.graph.twins)) == job["counts"]["twins"]


def test_import_goes_on_after_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 8_000
    body = {"inputBlobUri": "in", "outputBlobUri": "log"}
    monkeypatch.setattr(import_lines, "MOST_LINES", 1_000)
    with monkeypatch.context() as held, inside(tmp_path / "data") as server:
        held.setattr(jobs, "PAUSE_SECONDS", 2.0)  # eight reads of the file: it is stopped between
        store(server, "in", many_twins(count))
        server.ask("PUT", "/jobs/imports/j1", body)
        until(lambda: server.ask("GET", "/jobs/imports/j1")["counts"]["twins"] > 0, "a first batch")
    assert 0 < len(server.platform.graph.twins) < count
    with inside(tmp_path / "data") as server:
        job = ended(server, "/jobs/imports/j1")
        assert job["status"] == "succeeded"
        assert job["counts"] == {"models": 1, "twins": count, "relationships": 0, "errors": 0}
        assert len(server.platform.graph.twins) == count


def test_lines_are_read_from_where_the_last_ended(tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_bytes(b"\xef\xbb\xbfone\ntwo\r\n\nfour")
    lines = read_lines(path, 0, 0)
    assert [line.text.strip() for line in lines] == [b"one", b"two", b"", b"four"]
    assert [line.number for line in lines] == [1, 2, 3, 4]
    assert read_lines(path, lines[1].end, 2)[0].number == 3
    assert read_lines(path, lines[-1].end, 4) == []
    assert Progress().doc()["offset"] == 0


def test_thousands_of_twins_go_in_and_out_whole(server: Inside) -> None:
    count = 1_500
    names = [f"t{n:05d}" for n in range(count)]
    content = file_of(
        models=[MODEL],
        twins=[twin(one, name=one) for one in names],
        relationships=[
            relation(names[n], f"r{k}", names[(n + 1 + k) % count])
            for n in range(count)
            for k in range(2)
        ],
    )
    job = imported(server, "many", content)
    assert job["status"] == "succeeded"
    expected = {"models": 1, "twins": count, "relationships": 2 * count, "errors": 0}
    assert job["counts"] == expected
    found = server.ask("POST", "/query", {"query": "SELECT COUNT() FROM DIGITALTWINS"})
    assert found["value"] == [{"COUNT": count}]
    assert len(server.ask("GET", f"/digitaltwins/{names[7]}/relationships")["value"]) == 2
    server.http.post("/jobs/deletions", headers={"operation-id": "all"})
    assert ended(server, "/jobs/deletions/all")["status"] == "succeeded"
    assert server.call(server.platform.graph.counts) == (0, 0, 0)
