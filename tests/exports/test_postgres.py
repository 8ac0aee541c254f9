"""PostgreSQL takes what is exported: held against Debian's PostgreSQL."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import psycopg
import pytest
from bench.against.servers import Postgres

from exports.databases import started, url
from exports.naming import names
from gemel.core.batch import Batch, make_batch
from gemel.core.errors import Unavailable
from gemel.core.series import SeriesKey
from gemel.exports.postgres import PostgresTarget
from gemel.exports.settings import PostgresExport
from gemel.exports.target import Delivery

pytestmark = pytest.mark.peer
T0 = 1_700_000_000_000_000_000
KEYS = (
    SeriesKey("pump-1", "flow"),
    SeriesKey("pump-1", "mode"),
    SeriesKey("pömp\t2", "flow", "derived"),
)


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with started(Postgres) as server:
        yield server


@pytest.fixture
def session(postgres: Postgres) -> Iterator[Any]:
    with psycopg.connect(postgres.address, autocommit=True) as found:
        found.execute("DROP SCHEMA IF EXISTS plant CASCADE")
        found.execute("CREATE SCHEMA plant")
        yield found


def target(server: Postgres, **more: object) -> PostgresTarget:
    of = PostgresExport(postgres=url(server), table="plant.readings", **more)  # type: ignore[arg-type]
    return PostgresTarget(of, names(*KEYS))


def batch(*rows: tuple[int, int, object, int]) -> Batch:
    text = {i: v for i, (_, _, v, _) in enumerate(rows) if isinstance(v, str)}
    numbers = [(s, t, math.nan if isinstance(v, str) else v, q) for s, t, v, q in rows]
    return make_batch(numbers, 0, text)  # type: ignore[arg-type]


def table(session: Any) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = session.execute(
        "SELECT (extract(epoch FROM time) * 1000000)::bigint - 1700000000000000, twin, property, "
        "provenance, value, text, quality FROM plant.readings ORDER BY 1, 2, 3"
    ).fetchall()
    return found


def test_the_table_is_made_and_every_reading_is_there_once(
    postgres: Postgres, session: Any
) -> None:
    sent = batch(
        (0, T0, 12.4, 0), (1, T0, '"run"', 0), (2, T0 + 1_000, 1e-300, 65),
        (0, T0 + 2_000, -3.0, 130), (1, T0 + 3_000, '{"a": 1}', 0), (0, T0 + 4_000, math.nan, 128),
    )  # fmt: skip
    for _ in range(2):
        to = target(postgres)
        assert to.write(sent) == []
        assert to.write(sent) == []
        to.close()
    assert table(session) == [
        (0, "pump-1", "flow", "measured", 12.4, None, 0),
        (0, "pump-1", "mode", "measured", None, "run", 0),
        (1, "pömp\t2", "flow", "derived", 1e-300, None, 65),
        (2, "pump-1", "flow", "measured", -3.0, None, 130),
        (3, "pump-1", "mode", "measured", None, '{"a": 1}', 0),
        (4, "pump-1", "flow", "measured", None, None, 128),
    ]


def test_a_later_value_of_the_same_time_takes_the_place_of_the_earlier(
    postgres: Postgres, session: Any
) -> None:
    to = target(postgres)
    to.write(batch((0, T0, 1.0, 0), (0, T0, 2.0, 0)))
    assert [row[4] for row in table(session)] == [2.0]
    to.write(batch((0, T0, 3.0, 64)))
    assert [(row[4], row[6]) for row in table(session)] == [(3.0, 64)]
    to.close()


def test_a_large_batch_is_exact(postgres: Postgres, session: Any) -> None:
    rng = np.random.default_rng(7)
    time = T0 + np.arange(50_000) * 1_000
    value = rng.normal(size=50_000)
    sent = Batch(np.zeros(50_000, np.int32), time, value, np.zeros(50_000, np.uint8), 0)
    to = target(postgres)
    to.write(sent)
    to.close()
    assert [row[4] for row in table(session)] == value.tolist()


def test_a_table_of_another_shape_is_told(postgres: Postgres, session: Any) -> None:
    session.execute("CREATE TABLE plant.readings (time timestamp, twin text)")
    for call in (lambda to: to.check(), lambda to: Delivery(to).write(batch((0, T0, 1.0, 0)))):
        with pytest.raises(Unavailable, match="column time is timestamp without time zone, not"):
            call(target(postgres))


def test_a_table_without_the_key_is_told_with_the_statement_that_mends_it(
    postgres: Postgres, session: Any
) -> None:
    to = target(postgres)
    to.write(batch((0, T0, 1.0, 0)))
    to.close()
    session.execute("ALTER TABLE plant.readings DROP CONSTRAINT readings_pkey")
    with pytest.raises(Unavailable, match="no unique key") as caught:
        target(postgres).write(batch((0, T0, 1.0, 0)))
    session.execute(caught.value.hint)
    assert target(postgres).write(batch((0, T0, 1.0, 0))) == []
    assert len(table(session)) == 1


def test_a_table_of_the_users_own_with_more_columns_is_taken(
    postgres: Postgres, session: Any
) -> None:
    session.execute(
        "CREATE TABLE plant.readings (id bigserial, time timestamptz, twin text, property text, "
        "provenance text, value float8, text text, quality int2, note text DEFAULT 'x', "
        "UNIQUE (time, twin, property, provenance))"
    )
    to = target(postgres)
    assert to.write(batch((0, T0, 1.0, 0))) == []
    to.close()
    assert len(table(session)) == 1


def test_a_connection_that_broke_is_made_anew(postgres: Postgres, session: Any) -> None:
    to = target(postgres)
    to.write(batch((0, T0, 1.0, 0)))
    session.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'gemel'"
    )
    with pytest.raises(Unavailable):
        to.write(batch((0, T0 + 1_000, 2.0, 0)))
    assert to.write(batch((0, T0 + 1_000, 2.0, 0))) == []
    to.close()
    assert [row[4] for row in table(session)] == [1.0, 2.0]


def test_who_may_not_write_is_told(postgres: Postgres, session: Any) -> None:
    session.execute("DROP ROLE IF EXISTS guest")
    session.execute("CREATE ROLE guest LOGIN")
    of = PostgresExport(postgres=url(postgres, "guest"), table="plant.readings")
    with pytest.raises(Unavailable, match="permission denied") as caught:
        PostgresTarget(of, names(*KEYS)).write(batch((0, T0, 1.0, 0)))
    assert "CREATE" in caught.value.hint


def test_a_database_that_is_not_there_is_told(postgres: Postgres) -> None:
    of = PostgresExport(postgres=url(postgres).replace("/postgres", "/nowhere"))
    with pytest.raises(Unavailable, match='database "nowhere" does not exist'):
        PostgresTarget(of, names(*KEYS)).write(batch((0, T0, 1.0, 0)))
