"""`gemel bench load` against real servers, and `gemel bench verify` against what they kept."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest

from gemel.connect.mqtt.codec import Decoder, encode
from gemel.connect.mqtt.packets import ConnAck, Connect
from gemel.load.frames import Frames
from gemel.load.generator import Generator, Pace, Tally
from gemel.load.link import Server
from gemel.load.plan import Plan
from running import Running

NUMBERS = itertools.count()


def bench(*words: object, code: int = 0) -> dict[str, Any]:
    command = [sys.executable, "-m", "gemel", "bench", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout) if done.stdout else {"error": done.stderr}


def at(server: Running, prefix: str = "load-") -> list[str]:
    address = f"{server.mqtt_host}:{server.mqtt_port}"
    return ["--mqtt", address, "--token", server.token, "--prefix", prefix]


def verify(server: Running, ledger: Path, code: int = 0) -> dict[str, Any]:
    return bench(
        "verify", "--ledger", ledger, "--url", server.url, "--token", server.token, "--json",
        code=code,
    )  # fmt: skip


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("load") / "data") as running:
        yield running


@pytest.fixture
def prefix(shared_server: Running) -> str:
    """Of devices that no other test sends for."""
    name = f"load{next(NUMBERS)}-"
    plant = bench("plant", "--devices", 5, "--readings", 3, "--no-rules", "--prefix", name)
    shared_server.call("POST", "/plant", plant)
    return name


def test_a_load_is_taken_whole_and_verified(
    shared_server: Running, prefix: str, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger"
    found = bench(
        "load", *at(shared_server, prefix), "--devices", 5, "--connections", 2,
        "--readings", 3, "--count", 500, "--window", 70, "--ledger", ledger, "--json",
    )  # fmt: skip
    assert found["messages"] == found["acknowledged"] == 1_000
    assert found["readings"] == 3_000
    assert found["problem"] == ""
    assert 0 < found["p50_ms"] <= found["p99_ms"]
    verdict = verify(shared_server, ledger)
    assert verdict["acknowledged"] == verdict["found"] == 3_000
    assert (verdict["lost"], verdict["doubled"], verdict["wrong"]) == (0, 0, 0)
    assert verdict["unacknowledged"] == 0


def test_what_is_lost_or_wrong_is_found(
    shared_server: Running, prefix: str, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger"
    bench(
        "load", *at(shared_server, prefix), "--devices", 1, "--readings", 3, "--count", 50,
        "--ledger", ledger, "--json",
    )  # fmt: skip
    head = json.loads(ledger.read_bytes().split(b"\n")[0])
    false_time = (head["start"] + 3 * head["step"]) / 1_000
    shared_server.call("POST", f"/ingest/{prefix}00000", {"time": false_time, "s01": 1.25})
    with ledger.open("a") as file:
        file.write("0 50 4\n")
    verdict = verify(shared_server, ledger, code=1)
    assert verdict["lost"] == 4 * 3
    assert verdict["wrong"] == 1
    assert any(f"{prefix}00000.s01 is wrong at" in example for example in verdict["examples"])


def test_the_ledger_of_a_killed_generator_holds(
    shared_server: Running, prefix: str, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger"
    command = [
        sys.executable,
        "-m",
        "gemel",
        "bench",
        "load",
        *at(shared_server),
        "--prefix",
        prefix,
        "--devices",
        "5",
    ]
    command += ["--readings", "3", "--ledger", str(ledger), "--window", "50"]
    process = subprocess.Popen(command)
    try:
        deadline = time.monotonic() + 60
        while not ledger.exists() or ledger.read_bytes().count(b"\n") < 8:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()
    verdict = verify(shared_server, ledger)
    assert verdict["acknowledged"] > 0
    assert (verdict["lost"], verdict["doubled"], verdict["wrong"]) == (0, 0, 0)


def test_a_server_that_is_killed_gets_again_what_it_did_not_acknowledge(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Running(tmp_path / "data", "--mqtt", f"127.0.0.1:{port}").start()
    try:
        server.call("POST", "/plant", bench("plant", "--devices", 5, "--readings", 3))
        ledger = tmp_path / "ledger"
        command = [sys.executable, "-m", "gemel", "bench", "load", *at(server), "--devices", "5"]
        command += ["--readings", "3", "--ledger", str(ledger), "--window", "200", "--json"]
        command += ["--reconnect", "30", "--rate", "30000"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        for lines in (6, 12):
            deadline = time.monotonic() + 60
            while not ledger.exists() or ledger.read_bytes().count(b"\n") < lines:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.01)
            if lines == 6:
                server.kill()
                server.start()
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=120)
        found = json.loads(out)
        assert found["problem"] == ""
        assert found["lost_connections"] == 5
        verdict = verify(server, ledger)
        assert (verdict["lost"], verdict["doubled"], verdict["wrong"]) == (0, 0, 0)
        assert verdict["acknowledged"] == found["readings"]
    finally:
        server.stop()


def test_a_steady_rate_is_kept_in_count_and_time(
    shared_server: Running, prefix: str, tmp_path: Path
) -> None:
    before = time.time_ns() / 1e9
    found = bench(
        "load", *at(shared_server, prefix), "--devices", 5, "--readings", 3,
        "--rate", 1_500, "--seconds", 1, "--one-a-packet", "--json",
        "--ledger", tmp_path / "ledger",
    )  # fmt: skip
    assert 0 < found["messages"] <= 501
    assert found["acknowledged"] == found["messages"]
    head = json.loads((tmp_path / "ledger").read_bytes().split(b"\n")[0])
    assert (head["step"], head["phase"]) == (10_000, 2_000)
    assert before <= head["start"] / 1e6 <= time.time_ns() / 1e9


def test_without_quality_of_service_all_arrives_too(shared_server: Running, prefix: str) -> None:
    found = bench(
        "load",
        *at(shared_server),
        "--prefix",
        prefix,
        "--devices",
        5,
        "--readings",
        3,
        "--count",
        200,
        "--qos",
        0,
        "--json",
    )
    assert (found["messages"], found["acknowledged"], found["p50_ms"]) == (1_000, 0, None)
    deadline = time.monotonic() + 60
    while _stored(shared_server, prefix) < 3_000:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _stored(server: Running, prefix: str) -> int:
    names = ",".join(f"{prefix}{i:05d}" for i in range(5))
    found = server.call(
        "GET", "/history", twin=names, property="s00,s01,s02", **{"from": "-7d", "limit": 1_000}
    )
    return sum(len(one["time"]) for one in found["series"])


def test_wrong_tokens_and_dead_servers_are_said(shared_server: Running) -> None:
    address = f"{shared_server.mqtt_host}:{shared_server.mqtt_port}"
    found = bench("load", "--mqtt", address, "--token", "wrong", "--count", 1, code=1)
    assert "refused the connection" in found["error"]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    found = bench("load", "--mqtt", f"127.0.0.1:{port}", "--count", 1, code=1)
    assert "no MQTT connection" in found["error"]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = tmp_path / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    path = os.environ["PATH"] + ":/usr/sbin"
    process = subprocess.Popen(
        ["mosquitto", "-c", str(config)],
        env={**os.environ, "PATH": path},
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait(60)


@pytest.mark.peer
def test_any_broker_takes_the_load(broker: int, tmp_path: Path) -> None:
    got: list[bytes] = []
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.on_message = lambda _, __, message: got.append(message.payload)
    subscribed: list[int] = []
    client.on_subscribe = lambda *_: subscribed.append(1)
    client.connect("127.0.0.1", broker)
    client.subscribe("plant/#", 1)
    while not subscribed:
        client.loop(1)
    found = bench(
        "load", "--mqtt", f"127.0.0.1:{broker}", "--topic", "plant/{device}/up", "--devices", 3,
        "--count", 20, "--window", 10, "--json",
    )  # fmt: skip
    assert found["acknowledged"] == 60
    deadline = time.monotonic() + 60
    while len(got) < 60 and time.monotonic() < deadline:
        client.loop(0.5)
    client.disconnect()
    assert len(set(got)) == 60
    assert all(json.loads(payload)["s00"] > 0 for payload in got)


def test_processes_share_a_load_out(shared_server: Running, prefix: str, tmp_path: Path) -> None:
    words = ["load", *at(shared_server, prefix), "--devices", 5, "--readings", 3, "--json"]
    found = bench(*words, "--count", 40, "--window", 7, "--processes", 2)
    assert found["messages"] == found["acknowledged"] == 200
    assert found["problem"] == ""
    for device in range(5):
        answer = shared_server.call(
            "GET", "/history", twin=f"{prefix}{device:05d}", property="s00", **{"from": "-2d"}
        )
        assert len(answer["series"][0]["time"]) == 40
    refused = bench(*words, "--processes", 2, "--ledger", tmp_path / "ledger", code=1)
    assert "--processes" in refused["error"]
    stranger = [word if word != shared_server.token else "a stranger" for word in words]
    refused = bench(*stranger, "--count", 1, "--processes", 2, code=1)
    assert "refused the connection" in refused["error"]


def test_packets_of_their_own_arrive_in_order_where_sockets_are_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server that reads slowly: every message once, in its order, none torn."""
    count, connections = 60_000, 3
    with socket.create_server(("127.0.0.1", 0), backlog=connections) as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        plan = Plan(connections, connections, 3, 1_763_799_000_000_000, 1_000)
        server = Server("127.0.0.1", door.getsockname()[1])
        generator = Generator(plan, Pace(0, 1, True, count=count), server, "d/{device}/t")
        slept: list[int] = []
        sleep = generator._sleep
        monkeypatch.setattr(generator, "_sleep", lambda link: (slept.append(1), sleep(link)))
        tallies: list[Tally] = []
        sending = threading.Thread(target=lambda: tallies.append(generator.run()))
        sending.start()
        ends = []
        for _ in range(connections):
            end, _ = door.accept()
            end.settimeout(60)
            decoder = Decoder(4)
            while not (found := decoder.feed(end.recv(4_096))):
                continue
            assert isinstance(found[0], Connect)
            end.sendall(encode(ConnAck(False, 0), 4))
            ends.append((end, decoder, []))
        for end, decoder, taken in ends:
            while len(taken) < count:
                taken += decoder.feed(end.recv(1_000))
        sending.join(60)
        for end, _, _ in ends:
            assert end.recv(1) == b""
            end.close()
    assert slept
    assert tallies[0].sent == count * connections
    expected = Frames(plan, "d/{device}/t", 0)
    for number, (_, _, taken) in enumerate(ends):
        assert taken == Decoder(4).feed(expected.chunk(number, 0, count))
