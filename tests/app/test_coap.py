"""CoAP end to end: libcoap's client and aiocoap against a whole server."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import aiocoap
import cbor2
import orjson
import pytest

from app.inside import WAIT_SECONDS, Inside, inside, until
from gemel.app.coap import server_of
from gemel.app.serve import Server
from gemel.core.errors import Unavailable

T = TypeVar("T")
CLIENT = shutil.which("coap-client-notls")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    data = tmp_path_factory.mktemp("coap") / "data"
    with inside(data, coap="127.0.0.1:0", max_packet=200_000) as found:
        yield found


@pytest.fixture
def twin(server: Inside, request: pytest.FixtureRequest) -> str:
    """A pump of the test's own."""
    name = f"pump-{abs(hash(request.node.name)) % 10**9}"
    server.pumps(name)
    return name


def url(server: Inside, path: str, token: str = "") -> str:
    return f"coap://{server.addresses.coap}/{path}" + (f"?token={token}" if token else "")


def libcoap(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    assert CLIENT is not None
    return subprocess.run(
        [CLIENT, *arguments], capture_output=True, timeout=WAIT_SECONDS, check=False
    )


def values(server: Inside, twin: str) -> dict[str, Any]:
    found = server.ask("GET", f"/twins/{twin}")["properties"]
    return {one["path"]: one["value"] for one in found if one["value"] is not None}


class Client:
    """aiocoap on a loop of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self.context = self.run(aiocoap.Context.create_client_context(transports=["udp6"]))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(WAIT_SECONDS)

    def ask(self, code: Any, uri: str, payload: bytes = b"", **options: Any) -> aiocoap.Message:
        async def work() -> aiocoap.Message:
            request = aiocoap.Message(code=code, uri=uri, payload=payload, **options)
            return await self.context.request(request).response

        return self.run(work())

    def observe(self, uri: str) -> tuple[list[bytes], Callable[[], None]]:
        """What is told, as it comes; and the end of it."""
        heard: list[bytes] = []

        async def begin() -> Any:
            request = self.context.request(aiocoap.Message(code=aiocoap.GET, uri=uri, observe=0))
            heard.append((await request.response).payload)

            async def listen() -> None:
                async for answer in request.observation:
                    heard.append(answer.payload)

            return request, asyncio.ensure_future(listen())

        request, task = self.run(begin())

        async def end() -> None:
            request.observation.cancel()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        return heard, lambda: self.run(end())

    def close(self) -> None:
        self.run(self.context.shutdown())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(WAIT_SECONDS)
        self.loop.close()


@contextmanager
def client() -> Iterator[Client]:
    found = Client()
    try:
        yield found
    finally:
        found.close()


# ---- libcoap's client ------------------------------------------------------------------------


@pytest.mark.peer
def test_libcoap_sends_and_reads(server: Inside, twin: str) -> None:
    token = server.token("device", twin)
    up = url(server, f"devices/{twin}/telemetry", token)
    one = url(server, f"devices/{twin}/telemetry/temperature", token)
    assert not libcoap(
        "-m", "post", "-t", "json", "-e", '{"flow": 12.4, "mode": "auto"}', up
    ).stderr
    assert not libcoap("-m", "put", "-t", "text", "-e", "61.5", one).stderr
    assert not libcoap("-N", "-m", "post", "-e", '{"running": true}', up).stderr
    found = values(server, twin)
    assert {k: found[k] for k in ("flow", "mode", "temperature", "running")} == {
        "flow": 12.4, "mode": "auto", "temperature": 61.5, "running": True,
    }  # fmt: skip
    state = libcoap("-m", "get", url(server, f"twins/{twin}", token))
    assert orjson.loads(state.stdout)["flow"] == 12.4
    assert libcoap("-m", "get", url(server, f"twins/{twin}/flow", token)).stdout.strip() == b"12.4"


@pytest.mark.peer
@pytest.mark.parametrize("size", [64, 1024])
def test_libcoap_sends_block_by_block(server: Inside, twin: str, size: int, tmp_path: Path) -> None:
    token = server.token("device", twin)
    moments = [1_763_799_000 + n for n in range(500)]
    file = tmp_path / "columns.json"
    file.write_bytes(orjson.dumps({"time": moments, "flow": [n / 2 for n in range(500)]}))
    up = url(server, f"devices/{twin}/telemetry", token)
    done = libcoap("-m", "post", "-t", "json", "-b", str(size), "-f", str(file), up)
    assert (done.returncode, done.stderr) == (0, b"")
    history = server.ask("GET", "/history", twin=twin, property="flow", **{"from": moments[0]})
    assert history["series"][0]["value"] == [n / 2 for n in range(500)]


@pytest.mark.peer
def test_libcoap_observes_the_state(server: Inside, twin: str) -> None:
    token = server.token("device", twin)
    server.ingest(twin, flow=1.5)
    assert CLIENT is not None
    command = [CLIENT, "-s", "30", "-w", "-m", "get", url(server, f"twins/{twin}/flow", token)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == b"1.5"
        server.ingest(twin, flow=2.5)
        assert process.stdout.readline().strip() == b"2.5"
        process.terminate()


@pytest.mark.peer
def test_libcoap_is_told_why_not(server: Inside, twin: str) -> None:
    token = server.token("device", twin)
    assert (
        b"4.01"
        in libcoap("-m", "post", "-e", "{}", url(server, f"devices/{twin}/telemetry")).stderr
    )
    other = libcoap("-m", "post", "-e", "{}", url(server, "devices/other/telemetry", token))
    assert b"4.03" in other.stderr + other.stdout
    links = libcoap("-m", "get", url(server, ".well-known/core", token)).stdout.decode()
    assert f'</devices/{twin}/commands>;rt="gemel.commands"' in links


# ---- aiocoap ---------------------------------------------------------------------------------

PACK = [{"bn": "x/", "bt": 1_763_799_000, "n": "flow", "v": 7.5}, {"n": "mode", "vs": "auto"}]
LABELS = [{-2: "x/", -3: 1_763_799_000, 0: "flow", 2: 7.5}, {0: "mode", 3: "auto"}]


@pytest.mark.parametrize(
    ("form", "payload"),
    [
        (50, b'{"flow": 7.5, "mode": "auto"}'),
        (50, b'[{"flow": 7.5}, {"mode": "auto"}]'),
        (None, b'{"flow": 7.5, "mode": "auto"}'),
        (60, cbor2.dumps({"flow": 7.5, "mode": "auto"})),
        (110, orjson.dumps(PACK)),
        (112, cbor2.dumps(LABELS)),
        (
            50,
            orjson.dumps(
                {"time": [1_763_799_000] * 2, "flow": [7.0, 7.5], "mode": ["off", "auto"]}
            ),
        ),
    ],
)
def test_every_form_is_taken(server: Inside, twin: str, form: int | None, payload: bytes) -> None:
    token = server.token("device", twin)
    with client() as device:
        options = {} if form is None else {"content_format": form}
        up = url(server, f"devices/{twin}/telemetry", token)
        answer = device.ask(aiocoap.POST, up, payload, **options)
    assert answer.code == aiocoap.CHANGED, answer.payload
    found = values(server, twin)
    assert (found["flow"], found["mode"]) == (7.5, "auto")


def test_long_answers_are_read_whole(server: Inside, twin: str) -> None:
    token = server.token("device", f"{twin}-many", name="many")
    with client() as device:
        many = {f"name_{n}": n for n in range(400)}
        up = url(server, f"devices/{twin}-many/telemetry", token)
        assert device.ask(aiocoap.POST, up, orjson.dumps(many)).code == aiocoap.CHANGED
        server.ask("POST", f"/discovered/{twin}-many/adopt", {})
        found = device.ask(aiocoap.GET, url(server, f"twins/{twin}-many", token))
    assert many.items() <= orjson.loads(found.payload).items()


def test_what_is_too_long_is_refused(server: Inside, twin: str) -> None:
    token = server.token("device", twin)
    with client() as device:
        up = url(server, f"devices/{twin}/telemetry", token)
        answer = device.ask(aiocoap.POST, up, b'{"mode": "' + b"x" * 200_000 + b'"}')
    assert answer.code == aiocoap.REQUEST_ENTITY_TOO_LARGE


def test_a_command_reaches_an_observer_and_its_answer_comes_back(server: Inside, twin: str) -> None:
    token = server.token("device", twin)
    with client() as device:
        heard, end = device.observe(url(server, f"devices/{twin}/commands", token))
        assert heard == [b"[]"]
        asked = {"twin": twin, "command": "setSpeed", "arguments": 70.0, "deadline": 60}
        made = server.ask("POST", "/commands", asked)
        until(lambda: len(heard) > 1, "the command")
        assert orjson.loads(heard[1]) == [
            {"id": made["id"], "command": "setSpeed", "arguments": 70.0}
        ]
        until(lambda: server.ask("GET", f"/commands/{made['id']}")["state"] == "delivered")
        answer = device.ask(
            aiocoap.POST,
            url(server, f"devices/{twin}/responses/{made['id']}", token),
            b'{"status": "succeeded", "result": {"speed": 70}}',
        )
        assert answer.code == aiocoap.CHANGED
        found = server.ask("GET", f"/commands/{made['id']}")
        assert (found["state"], found["result"]) == ("succeeded", {"speed": 70})
        end()


def test_a_command_waits_for_its_device(server: Inside, twin: str) -> None:
    asked = {"twin": twin, "command": "stop", "deadline": 60}
    made = server.ask("POST", "/commands", asked)
    assert made["state"] == "queued"
    with client() as device:
        heard, end = device.observe(
            url(server, f"devices/{twin}/commands", server.token("device", twin))
        )
        until(lambda: len(heard) > 1, "the command")
        assert orjson.loads(heard[1])[0]["id"] == made["id"]
        end()


def test_desired_values_reach_an_observer_until_they_are_reported(
    server: Inside, twin: str
) -> None:
    token = server.token("device", twin)
    with client() as device:
        heard, end = device.observe(url(server, f"devices/{twin}/desired", token))
        assert heard == [b"{}"]
        server.ask("PATCH", f"/twins/{twin}/desired", {"target": 3.5})
        until(lambda: heard[-1] == b'{"target":3.5}', "what is desired")
        up = url(server, f"devices/{twin}/reported", token)
        assert device.ask(aiocoap.POST, up, b'{"target": 3.5}').code == aiocoap.CHANGED
        until(lambda: heard[-1] == b"{}", "that it is reported")
        end()


def test_a_token_that_is_ended_ends_what_it_began(server: Inside, twin: str) -> None:
    token = server.token("device", twin)
    with client() as device:
        up = url(server, f"devices/{twin}/telemetry", token)
        assert device.ask(aiocoap.POST, up, b'{"flow": 1}').code == aiocoap.CHANGED
        (found,) = [t for t in server.ask("GET", "/tokens")["value"] if t["name"] == twin]
        server.ask("DELETE", f"/tokens/{found['id']}")
        until(lambda: device.ask(aiocoap.POST, up, b'{"flow": 2}').code == aiocoap.UNAUTHORIZED)


def test_people_see_what_their_role_allows(server: Inside, twin: str) -> None:
    server.ingest(twin, flow=3.5)
    with client() as reader:
        path = f"twins/{twin}/flow"
        viewer, device = server.token("viewer"), server.token("device", "another")
        assert reader.ask(aiocoap.GET, url(server, path, viewer)).payload == b"3.5"
        assert reader.ask(aiocoap.GET, url(server, path, device)).code == aiocoap.FORBIDDEN
        up = url(server, f"devices/{twin}/telemetry", viewer)
        assert reader.ask(aiocoap.POST, up, b"{}").code == aiocoap.FORBIDDEN


def test_policies_narrow_what_is_read(server: Inside, twin: str) -> None:
    server.ingest(twin, flow=3.5, mode="auto")
    policy = {"who": {"names": ["carl"]}, "actions": ["read"], "twins": [twin]}
    server.ask("PUT", "/policies/flow-only", {**policy, "properties": ["flow"]})
    hidden = {"who": {"names": ["blind"]}, "actions": ["read"], "twins": [twin]}
    server.ask("PUT", "/policies/blind", {**hidden, "effect": "forbid"})
    with client() as reader:
        carl = server.token("viewer", name="carl")
        found = reader.ask(aiocoap.GET, url(server, f"twins/{twin}", carl))
        assert orjson.loads(found.payload) == {"flow": 3.5}
        one = reader.ask(aiocoap.GET, url(server, f"twins/{twin}/mode", carl))
        assert one.code == aiocoap.NOT_FOUND
        commands = reader.ask(aiocoap.GET, url(server, f"devices/{twin}/commands", carl))
        assert commands.code == aiocoap.FORBIDDEN
        for token in (
            server.token("viewer", name="blind"),
            server.token("device", twin, name="blind"),
        ):
            answer = reader.ask(aiocoap.GET, url(server, f"twins/{twin}", token))
            assert answer.code == aiocoap.NOT_FOUND
    for name in ("flow-only", "blind"):
        server.ask("DELETE", f"/policies/{name}")


def test_a_taken_port_is_told_or_passed_over(
    server: Inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = server.addresses.coap
    host, port = taken.split(":")
    with pytest.raises(Unavailable, match=r"cannot listen for CoAP.*already in use"):
        server.run(server_of(server.platform).start(host, int(port)))
    monkeypatch.setattr("app.inside.Server", partial(Server, find_free=True))
    with inside(tmp_path / "passed", coap=taken) as other:
        assert int(port) < int(other.addresses.coap.split(":")[1]) <= int(port) + 50
        assert any("CoAP port" in note for note in other.addresses.notes)


def test_its_figures_are_shown(server: Inside, twin: str) -> None:
    status = server.ask("GET", "/status")["coap"]
    assert status["received_messages"] >= 0
    assert "gemel_coap_received_messages_total" in server.http.get("/metrics").text
    assert server.ask("GET", "/installation")["addresses"]["coap"] == server.addresses.coap


def test_what_waits_is_answered_late_and_what_is_too_much_is_sent_back(tmp_path: Path) -> None:
    with (
        inside(tmp_path / "data", coap="127.0.0.1:0", max_behind=1.0) as server,
        client() as device,
    ):
        server.pumps("pump-1")
        up = url(server, "devices/pump-1/telemetry", server.token("device", "pump-1"))
        append = server.platform.history.append
        held: list[Callable[[], None]] = []

        def hold(*arguments: Any) -> None:
            held.append(partial(append, *arguments))

        server.platform.history.append = hold  # type: ignore[method-assign]
        message = aiocoap.Message(code=aiocoap.POST, uri=up, payload=b'{"flow": 1}')

        async def begin() -> Any:
            return device.context.request(message).response

        waiting = device.run(begin())
        until(lambda: held, "the first")
        coap = server.server._coap
        assert coap is not None
        until(lambda: coap.responder._is_behind, "too much")
        refused = device.ask(aiocoap.POST, up, b'{"flow": 2}')
        assert (refused.code, refused.opt.max_age) == (aiocoap.SERVICE_UNAVAILABLE, 5)
        server.platform.history.append = append  # type: ignore[method-assign]
        server.call(lambda: [call() for call in held])

        async def end() -> aiocoap.Message:
            return await waiting

        assert device.run(end()).code == aiocoap.CHANGED
        assert values(server, "pump-1")["flow"] == 1.0
