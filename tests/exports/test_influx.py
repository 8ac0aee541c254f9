"""InfluxDB takes what is exported: held against Debian's InfluxDB 1.6."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
from bench.against.servers import Influx

from exports.databases import asked, started
from exports.naming import names
from gemel.core.batch import Batch, make_batch
from gemel.core.errors import Unavailable
from gemel.core.series import SeriesKey
from gemel.exports.influx import InfluxTarget
from gemel.exports.settings import InfluxExport
from gemel.exports.target import Delivery

pytestmark = pytest.mark.peer
T0 = 1_700_000_000_000_000_000
KEYS = (
    SeriesKey("pump-1", "flow"),
    SeriesKey("pump-1", "mode"),
    SeriesKey("a, b=c", "x y"),
    SeriesKey("pump-2", "mode"),
    SeriesKey("pump-1", "speed"),
)


@pytest.fixture(scope="module")
def influx() -> Iterator[Influx]:
    with started(Influx) as server:
        yield server


@pytest.fixture
def database(influx: Influx, request: pytest.FixtureRequest) -> str:
    name = "d" + str(abs(hash(request.node.name)))
    influx.ask(f"/query?q=CREATE+DATABASE+{name}", b"")
    return name


def target(server: Influx, database: str, **more: object) -> InfluxTarget:
    url = f"http://127.0.0.1:{server.port}"
    return InfluxTarget(InfluxExport(influx=url, database=database, **more), names(*KEYS))  # type: ignore[arg-type]


def batch(*rows: tuple[int, int, object, int]) -> Batch:
    text = {i: v for i, (_, _, v, _) in enumerate(rows) if isinstance(v, str)}
    numbers = [(s, t, math.nan if isinstance(v, str) else v, q) for s, t, v, q in rows]
    return make_batch(numbers, 0, text)  # type: ignore[arg-type]


@pytest.mark.parametrize("gzip", [False, True])
def test_every_reading_is_there_once_however_often_it_is_sent(
    influx: Influx, database: str, gzip: bool
) -> None:
    to = target(influx, database, gzip=gzip)
    sent = batch(
        (0, T0, 12.4, 0), (1, T0, '"run \\"1\\""', 0), (2, T0 + 1, 1e-7, 0), (0, T0 + 2, -3.0, 65)
    )
    for _ in range(2):
        assert to.write(sent) == []
    to.close()
    rows = asked(influx, 'SELECT * FROM "readings" GROUP BY *', database)
    told = {
        (one["twin"], one["quality"], one["time"], name, one[name])
        for one in rows
        for name in ("flow", "mode", "x y")
        if one[name] is not None
    }
    assert told == {
        ("pump-1", "", T0, "flow", 12.4),
        ("pump-1", "", T0, "mode", 'run "1"'),
        ("a, b=c", "", T0 + 1, "x y", 1e-7),
        ("pump-1", "clock-suspect", T0 + 2, "flow", -3.0),
    }


def test_a_field_of_another_type_is_refused_by_name_and_the_rest_is_taken(
    influx: Influx, database: str
) -> None:
    to = target(influx, database)
    assert to.write(batch((1, T0, '"run"', 0))) == []
    for turn in (1, 2):  # found out, then known
        mixed = [
            (0, T0 + turn, 1.0, 0),
            (1, T0 + turn, 7.0, 0),
            (3, T0 + turn, '"a"', 0),
            (4, T0 + turn, 2.0, 0),
        ]
        [refused] = to.write(batch(*mixed))
        assert refused.readings == 1
        assert refused.why.startswith("pump-1 mode: ")
        assert "already exists as type string" in refused.why
    to.close()
    rows = asked(influx, 'SELECT * FROM "readings" GROUP BY *', database)
    assert sorted((r["twin"], r["time"] - T0, r["flow"], r["mode"], r["speed"]) for r in rows) == [
        ("pump-1", 0, None, "run", None),
        ("pump-1", 1, 1.0, None, 2.0),
        ("pump-1", 2, 1.0, None, 2.0),
        ("pump-2", 1, None, "a", None),
        ("pump-2", 2, None, "a", None),
    ]


def test_a_missing_database_holds_all_back(influx: Influx) -> None:
    with pytest.raises(Unavailable, match="database not found") as caught:
        Delivery(target(influx, "nowhere")).write(batch((0, T0, 1.0, 0)))
    assert "make it" in caught.value.hint
    with pytest.raises(Unavailable, match="database not found"):
        target(influx, "nowhere").check()
    target(influx, "load").check()


def test_a_wrong_password_holds_all_back() -> None:
    class Guarded(Influx):
        def ask(self, path: str, body: bytes | None = None) -> bytes:
            if "CREATE+DATABASE" in path:
                super().ask("/query?q=CREATE+USER+root+WITH+PASSWORD+'pw'+WITH+ALL+PRIVILEGES", b"")
                path += "&u=root&p=pw"
            return super().ask(path, body)

    with started(Guarded, http="auth-enabled = true") as server:
        wrong = Delivery(target(server, "load", username="root", password="no"))
        with pytest.raises(Unavailable, match="401") as caught:
            wrong.write(batch((0, T0, 1.0, 0)))
        assert "password" in caught.value.hint
        with pytest.raises(Unavailable, match="401"):
            target(server, "load", username="root", password="no").check()
        right = target(server, "load", username="root", password="pw")
        assert right.write(batch((0, T0, 1.0, 0))) == []
        right.close()
        [row] = asked(server, 'SELECT * FROM "readings"', u="root", p="pw")
        assert row["flow"] == 1.0


def test_nobody_there_is_told_and_a_server_that_comes_back_is_found(influx: Influx) -> None:
    to = InfluxTarget(InfluxExport(influx="http://127.0.0.1:1", database="x"), names(*KEYS))
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1 cannot be reached"):
        to.write(batch((0, T0, 1.0, 0)))
