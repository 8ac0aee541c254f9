"""Line protocol through clients that InfluxDB's makers wrote for 1.x and 2.x, and through curl."""

from __future__ import annotations

import gzip
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import influxdb
import influxdb_client
import pytest
from influxdb_client.client.exceptions import InfluxDBError
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

from app.inside import Inside, inside
from gemel.core.errors import Unavailable

T = 1_700_000_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("influx") / "data") as found:
        found.pumps(*(f"p{n}" for n in range(10)))
        yield found


def values(server: Inside, twin: str, name: str = "flow") -> list[tuple[float, Any]]:
    query = {"twin": twin, "property": name, "from": 0, "to": (T + 1000) * 1000}
    found = server.ask("GET", "/history", **query)["series"][0]
    texts = found.get("text") or {}
    rows = zip(found["time"], found["value"], strict=True)
    return [(t, texts.get(str(n), v)) for n, (t, v) in enumerate(rows)]


def newer(server: Inside, token: str | None = None) -> influxdb_client.InfluxDBClient:
    return influxdb_client.InfluxDBClient(
        server.url, token or server.admin, org="any", enable_gzip=True
    )


def older(server: Inside, user: str = "any", password: str = "") -> influxdb.InfluxDBClient:
    host, _, port = server.url.rpartition("/")[2].partition(":")
    return influxdb.InfluxDBClient(
        host, int(port), user, password or server.admin, "plant", gzip=True
    )


def test_the_client_of_2_x_writes_and_finds_it_healthy(server: Inside) -> None:
    moment = datetime.fromtimestamp(T, UTC)
    with newer(server) as client:
        assert client.ping()
        with pytest.deprecated_call():
            assert client.health().status == "pass"
        assert client.version().startswith("gemel-")
        point = (
            influxdb_client.Point("pump")
            .tag("twin", "p0")
            .field("flow", 12.5)
            .field("running", True)
            .field("mode", 'auto "1", a=b')
            .time(moment)
        )
        writer = client.write_api(write_options=SYNCHRONOUS)
        writer.write("any", record=[point, f"pump,twin=p0 flow=13 {T + 1}000000000"])
        writer.write("any", record=f"pump,twin=p0 flow=14 {T + 2}", write_precision="s")
    expected = [(T * 1000, 12.5), ((T + 1) * 1000, 13), ((T + 2) * 1000, 14)]
    assert values(server, "p0") == expected
    assert values(server, "p0", "mode") == [(T * 1000, '"auto \\"1\\", a=b"')]
    assert values(server, "p0", "running") == [(T * 1000, 1)]


def test_the_batching_client_of_2_x_loses_nothing(server: Inside) -> None:
    faults: list[Exception] = []
    options = influxdb_client.WriteOptions(batch_size=100, flush_interval=100)
    with (
        newer(server) as client,
        client.write_api(options, error_callback=lambda _, __, e: faults.append(e)) as writer,
    ):
        for n in range(450):
            writer.write(
                "any", record=f"pump,twin=p1 flow={n} {T * 1000 + n}", write_precision="ms"
            )
    assert faults == []
    assert values(server, "p1") == [(T * 1000 + n, n) for n in range(450)]


def test_the_client_of_1_x_writes_with_its_password(server: Inside) -> None:
    client = older(server)
    assert client.ping().startswith("gemel-")
    point = {"measurement": "flow", "tags": {"twin": "p2"}, "fields": {"value": 3}, "time": T}
    assert client.write_points([point], time_precision="s")
    assert values(server, "p2") == [(T * 1000, 3)]
    client.close()


def test_curl_writes_with_the_token_in_the_query_or_the_header(server: Inside) -> None:
    ways = [
        [f"{server.url}/write?db=x&precision=s&u=any&p={server.admin}"],
        [f"{server.url}/write?db=x&precision=s", "-u", f"any:{server.admin}"],
        [f"{server.url}/write?precision=s", "-H", f"Authorization: Bearer {server.admin}"],
        [f"{server.url}/api/v2/write?precision=s", "-H", f"Authorization: Token {server.admin}"],
        [f"{server.url}/api/v2/write?precision=s", "-H", f"Authorization: Token a:{server.admin}"],
    ]
    for n, way in enumerate(ways):
        data = f"pump,twin=p3 flow={n} {T + n}"
        done = subprocess.run(
            ["curl", "-sS", "--noproxy", "*", "-w", "%{http_code}", "--data-binary", data, *way],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == "204", (way, done.stdout)
    assert values(server, "p3") == [((T + n) * 1000, n) for n in range(len(ways))]


BAD = f"pump,twin=p4 flow=1 {T}\npump,twin=p4 flow=oops\npump,twin=p4 flow=t {T}\n"


def test_good_lines_are_taken_beside_bad_ones_and_both_clients_are_told(server: Inside) -> None:
    with newer(server) as client, pytest.raises(ApiException) as of_newer:
        client.write_api(write_options=SYNCHRONOUS).write("any", record=BAD, write_precision="s")
    assert of_newer.value.status == 400
    assert "line 2: field 'flow': 'oops' is no number" in str(of_newer.value.body)
    with pytest.raises(influxdb.exceptions.InfluxDBClientError, match="partial write") as of_older:
        older(server).write(BAD.splitlines(), {"db": "x", "precision": "s"}, protocol="line")
    assert of_older.value.code == 400
    assert values(server, "p4") == [(T * 1000, 1)]


@pytest.mark.parametrize(("path", "field"), [("/write", "error"), ("/api/v2/write", "message")])
def test_errors_are_told_as_each_version_does(path: str, field: str, server: Inside) -> None:
    found = server.http.post(path, content=BAD, params={"precision": "s"})
    body = found.json()
    assert found.status_code == 400
    assert body[field].startswith("partial write: line 2: ")
    assert body[field].endswith("1 values taken, dropped=2")
    assert [row["line_number"] for row in body["data"]] == [2, 3]
    assert body["data"][1]["error_message"] == "field 'flow' of twin 'p4': wrong-type"
    assert found.headers["x-influxdb-error"] == body[field]
    assert body.get("code") == (None if field == "error" else "invalid")


@pytest.mark.parametrize("path", ["/write", "/api/v2/write"])
@pytest.mark.parametrize(
    ("token", "status", "code"),
    [(None, 401, "unauthorized"), ("wrong", 401, "unauthorized"), ("viewer", 403, "forbidden")],
)
def test_who_may_not_write_is_told(
    path: str, token: str | None, status: int, code: str, server: Inside
) -> None:
    secret = server.token("viewer") if token == "viewer" else token
    with server.client(secret) as client:
        found = client.post(path, content="m f=1")
    assert found.status_code == status
    assert found.json().get("code", code) == code
    assert found.json().get("error") or found.json().get("message")


def test_a_device_writes_its_own_twin_alone(server: Inside) -> None:
    body = f"pump,twin=p5 flow=1 {T}\npump,twin=p6 flow=1 {T}"
    with server.client(server.token("device", "p5")) as client:
        found = client.post("/write", content=body, params={"precision": "s"})
    assert found.status_code == 400
    assert "line 2: twin 'p6': not-allowed" in found.json()["error"]
    assert values(server, "p5") == [(T * 1000, 1)]
    assert values(server, "p6") == []


def test_lines_without_a_twin_are_devices_that_are_discovered(server: Inside) -> None:
    body = f"cpu,host=a,cpu=cpu0 idle=97.5 {T}\ncpu,host=a,cpu=cpu1 idle=12 {T}\n"
    found = server.http.post("/write", content=body, params={"precision": "s"})
    assert found.status_code == 204, found.text
    devices = {row["id"]: row for row in server.ask("GET", "/discovered")["value"]}
    assert {"influx.cpu.cpu=cpu0.host=a", "influx.cpu.cpu=cpu1.host=a"} <= set(devices)
    assert values(server, "influx.cpu.cpu=cpu0.host=a", "idle") == [(T * 1000, 97.5)]


def test_a_binding_leads_tags_to_a_twin(server: Inside) -> None:
    binding = {
        "id": "tele",
        "topic": "influx/machine/host={twin}/+",
        "fields": {"Q": "flow", "T": {"property": "temperature", "unit": "°F"}},
        "only": True,
    }
    server.ask("PUT", "/bindings/tele", binding)
    body = f"machine,host=p7,unit=x Q=4,T=212,other=1 {T}"
    assert server.http.post("/write?precision=s", content=body).status_code == 204
    assert values(server, "p7") == [(T * 1000, 4)]
    assert values(server, "p7", "temperature") == [(T * 1000, pytest.approx(100))]


@pytest.mark.parametrize(
    ("query", "body", "status", "words"),
    [
        ("precision=d", b"m f=1", 400, "precision: 'd'"),
        ("", b"\x1f\x8bxx", 400, "gzip"),
        ("", b"", 204, ""),
        ("", b"\n# nothing\n", 204, ""),
    ],
)
def test_odd_requests(query: str, body: bytes, status: int, words: str, server: Inside) -> None:
    headers = {"content-encoding": "gzip"} if "gzip" in words else {}
    found = server.http.post(f"/write?{query}", content=body, headers=headers)
    assert (found.status_code, words in found.text) == (status, True), found.text


def test_ping_needs_no_token(server: Inside) -> None:
    with server.client() as client:
        for method in ("GET", "HEAD"):
            found = client.request(method, "/ping")
            assert found.status_code == 204
            assert found.headers["x-influxdb-version"].startswith("gemel-")


def test_a_page_of_another_site_cannot_use_a_kept_password(server: Inside) -> None:
    headers = {"origin": "https://elsewhere.example"}
    with httpx.Client(base_url=server.url, auth=("any", server.admin), trust_env=False) as client:
        assert client.post("/write", content="m f=1", headers=headers).status_code == 403
        assert client.post("/write", content="m,twin=p8 flow=1").status_code == 204


def test_what_cannot_be_stored_is_not_acknowledged(
    server: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: Any) -> None:
        raise Unavailable("the disk is full", hint="make room")

    monkeypatch.setattr(server.platform, "ingest", full)
    packed = gzip.compress(b"m f=1")
    headers = {"content-encoding": "gzip"}
    found = server.http.post("/api/v2/write", content=packed, headers=headers)
    assert (found.status_code, found.headers["retry-after"]) == (503, "5")
    assert found.json() == {"code": "unavailable", "message": "the disk is full (make room)"}
    with newer(server) as client, pytest.raises((ApiException, InfluxDBError)):
        client.write_api(write_options=SYNCHRONOUS).write("any", record="m f=1")
