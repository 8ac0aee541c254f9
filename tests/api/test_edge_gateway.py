"""The example of a gateway and mosquitto's client send coded columns to a real server."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cbor2
import numpy as np
import pytest

from e2e.plants import running_plant
from gemel.core.clock import to_iso
from gemel.core.coded import coded
from running import Running

GATEWAY = Path(__file__).parents[2] / "examples" / "edge" / "gateway.py"
PUB = shutil.which("mosquitto_pub")
START = 1_763_000_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("edge") / "data") as running:
        running_plant(running, 2)
        yield running


def read(server: Running, twin: str, path: str) -> tuple[list[int], np.ndarray]:
    begin, end = to_iso(START * 10**9), to_iso((START + 40_000) * 10**9)
    span = {"from": begin, "to": end}
    found = server.call("GET", "/history", twin=twin, property=path, limit=50_000, **span)
    [one] = found["series"]
    return one["time"], np.array(one["value"])


def test_a_file_arrives_whole_and_within_its_bounds(server: Running, tmp_path: Path) -> None:
    rows = np.arange(20_000)
    heat = np.round(40 + 8 * np.sin(rows / 500), 3)
    shake = np.round(2 + 0.5 * np.cos(rows / 300), 3)
    lines = [
        "temperature,vibration,name",
        *(f"{h},{v},0" for h, v in zip(heat, shake, strict=True)),
    ]
    file = tmp_path / "readings.csv"
    file.write_text("\n".join(lines))
    command = [sys.executable, GATEWAY, file, "--url", server.url, "--twin", "motor-1"]
    command += ["--start", str(START), "--every", "1"]
    command += ["--bound", "temperature=0.05", "--bound", "vibration=0.01"]
    done = subprocess.run(
        command, env={"GEMEL_TOKEN": server.token}, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["values"] == 40_000
    assert told["bytes"] < 8_000, "as JSON it would be more than a megabyte"
    for path, column, bound in (("temperature", heat, 0.05), ("vibration", shake, 0.01)):
        times, values = read(server, "motor-1", path)
        assert len(times) == 20_000
        assert np.abs(values - column).max() <= bound + 1e-9


def test_a_file_that_is_refused_says_why(server: Running, tmp_path: Path) -> None:
    file = tmp_path / "readings.csv"
    file.write_text("nothing\n1\n2\n")
    command = [sys.executable, GATEWAY, file, "--url", server.url, "--twin", "motor-1"]
    command += ["--start", str(START), "--every", "1", "--bound", "nothing=0.1"]
    done = subprocess.run(
        command, env={"GEMEL_TOKEN": server.token}, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1
    assert "refused" in done.stderr


@pytest.mark.peer
@pytest.mark.skipif(PUB is None, reason="mosquitto_pub is not installed")
def test_another_client_sends_the_bytes_as_they_are(server: Running, tmp_path: Path) -> None:
    heat = 40 + np.sin(np.arange(600) / 50)
    body = {"time": START, "every": 1, "coded": {"temperature": coded(heat, 0.02)}}
    file = tmp_path / "payload.cbor"
    file.write_bytes(cbor2.dumps(body))
    command = [PUB, "-h", server.mqtt_host, "-p", str(server.mqtt_port), "-u", "gateway"]
    command += ["-P", server.token, "-t", "devices/motor-2/telemetry", "-q", "1", "-f", file]
    subprocess.run(command, check=True, timeout=60)  # it ends with its acknowledgement
    times, values = read(server, "motor-2", "temperature")
    assert len(times) == 600
    assert np.abs(values - heat).max() <= 0.02 + 1e-9
