"""Log-ins that were refused are in the audit log, over HTTP and MQTT, and never fill it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from app.inside import inside, until
from gemel.app.refusals import EVERY, MOST_NAMED, OTHERS, Refusals
from gemel.core.clock import SECOND
from gemel.core.document import Edit


class Written:
    """As much of a platform as is needed to write lines."""

    def __init__(self) -> None:
        self.now = 1_000 * SECOND
        self.lines: list[Edit] = []

    def clock(self) -> int:
        return self.now

    def start_task(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run(work)

    async def edit(self, plan: Any, who: str, why: str) -> None:
        self.lines += plan(None, None)[0]


def test_a_flood_of_them_is_one_line_a_minute() -> None:
    written: Any = Written()
    refusals = Refusals(written)
    refusals.add("http", "10.0.0.1")
    refusals.tick(written.now)
    for number in range(10 * MOST_NAMED):
        written.now += SECOND // 10
        refusals.add("http", f"10.0.1.{number}")
        refusals.tick(written.now)
    assert [line.doc["count"] for line in written.lines] == [1]
    written.now += EVERY
    refusals.tick(written.now)
    refusals.tick(written.now)
    last = written.lines[-1].doc
    assert len(written.lines) == 2
    assert last["count"] == 10 * MOST_NAMED == sum(last["sources"].values())
    assert len(last["sources"]) == MOST_NAMED + 1
    assert last["sources"][OTHERS] == 9 * MOST_NAMED


def test_what_waits_is_written_at_the_end() -> None:
    written: Any = Written()
    refusals = Refusals(written)
    asyncio.run(refusals.close())
    refusals.add("mqtt", "x" * 1_000)
    asyncio.run(refusals.close())
    (line,) = written.lines
    assert (line.kind, line.key, line.who) == ("refusal", "mqtt", "nobody")
    assert list(line.doc["sources"]) == ["x" * 100]


def test_they_are_in_the_audit_log_of_a_server(tmp_path: Path) -> None:
    with inside(tmp_path) as server:
        assert server.http.get("/status", headers={"authorization": "Bearer no"}).status_code == 401
        server.http.get("/login?ticket=gml_wrong")

        def lines() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = server.ask("GET", "/audit?kind=refusal&docs=true")[
                "value"
            ]
            return found

        until(lambda: bool(lines()))
        assert lines()[0]["who"] == "nobody"
        assert lines()[0]["doc"]["face"] == "http"
