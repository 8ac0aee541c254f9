"""The live stream as a page sees it, over a real WebSocket."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from app.inside import PUMP, WAIT_SECONDS, Inside, inside, until
from gemel.live.hub import EVENT_LIMIT, HEADER, ROW

T = 1_700_000_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("live") / "data") as found:
        found.pumps("pump-1", "pump-2", "pump-3", "pump-4")
        found.ask("PUT", "/rules/hot", {"model": PUMP, "when": "temperature > 80"})
        yield found


class Page:
    """A watcher that keeps what it hears, by kind."""

    def __init__(self, server: Inside, role: str = "viewer") -> None:
        headers = {"Authorization": f"Bearer {server.token(role)}"}
        address = server.url.replace("http", "ws") + "/live"
        self.opening = connect(address, additional_headers=headers, proxy=None)
        self.socket: ClientConnection = self.opening.__enter__()
        self.heard: list[dict[str, Any]] = []
        self.values: list[tuple[int, int, int, float]] = []
        self.frames: list[int] = []

    def say(self, body: Any) -> None:
        self.socket.send(body if isinstance(body, str | bytes) else orjson.dumps(body).decode())

    def hear(self) -> dict[str, Any]:
        message = self.socket.recv(WAIT_SECONDS)
        if isinstance(message, str):
            found = orjson.loads(message)
            self.heard.append(found)
            return found
        head = np.frombuffer(message[:12], HEADER)[0]
        rows = np.frombuffer(message[12:], ROW)
        self.frames.append(len(rows))
        self.values += [
            (
                int(r["series"]),
                int(head["base"]) + int(r["after"]),
                int(r["quality"]),
                float(r["value"]),
            )
            for r in rows
        ]
        return {"type": "values"}

    def hear_all(self) -> None:
        while True:
            self.hear()

    def until(self, kind: str, **fields: Any) -> dict[str, Any]:
        while True:
            found = self.hear()
            if found["type"] == kind and all(found.get(k) == v for k, v in fields.items()):
                return found

    def told(self, kind: str, **fields: Any) -> dict[str, Any]:
        """What such a message tells of, once it is so: states between may be told too."""
        while True:
            found: dict[str, Any] = self.until(kind)[kind]
            if all(found.get(k) == v for k, v in fields.items()):
                return found

    def ever(self, kind: str, **fields: Any) -> dict[str, Any]:
        """The first such message there was, also before the last that was waited for."""
        for found in self.heard:
            if found["type"] == kind and all(found.get(k) == v for k, v in fields.items()):
                return found
        return self.until(kind, **fields)

    def subscribe(self, **what: Any) -> dict[tuple[str, str], int]:
        self.say({"type": "subscribe", **what})
        return {(t, p): n for n, t, p in self.until("series")["series"]}

    def __enter__(self) -> Page:
        return self

    def __exit__(self, *_: object) -> None:
        self.opening.__exit__(None, None, None)


def test_it_begins_with_hello_and_the_status(server: Inside) -> None:
    with Page(server) as page:
        hello = page.hear()
        assert (hello["type"], set(hello)) == ("hello", {"type", "version", "time"})
        assert page.hear()["status"]["twins"] == 4
        assert page.until("status")["status"]["twins"] == 4  # and again once a second


def test_a_snapshot_then_changes_equal_what_was_ingested(server: Inside) -> None:
    rows = {"flow": (T, 12.5), "temperature": (T + 100, -3.25), "bearing.temperature": (T + 200, 7)}
    for path, (time, value) in rows.items():
        server.ask("POST", "/ingest/pump-1", {path: value, "time": time * 1000 + 123})
    with Page(server) as page:
        series = page.subscribe(twins=["pump-1"])
        assert {twin for twin, _ in series} == {"pump-1"}
        while len(page.values) < 3:
            page.hear()
        assert sorted(page.values) == sorted(
            (series["pump-1", path], time * 1000 + 123, 0, value)
            for path, (time, value) in rows.items()
        )
        assert len(page.frames) == 3, "more than 65 s apart"
        page.values.clear()
        server.ingest("pump-2", flow=1)
        server.ask("POST", "/ingest/pump-1", {"flow": 2e10, "time": (T + 300) * 1000 + 999})
        page.until("values")
        assert page.values == [(series["pump-1", "flow"], (T + 300) * 1000 + 999, 0, 2e10)]


def test_what_is_derived_stands_where_no_device_has_sent_it(server: Inside) -> None:
    row = {"twin": "pump-2", "time": T * 1000, "temperature": 7.5, "target": 3.0}
    server.ask("POST", "/ingest", [row], provenance="derived")
    server.ask("POST", "/ingest", [{**row, "flow": 9.0}], provenance="predicted")
    with Page(server) as page:
        page.subscribe(twins=["pump-2"])
        names = {n: path for n, _, path in page.heard[-1]["series"]}
        while len(page.values) < 2:
            page.hear()
        shown = {names[n]: value for n, _, _, value in page.values}
        assert (shown["temperature"], shown["target"]) == (7.5, 3.0)
        server.ask("POST", "/ingest/pump-2", {"temperature": 20.0, "time": T + 1})
        later = {**row, "time": (T + 2) * 1000, "temperature": 8.0, "target": 4.0}
        server.ask("POST", "/ingest", [later], provenance="derived")
        while 4.0 not in [value for *_, value in page.values]:
            page.hear()
        assert 20.0 in [value for *_, value in page.values]
        assert 8.0 not in [value for *_, value in page.values]


def test_subscribing_again_replaces_and_all_is_all(server: Inside) -> None:
    with Page(server) as page:
        assert {t for t, _ in page.subscribe(twins=["pump-1"])} == {"pump-1"}
        assert {t for t, _ in page.subscribe(twins=["pump-2", "none"])} == {"pump-2"}
        assert {t for t, _ in page.subscribe(all=True)} >= {"pump-1", "pump-2", "pump-3"}
        assert page.subscribe(twins=[]) == {}


def test_texts_and_booleans(server: Inside) -> None:
    with Page(server) as page:
        series = page.subscribe(twins=["pump-3"])
        server.ask("POST", "/ingest/pump-3", {"mode": 'a"ö', "running": True, "time": T})
        found = page.until("text")
        assert found["values"] == [[series["pump-3", "mode"], '"a\\"ö"', T * 1000]]
        page.until("values")
        assert page.values == [(series["pump-3", "running"], T * 1000, 0, 1.0)]


def test_a_series_that_comes_later_is_named_before_its_values(server: Inside) -> None:
    with Page(server) as page:
        page.subscribe(all=True)
        server.ingest("new-device", level=4)
        found = page.until("series")["series"]
        assert [row[1:] for row in found] == [["new-device", "level"]]
        while not any(row[0] == found[0][0] for row in page.values):
            page.hear()


def test_alarms_commands_twins_and_the_graph_are_told(server: Inside) -> None:
    with Page(server) as page:
        page.until("hello")
        server.ingest("pump-4", temperature=99)
        alarm = page.told("alarm", twin="pump-4", state="unacknowledged")
        page.ever("twin", id="pump-4", status="live")
        server.ask("POST", f"/alarms/{alarm['id']}/acknowledge")
        page.told("alarm", id=alarm["id"], state="acknowledged")
        server.ingest("pump-4", temperature=9)
        page.told("alarm", id=alarm["id"], state="normal")
        made = server.ask("POST", "/commands", {"twin": "pump-4", "command": "stop"})
        assert page.told("command", id=made["id"], state=made["state"]) == made
        server.ask("PATCH", "/twins/pump-4/desired", {"target": 1})
        page.until("graph")


@pytest.mark.parametrize(
    "request_",
    [
        "",
        "{",
        "5",
        "[]",
        "null",
        '{"type": 5}',
        '{"type": "dance"}',
        b"\x00\xff",
        b'{"type":"ping"}',
    ],
)
def test_what_is_not_understood_is_answered(request_: str | bytes, server: Inside) -> None:
    with Page(server) as page:
        page.say(request_)
        assert "not understood" in page.until("error")["message"]
        page.say({"type": "ping", "id": [1]})
        assert page.until("pong")["id"] == [1]


@pytest.mark.parametrize("twins", ["pump-1", [1], {"a": 1}, None])
def test_a_subscription_to_nothing_sensible_is_answered(twins: Any, server: Inside) -> None:
    with Page(server) as page:
        page.say({"type": "subscribe", "twins": twins})
        assert "list of ids" in page.until("error")["message"]


def test_a_message_that_is_too_large_ends_it(server: Inside) -> None:
    with Page(server) as page:
        page.say("x" * 1_100_000)
        with pytest.raises(ConnectionClosed) as caught:
            page.hear_all()
        assert caught.value.rcvd.code == 1009


def test_one_that_does_not_read_is_bounded_and_holds_nobody_up(server: Inside) -> None:
    big = "x" * 20_000
    with Page(server) as slow, Page(server) as quick:
        quick.until("hello")
        slow.until("hello")
        watchers = until(
            lambda: len(server.platform.hub.watchers) == 2 and server.platform.hub.watchers
        )
        for number in range(EVENT_LIMIT + 1_200):
            server.call(server.platform.hub.event, {"type": "test", "n": number, "big": big})
            quick.until("test", n=number) if number % 50 == 0 else None
        held = max(len(watcher.events) for watcher in watchers)
        assert held <= EVENT_LIMIT
        with pytest.raises(ConnectionClosed) as caught:
            slow.hear_all()
        assert caught.value.rcvd.code == 1013
        until(lambda: len(server.platform.hub.watchers) == 1)
        server.call(server.platform.hub.event, {"type": "last"})
        quick.until("last")


def test_those_who_leave_are_forgotten(server: Inside) -> None:
    pages = [Page(server) for _ in range(20)]
    until(lambda: len(server.platform.hub.watchers) == 20)
    for page in pages:
        page.__exit__()
    until(lambda: not server.platform.hub.watchers)
    gone = Page(server)
    until(lambda: server.platform.hub.watchers)
    gone.socket.socket.close()  # no goodbye
    until(lambda: not server.platform.hub.watchers)
