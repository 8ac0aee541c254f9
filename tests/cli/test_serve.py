"""The program as a process: ports, signals, settings, and the demo."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import paho.mqtt.client as paho
import pytest
from websockets.sync.client import connect

from running import START_SECONDS, Running


def gemel(*words: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GEMEL_")}
    return subprocess.run(
        [sys.executable, "-m", "gemel", *words],
        capture_output=True,
        text=True,
        timeout=180,
        cwd=cwd,
        env=environment | more,
    )


def test_it_ends_well_with_everybody_connected(tmp_path: Path) -> None:
    running = Running(tmp_path / "data").start()
    assert running.url
    assert not running.url.endswith(":0")
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, "watcher")
    client.username_pw_set("watcher", running.token)
    client.connect(running.mqtt_host, running.mqtt_port)
    client.loop_start()
    headers = {"Authorization": f"Bearer {running.token}"}
    address = running.url.replace("http", "ws") + "/live"
    with (
        connect(address, additional_headers=headers, proxy=None) as page,
        httpx.Client(base_url=running.url, headers=headers, trust_env=False) as idle,
    ):
        page.recv(START_SECONDS)
        assert idle.get("/me").status_code == 200
        running.process.send_signal(signal.SIGTERM)
        code = running.process.wait(START_SECONDS)  # they all stay until it has ended
    client.loop_stop()
    running.stop()
    assert code == 0
    assert not (tmp_path / "data" / "server.json").exists()
    assert "Traceback" not in running.errors()


def test_a_second_server_and_a_taken_port_are_refused_in_words(tmp_path: Path) -> None:
    with Running(tmp_path / "data"), socket.create_server(("127.0.0.1", 0)) as taken:
        words = ("serve", "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0")
        second = gemel(*words, "--data", "data", cwd=tmp_path)
        assert (second.returncode, second.stdout) == (1, "")
        assert "another Gemel uses the data folder" in second.stderr
        port = f"127.0.0.1:{taken.getsockname()[1]}"
        for name in ("--http", "--mqtt"):
            other = "--mqtt" if name == "--http" else "--http"
            done = gemel("serve", "--data", "b", name, port, other, "127.0.0.1:0", cwd=tmp_path)
            assert done.returncode == 1
            assert f"cannot listen at {port}" in done.stderr
            assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "environment", "said"),
    [
        (["--http", "nowhere"], {}, "http: 'nowhere' is not HOST:PORT"),
        (["--config", "none.toml"], {}, "none.toml: cannot be read"),
        ([], {"GEMEL_SEAL_ROWS": "many"}, "GEMEL_SEAL_ROWS: seal_rows = 'many' is not a number"),
        (["--data", "/proc/none"], {}, "/proc/none cannot be used"),
    ],
)
def test_settings_that_are_wrong_are_named(
    words: list[str], environment: dict[str, str], said: str, tmp_path: Path
) -> None:
    done = gemel("serve", *words, cwd=tmp_path, **environment)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_demo_takes_the_next_free_port_and_says_so(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as http,
        socket.create_server(("127.0.0.1", 0)) as mqtt,
    ):
        ports = [listener.getsockname()[1] for listener in (http, mqtt)]
        running = Running(
            tmp_path / "data",
            "--http",
            f"127.0.0.1:{ports[0]}",
            "--mqtt",
            f"127.0.0.1:{ports[1]}",
            "--no-plant",
            "--no-browser",
            command="demo",
        )
        with running:
            said = "\n".join(running.lines)
            assert f"HTTP port {ports[0]} is taken: using " in said
            assert f"MQTT port {ports[1]} is taken: using " in said
            assert running.mqtt_port not in ports
            assert running.call("GET", "/status")["twins"] > 20
            link = said.rsplit("Gemel is running at ", 1)[1]
            answer = httpx.get(link, trust_env=False)
            assert answer.headers["location"] == "/app/overview"
        assert running.process.returncode == 0


def test_with_tls_the_command_line_trusts_its_own_authority(tmp_path: Path) -> None:
    with Running(tmp_path / "data", "--tls", "--mqtt-tls", "127.0.0.1:0") as running:
        assert running.url.startswith("https://")
        done = gemel("status", "--data", "data", cwd=tmp_path)
        assert (done.returncode, "twins" in done.stdout) == (0, True), done.stderr
        with pytest.raises(httpx.ConnectError):
            httpx.get(running.url + "/health", trust_env=False)
        line = next(line for line in running.lines if line.startswith("MQTT at "))
        host, port = line.split("with TLS at ")[1].rsplit(":", 1)
        client = paho.Client(paho.CallbackAPIVersion.VERSION2, "secure")
        client.username_pw_set("secure", running.token)
        client.tls_set(str(tmp_path / "data" / "tls" / "authority.pem"))
        assert client.connect(host, int(port)) == paho.MQTT_ERR_SUCCESS
        client.disconnect()
